"""A scene: what the world picture shows at one moment, as arrays read off the log; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.record.log import Log
from sim.topology.layout import force
from viz.tape import Tape

MOST_DRAWN = 1000  # agents; more are shown as a field of cells
MOST_ORDERED = 200_000  # agents up to which the cells of neighbours are put beside each other
RECENT = 0.05  # share of the time so far that counts as recent traffic, at least LEAST_RECENT
LEAST_RECENT = 10.0
MOST_COUNTED = 50_000  # events behind one picture
GOLDEN = 2.399963  # radians: turns by the golden angle never meet
BESIDE = 0.03  # how far beside the middle of its contacts a newcomer stands
MOST_MET = 5_000  # events whose pairs are the links of a world in which everybody reaches everybody
SIDE = 512  # cells along a side of the field, at most
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stage:
    """What stays during a run: agents with places, and the links that can carry traffic.

    Attributes:
        ids: Agent ids, length n.
        places: Shape (n, 2) in [0, 1]; empty for more than MOST_DRAWN agents.
        links: Agent numbers (giver, receiver), shape (m, 2).
        cell: For more than MOST_DRAWN agents, the cell of the field that each stands in, length n; else empty.
        side: Cells along a side of the field; 0 where agents are drawn one by one.
    """

    ids: tuple[Any, ...]
    places: Floats
    links: Ints
    cell: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    side: int = 0

    @property
    def n(self) -> int:
        """Number of agents."""
        return len(self.ids)

    @cached_property
    def number(self) -> Mapping[str, int]:
        """Agent id, as text, to its number."""
        return {str(a): k for k, a in enumerate(self.ids)}

    @cached_property
    def names(self) -> list[str]:
        """Agent ids as text, in their order."""
        return [str(a) for a in self.ids]

    @cached_property
    def _is_row(self) -> bool:
        """True when every id is the agent's own number, as in logs of our worlds."""
        return all(isinstance(a, int) and a == k for k, a in enumerate(self.ids))

    def numbers_of(self, column: pl.Series) -> Ints:
        """Agent numbers of a column of ids; -1 for null and for agents that are not on the stage."""
        if self._is_row and column.dtype.is_integer():
            made = column.fill_null(-1).to_numpy().astype(np.int64)
            return np.where((made >= 0) & (made < self.n), made, -1)
        table = pl.DataFrame({"id": pl.Series(self.names, dtype=pl.String), "number": np.arange(self.n)})
        found = pl.DataFrame({"id": column.cast(pl.String)}).join(table, on="id", how="left", maintain_order="left")
        return found["number"].fill_null(-1).to_numpy().astype(np.int64)

    @cached_property
    def link_order(self) -> tuple[Ints, Ints]:
        """Keys giver * n + receiver of the links in rising order, and the link each belongs to."""
        key = self.links[:, 0] * self.n + self.links[:, 1]
        order = np.argsort(key, kind="stable")
        return key[order], order

    def agents_in(self, cell: int) -> Ints:
        """Agents that stand in a cell of the field."""
        return np.asarray(np.flatnonzero(self.cell == cell))


def stage(log: Log) -> Stage:
    """Agents and links of a log: the initial contacts where they are known, else the pairs that met.

    Places come from forces along the links, are computed once, and depend on nothing else. More than MOST_DRAWN agents
    stand in the cells of a square, along a curve that keeps neighbours near each other (Hilbert 1891).
    """
    ids = _ids(log)
    bare = Stage(tuple(ids), np.zeros((0, 2)), np.zeros((0, 2), dtype=np.int64))
    # Of a very large population nobody follows single links, and to sort them would take long.
    pairs = log.contacts if log.contacts is not None else log.events
    links = _links(pairs, bare) if len(ids) <= MOST_ORDERED else bare.links
    if len(ids) > MOST_DRAWN:
        cell, side = _field(len(ids), links)
        return Stage(tuple(ids), np.zeros((0, 2)), links, cell, side)
    return Stage(tuple(ids), np.asarray(force(len(ids), np.unique(np.sort(links, axis=1), axis=0))), links)


def joined(at: Stage, log: Log) -> Stage:
    """The stage with the agents of a log that are not on it yet: each near those it has channels with; nobody moves."""
    ids = _ids(log)
    bare = Stage(tuple(ids), np.zeros((0, 2)), np.zeros((0, 2), dtype=np.int64))
    links = at.links if log.contacts is None or len(ids) > MOST_ORDERED else _links(log.contacts, bare)
    if at.side:
        cell = [at.cell[_near(links, k)[:1]] if len(_near(links, k)) else at.cell[-1:] for k in range(at.n, len(ids))]
        return Stage(tuple(ids), at.places, links, np.concatenate([at.cell, *cell]), at.side)
    places = list(at.places)
    for k in range(at.n, len(ids)):
        near = [places[a] for a in _near(links, k)]
        turn = k * GOLDEN
        aside = BESIDE * np.array([np.cos(turn), np.sin(turn)])
        places.append(np.clip((np.mean(near, axis=0) if near else np.full(2, 0.5)) + aside, 0.0, 1.0))
    return Stage(tuple(ids), np.array(places), links)


def met(at: Stage, events: pl.DataFrame) -> Stage:
    """The stage with the pairs that met in ``events`` as its links, for worlds in which everybody reaches everybody."""
    links = _links(events, at)
    return at if np.array_equal(links, at.links) else Stage(at.ids, at.places, links, at.cell, at.side)


def _near(links: Ints, agent: int) -> Ints:
    """Earlier agents that an agent has channels with."""
    met = np.unique(links[(links == agent).any(axis=1)])
    return met[met < agent]


def _ids(log: Log) -> list[Any]:
    if log.agents is not None and "id" in log.agents.columns:
        return log.agents["id"].to_list()
    seen = [log.events[c].drop_nulls() for c in ("source", "target") if c in log.events.columns]
    known = [s for s in seen if s.dtype != pl.Null]
    if not known:
        return []
    whole = known[0].dtype if len({s.dtype for s in known}) == 1 else pl.String
    return pl.concat([s.cast(whole) for s in known]).unique().sort().to_list()


def _links(pairs: pl.DataFrame, at: Stage) -> Ints:
    """Distinct (giver, receiver) of a table as agent numbers, self-links and unknown agents left out."""
    if not {"source", "target"} <= set(pairs.columns) or at.n == 0:
        return np.zeros((0, 2), dtype=np.int64)
    source, target = at.numbers_of(pairs["source"]), at.numbers_of(pairs["target"])
    kept = (source >= 0) & (target >= 0) & (source != target)
    key = np.unique(source[kept] * at.n + target[kept])
    return np.column_stack([key // at.n, key % at.n])


def _field(n: int, links: Ints) -> tuple[Ints, int]:
    """The cell of each agent, and the cells along a side of the square."""
    order = np.arange(n)
    if len(links):
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import reverse_cuthill_mckee

        ones = np.ones(2 * len(links), dtype=np.int8)
        both = np.concatenate([links, links[:, ::-1]])
        order = np.asarray(reverse_cuthill_mckee(coo_matrix((ones, (both[:, 0], both[:, 1])), (n, n)).tocsr(), True))
    level = 1
    while 4 ** (level + 1) <= n and 2 ** (level + 1) <= SIDE:
        level += 1
    side = 2**level
    x, y = _hilbert(np.arange(n, dtype=np.int64) * side * side // n, level)
    cell = np.empty(n, dtype=np.int64)
    cell[order] = y * side + x
    return cell, side


def _hilbert(along: Ints, level: int) -> tuple[Ints, Ints]:
    """Column and row of places along Hilbert's curve over a square of 2^level cells a side."""
    x, y = np.zeros_like(along), np.zeros_like(along)
    rest = along.copy()
    for k in range(level):
        size = 1 << k
        right = (rest >> 1) & 1
        up = (rest ^ right) & 1
        turned = up == 0
        flip = turned & (right == 1)
        x, y = np.where(flip, size - 1 - x, x), np.where(flip, size - 1 - y, y)
        x, y = np.where(turned, y, x), np.where(turned, x, y)
        x, y = x + size * right, y + size * up
        rest >>= 2
    return x, y


@dataclass(frozen=True)
class Scene:
    """What moves in the recent past, and the span it is counted over.

    Attributes:
        traffic: Events per link, shape (m,); empty where agents stand in cells.
        activity: Events per agent, shape (n,), or per cell of the field, shape (side * side,).
        start: Since when events are counted.
        end: The moment.
    """

    traffic: Floats
    activity: Floats
    start: float
    end: float


def recent(end: float) -> float:
    """Length of the recent past at a moment."""
    return max(LEAST_RECENT, RECENT * end)


def scene(tape: Tape, at: Stage, *, end: float, length: float | None = None) -> Scene:
    """Count events with a target by link, and all events by agent or cell, in the ``length`` before ``end``.

    Of more than MOST_COUNTED events the last are counted, and ``start`` says since when.
    """
    start = end - (recent(end) if length is None else length)
    rows = tape.between(start, end, most=MOST_COUNTED)
    if rows.height == MOST_COUNTED:
        start = float(rows["time"][0])
    source = at.numbers_of(rows["source"])
    if at.side:
        busy = np.bincount(at.cell[source[source >= 0]], minlength=at.side**2)
        return Scene(np.zeros(0), busy.astype(np.float64), max(start, 0.0), end)
    active = np.bincount(source[source >= 0], minlength=at.n).astype(np.float64)
    if "target" not in rows.columns or not len(at.links):
        return Scene(np.zeros(len(at.links)), active, max(start, 0.0), end)
    target = at.numbers_of(rows["target"])
    both = (source >= 0) & (target >= 0)
    key, order = at.link_order
    met = source[both] * at.n + target[both]
    place = np.minimum(np.searchsorted(key, met), len(key) - 1)
    hit = key[place] == met
    traffic = np.zeros(len(key))
    traffic[order] = np.bincount(place[hit], minlength=len(key))
    return Scene(traffic, active, max(start, 0.0), end)


def roles_at(structures: Sequence[Any], at: Stage, chosen: str | None) -> tuple[Ints, list[str]]:
    """Colour number of each agent by its role in the chosen structure (0: none), and the names of the roles from 1."""
    colour = np.zeros(at.n, dtype=np.int64)
    one = next((s for s in structures if s["id"] == chosen), None)
    if one is None:
        return colour, []
    names = list(one["roles"])
    for k, role in enumerate(names, start=1):
        for agent in one["roles"][role]:
            if str(agent) in at.number:
                colour[at.number[str(agent)]] = k
    return colour, names
