"""Policies of the mock provider by model name: known ways to answer, for demos, tests and mind cards with a known truth.

A name is ``mock/POLICY[:ARGUMENT...]``; any other model name answers as ``mock/rule`` does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agents.llm.mock_rules import decide
from agents.llm.mock_view import Draw, Option, PolicyError, View, support
from sim.registry import suggest

Arguments = tuple[str, ...]
Picker = Callable[[View, Draw, Arguments], "tuple[int, float | None]"]
PICK, STRAY = 1, 2
FIRST_BY_DEFAULT = 1.0


@dataclass(frozen=True)
class Policy:
    """One way to answer: how it picks, whether it takes response_format, and whether it knows what the experiment is."""

    name: str
    arguments: Arguments
    pick: Picker
    structured: bool = True
    knowing: bool = False

    def reply(self, view: View, draw: Draw) -> dict[str, Any]:
        """The reply to a view, as data: the id of the option taken, and an amount where there is one."""
        index, amount = self.pick(view, draw, self.arguments)
        made: dict[str, Any] = {"choice": view.options[index].id}
        if amount is not None:
            made["amount"] = amount
        return made

    def talk(self, text: str) -> str:
        """The answer to a question without a view; only ``knowing`` names the experiment."""
        if self.knowing:
            return f"This looks like an experiment with a {known_topic(text)}, on how conventions and roles emerge in groups."
        return "I see a choice among the options listed. I cannot say what it is for."


def known_topic(text: str) -> str:
    """What the knowing policy takes a text to be about."""
    low = text.lower()
    if "word" in low or "name" in low:
        return "naming game"
    return "task allocation game" if "item" in low or "queue" in low else "coordination game"


def drawn(weights: Sequence[float], u: float) -> int:
    """An index in proportion to weight."""
    rest = u * math.fsum(weights)
    last = 0
    for i, weight in enumerate(weights):
        if weight > 0.0:
            last = i
            rest -= weight
            if rest < 0.0:
                return i
    return last


def by_rule(view: View, draw: Draw, arguments: Arguments) -> tuple[int, float | None]:
    """As the scenario's rule does: ``mock/rule[:RULE][:parameter=value...]``."""
    return decide(view, draw, arguments)


def uniform(view: View, draw: Draw, arguments: Arguments) -> tuple[int, float | None]:
    """Each option alike."""
    del arguments
    return min(int(draw.uniform(PICK) * len(view.options)), len(view.options) - 1), None


def is_called(option: Option, label: str) -> bool:
    """True when ``label`` is the option's id or stands in its words, whatever the case."""
    return option.id.lower() == label.lower() or bool(
        re.search(rf"(?<!\w){re.escape(label)}(?!\w)", option.words, re.IGNORECASE)
    )


def biased(view: View, draw: Draw, arguments: Arguments) -> tuple[int, float | None]:
    """``biased:P[:LABEL]``: with probability P the option called LABEL (``a`` if left out), else one of the others."""
    share = _number(arguments, 0, default=0.7, form="biased:P[:LABEL]", low=0.0, high=1.0)
    label = arguments[1] if len(arguments) > 1 else "a"
    liked = [i for i, option in enumerate(view.options) if option.id.lower() == label.lower()]
    liked = liked or [i for i, option in enumerate(view.options) if is_called(option, label)]
    if not liked or len(liked) == len(view.options):
        return uniform(view, draw, ())
    rest = len(view.options) - len(liked)
    return drawn(
        [share / len(liked) if i in liked else (1.0 - share) / rest for i in range(len(view.options))],
        draw.uniform(PICK),
    ), None


def first(view: View, draw: Draw, arguments: Arguments) -> tuple[int, float | None]:
    """``first[:P]``: with probability P (1 if left out) the option listed first, else any of them."""
    share = _number(arguments, 0, default=FIRST_BY_DEFAULT, form="first:P", low=0.0, high=1.0)
    if draw.uniform(STRAY) < share:
        return 0, None
    return uniform(view, draw, ())


def majority(view: View, draw: Draw, arguments: Arguments) -> tuple[int, float | None]:
    """``majority:BETA[:H]``: probability in proportion to exp(2 BETA s), s the share of what it saw that took an option.

    With two options this is (1 + tanh(BETA m)) / 2, m the difference of the two shares (llm.md 13; De Marzo, Castellano,
    Garcia, arXiv 2409.02822). H is a field on the option with id ``a``: (1 + tanh(BETA m + H)) / 2.
    """
    beta = _number(arguments, 0, default=1.0, form="majority:BETA", low=-math.inf, high=math.inf)
    field = _number(arguments, 1, default=0.0, form="majority:BETA:H", low=-math.inf, high=math.inf)
    counts = [support(view, option) for option in view.options]
    total = math.fsum(counts) or 1.0
    powers = [
        2.0 * beta * c / total + (2.0 * field if o.id == "a" else 0.0)
        for c, o in zip(counts, view.options, strict=True)
    ]
    top = max(powers)
    return drawn([math.exp(p - top) for p in powers], draw.uniform(PICK)), None


def _number(arguments: Arguments, place: int, *, default: float, form: str, low: float, high: float) -> float:
    if len(arguments) <= place or arguments[place] == "":
        return default
    try:
        value = float(arguments[place])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        bounds = f" from {low:g} to {high:g}" if low > -math.inf else ""
        raise PolicyError(f"model: expected mock/{form} with a number{bounds}, got '{arguments[place]}'.")
    return value


PICKERS: dict[str, Picker] = {
    "rule": by_rule,
    "uniform": uniform,
    "biased": biased,
    "first": first,
    "majority": majority,
    "knowing": uniform,
    "unstructured": by_rule,
}


@lru_cache(maxsize=256)
def policy_of(model: str) -> Policy:
    """The policy that a model name asks for; PolicyError for a mock policy that does not exist."""
    _, sign, rest = model.partition("mock/")
    if not sign:
        return Policy("rule", (), by_rule)
    name, *arguments = rest.split(":")
    if name not in PICKERS:
        raise PolicyError(
            f"model: expected a policy of {', '.join(PICKERS)}, got '{name}'.{suggest(name, list(PICKERS))}"
        )
    return Policy(name, tuple(arguments), PICKERS[name], structured=name != "unstructured", knowing=name == "knowing")
