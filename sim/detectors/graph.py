"""Graph measures on compressed rows, compiled: degree, betweenness, constraint, cores, dyads, triads, strong parts.

Each takes time linear in links, links times sources (betweenness), or that of listing triangles (constraint, triads).
They describe: none is a test, and none says by itself that a structure is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from sim.detectors.window import Floats, Ints, summed

Rows = NDArray[np.int32]
SOURCES = 64
TRIADS = (
    "003", "012", "102", "021D", "021U", "021C", "111D", "111U", "030T", "030C", "201", "120D", "120U", "120C", "210",
    "300",
)  # fmt: skip
THERE, BACK, BOTH = 1, 2, 3  # how two agents are linked, seen from the first


@dataclass(frozen=True)
class Graph:
    """A directed weighted graph in compressed rows: agent ``a`` points to ``ends[starts[a]:starts[a + 1]]``.

    Every pair stands once, rows are sorted, nobody points to itself, weights are positive. Build it with ``directed``.

    Attributes:
        n: Number of agents.
        starts: Shape (n + 1,).
        ends: Shape (links,).
        weight: Shape (links,).
    """

    n: int
    starts: Rows
    ends: Rows
    weight: Floats

    @cached_property
    def mutual(self) -> Graph:
        """The undirected graph: each linked pair in both directions, with the weights of the two directions summed."""
        one = csr_array((self.weight, self.ends, self.starts), shape=(self.n, self.n))
        return _of(one + one.T)

    @cached_property
    def dyads(self) -> tuple[Rows, Rows, NDArray[np.int8]]:
        """The undirected graph with, per entry (a, b), THERE for a to b only, BACK for b to a only, or BOTH."""
        ones = np.ones(len(self.ends), dtype=np.int8)
        one = csr_array((ones, self.ends, self.starts), shape=(self.n, self.n))
        how = one + BACK * one.T.tocsr()
        how.sort_indices()
        return how.indptr.astype(np.int32), how.indices.astype(np.int32), how.data.astype(np.int8)


def directed(n: int, source: Ints, target: Ints, weight: Floats | None = None) -> Graph:
    """The graph of links from ``source`` to ``target``, shape (rows,); weights (default 1) of equal pairs are summed.

    Raises:
        ValueError: When an agent number is outside 0 to n - 1, or a weight is not positive.
    """
    heavy = np.ones(len(source)) if weight is None else np.asarray(weight, dtype=np.float64)
    if len(source) and not (min(source.min(), target.min()) >= 0 and max(source.max(), target.max()) < n):
        raise ValueError(f"graph: expected agent numbers from 0 to {n - 1}, got others in source or target.")
    if len(heavy) and not (heavy > 0).all():
        raise ValueError(f"graph: expected positive weights, got {heavy[~(heavy > 0)][0]!r}; leave such links out.")
    other = source != target
    return _of(coo_array((heavy[other], (source[other], target[other])), shape=(n, n)).tocsr())


def _of(matrix: csr_array) -> Graph:
    matrix.sum_duplicates()
    matrix.sort_indices()
    return Graph(matrix.shape[0], matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)


def degrees(graph: Graph) -> tuple[Ints, Ints]:
    """Numbers of agents that each points to, and that point to it, shape (n,) each."""
    return np.diff(graph.starts).astype(np.int64), np.bincount(graph.ends, minlength=graph.n)


def strengths(graph: Graph) -> tuple[Floats, Floats]:
    """Weight that each agent gives and gets, shape (n,) each."""
    owner = np.repeat(np.arange(graph.n), np.diff(graph.starts))
    return summed(owner, graph.weight, graph.n), summed(graph.ends, graph.weight, graph.n)


def centralisation(graph: Graph) -> float:
    """How far one agent has all the links: Freeman's degree centralisation of the undirected graph.

    Definition: what the best linked agent has more than the others, over the most that is possible. Formula: sum_a (max
    d - d_a) / ((n - 1)(n - 2)). Range: [0, 1]; 0 for fewer than three agents. Low: all have equally many links (ring,
    mesh), high: a star. Chance level: about sqrt(2 log n / (p n)) at density p, so not 0. Null: N1 keeps it and can
    never be beaten; it is read against an equal draw of partners. Fooled by: unequal activity, unequal reach. Reference:
    Freeman 1979, Social Networks 1:215, eq. 5.
    """
    if graph.n < 3:
        return 0.0
    degree = np.diff(graph.mutual.starts)
    return float((degree.max() - degree).sum() / ((graph.n - 1.0) * (graph.n - 2.0)))


@dataclass(frozen=True)
class Sampled:
    """An estimate from sampled sources: value and its standard error, shape (n,) each; error 0 when all were used."""

    value: Floats
    error: Floats
    sources: int


def betweenness(graph: Graph, *, rng: np.random.Generator, sources: int = SOURCES) -> Sampled:
    """Share of shortest ways between others that lead through each agent, estimated from sampled starting points.

    Definition: mean over ordered pairs of others of the share of their shortest directed ways (in hops) through it; pass
    ``graph.mutual`` for undirected ways. Formula: b_a = (1 / ((n - 1)(n - 2))) sum_{s,t} sigma_st(a) / sigma_st, the sum
    over s taken from a sample of starting points times n / sources. Error: s.d. of one starting point's share over the
    root of their number, with finite-population correction; the estimate is unbiased. Range: [0, 1] in expectation. Low:
    nobody needs it, high: everybody does. Chance level: about (mean distance - 1) / (n - 2). Null: N1 (beyond degree).
    Fooled by: degree (r = 0.9 with it in random graphs); weak links count like strong ones; ways nobody used. Reference:
    Brandes 2001, J. Math. Sociol. 25:163; sampling: Brandes & Pich 2007, Int. J. Bifurc. Chaos 17:2303.

    Raises:
        ValueError: For fewer than one source.
    """
    if sources < 1:
        raise ValueError(f"betweenness: expected at least 1 source, got {sources}.")
    n = graph.n
    used = min(sources, n)
    if n < 3:
        return Sampled(np.zeros(n), np.zeros(n), used)
    chosen = np.sort(rng.permutation(n)[:used]).astype(np.int32)
    total, squares = _brandes(graph.starts, graph.ends, chosen)
    mean = total / used
    spread = np.maximum(squares / used - mean * mean, 0.0) * used / max(used - 1, 1)
    scale = n / ((n - 1.0) * (n - 2.0))
    return Sampled(scale * mean, scale * np.sqrt(spread / used * (1.0 - used / n)), used)


@njit(cache=True)
def _brandes(starts: Rows, ends: Rows, chosen: Rows) -> tuple[Floats, Floats]:
    """Sums over the chosen sources of each agent's dependency and of its square."""
    n = len(starts) - 1
    total, squares = np.zeros(n), np.zeros(n)
    level, queue = np.full(n, -1, dtype=np.int32), np.empty(n, dtype=np.int32)
    ways, pull = np.zeros(n), np.zeros(n)  # shortest ways from the source; (1 + dependency) / ways
    for s in chosen:
        level[s], ways[s], queue[0] = 0, 1.0, s
        head, tail = 0, 1
        while head < tail:
            a = queue[head]
            head += 1
            below, here = level[a] + 1, ways[a]
            for k in range(starts[a], starts[a + 1]):
                b = ends[k]
                if level[b] < 0:
                    level[b], ways[b] = below, here
                    queue[tail] = b
                    tail += 1
                elif level[b] == below:
                    ways[b] += here
        for q in range(tail - 1, -1, -1):
            a = queue[q]
            below, gathered = level[a] + 1, 0.0
            for k in range(starts[a], starts[a + 1]):
                if level[ends[k]] == below:
                    gathered += pull[ends[k]]
            depends = gathered * ways[a]
            pull[a] = (1.0 + depends) / ways[a]
            if q > 0:
                total[a] += depends
                squares[a] += depends * depends
        for q in range(tail):
            level[queue[q]] = -1
    return total, squares


def constraint(graph: Graph) -> Floats:
    """How far an agent's contacts are all in contact with each other: Burt's constraint, shape (n,).

    Definition: concentration of an agent's ties, counting those that lead to the same contact by way of a third. Formula:
    c_a = sum_b (p_ab + sum_q p_aq p_qb)^2 over contacts b, p_ab = (w_ab + w_ba) / sum_q (w_aq + w_qa). Range: (0, 9/8];
    NaN without contacts. Low: a broker between separate contacts, high: closed in, or hardly any contacts. Chance level:
    about 1 / degree. Null: N1, and NX for brokers between groups. Fooled by: degree, which it mostly is in sparse graphs.
    Reference: Burt 1992, Structural Holes, eq. 2.4.
    """
    ties = graph.mutual
    given = np.diff(ties.starts)
    owner = np.repeat(np.arange(graph.n), given)
    strength = summed(owner, ties.weight, graph.n)
    share = ties.weight / strength[owner] if len(owner) else np.zeros(0)
    around = _indirect(ties.starts, ties.ends, share)
    total = summed(owner, (share + around) ** 2, graph.n)
    return np.where(given > 0, total, np.nan)


@njit(cache=True)
def _upward(starts: Rows, ends: Rows) -> tuple[Rows, Rows, Rows]:
    """Entries that lead to agents of higher degree, as rows (firsts, entries), and every entry's way back.

    Each triangle then has one lowest agent, and no agent has more than sqrt(2 links) entries upward.
    """
    n = len(starts) - 1
    firsts = np.zeros(n + 1, dtype=np.int32)
    upward = np.empty(len(ends) // 2, dtype=np.int32)
    back = np.empty(len(ends), dtype=np.int32)
    seen = starts[:n].copy()
    count = 0
    for a in range(n):
        size = starts[a + 1] - starts[a]
        for k in range(starts[a], starts[a + 1]):
            b = ends[k]
            back[k] = seen[b]  # rows are sorted, so row b meets its neighbours in the order of a
            seen[b] += 1
            other = starts[b + 1] - starts[b]
            if other > size or (other == size and b > a):
                upward[count] = k
                count += 1
        firsts[a + 1] = count
    return firsts, upward, back


@njit(cache=True)
def _indirect(starts: Rows, ends: Rows, share: Floats) -> Floats:
    """For every entry (a, b) the sum over common contacts q of share a-q times share q-b."""
    firsts, upward, back = _upward(starts, ends)
    mark = np.zeros(len(starts) - 1, dtype=np.int32)
    around = np.zeros(len(ends))
    for a in range(len(starts) - 1):
        for i in range(firsts[a], firsts[a + 1]):
            mark[ends[upward[i]]] = upward[i] + 1
        for i in range(firsts[a], firsts[a + 1]):
            ab = upward[i]
            b, ba = ends[ab], back[ab]
            for j in range(firsts[b], firsts[b + 1]):
                bc = upward[j]
                if mark[ends[bc]] == 0:
                    continue
                ac = mark[ends[bc]] - 1
                ca, cb = back[ac], back[bc]
                around[ab] += share[ac] * share[cb]
                around[ba] += share[bc] * share[ca]
                around[ac] += share[ab] * share[bc]
                around[ca] += share[cb] * share[ba]
                around[bc] += share[ba] * share[ac]
                around[cb] += share[ca] * share[ab]
        for i in range(firsts[a], firsts[a + 1]):
            mark[ends[upward[i]]] = 0
    return around


def core_numbers(graph: Graph) -> Ints:
    """The largest k for which an agent is in a set whose members all have k contacts in it, shape (n,).

    Definition: core number of the undirected graph. Range: [0, n - 1], at most the degree. Low: at the edge, high: deep
    inside. Chance level: all agents of a random graph share one or two values near half the mean degree. Null: N1.
    Fooled by: degree; one dense team has the highest numbers without being anybody's centre. Reference: Seidman 1983,
    Social Networks 5:269; algorithm: Batagelj & Zaversnik 2003, arXiv cs/0310049.
    """
    ties = graph.mutual
    return np.asarray(_peel(ties.starts, ties.ends), dtype=np.int64)


@njit(cache=True)
def _peel(starts: Rows, ends: Rows) -> Rows:
    """Remove the agent with fewest contacts left, again and again; agents stay sorted by contacts left in bins."""
    n = len(starts) - 1
    left = (starts[1:] - starts[:n]).astype(np.int32)
    most = 0
    for a in range(n):
        most = max(most, left[a])
    first = np.zeros(most + 2, dtype=np.int32)  # where the agents with so many contacts begin
    for a in range(n):
        first[left[a] + 1] += 1
    for d in range(most + 1):
        first[d + 1] += first[d]
    place, order, fill = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32), first.copy()
    for a in range(n):
        place[a] = fill[left[a]]
        order[place[a]] = a
        fill[left[a]] += 1
    for k in range(n):
        a = order[k]
        for e in range(starts[a], starts[a + 1]):
            b = ends[e]
            if left[b] > left[a]:
                front = max(first[left[b]], k + 1)
                other = order[front]
                order[place[b]], place[other] = other, place[b]
                order[front], place[b] = b, front
                first[left[b]] = front + 1
                left[b] -= 1
    return left


@dataclass(frozen=True)
class Closure:
    """Counts of pairs and triples of agents.

    Attributes:
        one_way: Pairs linked in one direction.
        two_way: Pairs linked in both.
        triads: The 16 classes of triads in the order of TRIADS, shape (16,).
        triangles: Triangles of the undirected graph through each agent, shape (n,).
        pairs: Pairs of contacts of each agent, shape (n,).
    """

    one_way: int
    two_way: int
    triads: Ints
    triangles: Ints
    pairs: Ints

    @property
    def reciprocity(self) -> float:
        """Share of links that are answered by a link.

        Formula: 2 M / (2 M + A), M pairs linked both ways, A one way. Range: [0, 1]; 0 without links. Low: orders, flows,
        broadcasts; high: conversation. Chance level: the density. Null: N1 (directed). Fooled by: replies logged as
        contacts of their own. Reference: Wasserman & Faust 1994, ch. 13.
        """
        links = 2 * self.two_way + self.one_way
        return 2 * self.two_way / links if links else 0.0

    @property
    def transitivity(self) -> float:
        """Share of pairs of contacts that are in contact themselves, directions ignored.

        Formula: 3 triangles / connected triples. Range: [0, 1]; 0 without triples. Low: trees, stars, layers; high:
        teams. Chance level: the density, more with unequal degrees. Null: N1. Reference: Newman 2003, SIAM Rev. 45:167,
        eq. 3.
        """
        return float(self.triangles.sum() / self.pairs.sum()) if self.pairs.sum() else 0.0

    @property
    def clustering(self) -> Floats:
        """Share of pairs of contacts that are in contact, per agent, shape (n,); 0 with fewer than two contacts.

        Range: [0, 1]. Chance level and null as transitivity. Reference: Watts & Strogatz 1998, Nature 393:440.
        """
        return np.asarray(self.triangles / np.maximum(self.pairs, 1), dtype=np.float64)


def closure(graph: Graph) -> Closure:
    """Reciprocity, transitivity, clustering and the directed triad census, from one listing of triangles.

    Definition: number of triples of agents in each of the 16 classes of Holland and Leinhardt. Range: counts, n over 3 in
    all. Chance level and null: N1 (keeps degrees); z-scores against it, never raw counts. Fooled by: reciprocity, which
    alone shifts 111, 201 and 210. Reference: Holland & Leinhardt 1976, Sociol. Methodol. 7:1; open triads follow from the
    ways agents are linked and the closed ones, in the manner of Moody 1998, Social Networks 20:291.
    """
    starts, ends, how = graph.dyads
    owner = np.repeat(np.arange(graph.n), np.diff(starts))
    kinds = np.stack([np.bincount(owner[how == k], minlength=graph.n) for k in (THERE, BACK, BOTH)])
    there, back, both = kinds.astype(np.int64)
    closed, pairs_closed, triangles = _triads(starts, ends, how)
    open_pairs = np.array(
        [
            (there * (there - 1) // 2).sum(),
            (back * (back - 1) // 2).sum(),
            (there * back).sum(),
            (back * both).sum(),
            (there * both).sum(),
            (both * (both - 1) // 2).sum(),
        ]
    )
    one_way, two_way = int(there.sum()), int(both.sum()) // 2
    degree = kinds.sum(axis=0).astype(np.int64)
    counts = dict(zip(_CLOSED, closed.tolist(), strict=True))
    counts |= dict(zip(_OPEN, (open_pairs - pairs_closed).tolist(), strict=True))
    arcs = sum(counts[t] * int(t[1]) for t in counts)
    twos = sum(counts[t] * int(t[0]) for t in counts)
    counts["012"], counts["102"] = one_way * (graph.n - 2) - arcs, two_way * (graph.n - 2) - twos
    counts["003"] = graph.n * (graph.n - 1) * (graph.n - 2) // 6 - sum(counts.values())
    census = np.array([max(counts[t], 0) if graph.n > 2 else 0 for t in TRIADS], dtype=np.int64)
    return Closure(one_way, two_way, census, triangles, degree * (degree - 1) // 2)


# Open triads by what the middle agent does with its two contacts, and closed ones; digits: two-way, one-way, no link.
_OPEN = ("021D", "021U", "021C", "111D", "111U", "201")
_CLOSED = ("030T", "030C", "120D", "120U", "120C", "210", "300")


@njit(cache=True)
def _pair_kind(x: int, y: int) -> int:
    """Place in _OPEN of an agent linked to its two contacts in the ways x and y."""
    if x == y:
        return 0 if x == THERE else 1 if x == BACK else 5
    if x + y == THERE + BACK:
        return 2
    return 3 if BACK in (x, y) else 4


@njit(cache=True)
def _closed_kind(ab: int, bc: int, ca: int) -> int:
    """Place in _CLOSED of a triangle, given the way each agent is linked to the next one round."""
    two = (ab == BOTH) + (bc == BOTH) + (ca == BOTH)
    if two >= 2:
        return 3 + two
    if two == 0:
        return 1 if ab == bc == ca else 0
    # Of the two one-way links, does the agent between them give both, get both, or pass on?
    x, y = (bc, ca) if ab == BOTH else (ca, ab) if bc == BOTH else (ab, bc)
    if x == y:
        return 4
    return 2 if x == BACK else 3


@njit(cache=True)
def _triads(starts: Rows, ends: Rows, how: NDArray[np.int8]) -> tuple[Ints, Ints, Ints]:
    """Triangles by class, pairs of contacts in them by kind, and triangles through each agent."""
    firsts, upward, back = _upward(starts, ends)
    n = len(starts) - 1
    mark = np.zeros(n, dtype=np.int32)
    closed, pairs = np.zeros(7, dtype=np.int64), np.zeros(6, dtype=np.int64)
    triangles = np.zeros(n, dtype=np.int64)
    for a in range(n):
        for i in range(firsts[a], firsts[a + 1]):
            mark[ends[upward[i]]] = upward[i] + 1
        for i in range(firsts[a], firsts[a + 1]):
            ab = upward[i]
            b = ends[ab]
            for j in range(firsts[b], firsts[b + 1]):
                bc = upward[j]
                c = ends[bc]
                if mark[c] == 0:
                    continue
                ac = mark[c] - 1
                ca = back[ac]
                closed[_closed_kind(how[ab], how[bc], how[ca])] += 1
                pairs[_pair_kind(how[ab], how[ac])] += 1
                pairs[_pair_kind(how[back[ab]], how[bc])] += 1
                pairs[_pair_kind(how[ca], how[back[bc]])] += 1
                triangles[a] += 1
                triangles[b] += 1
                triangles[c] += 1
        for i in range(firsts[a], firsts[a + 1]):
            mark[ends[upward[i]]] = 0
    return closed, pairs, triangles


def strong_share(graph: Graph) -> float:
    """Share of agents in the largest set in which everybody can reach everybody along links.

    Range: [1/n, 1]; 0 without agents. Low: order (trees, pipelines), high: what is said anywhere can come back. Chance
    level: near 1 above three links an agent. Null: N2 (who is linked stays, directions are drawn). Fooled by: a single
    link back. Reference: Broder et al. 2000, Computer Networks 33:309.
    """
    if graph.n == 0:
        return 0.0
    matrix = csr_array((graph.weight, graph.ends, graph.starts), shape=(graph.n, graph.n))
    _, part = connected_components(matrix, directed=True, connection="strong")
    return float(np.bincount(part).max() / graph.n)
