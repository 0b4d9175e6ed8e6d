"""Batches: whose decisions are due, and where the answers of minds outside the kernel go.

What is asked together depends on the update semantics alone, never on slices, pauses or who answers first. Synchronous:
everybody who is asked in a round. Sequential random: everybody whose next turn is to decide, for until then nothing can
change what they sense. Event time: model time is divided into windows; at the first decision that is due in a window all
decisions of the window that are pending by then are asked together, each is applied at its due time, and one that was born
inside the window waits for its end. A window of 0 asks one moment at a time, which is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sim.record.events import ORIGIN_CODES
from sim.record.log import Log
from sim.spec import ParameterError
from sim.world.asking import STATE, next_turns
from sim.world.books import NOW, PENDING, PLACE, ROUND
from sim.world.clock import schedule, take_first
from sim.world.due import Answer, Due, Senses
from sim.world.linker import link
from sim.world.loops import advance_events, advance_rounds
from sim.world.population import streams

# What sets the draw of who has which mind apart.
SEATING = 0x5EA7
# How many sweeps of the population the look-ahead of sequential updates covers at most.
SWEEPS = 8
# Seconds between two looks at whether the answers are there: the longest a pause or Ctrl-C has to wait.
PATIENCE = 0.02


class Asker(Protocol):
    """A mind that answers in batches."""

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """Begin to answer; the future's list is in the order of ``dues``. Its exception ends the run."""

    def close(self) -> None:
        """Let go of everything; the mind is not asked again."""

    def beside(self, log: Log) -> Log:
        """The run's tables with what this mind adds to them: ledger, payloads, notes."""


@dataclass(frozen=True)
class Seat:
    """One mind of a mixture and who has it: agents by number, or else a share of the others, or else the rest.

    ``ruled`` and ``asked`` are as in Mixture.
    """

    ruled: int
    asked: int
    share: float | None = None
    agents: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mixture:
    """Who decides in a mixed population.

    Attributes:
        rules: Compiled rules (modules), up to three; the first is the scenario's own.
        ruled: Which rule each row follows and learns by, (agents,); -1 for a memory instead.
        asked: Which asker each row asks, (agents,); -1 for none, and then its rule decides.
        askers: The minds that are asked.
        seats: Who has which mind, instead of ``ruled`` and ``asked``; nobody's seat is the first rule's.
        names: Names of the minds beside the first rule, for the scenario's ``Setup``.
        memory: How many outcomes a memory holds.
        window: Length of the windows of event time, in model time; 0 asks one moment at a time.
        until: When the run ends: nothing that is due later is asked.
    """

    rules: tuple[Any, ...]
    ruled: np.ndarray | None = None
    asked: np.ndarray | None = None
    askers: tuple[Asker, ...] = ()
    names: tuple[str, ...] = ()
    memory: int = 5
    window: float = 0.0
    seats: tuple[Seat, ...] = ()
    until: float = math.inf

    def seated(self, agents: Any, *, row_of: np.ndarray, bound: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """``ruled`` and ``asked`` by row; rows that are ``bound`` by the scenario keep the first rule.

        Raises:
            ParameterError: For an agent number that does not exist or is named twice.
        """
        n = len(agents)
        free = np.ones(n, bool) if bound is None else ~bound
        ruled, asked = np.zeros(n, np.int64), np.full(n, -1)
        if self.ruled is not None and self.asked is not None:
            ruled[free], asked[free] = self.ruled[free], self.asked[free]
            return ruled, asked
        named = [number for seat in self.seats for number in seat.agents]
        wrong = [number for number in named if number >= n or named.count(number) > 1]
        if wrong:
            raise ParameterError(f"--mind: expected agents from 0 to {n - 1}, each once, got {wrong[0]}.")
        free[row_of[np.array(named, np.int64)]] = False
        drawn = np.flatnonzero(free)
        drawn = drawn[np.argsort(streams(SEATING, agents["key"])[drawn])]
        counts = [0 if seat.agents else round((seat.share or 0.0) * len(drawn)) for seat in self.seats]
        rest = next((i for i, seat in enumerate(self.seats) if seat.share is None and not seat.agents), None)
        if rest is not None:
            counts[rest] = max(0, len(drawn) - sum(counts))
        start = 0
        for seat, count in zip(self.seats, counts, strict=True):
            rows = row_of[np.array(seat.agents, np.int64)] if seat.agents else drawn[start : start + count]
            start += count
            rows = rows if bound is None else rows[~bound[rows]]
            ruled[rows], asked[rows] = seat.ruled, seat.asked
        return ruled, asked


class Batches:
    """The decisions that wait for an answer in one running world."""

    def __init__(self, built: Any, mixture: Mixture, *, compiled: bool = True) -> None:
        self.mixture = mixture
        self.physics: Mapping[str, Any] = built.physics
        self.senses = Senses(built.physics)
        turns = {"next_turns": next_turns}
        self.ahead = link(turns, bindings=self.physics, compiled=compiled) if "parties" in self.physics else None
        self.loop = built.loop
        self.window_end = -math.inf
        self._waiting: list[tuple[list[Due], Future[list[Answer]]]] = []

    def settle(self, engine: Any, sink: Any) -> Iterator[float]:
        """Bring the answers for the next steps, yielding the present while they are on their way.

        When the generator is dropped the questions stay under way, and the next call waits for the same answers.
        """
        if not self._waiting:
            if self.loop is advance_events and self._postponed(engine):
                return
            self._begin(engine, sink)
        for _, answers in self._waiting:
            while not answers.done():
                _wait(answers)
                yield engine.now
        for dues, answers in self._waiting:
            self._put(engine.minds, dues, answers.result())
        self._waiting = []

    def close(self) -> None:
        """Drop what is under way and close the minds."""
        for _, answers in self._waiting:
            answers.cancel()
        for asker in self.mixture.askers:
            asker.close()

    def beside(self, log: Log) -> Log:
        """The run's tables with what the minds add."""
        for asker in self.mixture.askers:
            log = asker.beside(log)
        return log

    def _begin(self, engine: Any, sink: Any) -> None:
        rows = self._rows(engine)
        time = float(engine.world.clock[0].time) if self.loop is advance_events else float(engine.world.sums[NOW])
        dues = self.senses.dues(engine, sink, rows, time=time)
        asked = engine.minds["asker"]
        for number, asker in enumerate(self.mixture.askers):
            mine = [due for due in dues if asked[due.agent] == number]
            if mine:
                self._waiting.append((mine, asker.ask(mine)))

    def _rows(self, engine: Any) -> list[int]:
        """Rows of the agents to ask now, by key."""
        world, minds = engine.world, engine.minds
        # What comes after an intervention may never happen, or be sensed otherwise.
        end = min([self.mixture.until, *(i.time for i in engine.waiting[:1])])
        wanted = (minds["asked"] == 1) & (minds["ready"] == 0)
        if self.loop is advance_rounds:
            later = np.zeros(len(wanted), bool)
            later[world.agents["order"][world.count[PLACE] :]] = True
            rows = np.flatnonzero(wanted & later & (world.agents["muted"] == 0))
        elif self.loop is advance_events:
            rows = self._pending(world, wanted, end)
        else:
            rows = self._next_turns(world, wanted, end)
        return [int(r) for r in rows[np.argsort(world.agents["key"][rows])]]

    def _pending(self, world: Any, wanted: np.ndarray, end: float) -> np.ndarray:
        """Event time: who has a decision pending in the window that begins with the first moment of the clock."""
        first = float(world.clock[0].time)
        window = self.mixture.window
        if window > 0:
            self.window_end = (math.floor(first / window) + 1) * window
            if self.window_end <= first:
                self.window_end += window
        moments = world.clock[: world.count[PENDING]]
        near = moments["time"] < self.window_end if window > 0 else moments["time"] == first
        near &= moments["time"] <= max(first, end)
        agents = [self.physics["decider"](world, int(s)) for s in moments["subject"][near]]
        return np.unique([a for a in agents if a >= 0 and wanted[a]]).astype(np.int64)

    def _postponed(self, engine: Any) -> bool:
        """Event time: put off a decision that was born inside the window to the window's end."""
        world = engine.world
        if self.mixture.window == 0 or float(world.clock[0].time) >= self.window_end:
            return False
        schedule(world, self.window_end, int(take_first(world)))
        return True

    def _next_turns(self, world: Any, wanted: np.ndarray, end: float) -> np.ndarray:
        """Sequential random: whose next part in any update is to decide it."""
        assert self.ahead is not None
        agents, start = len(wanted), int(world.count[ROUND])
        # Update ``number`` happens at (number + 1) / agents; the next one is asked about in any case.
        last = start + SWEEPS * agents if math.isinf(end) else min(start + SWEEPS * agents, int(end * agents + 1e-9))
        turns = np.empty(agents, np.int64)
        found = self.ahead.next_turns(world, np.zeros(agents, np.int8), turns, start, max(start + 1, last))
        rows = turns[:found]
        return np.asarray(rows[wanted[rows]])

    def _put(self, minds: Any, dues: Sequence[Due], answers: Sequence[Answer]) -> None:
        if len(answers) != len(dues):
            raise RuntimeError(f"minds: {len(dues)} decisions were asked, {len(answers)} answered.")
        rows = [due.agent for due in dues]
        minds["answer"][rows] = [answer.option for answer in answers]
        minds["amount"][rows] = [answer.amount for answer in answers]
        minds["source"][rows] = [ORIGIN_CODES[answer.origin] for answer in answers]
        minds["ready"][rows] = 1


def _wait(answers: Future[list[Answer]]) -> None:
    try:
        answers.exception(timeout=PATIENCE)
    except TimeoutError:
        return


def asking_columns(
    mixture: Mixture, agents: Any, *, row_of: np.ndarray, bound: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The columns of ``sim.world.asking`` for every agent; rows that the scenario binds keep the first rule."""
    ruled, asked = mixture.seated(agents, row_of=row_of, bound=bound)
    dims = {"memory": mixture.memory}
    made = {
        name: np.full((len(agents), *(dims[d] for d in shape)), start, kind)
        for name, (kind, shape, start) in STATE.items()
    }
    made["asked"][:] = asked >= 0
    made["asker"][:] = np.maximum(asked, 0)
    made["ruled"][:] = ruled
    return made
