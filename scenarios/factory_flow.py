"""How items of the factory arrive, wait, are served and travel, and what a transfer costs them."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.factory_world import ARRIVAL, ARRIVALS, ARRIVE, ENTRY, GAP, IN_SYSTEM, REVIEWED, SERVICE, TYPE
from sim.world.buffer import emit
from sim.world.clock import schedule
from sim.world.draws import below, exponential, stream, unit
from sim.world.view import OPEN, WHOLE
from sim.world.work import (
    NOBODY,
    dequeue,
    draw_origin,
    drift,
    enqueue,
    item_stream,
    lose,
    push_hop,
    similarity,
    take_item,
)


def arrive(world: Any, log: Any, time: float) -> None:
    """One item arrives at an entry agent; its parts arrive with it; the next arrival is scheduled."""
    physics = world.physics[0]
    name = stream(np.uint64(physics.seed) ^ np.uint64(ARRIVAL), np.uint64(world.count[ARRIVALS]))
    world.count[ARRIVALS] += 1
    schedule(world, time + exponential(name, 1, GAP, physics.rate), world.agents.shape[0])
    u = unit(name, 0, TYPE)
    task = 0
    while task < physics.types - 1 and u >= world.mix[task]:
        task += 1
    agent = np.int64(world.entries[below(name, 0, ENTRY, world.entries.shape[0])])
    row = new_item(world, agent, task, time)
    world.sums[IN_SYSTEM] += 1.0
    seq = emit_item(world, log, time, ARRIVE, agent, -1, row, -1, np.nan, 0.0, np.nan)
    world.items[row].cause = seq
    if physics.parts == 1:
        receive(world, agent, row, time)
        return
    world.items[row].stage = WHOLE
    world.items[row].siblings = physics.parts
    for n in range(physics.parts):
        part = new_item(world, agent, (task + n) % physics.types, time)
        world.items[part].whole = row
        for j in range(world.vector.shape[1]):
            world.vector[part, j] = world.vector[row, j]
            world.origin[part, j] = world.origin[row, j]
        world.sums[IN_SYSTEM] += 1.0
        world.items[part].cause = emit_item(world, log, time, ARRIVE, agent, -1, part, seq, np.nan, 0.0, np.nan)
        receive(world, agent, part, time)


def new_item(world: Any, agent: int, task: int, time: float) -> int:
    """A fresh item with all requirements present and a random direction."""
    items = world.items
    row = take_item(world)
    items[row].task = task
    items[row].first = task
    items[row].stage = OPEN
    items[row].done = 0
    items[row].flawed = 0
    items[row].inspect = 0
    bits = world.physics[0].bits
    items[row].requirements = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits)
    if world.physics[0].vectors == 1:
        draw_origin(world, row, item_stream(world.physics[0].seed, items[row].number))
    items[row].holder = agent
    items[row].hops = 0
    items[row].entered = time
    items[row].trail = NOBODY
    items[row].cause = -1
    items[row].whole = NOBODY
    items[row].siblings = 0
    items[row].alarm = -1.0
    return row


def emit_item(
    world: Any, log: Any, time: float, kind: int, source: int, target: int, row: int, parent: int, value: float,
    cost: float, duration: float,
) -> int:  # fmt: skip
    """Record an event about the item in ``row`` as it is now."""
    items = world.items
    alike = similarity(world, row) if world.physics[0].vectors == 1 else 1.0
    number = items[row].number
    bits = items[row].requirements
    return emit(
        log,
        time,
        kind,
        source,
        target,
        number,
        parent,
        -1,
        np.int64(items[row].task),
        value,
        cost,
        duration,
        bits,
        alike,
    )


def receive(world: Any, agent: int, row: int, time: float) -> None:
    """The item joins the agent's queue; an idle agent begins at once."""
    enqueue(world, agent, row)
    if world.agents[agent].serving == NOBODY:
        begin(world, agent, time)


def begin(world: Any, agent: int, time: float) -> None:
    """Begin the service of the next item, unless the agent is muted."""
    if world.agents[agent].muted == 1:
        return
    row = dequeue(world, agent)
    world.agents[agent].serving = row
    world.items[row].began = time
    serve(world, agent, time)


def serve(world: Any, agent: int, time: float) -> None:
    """Draw how long the service of the item in hand takes."""
    name = world.agents[agent].stream
    span = exponential(name, world.agents[agent].decisions, SERVICE, world.physics[0].service_rate)
    schedule(world, time + span, agent)


def wake(world: Any, agent: int, time: float) -> None:
    """Let an agent that was muted take up its queue again."""
    if world.agents[agent].serving == NOBODY and world.agents[agent].length > 0:
        begin(world, agent, time)


def transfer(world: Any, log: Any, agent: int, target: int, row: int, kind: int, option: int, time: float) -> None:
    """The item travels: requirements may be lost, its meaning drifts, its new holder queues it."""
    items = world.items
    physics = world.physics[0]
    hop = np.int64(items[row].hops)
    if physics.trails == 1:
        push_hop(world, row, agent, option, np.int64(items[row].task))
    name = item_stream(physics.seed, items[row].number)
    items[row].requirements = lose(items[row].requirements, physics.bits, name, hop, physics.loss_rate)
    if physics.noise > 0.0:
        drift(world, row, name, hop + 1, physics.noise)
    items[row].hops = hop + 1
    items[row].inspect = 1 if kind == REVIEWED else 0
    worked = kind == REVIEWED
    cost = physics.message_cost + (0.0 if worked else physics.service_cost)
    span = 0.0 if worked else time - items[row].began
    cause = items[row].cause
    items[row].cause = emit_item(world, log, time, kind, agent, target, row, cause, float(hop), cost, span)
    receive(world, target, row, time)
