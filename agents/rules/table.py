"""Table: draw the option from fixed shares of one's own; a reviewer may go by what the review found instead."""

from __future__ import annotations

from typing import Any

from sim.world.view import DO, DRAFT, DROP, HAND, REJECT, REVIEW, option_of, uniform

WORDS = "Each agent draws what to do from its own fixed table."
OPTION = 1


PARAMETERS: tuple[str, ...] = ("heed",)
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {
    "shares": ("f8", ("slots", "two"), 0.0),
    "alone": ("f8", ("three",), 0.0),
}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """Draw from the table; with ``heed``, a found flaw means REJECT and a clean draft is drawn from the other options."""
    heed = rule.heed > 0 and view.stage == DRAFT and view.found >= 0
    if heed and view.found == 1:
        return REJECT, 1.0
    reject = 0.0 if heed else state.alone[1]
    total = state.alone[0] + reject + state.alone[2]
    for slot in range(view.width):
        total += state.shares[slot, 0] + state.shares[slot, 1]
    rest = uniform(draws, OPTION) * total
    for slot in range(view.width):
        rest -= state.shares[slot, 0]
        if rest < 0.0:
            return option_of(HAND, slot), 1.0
        rest -= state.shares[slot, 1]
        if rest < 0.0:
            return option_of(REVIEW, slot), 1.0
    rest -= state.alone[0]
    if rest < 0.0:
        return DO, 1.0
    rest -= reject
    if rest < 0.0:
        return REJECT, 1.0
    return DROP, 1.0


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Nothing is learned."""
    return 0.0
