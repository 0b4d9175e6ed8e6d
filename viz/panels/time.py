"""Panel: time, played, paused, stepped, scrubbed; and the run in a few numbers."""

from __future__ import annotations

import solara

from experiments.report.words import number
from sim.world.engine import rule_module
from viz.panels.panel import Panel, panels
from viz.session import Session


@solara.component
def Time(session: Session) -> None:
    """The rule in a sentence, the buttons of time, and where the run is."""
    session.frame.value  # noqa: B018  redraw with every frame
    moment = session.moment
    if session.run is not None:
        rule = rule_module(session.run.plan.rule, session.spec)
        solara.HTML(tag="p", unsafe_innerHTML=str(rule.WORDS), classes=["rule"])
        with solara.Row(gap="6px", style={"flex-wrap": "wrap"}):
            solara.Button(
                "Pause" if moment.playing else "Play",
                on_click=session.toggle,
                color="primary",
                attributes={"data-key": " "},
            )
            solara.Button("Step", on_click=lambda: session.step(1.0), attributes={"data-key": "ArrowRight"})
            solara.Button("Reset", on_click=lambda: session.start(play=False), attributes={"data-key": "r"})
    if moment.error or session.trouble.value:
        solara.Error(moment.error or session.trouble.value)
    solara.SliderFloat(
        "Moment shown",
        value=float(session.now),
        min=0.0,
        max=max(float(moment.now), 1e-9),
        step=max(float(moment.now), 1.0) / 500,
        on_value=lambda at: session.scrub(at if at < moment.now else None),
        thumb_label=False,
    )
    with solara.Div(classes=["numbers"]):
        for label, value in (
            ("time", f"{number(session.now)} of {number(moment.until)}"),
            ("events", f"{moment.events:,}"),
            ("cost", number(moment.cost)),
            ("speed reached", f"{number(moment.rate)} time units per second" if moment.playing else "paused"),
        ):
            solara.HTML(tag="span", unsafe_innerHTML=f"{label} <b>{value}</b>")


panels.add("time")(Panel("time", "world", "", "Time: play, pause, step, reset, and look back.", Time, order=10))
