"""Chains of command: who reaches whom along directed links, and how tree-like that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from sim.detectors.window import NONE, Bools, Floats, Ints


@dataclass(frozen=True)
class Reach:
    """Who can be reached along links, nobody counting for itself: arrays of shape (n,).

    Attributes:
        below: Agents reached from each agent.
        above: Agents from which each agent is reached.
        part: Number of the strongly connected part, in which everybody reaches everybody.
    """

    below: Ints
    above: Ints
    part: Ints


def _neighbours(n: int, source: Ints, target: Ints) -> tuple[Ints, Ints]:
    """Lists of neighbours as (starts, ends)."""
    by_source = np.argsort(source, kind="stable")
    return np.searchsorted(source[by_source], np.arange(n + 1)), target[by_source]


def _strong_parts(starts: Ints, ends: Ints) -> tuple[Ints, int]:
    """Strongly connected parts, those downstream first (Tarjan 1972, with a stack of its own instead of recursion)."""
    n = len(starts) - 1
    part, low, seen = np.full(n, -1), np.zeros(n, np.int64), np.full(n, -1)
    held, path, edge = np.zeros(n, np.int64), np.zeros(n, np.int64), starts[:-1].copy()
    top, count, parts = 0, 0, 0
    for root in range(n):
        if seen[root] >= 0:
            continue
        depth = 0
        path[0] = held[top] = root
        seen[root] = low[root] = count
        top, count = top + 1, count + 1
        while depth >= 0:
            v = path[depth]
            if edge[v] < starts[v + 1]:
                w = ends[edge[v]]
                edge[v] += 1
                if seen[w] < 0:
                    depth += 1
                    path[depth] = held[top] = w
                    seen[w] = low[w] = count
                    top, count = top + 1, count + 1
                elif part[w] < 0:
                    low[v] = min(low[v], seen[w])
                continue
            if low[v] == seen[v]:
                while part[v] < 0:
                    top -= 1
                    part[held[top]] = parts
                parts += 1
            depth -= 1
            if depth >= 0:
                low[path[depth]] = min(low[path[depth]], low[v])
    return part, parts


_strong_parts_fast = njit(cache=True)(_strong_parts)


def _spread(part: Ints, parts: int, source: Ints, target: Ints) -> tuple[Ints, Ints]:
    """Agents reached from, and reaching, each agent (itself included); ``source`` must come downstream part first."""
    n = len(part)
    one = np.uint64(1)
    size = np.zeros(parts, np.int64)
    reached = np.zeros((parts, (parts + 63) // 64), np.uint64)  # a bit for every part
    for v in range(n):
        size[part[v]] += 1
    for p in range(parts):
        reached[p, p >> 6] |= one << np.uint64(p & 63)
    for k in range(len(source)):
        a, b = part[source[k]], part[target[k]]
        if a != b and not (reached[a, b >> 6] >> np.uint64(b & 63)) & one:
            for word in range(b // 64 + 1):
                reached[a, word] |= reached[b, word]
    below, above = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    for a in range(parts):
        for b in range(a + 1):
            if (reached[a, b >> 6] >> np.uint64(b & 63)) & one:
                below[a] += size[b]
                above[b] += size[a]
    return below[part], above[part]


_spread_fast = njit(cache=True)(_spread)


def reach(n: int, source: Ints, target: Ints) -> Reach:
    """Who reaches whom along links, on the condensation: parts are joined downstream first, so each link counts once.

    Args:
        n: Number of agents.
        source: Shape (links,).
        target: Shape (links,).
    """
    part, parts = _strong_parts_fast(*_neighbours(n, source, target))
    downstream = np.argsort(part[source], kind="stable")
    below, above = _spread_fast(part, parts, source[downstream], target[downstream])
    return Reach(below - 1, above - 1, part)


def reaching_centrality(reached: Ints) -> float:
    """Global reaching centrality: how far the agent with the largest reach stands out from all others.

    Definition: mean gap between the largest reach and each agent's. Formula: sum (max r - r_i) / (n - 1)^2, r =
    ``reached``. Range: [0, 1]. Low: all reach alike (a ring, any strongly connected graph), high: one reaches all
    and nobody else reaches much; star 1, directed chain n / 2(n - 1). Chance level: 0.2-0.5 in sparse random graphs,
    near 0 in dense ones, so it is read against N2 only. Null: N2; and N1, because popularity alone makes it high.
    Fooled by: one large strongly connected part (0 whatever stands above), links that mean "reports to" (take the
    maximum over both orientations), a core that everybody contacts. Reference: Mones, Vicsek, Vicsek 2012, PLoS ONE
    7:e33799, eq. 1-2.

    Args:
        reached: Agents reached from each member, shape (members,).
    """
    others = len(reached) - 1
    return float((reached.max() - reached).sum()) / others**2 if others > 0 else 0.0


def command(n: int, source: Ints, target: Ints) -> tuple[float, bool]:
    """Reaching centrality in the orientation in which it is larger; True when contacts run downwards, from the head."""
    found = reach(n, source, target)
    down, up = reaching_centrality(found.below), reaching_centrality(found.above)
    return max(down, up), down >= up


@dataclass(frozen=True)
class Krackhardt:
    """Four degrees to which a crisp directed graph is an out-tree; each 1 there, range [0, 1].

    Definition and formulas (violations over the most there could be): ``connectedness``: pairs of agents linked by a
    path when direction is ignored; ``hierarchy``: among pairs where one reaches the other, those without the way back;
    ``efficiency``: 1 - links beyond a tree, per weak part, over the most possible; ``unity`` (least upper boundedness):
    pairs in a weak part that have a superior in common who is below every other common superior. Low: a mesh; high: a
    tree. Chance level: efficiency is near 1 in every sparse graph and hierarchy near 1 where little is reached, so no
    one of the four alone says anything; they describe, and no test rests on them. Null: none. Fooled by: weak links
    that count like strong ones. Reference: Krackhardt 1994, Graph theoretical dimensions of informal organizations,
    in Computational Organization Theory, eq. 1-4.
    """

    connectedness: float
    hierarchy: float
    efficiency: float
    unity: float


def krackhardt(n: int, source: Ints, target: Ints) -> Krackhardt:
    """Krackhardt's four on agents 0 to n - 1, links from superior to subordinate, no self-loops; time grows as n^3.

    Raises:
        ValueError: With fewer than two agents.
    """
    if n < 2:
        raise ValueError(f"krackhardt: expected at least 2 agents, got {n}.")
    down = reachable(n, source, target)
    weak = weak_parts(n, source, target)
    sizes = np.bincount(weak)
    pairs = (sizes * (sizes - 1) // 2).sum()
    either = int((down | down.T).sum() - n) // 2
    both = int((down & down.T).sum() - n) // 2
    links = len(np.unique(source * n + target))
    spare, most = links - (sizes - 1).sum(), (sizes * (sizes - 1) - (sizes - 1)).sum()
    bounded, possible = _bounded(down, weak), ((sizes - 1) * (sizes - 2) // 2).sum()
    return Krackhardt(
        connectedness=float(pairs / (n * (n - 1) / 2)),
        hierarchy=1.0 - both / either if either else 1.0,
        efficiency=float(1.0 - spare / most) if most else 1.0,
        unity=float(1.0 - (pairs - bounded) / possible) if possible else 1.0,
    )


def reachable(n: int, source: Ints, target: Ints) -> Bools:
    """Table of who reaches whom, itself included, shape (n, n), by repeated squaring."""
    table = np.eye(n, dtype=bool)
    table[source, target] = True
    while True:
        more = (table.astype(np.float32) @ table.astype(np.float32)) > 0
        if (more == table).all():
            return table
        table = more


def weak_parts(n: int, source: Ints, target: Ints) -> Ints:
    """Number of the part of each agent when direction is ignored, shape (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(source)), (source, target)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _bounded(down: Bools, weak: Ints) -> int:
    """Pairs of one weak part with a least upper bound: a common superior that all other common superiors reach.

    Whoever reaches a common superior is one too, so v is the bound exactly if as many reach v as there are of them.
    """
    found, reached_by = 0, down.sum(axis=0)
    for a in range(len(down)):
        others = np.flatnonzero((weak == weak[a]) & (np.arange(len(down)) > a))
        common = down[:, [a]] & down[:, others]  # superiors, themselves included, of both
        nearest = np.where(common, reached_by[:, None], 0).max(axis=0, initial=0)
        found += int((nearest == common.sum(axis=0))[common.any(axis=0)].sum())
    return found


def superiors(n: int, source: Ints, target: Ints, count: Floats, *, down: bool) -> Ints:
    """Each agent's superior, shape (n,), NONE for a head: where most of its contacts with somebody above it go.

    Superiors sit at the start of a link where contacts run down, at its end where they run up. Agents with a larger
    reach are above; in a tree that is the parent, whatever the orientation.
    """
    boss, subject = (source, target) if down else (target, source)
    found = reach(n, boss, subject)
    above = found.below[boss] > found.below[subject]
    chosen = np.full(n, NONE, dtype=np.int64)
    # The last one written wins: most contacts, then the one nearest above.
    order = np.lexsort((-found.below[boss[above]], count[above]))
    chosen[subject[above][order]] = boss[above][order]
    return chosen


def depths(superior: Ints) -> Ints:
    """Steps from a head down to each agent along superiors, shape (n,); the relation has no cycle."""
    depth = np.zeros(len(superior), dtype=np.int64)
    at = superior.copy()
    while (at >= 0).any():
        depth += at >= 0
        at = np.where(at >= 0, superior[at], NONE)
    return depth
