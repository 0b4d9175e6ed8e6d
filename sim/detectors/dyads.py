"""Pairs of agents rewired: the nulls N1R (one-way and mutual links kept) and N1F (kept who began each contact).

Where messages are answered, the table of who addresses whom is nearly symmetric, and its spectrum is wider than that of
a table with the same degrees and no answers: against N1 twelve to nineteen in a hundred random graphs of mutual ties
look structured. Rewiring whole pairs of agents, with what goes there and what comes back, takes that away.

Where everybody keeps to one or two partners of its own choice, pairs are undirected in what is claimed of them (groups, a
core) and yet have a side that chose. Rewired without sides, those chosen by nobody are dealt to each other, which the
world cannot do: 42 in a hundred such graphs look grouped, and where only some ever begin, 12 to 20 in a hundred look
like a core. So N1F keeps, for each agent, the pairs that it began and those that others began with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from sim.detectors.nulls import SWAPS_PER_LINK, Links, Null, add
from sim.detectors.rewiring import enter, free_table, named, place, remove
from sim.detectors.window import Bools, Ints, Window

CLASSES = 64  # weight classes double, so 64 hold every count


@dataclass(frozen=True)
class Dyads:
    """Pairs of agents that were in contact, each once: arrays of shape (pairs,); no self-loops.

    Attributes:
        n: Number of agents.
        first: The agent from whom most contacts of the pair go out.
        second: The other one.
        there: Contacts from first to second, at least 1.
        back: Contacts from second to first, at least 0.
    """

    n: int
    first: Ints
    second: Ints
    there: Ints
    back: Ints

    def links(self) -> Links:
        """The same contacts as directed links."""
        mutual = self.back > 0
        return Links(
            self.n,
            np.concatenate([self.first, self.second[mutual]]),
            np.concatenate([self.second, self.first[mutual]]),
            np.concatenate([self.there, self.back[mutual]]),
            directed=True,
        )

    def met(self) -> Links:
        """The pairs as undirected links, with the contacts of both ways."""
        return Links(self.n, self.first, self.second, self.there + self.back, directed=False)


def begun(window: Window, rows: Bools) -> Dyads:
    """Pairs in contact in the given rows; ``first`` is who turned to the other first, ``there`` all their contacts."""
    source, target = window.source[rows], window.target[rows]
    key = np.minimum(source, target) * max(window.n, 1) + np.maximum(source, target)
    _, first, count = np.unique(key, return_index=True, return_counts=True)
    return Dyads(window.n, source[first], target[first], count, np.zeros(len(count), dtype=np.int64))


def pairs(links: Links) -> Dyads:
    """The pairs of agents in directed ``links``; ValueError for undirected ones, which N1 takes."""
    if not links.directed:
        raise ValueError("pairs: expected directed links, got undirected ones; rewire those with N1.")
    low, high = np.minimum(links.source, links.target), np.maximum(links.source, links.target)
    key, pair = np.unique(low * links.n + high, return_inverse=True)
    first, second = np.divmod(key, max(links.n, 1))
    up = links.source == low
    there, back = np.zeros(len(key), dtype=np.int64), np.zeros(len(key), dtype=np.int64)
    there[pair[up]] = links.count[up]
    back[pair[~up]] = links.count[~up]
    turn = back > there
    return Dyads(
        links.n,
        np.where(turn, second, first),
        np.where(turn, first, second),
        np.maximum(there, back),
        np.minimum(there, back),
    )


def _swap(ends: Ints, colour: Ints, even: Bools, draws: Ints, table: Ints, number: Ints) -> None:  # noqa: PLR0917
    """Swap seconds of pairs in place, as ``rewiring`` does with links; ``draws`` (proposals, 3) are random.

    A proposal takes pairs a-b and c-d of one colour and looks at a-d and c-b, which must both be absent or both have
    one other colour and the same side first; the two colours then change places. Every agent keeps its number of pairs
    of every colour on either side. A move is its own inverse and proposed as often, so all arrangements with these
    numbers are equally likely. ``table`` and ``number`` are a free table of the pairs.
    """
    n = ends.max() + 1
    for e in range(len(ends)):
        enter(table, number, named(ends[e, 0], ends[e, 1], n, True), e)
    for k in range(len(draws)):
        e, f = draws[k, 0], draws[k, 1]
        if colour[e] != colour[f]:
            continue
        a, b, c, d = ends[e, 0], ends[e, 1], ends[f, 0], ends[f, 1]
        if draws[k, 2] == 1 and even[e]:  # a pair that is alike both ways has no first end
            c, d = d, c
        if a in (c, d) or b in (c, d):
            continue
        first, second = named(a, d, n, True), named(c, b, n, True)
        at, to = place(table, first), place(table, second)
        taken = table[at] >= 0
        if taken != (table[to] >= 0):
            continue
        if taken:
            g, h = number[at], number[to]
            ahead, ahead_too = ends[g, 0] == a, ends[h, 0] == c
            if colour[g] != colour[h] or colour[g] == colour[e] or (ahead != ahead_too and not even[g]):
                continue
            number[at], number[to] = e, f
            enter(table, number, named(a, b, n, True), g)
            enter(table, number, named(c, d, n, True), h)
            ends[g, 0], ends[g, 1] = (a, b) if ahead else (b, a)
            ends[h, 0], ends[h, 1] = (c, d) if ahead_too else (d, c)
        else:
            remove(table, number, place(table, named(a, b, n, True)))
            remove(table, number, place(table, named(c, d, n, True)))
            enter(table, number, first, e)
            enter(table, number, second, f)
        ends[e, 0], ends[e, 1], ends[f, 0], ends[f, 1] = a, d, c, b


_swap_fast = njit(cache=True)(_swap)


def rewire_pairs(sample: Dyads, rng: np.random.Generator) -> Dyads:
    """N1R: exchange partners between pairs of like weights; each agent keeps its one-way and mutual links by weight class.

    Weight classes double as in N1, on the way there and on the way back.
    """
    total = len(sample.first)
    if total < 2:
        return sample
    there, back = (np.frexp(c.astype(np.float64))[1].astype(np.int64) for c in (sample.there, sample.back))
    ends = np.column_stack([sample.first, sample.second]).astype(np.int64)
    draws = np.empty((SWAPS_PER_LINK * total, 3), dtype=np.int64)
    draws[:, :2] = rng.integers(0, total, (len(draws), 2))
    draws[:, 2] = rng.integers(0, 2, len(draws))
    _swap_fast(ends, there * CLASSES + back, there == back, draws, *free_table(total))
    return replace(sample, first=ends[:, 0].copy(), second=ends[:, 1].copy())


add(
    Null(
        "N1R",
        "each agent's one-way and mutual links of every weight",
        "grouping and order",
        "roles, grouping or order beyond degrees and replies",
        Dyads,
        rewire_pairs,
    )
)
add(
    Null(
        "N1F",
        "each agent's links of every weight that it began, and those begun by others",
        "grouping and order",
        "grouping or a core beyond degrees and who turns to whom first",
        Dyads,
        rewire_pairs,
    )
)
