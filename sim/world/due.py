"""Dues: the decisions that wait for an answer, what each of them senses and remembers, and what an answer is.

Populations meet the same views again and again. Dues that sense and remember the same therefore share a shelf, on which
whoever answers them keeps what follows from that alone: options in words, texts, hashes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from sim.spec import Choice, Heard, Scenario
from sim.world.buffer import MARGIN, ROWS
from sim.world.linker import link
from sim.world.view import NO_CHOICE, Draws

# How many views are known again; beyond that all of them are forgotten.
KNOWN = 1 << 13


class Answer(NamedTuple):
    """An answer: option code, amount and where it came from (``sim.record.events.ORIGINS``)."""

    option: int
    amount: float = 1.0
    origin: str = "rule"


CENSORED = Answer(NO_CHOICE, math.nan, "censored")
Shelf = dict[Any, Any]


@dataclass(slots=True)
class Due:
    """One decision that is due.

    Attributes:
        agent: Row of the agent; for the books, not for the mind.
        time: Model time at which it is asked.
        view: The scenario's view.
        state: The rule's columns of this agent, by attribute (for a rule that is asked).
        draws: The draws of this decision.
        memory: What the agent remembers, oldest first.
        alike: What was made of view and memory alone; one dictionary for all dues that are alike in both.
        own: What was made with the draws of this decision.
    """

    agent: int
    time: float
    view: Any
    state: Any
    draws: Draws
    memory: tuple[Heard, ...] = ()
    # Not to be given: a copy with another memory must not take them over.
    alike: Shelf = field(default_factory=dict, init=False, repr=False, compare=False)
    own: Shelf | None = field(default=None, init=False, repr=False, compare=False)

    def offered(self, scenario: Scenario) -> tuple[Choice, ...]:
        """The options of the view in words, empty where ``scenario`` has none; made once for everybody who looks."""
        words = scenario.options
        if words is None:
            return ()
        made: tuple[Choice, ...] | None = self.alike.get(words)
        if made is None and self.own is not None:
            made = self.own.get(words)
        if made is None:
            draws = _Watched(self.draws)
            made = tuple(words(self.view, self.memory, draws))
            if draws.used:
                self.own = {**(self.own or {}), words: made}
            else:
                self.alike[words] = made
        return made

    def shelf(self, scenario: Scenario) -> Shelf:
        """Where to keep what was made of view, memory and options: shared by all that are alike in the three."""
        self.offered(scenario)
        return self.alike if self.own is None or scenario.options not in self.own else self.own


class _Watched:
    """The draws of a decision, and whether anybody used them: what nobody drew for is the same for all alike."""

    __slots__ = ("_draws", "used")

    def __init__(self, draws: Draws) -> None:
        self._draws, self.used = draws, False

    @property
    def stream(self) -> Any:
        self.used = True
        return self._draws.stream

    @property
    def count(self) -> Any:
        self.used = True
        return self._draws.count

    def __iter__(self) -> Iterator[Any]:
        self.used = True
        return iter(self._draws)


class State:
    """The columns of one mind by attribute; arrays are views, so that what a rule writes stays."""

    def __init__(self, minds: Any, row: int) -> None:
        self._minds, self._row = minds, row

    def __getattr__(self, name: str) -> Any:
        """The row of column ``name``."""
        return self._minds[name][self._row]


class Senses:
    """What agents of one running world sense and remember, as values without references to the world."""

    def __init__(self, physics: Mapping[str, Any]) -> None:
        roots = {name: physics[name] for name in ("sense", "inquire", "forget_answers") if name in physics}
        self._plain = link(roots, bindings={}, compiled=False)
        self._asks, self._forgets = "inquire" in roots, "forget_answers" in roots
        self._known: dict[Any, tuple[Any, tuple[Heard, ...], Shelf]] = {}
        self._world: Any = None
        self._read: Any = None

    def dues(self, engine: Any, sink: Any, rows: Sequence[int], *, time: float) -> list[Due]:
        """The decisions of the agents in ``rows``, who are asked one after the other in this order."""
        world, minds, log, sense = engine.world, engine.minds, engine.log, self._plain.sense
        read, memories = self._reading(world), Memories(minds, rows)
        streams, counts = world.agents["stream"][rows], world.agents["decisions"][rows].astype(np.int64)
        made = []
        for place, (row, stream, count) in enumerate(zip(rows, streams, counts, strict=True)):
            if self._asks:
                if log.count[ROWS] + MARGIN > log.rows.shape[0]:
                    engine.drain(sink)
                self._plain.inquire(world, log, row, time)
            view, memory, alike = self._sensed(sense(read, row), memories, place)
            if self._forgets:
                self._plain.forget_answers(world, row)
            due = Due(row, time, view, State(minds, row), Draws(stream, count), memory)
            due.alike = alike
            made.append(due)
        return made

    def _sensed(self, sensed: Any, memories: Memories, place: int) -> tuple[Any, tuple[Heard, ...], Shelf]:
        """View, memory and shelf; those of an earlier due that sensed and remembered the same."""
        name = (sensed, memories.names[place])
        try:
            known = self._known.get(name)
        except TypeError:  # a view with arrays has no hash, and hardly an equal
            return _value(sensed), memories.of(place), {}
        if known is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            known = self._known[name] = _value(sensed), memories.of(place), {}
        return known

    def _reading(self, world: Any) -> Any:
        """The world in a form that the interpreter reads fast."""
        if world is not self._world:
            tables = {n: _Table(v) for n, v in zip(world._fields, world, strict=True) if isinstance(v, np.recarray)}
            self._world, self._read = world, world._replace(**tables)
        return self._read


class Memories:
    """What the minds in ``rows`` remember, and a name for it: equal memories have equal names, and no others."""

    def __init__(self, minds: Any, rows: Sequence[int]) -> None:
        room = minds["heard_code"].shape[1]
        heard, place = minds["heard"][rows], np.array(rows, np.int64)[:, None]
        # Nothing is remembered where a compiled rule learns instead.
        self._many = np.where(minds["ruled"][rows] >= 0, 0, np.minimum(heard, room)).tolist()
        # A full memory begins with the one that is overwritten next.
        turned = (np.where(heard > room, heard % room, 0)[:, None] + np.arange(room)) % room
        self._columns = [minds[f"heard_{name}"][place, turned] for name in Heard._fields]
        packed = np.concatenate([c.view(np.int64) if c.dtype == float else c for c in self._columns], 1, dtype=np.int64)
        text, width = packed.tobytes(), packed.itemsize * packed.shape[1]
        self.names = [(n, text[i * width : (i + 1) * width] if n else b"") for i, n in enumerate(self._many)]

    def of(self, place: int) -> tuple[Heard, ...]:
        """What the mind at ``place`` remembers, oldest first."""
        many = self._many[place]
        return tuple(map(Heard._make, zip(*[c[place, :many].tolist() for c in self._columns], strict=True)))


class _Table:
    """A record array whose records are read at a third of the price of NumPy's."""

    def __init__(self, records: np.recarray[Any, Any]) -> None:
        self._records, self._columns = records, _Columns(records)

    def __getitem__(self, row: Any) -> _Record:
        return _Record(self._columns, row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)


class _Columns(dict[str, Any]):
    def __init__(self, records: Any) -> None:
        super().__init__()
        self._records = records

    def __missing__(self, name: str) -> Any:
        made = self[name] = self._records[name]
        return made


class _Record:
    __slots__ = ("_columns", "_row")

    def __init__(self, columns: _Columns, row: Any) -> None:
        self._columns, self._row = columns, row

    def __getattr__(self, name: str) -> Any:
        return self._columns[name][self._row]


def _value(sensed: Any) -> SimpleNamespace:
    """A view as a value: numbers as they are, arrays as copies."""
    return SimpleNamespace(**{n: _plain(v) for n, v in zip(sensed._fields, sensed, strict=True)})


def _plain(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
