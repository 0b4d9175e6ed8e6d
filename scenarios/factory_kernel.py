"""The kernel of the factory: what happens at each moment, and what each choice does to the item in hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.factory_benches import leave_bench, wait_for_siblings
from scenarios.factory_flow import arrive, begin, emit_item, receive, serve, transfer
from scenarios.factory_labour import finish, give_back, labour, report_work
from scenarios.factory_outcomes import leave
from scenarios.factory_world import (
    ASK,
    DROPPED,
    ESCALATED,
    GLANCE,
    HANDOFF,
    PARTS_MAX,
    REVIEWED,
    SERVICES,
    TOLD,
    UNDECIDED,
)
from sim.world.books import PENDING
from sim.world.buffer import emit
from sim.world.contract import answered, decide
from sim.world.draws import below
from sim.world.prefetch import prefetch
from sim.world.view import DO, DRAFT, DROP, ESCALATE, HAND, HOLD, OPEN, PART, REJECT, REVIEW, VERBS
from sim.world.work import HOP_ROOM, NOBODY, ROOM, enqueue


def happen(world: Any, minds: Any, rule: Any, log: Any, subject: int, time: float) -> None:
    """An arrival (subject N), the end of a service (subject below N), or the end of a part's patience (above N)."""
    agents = world.agents.shape[0]
    foresee(world)
    if subject < agents:
        world.agents[subject].served += 1
        world.sums[SERVICES] += 1.0
        if not answered(minds[subject]):
            inquire(world, log, subject, time)
        decide(world, minds, rule, log, subject, time)
        forget_answers(world, subject)
        if world.agents[subject].serving == NOBODY and world.agents[subject].length > 0:
            begin(world, subject, time)
    elif subject == agents:
        arrive(world, log, time)
    else:
        row = subject - agents - 1
        if world.items[row].alarm == time and world.items[row].stage == PART:
            leave_bench(world, row)
            receive(world, np.int64(world.items[row].holder), row, time)


def decider(world: Any, subject: int) -> int:
    """Who decides when the moment of ``subject`` comes; -1 for nobody."""
    return subject if subject < world.agents.shape[0] else -1


def foresee(world: Any) -> None:
    """Prefetch what the next moments will touch; changes nothing."""
    agents = world.agents.shape[0]
    for place in range(1, min(5, world.count[PENDING])):
        soon = world.clock[place].subject
        if soon < agents:
            prefetch(world.agents, soon)
    following = world.clock[0].subject
    if world.count[PENDING] > 0 and following < agents:
        row = np.int64(world.agents[following].serving)
        prefetch(world.proficiency, following)
        prefetch(world.start, following)
        if row != NOBODY:
            prefetch(world.items, row)
            prefetch(world.vector, row)
            prefetch(world.origin, row)


def inquire(world: Any, log: Any, agent: int, time: float) -> None:
    """Ask ``look`` randomly chosen neighbours for the length of their queues."""
    if world.physics[0].look == 0:
        return
    first = world.start[agent]
    width = np.int64(world.agents[agent].width)
    if width == 0:
        return
    count = world.agents[agent].decisions
    for n in range(world.physics[0].look):
        slot = below(world.agents[agent].stream, count * 64 + n, GLANCE, width)
        other = np.int64(world.neighbour[first + slot])
        length = float(world.agents[other].length) + (1.0 if world.agents[other].serving != NOBODY else 0.0)
        world.asked[slot] = length
        emit(log, time, ASK, agent, other, -1, -1, -1, -1, length, 0.0, np.nan, np.uint64(0), np.nan)


def forget_answers(world: Any, agent: int) -> None:
    """What one agent heard is not there when the next one decides."""
    if world.physics[0].look == 0:
        return
    for slot in range(world.agents[agent].width):
        world.asked[slot] = -1.0


def apply(world: Any, minds: Any, rule: Any, log: Any, agent: int, option: int, amount: float, time: float) -> None:
    """What the holder's choice does; a choice that is not open to it leaves the item in its own queue."""
    items = world.items
    row = np.int64(world.agents[agent].serving)
    world.agents[agent].serving = NOBODY
    verb = option % VERBS
    slot = option // VERBS
    first = world.start[agent]
    reach = slot < world.agents[agent].width
    stage = items[row].stage
    tired = world.physics[0].max_hops > 0 and items[row].hops >= world.physics[0].max_hops
    if verb == DROP or (tired and verb != DO):
        leave(world, minds, rule, log, agent, row, DROPPED, time)
    elif verb == DO and stage != PART:
        finish(world, minds, rule, log, agent, row, time)
    elif verb == REVIEW and reach and stage == OPEN and items[row].done + 1 >= world.physics[0].stages:
        labour(world, agent, row)
        report_work(world, log, agent, row, time)
        items[row].stage = DRAFT
        transfer(world, log, agent, np.int64(world.neighbour[first + slot]), row, REVIEWED, option, time)
    elif (verb == HAND or verb == ESCALATE) and reach:
        kind = HANDOFF if verb == HAND else ESCALATED
        transfer(world, log, agent, np.int64(world.neighbour[first + slot]), row, kind, option, time)
    elif verb == REJECT and items[row].trail != NOBODY:
        give_back(world, minds, rule, log, agent, row, time)
    elif (verb == HOLD or verb == DO) and stage == PART:
        wait_for_siblings(world, minds, rule, log, agent, row, time)
    else:
        enqueue(world, agent, row)


def void(world: Any, log: Any, agent: int, time: float) -> None:
    """A decision that could not be had: the item stays, and is asked about again after another service."""
    row = np.int64(world.agents[agent].serving)
    items = world.items
    span = time - items[row].began
    cost = world.physics[0].service_cost
    items[row].cause = emit_item(world, log, time, UNDECIDED, agent, -1, row, items[row].cause, np.nan, cost, span)
    if world.agents[agent].muted == 1:
        world.agents[agent].serving = NOBODY
        enqueue(world, agent, row)
        return
    items[row].began = time
    serve(world, agent, time)


def short(world: Any) -> bool:
    """True when items, hop records or the clock have too little room for one more step."""
    room = world.clock.shape[0] - world.count[PENDING]
    return world.count[ROOM] < PARTS_MAX + 2 or world.count[HOP_ROOM] < 4 or room < 8


def waiting(world: Any) -> bool:
    """True while an outcome is still to be told to somebody."""
    return world.count[TOLD] != NOBODY
