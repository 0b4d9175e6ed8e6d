"""The page: three bands over one session, the world, the structures found, and what a person steers by."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl

import solara
import solara.lab

from experiments.errors import sentence
from sim.spec import scenarios
from viz.panels.panel import BANDS, Panel, of_band, panels
from viz.session import Session

STYLE = Path(__file__).parent / "page.css"
RUN = "SWARMSCOPE_RUN"  # the log that the page opens with, set by the command line
HEADINGS = {"world": "The world", "structures": "Structures found", "steering": "Read and steer"}


@solara.component
def Page() -> None:
    """The whole page of one browser tab."""
    router = solara.use_router()
    session = solara.use_memo(lambda: asked(router.search or ""), [])
    solara.use_effect(lambda: begin(session), [])
    solara.lab.theme.dark_effective  # noqa: B018  redraw when the theme changes
    solara.Title("Swarmscope")
    solara.Style(STYLE)
    with solara.Div(classes=["swarm"]):
        for band in BANDS:
            with solara.Div(
                classes=["band", f"band-{band}"], attributes={"role": "region", "aria-label": HEADINGS[band]}
            ):
                for panel in of_band(band):
                    if panel.shown(session):
                        Framed(panel, session)
        for module, error in panels.broken.items():
            solara.Error(f"A part of the page, {module}, could not be loaded: {sentence(error)}")


@solara.component
def Framed(panel: Panel, session: Session) -> None:
    """A panel with its heading; when it breaks it says so and the rest of the page keeps working."""
    problem, _forget = solara.use_exception()
    with solara.Div(classes=["panel", f"panel-{panel.name}"], attributes={"aria-label": panel.title, "role": "group"}):
        if panel.title:
            solara.HTML(tag="h2", unsafe_innerHTML=panel.title, attributes={"title": panel.about})
        if problem is not None:
            solara.Error(f"{panel.title or panel.name}: {sentence(problem)}")
            return
        panel.component(session)


def asked(query: str) -> Session:
    """The session that a link describes: ``scenario``, ``preset``, ``seed``, and ``p.NAME`` for parameters."""
    given = dict(parse_qsl(query.lstrip("?")))
    changes = {name[2:]: value for name, value in given.items() if name.startswith("p.")}
    name = given.get("scenario", "")
    made = Session()
    try:
        if name:
            scenario = scenarios.get(name)
            values = scenario.values(given.get("preset"), changes)
            made = Session(
                scenario=name,
                preset=given.get("preset"),
                seed=int(given.get("seed", "0")),
                changes={k: values[k] for k in changes},
            )
    except Exception as error:
        made.trouble.value = f"The link could not be followed: {sentence(error)}"
    return made


def begin(session: Session) -> object:
    """Open what the page was started with, or start the session's world; returns what ends it."""
    place = os.environ.get(RUN)
    before = session.trouble.value
    if place:
        from experiments.readable import read_readable

        session.attempt(lambda: session.open(read_readable(Path(place)), name=Path(place).name))
    else:
        session.start()
    session.trouble.value = session.trouble.value or before
    return session.close
