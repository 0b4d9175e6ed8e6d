"""Rewiring: the kernel of null N1, partners exchanged between links of one colour, with a hash table of the pairs."""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.detectors.window import Ints

SPREAD, SHIFT = 0x9E3779B1, 20  # an odd factor (2^32 over the golden ratio), and where its product is well mixed
ROOM = 4  # places of the table for each link


def _home(pair: int, mask: int) -> int:
    """Where the pair is looked for first."""
    return ((pair * SPREAD) >> SHIFT) & mask


def _place(pairs: Ints, pair: int) -> int:
    """The place of the pair in the table, or the free place (-1) where it would stand."""
    mask = len(pairs) - 1
    at: int = home(pair, mask)
    while pairs[at] >= 0 and pairs[at] != pair:
        at = (at + 1) & mask
    return at


def _remove(pairs: Ints, link: Ints, at: int) -> None:
    """Free a place, and move up the pairs behind it that could then no longer be found (Knuth, vol. 3, 6.4 R)."""
    mask = len(pairs) - 1
    pairs[at] = -1
    hole, at = at, (at + 1) & mask
    while pairs[at] >= 0:
        if ((at - home(pairs[at], mask)) & mask) >= ((at - hole) & mask):
            pairs[hole], link[hole] = pairs[at], link[at]
            pairs[at] = -1
            hole = at
        at = (at + 1) & mask


def _enter(pairs: Ints, link: Ints, pair: int, number: int) -> None:
    """Let link ``number`` stand at the pair."""
    at = place(pairs, pair)
    pairs[at], link[at] = pair, number


def _named(a: int, b: int, agents: int, both: bool) -> int:
    """A pair as one number; an undirected pair (``both``) has its lower agent first."""
    return b * agents + a if both and a > b else a * agents + b


def _swap(ends: Ints, colour: Ints, draws: Ints, pairs: Ints, link: Ints) -> None:
    """Exchange partners of links in place; ``draws`` (proposals, 3) are random, ``pairs`` and ``link`` a free table.

    A proposal takes links a-b and c-d of one colour and looks at a-d and c-b, which must both be absent or both have
    one other colour; the two colours then change places. Every agent keeps its number of links of every colour. A move
    is its own inverse and proposed as often, so all arrangements with these numbers are equally likely.
    """
    both, n = draws[0, 2] >= 0, ends.max() + 1
    for e in range(len(ends)):
        enter(pairs, link, named(ends[e, 0], ends[e, 1], n, both), e)
    for k in range(len(draws)):
        e, f = draws[k, 0], draws[k, 1]
        if colour[e] != colour[f]:
            continue
        a, b, c, d = ends[e, 0], ends[e, 1], ends[f, 0], ends[f, 1]
        if draws[k, 2] == 1:  # undirected links have no first end
            c, d = d, c
        if a in (c, d) or b in (c, d):
            continue
        first, second = named(a, d, n, both), named(c, b, n, both)
        at, to = place(pairs, first), place(pairs, second)
        taken = pairs[at] >= 0
        if taken != (pairs[to] >= 0):
            continue
        if taken:
            g, h = link[at], link[to]
            if colour[g] != colour[h] or colour[g] == colour[e]:
                continue
            link[at], link[to] = e, f
            enter(pairs, link, named(a, b, n, both), g)
            enter(pairs, link, named(c, d, n, both), h)
            ends[g, 0], ends[g, 1], ends[h, 0], ends[h, 1] = a, b, c, d
        else:
            remove(pairs, link, place(pairs, named(a, b, n, both)))
            remove(pairs, link, place(pairs, named(c, d, n, both)))
            enter(pairs, link, first, e)
            enter(pairs, link, second, f)
        ends[e, 0], ends[e, 1], ends[f, 0], ends[f, 1] = a, d, c, b


home, place, named = njit(cache=True)(_home), njit(cache=True)(_place), njit(cache=True)(_named)
enter, remove, swap = njit(cache=True)(_enter), njit(cache=True)(_remove), njit(cache=True)(_swap)


def exchanged(ends: Ints, colour: Ints, *, directed: bool, proposals: int, rng: np.random.Generator) -> Ints:
    """Links with their partners exchanged at random among links of one colour.

    Args:
        ends: Pairs of agents, each at most once and none with itself, shape (links, 2); links >= 1.
        colour: Weight class of each link, shape (links,).
        directed: Whether a-b and b-a are different links.
        proposals: Exchanges tried.
        rng: Source of the draws.

    Returns:
        New ends, shape (links, 2); link k keeps its colour.
    """
    links = len(ends)
    draws = np.empty((proposals, 3), dtype=np.int64)
    draws[:, :2] = rng.integers(0, links, (proposals, 2))
    draws[:, 2] = -1 if directed else rng.integers(0, 2, proposals)
    ends = np.array(ends, dtype=np.int64)
    swap(ends, colour, draws, *free_table(links))
    return ends


def free_table(links: int) -> tuple[Ints, Ints]:
    """An empty table with room for so many pairs: the pairs (-1 free) and the link at each."""
    size = 1 << (ROOM * links - 1).bit_length()
    return np.full(size, -1, dtype=np.int64), np.empty(size, dtype=np.int64)
