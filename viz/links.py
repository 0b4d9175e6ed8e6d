"""Links: scenario, preset, seed and changed parameters as the query of an address, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from sim.spec import Value, scenarios

PREFIX = "p."  # before the name of a parameter


@dataclass(frozen=True)
class Choice:
    """What a link carries: checked names and values."""

    scenario: str
    preset: str
    seed: int = 0
    changes: Mapping[str, Value] = field(default_factory=dict)


def with_value(choice: Choice, name: str, value: Value, *, base: Mapping[str, Value]) -> Choice:
    """``choice`` with a parameter at ``value``; one at the value of its preset, in ``base``, is no change."""
    kept = {k: v for k, v in choice.changes.items() if k != name}
    return replace(choice, changes=kept if value == base[name] else {**kept, name: value})


def query_of(choice: Choice) -> str:
    """The query, with a question mark before it."""
    pairs = [("scenario", choice.scenario), ("preset", choice.preset), ("seed", str(choice.seed))]
    pairs += [(PREFIX + name, _said(value)) for name, value in sorted(choice.changes.items())]
    return "?" + urlencode(pairs)


def choice_of(query: str, *, fallback: str) -> Choice:
    """What a query describes; parts that it leaves out are ``fallback``'s and the defaults.

    Raises:
        ValueError, LookupError: For names and values that do not exist; with a sentence.
    """
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    scenario = scenarios.get(given.get("scenario") or fallback)
    changes = {name[len(PREFIX) :]: value for name, value in given.items() if name.startswith(PREFIX)}
    preset = given.get("preset") or scenario.default
    values = scenario.values(preset, changes)
    seed = given.get("seed") or "0"
    if not seed.isdecimal() or len(seed) > 20:
        raise ValueError(f"seed: expected a whole number from 0, got '{seed[:40]}'.")
    return Choice(scenario.name, preset, int(seed), {name: values[name] for name in changes})


def _said(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
