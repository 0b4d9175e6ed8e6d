"""A tape: the last events of a run in memory, appended while they are read, and cut by time."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.record.store import EventWriter
from viz.individual import involving

BLOCK = 25_000  # rows up to which neighbouring pieces are joined; larger ones cost more memory while they are joined


class Packed:
    """A piece of a tape that is read seldom: its times as they are, everything else compressed to a sixth or less."""

    def __init__(self, piece: pl.DataFrame) -> None:
        """Compress ``piece``, which has rows."""
        made = io.BytesIO()
        piece.write_parquet(made, compression="zstd", compression_level=1)
        self._data = made.getvalue()
        self.times = piece["time"].clone()
        self.height = piece.height
        self.cost = _cost(piece)
        self._own: tuple[Any, pl.DataFrame] | None = None

    def whole(self) -> pl.DataFrame:
        """The piece as it was."""
        return pl.read_parquet(io.BytesIO(self._data))

    def own(self, agent: Any) -> pl.DataFrame:
        """The rows that involve ``agent``; those of the last agent asked for are kept, for it is asked for again and again."""
        if self._own is None or self._own[0] != agent:
            self._own = (agent, involving(self.whole(), agent))
        return self._own[1]


class Tape:
    """Frames of events in the order of time; the oldest leave when there are more than ``most`` rows."""

    def __init__(self, *, most: int, loose: int | None = None) -> None:
        """Nothing yet.

        Args:
            most: Number of rows that is kept at least, once there were that many.
            loose: Rows that are kept as they are at least; older ones are packed when there are many of them. None: all.
        """
        self.most = most
        self.rows = 0
        self.lost = False
        self._loose = loose
        self._pieces: list[pl.DataFrame | Packed] = []
        self._lock = threading.Lock()
        self._packing = False

    def append(self, columns: Mapping[str, np.ndarray]) -> None:
        """Take drained columns from an engine (``sim.world.engine.Sink``)."""
        writer = EventWriter(None)
        writer.append(columns)
        self.add(writer.frame())

    def add(self, piece: pl.DataFrame) -> None:
        """Take the next events; small pieces are joined as they grow, so that each row is copied a few times at most."""
        if piece.height == 0:
            return
        with self._lock:
            pieces = self._pieces
            pieces.append(piece)
            self.rows += piece.height
            while len(pieces) > 1 and pieces[-2].height < min(2 * pieces[-1].height, BLOCK):
                before, last = pieces[-2:]
                if isinstance(before, Packed) or isinstance(last, Packed):
                    break
                pieces[-2:] = [pl.concat([before, last], rechunk=True)]
            while len(pieces) > 1 and self.rows - pieces[0].height >= self.most:
                self.rows -= pieces.pop(0).height
                self.lost = True
            if self._packing or self._next() is None:
                return
            self._packing = True
        threading.Thread(target=self._pack, daemon=True, name="pack").start()

    def _next(self) -> pl.DataFrame | None:
        """The oldest piece that is not packed, if it can be: large, and with enough loose rows behind it."""
        loose = [p for p in self._pieces if isinstance(p, pl.DataFrame)]
        if self._loose is None or not loose or loose[0].height < min(BLOCK, self._loose):
            return None
        return loose[0] if sum(p.height for p in loose[1:]) >= self._loose else None

    def _pack(self) -> None:
        """Pack what can be, beside everything else: it takes some hundredths of a second a piece."""
        while True:
            with self._lock:
                piece = self._next()
                if piece is None:
                    self._packing = False
                    return
            packed = Packed(piece)
            with self._lock:
                self._pieces[:] = [packed if p is piece else p for p in self._pieces]

    def frame(self) -> pl.DataFrame:
        """All events on the tape."""
        return self._joined([_whole(piece) for piece in self._now()])

    def tail(self, most: int) -> pl.DataFrame:
        """The last ``most`` events."""
        return self.between(-np.inf, np.inf, most=most)

    def between(self, start: float, end: float, *, most: int | None = None) -> pl.DataFrame:
        """Events with start < time <= end, the last ``most`` of them."""
        found: list[pl.DataFrame] = []
        rows, pieces = 0, self._now()
        for piece in reversed(pieces):
            times = _times(piece)
            if times[0] > end:
                continue
            if times[-1] <= start or (most is not None and rows >= most):
                break
            first, last = times.search_sorted(pl.Series([start, end]), side="right")
            found.append(_whole(piece).slice(int(first), int(last) - int(first)))
            rows += found[-1].height
        # Also no events at all have the columns of the others.
        made = self._joined(found[::-1] or [_whole(piece).head(0) for piece in pieces[-1:]])
        return made if most is None else made.tail(most)

    def own(self, agent: Any, end: float) -> pl.DataFrame:
        """Events up to ``end`` that ``agent`` did, or that were done to it."""
        parts = [piece.own(agent) if isinstance(piece, Packed) else involving(piece, agent) for piece in self._now()]
        return self._joined(parts).filter(pl.col("time") <= end)

    def counted(self, edges: Sequence[float] | NDArray[Any]) -> NDArray[np.int64]:
        """How many events have edges[k] <= time < edges[k + 1], for each k; shape (len(edges) - 1,)."""
        made = np.zeros(len(edges) - 1, dtype=np.int64)
        for piece in self._now():
            made += np.diff(np.searchsorted(_times(piece).to_numpy(), edges))
        return made

    def after(self, moment: float) -> tuple[int, float]:
        """How many events have time > ``moment``, and what they cost."""
        rows, cost = 0, 0.0
        for piece in reversed(self._now()):
            times = _times(piece)
            first = int(times.search_sorted(float(moment), side="right"))
            if first == piece.height:
                break
            rows += piece.height - first
            cost += piece.cost if first == 0 and isinstance(piece, Packed) else _cost(_whole(piece)[first:])
        return rows, cost

    @property
    def first(self) -> float:
        """Time of the first event on the tape; 0 before there is one."""
        pieces = self._now()
        return float(_times(pieces[0])[0]) if pieces else 0.0

    def copy(self) -> Tape:
        """A tape with the same events, which the other's later ones do not join; no event is copied."""
        made = Tape(most=self.most)
        made._pieces, made.rows, made.lost = list(self._now()), self.rows, self.lost
        return made

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._pieces = []
            self.rows = 0

    def _now(self) -> list[pl.DataFrame | Packed]:
        with self._lock:
            return list(self._pieces)

    @staticmethod
    def _joined(pieces: list[pl.DataFrame]) -> pl.DataFrame:
        if not pieces:
            return EventWriter(None).frame()
        return pieces[0] if len(pieces) == 1 else pl.concat(pieces)


def _whole(piece: pl.DataFrame | Packed) -> pl.DataFrame:
    return piece.whole() if isinstance(piece, Packed) else piece


def _cost(piece: pl.DataFrame) -> float:
    return float(piece["cost"].sum() or 0.0) if "cost" in piece.columns else 0.0


def _times(piece: pl.DataFrame | Packed) -> pl.Series:
    return piece.times if isinstance(piece, Packed) else piece["time"]


def tape_of(events: pl.DataFrame) -> Tape:
    """A tape that holds a whole table of events."""
    made = Tape(most=max(events.height, 1))
    made.add(events)
    return made
