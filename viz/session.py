"""A session: everything that one browser tab looks at and steers, apart from how it is drawn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import solara

from experiments.errors import sentence
from experiments.run import Plan, plan
from sim.record.log import Log
from sim.spec import Scenario, Value, scenarios
from viz.analyst import Analyst, Found
from viz.live import LiveRun, Moment
from viz.scene import Scene, Stage, scene, stage

FIRST = "factory"
FRAME = 0.1  # seconds between two pictures
AGAIN = 6.0  # seconds at least between two searches for structures
analyst = Analyst()


class Session:
    """One tab's scenario, run, cursor in time, and findings; panels read the reactive parts and call the methods."""

    def __init__(
        self,
        *,
        scenario: str = FIRST,
        preset: str | None = None,
        seed: int = 0,
        changes: Mapping[str, object] | None = None,
    ) -> None:
        """Nothing runs yet; ``start`` makes the world."""
        self.scenario = solara.reactive(scenario)
        self.preset = solara.reactive(preset or scenarios.get(scenario).default)
        self.seed = solara.reactive(seed)
        self.changes: solara.Reactive[dict[str, Any]] = solara.reactive(dict(changes or {}))
        self.frame = solara.reactive(0)
        self.cursor: solara.Reactive[float | None] = solara.reactive(None)
        self.found: solara.Reactive[Found | None] = solara.reactive(None)
        self.searching = solara.reactive(False)
        self.chosen: solara.Reactive[str | None] = solara.reactive(None)
        self.hovered: solara.Reactive[str | None] = solara.reactive(None)
        self.agent: solara.Reactive[int] = solara.reactive(-1)
        self.speed = solara.reactive(60.0)
        self.every = solara.reactive(1)
        self.trouble = solara.reactive("")
        self.run: LiveRun | None = None
        self.stored: Log | None = None
        self.stage: Stage | None = None
        self._shown, self._count, self._asked = 0.0, 0, 0.0
        self._lock = threading.Lock()

    # What runs ------------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> Scenario:
        """The scenario as data."""
        return scenarios.get(self.scenario.value)

    def plan(self) -> Plan:
        """The run that the controls describe; ParameterError for values that cannot be."""
        return plan(self.scenario.value, preset=self.preset.value, changes=self.changes.value, seed=self.seed.value)

    def start(self, *, play: bool = True, upto: float | None = None) -> None:
        """Make the world that the controls describe and let it run; what ran before ends. Parameters and seed stay.

        Args:
            play: Let time move at once.
            upto: Model time to reach first, for a run that resumes from a moment.
        """
        self.close()
        self.trouble.value, self.found.value, self.cursor.value = "", None, None
        self.chosen.value, self.hovered.value, self.agent.value = None, None, -1
        self.stage, self.stored = None, None
        try:
            made = LiveRun(self.plan(), speed=self.speed.value, changed=self._tick)
        except Exception as error:
            self.trouble.value = sentence(error)
            return
        self.run = made
        if upto:
            made.step(upto)
        elif play:
            made.play()
        self.frame.value += 1

    def open(self, log: Log, *, name: str) -> None:
        """Look at a log that is there already instead of a running world."""
        self.close()
        self.stored, self.run = log, None
        self.stage = stage(log)
        self.scenario.value = str(log.meta.get("scenario", "")) or name
        self.search()
        self.frame.value += 1

    def close(self) -> None:
        """End the world of this session."""
        if self.run is not None:
            self.run.close()
            self.run = None

    # Time -----------------------------------------------------------------------------------------------------------

    @property
    def moment(self) -> Moment:
        """Where the run is."""
        if self.run is not None:
            return self.run.moment
        end = self.stored.span[1] if self.stored is not None else 0.0
        count = self.stored.events.height if self.stored is not None else 0
        return Moment(end, end, count, 0.0, playing=False, rate=0.0)

    @property
    def now(self) -> float:
        """The moment that is shown: the cursor, or the present."""
        return self.moment.now if self.cursor.value is None else self.cursor.value

    def toggle(self) -> None:
        """Play or pause."""
        if self.run is not None:
            self.cursor.value = None
            (self.run.pause if self.run.moment.playing else self.run.play)()

    def step(self, amount: float = 1.0) -> None:
        """Move time by ``amount`` and pause."""
        if self.run is not None:
            self.cursor.value = None
            self.run.step(amount)

    def set_speed(self, speed: float) -> None:
        """Model time per second of the clock."""
        self.speed.value = speed
        if self.run is not None:
            self.run.speed = speed

    def scrub(self, moment: float | None) -> None:
        """Look at an earlier moment; None for the present. The world pauses while the past is looked at."""
        if moment is not None and self.run is not None:
            self.run.pause()
        self.cursor.value = moment

    def _tick(self) -> None:
        """A frame of the run's thread: show every so-manieth, at most ten in a second, and search now and then."""
        now, run = time.monotonic(), self.run
        if run is None:
            return
        self._count += 1
        stopped = not run.moment.playing
        if stopped or (self._count % max(1, self.every.value) == 0 and now - self._shown >= FRAME):
            self._shown = now
            self.frame.value += 1
        if now - self._asked >= AGAIN and run.moment.events >= 100:
            self.search()

    # What was found -------------------------------------------------------------------------------------------------

    def log(self) -> Log | None:
        """The log so far."""
        return self.run.log() if self.run is not None else self.stored

    def events(self) -> pl.DataFrame | None:
        """The events so far."""
        return self.run.events() if self.run is not None else None if self.stored is None else self.stored.events

    def search(self) -> None:
        """Look for structures in the log so far, unless a search is under way."""
        with self._lock:
            if self.searching.value:
                return
            log = self.log()
            if log is None or log.events.height == 0:
                return
            self.searching.value = True
            self._asked = time.monotonic()
        run = self.run

        def then(found: Found) -> None:
            self.searching.value = False
            self._asked = time.monotonic()
            if self.run is run:  # another world may have taken its place meanwhile
                self.found.value = found

        try:
            analyst.ask(log, then)
        except Exception as error:
            self.searching.value = False
            self.trouble.value = sentence(error)

    def scene(self) -> tuple[Stage, Scene] | None:
        """Stage and scene at the moment that is shown; None before there is anything."""
        if self.stage is None:
            log = self.log()
            if log is None or (self.run is not None and self.run.engine is None):
                return None
            self.stage = stage(log)
        events = self.events()
        if events is None:
            return None
        return self.stage, scene(events, self.stage, end=self.now)

    def lit(self) -> list[int]:
        """Numbers of the agents that stand out: members of the structure pointed at, or the partners of the agent chosen."""
        identity = self.hovered.value or self.chosen.value
        found = self.found.value
        if identity and found and self.stage:
            one = next((s for s in found.structures if s["id"] == identity), None)
            if one is not None:
                lookup = {str(a): k for a, k in self.stage.number.items()}
                return sorted(lookup[str(a)] for a in one["members"] if str(a) in lookup)
        if self.agent.value >= 0 and self.stage is not None:
            links = self.stage.links
            near = links[(links == self.agent.value).any(axis=1)]
            return sorted({self.agent.value, *(int(a) for a in np.unique(near))})
        return []

    # Steering -------------------------------------------------------------------------------------------------------

    def change(self, name: str, value: Value) -> None:
        """Set a parameter: now when it acts now, and for the next reset in any case."""
        self.changes.value = {**self.changes.value, name: value}
        if self.run is not None and self.run.engine is not None and name in self.run.engine.live:
            self.attempt(lambda: self.run.steer(action="set", name=name, value=value))  # type: ignore[union-attr]

    def mute(self, agent: int, *, off: bool = True) -> None:
        """Take an agent out of the world, or bring it back."""
        if self.run is not None:
            self.attempt(lambda: self.run.steer(action="mute" if off else "unmute", agent=agent))  # type: ignore[union-attr]

    def attempt(self, act: Callable[[], None]) -> None:
        """Do something that may be refused; the reason is shown in the page."""
        try:
            act()
            self.trouble.value = ""
        except Exception as error:
            self.trouble.value = sentence(error)


def runs_folder() -> Path:
    """The only folder that a page reads runs from and writes them to."""
    return Path("runs").resolve()
