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
    from sim.record.log import Log
    from sim.world.due import Answer, Due

# The rehearsal ends after so many decisions; the rest is extrapolated in proportion to model time.
ENOUGH = 2000
# Every so many decisions a prompt is rendered and its tokens counted.
EVERY = 20
CHOICE_TOKENS, THOUGHT_TOKENS = 8, 120
PICK = 91


@dataclass(frozen=True)
class Estimate:
    """What a run would ask.

    Attributes:
        models: Models asked.
        decisions: Decisions that would be asked of them; for archetypes and tables an upper bound.
        tokens_in: Prompt tokens of all calls.
        tokens_out: Answer tokens, at a guess for the form of the answer.
        cost: US dollars, or ``unknown``.
        rehearsed: Model time rehearsed; decisions beyond it are extrapolated.
        until: Model time of the run.
    """

    models: tuple[str, ...]
    decisions: int
    tokens_in: int
    tokens_out: int
    cost: float | str
    rehearsed: float
    until: float

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)

    def sentence(self) -> str:
        """For people."""
        cost = self.cost if isinstance(self.cost, str) else f"${self.cost:.2f}"
        price = "at an unknown cost" if cost == "unknown" else f"for about {cost}"
        beyond = "" if self.rehearsed >= self.until else f" (extrapolated from model time {self.rehearsed:g})"
        return (
            f"About {self.decisions:,} decisions{beyond} would be asked of {', '.join(self.models)}: {self.tokens_in:,} tokens "
            f"in, {self.tokens_out:,} out, {price}. Retries come on top, replies in a cassette cost nothing. In the rehearsal "
            "models chose at random; nothing was asked and nothing written."
        )


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
    from agents.llm.settings import Asking
    from agents.minds import mixture_of
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
    mixture = mixture_of(asked.parts, asked.scenario, rule=asked.rule, asking=settings, until=asked.until)
    stand_ins = {
        place: Rehearsal(model)
        for place, asker in enumerate(mixture.askers)
        if (model := model_behind(asker)) is not None
    }
    askers = tuple(stand_ins.get(place, asker) for place, asker in enumerate(mixture.askers))
    engine = Engine(
        asked.scenario, values=asked.values, seed=asked.seed % 2**64, rule=rule_module(asked.rule, asked.scenario),
        rule_name=asked.rule, plan=asked.log, mixture=replace(mixture, askers=askers),
    )  # fmt: skip
    for _ in engine.slices(asked.until, None, steps=200):
        if sum(s.decisions for s in stand_ins.values()) >= ENOUGH:
            break
    engine.close()
    return _scaled(asked.until, engine.now, list(stand_ins.values()), thoughts=settings.thoughts)


def _scaled(until: float, reached: float, stand_ins: Sequence[Rehearsal], *, thoughts: bool) -> Estimate:
    factor = until / reached if reached > 0 else 1.0
    each = CHOICE_TOKENS + (THOUGHT_TOKENS if thoughts else 0)
    decisions, tokens_in, tokens_out, cost = 0, 0, 0, 0.0
    known = True
    for s in stand_ins:
        count = round(s.decisions * factor)
        inward = round(count * s.tokens / s.sampled) if s.sampled else 0
        paid = s.mind.provider.cost(tokens_in=inward, tokens_out=count * each)
        known = known and paid is not None
        decisions, tokens_in, tokens_out = decisions + count, tokens_in + inward, tokens_out + count * each
        cost += paid or 0.0
    return Estimate(
        models=tuple(s.mind.model.name for s in stand_ins), decisions=decisions, tokens_in=tokens_in, tokens_out=tokens_out,
        cost=cost if known else "unknown", rehearsed=min(reached, until), until=until,
    )  # fmt: skip
