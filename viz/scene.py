"""A scene: what the world picture shows at one moment, as arrays read off the log; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.record.log import Log
from sim.topology.layout import force

MOST_DRAWN = 1000  # agents; more are shown as density
RECENT = 0.05  # share of the time so far that counts as recent traffic, at least LEAST_RECENT
LEAST_RECENT = 10.0
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stage:
    """What stays during a run: agents with places, and the links that can carry traffic.

    Attributes:
        ids: Agent ids, length n.
        places: Shape (n, 2) in [0, 1].
        links: Agent numbers (giver, receiver), shape (m, 2).
    """

    ids: tuple[Any, ...]
    places: Floats
    links: Ints

    @property
    def number(self) -> dict[Any, int]:
        """Agent id to its number."""
        return {a: k for k, a in enumerate(self.ids)}


def stage(log: Log) -> Stage:
    """Agents and links of a log: the initial contacts where they are known, else the pairs that met.

    Places come from forces along the links, are computed once, and depend on nothing else; for more than MOST_DRAWN
    agents they are a spiral in the order of the ids, since then only density is drawn.
    """
    ids = _ids(log)
    number = pl.DataFrame({"id": pl.Series(ids), "number": np.arange(len(ids))}) if ids else None
    if number is None:
        return Stage((), np.zeros((0, 2)), np.zeros((0, 2), dtype=np.int64))
    pairs = log.contacts if log.contacts is not None else log.events
    links = _numbered(pairs, number)
    if len(ids) > MOST_DRAWN:
        return Stage(tuple(ids), _spiral(len(ids)), links)
    return Stage(tuple(ids), np.asarray(force(len(ids), np.unique(np.sort(links, axis=1), axis=0))), links)


def _ids(log: Log) -> list[Any]:
    if log.agents is not None and "id" in log.agents.columns:
        return log.agents["id"].to_list()
    seen = [log.events[c].drop_nulls() for c in ("source", "target") if c in log.events.columns]
    known = [s for s in seen if s.dtype != pl.Null]
    if not known:
        return []
    whole = known[0].dtype if len({s.dtype for s in known}) == 1 else pl.String
    return pl.concat([s.cast(whole) for s in known]).unique().sort().to_list()


def _numbered(pairs: pl.DataFrame, number: pl.DataFrame) -> Ints:
    """Distinct (giver, receiver) of a table as agent numbers, self-links and unknown agents left out."""
    if not {"source", "target"} <= set(pairs.columns):
        return np.zeros((0, 2), dtype=np.int64)
    dtype = number["id"].dtype
    found = (
        pairs.select(pl.col("source").cast(dtype, strict=False), pl.col("target").cast(dtype, strict=False))
        .drop_nulls()
        .unique(maintain_order=True)
        .join(number.rename({"number": "a"}), left_on="source", right_on="id", maintain_order="left")
        .join(number.rename({"number": "b"}), left_on="target", right_on="id", maintain_order="left")
    )
    links = found.select("a", "b").to_numpy().astype(np.int64).reshape(-1, 2)
    return np.asarray(links[links[:, 0] != links[:, 1]])


def _spiral(n: int) -> Floats:
    k = np.arange(n) + 0.5
    radius, angle = np.sqrt(k / n) / 2, np.pi * (1 + 5**0.5) * k
    return np.column_stack([0.5 + radius * np.cos(angle), 0.5 + radius * np.sin(angle)])


@dataclass(frozen=True)
class Scene:
    """What moves: traffic per link and events per agent in the recent past, and the span they are counted over."""

    traffic: Floats
    activity: Floats
    start: float
    end: float


def recent(end: float) -> float:
    """Length of the recent past at a moment."""
    return max(LEAST_RECENT, RECENT * end)


def scene(events: pl.DataFrame, at: Stage, *, end: float, length: float | None = None) -> Scene:
    """Count events with a target by link, and all events by agent, in the ``length`` before ``end``."""
    start = end - (recent(end) if length is None else length)
    rows = slice_of_time(events, start, end)
    n = len(at.ids)
    lookup = at.number
    source = np.array([lookup.get(a, -1) for a in rows["source"].to_list()], dtype=np.int64)
    active = np.bincount(source[source >= 0], minlength=n).astype(np.float64)
    if "target" not in rows.columns or not len(at.links):
        return Scene(np.zeros(len(at.links)), active, start, end)
    target = np.array([lookup.get(a, -1) for a in rows["target"].to_list()], dtype=np.int64)
    both = (source >= 0) & (target >= 0)
    key = np.sort(at.links[:, 0] * n + at.links[:, 1])
    order = np.argsort(at.links[:, 0] * n + at.links[:, 1], kind="stable")
    met = source[both] * n + target[both]
    place = np.minimum(np.searchsorted(key, met), len(key) - 1)
    hit = key[place] == met
    traffic = np.zeros(len(key))
    traffic[order] = np.bincount(place[hit], minlength=len(key))
    return Scene(traffic, active, start, end)


def slice_of_time(events: pl.DataFrame, start: float, end: float) -> pl.DataFrame:
    """Events with start < time <= end; the events are sorted by time."""
    if events.height == 0:
        return events
    times = events["time"]
    first, last = times.search_sorted(pl.Series([start, end]), side="right")
    return events.slice(int(first), int(last) - int(first))


def roles_at(structures: Sequence[Any], at: Stage, chosen: str | None) -> tuple[Ints, list[str]]:
    """Colour number of each agent by its role in the chosen structure (0: none), and the names of the roles from 1."""
    colour = np.zeros(len(at.ids), dtype=np.int64)
    one = next((s for s in structures if s["id"] == chosen), None)
    if one is None:
        return colour, []
    lookup = {str(a): k for a, k in at.number.items()}
    names = list(one["roles"])
    for k, role in enumerate(names, start=1):
        for agent in one["roles"][role]:
            if str(agent) in lookup:
                colour[lookup[str(agent)]] = k
    return colour, names
