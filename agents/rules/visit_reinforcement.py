"""Visit reinforcement: visit others in proportion to weight; visits make weight, and weight fades (Skyrms, Pemantle 2000)."""

from __future__ import annotations

from typing import Any

from sim.world.view import BYSTANDER, uniform

WORDS = "Visit whom you have visited, or who has visited you, more often before; old visits fade."
WHOM = 1

PARAMETERS: tuple[str, ...] = ("keep", "reinforcement")
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {"weights": ("f8", ("slots",), 1.0)}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """A neighbour slot in proportion to weight."""
    total = 0.0
    for slot in range(view.width):
        total += state.weights[slot]
    rest = uniform(draws, WHOM) * total
    last = 0
    for slot in range(view.width):
        if state.weights[slot] > 0.0:
            last = slot
        rest -= state.weights[slot]
        if rest < 0.0:
            return slot, 1.0
    return last, 1.0


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """As a bystander of the round's end all weights fade; as visitor or host the weight of the other grows."""
    if part == BYSTANDER:
        for slot in range(view.width):
            state.weights[slot] *= rule.keep
        return 0.0
    state.weights[outcome.slot] += rule.reinforcement
    return 0.0
