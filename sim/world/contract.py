"""The choose/learn contract: the names that a kernel binds, and the one way in which an agent decides.

``choose`` and ``learn`` belong to the rule, ``sense`` and ``apply`` to the scenario. Physics modules import the
names from here; ``sim.world.linker`` puts the bound functions in their place, so none of these bodies ever runs.
"""

from __future__ import annotations

from typing import Any

from sim.world.view import Draws


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


def decide(world: Any, minds: Any, rule: Any, log: Any, agent: int, time: float) -> None:
    """One decision of ``agent`` at ``time``: sense, choose, count, apply."""
    view = sense(world, agent)
    me = world.agents[agent]
    option, amount = choose(view, minds[agent], Draws(me.stream, me.decisions), rule[0])
    me.decisions += 1
    apply(world, minds, rule, log, agent, option, amount, time)
