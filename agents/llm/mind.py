"""The language-model mind: dues become questions, questions become calls or replays, and each gets exactly one answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import polars as pl

from agents.llm.budget import Account
from agents.llm.calls import CUT_SHORT, Calls, Pending
from agents.llm.cassette import REPLAY, Cassette, CassetteProblem, Stored
from agents.llm.ledger import Ledger, ordered, sentence, summary
from agents.llm.loop import Loop
from agents.llm.prompt import Frame, frame_for
from agents.llm.provider import Model, Provider
from agents.llm.views import Question
from sim.record.log import Log
from sim.spec import Choice, Scenario
from sim.world.draws import below, bits
from sim.world.due import CENSORED, Answer, Due

# Purpose of the draw that names a decision's sample; rules use purposes below 100, scenarios 100 and more.
SAMPLE = 90


class LlmMind:
    """Asks one model for one scenario. ``ask`` is called from one thread; calls run in a thread with its own event loop."""

    def __init__(
        self, scenario: Scenario, *, model: Model, account: Account, cassette: Cassette | None = None,
        samples: int = 0, concurrency: int = 32, frame: Frame | None = None,
    ) -> None:  # fmt: skip
        """See ``Model``, ``Account``, ``Cassette``.

        Args:
            scenario: Whose views are answered; it needs ``options`` and ``told``.
            model: How the model is asked.
            account: The run's budget.
            cassette: Where replies are kept and looked up.
            samples: 0 gives each decision a sample of its own; K > 0 lets equal views share K samples.
            concurrency: Most calls under way at once.
            frame: Another frame than the scenario's.
        """
        self.scenario, self.model, self.account, self.cassette = scenario, model, account, cassette
        self.samples, self.frame = samples, frame or frame_for(scenario.name)
        self.seal = self.frame.seal
        self.calls = Calls(model, frame=self.frame, account=account, concurrency=concurrency)
        self.thoughts: list[tuple[float, int, str]] = []
        self._shared: dict[str, Stored] = {}
        self._words = {f.name: f.words for f in scenario.view if not f.per_option}
        how = [model.name, model.temperature, model.max_tokens, model.structured, model.thoughts, self.seal]
        self._named = hashlib.blake2b(json.dumps(how).encode(), digest_size=16)
        self._loop: Loop | None = None
        self._under_way: set[Future[dict[int, Stored]]] = set()

    def twin(self, *, frame: Frame | None = None) -> LlmMind:
        """Another mind of the same model, account and cassette that has answered nothing yet; in another frame if given."""
        return type(self)(
            self.scenario, model=self.model, account=self.account, cassette=self.cassette, frame=frame or self.frame,
            concurrency=self.calls.limiter.most,
        )  # fmt: skip

    @property
    def provider(self) -> Provider:
        """Who is asked."""
        return self.calls.provider

    @property
    def ledger(self) -> Ledger:
        """The ledger so far."""
        return self.calls.ledger

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """Begin to answer; see ``sim.world.batches.Asker``."""
        answers: list[Answer | None] = [None] * len(dues)
        asked: list[Pending] = []
        for place, due in enumerate(dues):
            choices = due.offered(self.scenario)
            if len(choices) == 1:
                answers[place] = Answer(choices[0].code, choices[0].amount)
                continue
            view, sample = self._view(due), self._sample(due)
            asked.append(Pending(place, due, view, sample, self._key(view, sample)))
        live, twins = self._replay(asked, answers)
        done: Future[list[Answer]] = Future()
        if not live:
            done.set_result([a for a in answers if a is not None])
            return done
        self._refuse_to_ask(live[0])
        self._loop = self._loop or Loop.borrow()
        work = self._loop.submit(self.calls.batch(live, cassette=self.cassette))

        def finish(asked: Future[dict[int, Stored]]) -> None:
            if asked.cancelled():
                done.cancel()
            elif (error := asked.exception()) is not None:
                done.set_exception(error)
            else:
                made = asked.result()
                if self.samples and (self.cassette is None or not self.cassette.writes):
                    self._shared |= {p.key: made[p.place] for p in live}
                for p in live:
                    origin = "censored" if made[p.place].choice < 0 else "llm"
                    answers[p.place] = self._answer(p, made[p.place], origin)
                self._fill([(p, made[first.place]) for p, first in twins], answers)
                done.set_result([a for a in answers if a is not None])

        self._under_way = {w for w in self._under_way if not w.done()} | {work}
        work.add_done_callback(finish)
        return done

    def question(self, due: Due, choices: Sequence[Choice]) -> Question:
        """A due decision as a question: the view, what is remembered, and the sample; nothing about who asks."""
        view = due.view
        return Question(
            scenario=self.scenario.name,
            fields={f: _number(getattr(view, f)) for f in self._words},
            words=self._words,
            options=tuple(choices),
            memory=tuple([self.scenario.told(h, view) for h in due.memory]),  # type: ignore[misc]
            width=int(getattr(view, "width", 0)),
            sample=self._sample(due),
        )

    def key(self, question: Question) -> str:
        """The name of a request: model, parameters, prompt version, view and sample."""
        return self._key(question, question.sample)

    def _view(self, due: Due) -> Question:
        """The question of all who see, remember and may choose the same; each asks it in a sample of its own."""
        shelf, name = due.shelf(self.scenario), (self.scenario.options, self.scenario.told)
        made: Question | None = shelf.get(name)
        if made is None:
            made = shelf[name] = self.question(due, due.offered(self.scenario))
        return made

    def _sample(self, due: Due) -> int:
        name, count = due.draws
        return int(below(name, count, SAMPLE, self.samples) if self.samples else bits(name, count, SAMPLE) >> 1)

    def _key(self, view: Question, sample: int) -> str:
        made = self._named.copy()
        made.update(f"{view.view_hash}{sample}".encode())
        return made.hexdigest()

    def close(self) -> None:
        """End the calls under way and let go of the model and the cassette; what was learned of the run stays readable."""
        self.let_go()
        if self.cassette is not None:
            self.cassette.close()

    def let_go(self) -> None:
        """Close all but the cassette, which other minds of the run use too."""
        for work in self._under_way:
            work.cancel()
        if self._loop is not None:
            self._loop.give_back(self.provider.close)
            self._loop = None

    def beside(self, log: Log) -> Log:
        """The run's tables with ledger, payloads and the share of genuine decisions."""
        ledger = mine = self.ledger.table()
        if log.ledger is not None:
            ledger = ordered(pl.concat([log.ledger, ledger]))
        payloads = log.payloads
        if self.thoughts:
            rows = sorted(self.thoughts)
            start = 0 if payloads is None else payloads.height
            said = pl.DataFrame(
                {
                    "id": range(start, start + len(rows)),
                    "time": [r[0] for r in rows],
                    "agent": [r[1] for r in rows],
                    "text": [r[2] for r in rows],
                }
            )
            payloads = said if payloads is None else pl.concat([payloads, said])
        notes = (*log.notes, *self._notes(mine))
        return replace(log, ledger=ledger, payloads=payloads, notes=notes)

    def _notes(self, ledger: pl.DataFrame) -> list[str]:
        spent = summary(ledger)
        made = [sentence(self.model.name, spent["decisions"])]
        if spent["calls_without_tokens"]:
            made.append(
                f"{spent['calls_without_tokens']:,} of {spent['calls']:,} calls of {self.model.name} were answered without a "
                "word on tokens: what they took is unknown, and the budget counted what was reserved for them."
            )
        cut = int((ledger["status"] == CUT_SHORT).sum())
        if cut:
            made.append(
                f"{cut:,} replies of {self.model.name} were cut short at {self.model.max_tokens:,} tokens and could not be "
                "read: raise --max-tokens."
            )
        if self.samples:
            made.append(
                f"Equal views shared {self.samples} samples of the model's answers: agents alike may act alike for it."
            )
        return made

    def _replay(
        self, asked: list[Pending], answers: list[Answer | None]
    ) -> tuple[list[Pending], list[tuple[Pending, Pending]]]:
        """Answer what is stored; return what has to be asked, and equal requests beside the one that is asked for them."""
        known = self.cassette.find([p.key for p in asked]) if self.cassette is not None else {}
        there, live, twins = [], [], []
        first: dict[str, Pending] = {}
        for p in asked:
            stored = known.get(p.key) or self._shared.get(p.key)
            if stored is not None:
                there.append((p, stored))
            elif p.key in first:
                twins.append((p, first[p.key]))
            else:
                first[p.key] = p
                live.append(p)
        self._fill(there, answers)
        return live, twins

    def _fill(self, there: Sequence[tuple[Pending, Stored]], answers: list[Answer | None]) -> None:
        """Answer without a call."""
        origins = ["censored" if stored.choice < 0 else "cassette" for _, stored in there]
        for (p, stored), origin in zip(there, origins, strict=True):
            answers[p.place] = self._answer(p, stored, origin)
        self.ledger.replayed(
            time=[p.due.time for p, _ in there], agent=[p.due.agent for p, _ in there], request=[p.key for p, _ in there],
            sample=[p.sample for p, _ in there], status=[stored.status for _, stored in there], origin=origins,
        )  # fmt: skip

    def _answer(self, p: Pending, stored: Stored, origin: str) -> Answer:
        if stored.thoughts:
            self.thoughts.append((p.due.time, p.due.agent, stored.thoughts))
        if stored.choice < 0:
            return CENSORED
        chosen = p.view.options[stored.choice]
        return Answer(chosen.code, chosen.amount, origin)

    def _refuse_to_ask(self, p: Pending) -> None:
        """Before the first call: a replay never asks, and what is plainly missing is said in one sentence."""
        if self.cassette is not None and self.cassette.mode == REPLAY:
            raise CassetteProblem(
                f"{self.cassette.path}: it holds no reply to request {p.key} (view {p.view.view_hash[:12]}, sample "
                f"{p.sample}, model time {p.due.time:g}); this run is not the recorded one, or its recording was "
                "cut short. Go on with --cassette-mode replay-or-live."
            )
        self.calls.check()


def _number(value: Any) -> float:
    """A Python number; whole ones stay whole in the prompt."""
    return value.item() if hasattr(value, "item") else value  # type: ignore[no-any-return]
