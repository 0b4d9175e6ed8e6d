"""The specification of a scenario: parameters with units and ranges, presets, view in words, and how to build it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sim.registry import Registry, suggest

Value = float | int | str | bool


class ParameterError(ValueError):
    """A parameter, preset or value that the scenario does not accept."""


@dataclass(frozen=True)
class Param:
    """One parameter: its default decides its type; ``low`` and ``high`` are inclusive; ``live`` acts on a running world."""

    name: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    live: bool = False

    def check(self, value: object, *, owner: str) -> Value:
        """Return ``value`` as this parameter's type, or raise ParameterError with name, range and value."""
        want = type(self.default)
        try:
            made = _convert(value, want)
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(f"{owner}: parameter '{self.name}' expects {self.expects()}, got {value!r}.") from None
        if self.choices and made not in self.choices:
            raise ParameterError(
                f"{owner}: parameter '{self.name}' expects {self.expects()}, got {value!r}.{suggest(str(made), self.choices)}"
            )
        if isinstance(made, float | int) and not isinstance(made, bool):
            below = self.low is not None and made < self.low
            above = self.high is not None and made > self.high
            if below or above or not math.isfinite(made):
                raise ParameterError(f"{owner}: parameter '{self.name}' expects {self.expects()}, got {value!r}.")
        return made

    def expects(self) -> str:
        """What values are accepted, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        name = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[type(self.default)]
        if self.low is not None and self.high is not None:
            name += f" from {self.low:g} to {self.high:g}"
        elif self.low is not None:
            name += f" of at least {self.low:g}"
        return name + (f" ({self.unit})" if self.unit else "")


def _convert(value: object, want: type) -> Value:
    if want is bool:
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in {"true", "yes", "on", "1"}:
            return True
        if text in {"false", "no", "off", "0"}:
            return False
        raise ValueError(text)
    if want is int:
        number = float(str(value))
        if isinstance(value, bool) or number != int(number):
            raise ValueError(value)
        return int(number)
    if want is float:
        if isinstance(value, bool):
            raise ValueError(value)
        return float(str(value))
    return str(value)


@dataclass(frozen=True)
class Field:
    """One field of a view in plain words; ``per_option`` fields hold one number for each option."""

    name: str
    words: str
    per_option: bool = False


class Heard(NamedTuple):
    """One thing a mind remembers: its part in it, the option's code, how it went, and what it was about (-1: nothing)."""

    part: int
    code: int
    value: float
    about: int


@dataclass(frozen=True)
class Choice:
    """One option of a view in plain words, for minds that read; ``{3}`` in ``words`` stands for the neighbour in slot 3.

    ``features`` are numbers about the option; the name ``slot`` is kept for the neighbour's slot.
    """

    code: int
    words: str
    amount: float = 1.0
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """A scenario as data: it owns the physics, the mind owns the decision (sim.world.contract).

    Attributes:
        name: Registered name.
        summary: One line for listings.
        semantics: ``event time``, ``sequential random``, ``synchronous`` or ``matching``.
        parameters: All parameters, shared ones first.
        presets: Preset name to parameter values; ``default`` names the one used when none is given.
        until: Default model time of a run.
        rules: Names of the rules that can decide here; the first is the default.
        view: The view's fields in words, in the order of the view type.
        build: ``build(Setup) -> sim.world.population.Built``; imported lazily so that listings stay cheap.
        notice: What to notice in a run, one sentence each.
        tries: What to try next, one sentence each.
        odd: The ODD text (the scenario module's docstring).
        preset_words: A few words on each preset.
        preset_rules: The rule that decides a preset, where it is not the first.
        off: Parameter values that switch off the mechanism by which order may arise here, for causal claims.
        options: ``options(view, memory, draws) -> list[Choice]``: what can be chosen in a view, for minds that read words;
            ``memory`` is a sequence of Heard, oldest first. None where there is nothing to decide.
        told: ``told(heard, view) -> str``: one thing remembered, as a sentence.
    """

    name: str
    summary: str
    semantics: str
    parameters: tuple[Param, ...]
    presets: Mapping[str, Mapping[str, Value]]
    default: str
    until: float
    rules: tuple[str, ...]
    view: tuple[Field, ...]
    build: Callable[..., Any]
    notice: tuple[str, ...] = ()
    tries: tuple[str, ...] = ()
    odd: str = ""
    preset_words: Mapping[str, str] = field(default_factory=dict)
    preset_rules: Mapping[str, str] = field(default_factory=dict)
    off: Mapping[str, Value] = field(default_factory=dict)
    options: Callable[..., Sequence[Choice]] | None = None
    told: Callable[..., str] | None = None

    def rule_for(self, preset: str | None = None) -> str:
        """The rule that decides ``preset`` unless another is asked for."""
        return self.preset_rules.get(preset or self.default, self.rules[0])

    def param(self, name: str) -> Param:
        """The parameter called ``name``; ParameterError with a suggestion otherwise."""
        for p in self.parameters:
            if p.name == name:
                return p
        known = [p.name for p in self.parameters]
        raise ParameterError(
            f"scenario '{self.name}' has no parameter '{name}'.{suggest(name, known)} It has: {', '.join(sorted(known))}."
        )

    def values(self, preset: str | None = None, changes: Mapping[str, object] | None = None) -> dict[str, Value]:
        """Parameter values of ``preset`` (the default one when None) with ``changes`` applied and everything checked."""
        chosen = preset or self.default
        if chosen not in self.presets:
            raise ParameterError(
                f"scenario '{self.name}' has no preset '{chosen}'.{suggest(chosen, list(self.presets))} "
                f"It has: {', '.join(self.presets)}."
            )
        owner = f"scenario '{self.name}'"
        made: dict[str, Value] = {p.name: p.default for p in self.parameters}
        for name, value in {**self.presets[chosen], **(changes or {})}.items():
            made[name] = self.param(name).check(value, owner=owner)
        return made


scenarios: Registry[Scenario] = Registry("scenario", package="scenarios")
