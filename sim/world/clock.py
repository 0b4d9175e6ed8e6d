"""The clock: pending moments in a four-ary heap of (time, subject)."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.world.books import NOW, PENDING

ARITY = 4


MOMENT = np.dtype([("time", "f8"), ("subject", "i8")])


def schedule(world: Any, time: float, subject: int) -> None:
    """Add the moment ``time`` for ``subject``; ties are settled by the subject number."""
    clock = world.clock
    i = world.count[PENDING]
    world.count[PENDING] = i + 1
    while i > 0:
        up = (i - 1) // ARITY
        t = clock[up].time
        if t < time or (t == time and clock[up].subject <= subject):
            break
        clock[i].time = t
        clock[i].subject = clock[up].subject
        i = up
    clock[i].time = time
    clock[i].subject = subject


def take_first(world: Any) -> int:
    """Remove the earliest moment and return its subject; its time becomes the present."""
    clock = world.clock
    first = clock[0].subject
    world.sums[NOW] = clock[0].time
    size = world.count[PENDING] - 1
    world.count[PENDING] = size
    if size == 0:
        return first
    time = clock[size].time
    subject = clock[size].subject
    i = 0
    while True:
        low = ARITY * i + 1
        if low >= size:
            break
        best = low
        for child in range(low + 1, min(low + ARITY, size)):
            if clock[child].time < clock[best].time or (
                clock[child].time == clock[best].time and clock[child].subject < clock[best].subject
            ):
                best = child
        t = clock[best].time
        if time < t or (time == t and subject <= clock[best].subject):
            break
        clock[i].time = t
        clock[i].subject = clock[best].subject
        i = best
    clock[i].time = time
    clock[i].subject = subject
    return first
