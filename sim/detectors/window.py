"""A window: the events of one run in one stretch of time, as arrays that detectors read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.record.events import CLASSES, KINDS
from sim.record.log import Log

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NONE = -1


ROW_COLUMNS = ("time", "kind", "source", "target", "item", "task", "seq", "parent", "artefact", "value")


def summed(place: NDArray[Any], weight: NDArray[Any], size: int) -> Floats:
    """Sum of ``weight``, shape (rows,), at each place from 0 to ``size`` - 1, shape (size,)."""
    return np.bincount(place, weight, size).astype(np.float64, copy=False)


@dataclass(frozen=True)
class States:
    """Readings of one variable: arrays of shape (readings,), sorted by time; ``agent`` NONE for the environment."""

    time: Floats
    agent: Ints
    value: Floats

    def take(self, rows: Ints | Bools) -> States:
        """Only the given readings."""
        return States(self.time[rows], self.agent[rows], self.value[rows])


@dataclass(frozen=True)
class Window:
    """Events of one run, sorted by time, with agents, items and tasks as small integers.

    Agents are numbered by first appearance in the log, so no result can depend on what an agent is called.

    Attributes:
        run: Name of the run; empty when the log holds a single unnamed one.
        agents: Agent ids by number, as they stand in the log; length n.
        time: Event times, shape (rows,), not decreasing.
        kind: Index into ``kinds``, shape (rows,).
        source: Agent numbers, shape (rows,).
        target: Agent numbers or NONE, shape (rows,).
        item: Item numbers or NONE, shape (rows,).
        task: Index into ``tasks`` or NONE, shape (rows,).
        seq: Sequence numbers as in the log, shape (rows,); the row number where the log has none.
        parent: ``seq`` of the event that an event reacts to, or NONE, shape (rows,).
        artefact: Artefact numbers or NONE, shape (rows,).
        value: Outcome, option or amount, shape (rows,); NaN where there is none.
        kinds: Names of kinds.
        tasks: Task types as they stand in the log.
        states: Variable to its readings, from the log's table of states; cut in time together with the events.
        channels: Initial contacts as agent numbers, shape (c, 2), or None when the log has none.
        labels: One label per agent or None, from the log's agents table.
        artefacts: Artefact ids by number, as they stand in the log.
    """

    run: str
    agents: tuple[Any, ...]
    time: Floats
    kind: Ints
    source: Ints
    target: Ints
    item: Ints
    task: Ints
    seq: Ints
    parent: Ints
    artefact: Ints
    value: Floats
    kinds: tuple[str, ...]
    tasks: tuple[Any, ...]
    states: Mapping[str, States] = field(default_factory=dict)
    channels: Ints | None = None
    labels: tuple[str | None, ...] = ()
    artefacts: tuple[Any, ...] = ()

    @property
    def n(self) -> int:
        """Number of agents seen in the run."""
        return len(self.agents)

    @property
    def rows(self) -> int:
        """Number of events."""
        return len(self.time)

    @property
    def span(self) -> tuple[float, float]:
        """Times of the first and last event; (0, 0) without events."""
        return (float(self.time[0]), float(self.time[-1])) if self.rows else (0.0, 0.0)

    @cached_property
    def _classes(self) -> dict[str, Bools]:
        return {c: np.array([c in KINDS.get(k, ()) for k in self.kinds], dtype=bool) for c in CLASSES}

    def of_class(self, kind_class: str) -> Bools:
        """Rows whose kind declares ``kind_class``, shape (rows,)."""
        return self._classes[kind_class][self.kind] if self.rows else np.zeros(0, dtype=bool)

    def of_kind(self, *names: str) -> Bools:
        """Rows of the named kinds, shape (rows,)."""
        wanted = np.array([k in names for k in self.kinds], dtype=bool)
        return wanted[self.kind] if self.rows else np.zeros(0, dtype=bool)

    def take(self, rows: Ints | Bools) -> Window:
        """The same window with only (or repeatedly) the given rows; agent numbers stay."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ROW_COLUMNS})

    def without(self, agents: Ints) -> Window:
        """The window without every event in which one of ``agents`` took part, and without their states."""
        gone = np.zeros(self.n + 1, dtype=bool)
        gone[agents] = True
        left = {name: s.take(~gone[s.agent]) for name, s in self.states.items()}
        return replace(self.take(~(gone[self.source] | gone[self.target])), states=left)

    def renumbered(self, numbers: Ints) -> Window:
        """The window with agent ``a`` called ``numbers[a]``, for the relabelling test."""
        lookup = np.append(numbers, NONE)
        order = np.argsort(numbers)
        return replace(
            self,
            agents=tuple(self.agents[a] for a in order),
            source=lookup[self.source],
            target=lookup[self.target],
            states={name: replace(s, agent=lookup[s.agent]) for name, s in self.states.items()},
            channels=None if self.channels is None else lookup[self.channels],
            labels=tuple(self.labels[a] for a in order) if self.labels else (),
        )

    def parts(self, count: int, *, of: Bools | None = None) -> list[Window]:
        """The window cut in ``count`` stretches holding equally many of the rows marked in ``of`` (default all)."""
        marked = np.ones(self.rows, dtype=bool) if of is None else of
        if count < 1 or not marked.any():
            return []
        rank = np.cumsum(marked) - marked
        part = np.minimum(rank * count // int(marked.sum()), count - 1)
        edge = np.searchsorted(part, np.arange(count + 1))  # rows are in order, so each part is a stretch of them
        return [self._between(np.arange(edge[k], edge[k + 1]), first=k == 0, last=k == count - 1) for k in range(count)]

    def _between(self, rows: Ints, *, first: bool, last: bool) -> Window:
        """The stretch of the given consecutive rows, with the states up to the next stretch."""
        made = self.take(rows)
        if not self.states or len(rows) == 0:
            return made
        start = -np.inf if first else self.time[rows[0]]
        end = np.inf if last else self.time[rows[-1] + 1]
        cut = {name: s.take((s.time >= start) & (s.time < end)) for name, s in self.states.items()}
        return replace(made, states=cut)


@dataclass(frozen=True)
class Reading:
    """What was read from a log: its windows run by run, and sentences on rows that could not be used."""

    windows: tuple[Window, ...]
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[Window]:
        return iter(self.windows)


def read(log: Log) -> Reading:
    """Return one window per run of ``log``; rows without a time or a source are left out and counted in the notes."""
    events, notes = _usable(log.events)
    tasks, task = _coded(events, "task")
    _, item = _coded(events, "item")
    kinds, kind = _coded(events.with_columns(pl.col("kind").cast(pl.String).fill_null("")), "kind")
    ids, people = _coded_pair(events)
    artefacts, artefact = _coded(events, "artefact")
    seq = _whole(events, "seq", np.arange(events.height))
    arrays = {
        "seq": seq,
        "parent": _whole(events, "parent", np.full(events.height, NONE)),
        "artefact": artefact,
        "value": _real(events, "value"),
        "time": events["time"].cast(pl.Float64).to_numpy().astype(np.float64),
        "kind": kind,
        "source": people[0],
        "target": people[1],
        "item": item,
        "task": task,
    }
    names = {"kinds": tuple(map(str, kinds)), "tasks": tasks, "artefacts": artefacts}
    runs = events["run"].cast(pl.String).fill_null("") if "run" in events.columns else None
    windows = []
    for name, first, last in _stretches(runs, events.height):
        rows = {k: v[first:last] for k, v in arrays.items()}
        windows.append(_window(name, rows, ids=ids, names=names, log=log))
    return Reading(tuple(windows), tuple(notes))


def _usable(events: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Rows with a finite time and a source, sorted by run (in order of appearance), time and seq."""
    time = pl.col("time").cast(pl.Float64, strict=False)
    good = events.filter(time.is_not_null() & time.is_finite() & pl.col("source").is_not_null())
    lost = events.height - good.height
    notes = [f"{lost:,} of {events.height:,} events have no usable time or no source and are left out."] if lost else []
    keys = [k for k in ("time", "seq") if k in good.columns]
    if "run" in good.columns:
        first = pl.col("run").cast(pl.String).fill_null("")
        order = good.select(first.alias("run")).unique(maintain_order=True).with_row_index("_run")
        good = good.with_columns(first.alias("run")).join(order, on="run", how="left", maintain_order="left")
        return good.sort("_run", *keys, maintain_order=True).drop("_run"), notes
    return good.sort(*keys, maintain_order=True), notes


def _whole(events: pl.DataFrame, column: str, default: Ints) -> Ints:
    """A column of sequence numbers; NONE for null, ``default`` where the log has no such column of numbers."""
    if column not in events.columns or not events[column].dtype.is_integer():
        return default
    return events[column].cast(pl.Int64, strict=False).fill_null(NONE).to_numpy().astype(np.int64)


def _real(events: pl.DataFrame, column: str) -> Floats:
    """A column of numbers; NaN for null, for what is no number, and where the log has no such column."""
    if column not in events.columns:
        return np.full(events.height, np.nan)
    return events[column].cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(np.float64)


def _coded(events: pl.DataFrame, column: str) -> tuple[tuple[Any, ...], Ints]:
    """Distinct values of a column in order of appearance, and each row's index into them (NONE for null)."""
    if column not in events.columns or events.height == 0:
        return (), np.full(events.height, NONE, dtype=np.int64)
    values = events[column]
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    return _codes(values)


def _codes(values: pl.Series) -> tuple[tuple[Any, ...], Ints]:
    known = values.drop_nulls().unique(maintain_order=True)
    table = pl.DataFrame({"value": known, "code": np.arange(len(known), dtype=np.int64)})
    coded = values.to_frame("value").join(table, on="value", how="left", maintain_order="left", nulls_equal=False)
    return tuple(known.to_list()), coded["code"].fill_null(NONE).to_numpy().astype(np.int64)


def _coded_pair(events: pl.DataFrame) -> tuple[tuple[Any, ...], tuple[Ints, Ints]]:
    """Agent ids and the codes of source and target over one common list."""
    source = events["source"]
    target = events["target"] if "target" in events.columns else pl.Series("target", [None] * events.height)
    if target.dtype == pl.Null:
        target = target.cast(source.dtype)
    if source.dtype != target.dtype or source.dtype in (pl.Categorical, pl.Enum):
        source, target = source.cast(pl.String), target.cast(pl.String)
    known, codes = _codes(pl.concat([source.alias("agent"), target.alias("agent")]))
    return known, (codes[: events.height], codes[events.height :])


def _stretches(runs: pl.Series | None, height: int) -> list[tuple[str, int, int]]:
    if runs is None or height == 0:
        return [("", 0, height)]
    lengths = runs.rle()
    names = lengths.struct.field("value").to_list()
    ends = np.cumsum(lengths.struct.field("len").to_numpy())
    return [(str(n), int(e - k), int(e)) for n, e, k in zip(names, ends, np.diff(ends, prepend=0), strict=True)]


def _window(
    run: str, rows: dict[str, Any], *, ids: tuple[Any, ...], names: dict[str, tuple[Any, ...]], log: Log
) -> Window:
    """One run's window with agents renumbered by first appearance (giver before receiver within an event)."""
    seen = np.column_stack([rows["source"], rows["target"]]).ravel()
    first = np.full(len(ids) + 1, len(seen), dtype=np.int64)
    first[seen[::-1]] = np.arange(len(seen))[::-1]  # the last written stands: where each first appeared
    first[NONE] = len(seen)
    present = np.argsort(first, kind="stable")[: int((first < len(seen)).sum())]
    lookup = np.full(len(ids) + 1, NONE, dtype=np.int64)
    lookup[present] = np.arange(len(present))
    rows = {**rows, "source": lookup[rows["source"]], "target": lookup[rows["target"]]}
    agents = tuple(ids[p] for p in present)
    return Window(
        run,
        agents,
        **rows,
        kinds=names["kinds"],
        tasks=names["tasks"],
        artefacts=names["artefacts"],
        states=_states(log, run, agents),
        channels=_channels(log, run, agents),
        labels=_labels(log, run, agents),
    )


def _of_run(table: pl.DataFrame, run: str) -> pl.DataFrame:
    return table.filter(pl.col("run").cast(pl.String) == run) if run and "run" in table.columns else table


def _channels(log: Log, run: str, agents: tuple[Any, ...]) -> Ints | None:
    """Initial contacts among the agents that appear in the log; None when the log states none."""
    if log.contacts is None or not {"source", "target"} <= set(log.contacts.columns):
        return None
    table = _of_run(log.contacts, run)
    number = {str(a): k for k, a in enumerate(agents)}
    ends = [[number.get(str(a), NONE) for a in table[c].to_list()] for c in ("source", "target")]
    pairs = np.array(ends, dtype=np.int64).T.reshape(-1, 2)
    kept = pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])]
    return np.unique(kept, axis=0) if len(kept) else None


def _states(log: Log, run: str, agents: tuple[Any, ...]) -> dict[str, States]:
    """Finite readings by variable, of agents that appear in the log and of the environment (agent null)."""
    if log.states is None or not {"time", "agent", "variable", "value"} <= set(log.states.columns):
        return {}
    number = {str(a): k for k, a in enumerate(agents)}
    table = _of_run(log.states, run).select(
        pl.col("time").cast(pl.Float64, strict=False),
        pl.col("agent").cast(pl.String),
        pl.col("variable").cast(pl.String),
        pl.col("value").cast(pl.Float64, strict=False),
    )
    table = table.filter(pl.col("time").is_finite() & pl.col("value").is_finite()).sort("time", maintain_order=True)
    table = table.filter(pl.col("agent").is_null() | pl.col("agent").is_in(list(number)))
    made = {}
    for (name,), part in table.group_by("variable", maintain_order=True):
        agent = [NONE if a is None else number[a] for a in part["agent"]]
        made[str(name)] = States(part["time"].to_numpy(), np.array(agent, dtype=np.int64), part["value"].to_numpy())
    return made


def _labels(log: Log, run: str, agents: tuple[Any, ...]) -> tuple[str | None, ...]:
    if log.agents is None or not {"id", "label"} <= set(log.agents.columns):
        return ()
    table = _of_run(log.agents, run)
    label = {str(i): v for i, v in zip(table["id"].to_list(), table["label"].to_list(), strict=True)}
    found = [label.get(str(a)) for a in agents]
    return tuple(None if v is None else str(v) for v in found)
