"""A tape: the last events of a run in memory, appended while they are read, and cut by time."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import polars as pl

from sim.record.store import EventWriter

BLOCK = 100_000  # rows up to which neighbouring pieces are joined


class Tape:
    """Frames of events in the order of time; the oldest leave when there are more than ``most`` rows."""

    def __init__(self, *, most: int) -> None:
        """Nothing yet; ``most`` is the number of rows that is kept at least, once there were that many."""
        self.most = most
        self.rows = 0
        self.lost = False
        self._pieces: list[pl.DataFrame] = []
        self._lock = threading.Lock()

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
                pieces[-2:] = [pl.concat(pieces[-2:], rechunk=True)]
            while len(pieces) > 1 and self.rows - pieces[0].height >= self.most:
                self.rows -= pieces.pop(0).height
                self.lost = True

    def frame(self) -> pl.DataFrame:
        """All events on the tape; no copy is made."""
        return self._joined(self._now())

    def tail(self, most: int) -> pl.DataFrame:
        """The last ``most`` events."""
        return self.frame().tail(most)

    def between(self, start: float, end: float, *, most: int | None = None) -> pl.DataFrame:
        """Events with start < time <= end, the last ``most`` of them."""
        found: list[pl.DataFrame] = []
        rows, pieces = 0, self._now()
        for piece in reversed(pieces):
            times = piece["time"]
            if times[0] > end:
                continue
            if times[-1] <= start or (most is not None and rows >= most):
                break
            first, last = times.search_sorted(pl.Series([start, end]), side="right")
            found.append(piece.slice(int(first), int(last) - int(first)))
            rows += found[-1].height
        # Also no events at all have the columns of the others.
        made = self._joined(found[::-1] or [piece.head(0) for piece in pieces[:1]])
        return made if most is None else made.tail(most)

    def copy(self) -> Tape:
        """A tape with the same events, which the other's later ones do not join; no event is copied."""
        made = Tape(most=self.most)
        made._pieces, made.rows, made.lost = self._now(), self.rows, self.lost
        return made

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._pieces = []
            self.rows = 0

    def _now(self) -> list[pl.DataFrame]:
        with self._lock:
            return list(self._pieces)

    @staticmethod
    def _joined(pieces: list[pl.DataFrame]) -> pl.DataFrame:
        if not pieces:
            return EventWriter(None).frame()
        return pieces[0] if len(pieces) == 1 else pl.concat(pieces)


def tape_of(events: pl.DataFrame) -> Tape:
    """A tape that holds a whole table of events."""
    made = Tape(most=max(events.height, 1))
    made.add(events)
    return made
