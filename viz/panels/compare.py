"""Panel: two runs side by side, one set aside and the one that runs, with what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import solara

from experiments.plan import Plan
from experiments.report.words import measured, number
from viz.analyst import Found
from viz.command import Command
from viz.panels.panel import Panel, panels
from viz.parts import COLOURS, button, words
from viz.scene import Stage, scene
from viz.session import Session
from viz.tape import Tape
from viz.widgets.graph import GraphWidget, packed

ROWS = ("throughput", "latency", "quality", "handoffs_per_item", "cost_per_item", "handoff_loss", "semantic_drift")


@dataclass(frozen=True)
class Aside:
    """A run that was set aside: its plan, events, agents, and what was found in it."""

    plan: Plan
    tape: Tape
    stage: Stage
    found: Found | None
    end: float
    acts: int


@solara.component
def Compare(session: Session) -> None:
    """Set a run aside, change something, and see both at the same moment."""
    session.world.value  # noqa: B018  another world
    aside, set_aside = solara.use_state(None)

    def put() -> None:
        run, at, tape = session.run, session.stage(), session.tape
        if run is not None and at is not None and tape is not None:
            set_aside(Aside(run.plan, tape.copy(), at, session.found.value, run.moment.now, len(session.acts)))

    with solara.Div(classes=["line"]):
        button("Set this run aside", put, about="Keep it to compare with the next", data_role="aside")
        if aside is not None:
            button("Forget it", lambda: set_aside(None))
    if aside is None:
        words("Set this run aside, change a parameter and reset: both are shown at the same moment.", classes=["quiet"])
        return
    Both(session, aside)


@solara.component
def Both(session: Session, aside: Aside) -> None:
    """Pictures at the same moment, and a table of what differs."""
    session.beat.value  # noqa: B018  the log grows
    session.cursor.value  # noqa: B018  another moment may be looked at
    at, tape, run = session.stage(), session.tape, session.run
    if at is None or tape is None or run is None:
        words("The world is being built.", classes=["quiet"])
        return
    with solara.Div(classes=["columns"]):
        Small("A, set aside", aside.stage, aside.tape, min(session.now, aside.end))
        Small("B, running", at, tape, session.now)
    for plan, acts in ((aside.plan, aside.acts), (run.plan, len(session.acts))):
        Command(session, plan, acts=acts)
    rows = differing(aside.plan, run.plan)
    measures = instruments_of(aside.found, session.found.value)
    with solara.v.Html(tag="table", attributes={"data-table": "compare"}):
        row("", "A, set aside", "B, running", head=True)
        for name, a, b in rows:
            row(name, a, b, css="differs")
        if not rows:
            row("parameters and seed", "the same", "the same")
        for name, a, b in (*measures, ("acts by hand", str(aside.acts), str(len(session.acts)))):
            row(name, a, b)
    seed = "the same seed" if aside.plan.seed == run.plan.seed else "different seeds"
    words(
        f"One run of each on {seed}: a difference here is an example, not a finding; "
        "for intervals run a sweep or 'swarmscope compare'.",
        classes=["quiet"],
    )


def row(name: str, a: str, b: str, *, head: bool = False, css: str = "") -> None:
    """A row of the table."""
    with solara.v.Html(tag="tr", class_=css):
        for text in (name, a, b):
            words(text, tag="th" if head else "td")


@solara.component
def Small(title: str, at: Stage, tape: Tape, moment: float) -> None:
    """A small picture of a world at a moment."""
    seen = scene(tape, at, end=moment)
    with solara.Div():
        words(f"{title}, time {number(moment)}", tag="h3")
        if at.side:
            words(f"{at.n:,} agents are too many to draw side by side.", classes=["quiet"])
        else:
            GraphWidget.element(
                places=packed(at.places.ravel()),
                names=at.names,
                links=packed(at.links.ravel()),
                traffic=packed(seen.traffic),
                loads=packed(seen.activity),
                palette=COLOURS,
                since=f"from time {number(seen.start)} to {number(seen.end)}",
                caption=title,
                height=260,
            )


def differing(a: Plan, b: Plan) -> list[tuple[str, str, str]]:
    """What was asked of two runs otherwise: scenario, preset, seed, rule, parameters."""
    pairs: list[tuple[str, Any, Any]] = [
        ("scenario", a.scenario.name, b.scenario.name),
        ("preset", a.preset, b.preset),
        ("seed", a.seed, b.seed),
        ("rule", a.rule, b.rule),
    ]
    pairs += [(name, a.values.get(name), b.values.get(name)) for name in sorted({*a.values, *b.values})]
    return [(name, shown(x), shown(y)) for name, x, y in pairs if x != y]


def shown(value: Any) -> str:
    """A value as text."""
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def instruments_of(a: Found | None, b: Found | None) -> list[tuple[str, str, str]]:
    """Readings and structures of two analyses."""

    def read(found: Found | None, name: str) -> str:
        reading = ((found.readings or {}) if found else {}).get(name) or {}
        return measured(reading.get("value"), str(reading.get("unit", "")))

    made = [(name.replace("_", " "), read(a, name), read(b, name)) for name in ROWS]
    made = [one for one in made if one[1:] != ("–", "–")]
    counts = [str(len(f.discovered)) if f else "not looked for yet" for f in (a, b)]
    until = [number(f.until) if f else "–" for f in (a, b)]
    return [*made, ("structures discovered", counts[0], counts[1]), ("looked at up to time", until[0], until[1])]


panels.add("compare")(
    Panel(
        "compare",
        "steering",
        "Compare two runs",
        "A run set aside and the running one at the same moment, and what differs.",
        Compare,
        order=50,
        shown=lambda session: session.stored is None,
        wide=True,
    )
)
