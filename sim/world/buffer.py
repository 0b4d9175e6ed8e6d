"""The log buffer: fixed-width columns that kernels fill and the engine drains to the record."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# Log modes: what of all that happens is kept.
FULL, WINDOW, SAMPLE, COUNTERS = 0, 1, 2, 3
LOG_MODES = {"full": FULL, "window": WINDOW, "sample": SAMPLE, "counters": COUNTERS}

# Rows that one kernel step may add at most; loops give control back before fewer are left.
MARGIN = 64
ROWS, SEQ = 0, 1
# Place in Buffer.count of the origin of the decision that is just being applied; 0 is the rule.
DECIDED_BY = 2


# Places in Buffer.count: rows used, next sequence number, origin, then how often each kind happened.
KINDS_AT = 8
# Places in Buffer.keep: log mode, first time kept, first time no longer kept, share kept, then the sum of all costs.
MODE, START, END, SHARE, COST = 0, 1, 2, 3, 4

EVENT = np.dtype(
    [
        ("seq", "u8"), ("time", "f8"), ("item", "i8"), ("parent", "i8"), ("artefact", "i8"), ("requirements", "u8"),
        ("cost", "f8"), ("source", "i4"), ("target", "i4"), ("value", "f4"), ("duration", "f4"), ("similarity", "f4"),
        ("task", "i2"), ("kind", "u1"), ("origin", "u1"),
    ],
    align=True,
)  # fmt: skip


class Buffer(NamedTuple):
    """Fixed-width event rows, and how they are kept; the engine turns rows into columns when it drains them."""

    rows: Any
    count: Any
    keep: Any


def new_buffer(rows: int, *, mode: str = "full", start: float = 0.0, end: float = np.inf, share: float = 1.0) -> Buffer:
    """An empty buffer of ``rows`` rows.

    Args:
        rows: How many events fit before the kernel gives back control.
        mode: ``full``; ``window`` keeps events with start <= time < end; ``sample`` keeps whole items (or agents, for
            events without an item) with probability ``share``; ``counters`` keeps none.
        start: First time kept in mode ``window``.
        end: First time no longer kept in mode ``window``.
        share: Share kept in mode ``sample``.
    """
    keep = np.array([float(LOG_MODES[mode]), start, end, share, 0.0])
    return Buffer(np.recarray(rows, EVENT), np.zeros(KINDS_AT + 64, np.int64), keep)


def emit(
    log: Any, time: float, kind: int, source: int, target: int, item: int, parent: int, artefact: int, task: int,
    value: float, cost: float, duration: float, requirements: int, similarity: float,
) -> int:  # fmt: skip
    """Record one event and return its sequence number; -1 and NaN stand for null."""
    seq = log.count[SEQ]
    log.count[SEQ] = seq + 1
    log.count[KINDS_AT + kind] += 1
    if cost != 0.0:
        log.keep[COST] += cost
    mode = log.keep[MODE]
    if mode != FULL:
        if mode == COUNTERS:
            return seq
        if mode == WINDOW and (time < log.keep[START] or time >= log.keep[END]):
            return seq
        if mode == SAMPLE and not sampled(item if item >= 0 else source, log.keep[SHARE]):
            return seq
    n = log.count[ROWS]
    log.count[ROWS] = n + 1
    row = log.rows[n]
    row.seq = seq
    row.time = time
    row.kind = kind
    row.source = source
    row.target = target
    row.item = item
    row.parent = parent
    row.artefact = artefact
    row.task = task
    row.value = value
    row.cost = cost
    row.duration = duration
    row.requirements = requirements
    row.similarity = similarity
    row.origin = log.count[DECIDED_BY]
    return seq


def sampled(number: int, share: float) -> bool:
    """Whether the item (or agent) ``number`` belongs to the sampled share; a fixed hash, the same in every run."""
    mixed = (number * 1103515245 + 12345) % 2147483648
    mixed = ((mixed ^ (mixed >> 15)) * 1597334677) % 2147483648
    return float((mixed ^ (mixed >> 13)) % 2147483648) < share * 2147483648.0
