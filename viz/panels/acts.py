"""Panel: what was done to the world by hand, and measures before and after each act."""

from __future__ import annotations

from math import isfinite, nan

import solara

from experiments.report.words import number
from sim.world.interventions import Intervention
from viz.acts import Effect, effects, said
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session

HINT = "Move a parameter that acts now, or click an agent and take it out or cut it off: what follows is shown here."
MOST_SHOWN = 8
MOST_EVENTS = 100_000
BEATS = 4  # beats of the page between two measurements


@solara.component
def Acts(session: Session) -> None:
    """The acts, newest first, each with what followed."""
    session.beat.value  # noqa: B018  the log grows
    if not session.acts:
        words(HINT, classes=["quiet"])
        return
    Done(session, session.acts)


@solara.component
def Done(session: Session, acts: list[Intervention]) -> None:
    """The acts that there were; measuring takes a while, and neither a picture nor a pause waits for it."""

    def measured() -> list[Effect]:
        log = session.log(most=MOST_EVENTS)
        return effects(log, acts, now=session.moment.now, most=MOST_SHOWN) if log is not None else []

    now_and_then = session.beat.value // BEATS
    made = solara.use_thread(measured, dependencies=[now_and_then, len(acts)], intrusive_cancel=False)
    if made.error is not None:
        raise made.error
    told = {id(effect.act): effect for effect in made.value or ()}
    for act in reversed(acts[-MOST_SHOWN:]):
        One(session, told.get(id(act)) or Effect(act, 0.0, note="Measuring ..."))
    words("What follows an act need not be caused by it: resume from before and compare the two.", classes=["quiet"])


@solara.component
def One(session: Session, effect: Effect) -> None:
    """One act."""
    act = effect.act
    with solara.Div(classes=["act"], attributes={"data-act": act.action}):
        with solara.Div(classes=["line", "tight"]):
            words(f"▲ time {number(act.time)}: {said(act)}", tag="b")
            before = max(act.time * (1 - 1e-9) - 1e-9, 0.0)
            about = "A new run up to just before this moment: without this act, and without others of the same moment"
            button("Resume from before", lambda: session.resume(before), about=about)
        if effect.note:
            words(effect.note, classes=["quiet"])
            return
        rows = "".join(
            f"<tr><td>{name.replace('_', ' ')}</td><td>{number(a)}</td><td>{number(b)}</td><td>{change(a, b)}</td></tr>"
            for name, _unit, a, b in effect.rows
        )
        head = f"<tr><th>over {number(effect.span)} each side</th><th>before</th><th>after</th><th>change</th></tr>"
        solara.HTML(tag="table", unsafe_innerHTML=f"<thead>{head}</thead><tbody>{rows}</tbody>")


def change(a: float | None, b: float | None) -> str:
    """The change in per cent, with a sign; a dash where there is none to speak of."""
    made = 100 * (b - a) / abs(a) if a and b is not None else nan
    return f"{made:+.0f} %" if isfinite(made) else "–"


panels.add("acts")(
    Panel(
        "acts",
        "steering",
        "What you did, and what followed",
        "Each act by hand is an event of the log; measures before and after it.",
        Acts,
        order=35,
        shown=lambda session: session.stored is None,
    )
)
