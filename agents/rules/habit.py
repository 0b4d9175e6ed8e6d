"""Habit: contact others by fixed private preferences that nothing changes and that follow no group."""

from __future__ import annotations

from typing import Any

from sim.world.view import uniform

WORDS = "Everybody has a few favourite partners, drawn at random once and for all."
WHOM = 1

PARAMETERS: tuple[str, ...] = ()
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {"liking": ("f8", ("slots",), 1.0)}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """A neighbour slot in proportion to liking."""
    total = 0.0
    for slot in range(view.width):
        total += state.liking[slot]
    rest = uniform(draws, WHOM) * total
    for slot in range(view.width):
        rest -= state.liking[slot]
        if rest < 0.0:
            return slot, 1.0
    return max(view.width - 1, 0), 1.0


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Nothing is learned."""
    return 0.0
