"""The engine: runs a built world in slices, drains its buffer to a sink, makes room, applies interventions in time."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from sim.record.log import Log
from sim.record.store import empty_events
from sim.registry import suggest
from sim.spec import ParameterError, Scenario, Value
from sim.world.asking import bindings as asking_bindings
from sim.world.batches import Batches, Mixture, asking_columns
from sim.world.books import NOW, PHASE, PLACE, ROUND
from sim.world.buffer import COST, KINDS_AT, ROWS, SEQ, Buffer, new_buffer
from sim.world.interventions import Intervention, perform
from sim.world.linker import link
from sim.world.loops import BUFFER, CAPACITY, DECISIONS, SLICE, TIME, advance_rounds
from sim.world.population import Built, Minds, Setup, side_by_side

BUFFER_ROWS = 1 << 16
CACHED_ROWS = 1 << 12  # records of about 80 bytes that fit the second-level cache of a core
# Steps in one slice: about 20 ms, so that pause and Ctrl-C act at once.
SLICE_STEPS = 50_000


class CapacityError(RuntimeError):
    """A declared capacity of the population overflowed."""


class Sink(Protocol):
    """Takes drained columns."""

    def append(self, columns: Mapping[str, np.ndarray]) -> None:
        """Take one chunk; the arrays are the sink's own."""


@dataclass(frozen=True)
class LogPlan:
    """What the log keeps: ``mode`` full, window (times ``start`` to ``end``), sample (``share`` of items) or counters."""

    mode: str = "full"
    start: float = 0.0
    end: float = float("inf")
    share: float = 0.1

    def words(self) -> str:
        """The mode with its bounds, for the manifest."""
        if self.mode == "window":
            return f"window:{self.start:g}:{self.end:g}"
        return f"sample:{self.share:g}" if self.mode == "sample" else self.mode

    @classmethod
    def parse(cls, text: str) -> LogPlan:
        """Read ``full``, ``counters``, ``sample[:share]`` or ``window:start:end``; ParameterError otherwise."""
        mode, *rest = text.split(":")
        try:
            numbers = [float(r) for r in rest]
        except ValueError:
            numbers = [float("nan")]
        if mode in {"full", "counters"} and not rest:
            return cls(mode=mode)
        if mode == "sample" and len(numbers) <= 1 and all(0 < n <= 1 for n in numbers):
            return cls(mode=mode, share=numbers[0] if numbers else 0.1)
        if mode == "window" and len(numbers) == 2 and numbers[0] < numbers[1]:
            return cls(mode=mode, start=numbers[0], end=numbers[1])
        raise ParameterError(
            f"log mode: expected full, counters, sample:SHARE (0 < SHARE <= 1) or window:START:END, got '{text}'."
        )


def rule_module(name: str, scenario: Scenario) -> Any:
    """The module of a rule that can decide in ``scenario``."""
    if name not in scenario.rules:
        raise ParameterError(
            f"scenario '{scenario.name}' cannot be decided by rule '{name}'.{suggest(name, list(scenario.rules))} "
            f"It takes: {', '.join(scenario.rules)}."
        )
    return importlib.import_module(f"agents.rules.{name}")


class Engine:
    """One running world: its columns, its clock, and the only way to move it forward."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        values: Mapping[str, Value],
        seed: int,
        rule: Any,
        rule_name: str,
        plan: LogPlan | None = None,
        compiled: bool = True,
        rows: np.ndarray | None = None,
        buffer_rows: int = BUFFER_ROWS,
        interventions: tuple[Intervention, ...] = (),
        mixture: Mixture | None = None,
    ) -> None:
        """Build the world of ``scenario``; ``rule`` is a rule module; ``rows`` as in ``Setup``; see LogPlan, Mixture."""
        self.scenario = scenario
        self.seed = seed
        self.plan = plan or LogPlan()
        others = mixture.names if mixture is not None else ()
        setup = Setup(values=values, seed=seed, rule=rule_name, rows=rows, others=others)
        self.built: Built = scenario.build(setup)
        self.world = self.built.world
        rules = mixture.rules if mixture is not None else (rule,)
        self.minds, self.rule = new_minds(rules, self.built, agents=len(self.world.agents))
        self.rules = rules
        self.closed: set[tuple[int, int]] = set()
        mode = self.plan
        self.log: Buffer = new_buffer(buffer_rows, mode=mode.mode, start=mode.start, end=mode.end, share=mode.share)
        bindings = {"choose": rule.choose, "learn": rule.learn, **self.built.physics}
        self.batches: Batches | None = None
        if mixture is not None:
            bindings = {**self.built.physics, **asking_bindings(rules)}
            agents, row_of = self.world.agents, setup.row_of(len(self.world.agents))
            asking = asking_columns(mixture, agents, row_of=row_of, bound=self.built.bound)
            self.minds = Minds({**vars(self.minds), **asking})
            self.batches = Batches(self.built, mixture, compiled=compiled)
        self.arrange()
        self.kernel = link({"advance": self.built.loop}, bindings=bindings, compiled=compiled)
        self.waiting = sorted(interventions, key=lambda i: i.time)

    @property
    def now(self) -> float:
        """Model time reached."""
        return float(self.world.sums[NOW])

    @property
    def events(self) -> int:
        """Events so far, kept or not."""
        return int(self.log.count[SEQ])

    @property
    def cost(self) -> float:
        """Cost so far in the run's unit."""
        return float(self.log.keep[COST])

    def kind_counts(self) -> np.ndarray:
        """How often each kind happened so far, by kind code."""
        return np.asarray(self.log.count[KINDS_AT:])

    def meter(self, name: str) -> float:
        """One of the scenario's whole-array figures."""
        return float(self.built.meters[name](self.world, self.log))

    @property
    def live(self) -> list[str]:
        """Names of the parameters that act on the running world."""
        of_rule = [n for n in self.rule.dtype.names or () if any(p.name == n for p in self.scenario.parameters)]
        return [*of_rule, *self.built.live]

    def slots_of(self) -> dict[str, int]:
        """The minds' columns that have a dimension of contacts, by name: the number of that axis."""
        places = {name: dims for rule in self.rules for name, (_, dims, _) in rule.STATE.items() if "slots" in dims}
        return {name: 1 + dims.index("slots") for name, dims in places.items()}

    def slotted(self) -> dict[str, tuple[np.ndarray, int]]:
        """Those columns with that number."""
        return {name: (self.minds[name], axis) for name, axis in self.slots_of().items()}

    def complete(self, sink: Sink | None) -> None:
        """Bring the moment that is under way to its end, so that an intervention made now can be repeated from its time."""
        rounds = self.built.loop is advance_rounds and (self.world.count[PLACE] > 0 or self.world.count[PHASE] > 0)
        self.advance(float(self.world.count[ROUND] + 1) if rounds else self.now, sink)

    def beside(self) -> Log:
        """Everything of the run's log but its events: agents, initial contacts, what was kept, what was predefined."""
        agents = self.world.agents
        n = len(agents)
        contacts = self.built.reach
        if self.built.contacts is not None:
            contacts = pl.DataFrame(dict(zip(("source", "target"), self.built.contacts, strict=True)))
        columns = {"id": np.arange(n), "key": agents["key"], "label": pl.Series([None] * n, dtype=pl.String)}
        log = Log(
            events=empty_events(),
            agents=pl.DataFrame(columns),
            contacts=contacts,
            states=self.built.states,
            kept=self.plan.mode,
            predefined=self.built.predefined,
            meta={"log": self.plan.words(), "cost": self.cost, **self._in_flight()},
        )
        return log if self.batches is None else self.batches.beside(log)

    def close(self) -> None:
        """End whatever minds outside the kernel have under way; the engine is not moved again."""
        if self.batches is not None:
            self.batches.close()

    def _in_flight(self) -> dict[str, object]:
        """The world's own count of items in the system, against which the log's is held."""
        return {"in_flight": int(self.meter("in_system"))} if "in_system" in self.built.meters else {}

    def set(self, name: str, value: object) -> None:
        """Change a live parameter of the running world; ParameterError when it only acts at reset."""
        checked = self.scenario.param(name).check(value, owner=f"scenario '{self.scenario.name}'")
        if name in (self.rule.dtype.names or ()):
            self.rule[name] = float(checked)
            return
        if name not in self.built.live:
            raise ParameterError(
                f"scenario '{self.scenario.name}': parameter '{name}' acts at reset only; "
                f"these act now: {', '.join(sorted(self.live)) or 'none'}."
            )
        self.built.live[name](checked)

    def slices(self, until: float, sink: Sink | None, *, steps: int = SLICE_STEPS) -> Iterator[float]:
        """Advance to ``until`` in slices, yielding the time reached after each; the buffer is empty at the end."""
        while True:
            # A whole number would be another type, and another type another compilation.
            stop = float(min(until, self.waiting[0].time) if self.waiting else until)
            reason = self.kernel.advance(self.world, self.minds, self.rule, self.log, stop, steps)
            if reason == CAPACITY:
                self.make_room()
            if reason == DECISIONS:
                assert self.batches is not None
                yield from self.batches.settle(self, sink)
                yield self.now
            if reason in {BUFFER, TIME}:
                self.drain(sink)
            if reason == TIME and self.waiting and self.waiting[0].time <= stop:
                perform(self.waiting.pop(0), self)
                continue
            if reason == TIME:
                break
            if reason in {SLICE, BUFFER}:
                yield self.now
        self.world.sums[NOW] = max(self.now, until)
        yield self.now

    def make_room(self) -> None:
        """Grow whatever a kernel found too small; CapacityError when it has its declared size already."""
        if self.built.grow is not None:
            self.world = self.built.world = self.built.grow(self.world)
        minds = self.built.grow_minds(self.world, self.minds) if self.built.grow_minds is not None else self.minds
        if minds is None or (self.built.grow is None and self.built.grow_minds is None):
            raise CapacityError(f"scenario '{self.scenario.name}': {self.built.capacity}.")
        self.minds = minds
        self.arrange()

    def arrange(self) -> None:
        """Put agents and minds side by side where the scenario wants that."""
        if self.built.side_by_side:
            agents, self.minds = side_by_side(self.world.agents, self.minds)
            self.world = self.built.world = self.world._replace(agents=agents)

    def advance(self, until: float, sink: Sink | None = None, *, steps: int = SLICE_STEPS) -> None:
        """Advance to ``until``."""
        for _ in self.slices(until, sink, steps=steps):
            pass

    def drain(self, sink: Sink | None) -> None:
        """Hand the filled rows to ``sink`` as columns and empty the buffer."""
        used = int(self.log.count[ROWS])
        if used and sink is not None:
            sink.append(columns_of(self.log.rows[:used]))
        self.log.count[ROWS] = 0


def columns_of(rows: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of records, shape (rows,), each as an array of its own; a stretch of records at a time stays in cache."""
    made = {name: np.empty(len(rows), rows.dtype[name]) for name in rows.dtype.names or ()}
    for first in range(0, len(rows), CACHED_ROWS):
        some = rows[first : first + CACHED_ROWS]
        for name, column in made.items():
            column[first : first + CACHED_ROWS] = some[name]
    return made


def new_minds(rules: tuple[Any, ...], built: Built, *, agents: int) -> tuple[Minds, Any]:
    """The rules' columns for every agent, and their parameters as a record array (1,)."""
    state: dict[str, Any] = {}
    for rule in rules:
        if any(state.get(name, column) != column for name, column in rule.STATE.items()):
            raise ParameterError(
                "minds: two of the rules use one column name for different things; they cannot be mixed."
            )
        state |= rule.STATE
    columns = {}
    for name, (kind, dims, start) in state.items():
        columns[name] = np.empty((agents, *(built.dims[d] for d in dims)), kind)
        columns[name][...] = built.starts.get(name, start)
    names = tuple(dict.fromkeys(name for rule in rules for name in rule.PARAMETERS))
    values = np.zeros(1, np.dtype([(n, "f8") for n in names] or [("nothing", "f8")])).view(np.recarray)
    for n in names:
        values[n] = float(built.rule_values[n])
    return Minds(columns), values
