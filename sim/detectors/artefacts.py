"""Artefact channels: who reads what another wrote, read exactly off the events (stigmergy)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.detectors.window import NONE, Floats, Ints, Window


@dataclass(frozen=True)
class Channels:
    """Pairs of a writer and a reader, each once, most used first: arrays of shape (pairs,).

    Attributes:
        writer: Agent numbers.
        reader: Agent numbers.
        count: Readings of what the writer had left.
        artefacts: Different artefacts used.
        delay: Median time from writing to reading.
    """

    writer: Ints
    reader: Ints
    count: Ints
    artefacts: Ints
    delay: Floats


def channels(window: Window) -> Channels:
    """Who reads what another agent wrote last.

    Definition: a reading of an artefact goes back to the last event before it that wrote the artefact; what an agent
    wrote itself is no channel. Range: counts of at least 1. Chance level: none, this is a fact on record and no
    inference. Failure modes: what was written before the record began is not seen; a writer that only adds to an
    artefact hides those before.
    """
    return _gathered(window, *_readings(window))


def uses_of(window: Window) -> tuple[Ints, Ints]:
    """Writer and reader of every use: the first reading of what another agent wrote, shape (uses,) each.

    A reader that looks again before anything new is written does not count twice.
    """
    origin, reading = _readings(window)
    reader = window.source[reading]
    _, first = np.unique(origin * max(window.n, 1) + reader, return_index=True)
    return window.source[origin[first]], reader[first]


def _readings(window: Window) -> tuple[Ints, Ints]:
    """Rows of writing and of reading, shape (readings,) each, where another agent wrote."""
    touched = (window.artefact != NONE) & (window.of_class("reads") | window.of_class("writes"))
    rows = np.flatnonzero(touched)
    rows = rows[np.argsort(window.artefact[rows], kind="stable")]
    written = window.of_class("writes")[rows]
    start = np.searchsorted(window.artefact[rows], window.artefact[rows])
    place = np.where(written, np.arange(len(rows)), -1)
    last = np.append(-1, np.maximum.accumulate(place)[:-1]) if len(rows) else place  # a writer may read as it writes
    reads = window.of_class("reads")[rows] & (last >= start)
    reader, origin = rows[reads], rows[last[reads]]
    other = window.source[reader] != window.source[origin]
    return origin[other], reader[other]


def _gathered(window: Window, origin: Ints, reading: Ints) -> Channels:
    """Channels from rows of writing and of reading, shape (readings,)."""
    pair = window.source[origin] * window.n + window.source[reading]
    found, number = np.unique(pair, return_inverse=True)
    count = np.bincount(number, minlength=len(found))
    late = window.time[reading] - window.time[origin]
    used = np.unique(np.column_stack([number, window.artefact[reading]]), axis=0)[:, 0] if len(pair) else number
    delay = np.array([np.median(late[number == k]) for k in range(len(found))])
    order = np.argsort(-count, kind="stable")
    writer, reader = np.divmod(found[order], max(window.n, 1))
    artefacts = np.bincount(used, minlength=len(found))[order]
    return Channels(writer, reader, count[order], artefacts, delay[order].astype(np.float64))
