"""Benches of the factory: where finished parts wait for their siblings, and are put together or given up."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.factory_flow import emit_item
from scenarios.factory_outcomes import leave, settle_account
from scenarios.factory_world import ASSEMBLE, DELIVER, DROPPED, HELD, IN_SYSTEM
from sim.world.clock import schedule
from sim.world.view import WHOLE
from sim.world.work import NOBODY, normalise


def wait_for_siblings(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Put a finished part on the agent's bench; when all its siblings lie there too, assemble and deliver the whole."""
    items = world.items
    whole = np.int64(items[row].whole)
    if items[whole].stage != WHOLE:
        leave(world, minds, rule, log, agent, row, DROPPED, time)
        return
    span = time - items[row].began
    items[row].cause = emit_item(
        world, log, time, HELD, agent, -1, row, items[row].cause, np.nan, world.physics[0].service_cost, span
    )
    items[row].holder = agent
    items[row].link = items[whole].trail
    items[whole].trail = row
    here = 0
    part = row
    while part != NOBODY:
        if items[part].holder == agent:
            here += 1
        part = np.int64(items[part].link)
    if here == items[whole].siblings:
        assemble(world, minds, rule, log, agent, whole, time)
        return
    items[row].alarm = time + world.physics[0].bench
    schedule(world, items[row].alarm, world.agents.shape[0] + 1 + row)


def leave_bench(world: Any, row: int) -> None:
    """Take a part off the list of its whole's benched parts: its holder has waited long enough."""
    items = world.items
    whole = np.int64(items[row].whole)
    items[row].alarm = -1.0
    if items[whole].stage != WHOLE:
        return
    part = np.int64(items[whole].trail)
    if part == row:
        items[whole].trail = items[row].link
        return
    while items[part].link != row:
        part = np.int64(items[part].link)
    items[part].link = items[row].link


def assemble(world: Any, minds: Any, rule: Any, log: Any, agent: int, whole: int, time: float) -> None:
    """Join the parts: what all of them kept, the mean of their meanings, flawed if one of them is; then deliver."""
    items = world.items
    part = np.int64(items[whole].trail)
    items[whole].trail = NOBODY
    items[whole].flawed = 0
    items[whole].began = time
    dimension = world.vector.shape[1]
    for j in range(dimension):
        world.vector[whole, j] = 0.0
    seq = items[part].cause
    ends = part
    while part != NOBODY:
        items[whole].requirements = items[whole].requirements & items[part].requirements
        items[whole].flawed = max(items[whole].flawed, items[part].flawed)
        items[whole].hops += items[part].hops
        for j in range(dimension):
            world.vector[whole, j] += world.vector[part, j]
        items[part].alarm = -1.0
        world.sums[IN_SYSTEM] -= 1.0
        part = np.int64(items[part].link)
    if world.physics[0].vectors == 1:
        normalise(world, whole)
    seq = emit_item(world, log, time, ASSEMBLE, agent, -1, whole, seq, np.nan, 0.0, 0.0)
    items[whole].cause = seq
    good = 1 - items[whole].flawed
    part = ends
    while part != NOBODY:
        following = np.int64(items[part].link)
        items[part].whole = NOBODY
        settle_account(world, minds, rule, agent, part, good, seq)
        part = following
    leave(world, minds, rule, log, agent, whole, DELIVER, time)
