"""Wander: follow only your own past, as a first-order autoregressive series."""

from __future__ import annotations

import math
from typing import Any

from sim.world.view import uniform

WORDS = "Stay close to where you were; nobody else matters."
ANGLE, RADIUS = 1, 2

PARAMETERS: tuple[str, ...] = ("persistence",)
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {"level": ("f8", ("one",), 0.0)}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """Option 1 above zero, else 0; the amount is the new level, of variance 1 in the long run."""
    angle = 2.0 * math.pi * uniform(draws, ANGLE)
    z = math.sqrt(-2.0 * math.log(1.0 - uniform(draws, RADIUS))) * math.cos(angle)
    level = rule.persistence * state.level[0] + math.sqrt(1.0 - rule.persistence * rule.persistence) * z
    return (1 if level > 0.0 else 0), level


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Remember the level."""
    state.level[0] = outcome.amount
    return 0.0
