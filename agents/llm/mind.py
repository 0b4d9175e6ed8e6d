"""The language-model mind: dues become questions, questions become calls or replays, and each gets exactly one answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from agents.llm.budget import Account
from agents.llm.cassette import REPLAY, Cassette, CassetteProblem, Recording, Stored
from agents.llm.ledger import Entry, sentence, summary, table
from agents.llm.limiter import Limiter
from agents.llm.prompt import Frame, Unreadable, frame_for, read_reply, render
from agents.llm.provider import FATAL, THROTTLED, Model, Provider, ProviderProblem, Said, shown_url
from agents.llm.views import Option, Question
from sim.record.log import Log
from sim.spec import Choice, Scenario
from sim.world.batches import CENSORED, Answer, Due
from sim.world.draws import below, bits

# Purpose of the draw that names a decision's sample; rules use purposes below 100, scenarios 100 and more.
SAMPLE = 90
OK, LOST = "ok", "censored"
# How often a provider may ask for a pause before one decision is given up.
PAUSES = 20
# After so many failed calls and not a single answer a run stops: that is no fault but a wrong address.
SILENCE = 8
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0


@dataclass(frozen=True)
class Pending:
    """One decision on its way: where it belongs, what is asked, and the name of the request."""

    place: int
    due: Due
    question: Question
    key: str


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
        self.provider, self.limiter = Provider(model), Limiter(concurrency)
        self.entries: list[Entry] = []
        self.thoughts: list[tuple[float, int, str]] = []
        self._shared: dict[str, Stored] = {}
        self._words = {f.name: f.words for f in scenario.view if not f.per_option}
        self._prefix = json.dumps(
            [model.name, model.temperature, model.max_tokens, model.structured, model.thoughts, self.seal]
        ).encode()
        self._loop: Loop | None = None
        self._under_way: set[Future[dict[int, Stored]]] = set()
        self._ready = self._answered = False
        self._unanswered = 0

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """Begin to answer; see ``sim.world.batches.Asker``."""
        answers: list[Answer | None] = [None] * len(dues)
        options: list[Sequence[Choice]] = []
        open_: list[Pending] = []
        for place, due in enumerate(dues):
            choices = self.scenario.options(due.view, due.memory, due.draws)  # type: ignore[misc]
            options.append(choices)
            if len(choices) == 1:
                answers[place] = Answer(choices[0].code, choices[0].amount)
                continue
            question = self.question(due, choices)
            open_.append(Pending(place, due, question, self.key(question)))
        live, twins = self._replay(open_, answers, options)
        done: Future[list[Answer]] = Future()
        if not live:
            done.set_result([a for a in answers if a is not None])
            return done
        self._refuse_to_ask(live[0])
        self._loop = self._loop or Loop.borrow()
        work = self._loop.submit(self._batch(live))

        def finish(asked: Future[dict[int, Stored]]) -> None:
            if asked.cancelled():
                done.cancel()
            elif (error := asked.exception()) is not None:
                done.set_exception(error)
            else:
                made = asked.result()
                for p in live:
                    origin = "censored" if made[p.place].choice < 0 else "llm"
                    answers[p.place] = self._answer(p, made[p.place], options[p.place], origin)
                for p, first in twins:
                    answers[p.place] = self._replayed(p, made[first.place], options[p.place])
                done.set_result([a for a in answers if a is not None])

        self._under_way = {w for w in self._under_way if not w.done()} | {work}
        work.add_done_callback(finish)
        return done

    def question(self, due: Due, choices: Sequence[Choice]) -> Question:
        """A due decision as a question: the view, what is remembered, and the sample; nothing about who asks."""
        view = due.view
        name, count = due.draws.stream, due.draws.count
        sample = int(below(name, count, SAMPLE, self.samples) if self.samples else bits(name, count, SAMPLE) >> 1)
        return Question(
            scenario=self.scenario.name,
            fields={f: _number(getattr(view, f)) for f in self._words},
            words=self._words,
            options=tuple(Option(str(n), c.words, c.code, c.features, c.amount) for n, c in enumerate(choices)),
            memory=tuple([self.scenario.told(h, view) for h in due.memory]),  # type: ignore[misc]
            width=int(getattr(view, "width", 0)),
            sample=sample,
        )

    def key(self, question: Question) -> str:
        """The name of a request: model, parameters, prompt version, view and sample."""
        text = self._prefix + f"{question.view_hash}{question.sample}".encode()
        return hashlib.blake2b(text, digest_size=16).hexdigest()

    def close(self) -> None:
        """End the calls under way and let go of the model and the cassette; what was learned of the run stays readable."""
        for work in self._under_way:
            work.cancel()
        if self._loop is not None:
            self._loop.give_back(self.provider.close)
            self._loop = None
        if self.cassette is not None:
            self.cassette.close()

    def beside(self, log: Log) -> Log:
        """The run's tables with ledger, payloads and the share of genuine decisions."""
        entries = list(self.entries)
        ledger = table(entries)
        if log.ledger is not None:
            ledger = pl.concat([log.ledger, ledger]).sort("time", "agent", "attempt", maintain_order=True)
        payloads = log.payloads
        if self.thoughts:
            rows = sorted(self.thoughts)
            start = 0 if payloads is None else payloads.height
            mine = pl.DataFrame(
                {
                    "id": range(start, start + len(rows)),
                    "time": [r[0] for r in rows],
                    "agent": [r[1] for r in rows],
                    "text": [r[2] for r in rows],
                }
            )
            payloads = mine if payloads is None else pl.concat([payloads, mine])
        notes = (*log.notes, *self._notes(table(entries)))
        return replace(log, ledger=ledger, payloads=payloads, notes=notes)

    def _notes(self, ledger: pl.DataFrame) -> list[str]:
        made = [sentence(self.model.name, summary(ledger)["decisions"])]
        if self.samples:
            made.append(
                f"Equal views shared {self.samples} samples of the model's answers: agents alike may act alike for it."
            )
        return made

    def _replay(
        self, open_: list[Pending], answers: list[Answer | None], options: list[Sequence[Choice]]
    ) -> tuple[list[Pending], list[tuple[Pending, Pending]]]:
        """Answer what is stored; return what has to be asked, and equal requests beside the one that is asked for them."""
        keys = [p.key for p in open_]
        known = self.cassette.find(keys) if self.cassette is not None else {}
        live, twins = [], []
        first: dict[str, Pending] = {}
        for p in open_:
            stored = known.get(p.key) or self._shared.get(p.key)
            if stored is not None:
                answers[p.place] = self._replayed(p, stored, options[p.place])
            elif p.key in first:
                twins.append((p, first[p.key]))
            else:
                first[p.key] = p
                live.append(p)
        return live, twins

    def _replayed(self, p: Pending, stored: Stored, choices: Sequence[Choice]) -> Answer:
        origin = "censored" if stored.choice < 0 else "cassette"
        self._enter(p, 0, stored.status, origin=origin)
        return self._answer(p, stored, choices, origin)

    def _answer(self, p: Pending, stored: Stored, choices: Sequence[Choice], origin: str) -> Answer:
        if stored.thoughts:
            self.thoughts.append((p.due.time, p.due.agent, stored.thoughts))
        if stored.choice < 0:
            return CENSORED
        chosen = choices[stored.choice]
        return Answer(chosen.code, chosen.amount, origin)

    def _enter(
        self, p: Pending, attempt: int, status: str, *, said: Said | None = None, origin: str | None = None
    ) -> None:
        cost = None
        if said is not None:
            cost = self.provider.cost(
                tokens_in=said.tokens_in, tokens_out=said.tokens_out, tokens_cached=said.tokens_cached
            )
        self.entries.append(
            Entry(
                time=p.due.time, agent=p.due.agent, model=self.model.name, request=p.key, frame=self.seal,
                sample=p.question.sample, attempt=attempt, status=status, origin=origin, cost=cost,
                reported_model=said.model if said else None, tokens_in=said.tokens_in if said else None,
                tokens_out=said.tokens_out if said else None, tokens_cached=said.tokens_cached if said else None,
                latency=said.latency if said else None,
            )
        )  # fmt: skip

    def _refuse_to_ask(self, p: Pending) -> None:
        """Before the first call: a replay never asks, and what is plainly missing is said in one sentence."""
        if self.cassette is not None and self.cassette.mode == REPLAY:
            raise CassetteProblem(
                f"{self.cassette.path}: it holds no reply to request {p.key} (view {p.question.view_hash[:12]}, sample "
                f"{p.question.sample}, model time {p.due.time:g}); this run is not the recorded one, or its recording was "
                "cut short. Go on with --cassette-mode replay-or-live."
            )
        if not self._ready:
            self.provider.check()
            if self.account.budget.money is not None and self.provider.cost(tokens_in=1, tokens_out=1) is None:
                raise ProviderProblem(
                    f"--budget-money: the price of model '{self.model.name}' is unknown, so money cannot be limited; "
                    "limit --budget-calls or --budget-tokens instead."
                )
            self._ready = True

    async def _batch(self, live: Sequence[Pending]) -> dict[int, Stored]:
        """Ask everything of a batch; after the first error nothing new is begun, and what is under way is recorded."""
        queue, made, errors = deque(live), dict[int, Stored](), list[BaseException]()

        async def work() -> None:
            while queue and not errors:
                p = queue.popleft()
                try:
                    made[p.place] = await self._decide(p)
                except Exception as error:
                    errors.append(error)

        await asyncio.gather(*[work() for _ in range(min(len(live), self.limiter.most))])
        if errors:
            raise errors[0]
        return made

    async def _decide(self, p: Pending) -> Stored:
        """One decision: call, read, try again as configured, and at last censor."""
        prompt = render(p.question, frame=self.frame, thoughts=self.model.thoughts)
        text = prompt.messages[0]["content"]
        failures = pauses = attempt = 0
        while True:
            attempt += 1
            await self.limiter.enter()
            said, status, wait, stored = None, OK, 0.0, None
            try:
                said = await self._call(p, prompt)
                self.limiter.succeeded()
                self._answered = True
                status, stored = _read(said, prompt.ids)
            except (ProviderProblem, asyncio.CancelledError):
                raise
            except Exception as error:
                self._unanswered += 1
                kind, status, pause = self._failed(error)
                pauses += kind == THROTTLED
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2**failures) if pause is None else pause
                if kind == THROTTLED and pauses <= PAUSES:
                    failures -= 1
            finally:
                self.limiter.leave()
            if stored is None:
                failures += 1
                if failures <= self.model.retries:
                    self._enter(p, attempt, status, said=said)
                    await asyncio.sleep(wait)
                    continue
                if not self._answered and self._unanswered >= SILENCE:
                    raise ProviderProblem(self._nobody(status))
                stored = Stored(-1, status)
            stands = self._keep(p, text, stored, said)
            self._enter(p, attempt, status, said=said, origin="censored" if stands.choice < 0 else "llm")
            return stands

    def _nobody(self, status: str) -> str:
        where = shown_url(self.model.base_url) if self.model.base_url else "the provider"
        return (
            f"model '{self.model.name}': no call to {where} was ever answered (last: {status}); check --base-url, and that "
            "the server runs."
        )

    async def _call(self, p: Pending, prompt: Any) -> Said:
        """One call within the budget. BudgetReached is raised before anything is sent."""
        tokens = len(prompt.messages[0]["content"]) // 3 + self.model.max_tokens
        money = self.provider.cost(tokens_in=tokens - self.model.max_tokens, tokens_out=self.model.max_tokens)
        try:
            self.account.reserve(tokens, money)
        except RuntimeError as error:
            raise _Stop(error) from error
        used, paid = 0, None
        try:
            said = await self.provider.ask(prompt, seed=int(p.key[:8], 16) >> 1)
            used = said.tokens_in + said.tokens_out
            paid = self.provider.cost(
                tokens_in=said.tokens_in, tokens_out=said.tokens_out, tokens_cached=said.tokens_cached
            )
            return said
        finally:
            self.account.settle(tokens, money, used=used, paid=paid)

    def _failed(self, error: Exception) -> tuple[str, str, float | None]:
        if isinstance(error, _Stop):
            raise error.reason
        kind, word, pause = self.provider.meaning(error)
        if kind == FATAL:
            raise ProviderProblem(word) from None
        if kind == THROTTLED:
            self.limiter.complained(come_back=pause)
        return kind, word, pause

    def _keep(self, p: Pending, text: str, stored: Stored, said: Said | None) -> Stored:
        """Store a reply; the one that stands is what counts."""
        if self.cassette is None or not self.cassette.writes:
            if self.samples:
                self._shared[p.key] = stored
            return stored
        recording = Recording(
            key=p.key, model=self.model.name, frame=self.seal, view=p.question.view_hash, sample=p.question.sample,
            stored=stored, prompt=text,
        )  # fmt: skip
        if said is not None:
            recording = replace(
                recording, reply=said.text or "", reported_model=said.model, tokens_in=said.tokens_in,
                tokens_out=said.tokens_out, tokens_cached=said.tokens_cached, latency=said.latency,
            )  # fmt: skip
        return self.cassette.store(recording)


def _number(value: Any) -> float:
    """A Python number; whole ones stay whole in the prompt."""
    return value.item() if hasattr(value, "item") else value  # type: ignore[no-any-return]


class _Stop(Exception):
    """Carries a budget's refusal through the retries."""

    def __init__(self, reason: RuntimeError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _read(said: Said, ids: dict[str, int]) -> tuple[str, Stored | None]:
    """How a reply was read, and what it says; None for no answer."""
    if said.refused:
        return "refused", None
    try:
        reply = read_reply(said.text, ids)
    except Unreadable:
        return "unreadable", None
    return OK, Stored(reply.option, OK, reply.thoughts)


class Loop:
    """One event loop for all minds of a process, in a thread of its own: it works under notebooks, pages and other loops.

    LiteLLM keeps objects that belong to the loop that made them, so there is one as long as anybody asks, and no other.
    """

    _lock = threading.Lock()
    _only: Loop | None = None

    def __init__(self) -> None:
        self.users = 0
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model calls", daemon=True)
        self._thread.start()

    @classmethod
    def borrow(cls) -> Loop:
        """The loop, made where there is none (in this process: a forked child has no thread)."""
        with cls._lock:
            if cls._only is None or cls._only.pid != os.getpid():
                cls._only = cls()
            cls._only.users += 1
            return cls._only

    def submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def give_back(self, last: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """One user less; after the last one everything under way is cancelled, ``last`` is run, and the thread ends."""
        with Loop._lock:
            self.users -= 1
            if self.users > 0:
                return
            Loop._only = None

        async def end() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await last()

        try:
            self.submit(end()).result(timeout=5.0)
        except TimeoutError:
            pass  # a client that does not let go dies with the thread
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)
            if not self._thread.is_alive():
                self._loop.close()
