"""The choose/learn contract: the names that a kernel binds, and the one way in which an agent decides.

``choose`` and ``learn`` belong to the rule, ``sense`` and ``apply`` to the scenario. Physics modules import the
names from here; ``sim.world.linker`` puts the bound functions in their place, so none of these bodies ever runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.record.events import KIND_CODES
from sim.world.buffer import DECIDED_BY, emit
from sim.world.view import NO_CHOICE, Draws

UNDECIDED = KIND_CODES["undecided"]


class UnboundError(RuntimeError):
    """A contract function was called outside a linked kernel."""


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The mind's decision: ``(option, amount)`` from the view, its own state rows, its draws, its parameters."""
    raise UnboundError("choose is bound by sim.world.linker")


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """The mind takes in an outcome as ACTOR, PARTNER or BYSTANDER; the number returned is its reply to the others."""
    raise UnboundError("learn is bound by sim.world.linker")


def sense(world: Any, agent: int) -> Any:
    """The view of ``agent`` now: everything its mind may know."""
    raise UnboundError("sense is bound by sim.world.linker")


def apply(world: Any, minds: Any, rule: Any, log: Any, agent: int, option: int, amount: float, time: float) -> None:
    """What the choice does to the world, and the events it leaves."""
    raise UnboundError("apply is bound by sim.world.linker")


def void(world: Any, log: Any, agent: int, time: float) -> None:
    """What happens when a decision could not be had; a scenario binds its own no-op where this is not enough."""
    emit(log, time, UNDECIDED, agent, -1, -1, -1, -1, -1, np.nan, 0.0, np.nan, np.uint64(0), np.nan)


def origin(state: Any) -> int:
    """Where the decision just taken came from, as a code of ``sim.record.events``; 0, a rule, unless minds are asked."""
    return 0


def answered(state: Any) -> bool:
    """True when the decision was taken on an earlier view, so that sensing has had its effects already."""
    return False


def lacks(world: Any, minds: Any, subject: int) -> bool:
    """True when the next step needs a decision that is not there yet; never unless minds are asked."""
    return False


def decide(world: Any, minds: Any, rule: Any, log: Any, agent: int, time: float) -> None:
    """One decision of ``agent`` at ``time``: sense, choose, count, apply (or the scenario's no-op)."""
    view = sense(world, agent)
    me = world.agents[agent]
    option, amount = choose(view, minds[agent], Draws(me.stream, me.decisions), rule[0])
    me.decisions += 1
    log.count[DECIDED_BY] = origin(minds[agent])
    if option == NO_CHOICE:
        void(world, log, agent, time)
    else:
        apply(world, minds, rule, log, agent, option, amount, time)
    log.count[DECIDED_BY] = 0
