"""Minds by name: what ``--mind`` says becomes a population of rules, language models, or a mixture of them.

A mind is ``rule`` (the scenario's own), the name of another rule, or ``llm``; ``llm=provider/model`` names its model;
``table=FILE`` is a table mind, whose classes without samples are asked of the run's model where one is named;
``policy=NAME/ARGUMENT`` a policy of the mock provider, asked in this process; ``archetypes`` a model of whom a few answers
for each class of views stand for all (``archetypes=provider/model``).
Several minds are separated by commas; each may say its share of the agents (``llm:0.3,trust``) or which agents it has, by
their numbers (``llm@0-4+9,trust``). One mind without a share takes the rest; what is left over follows the scenario's rule.
The name of a model that ends in a colon and a number from 0 to 1 is followed by its share or by ``:rest``
(``llm=openai/mock/first:1:rest``).
Shares are drawn by key, so that who thinks how does not depend on row numbers.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.table_mind import AskedTable, read_table
from sim.registry import suggest
from sim.spec import ParameterError, Scenario, scenarios

if TYPE_CHECKING:
    from agents.llm.budget import Account
    from agents.llm.cassette import Cassette
    from agents.llm.mock_policies import Policy
    from agents.llm.settings import Asking
    from sim.world.batches import Asker, Mixture

RULE, LLM, TABLE, POLICY, ARCHETYPES, HELPED = "rule", "llm", "table", "policy", "archetypes", "table and model"
# What stands in place of a share where none is meant.
REST = "rest"
# Minds whose answers come from outside the kernel.
ASKED = (LLM, ARCHETYPES, POLICY, HELPED)
RULES_MAX = 3
_AGENTS = re.compile(r"^\d+(-\d+)?(\+\d+(-\d+)?)*$")


@dataclass(frozen=True)
class Part:
    """One mind of a population.

    Attributes:
        name: A rule's name, ``llm``, ``archetypes``, ``table``, ``table and model`` or ``policy``.
        model: ``provider/model`` of a model (None for the run's); the policy of a ``policy``.
        share: Share of the agents; None for the rest.
        agents: Numbers of the agents, where they are named.
        file: File of a table mind.
        seal: Hash of what the file holds.
    """

    name: str
    model: str | None = None
    share: float | None = None
    agents: tuple[int, ...] = ()
    file: str | None = None
    seal: str = ""

    @property
    def compiled(self) -> bool:
        """True for a rule or a table."""
        return self.name not in ASKED

    @property
    def models(self) -> bool:
        """True when language models are called."""
        return self.name in {LLM, ARCHETYPES, HELPED}

    def decides(self) -> dict[str, Any]:
        """What of the part decides the log."""
        return {name: value for name, value in vars(self).items() if name != "file" and value != ""}


def parse(text: str, scenario: Scenario, *, rule: str) -> tuple[Part, ...]:
    """The parts that ``text`` names; ParameterError where it names what does not exist or does not add up."""
    parts = tuple(_part(word.strip(), scenario, rule) for word in text.split(","))
    _twice(parts)
    rest = [p for p in parts if p.share is None and not p.agents]
    total = sum(p.share or 0.0 for p in parts)
    if len(rest) > 1 or total > 1.0 + 1e-9:
        raise ParameterError(
            f"--mind: expected shares that add up to at most 1 and one mind for the rest, got '{text}'."
        )
    if any(p.file or not p.compiled for p in parts) and scenario.options is None:
        able = ", ".join(name for name, s in scenarios.items() if s.options is not None)
        raise ParameterError(
            f"scenario '{scenario.name}' leaves nothing to decide (its agents follow a script), so no model can be asked; "
            f"'llm' works with: {able}."
        )
    used = {p.seal or p.name for p in parts if p.compiled} | {rule}
    if len(used) > RULES_MAX:
        raise ParameterError(f"--mind: expected at most {RULES_MAX} rules, got {', '.join(sorted(used))}.")
    return parts


@dataclass(frozen=True)
class Mind:
    """A mind as the command line names it, for ``CoordinationModel(mind=...)``; ``asking`` says how models are asked.

    ``Mind("llm:0.3,rule", Asking(model="ollama/llama3.2"))`` decides as ``--mind llm:0.3,rule --model ollama/llama3.2``.
    ParameterError where it names what does not exist.
    """

    text: str
    asking: Asking | None = None

    def __call__(self, scenario: Scenario, rule: str) -> Mixture:
        """The population of a scenario whose own rule is ``rule``."""
        from agents.llm.settings import Asking

        asking = (self.asking or Asking()).checked()
        parts = helped(parse(self.text, scenario, rule=rule), asking)
        models_of(parts, asking)
        return mixture_of(parts, scenario, rule=rule, asking=asking)


def helped(parts: Sequence[Part], asking: Asking) -> tuple[Part, ...]:
    """The parts, with the run's model for what a table does not know, where there is one and nobody else asks it."""
    if asking.model is None or any(part.models for part in parts):
        return tuple(parts)
    return tuple(replace(part, name=HELPED) if part.name == TABLE else part for part in parts)


def _part(word: str, scenario: Scenario, rule: str) -> Part:
    text, share = _share(word)
    numbers = tuple[int, ...]()
    head, at, tail = text.rpartition("@")
    if at and _AGENTS.match(tail):
        text, numbers = head, _numbers(tail)
    name, _, model = text.partition("=")
    name = rule if name == RULE else name
    if name in {LLM, ARCHETYPES}:
        return Part(name, model or None, share, numbers)
    if name == TABLE and model:
        table = read_table(model)
        if table.scenario != scenario.name:
            raise ParameterError(f"{model}: it is a table for scenario '{table.scenario}', not for '{scenario.name}'.")
        seal = hashlib.sha256(Path(model).read_bytes()).hexdigest()[:16]
        return Part(TABLE, None, share, numbers, file=model, seal=seal)
    if name == POLICY and model:
        policy_named(model)
        return Part(POLICY, model, share, numbers)
    if name not in scenario.rules or model:
        known = [RULE, *scenario.rules]
        known += [LLM, ARCHETYPES, "table=FILE", "policy=NAME"] if scenario.options is not None else []
        raise ParameterError(
            f"scenario '{scenario.name}' cannot be decided by '{word}'.{suggest(name, known)} It takes: {', '.join(known)}, "
            "or a mixture such as 'llm:0.3,rule'."
        )
    return Part(name, None, share, numbers)


def _share(word: str) -> tuple[str, float | None]:
    """A mind without the share behind its last colon, and the share; None for the rest.

    Names of models and policies may hold colons and numbers of their own: behind them only a number from 0 to 1 is a share.
    """
    text, colon, tail = word.rpartition(":")
    if not colon:
        return word, None
    if tail == REST:
        return text, None
    named, inside = "=" in text, re.fullmatch(r"0?\.\d+|[01](\.0*)?", tail) is not None
    if named and not inside:
        return word, None
    if not inside or float(tail) == 0.0:
        about = f"; where that is the end of a name write '{word}:{REST}' or '{word}:0.5'" if named else ""
        raise ParameterError(
            f"--mind {word}: expected a share above 0 and at most 1 behind the colon, got '{tail}'{about}."
        )
    return text, float(tail)


def _numbers(text: str) -> tuple[int, ...]:
    made: list[int] = []
    for piece in text.split("+"):
        first, _, last = piece.partition("-")
        if last and int(last) < int(first):
            raise ParameterError(
                f"--mind: expected agents from the lower number to the higher, got '{piece}': turn it round."
            )
        made += range(int(first), int(last or first) + 1)
    return tuple(made)


def _twice(parts: Sequence[Part]) -> None:
    """ParameterError where an agent is named more than once."""
    often = Counter(number for part in parts for number in part.agents)
    twice = sorted(number for number, times in often.items() if times > 1)
    if twice:
        shown = ", ".join(map(str, twice[:8])) + (f" and {len(twice) - 8} more" if len(twice) > 8 else "")
        which = "agent" if len(twice) == 1 else "agents"
        raise ParameterError(f"--mind: expected one mind for each agent, but found two for {which} {shown}.")


def models_of(parts: Sequence[Part], asking: Asking) -> list[str]:
    """The models that are asked, once each; ParameterError where one has no name."""
    made = []
    for part in parts:
        if part.models:
            model = part.model or asking.model
            if model is None:
                raise ParameterError(
                    f"--mind {part.name}: expected a model; name it with --model provider/model, as in openai/gpt-4o-mini or "
                    "ollama/llama3.2."
                )
            made.append(model)
    return list(dict.fromkeys(made))


def mixture_of(
    parts: Sequence[Part], scenario: Scenario, *, rule: str, asking: Asking, until: float = math.inf
) -> Mixture:
    """The population: rules compiled, models with one cassette and one budget between them."""
    from sim.world.batches import Mixture, Seat

    modules = {name: importlib.import_module(f"agents.rules.{name}") for name in (rule,)}
    memory, asked = asking.memory, list(dict.fromkeys(p for p in map(_who, parts) if p is not None))
    seats = []
    for part in parts:
        if part.file is not None:
            table = read_table(part.file)
            memory = max(memory, table.memory) if asked else max(1, table.memory)
            if part.compiled:
                modules[part.seal] = table.module()
        elif part.compiled:
            modules.setdefault(part.name, importlib.import_module(f"agents.rules.{part.name}"))
        who = _who(part)
        place = list(modules).index(part.seal or part.name) if who is None else -1
        seats.append(Seat(place, -1 if who is None else asked.index(who), part.share, part.agents))
    return Mixture(
        rules=tuple(modules.values()),
        askers=tuple(_askers(asked, scenario, asking)),
        names=(*list(modules)[1:], *(name for name, _, _ in asked)),
        memory=memory,
        window=asking.window,
        seats=tuple(seats),
        until=until,
    )


Who = tuple[str, str | None, str | None]


def _who(part: Part) -> Who | None:
    """Kind, model and file of a mind outside the kernel; None for a compiled one."""
    return None if part.compiled else (part.name, part.model, part.file)


def _askers(asked: Sequence[Who], scenario: Scenario, asking: Asking) -> list[Any]:
    """The minds outside the kernel, each with a record of its decisions; models share cassette and budget."""
    if not asked:
        return []
    from agents.llm.budget import Account
    from agents.recorded import Recorder

    cassette, account = None, Account(asking.budget)
    if asking.cassette is not None and any(name != POLICY for name, _, _ in asked):
        from agents.llm.cassette import Cassette

        cassette = Cassette(asking.cassette, mode=asking.cassette_mode)
    made = []
    for who in asked:
        kind, model, _ = who
        name = f"{POLICY}={model}" if kind == POLICY else model or asking.model
        made.append(Recorder(_asker(who, scenario, asking, account, cassette), scenario, name=name))
    return made


def _asker(who: Who, scenario: Scenario, asking: Asking, account: Account, cassette: Cassette | None) -> Asker:
    name, model, file = who
    if name == POLICY:
        from agents.policy_mind import PolicyMind

        return PolicyMind(scenario, policy_named(model or ""))
    from agents.llm.mind import LlmMind

    mind = LlmMind(
        scenario, model=asking.of(model or asking.model or ""), account=account, cassette=cassette,
        samples=asking.samples, concurrency=asking.concurrency,
    )  # fmt: skip
    if name == LLM:
        return mind
    if file is not None:
        return AskedTable(read_table(file), model=mind)
    from agents.archetypes import Archetypes

    return Archetypes(mind, scenario)


def policy_named(text: str) -> Policy:
    """The policy that ``NAME/ARGUMENT`` says; ParameterError where there is none."""
    from agents.llm.mock_policies import policy_of
    from agents.llm.mock_view import PolicyError

    try:
        return policy_of(f"mock/{text.replace('/', ':')}")
    except PolicyError as error:
        raise ParameterError(f"--mind policy={text}: {error}") from None


def check(parts: Sequence[Part], scenario: Scenario, asking: Asking) -> None:
    """Say early, in one sentence, what would stop the first call: ProviderProblem or CassetteProblem. Makes no file."""
    from agents.llm.cassette import REPLAY, Cassette, check_place
    from agents.llm.prompt import frame_for
    from agents.llm.provider import Provider

    models = models_of(parts, asking)
    file = None if asking.cassette is None else Path(asking.cassette)
    if models and file is not None and not file.exists() and asking.cassette_mode != REPLAY:
        check_place(file)
    elif models and file is not None:
        cassette = Cassette(file, mode=asking.cassette_mode)
        try:
            for model in models:
                cassette.check(model=model, frames=[frame_for(scenario.name).seal])
        finally:
            cassette.close()
    if asking.cassette is None or asking.cassette_mode == "record":
        for model in models:
            Provider(asking.of(model)).check(money=asking.budget.money)
