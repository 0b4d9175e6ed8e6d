"""Trust: hand work to the neighbours through whom it went well before, for each kind of task apart.

Every agent keeps one weight for each (task, neighbour) and one for itself. A choice is drawn in proportion to weight; when
the outcome comes back, the whole row fades by ``keep`` and the chosen entry grows by the reward (path reinforcement with
forgetting). How often its own work of a kind came back bad decides how often it asks for a review.
"""

from __future__ import annotations

from typing import Any

from sim.world.view import DO, DRAFT, ESCALATE, HAND, HOLD, PART, REJECT, REVIEW, VERBS, option_of, uniform, wide

WORDS = "Each agent hands a task to the neighbour through whom that kind of task went well before, and forgets slowly."
ATTEMPT, SLOT, CHECK = 1, 2, 3
FLOOR = 0.001
DOUBT_SPEED = 0.05


PARAMETERS: tuple[str, ...] = (
    "attempt",
    "keep",
    "review",
    "refuse",
    "patience",
)
# Column: (type, dimensions, start value); the scenario gives the dimensions their lengths.
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {
    "trust": ("f4", ("tasks", "slots"), 1.0),
    "doubt": ("f4", ("tasks",), 0.5),
}


def draw_slot(weights: Any, view: Any, slots: int, u: float) -> int:
    """A slot in proportion to weight; a neighbour known to be busy counts for less."""
    total = 0.0
    for slot in range(slots):
        total += wide(weights[slot]) / (1.0 + max(view.asked[slot], 0.0))
    rest = u * total
    for slot in range(slots):
        rest -= wide(weights[slot]) / (1.0 + max(view.asked[slot], 0.0))
        if rest < 0.0:
            return slot
    return slots - 1


def most_trusted(weights: Any, slots: int) -> int:
    """The slot with the largest weight."""
    best = 0
    for slot in range(1, slots):
        if weights[slot] > weights[best]:
            best = slot
    return best


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """Check a draft; wait with a part or pass it; do, refuse, escalate or hand on open work."""
    weights = state.trust[view.task]
    if view.stage == DRAFT:
        if view.found == 1 and view.came == 1:
            return REJECT, 1.0
        return DO, 1.0
    if view.width == 0:
        if view.stage == PART:
            return HOLD, 1.0
        return DO, 1.0
    if view.stage == PART:
        mine = wide(weights[weights.shape[0] - 1])
        total = mine
        for slot in range(view.width):
            total += wide(weights[slot])
        if uniform(draws, ATTEMPT) * total < mine:
            return HOLD, 1.0
        return option_of(HAND, draw_slot(weights, view, view.width, uniform(draws, SLOT))), 1.0
    if view.came == 1 and rule.refuse > 0 and view.waiting > rule.refuse:
        return REJECT, 1.0
    if uniform(draws, ATTEMPT) < rule.attempt * view.proficiency:
        if view.last == 1 and uniform(draws, CHECK) < rule.review * wide(state.doubt[view.task]):
            return option_of(REVIEW, draw_slot(weights, view, view.width, uniform(draws, SLOT))), 1.0
        return DO, 1.0
    if rule.patience > 0 and view.hops >= rule.patience:
        return option_of(ESCALATE, most_trusted(weights, view.width)), 1.0
    return option_of(HAND, draw_slot(weights, view, view.width, uniform(draws, SLOT))), 1.0


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Fade the row, add the reward where the choice went, and remember how often own work of this kind went bad."""
    weights = state.trust[outcome.task]
    for slot in range(weights.shape[0]):
        weights[slot] = max(wide(weights[slot]) * rule.keep, FLOOR)
    verb = outcome.option % VERBS
    mine = verb == DO or verb == HOLD
    slot = weights.shape[0] - 1 if mine else outcome.option // VERBS
    weights[slot] = wide(weights[slot]) + outcome.reward
    if verb == DO or verb == REVIEW:
        doubt = wide(state.doubt[outcome.task])
        state.doubt[outcome.task] = doubt + DOUBT_SPEED * (1.0 - outcome.good - doubt)
    return 0.0
