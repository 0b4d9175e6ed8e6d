"""Asking: kernel functions for minds that answer in batches: where answers wait, and what such a mind remembers.

A population in which somebody is asked binds ``choose`` and ``learn`` to the functions here instead of to a rule. Each
agent either follows one of up to three compiled rules or is asked; who is asked learns by one of the rules, or keeps a
memory: the last few outcomes, as the scenario's ``note`` puts them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.world.contract import UnboundError

# Column: (type, dimensions, start value), as in rules. ``ruled`` is the rule that learns (and chooses, unless asked), or
# -1 for a memory; ``asker`` says which mind is asked. ``ready`` is 1 while an answer waits to be applied.
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {
    "asked": ("i1", (), 0), "asker": ("i1", (), 0), "ruled": ("i1", (), 0), "ready": ("i1", (), 0),
    "answer": ("i8", (), 0), "amount": ("f8", (), 0), "source": ("i1", (), 0),
    "heard": ("i8", (), 0), "heard_part": ("i1", ("memory",), 0), "heard_code": ("i8", ("memory",), 0),
    "heard_value": ("f8", ("memory",), 0), "heard_about": ("i8", ("memory",), 0),
}  # fmt: skip
RULES_MAX = 3


def note(outcome: Any) -> tuple[int, float, int]:
    """The scenario's: ``(code, value, about)`` of an outcome; a negative code is not worth remembering."""
    raise UnboundError("note is bound by the scenario")


def decider(world: Any, subject: int) -> int:
    """The scenario's: which agent decides in the step of ``subject``; -1 for none."""
    return subject


def parties(world: Any, number: int) -> tuple[int, int]:
    """The scenario's: who decides in sequential update ``number`` (-1 when it does not happen), and whom else it changes."""
    raise UnboundError("parties is bound by the scenario")


def next_turns(world: Any, seen: Any, turns: Any, start: int, last: int) -> int:
    """Write to ``turns`` whose next part in the updates from ``start`` to before ``last`` is to decide; return how many.

    Until that update nothing changes what they sense. ``seen`` (agents,) is 0 at first.
    """
    found = 0
    unseen = seen.shape[0]
    for number in range(start, last):
        first, other = parties(world, number)
        if first < 0:
            continue
        if seen[first] == 0:
            turns[found] = first
            found += 1
            seen[first] = 1
            unseen -= 1
        if seen[other] == 0:
            seen[other] = 1
            unseen -= 1
        if unseen == 0:
            break
    return found


def first_choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The first rule's ``choose``."""
    raise UnboundError("first_choose is bound by the engine")


def second_choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The second rule's ``choose``."""
    raise UnboundError("second_choose is bound by the engine")


def third_choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The third rule's ``choose``."""
    raise UnboundError("third_choose is bound by the engine")


def first_learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """The first rule's ``learn``."""
    raise UnboundError("first_learn is bound by the engine")


def second_learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """The second rule's ``learn``."""
    raise UnboundError("second_learn is bound by the engine")


def third_learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """The third rule's ``learn``."""
    raise UnboundError("third_learn is bound by the engine")


def choose_one(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The answer that waits for who is asked, else the rule's choice."""
    if state.asked == 1:
        state.ready = 0
        return state.answer, state.amount
    return first_choose(view, state, draws, rule)


def choose_two(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The same with two rules."""
    if state.asked == 1:
        state.ready = 0
        return state.answer, state.amount
    if state.ruled == 1:
        return second_choose(view, state, draws, rule)
    return first_choose(view, state, draws, rule)


def choose_three(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """The same with three rules."""
    if state.asked == 1:
        state.ready = 0
        return state.answer, state.amount
    if state.ruled == 1:
        return second_choose(view, state, draws, rule)
    if state.ruled == 2:
        return third_choose(view, state, draws, rule)
    return first_choose(view, state, draws, rule)


def learn_one(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Learn by the rule, or remember."""
    if state.ruled < 0:
        return remember(state, outcome, part)
    return first_learn(view, state, outcome, part, rule)


def learn_two(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """The same with two rules."""
    if state.ruled < 0:
        return remember(state, outcome, part)
    if state.ruled == 1:
        return second_learn(view, state, outcome, part, rule)
    return first_learn(view, state, outcome, part, rule)


def learn_three(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """The same with three rules."""
    if state.ruled < 0:
        return remember(state, outcome, part)
    if state.ruled == 1:
        return second_learn(view, state, outcome, part, rule)
    if state.ruled == 2:
        return third_learn(view, state, outcome, part, rule)
    return first_learn(view, state, outcome, part, rule)


def remember(state: Any, outcome: Any, part: int) -> float:
    """Keep an outcome in place of the oldest; the reply is 1 when the option was known, else 0."""
    code, value, about = note(outcome)
    if code < 0:
        return 0.0
    room = state.heard_code.shape[0]
    known = 0.0
    for i in range(min(state.heard, room)):
        if state.heard_code[i] == code:
            known = 1.0
    place = state.heard % room
    state.heard_part[place] = part
    state.heard_code[place] = code
    state.heard_value[place] = value
    state.heard_about[place] = about
    state.heard += 1
    return known


def origin(state: Any) -> int:
    """Where the answer just applied came from; 0 for a rule."""
    return state.source


def answered(state: Any) -> bool:
    """Who is asked sensed when it was asked."""
    return state.asked == 1


def lacking(state: Any) -> bool:
    """True while the answer of an agent that is asked is not there."""
    return state.asked == 1 and state.ready == 0


def lacks(world: Any, minds: Any, subject: int) -> bool:
    """True when the step of ``subject`` needs an answer that is not there."""
    agent = decider(world, subject)
    return agent >= 0 and lacking(minds[agent])


CHOOSE: tuple[Callable[..., Any], ...] = (choose_one, choose_two, choose_three)
LEARN: tuple[Callable[..., Any], ...] = (learn_one, learn_two, learn_three)
NAMES = ("first", "second", "third")


def bindings(rules: tuple[Any, ...]) -> dict[str, Callable[..., Any]]:
    """Contract names to functions for a population that follows ``rules`` (modules) where it is not asked."""
    made: dict[str, Callable[..., Any]] = {
        "choose": CHOOSE[len(rules) - 1], "learn": LEARN[len(rules) - 1], "origin": origin, "answered": answered,
        "lacks": lacks,
    }  # fmt: skip
    for name, rule in zip(NAMES, rules, strict=False):
        made |= {f"{name}_choose": rule.choose, f"{name}_learn": rule.learn}
    return made
