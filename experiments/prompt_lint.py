"""Prompt lint: words in a prompt that hand out roles, suggest a hierarchy, or name what the experiment hopes for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# What each family of words does to an experiment on organisation.
FAMILIES: Mapping[str, tuple[str, str]] = {
    "role": (
        "hands out a role",
        r"managers?|leaders?|boss(es)?|supervisors?|directors?|chiefs?|captains?|experts?|specialists?|workers?|developers?|"
        r"reviewers?|planners?|coordinators?|assistants?|ceo|cto|employees?",
    ),
    "hierarchy": (
        "suggests a hierarchy",
        r"hierarch\w*|subordinates?|superiors?|reports? to|delegat\w+|in charge|chain of command|obey\w*|authorit\w+|"
        r"rank(ed|s)?",
    ),
    "hypothesis": (
        "names what may emerge",
        r"emerg\w+|conventions?|consensus|norms?|self-organi[sz]\w+|coordinat\w+|cooperat\w+|collaborat\w+|swarms?|teamwork|"
        r"organi[sz]ations?|division of labou?r",
    ),
    "experiment": ("says that it is an experiment", r"experiments?|simulat\w+|study|studies|hypothes\w+|participants?"),
    "outcome": (
        "asks for an outcome",
        r"you should (try to )?(agree|match|help|follow|copy)|try to (agree|match|win|reach)|the goal is|do not limit yourself|"
        r"reward(s|ed)?|points|score",
    ),
    "name": (
        "gives somebody a name", r"agent ?#?\d+|player ?\d+|dev ?\d+|alice|bob|carol|charlie|dave|eve|john|mary|anna",
    ),
}  # fmt: skip
_FOUND = {name: re.compile(rf"(?<!\w)({words})(?!\w)", re.IGNORECASE) for name, (_, words) in FAMILIES.items()}


@dataclass(frozen=True)
class Hit:
    """One finding: the family, what it does, the words, and the line they stand in."""

    family: str
    does: str
    words: str
    line: str


def lint(text: str) -> tuple[Hit, ...]:
    """Every line of ``text`` in which words of a family stand, once each."""
    made: dict[tuple[str, str], Hit] = {}
    for line in text.splitlines():
        for family, pattern in _FOUND.items():
            found = pattern.search(line)
            if found is not None:
                words = found.group(0).lower()
                made.setdefault((family, words), Hit(family, FAMILIES[family][0], words, line.strip()[:120]))
    return tuple(made.values())
