"""The plan of a run: everything that decides its log, checked, as data; and the engine that follows from it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import UsageProblem

if TYPE_CHECKING:
    from agents.llm.settings import Asking
    from agents.minds import Part
    from sim.spec import Scenario, Value
    from sim.world.engine import Engine, LogPlan
    from sim.world.interventions import Intervention


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run's log, checked."""

    scenario: Scenario
    preset: str
    changes: Mapping[str, Value]
    values: Mapping[str, Value]
    rule: str
    mind: str
    parts: tuple[Part, ...]
    asking: Asking
    seed: int
    until: float
    log: LogPlan
    interventions: tuple[Intervention, ...]

    @property
    def decides(self) -> dict[str, Any]:
        """What the hash of the run covers."""
        from experiments.fingerprint import code_version

        return self.decides_by(code_version(self.roots))

    @property
    def roots(self) -> list[str]:
        """Modules from which the code that decides the log is reached."""
        return [self.scenario.build.__module__, *self._minds, "sim.world.engine"]

    def decides_by(self, code: str) -> dict[str, Any]:
        """What the hash of the run covers, for ``code`` known already."""
        return {
            "scenario": self.scenario.name,
            "parameters": dict(self.values),
            "rule": self.rule,
            "seed": self.seed,
            "until": self.until,
            "log": self.log.words(),
            "interventions": [vars(i) for i in self.interventions],
            "code": code,
            **self._asked,
        }

    @property
    def asks(self) -> bool:
        """True when language models decide for some of the agents."""
        return any(part.models for part in self.parts)

    @property
    def models(self) -> list[str]:
        """The models asked, once each."""
        from agents.minds import models_of

        return models_of(self.parts, self.asking)

    @property
    def _minds(self) -> list[str]:
        own = {"table": "agents.table_kernel", "policy": "agents.policy_mind", "archetypes": "agents.archetypes"}
        own["table and model"] = "agents.table_mind"
        names = [self.rule, *(p.name for p in self.parts if p.compiled and not p.file)]
        made = [f"agents.rules.{name}" for name in names]
        made += [own[p.name] for p in self.parts if p.file or (p.name in own and not p.compiled)]
        return list(dict.fromkeys(made)) + (["agents.llm.mind"] if self.asks else [])

    @property
    def _asked(self) -> dict[str, Any]:
        """What of the minds decides the log, beside the rule."""
        if not self.parts:
            return {}
        from agents.llm.prompt import frame_for

        parts = [part.decides() for part in self.parts]
        if not self.asks:
            return {"minds": parts}
        asked = {"models": self.models, **self.asking.decides()}
        return {"minds": parts, "asking": asked, "prompt": frame_for(self.scenario.name).seal}

    def command(self) -> str:
        """The command line that makes this run again."""
        words = ["swarmscope", "run", self.scenario.name, "--preset", self.preset]
        for name, value in self.changes.items():
            words += ["--set", f"{name}={_said(value)}"]
        words += ["--until", f"{self.until:g}", "--seed", str(self.seed)]
        words += [] if self.mind == "rule" else ["--mind", self.mind]
        words += self.asking.words() if self.asks else []
        words += [] if self.log.mode == "full" else ["--log", self.log.words()]
        return shlex.join(words)


def _said(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def plan(
    scenario: str,
    *,
    preset: str | None = None,
    changes: Mapping[str, object] | None = None,
    until: float | None = None,
    seed: int = 0,
    mind: str = "rule",
    asking: Asking | None = None,
    log: str = "full",
    interventions: Sequence[Intervention] = (),
    check_minds: bool = True,
) -> Plan:
    """Check what is asked for; UnknownNameError, ParameterError or UsageProblem where it cannot be done.

    Without ``check_minds`` a model's key and a cassette's content are not looked at.
    """
    from agents.llm.settings import Asking
    from sim.spec import scenarios

    chosen = scenarios.get(scenario)
    values = chosen.values(preset, changes)
    rule = mind if mind in chosen.rules else chosen.rule_for(preset)
    asked = (asking or Asking()).checked()
    parts = _parts(chosen, mind, rule=rule, asking=asked, checked=check_minds)
    from sim.world.engine import LogPlan, rule_module

    rule_module(rule, chosen)
    end = chosen.until if until is None else float(until)
    if not 0 < end < float("inf"):
        raise UsageProblem(f"--until: expected a model time above 0, got {until}.")
    return Plan(
        scenario=chosen,
        preset=preset or chosen.default,
        changes={name: values[name] for name in changes or {}},
        values=values,
        rule=rule,
        mind=mind,
        parts=parts,
        asking=asked,
        seed=int(seed),
        until=end,
        log=LogPlan.parse(log),
        interventions=tuple(interventions),
    )


def _parts(scenario: Scenario, mind: str, *, rule: str, asking: Asking, checked: bool) -> tuple[Part, ...]:
    """The parts of a mixed or asked population, checked; none where one compiled rule decides for all."""
    if mind == "rule" or mind in scenario.rules:
        _in_vain(asking)
        return ()
    from agents.llm.cassette import CassetteProblem
    from agents.llm.provider import ProviderProblem
    from agents.minds import check, helped, models_of, parse

    parts = helped(parse(mind, scenario, rule=rule), asking)
    models_of(parts, asking)
    if not any(part.models for part in parts):
        _in_vain(asking)
    if not checked:
        return parts
    try:
        check(parts, scenario, asking)
    except (CassetteProblem, ProviderProblem) as error:
        raise UsageProblem(str(error)) from None
    return parts


def _in_vain(asking: Asking) -> None:
    """UsageProblem where something is said about language models and none is asked."""
    if words := asking.in_vain():
        raise UsageProblem(f"{words}: no language model decides in this run; add --mind llm.")


def engine_of(asked: Plan) -> Engine:
    """A new engine for a plan, at time 0."""
    from sim.world.engine import Engine, rule_module

    mixture = None
    if asked.parts:
        from agents.minds import mixture_of

        mixture = mixture_of(asked.parts, asked.scenario, rule=asked.rule, asking=asked.asking, until=asked.until)
    return Engine(
        asked.scenario,
        values=asked.values,
        seed=asked.seed % 2**64,
        rule=rule_module(asked.rule, asked.scenario),
        rule_name=asked.rule,
        plan=asked.log,
        interventions=asked.interventions,
        mixture=mixture,
    )


def has_machine_code(engine: Engine) -> bool:
    """True when the engine's kernel was compiled by an earlier process."""
    source = getattr(engine.kernel, "__file__", None)
    if source is None:
        return False
    folder = Path(source).parent / "__pycache__"
    return any(folder.glob(f"{Path(source).stem}.*.nbi"))
