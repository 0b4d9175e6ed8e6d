"""Panel: time, played, paused, stepped, scrubbed, resumed; and the run in a few numbers."""

from __future__ import annotations

from html import escape
from typing import Any

import solara

from experiments.report.words import number
from sim.world.engine import rule_module
from viz.acts import said
from viz.analyst import Found
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session
from viz.widgets.timeline import TimelineWidget

SPEEDS = {"1": 1.0, "3": 3.0, "10": 10.0, "30": 30.0, "100": 100.0, "300": 300.0, "as fast as it goes": float("inf")}
EVERY = (1, 2, 5, 10, 50)
MOST_LANES = 6


@solara.component
def Time(session: Session) -> None:
    """The rule in a sentence, the buttons of time, the axis, and where the run is."""
    Rule(session)
    Buttons(session)
    Axis(session)
    Numbers(session)


@solara.component
def Rule(session: Session) -> None:
    """The local rule of all agents, in a sentence."""
    session.world.value  # noqa: B018  another world, another rule
    if session.run is not None:
        words(rule_module(session.run.plan.rule, session.run.plan.scenario).WORDS, classes=["rule"])
    elif session.stored is not None:
        words(f"A log that is there already: {session.title}. Drag the knob to look at any moment.", classes=["rule"])
    if session.parent.value:
        words(session.parent.value, classes=["quiet", "parent"])


@solara.component
def Buttons(session: Session) -> None:
    """Play, step, look back, reset, how fast, how often drawn."""
    session.world.value  # noqa: B018  a stored log cannot be played
    playing, cursor = session.playing.value, session.cursor.value
    stored = session.stored is not None
    with solara.Div(classes=["line"]):
        if not stored:
            label = "Pause" if playing else "Play"
            button(label, session.toggle, key="space", about=f"{label} (space)", primary=True, data_role="play")
            button("Step", session.step, key="ArrowRight", about="Move time by 1 and pause (key →)")
        button("Back", lambda: back(session), key="ArrowLeft", about="Look at an earlier moment (key ←)")
        button("Now", lambda: session.scrub(None), key="End", about="Return to the present", disabled=cursor is None)
        if not stored:
            button("Reset", session.reset, key="r", about="Begin again with the same parameters and seed (key R)")
            button(
                "Resume here" if cursor is None else f"Resume from {number(cursor)}",
                lambda: session.resume(session.now),
                about="A new run that repeats this one up to the moment shown, and may go another way from there",
                disabled=cursor is None,
                data_role="resume",
            )
            names = {v: k for k, v in SPEEDS.items()}
            solara.Select(
                "Speed (time/s)",
                values=list(SPEEDS),
                value=names.get(session.speed.value, "30"),
                on_value=lambda name: session.set_speed(SPEEDS[name]),
                dense=True,
                classes=["speed"],
            ).key("speed")
            solara.Select(
                "Draw every",
                values=list(EVERY),
                value=session.every.value,
                on_value=session.every.set,
                dense=True,
                classes=["every"],
            ).key("every")


def back(session: Session) -> None:
    """Look at a moment a fiftieth of the axis earlier."""
    session.scrub(max(0.0, session.now - session.horizon / 50))


@solara.component
def Axis(session: Session) -> None:
    """The axis of time with structures and acts along it."""
    session.frame.value  # noqa: B018  redraw with every frame
    found, cursor = session.found.value, session.cursor.value
    lanes = solara.use_memo(lambda: lanes_of(found), [id(found)])
    TimelineWidget.element(
        end=float(session.horizon),
        now=float(session.moment.now),
        cursor=-1.0 if cursor is None else float(cursor),
        lanes=lanes,
        acts=[{"time": act.time, "words": f"{said(act)} at time {number(act.time)}"} for act in session.acts],
        chosen=session.chosen.value or "",
        on_cursor=lambda at: session.scrub(None if at < 0 else at),
        on_chosen=lambda identity: session.chosen.set(identity or None),
        on_hovered=lambda identity: session.hovered.set(identity or None),
    )


def lanes_of(found: Found | None) -> list[dict[str, Any]]:
    """The first structures as lanes of the timeline."""
    if found is None:
        return []
    made = []
    for s in found.structures[:MOST_LANES]:
        ends = [row["end"] for row in s["timeline"]]
        changes = [(ends[c["window"]], c["kind"]) for c in s["changes"] if 0 <= c["window"] < len(ends)]
        agreed = [row["agreement"] for row in s["timeline"]]
        cells = [
            (row["start"], row["end"], 0.5 if a is None else float(a), bool(row["present"]))
            for row, a in zip(s["timeline"], agreed, strict=True)
        ]
        made.append(
            {
                "id": s["id"],
                "label": f"{s['kind']} {s['about'].replace('task type', 'type')}".strip(),
                "words": f"{s['sentence']} (+ birth, × death, < split, > merge)",
                "colour": "var(--accent)",
                "cells": cells,
                "changes": changes,
            }
        )
    return made


@solara.component
def Numbers(session: Session) -> None:
    """Where the run is, and how fast it really goes."""
    session.frame.value  # noqa: B018  redraw with every frame
    session.halt.value  # noqa: B018  and when time stands still
    moment, (events, cost) = session.moment, session.so_far
    if moment.error:
        solara.Error(f"The run stopped: {moment.error} Change a parameter or reset.")
    shown = [
        ("time", f"{number(session.now)} of {number(moment.until)}"),
        ("events", f"{events:,}"),
        ("cost", number(cost)),
    ]
    if session.stored is None:  # a log that is there already has no speed
        fast = f"{number(moment.rate)} time/s, {number(session.pictures)} pictures/s"
        shown.append(("speed", fast if moment.playing else "paused"))
    # One message to the browser for all of them, in every picture.
    text = "".join(f'<span data-number="{label}">{label} <b>{escape(value)}</b></span>' for label, value in shown)
    solara.HTML(unsafe_innerHTML=text, classes=["numbers"])
    if moment.note:
        words(moment.note, classes=["quiet"])


panels.add("time")(Panel("time", "world", "", "Time: play, pause, step, reset, look back, resume.", Time, order=10))
