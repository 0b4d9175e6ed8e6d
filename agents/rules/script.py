"""Script: do what a script says; the rule of controls, in which the truth has to be known beforehand."""

from __future__ import annotations

from typing import Any

WORDS = "Everybody does what a script says, without a choice."

PARAMETERS: tuple[str, ...] = ()
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The scripted partner and amount."""
    return view.partner, view.amount


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Nothing is learned."""
    return 0.0
