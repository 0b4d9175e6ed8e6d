"""The mock provider's ``rule`` policy: the scenario's compiled rule, interpreted on the view that came in the prompt.

A rule reads view, state and parameters. The view is in the prompt; parameters are the scenario's defaults unless the model
name changes them; state is taken as an agent's without a past, for a prompt holds no columns. Where the past is what
decides (a word list, favourite partners), the prompt tells of it in sentences, and the policy stated in ``FROM_MEMORY``
stands for the rule: options are drawn in proportion to 1 + support (naming: to support alone, once there is any).
"""

from __future__ import annotations

import hashlib
import importlib
import math
import re
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from agents.llm.mock_view import Draw, PolicyError, View, support
from sim.spec import ParameterError, Scenario, scenarios
from sim.world.view import Draws

PICK = 1
_PLACE = re.compile(r"\{(\d+)\}")
# Weight of an option nobody has taken yet, for scenarios whose rule decides by its past.
FROM_MEMORY = {"minimal_naming": 0.0, "visit_reinforcement": 1.0, "habit": 1.0}


def decide(view: View, draw: Draw, arguments: tuple[str, ...] = ()) -> tuple[int, float | None]:
    """The option (index in the view) and amount that the rule takes."""
    named = next((a for a in arguments if "=" not in a), "")
    scenario = scenario_of(view.scenario)
    rule = named or (scenario.rules[0] if scenario is not None else "")
    if not rule or rule in FROM_MEMORY:
        return by_memory(view, draw, FROM_MEMORY.get(rule, 1.0)), None
    changes = [(a.partition("=")[0], a.partition("=")[2]) for a in arguments if "=" in a]
    module, values = _parameters(rule, view.scenario, tuple(changes))
    sensed = _sensed(view, scenario)
    try:
        option, amount = module.choose(
            sensed, _state(module, sensed), Draws(np.uint64(draw.stream), np.int64(0)), values
        )
    except AttributeError as error:
        raise PolicyError(f"rule '{rule}' cannot decide on a view of scenario '{view.scenario}': {error}.") from None
    return _index(view, sensed, int(option), rule), float(amount)


def by_memory(view: View, draw: Draw, start: float) -> int:
    """An option in proportion to ``start`` + support; each alike while all of that is 0."""
    weights = [start + support(view, option) for option in view.options]
    if math.fsum(weights) == 0.0:
        weights = [1.0] * len(weights)
    rest = draw.uniform(PICK) * math.fsum(weights)
    for index, weight in enumerate(weights):
        rest -= weight
        if rest < 0.0:
            return index
    return max(i for i, w in enumerate(weights) if w > 0.0)


@lru_cache(maxsize=64)
def scenario_of(name: str) -> Scenario | None:
    """The scenario that a view names, openly or by the digest that prompts show; None for one that is not registered."""
    for known, scenario in scenarios.items():
        if name in {known, hashlib.sha256(known.encode()).hexdigest()[:6]}:
            return scenario
    return None


@lru_cache(maxsize=256)
def _parameters(rule: str, scenario: str, changes: tuple[tuple[str, str], ...]) -> tuple[Any, Any]:
    """The rule's module, and its parameters: the scenario's defaults with changes."""
    found = scenario_of(scenario)
    if found is None or rule not in found.rules:
        known = ", ".join(found.rules) if found is not None else "none, for no such scenario is known"
        raise PolicyError(f"model: scenario '{scenario}' is not decided by rule '{rule}'; it takes {known}.")
    module = importlib.import_module(f"agents.rules.{rule}")
    try:
        values = found.values(None, {name: value for name, value in changes if name in module.PARAMETERS})
    except ParameterError as error:
        raise PolicyError(f"model: {error}") from None
    for name, _ in changes:
        if name not in module.PARAMETERS:
            raise PolicyError(
                f"model: rule '{rule}' has no parameter '{name}'; it has: {', '.join(module.PARAMETERS)}."
            )
    return module, SimpleNamespace(**{name: float(values[name]) for name in module.PARAMETERS})


def _sensed(view: View, scenario: Scenario | None) -> Any:
    """The view as rules read it: fields by name, one number for each neighbour where a field has one per option."""
    sensed = {name: _number(value) for name, value in view.fields.items()}
    for field in scenario.view if scenario is not None else ():
        if field.per_option and field.name not in sensed:
            told = {
                int(o.features["neighbour"]) - 1: float(o.features[field.name])
                for o in view.options
                if field.name in o.features and "neighbour" in o.features
            }
            sensed[field.name] = np.array([told.get(slot, -1.0) for slot in range(int(sensed.get("width", len(told))))])
    return SimpleNamespace(**sensed)


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return np.asarray(value, float)
    # Rules index by whole numbers; a view of this process tells every number as a float.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _state(module: Any, sensed: Any) -> Any:
    """The rule's columns for an agent without a past; dimensions as wide as the view asks for."""
    width = int(getattr(sensed, "width", 1)) + 1
    lengths = {
        "slots": width,
        "tasks": int(getattr(sensed, "task", 0)) + 1,
        "capacity": 2,
        "one": 1,
        "two": 2,
        "three": 3,
    }
    columns = {}
    for name, (kind, dims, start) in module.STATE.items():
        columns[name] = np.full([lengths.get(d, 1) for d in dims], start, kind)
    return SimpleNamespace(**columns)


def _index(view: View, sensed: Any, code: int, rule: str) -> int:
    """The option with the kernel's ``code``: told in the view, or known by its words.

    Neighbours are called by numbers drawn anew for each question; an agent without a past cannot tell them apart, so
    number n is taken for slot n - 1.
    """
    scenario = scenario_of(view.scenario)
    offered = _offered(scenario, sensed)
    words = {_PLACE.sub(lambda m: str(int(m.group(1)) + 1), o.words): o.code for o in offered}
    for index, option in enumerate(view.options):
        if int(option.features.get("code", words.get(option.words, -1))) == code:
            return index
    raise PolicyError(f"rule '{rule}' takes option code {code}, which the view of '{view.scenario}' does not offer.")


def _offered(scenario: Scenario | None, sensed: Any) -> Any:
    """The scenario's options in words, where it lists them."""
    listed = getattr(scenario, "options", None)
    return listed(sensed, (), None) if listed is not None else ()
