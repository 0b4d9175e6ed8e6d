"""Minds by name for everything that puts questions outside a run: cards, audits, fidelity checks."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.errors import UsageProblem
from experiments.mind_probes import Maker, RuleMind, Stage
from sim.registry import suggest
from sim.spec import Scenario

if TYPE_CHECKING:
    from agents.llm.budget import Account
    from agents.llm.mind import LlmMind
    from agents.llm.settings import Asking
    from sim.world.batches import Asker

POLICY, TABLE, LLM, RULE = "policy=", "table=", "llm", "rule"


@dataclass(frozen=True)
class Named:
    """A mind that can be made: its name, how, and whether it reads words."""

    name: str
    make: Maker
    reads: bool


def named(mind: str, place: Stage, *, asking: Asking | None = None, account: Account | None = None) -> Named:
    """The mind called ``mind``: ``rule``, a rule's name, ``table=FILE``, ``policy=NAME/ARGUMENT`` or ``llm``.

    UsageProblem or ParameterError where there is none; ``account`` is shared by all minds made.
    """
    scenario = place.scenario
    if mind.startswith(POLICY):
        return policy(mind.removeprefix(POLICY))
    if mind.startswith(TABLE):
        from agents.table_mind import AskedTable, read_table

        table = read_table(mind.removeprefix(TABLE))
        if table.scenario != scenario.name:
            raise UsageProblem(
                f"{mind}: expected a table for scenario '{scenario.name}', got one for '{table.scenario}'."
            )
        return Named(mind, lambda _: AskedTable(table), reads=False)
    if mind == LLM:
        from agents.llm.settings import Asking

        return model(asking or Asking(), account)
    name = scenario.rules[0] if mind == RULE else mind
    if name not in scenario.rules:
        known = [RULE, *scenario.rules, LLM, "table=FILE", "policy=NAME"]
        raise UsageProblem(
            f"--mind: scenario '{scenario.name}' cannot be decided by '{mind}'.{suggest(mind, known)} It takes: "
            f"{', '.join(known)}."
        )
    module = importlib.import_module(f"agents.rules.{name}")
    return Named(f"rule {name}", lambda _: RuleMind(module, place), reads=False)


def policy(name: str) -> Named:
    """A policy of the mock provider, asked in this process."""
    from agents.minds import policy_named
    from agents.policy_mind import PolicyMind

    found = policy_named(name)
    return Named(f"policy {name}", lambda scenario: PolicyMind(scenario, found), reads=True)


def model(asking: Asking, account: Account | None) -> Named:
    """A language model as ``asking`` says; all minds made share one budget and one cassette."""
    from agents.llm.budget import Account
    from agents.llm.cassette import Cassette
    from agents.llm.mind import LlmMind

    if asking.model is None:
        raise UsageProblem(
            "--mind llm: expected a model; name it with --model provider/model, as in openai/gpt-4o-mini."
        )
    how, shared = asking.of(asking.model), account or Account(asking.budget)

    def make(scenario: Scenario) -> Asker:
        cassette = None if asking.cassette is None else Cassette(asking.cassette, mode=asking.cassette_mode)
        return LlmMind(scenario, model=how, account=shared, cassette=cassette, concurrency=asking.concurrency)

    return Named(asking.model, make, reads=True)


def model_behind(asker: object) -> LlmMind | None:
    """The model that a record of its decisions, archetypes or a table ask; None for minds without one."""
    from agents.llm.mind import LlmMind

    while asker is not None and not isinstance(asker, LlmMind):
        asker = getattr(asker, "mind", None) or getattr(asker, "model", None)
    return asker
