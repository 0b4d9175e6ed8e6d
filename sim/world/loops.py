"""The loops: one for each update semantics, resumable at any step; where they stop never changes what happens.

Every loop has the same face: ``advance(world, minds, rule, log, until, budget) -> reason``. Scenario physics bind the
names imported here from nowhere: see ``happen``, ``tell``, ``turn``, ``settle``.
"""

from __future__ import annotations

from typing import Any

from sim.world.books import FROM, NOW, PENDING, PHASE, PLACE, ROUND, SINCE
from sim.world.buffer import DECIDED_BY, MARGIN, ROWS
from sim.world.clock import take_first
from sim.world.contract import UnboundError, apply, choose, lacks, origin, sense, void
from sim.world.view import NO_CHOICE, Draws

# How many updates ahead memory is asked for, and the mask of a ring that holds what was foreseen of so many.
AHEAD, RING = 15, 15

# Why a kernel gave back control.
TIME, BUFFER, CAPACITY, SLICE, DECISIONS = 0, 1, 2, 3, 4


def happen(world: Any, minds: Any, rule: Any, log: Any, subject: int, time: float) -> None:
    """Event time: the pending moment of ``subject`` has come."""
    raise UnboundError("happen is bound by the scenario")


def tell(world: Any, minds: Any, rule: Any, log: Any) -> None:
    """Event time: one consequence of the present moment that is still to be told (an outcome, one hop back)."""
    raise UnboundError("tell is bound by the scenario")


def waiting(world: Any) -> bool:
    """Event time: True while consequences of the present moment are still to be told."""
    raise UnboundError("waiting is bound by the scenario")


def short(world: Any) -> bool:
    """True when a pool has too little room for one more step."""
    raise UnboundError("short is bound by the scenario")


def turn(world: Any, minds: Any, rule: Any, log: Any, number: int, time: float) -> None:
    """Sequential random: elementary update ``number``, counted from 0."""
    raise UnboundError("turn is bound by the scenario")


def foresee(world: Any, minds: Any, number: int) -> None:
    """Sequential random: prefetch what update ``number`` will touch; may note it in a ring for ``turn``, no more."""
    raise UnboundError("foresee is bound by the scenario")


def settle(world: Any, minds: Any, rule: Any, log: Any, agent: int, time: float) -> None:
    """Synchronous: what happens to every agent between the choices of a round and their consequences."""
    raise UnboundError("settle is bound by the scenario")


def advance_events(world: Any, minds: Any, rule: Any, log: Any, until: float, budget: int) -> int:
    """Event time: take pending moments in order up to and including ``until``, at most ``budget`` of them."""
    for _ in range(budget):
        if log.count[ROWS] + MARGIN > log.rows.shape[0]:
            return BUFFER
        if short(world):
            return CAPACITY
        if waiting(world):
            tell(world, minds, rule, log)
            continue
        if world.count[PENDING] == 0 or world.clock[0].time > until:
            world.sums[NOW] = until
            return TIME
        if lacks(world, minds, world.clock[0].subject):
            return DECISIONS
        subject = take_first(world)
        happen(world, minds, rule, log, subject, world.sums[NOW])
    return SLICE


def advance_sequence(world: Any, minds: Any, rule: Any, log: Any, until: float, budget: int) -> int:
    """Sequential random: update ``number`` happens at time (number + 1) / N; a sweep of N updates takes time 1.

    After somebody joined, updates are counted from that moment, with the new N.
    """
    agents, since, first = world.agents.shape[0], world.sums[SINCE], world.count[FROM]
    number = world.count[ROUND]
    for ahead in range(AHEAD):
        foresee(world, minds, number + ahead)
    for _ in range(budget):
        if log.count[ROWS] + MARGIN > log.rows.shape[0]:
            return BUFFER
        if short(world):
            return CAPACITY
        time = since + (number + 1 - first) / agents
        if time > until:
            return TIME
        if lacks(world, minds, number):
            return DECISIONS
        foresee(world, minds, number + AHEAD)
        turn(world, minds, rule, log, number, time)
        world.sums[NOW] = time
        number += 1
        world.count[ROUND] = number
    return SLICE


def advance_rounds(world: Any, minds: Any, rule: Any, log: Any, until: float, budget: int) -> int:
    """Synchronous: in each round all choose on the state at its start, then all settle, then all choices apply.

    Agents are taken in the order of their keys. Round r ends at time r + 1.
    """
    agents = world.agents.shape[0]
    for _ in range(budget):
        if log.count[ROWS] + MARGIN > log.rows.shape[0]:
            return BUFFER
        time = world.count[ROUND] + 1.0
        if time > until:
            return TIME
        agent = world.agents[world.count[PLACE]].order
        if world.count[PHASE] == 0:
            if world.agents[agent].muted == 0:
                if lacks(world, minds, agent):
                    return DECISIONS
                draws = Draws(world.agents[agent].stream, world.agents[agent].decisions)
                option, amount = choose(sense(world, agent), minds[agent], draws, rule[0])
                world.agents[agent].decisions += 1
                world.agents[agent].option = option
                world.agents[agent].amount = amount
        elif world.count[PHASE] == 1:
            settle(world, minds, rule, log, agent, time)
        elif world.agents[agent].muted == 0:
            log.count[DECIDED_BY] = origin(minds[agent])
            if world.agents[agent].option == NO_CHOICE:
                void(world, log, agent, time)
            else:
                apply(world, minds, rule, log, agent, world.agents[agent].option, world.agents[agent].amount, time)
            log.count[DECIDED_BY] = 0
        world.count[PLACE] += 1
        if world.count[PLACE] == agents:
            world.count[PLACE] = 0
            world.count[PHASE] += 1
            if world.count[PHASE] == 3:
                world.count[PHASE] = 0
                world.count[ROUND] += 1
                world.sums[NOW] = time
    return SLICE
