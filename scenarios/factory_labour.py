"""Stages of work in the factory: skill, flaws and practice, and what happens to work that is signed off or sent back."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.factory_flow import emit_item, transfer
from scenarios.factory_outcomes import leave
from scenarios.factory_world import DELIVER, REJECTED, REWORK, WORK, Outcome, recall
from sim.world.contract import learn
from sim.world.draws import unit
from sim.world.view import ACTOR, DRAFT, OPEN, PART
from sim.world.work import FLAW, NOBODY, enqueue, item_stream, pop_hop


def labour(world: Any, agent: int, row: int) -> None:
    """One stage of work by ``agent``: poor proficiency and bad luck leave a hidden flaw; practice makes better."""
    items = world.items
    task = np.int64(items[row].task)
    skill = np.float64(world.proficiency[agent, task])
    name = item_stream(world.physics[0].seed, items[row].number)
    if unit(name, items[row].hops * 64 + items[row].done, FLAW) >= skill * (1.0 - world.physics[0].defect):
        items[row].flawed = 1
    items[row].done += 1
    practice = world.physics[0].practice
    if practice <= 0.0:
        return
    for other in range(world.physics[0].types):
        now = np.float64(world.proficiency[agent, other])
        if other == task:
            world.proficiency[agent, other] = now + practice * (1.0 - now)
        else:
            world.proficiency[agent, other] = now - now * practice / (2.0 * world.physics[0].types)


def report_work(world: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Record a stage of work that leaves the item with its holder, or goes before a review."""
    items = world.items
    span = time - items[row].began
    skill = np.float64(world.proficiency[agent, items[row].task])
    cost = world.physics[0].service_cost
    items[row].cause = emit_item(world, log, time, WORK, agent, -1, row, items[row].cause, skill, cost, span)
    items[row].began = time


def finish(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Do the next stage, or sign off a draft; the last stage of a whole item delivers it."""
    items = world.items
    if items[row].stage == DRAFT:
        leave(world, minds, rule, log, agent, row, DELIVER, time)
        return
    labour(world, agent, row)
    final = items[row].done >= world.physics[0].stages
    if final and items[row].whole == NOBODY:
        leave(world, minds, rule, log, agent, row, DELIVER, time)
        return
    report_work(world, log, agent, row, time)
    if final:
        items[row].stage = PART
        items[row].task = world.physics[0].types
    else:
        items[row].task = (items[row].first + items[row].done) % world.physics[0].types
    enqueue(world, agent, row)


def give_back(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Return the item to whoever sent it: a draft for rework, an open item refused; the sender takes note."""
    items = world.items
    place = np.int64(items[row].trail)
    sender = np.int64(world.hops[place].agent)
    option = np.int64(world.hops[place].option)
    task = np.int64(world.hops[place].task)
    kind = REJECTED
    if items[row].stage == DRAFT:
        kind = REWORK
        items[row].stage = OPEN
        items[row].done -= 1
        items[row].flawed = 0
        items[row].task = (items[row].first + items[row].done) % world.physics[0].types
    transfer(world, log, agent, sender, row, kind, option, time)
    pop_hop(world, row)
    pop_hop(world, row)
    if world.physics[0].feedback == 1:
        learn(recall(world, sender, task), minds[sender], Outcome(task, option, 0.0, 0.0), ACTOR, rule[0])
