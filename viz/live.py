"""A live run: a world that plays, pauses and is steered in a thread of its own while a page looks on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from experiments.errors import sentence
from experiments.plan import Plan, engine_of
from sim.record.log import Log
from sim.spec import ParameterError
from sim.world.engine import Engine
from sim.world.interventions import Intervention, allow, perform
from viz.tape import Tape

FRAME = 0.05  # seconds between looks at the orders of the page, and the longest a pause may take
SLICE = 8_000  # steps of a world in a row: about a hundredth of a second with a million agents, less with fewer
MOST_EVENTS = 1_000_000  # beyond, the oldest events leave the page's memory; the world goes on
LOOSE_EVENTS = 100_000  # the last events, which are read in every picture and search; older ones are packed


@dataclass(frozen=True)
class Moment:
    """Where a live run is: what a page shows without asking the world again.

    Attributes:
        now: Model time reached.
        until: Model time at which it stops by itself.
        events: Events so far.
        cost: Cost so far.
        playing: True while time moves.
        rate: Model time per second of the clock, over the last second.
        error: What broke, as a sentence; empty while nothing did.
        note: What the page has to say about its memory; usually empty.
    """

    now: float
    until: float
    events: int
    cost: float
    playing: bool
    rate: float
    error: str = ""
    note: str = ""


class LiveRun:
    """One world of a plan. All methods may be called from any thread; only the run's own thread moves the world.

    Attributes:
        plan: What runs; its end is put off when a run is played on.
        speed: Model time per second of the clock.
        acts: What was done by hand so far, in the order of time.
        founders: Agents there were at time 0; 0 before the world is built.
        tape: The events so far.
    """

    def __init__(self, plan: Plan, *, speed: float = 50.0, changed: Callable[[], None] | None = None) -> None:
        """Build nothing yet: the world is made in the run's thread at the first order.

        Args:
            plan: What to run.
            speed: Model time per second of the clock while playing; infinite for as fast as it goes.
            changed: Called from the run's thread after each frame.
        """
        self.plan = plan
        self.speed = speed
        self.acts: list[Intervention] = []
        self.founders = 0
        self._changed = changed or (lambda: None)
        self._orders = threading.Condition()
        self._engine: Engine | None = None
        self.tape = Tape(most=MOST_EVENTS, loose=LOOSE_EVENTS)
        self._playing, self._closed, self._ready = False, False, threading.Event()
        self._target: float | None = None
        self._waiting: list[Intervention] = []
        self._moment = Moment(0.0, plan.until, 0, 0.0, playing=False, rate=0.0)
        self._ticks: list[tuple[float, float]] = []
        self._due = 0.0
        self.thread = threading.Thread(target=self._live, name=f"run of {plan.scenario.name}", daemon=True)
        self.thread.start()

    @property
    def moment(self) -> Moment:
        """Where the run is."""
        return self._moment

    @property
    def settled(self) -> bool:
        """True when the last order of play or pause has been obeyed."""
        return self._playing == self._moment.playing

    def play(self) -> None:
        """Let time move until the plan's end; where that is reached already, the end is put off as far again."""
        if self._moment.now >= self.plan.until:
            self.plan = replace(self.plan, until=2 * self.plan.until)
            self._moment = replace(self._moment, until=self.plan.until)
        self._order(playing=True)

    def pause(self) -> None:
        """Stop time within one slice; returns at once."""
        self._order(playing=False)

    def step(self, amount: float = 1.0) -> None:
        """Move time by ``amount`` and pause again."""
        with self._orders:
            self._playing = False
            self._target = min(max(self._moment.now, self._target or 0.0) + amount, self.plan.until)
            self._orders.notify()

    def steer(self, act: Intervention) -> None:
        """Change the world now, whatever time the act has; it becomes an event of the log.

        Raises:
            ParameterError: For an unknown action, a parameter that acts at reset only, or a value out of range.
        """
        if act.action == "set":
            checked = self.plan.scenario.param(act.name).check(act.value, owner=f"scenario '{self.plan.scenario.name}'")
            act = replace(act, value=checked)
            known = ", ".join(sorted(self._engine.live)) if self._engine is not None else ""
            if self._engine is not None and act.name not in self._engine.live:
                raise ParameterError(f"parameter '{act.name}' acts at reset only; these act now: {known or 'none'}.")
        elif self._engine is not None:
            allow(act, self._engine)
        with self._orders:
            self._waiting.append(act)
            self._orders.notify()

    def ready(self, timeout: float | None = None) -> bool:
        """Wait until the world is built, or broke; False when ``timeout`` seconds pass first."""
        return self._ready.wait(timeout)

    def close(self) -> None:
        """End the thread and let go of everything; the run cannot be used afterwards."""
        with self._orders:
            self._closed = True
            self._orders.notify()
        self.thread.join(timeout=5.0)
        self.tape.clear()
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def events(self) -> pl.DataFrame:
        """The events so far (the last MOST_EVENTS or a little more)."""
        return self.tape.frame()

    def log(self, *, most: int | None = None) -> Log:
        """The log so far, or its last ``most`` events, with the tables beside it."""
        events = self.events() if most is None else self.tape.tail(most)
        engine = self._engine
        beside = engine.beside() if engine is not None else Log(events=events)
        return replace(
            beside, events=events, meta={**beside.meta, "scenario": self.plan.scenario.name, "seed": self.plan.seed}
        )

    @property
    def engine(self) -> Engine | None:
        """The world's engine, for reading whole columns; None until it is built."""
        return self._engine

    def _order(self, *, playing: bool) -> None:
        with self._orders:
            self._playing = playing
            self._target = None
            self._orders.notify()

    def _live(self) -> None:
        try:
            engine = engine_of(self.plan)
            self.founders = len(engine.world.agents)
            self._engine = engine
        except Exception as error:
            self._moment = replace(self._moment, error=sentence(error))
        self._ready.set()
        self._tell()
        while not self._closed and not self._moment.error:
            if self._moment.playing and not self._playing and self._engine is not None:
                # A pause that came while the last frame was told is told now, before the long wait.
                self._measure()
                self._tell()
            with self._orders:
                while not (self._closed or self._playing or self._target is not None or self._waiting):
                    self._orders.wait()
                waiting, self._waiting = self._waiting, []
            if self._closed:
                return
            try:
                self._act(waiting)
                self._frame()
            except Exception as error:
                self._playing = False
                self._moment = replace(self._moment, playing=False, error=sentence(error))
            self._tell()

    def _act(self, acts: list[Intervention]) -> None:
        assert self._engine is not None
        if acts:
            self._engine.complete(self.tape)
        for act in acts:
            done = replace(act, time=self._engine.now)
            perform(done, self._engine)
            self.acts.append(done)
        if acts:
            self._engine.drain(self.tape)
            self._measure()

    def _frame(self) -> None:
        """One frame of play, or the step that was ordered."""
        engine, began = self._engine, time.monotonic()
        assert engine is not None
        target = self._target if self._target is not None else min(engine.now + self.speed * FRAME, self.plan.until)
        if not self._playing and self._target is None:
            return
        for _reached in engine.slices(target, self.tape, steps=SLICE):
            if self._closed or (not self._playing and self._target is None):
                break
            if self._playing and time.monotonic() - began > FRAME:
                break
        engine.drain(self.tape)
        if self._target is not None and engine.now >= self._target:
            self._target = None
        if engine.now >= self.plan.until:
            self._playing = False
        self._rest()
        self._measure()

    def _rest(self) -> None:
        """Wait until the next frame is due: a frame after the last one was, or sooner where that one was late."""
        now = time.monotonic()
        self._due = max(self._due + FRAME, now - FRAME)
        if self._playing and self._due > now:
            with self._orders:
                self._orders.wait(self._due - now)

    def _measure(self) -> None:
        engine = self._engine
        assert engine is not None
        now = time.monotonic()
        self._ticks = [(t, m) for t, m in self._ticks if now - t < 1.0] + [(now, engine.now)]
        (t0, m0), (t1, m1) = self._ticks[0], self._ticks[-1]
        rate = (m1 - m0) / (t1 - t0) if t1 > t0 and self._playing else 0.0
        left = f"The page keeps the last {self.tape.rows:,} events; older ones are gone." if self.tape.lost else ""
        self._moment = Moment(engine.now, self.plan.until, engine.events, engine.cost, self._playing, rate, note=left)

    def _tell(self) -> None:
        self._changed()
