"""Estimate: what a run with language models would ask and cost, from a rehearsal in which models choose at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from experiments.errors import UsageProblem

if TYPE_CHECKING:
    from agents.llm.mind import LlmMind
    from agents.llm.settings import Asking
    from agents.recorded import Recorder
    from sim.record.log import Log
    from sim.world.due import Answer, Due

# The rehearsal ends after so many decisions; the rest is extrapolated in proportion to model time.
ENOUGH = 2000
# Every so many decisions a prompt is rendered and its tokens counted.
EVERY = 20
PICK = 91


@dataclass(frozen=True)
class Estimate:
    """What a run would ask.

    Attributes:
        models: Models asked.
        decisions: Decisions that would be asked of them; for archetypes and tables an upper bound.
        calls: Calls for decisions and for the prompt audit.
        tokens_in: Prompt tokens of all calls.
        tokens_out: Answer tokens of all calls, at a guess for the form of the answer.
        cost: US dollars for all calls, or ``unknown``.
        audit: Calls, tokens and cost of the prompt audit alone.
        rehearsed: Model time rehearsed; decisions beyond it are extrapolated.
        until: Model time of the run.
    """

    models: tuple[str, ...]
    decisions: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost: float | str
    audit: Mapping[str, Any]
    rehearsed: float
    until: float

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def sentence(self) -> str:
        """For people."""
        beyond = "" if self.rehearsed >= self.until else f" (extrapolated from model time {self.rehearsed:g})"
        own = self.audit
        more = f" and {own['calls']:,} questions of the prompt audit" if own["calls"] else ""
        alone = f"\nThe prompt audit alone: {own['calls']:,} calls, {_spent(own)}; --audit 0 leaves it out."
        return (
            f"About {self.decisions:,} decisions{beyond}{more} would be asked of {', '.join(self.models)}: "
            f"{_spent(vars(self))}. Retries come on top, replies in a cassette cost nothing. In the rehearsal "
            f"models chose at random; nothing was asked and nothing written.{alone if own['calls'] else ''}"
        )


def _spent(of: Mapping[str, Any]) -> str:
    cost = of["cost"]
    price = (
        "at an unknown cost"
        if cost == "unknown"
        else "for less than $0.01"
        if cost < 0.01
        else f"for about ${cost:.2f}"
    )
    return f"{of['tokens_in']:,} tokens in, {of['tokens_out']:,} out, {price}"


class Rehearsal:
    """Stands in for a model: chooses at random among the options, and counts what asking would have taken."""

    def __init__(self, mind: LlmMind) -> None:
        self.mind = mind
        self.decisions, self.sampled, self.tokens = 0, 0, 0

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """All answers at once."""
        done: Future[list[Answer]] = Future()
        done.set_result([self._answer(due) for due in dues])
        return done

    def close(self) -> None:
        """Nothing is under way."""

    def beside(self, log: Log) -> Log:
        """Nothing is added."""
        return log

    def _answer(self, due: Due) -> Answer:
        from sim.world.due import Answer
        from sim.world.view import pick_below

        assert self.mind.scenario.options is not None
        choices = self.mind.scenario.options(due.view, due.memory, due.draws)
        if len(choices) > 1:
            if self.decisions % EVERY == 0:
                self.sampled += 1
                self.tokens += self._tokens(self.mind, due, choices)
            self.decisions += 1
        chosen = choices[int(pick_below(due.draws, PICK, len(choices)))]
        return Answer(chosen.code, chosen.amount)

    def _tokens(self, mind: LlmMind, due: Due, choices: Any) -> int:
        from agents.llm.prompt import render

        prompt = render(mind.question(due, choices), frame=mind.frame, thoughts=mind.model.thoughts)
        return int(mind.provider.count(prompt))


def estimate(
    scenario: str,
    *,
    preset: str | None = None,
    changes: Mapping[str, object] | None = None,
    until: float | None = None,
    seed: int = 0,
    mind: str = "llm",
    asking: Asking | None = None,
) -> Estimate:
    """What ``run`` with the same arguments would ask; nothing is asked and no folder is written. Raises as ``run`` does."""
    from agents.llm.provider import Provider, ProviderProblem
    from agents.llm.settings import Asking
    from agents.minds import mixture_of
    from agents.recorded import Recorder
    from experiments.asked import model_behind
    from experiments.plan import plan
    from sim.world.engine import Engine, rule_module

    # A rehearsal needs neither key nor cassette.
    settings = replace(asking or Asking(), cassette=None, cassette_mode="record")
    asked = plan(
        scenario, preset=preset, changes=changes, until=until, seed=seed, mind=mind, asking=settings, log="counters",
        check_minds=False,
    )  # fmt: skip
    if not asked.asks:
        raise UsageProblem("--dry-run: no language model decides in this run, so it asks nothing; add --mind llm.")
    try:
        for name in asked.models:
            Provider(settings.of(name)).check(money=settings.budget.money, key=False)
    except ProviderProblem as error:
        raise UsageProblem(str(error)) from None
    mixture = mixture_of(asked.parts, asked.scenario, rule=asked.rule, asking=settings, until=asked.until)
    stand_ins = {
        place: Rehearsal(model)
        for place, asker in enumerate(mixture.askers)
        if (model := model_behind(asker)) is not None
    }
    recorders = {place: Recorder(stand_in, asked.scenario) for place, stand_in in stand_ins.items()}
    askers = tuple(recorders.get(place, asker) for place, asker in enumerate(mixture.askers))
    engine = Engine(
        asked.scenario, values=asked.values, seed=asked.seed % 2**64, rule=rule_module(asked.rule, asked.scenario),
        rule_name=asked.rule, plan=asked.log, mixture=replace(mixture, askers=askers),
    )  # fmt: skip
    for _ in engine.slices(asked.until, None, steps=200):
        if sum(s.decisions for s in stand_ins.values()) >= ENOUGH:
            break
    engine.close()
    audits = [_audited(recorder, samples=settings.audit) for recorder in recorders.values()]
    return _scaled(asked.until, engine.now, list(stand_ins.values()), audits)


def _audited(recorder: Recorder, *, samples: int) -> dict[str, Any]:
    """What the audit of one model would take."""
    from experiments.rehearsed_audit import rehearsed

    if samples == 0:
        return {"calls": 0, "tokens_in": 0, "tokens_out": 0, "cost": 0.0}
    return rehearsed(recorder.mind.mind, recorder.scenario, recorder.frame(), samples=samples)  # type: ignore[attr-defined]


def _scaled(
    until: float, reached: float, stand_ins: Sequence[Rehearsal], audits: Sequence[Mapping[str, Any]]
) -> Estimate:
    from experiments.rehearsed_audit import answer_tokens

    factor = until / reached if reached > 0 else 1.0
    audit: dict[str, Any] = {name: sum(one[name] for one in audits) for name in ("calls", "tokens_in", "tokens_out")}
    known = all(one["cost"] != "unknown" for one in audits)
    audit["cost"] = sum(one["cost"] for one in audits) if known else "unknown"
    decisions, tokens_in, tokens_out = 0, audit["tokens_in"], audit["tokens_out"]
    cost = audit["cost"] if known else 0.0
    for s in stand_ins:
        count, each = round(s.decisions * factor), answer_tokens(thoughts=s.mind.model.thoughts)
        inward = round(count * s.tokens / s.sampled) if s.sampled else 0
        paid = s.mind.provider.cost(tokens_in=inward, tokens_out=count * each)
        known = known and paid is not None
        decisions, tokens_in, tokens_out = decisions + count, tokens_in + inward, tokens_out + count * each
        cost += paid or 0.0
    return Estimate(
        models=tuple(s.mind.model.name for s in stand_ins), decisions=decisions, calls=decisions + audit["calls"],
        tokens_in=tokens_in, tokens_out=tokens_out, cost=cost if known else "unknown", audit=audit,
        rehearsed=min(reached, until), until=until,
    )  # fmt: skip
