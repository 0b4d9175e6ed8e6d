"""What a rule may see: the option codes and the keyed draws it can ask for; the view itself is a value made by a scenario.

A rule is two plain scalar functions. It gets a view (a named tuple of numbers and short arrays), its own state (rows of
its own columns), its own parameters and its own draws, and nothing else; this module is all it may import of the world.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.world.draws import below, bits, unit
from sim.world.search import find

# An option is a verb and, for verbs that name a neighbour, a slot: option = verb + VERBS * slot.
VERBS = 8
DO, HAND, REVIEW, REJECT, ESCALATE, DROP, HOLD = 0, 1, 2, 3, 4, 5, 6

# What a mind returns that could not decide: the scenario's no-op happens, and nobody learns.
NO_CHOICE = -(1 << 40)

# Who learns from an outcome: the one who acted, the one acted with, somebody who saw it.
ACTOR, PARTNER, BYSTANDER = 0, 1, 2


class Draws(NamedTuple):
    """The draws of one decision: the agent's stream and its decision count."""

    stream: Any
    count: Any


# Payload ids of things made up during a run start here; smaller numbers name what was there from the start.
COINED = 1 << 61


# Stages of an item as its holder sees it: to be worked on; worked and unchecked; a finished part; a split whole.
OPEN, DRAFT, PART, WHOLE = 0, 1, 2, 3


def uniform(draws: Any, purpose: int) -> float:
    """A uniform number in [0, 1); one for each purpose within a decision."""
    return unit(draws.stream, draws.count, purpose)


def pick_below(draws: Any, purpose: int, n: int) -> int:
    """A uniform whole number in 0..n-1."""
    return below(draws.stream, draws.count, purpose, n)


def invent(draws: Any, purpose: int) -> int:
    """A payload id that nobody else will think of: 61 random bits above ``COINED``, so that it is no small number."""
    return np.int64(bits(draws.stream, draws.count, purpose) >> np.uint64(3)) + COINED


def among(row: Any, first: int, count: int, number: int) -> int:
    """1 when ``number`` is one of the ``count`` numbers from ``row[first]`` on, else 0; see ``sim.world.search.find``."""
    return find(row, first, count, number)


def wide(number: Any) -> Any:
    """A number of a narrow column in double precision, the same in compiled and interpreted rules."""
    return np.float64(number)


def either(flag: Any, this: Any, that: Any) -> Any:
    """``this`` where ``flag`` is 1 and ``that`` where it is 0, without a branch.

    A branch that goes both ways at random costs a processor some fifteen cycles each time it guesses wrong.
    """
    return that + flag * (this - that)


def option_of(verb: int, slot: int) -> int:
    """The option code of ``verb`` towards neighbour ``slot`` (0 for verbs without a neighbour)."""
    return verb + VERBS * slot


def slot_of(option: int) -> int:
    """The neighbour slot that an option code names; -1 where its verb names none."""
    verb = option % VERBS
    if verb in (HAND, REVIEW, ESCALATE):
        return option // VERBS
    return -1
