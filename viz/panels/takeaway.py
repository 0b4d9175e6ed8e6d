"""Panel: take away the run folder, pictures, topologies, a link, and the command that makes the run again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import solara

from experiments.errors import sentence
from sim.topology import exporters
from viz.links import query_of
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.scene import roles_at
from viz.session import Session, analyst
from viz.sight import pointed
from viz.takeaway import order_of, picture, written, zipped_run

MOST_LOST = 8  # sentences on what a format does not carry


@solara.component
def TakeAway(session: Session) -> None:
    """One line for each kind of thing."""
    session.world.value  # noqa: B018  another world, another command
    found = session.found.value
    if session.run is not None:
        command = session.run.plan.command()
        query = query_of(session.choice.value)
        Line(session, "The command that makes this run again", command, "command")
        Line(session, "A link to this scenario, with parameters and seed", query, "link")
        if session.acts:
            words("Acts by hand are not in the command; the run folder repeats them.", classes=["quiet"])
    with solara.Div(classes=["line"]):
        words("Picture of the world:", tag="span")
        Offer(session, "SVG", lambda: svg_of(session), f"{session.title}.svg", "image/svg+xml")
        button("PNG", lambda: None, about="The picture as it is on the screen", data_save="png")
        if session.run is not None:
            words("Run folder with report:", tag="span")
            Offer(session, "ZIP", lambda: folder_of(session), f"{session.title}.zip", "application/zip")
    identity = session.chosen.value or (found.structures[0]["id"] if found and found.structures else None)
    topology = (found.topologies or {}).get(identity or "") if found else None
    if topology is not None:
        Topologies(session, identity or "", topology)
    elif found is not None:
        words("Topologies can be taken away once a structure was found that has one.", classes=["quiet"])


@solara.component
def Line(session: Session, title: str, text: str, role: str) -> None:
    """A text to copy."""
    with solara.Div(classes=["line", "tight"]):
        words(f"{title}:", tag="span")
        words(text, tag="code", data_text=role)
        # The browser knows under which address the page is open.
        shown = f"{{page}}{text}" if role == "link" else text
        button("Copy", lambda: session.copy(shown), about=title)


@solara.component
def Topologies(session: Session, identity: str, topology: Any) -> None:
    """A structure's topology in every format; once one is taken, what it does not carry."""
    told, tell = solara.use_state(("", "", list[str]()))

    def text_of(name: str) -> str:
        text, lost = written(topology, as_format=name)
        tell((identity, name, lost))
        return text

    with solara.Div(classes=["line"]):
        words(f"Topology of {identity}:", tag="span")
        for name in exporters.names():
            exporter = exporters.get(name)
            Offer(
                session,
                name,
                lambda name=name: text_of(name),
                f"{identity}{exporter.extension}",
                "text/plain",
            )
    whose, name, lost = told
    if whose == identity:
        words(f"In {name} {'this is lost' if lost else 'nothing is lost'}{':' if lost else '.'}", classes=["quiet"])
        for line in lost[:MOST_LOST]:
            words(line, classes=["quiet"], data_lost=name)
        if len(lost) > MOST_LOST:
            words(f"and {len(lost) - MOST_LOST:,} more of the kind; 'swarmscope export' says all.", classes=["quiet"])


@solara.component
def Offer(session: Session, label: str, make: Callable[[], str | bytes], filename: str, kind: str) -> None:
    """A button that makes a file, beside everything else, and hands it to the browser."""
    busy, set_busy = solara.use_state(False)

    def work() -> None:
        try:
            made = make()
            session.hand(filename, kind, made if isinstance(made, bytes) else made.encode())
        except Exception as error:
            session.trouble.value = f"{filename} could not be made: {sentence(error)}"
        finally:
            set_busy(False)

    def begin() -> None:
        set_busy(True)
        threading.Thread(target=work, daemon=True, name=f"make {filename}").start()

    button(f"{label} ..." if busy else label, begin, about=f"Download {filename}", disabled=busy, data_download=label)


def svg_of(session: Session) -> str:
    """The picture of the world at the moment shown."""
    at, seen = session.stage(), session.scene()
    if at is None or seen is None or at.side:
        raise ValueError(
            f"a drawing has up to a thousand agents; take the PNG of this one ({at.n if at else 0} agents)."
        )
    found = session.found.value
    colour, roles = roles_at(found.structures if found else (), at, pointed(session))
    title = f"{session.title} at time {seen.end:.4g}"
    return picture(at, seen, colour, roles, theme="dark" if session.theme.value == "dark" else "light", title=title)


def folder_of(session: Session) -> bytes:
    """The run so far as a zipped run folder, made again in the analyst's process."""
    run = session.run
    if run is None:
        raise ValueError("only a run can be made again.")
    order = order_of(run.plan, until=max(run.moment.now, 1e-9), acts=tuple(session.acts))
    return analyst.do(zipped_run, order)


panels.add("takeaway")(
    Panel("takeaway", "steering", "Take away", "Run folder, pictures, topologies, link, command.", TakeAway, order=40)
)
