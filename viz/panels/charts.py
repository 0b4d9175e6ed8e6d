"""Panel: instruments over time as charts on one axis with the moment shown; each can be read as a table."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import solara

from experiments.report.words import number
from viz.analyst import Found
from viz.command import Command
from viz.panels.panel import Panel, panels
from viz.parts import words
from viz.session import Session
from viz.tape import Tape
from viz.widgets.charts import ChartsWidget

BINS = 30


@solara.component
def Charts(session: Session) -> None:
    """Events over time as they happen, and the instruments as of the last search."""
    session.beat.value  # noqa: B018  the log grows
    session.cursor.value  # noqa: B018  another moment may be looked at
    found, tape = session.found.value, session.tape
    read = solara.use_memo(lambda: read_off(found), [id(found)])
    live = [] if tape is None else [busy(tape, now=session.moment.now, end=session.horizon)]
    cursor = session.cursor.value
    ChartsWidget.element(
        title=session.title,
        lines=[*live, *read],
        acts=[{"time": act.time} for act in session.acts],
        end=float(session.horizon),
        now=float(session.moment.now),
        cursor=-1.0 if cursor is None else float(cursor),
        on_cursor=lambda at: session.scrub(None if at < 0 else at),
    )
    Command(session)
    if found is not None and read:
        words(f"Instruments as of time {number(found.until)}; events as they happen.", classes=["quiet"])


def busy(tape: Tape, *, now: float, end: float) -> dict[str, Any]:
    """Events in a unit of time, over bins of the axis."""
    width = end / BINS
    full = int(now / width)
    first = tape.first if tape.lost else 0.0
    counts = tape.counted(width * np.arange(full + 1))
    points = [((k + 0.5) * width, float(c) / width if k * width >= first else None) for k, c in enumerate(counts)]
    about = "How many events the world makes in a unit of time."
    return {"name": "events", "title": "events", "unit": "per unit of time", "about": about, "points": points}


def read_off(found: Found | None) -> list[dict[str, Any]]:
    """The series of the instruments that are defined here."""
    if found is None or found.series is None:
        return []
    made = []
    for (name,), part in found.series.group_by("name", maintain_order=True):
        values = part["value"].to_list()
        if all(v is None for v in values):
            continue
        unit = str((found.readings or {}).get(str(name), {}).get("unit", ""))
        about = (found.summaries or {}).get(str(name), "")
        points = [
            (t, v if v is not None and isfinite(v) else None)
            for t, v in zip(part["time"].to_list(), values, strict=True)
        ]
        title = str(name).replace("_", " ")
        made.append({"name": name, "title": title, "unit": unit, "about": about, "points": points})
    return made


panels.add("charts")(
    Panel(
        "charts",
        "steering",
        "Instruments",
        "Measures over time; click to look at a moment.",
        Charts,
        order=5,
        wide=True,
    )
)
