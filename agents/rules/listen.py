"""Listen: follow the broadcast that everybody hears with a fixed probability, else toss a coin; heed nobody else."""

from __future__ import annotations

from typing import Any

from sim.world.view import uniform

WORDS = "Do what the broadcast says with a fixed probability, else toss a coin."
FOLLOW, COIN = 1, 2

PARAMETERS: tuple[str, ...] = ("follow",)
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """Option 0 or 1."""
    if uniform(draws, FOLLOW) < rule.follow:
        return view.signal, float(view.signal)
    option = 1 if uniform(draws, COIN) < 0.5 else 0
    return option, float(option)


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Nothing is learned."""
    return 0.0
