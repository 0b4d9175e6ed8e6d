"""How items leave the factory, and how their outcomes travel back along the path, one hop an event."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.factory_flow import emit_item
from scenarios.factory_world import (
    APPROVE,
    COSINE,
    DELIVER,
    DELIVERED,
    DROPPED,
    FAIL,
    HOPS,
    IN_SYSTEM,
    KEPT,
    LATENCY,
    LOST,
    QUALITY,
    TOLD,
    Outcome,
    recall,
)
from sim.world.books import NOW
from sim.world.buffer import emit
from sim.world.contract import learn
from sim.world.view import ACTOR, DO, HOLD, OPEN, PART, WHOLE
from sim.world.work import NOBODY, bit_count, free_item, pop_hop, similarity


def leave(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, kind: int, time: float) -> None:
    """The item goes out of the system, delivered or dropped, and its outcome starts its way back."""
    items = world.items
    physics = world.physics[0]
    kept = bit_count(items[row].requirements) / physics.bits
    quality = kept * (1.0 - items[row].flawed) if kind == DELIVER else 0.0
    span = time - items[row].began
    # The service in which a whole was assembled is charged to the part that completed it.
    cost = 0.0 if items[row].stage == WHOLE else physics.service_cost
    seq = emit_item(world, log, time, kind, agent, -1, row, items[row].cause, quality, cost, span)
    world.sums[IN_SYSTEM] -= 1.0
    world.sums[HOPS] += items[row].hops
    if kind == DELIVER:
        world.sums[DELIVERED] += 1.0
        world.sums[LATENCY] += time - items[row].entered
        world.sums[KEPT] += kept
        world.sums[QUALITY] += quality
        world.sums[COSINE] += similarity(world, row) if physics.vectors == 1 else 1.0
    else:
        world.sums[LOST] += 1.0
    good = 1 if kind == DELIVER and items[row].flawed == 0 else 0
    if items[row].stage == WHOLE:
        free_item(world, row)
        return
    settle_account(world, minds, rule, agent, row, good, seq)
    if items[row].whole != NOBODY:
        spoil(world, log, agent, np.int64(items[row].whole), seq, time)


def settle_account(world: Any, minds: Any, rule: Any, agent: int, row: int, good: int, seq: int) -> None:
    """Let the last holder learn at once and put the item on the list of outcomes to tell; without feedback forget it."""
    items = world.items
    if world.physics[0].feedback == 0:
        while items[row].trail != NOBODY:
            pop_hop(world, row)
        free_item(world, row)
        return
    task = np.int64(items[row].task)
    option = HOLD if items[row].stage == PART else DO
    outcome = Outcome(task, option, float(good), float(good))
    learn(recall(world, agent, task), minds[agent], outcome, ACTOR, rule[0])
    items[row].flawed = 1 - good
    items[row].holder = agent
    items[row].cause = seq
    items[row].alarm = 0.0
    items[row].link = world.count[TOLD]
    world.count[TOLD] = row


def tell(world: Any, minds: Any, rule: Any, log: Any) -> None:
    """Tell the outcome of one item one hop further back; who hears it learns. Forget the item at the end of its trail."""
    items = world.items
    row = world.count[TOLD]
    place = np.int64(items[row].trail)
    if place == NOBODY:
        world.count[TOLD] = items[row].link
        free_item(world, row)
        return
    teller = np.int64(items[row].holder)
    target = np.int64(world.hops[place].agent)
    option = np.int64(world.hops[place].option)
    task = np.int64(world.hops[place].task)
    pop_hop(world, row)
    items[row].alarm += 1.0
    distance = items[row].alarm
    share = world.physics[0].reward_share
    good = 1.0 - items[row].flawed
    reward = good * ((1.0 - share) * (1.0 if distance == 1.0 else 0.0) + share / distance)
    kind = APPROVE if good > 0.0 else FAIL
    now = world.sums[NOW]
    number = items[row].number
    cause = items[row].cause
    items[row].cause = emit(
        log, now, kind, teller, target, number, cause, -1, task, reward, 0.0, np.nan, np.uint64(0), np.nan
    )
    items[row].holder = target
    learn(recall(world, target, task), minds[target], Outcome(task, option, reward, good), ACTOR, rule[0])


def spoil(world: Any, log: Any, agent: int, whole: int, seq: int, time: float) -> None:
    """A part was lost: its whole cannot be delivered any more, and is dropped with the last of its parts."""
    items = world.items
    items[whole].stage = OPEN
    items[whole].siblings -= 1
    if items[whole].siblings == 0:
        emit_item(world, log, time, DROPPED, agent, -1, whole, seq, 0.0, 0.0, np.nan)
        world.sums[IN_SYSTEM] -= 1.0
        world.sums[LOST] += 1.0
        free_item(world, whole)
