"""Acts: what a person did to a running world, in words, and what followed: measures before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from sim.instruments.measure import series
from sim.instruments.reading import instruments
from sim.record.log import Log
from sim.record.windows import Window
from sim.world.interventions import Intervention

NAMES = ("throughput", "latency", "quality", "handoffs_per_item", "cost_per_item", "work_in_progress")
LEAST_EVENTS = 30  # on each side, before anything is said
LONGEST = 0.15  # of the time so far: the stretch looked at on each side


@dataclass(frozen=True)
class Effect:
    """What followed an act.

    Attributes:
        act: The act.
        span: Length of the stretch looked at on each side of it; 0 when there is too little to say.
        rows: Name, unit, value before, value after; a value is None where it is not defined.
        note: Why there are no rows; empty when there are.
    """

    act: Intervention
    span: float
    rows: tuple[tuple[str, str, float | None, float | None], ...] = ()
    note: str = ""


def said(act: Intervention) -> str:
    """The act in words."""
    if act.action == "set":
        return f"{act.name} set to {act.value:g}" if isinstance(act.value, float) else f"{act.name} set to {act.value}"
    if act.action == "add":
        return f"a newcomer joined beside agent {act.agent}"
    if act.other != -1:
        return f"channel between {act.agent} and {act.other} {'closed' if act.action == 'cut' else 'opened again'}"
    words = {"mute": "taken out", "unmute": "brought back", "cut": "cut off", "join": "linked again"}
    return f"agent {act.agent} {words.get(act.action, act.action)}"


def effects(log: Log, acts: Sequence[Intervention], *, now: float, most: int | None = None) -> list[Effect]:
    """Measures on stretches of equal length before and after each of the last ``most`` acts, up to the acts beside it.

    The difference is what followed, not proof that the act caused it: for that, resume from before the act and compare.
    """
    times = sorted({a.time for a in acts})
    made = []
    for act in acts[-most if most else None :]:
        before = max((t for t in times if t < act.time), default=0.0)
        after = min((t for t in times if t > act.time), default=now)
        made.append(_effect(log, act, span=min(act.time - before, after - act.time, LONGEST * max(now, 1e-9))))
    return made


def _effect(log: Log, act: Intervention, *, span: float) -> Effect:
    start, end = act.time - span, act.time + span
    times = log.events["time"]
    a, b, c = (int(k) for k in times.search_sorted(pl.Series([start, act.time, end]), side="right"))
    if min(b - a, c - b) < LEAST_EVENTS:
        short = f"{b - a} events before and {c - b} after so far; {LEAST_EVENTS} on each side are needed."
        return Effect(act, 0.0, note=short)
    parts = [
        Window(0, start, act.time, log.events.slice(a, b - a)),
        Window(1, act.time, end, log.events.slice(b, c - b)),
    ]
    known = [name for name in NAMES if name in instruments.names()]
    read = {(row["name"], row["index"]): row["value"] for row in series(log, windows=parts, names=known).to_dicts()}
    rows: list[tuple[str, str, float | None, float | None]] = [("events", "per time", (b - a) / span, (c - b) / span)]
    rows += [
        (name, "", read.get((name, 0)), read.get((name, 1)))
        for name in known
        if read.get((name, 0)) is not None or read.get((name, 1)) is not None
    ]
    return Effect(act, span, tuple(rows))
