"""The view as it stands in a prompt: found, read and checked, and the draws that decide on it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sim.world.oracle import unit

OPEN_MARK, CLOSE_MARK = "<view>", "</view>"


class PolicyError(ValueError):
    """A request that no policy can answer: no such policy, a bad argument, a view without options."""


@dataclass(frozen=True)
class Option:
    """One option as the prompt lists it: its id, its words, and whatever else the view tells of it."""

    id: str
    words: str
    features: Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """What the prompt says that one agent senses; options in the order in which the prompt lists them."""

    scenario: str
    fields: Mapping[str, Any]
    options: tuple[Option, ...]
    memory: tuple[str, ...]


@dataclass(frozen=True)
class Draw:
    """The draws of one answer; one for each purpose."""

    stream: int

    def uniform(self, purpose: int = 0) -> float:
        """A uniform number in [0, 1)."""
        return unit(self.stream, 0, purpose)


def read_view(texts: Sequence[str]) -> View | None:
    """The view in the last text that has one between its markers; None when there is none; PolicyError if it is no view."""
    for text in reversed(texts):
        end = text.rfind(CLOSE_MARK)
        begin = text.rfind(OPEN_MARK, 0, end) if end >= 0 else -1
        if begin >= 0:
            return _view(text[begin + len(OPEN_MARK) : end])
    return None


def _view(text: str) -> View:
    try:
        data = json.loads(text)
        options = tuple(
            Option(str(o["id"]), str(o.get("words", o["id"])), {k: v for k, v in o.items() if k not in {"id", "words"}})
            for o in data["options"]
        )
        view = View(
            str(data.get("scenario", "")),
            dict(data.get("fields", {})),
            options,
            tuple(str(m) for m in data.get("memory", ())),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PolicyError(
            f"expected a view as JSON between {OPEN_MARK} and {CLOSE_MARK}, but it cannot be read ({error!r})."
        ) from None
    if not view.options:
        raise PolicyError("expected a view with at least one option, got none.")
    return view


def support(view: View, option: Option) -> float:
    """How many others the view shows to have taken ``option``: its feature ``support``, else mentions in the memory."""
    counted = option.features.get("support")
    if counted is not None:
        return max(0.0, float(counted))
    number = option.features.get("neighbour")
    words = option.words if number is None else f"neighbour {int(number)}"
    return float(sum(1 for sentence in view.memory if mentions(sentence, words)))


def mentions(sentence: str, words: str) -> bool:
    """True when ``words``, or what stands in quotation marks in them, stand in the sentence as whole words."""
    return _finder(words).search(sentence) is not None


@lru_cache(maxsize=4096)
def _finder(words: str) -> re.Pattern[str]:
    quoted = re.search(r"[\"'“‘]([^\"'”’]+)[\"'”’]", words)
    return re.compile(rf"(?<!\w){re.escape(quoted.group(1) if quoted else words)}(?!\w)", re.IGNORECASE)
