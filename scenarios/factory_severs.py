"""Closed channels in the factory: trails end before them, and remembered options follow their contacts."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.world.channels import pair
from sim.world.view import VERBS
from sim.world.work import FREE, HOP_FREE, HOP_ROOM, NOBODY, ROOM


def severs(world: Any, moved: list[tuple[int, np.ndarray]], shut: frozenset[tuple[int, int]]) -> None:
    """What follows in the items when channels close or open (see ``sim.world.population.Built``).

    No outcome and no refused item travels over a channel that is closed: trails end before it.
    """
    for row, order in moved:
        own = np.flatnonzero(world.hops["agent"] == row)
        slot, verb = np.divmod(world.hops["option"][own], VERBS)
        known = slot < len(order)
        world.hops["option"][own[known]] = np.argsort(order)[slot[known]] * VERBS + verb[known]
    if shut:
        _end_trails(world, shut)


def _end_trails(world: Any, shut: frozenset[tuple[int, int]]) -> None:
    items, hops = world.items, world.hops
    used = np.ones(len(items), bool)
    used[_chain(items["link"], int(world.count[FREE]), int(world.count[ROOM]))] = False
    for row in np.flatnonzero(used & (items["trail"] != NOBODY)):
        trail = _chain(hops["before"], int(items["trail"][row]), len(hops))
        path = [int(items["holder"][row]), *hops["agent"][trail].tolist()]
        kept = next((k for k in range(len(trail)) if pair(path[k], path[k + 1]) in shut), len(trail))
        if kept == len(trail):
            continue
        if kept:
            hops["before"][trail[kept - 1]] = NOBODY
        else:
            items["trail"][row] = NOBODY
        for place in trail[kept:]:
            hops["before"][place] = world.count[HOP_FREE]
            world.count[HOP_FREE] = place
            world.count[HOP_ROOM] += 1


def _chain(link: np.ndarray, first: int, most: int) -> np.ndarray:
    """Rows of a chain, at most ``most`` of them."""
    made: list[int] = []
    while first != NOBODY and len(made) < most:
        made.append(first)
        first = int(link[first])
    return np.array(made, np.int64)
