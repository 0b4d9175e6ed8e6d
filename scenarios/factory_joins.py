"""Joining the factory: a newcomer is as able as the agent beside it, idle, and gets work from those it has channels with.

Work from outside goes on arriving where it did, at the same times: what follows a newcomer is not mixed up with another
sequence of arrivals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.world.books import PENDING
from sim.world.work import NOBODY


def joins(world: Any, minds: Any, beside: int) -> Any:
    """The factory with room for its last row, who just joined (see ``sim.world.population.Built``)."""
    row = len(world.agents) - 1
    world.agents["serving"][row] = NOBODY
    # The clock's subjects behind those of agents, the next arrival and benches, move up by one and keep their order.
    due = world.clock["subject"][: world.count[PENDING]]
    due[due >= row] += 1
    if hasattr(minds, "shares"):
        width = np.diff(world.start)
        near = world.neighbour[world.start[row] :]
        minds["shares"][near, width[near] - 1, 0] = 1.0
        minds["shares"][row, : width[row], 0] = 1.0
        minds["alone"][row, 0] = 1.0
    unasked = np.full(int(np.diff(world.start).max()) + 1, -1.0)
    proficiency = np.concatenate([world.proficiency, world.proficiency[beside : beside + 1]])
    return world._replace(proficiency=proficiency, asked=unasked, unasked=unasked.copy())
