"""Windows: a log cut into consecutive stretches of time, or of events, run by run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sim.record.log import Log

# The default aims at windows of at least this many events, and at no more than this many windows per run.
EVENTS_PER_WINDOW = 200
MOST_WINDOWS = 20


@dataclass(frozen=True)
class Window:
    """A stretch of one run.

    Attributes:
        index: Position in the run, from 0.
        start: Time at which the window opens (included).
        end: Time at which it closes: excluded, but the last window of a run includes its last event.
        events: The rows of the window, a slice of the log's event table without a copy.
        run: Name of the run, empty for a log without a ``run`` column.
    """

    index: int
    start: float
    end: float
    events: pl.DataFrame
    run: str = ""

    def of(self, log: Log) -> Log:
        """``log`` reduced to the rows of this window, with the tables beside it as they are."""
        return replace(log, events=self.events)


def windows(
    log: Log, *, length: float | None = None, count: int | None = None, by: str = "time", overlap: float = 0.0
) -> list[Window]:
    """Cut every run of ``log`` into windows of equal length.

    Args:
        log: Events ordered by time within each run.
        length: Length of a window, in units of time or in events; not together with ``count``.
        count: Number of windows per run. With neither, as many windows as leave 200 events to each, between 1 and 20,
            the number being the same for all runs (that of the median run), so that windows of equal index match.
        by: ``time`` (equal stretches of time, from the first event of the run) or ``events`` (equal numbers of rows).
        overlap: Share of a window that the next one repeats, from 0 to less than 1.

    Returns:
        Windows in order of run and index. Without overlap every event lies in exactly one window. Windows may be empty.
        A run without events has none; a run whose events all have one time has one window by time.
    """
    _check(length, count, by, overlap)
    runs = log.events.partition_by("run", maintain_order=True) if "run" in log.events.columns else [log.events]
    if length is None and count is None:
        sizes = sorted(rows.height for rows in runs) or [0]
        count = max(1, min(MOST_WINDOWS, sizes[len(sizes) // 2] // EVENTS_PER_WINDOW))
    cut = _by_time if by == "time" else _by_events
    made: list[Window] = []
    for rows in runs:
        if rows.height:
            name = str(rows["run"][0]) if "run" in rows.columns else ""
            made.extend(cut(rows, name, length, count, overlap))
    return made


def _check(length: float | None, count: int | None, by: str, overlap: float) -> None:
    if by not in ("time", "events"):
        raise ValueError(f"windows: by expects 'time' or 'events', got '{by}'.")
    if length is not None and count is not None:
        raise ValueError(f"windows: expected either length or count, got both ({length:g} and {count}).")
    if length is not None and not (length > 0 and math.isfinite(length)):
        raise ValueError(f"windows: length expects a number above 0, got {length}.")
    if length is not None and by == "events" and length != int(length):
        raise ValueError(f"windows: length expects a whole number of events, got {length}.")
    if count is not None and count < 1:
        raise ValueError(f"windows: count expects a whole number of at least 1, got {count}.")
    if not 0 <= overlap < 1:
        raise ValueError(f"windows: overlap expects a share from 0 to less than 1, got {overlap}.")


def _by_time(rows: pl.DataFrame, run: str, length: float | None, count: int | None, overlap: float) -> list[Window]:
    times = rows["time"].to_numpy()
    first, last = float(times[0]), float(times[-1])
    edges = _edges(last - first, length, count, overlap)
    made = []
    for index, (low, high) in enumerate(edges):
        final = index == len(edges) - 1
        start, end = first + low, max(last, first + high) if final else first + high
        begin = int(np.searchsorted(times, start, side="left"))
        stop = len(times) if final else int(np.searchsorted(times, end, side="left"))
        made.append(Window(index, start, end, rows.slice(begin, max(0, stop - begin)), run))
    return made


def _by_events(rows: pl.DataFrame, run: str, length: float | None, count: int | None, overlap: float) -> list[Window]:
    times = rows["time"].to_numpy()
    many = len(times)
    edges = [(round(low), round(high)) for low, high in _edges(float(many), length, count, overlap)]
    made = []
    for index, (begin, stop) in enumerate(edges):
        final = index == len(edges) - 1
        size = many - begin if final else stop - begin
        start, end = float(times[min(begin, many - 1)]), float(times[min(stop, many - 1)])
        made.append(Window(index, start, end, rows.slice(begin, size), run))
    return made


def _edges(span: float, length: float | None, count: int | None, overlap: float) -> list[tuple[float, float]]:
    """Offsets of the windows that cover ``span``: ``count`` equal ones, or as many of ``length`` as it takes."""
    if span <= 0:
        return [(0.0, span)]
    if length is None:
        assert count is not None
        length = span / (1 + (count - 1) * (1 - overlap))
    else:
        # Rounding keeps a span of exactly n lengths from opening an empty window n + 1.
        count = 1 + max(0, math.ceil(round((span - length) / (length * (1 - overlap)), 9)))
    step = length * (1 - overlap)
    if overlap == 0:  # one number for the end of a window and the start of the next, so that no event falls between
        return [(i * length, (i + 1) * length) for i in range(count)]
    return [(i * step, i * step + length) for i in range(count)]
