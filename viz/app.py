"""The page: one session in four bands, what is looked at, the world, the structures found, and what to steer by."""

from __future__ import annotations

import threading
from pathlib import Path

import solara
import solara.lab

from experiments.errors import sentence
from viz.links import choice_of
from viz.opening import asked_for, opened
from viz.panels.panel import BANDS, Panel, of_band, panels
from viz.parts import button, words
from viz.session import FIRST, Session, analyst
from viz.spelled import spell
from viz.warm import warm
from viz.widgets.keys import KeysWidget

STYLE = Path(__file__).parent / "page.css"
FIRST_BANDS = ("top", "world")
HEADINGS = {
    "top": "Swarmscope",
    "world": "The world: what the agents do",
    "structures": "The structures found in what they do",
    "steering": "Sentences and numbers to steer by",
}

spell()
# The server is warm before the first page opens: kernels linked, and the process that looks for structures begun.
threading.Thread(target=warm, args=(FIRST, analyst), daemon=True, name="warm").start()


@solara.component
def Page() -> None:
    """The whole page of one browser tab."""
    router = solara.use_router()
    session = solara.use_memo(lambda: asked(router.search or ""), [])
    solara.use_effect(lambda: begin(session), [])
    # The world is drawn first; what is read and steered by follows a moment later.
    whole, set_whole = solara.use_state(False)
    solara.use_effect(lambda: set_whole(True), [])
    solara.Title("Swarmscope")
    solara.Style(STYLE)
    with solara.Div(classes=["swarm"], attributes={"data-page": "swarmscope"}):
        Shell(session)
        Trouble(session)
        for band in BANDS:
            region = {"role": "region", "aria-label": HEADINGS[band]}
            with solara.Div(classes=["band", f"band-{band}"], attributes=region):
                for panel in of_band(band) if whole or band in FIRST_BANDS else ():
                    Framed(panel, session)
        for module, error in panels.broken.items():
            solara.Error(f"A part of the page, {module}, could not be loaded: {sentence(error)}")


@solara.component
def Shell(session: Session) -> None:
    """What has no place of its own: keyboard, theme and clipboard."""

    def first(theme: str) -> None:
        session.theme.value = session.theme.value or theme

    def follow() -> None:
        if session.theme.value:
            solara.lab.theme.dark = session.theme.value == "dark"

    solara.use_effect(follow, [session.theme.value])
    KeysWidget.element(
        theme=session.theme.value,
        copied=session.copied.value,
        part=session.part.value,
        file=session.file.value[1],
        saved=session.file.value[0],
        on_first=first,
        on_part=session.part.set,
    )


@solara.component
def Trouble(session: Session) -> None:
    """What could not be done. Its place is kept while there is none: a neighbour that moves would be made anew."""
    told = session.trouble.value
    with solara.Div(classes=["trouble" if told else "absent"], attributes={"role": "alert"}):
        if told:
            words(told, tag="span")
            button("Close", lambda: session.trouble.set(""))


@solara.component
def Framed(panel: Panel, session: Session) -> None:
    """A panel with its heading; when it breaks it says so and the rest of the page keeps working."""
    problem, forget = solara.use_exception()
    session.world.value  # noqa: B018  what a panel has to say depends on what is looked at
    shown = problem is not None or panel.shown(session)
    css = ["panel", f"panel-{panel.name}", *(["wide"] if panel.wide else []), *([] if shown else ["absent"])]
    with solara.Div(classes=css, attributes={"role": "group", "aria-label": panel.title or panel.name}):
        if shown and panel.title:
            solara.HTML(tag="h2", unsafe_innerHTML=panel.title, attributes={"title": panel.about})
        if problem is not None:
            solara.Error(f"This part of the page, {panel.name}, broke: {sentence(problem)}")
            button("Try again", forget)
        elif shown:
            panel.component(session)


def asked(query: str) -> Session:
    """The session that a link describes; one that cannot be followed says so and shows the first scenario."""
    try:
        return Session(choice_of(query, fallback=FIRST))
    except Exception as error:
        made = Session()
        made.apology = f"The link could not be followed: {sentence(error)}"
        return made


def begin(session: Session) -> object:
    """Open what the page was started with, or start the session's world; returns what ends it."""
    place = asked_for()
    if place is not None:

        def show() -> None:
            log, command = opened()
            session.open(log, name=place.name, command=command)

        session.attempt(show)
    else:
        session.start()
    session.trouble.value = session.trouble.value or session.apology
    return session.close
