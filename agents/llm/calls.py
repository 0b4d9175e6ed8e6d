"""Calls: a batch of questions put to one model, within limits and budget, tried again as configured, each answered once."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from agents.llm.budget import Account, BudgetReached
from agents.llm.cassette import Cassette, Recording, Stored
from agents.llm.ledger import Entry, Ledger
from agents.llm.limiter import Limiter
from agents.llm.prompt import Frame, Prompt, Unreadable, read_reply, render
from agents.llm.provider import (
    FATAL,
    THROTTLED,
    Model,
    Provider,
    ProviderProblem,
    Said,
    own_words,
    shown_url,
    took_nothing,
    without_keys,
)
from agents.llm.views import Question
from sim.world.due import Due

OK, CUT_SHORT, REFUSED = "ok", "cut short", "request refused"
# How often a provider may ask for a pause before one decision is given up.
PAUSES = 20
# After so many failed calls and not a single answer a run stops: that is no fault but a wrong address.
SILENCE = 8
# After so many replies of which not one could be read a run stops. Where a fifth of them are spoiled that is one run in 10^16.
UNREAD = 24
FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
# Tokens in a letter of a prompt that are reserved, until a provider reports more; tokenizers make about 1/3 of such prompts.
DENSE = 0.5
# How much of a reply that cannot be read is shown.
SHOWN = 120
# Replies are written in groups of at most so many, and none waits longer than so many seconds.
GROUP, DELAY = 32, 0.05


class Pending(NamedTuple):
    """One decision on its way: where it belongs, what is asked in which sample, and the name of the request.

    ``prompt`` is what is sent where the view does not say it: an open question.
    """

    place: int
    due: Due
    view: Question
    sample: int
    key: str
    prompt: Prompt | None = None


class Reply(NamedTuple):
    """How one decision ended: the reply, the call that brought it, and what is to be kept of both."""

    pending: Pending
    attempt: int
    said: Said | None
    recording: Recording


class Calls:
    """Calls of one model in one run; ``batch`` runs in the loop of ``agents.llm.loop``."""

    def __init__(self, model: Model, *, frame: Frame, account: Account, concurrency: int) -> None:
        self.model, self.frame, self.account = model, frame, account
        self.seal, self.provider, self.limiter = frame.seal, Provider(model), Limiter(concurrency)
        self.ledger = Ledger(model=model.name, frame=frame.seal)
        self._ready = self._answered = self._understood = False
        self._unanswered = self._unread = 0
        self._dense, self._words = DENSE, ""

    def check(self) -> None:
        """Say before the first call, in one sentence, what is plainly missing: ProviderProblem."""
        if self._ready:
            return
        self.provider.check(money=self.account.budget.money)
        self._ready = True

    async def batch(self, live: Sequence[Pending], *, cassette: Cassette | None) -> dict[int, Stored]:
        """Ask everything; after the first error nothing new is begun, and what is under way is recorded."""
        queue, errors, group = deque(live), list[BaseException](), _Group(cassette, self)

        async def work() -> None:
            while queue and not errors:
                p = queue.popleft()
                try:
                    group.add(await self._decide(p))
                except Exception as error:
                    errors.append(error)
                # Answers that have come are read before new questions are asked: like work together is quicker.
                await asyncio.sleep(0)

        try:
            await asyncio.gather(*[work() for _ in range(min(len(live), self.limiter.most))])
        finally:
            group.end()
        if errors:
            raise errors[0]
        return group.made

    def enter(
        self, p: Pending, attempt: int, status: str, *, said: Said | None = None, origin: str | None = None
    ) -> None:
        """A row of the ledger for a call."""
        cost = None if said is None else self._cost(said)
        self.ledger.calls.append(
            Entry(
                p.due.time, p.due.agent, self.model.name, said.model if said else None, p.key, self.seal,
                p.sample, attempt, status, said.tokens_in if said else None, said.tokens_out if said else None,
                said.tokens_cached if said else None, cost, said.latency if said else None, origin,
            )
        )  # fmt: skip

    async def _decide(self, p: Pending) -> Reply:
        """One decision: call, read, try again as configured, and at last censor."""
        prompt = p.prompt or render(p.view.at(p.sample), frame=self.frame, thoughts=self.model.thoughts)
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
                self._understood = self._understood or stored is not None
            except (ProviderProblem, asyncio.CancelledError):
                raise
            except Exception as error:
                self._unanswered += 1
                kind, status, pause = self._failed(error, p, attempt)
                pauses += kind == THROTTLED
                wait = min(LONGEST_WAIT, FIRST_WAIT * 2**failures) if pause is None else pause
                if kind == THROTTLED and pauses <= PAUSES:
                    failures -= 1
            finally:
                self.limiter.leave()
            if stored is not None:
                return self._reply(p, attempt, prompt, stored, said)
            if said is not None:
                self._heard(p, attempt, status, said)
            failures += 1
            if failures > self.model.retries:
                if not self._answered and self._unanswered >= SILENCE:
                    self.enter(p, attempt, status)
                    raise ProviderProblem(self._nobody(status))
                return self._reply(p, attempt, prompt, Stored(-1, status), said)
            self.enter(p, attempt, status, said=said)
            await asyncio.sleep(wait)

    def _reply(self, p: Pending, attempt: int, prompt: Prompt, stored: Stored, said: Said | None) -> Reply:
        made = Recording(
            p.key, self.model.name, self.seal, p.view.view_hash, p.sample, stored,
            prompt.messages[0]["content"],
        )  # fmt: skip
        if said is not None:
            made = made._replace(
                reply=said.text or "", reported_model=said.model, tokens_in=said.tokens_in, tokens_out=said.tokens_out,
                tokens_cached=said.tokens_cached, latency=said.latency,
            )  # fmt: skip
        return Reply(p, attempt, said, made)

    def _heard(self, p: Pending, attempt: int, status: str, said: Said) -> None:
        """A reply that could not be read; ProviderProblem, with the call in the ledger, when that is all that ever came."""
        self._unread += 1
        if self._understood or self._unread < UNREAD:
            return
        self.enter(p, attempt, status, said=said)
        begins = without_keys(said.text or "")[:SHOWN]
        shown = f"last: {status}, it begins with: {begins}" if begins else f"last: {status}, without a word"
        advice = (
            "raise --max-tokens" if status == CUT_SHORT else "choose another --model, or another form with --structured"
        )
        raise ProviderProblem(
            f"model '{self.model.name}': {self._unread} replies came and not one could be read ({shown}); {advice}."
        )

    def _nobody(self, status: str) -> str:
        where = shown_url(self.model.base_url) if self.model.base_url else "the provider"
        return (
            f"model '{self.model.name}': no call to {where} was ever answered (last: {status}{self._words}); check --base-url, "
            "and that the server runs."
        )

    async def _call(self, p: Pending, prompt: Prompt) -> Said:
        """One call within the budget. BudgetReached is raised before anything is sent."""
        size = len(prompt.messages[0]["content"])
        inward, outward = math.ceil(size * self._dense), self.model.max_tokens
        tokens, money = inward + outward, self.provider.cost(tokens_in=inward, tokens_out=outward)
        try:
            await self.account.room(tokens, money)
        except BudgetReached as error:
            raise _Stop(error) from error
        # A call that is cut or given up may have been worked on.
        used, paid = None, None
        try:
            said = await self.provider.ask(prompt, seed=int(p.key[:8], 16) >> 1)
            used, paid = said.tokens, self._cost(said)
            self._dense = max(self._dense, (said.tokens_in or 0) / size)
            return said
        except Exception as error:
            if took_nothing(error):
                used, paid = 0, 0.0
            raise
        finally:
            self.account.settle(tokens, money, used=used, paid=paid)

    def _cost(self, said: Said) -> float | None:
        return self.provider.cost(
            tokens_in=said.tokens_in, tokens_out=said.tokens_out, tokens_cached=said.tokens_cached
        )

    def _failed(self, error: Exception, p: Pending, attempt: int) -> tuple[str, str, float | None]:
        if isinstance(error, _Stop):
            raise error.reason
        kind, word, pause = self.provider.meaning(error)
        if kind == FATAL:
            self.enter(p, attempt, REFUSED)
            raise ProviderProblem(word) from None
        # A connection that fails, or takes too long, leaves no words but the library's.
        said = "" if word in {"connection", "timeout"} else own_words(error)
        self._words = f", it says: {said}" if said else ""
        if kind == THROTTLED:
            self.limiter.complained(come_back=pause)
        return kind, word, pause


class _Group:
    """Replies on their way into the cassette: one transaction for several, and nobody waits for it but the batch's end."""

    def __init__(self, cassette: Cassette | None, calls: Calls) -> None:
        self.cassette = cassette if cassette is not None and cassette.writes else None
        self.calls = calls
        self.made: dict[int, Stored] = {}
        self._open: list[Reply] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, reply: Reply) -> None:
        """Take a reply; sqlite3.Error when the cassette cannot be written."""
        self._open.append(reply)
        if self.cassette is None or len(self._open) >= GROUP:
            self._write()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self._late)

    def end(self) -> None:
        """Write what is left."""
        self._write()

    def _late(self) -> None:
        # What fails is tried again, and told of, with the next reply or at the end.
        with suppress(sqlite3.Error):
            self._write()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        replies, recordings = self._open, [r.recording for r in self._open]
        # The one that stands is what counts: another process may have been quicker.
        stands = [r.stored for r in recordings] if self.cassette is None else self.cassette.store(recordings)
        self._open = []
        for r, stored in zip(replies, stands, strict=True):
            self.made[r.pending.place] = stored
            origin = "censored" if stored.choice < 0 else "llm"
            self.calls.enter(r.pending, r.attempt, r.recording.stored.status, said=r.said, origin=origin)


class _Stop(Exception):
    """Carries a budget's refusal through the retries."""

    def __init__(self, reason: RuntimeError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _read(said: Said, ids: dict[str, int]) -> tuple[str, Stored | None]:
    """How a reply was read, and what it says; None for no answer."""
    if said.refused:
        return "refused", None
    if not ids:
        return (OK, Stored(0, OK, said.text)) if said.text else ("unreadable", None)
    try:
        reply = read_reply(said.text, ids)
    except Unreadable:
        return CUT_SHORT if said.cut else "unreadable", None
    return OK, Stored(reply.option, OK, reply.thoughts)
