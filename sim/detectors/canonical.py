"""Canonical order: agents numbered by how they are linked alone, so that searches from drawn starts see the same graph.

A search that visits agents in a drawn order ends in another optimum when agents are numbered otherwise. Numbered here
first, it cannot: the same graph under any names and in any order of rows gives the same arrays, bit for bit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.detectors.nulls import Links
from sim.detectors.window import Ints

ROUNDS = 12  # steps from an agent that its colour can see

Colours = NDArray[np.uint64]


def canonical(links: Links) -> tuple[Links, Ints]:
    """The links with agents renumbered, sorted, and the new number of each agent, shape (n,).

    Definition: agents are sorted by a colour that is refined from the colours and weights of their links (Weisfeiler &
    Leman 1968), hashed with sums that do not depend on order, until no more agents are told apart or ROUNDS times. Agents
    that stay of one colour keep their order among each other: in a graph with weights they stand alike to all others,
    as far as such refinement can see. Cost: links times rounds.
    """
    colour = colours(links)
    place = np.empty(links.n, dtype=np.int64)
    place[np.argsort(colour, kind="stable")] = np.arange(links.n)
    source, target = place[links.source], place[links.target]
    if not links.directed:
        source, target = np.minimum(source, target), np.maximum(source, target)
    order = np.lexsort((target, source))
    return replace(links, source=source[order], target=target[order], count=links.count[order]), place


def colours(links: Links) -> Colours:
    """What refinement sees of each agent, shape (n,); agents of one colour are not told apart."""
    weight = _mixed(links.count.astype(np.uint64))
    colour, told = np.zeros(links.n, dtype=np.uint64), 0
    for _ in range(ROUNDS):
        ahead, behind = np.zeros_like(colour), np.zeros_like(colour)
        np.add.at(ahead, links.source, _mixed(colour[links.target] + weight))
        np.add.at(behind, links.target, _mixed(colour[links.source] + weight))
        # Undirected links are the same from either end.
        both = ahead + behind if not links.directed else _mixed(ahead) + _mixed(behind + np.uint64(1)) * np.uint64(3)
        colour = _mixed(_mixed(colour) + both)
        now = len(np.unique(colour))
        if now <= told:
            break
        told = now
    return colour


def _mixed(values: Colours) -> Colours:
    """Scrambled 64-bit numbers (SplitMix64: Steele, Lea, Flood 2014); sums and products wrap."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
