"""Minds by name: what ``--mind`` says becomes a population of rules, language models, or a mixture of them.

A mind is ``rule`` (the scenario's own), the name of another rule, or ``llm``; ``llm=provider/model`` names its model.
Several minds are separated by commas; each may say its share of the agents (``llm:0.3,trust``) or which agents it has, by
their numbers (``llm@0-4+9,trust``). One mind without a share takes the rest; what is left over follows the scenario's rule.
Shares are drawn by key, so that who thinks how does not depend on row numbers.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.registry import suggest
from sim.spec import ParameterError, Scenario, scenarios

if TYPE_CHECKING:
    from agents.llm.settings import Asking
    from sim.world.batches import Mixture

RULE, LLM = "rule", "llm"
RULES_MAX = 3
_AGENTS = re.compile(r"^\d+(-\d+)?(\+\d+(-\d+)?)*$")


@dataclass(frozen=True)
class Part:
    """One mind of a population.

    Attributes:
        name: A rule's name, or ``llm``.
        model: ``provider/model`` of an ``llm``; None for the run's.
        share: Share of the agents; None for the rest.
        agents: Numbers of the agents, where they are named.
    """

    name: str
    model: str | None = None
    share: float | None = None
    agents: tuple[int, ...] = ()


def parse(text: str, scenario: Scenario, *, rule: str) -> tuple[Part, ...]:
    """The parts that ``text`` names; ParameterError where it names what does not exist or does not add up."""
    parts = tuple(_part(word.strip(), scenario, rule) for word in text.split(","))
    rest = [p for p in parts if p.share is None and not p.agents]
    total = sum(p.share or 0.0 for p in parts)
    if len(rest) > 1 or total > 1.0 + 1e-9:
        raise ParameterError(
            f"--mind: expected shares that add up to at most 1 and one mind for the rest, got '{text}'."
        )
    if any(p.name == LLM for p in parts) and scenario.options is None:
        able = ", ".join(name for name, s in scenarios.items() if s.options is not None)
        raise ParameterError(
            f"scenario '{scenario.name}' leaves nothing to decide (its agents follow a script), so no model can be asked; "
            f"'llm' works with: {able}."
        )
    used = {p.name for p in parts if p.name != LLM} | {rule}
    if len(used) > RULES_MAX:
        raise ParameterError(f"--mind: expected at most {RULES_MAX} rules, got {', '.join(sorted(used))}.")
    return parts


def _part(word: str, scenario: Scenario, rule: str) -> Part:
    text, share, numbers = word, None, tuple[int, ...]()
    head, colon, tail = word.rpartition(":")
    if colon and re.fullmatch(r"(0?\.\d+|1(\.0*)?|0(\.0*)?)", tail):
        text, share = head, float(tail)
    head, at, tail = text.rpartition("@")
    if at and _AGENTS.match(tail):
        text, numbers = head, _numbers(tail)
    name, _, model = text.partition("=")
    name = rule if name == RULE else name
    if name == LLM:
        return Part(LLM, model or None, share, numbers)
    if name not in scenario.rules or model:
        known = [RULE, *scenario.rules, *([LLM] if scenario.options is not None else [])]
        raise ParameterError(
            f"scenario '{scenario.name}' cannot be decided by '{word}'.{suggest(name, known)} It takes: {', '.join(known)}, "
            "or a mixture such as 'llm:0.3,rule'."
        )
    return Part(name, None, share, numbers)


def _numbers(text: str) -> tuple[int, ...]:
    made: list[int] = []
    for piece in text.split("+"):
        first, _, last = piece.partition("-")
        made += range(int(first), int(last or first) + 1)
    return tuple(made)


def models_of(parts: Sequence[Part], asking: Asking) -> list[str]:
    """The models that are asked, once each; ParameterError where one has no name."""
    made = []
    for part in parts:
        if part.name == LLM:
            model = part.model or asking.model
            if model is None:
                raise ParameterError(
                    "--mind llm: expected a model; name it with --model provider/model, as in openai/gpt-4o-mini or "
                    "ollama/llama3.2."
                )
            made.append(model)
    return list(dict.fromkeys(made))


def mixture_of(
    parts: Sequence[Part], scenario: Scenario, *, rule: str, asking: Asking, until: float = math.inf
) -> Mixture:
    """The population: rules compiled, models with one cassette and one budget between them."""
    from sim.world.batches import Mixture, Seat

    names = list(dict.fromkeys([rule, *(p.name for p in parts if p.name != LLM)]))
    models = models_of(parts, asking)
    seats = []
    for part in parts:
        if part.name == LLM:
            seats.append(Seat(-1, models.index(part.model or asking.model or ""), part.share, part.agents))
        else:
            seats.append(Seat(names.index(part.name), -1, part.share, part.agents))
    rules = tuple(importlib.import_module(f"agents.rules.{name}") for name in names)
    return Mixture(
        rules=rules,
        askers=tuple(_askers(models, scenario, asking)),
        names=(*names[1:], *([LLM] if models else [])),
        memory=asking.memory,
        window=asking.window,
        seats=tuple(seats),
        until=until,
    )


def _askers(models: Sequence[str], scenario: Scenario, asking: Asking) -> list[Any]:
    if not models:
        return []
    from agents.llm.budget import Account
    from agents.llm.cassette import Cassette
    from agents.llm.mind import LlmMind

    cassette = None if asking.cassette is None else Cassette(asking.cassette, mode=asking.cassette_mode)
    account = Account(asking.budget)
    return [
        LlmMind(
            scenario, model=asking.of(model), account=account, cassette=cassette, samples=asking.samples,
            concurrency=asking.concurrency,
        )
        for model in models
    ]  # fmt: skip


def check(parts: Sequence[Part], scenario: Scenario, asking: Asking) -> None:
    """Say early, in one sentence, what would stop the first call: ProviderProblem or CassetteProblem."""
    from agents.llm.cassette import Cassette
    from agents.llm.prompt import frame_for
    from agents.llm.provider import Provider

    models = models_of(parts, asking)
    if models and asking.cassette is not None:
        cassette = Cassette(asking.cassette, mode=asking.cassette_mode)
        try:
            for model in models:
                cassette.check(model=model, frames=[frame_for(scenario.name).seal])
        finally:
            cassette.close()
    if asking.cassette is None or asking.cassette_mode == "record":
        for model in models:
            Provider(asking.of(model)).check()
