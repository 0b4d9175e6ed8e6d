"""Frozen: do what you can do with a fixed probability, else hand it to a neighbour picked at random; never learn."""

from __future__ import annotations

from typing import Any

from sim.world.view import DO, DRAFT, HAND, HOLD, PART, option_of, pick_below, uniform

WORDS = "An agent that can do the work does it with a fixed probability; otherwise a random neighbour gets it."
ATTEMPT, SLOT = 1, 2


PARAMETERS: tuple[str, ...] = ("attempt",)
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """Do it, or hand it on; a part that is finished is kept or handed on with equal chance."""
    if view.stage == DRAFT:
        return DO, 1.0
    if view.stage == PART:
        if view.width == 0 or uniform(draws, ATTEMPT) < 0.5:
            return HOLD, 1.0
        return option_of(HAND, pick_below(draws, SLOT, view.width)), 1.0
    if uniform(draws, ATTEMPT) < rule.attempt * view.proficiency:
        return DO, 1.0
    return option_of(HAND, pick_below(draws, SLOT, view.width)), 1.0


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Nothing is learned."""
    return 0.0
