"""Panel: the picture of the world, agents and the recent traffic between them."""

from __future__ import annotations

import numpy as np
import solara

from experiments.report.words import number
from viz.command import Command
from viz.entries import Field
from viz.panels.panel import Panel, panels
from viz.parts import COLOURS, mark, words
from viz.scene import Scene, Stage, roles_at
from viz.session import Session
from viz.sight import absent, closed, lit, pointed, removed, severed
from viz.widgets.field import FieldWidget
from viz.widgets.graph import GraphWidget, packed


@solara.component
def Picture(session: Session) -> None:
    """Agents with arrows between them, or a field of cells when there are too many to draw one by one."""
    session.frame.value  # noqa: B018  redraw with every frame
    scene, stage = session.scene(), session.stage()
    if scene is None or stage is None:
        if not session.moment.error:
            words("The world is being built; the first time, its kernel is compiled, which takes some seconds.")
        return
    found = session.found.value
    colour, roles = roles_at(found.structures if found else (), stage, pointed(session))
    if stage.side:
        Cells(session, stage, scene, colour)
    else:
        Graph(session, stage, scene, colour)
    Legend(stage, span(scene), roles)
    with solara.Div(classes=["line", "tight"]):
        with solara.Div(classes=["find"]):
            Field("Find agent by id", "", session.find).key(f"find-{session.world.value}")
        Command(session)


def span(scene: Scene) -> str:
    """The length of the recent past in two digits: it is said anew once in many pictures only."""
    return number(float(f"{scene.end - scene.start:.2g}"))


@solara.component
def Graph(session: Session, stage: Stage, scene: Scene, colour: np.ndarray) -> None:
    """Up to a thousand agents one by one."""
    still = solara.use_memo(lambda: (packed(stage.places.ravel()), packed(stage.links.ravel())), [id(stage)])
    since = f"from time {number(scene.start)} to {number(scene.end)}"
    GraphWidget.element(
        places=still[0],
        names=stage.names,
        links=still[1],
        traffic=packed(scene.traffic),
        loads=packed(scene.activity),
        colours=packed(colour),
        palette=COLOURS,
        lit=lit(session),
        removed=removed(session),
        severed=severed(session),
        closed=[number for both in closed(session) for number in both],
        absent=absent(session),
        since=since,
        caption=f"{stage.n} agents and the traffic between them; [ and ] choose an agent",
        selected=session.agent.value,
        on_selected=session.agent.set,
    )


@solara.component
def Cells(session: Session, stage: Stage, scene: Scene, colour: np.ndarray) -> None:
    """A large population as cells."""
    cells = stage.side**2
    here, full = solara.use_memo(lambda: crowd(stage), [id(stage)])
    level = shades(scene.activity, here, full)
    marks = b""
    bright = lit(session)
    if bright:
        shade = np.ones(cells, dtype=np.uint8)
        shade[stage.cell[bright]] = 2 + np.maximum(colour[bright] - 1, 0)
        marks = shade.tobytes()

    def pick(cell: int) -> None:
        inside = stage.agents_in(cell)
        if len(inside):
            session.agent.value = int(inside[0])

    each = f"a cell is {stage.n / max(int(full.sum()), 1):.3g} agents"
    FieldWidget.element(
        side=stage.side,
        level=level.tobytes(),
        marks=marks,
        palette=COLOURS,
        agents=stage.n,
        tip=f"{each}; click to see one",
        caption=f"{stage.n:,} agents as cells, the busier the stronger",
        on_picked=pick,
    )


def crowd(stage: Stage) -> tuple[np.ndarray, np.ndarray]:
    """Agents in each cell, at least 1 so that one can divide by it, and which cells hold any; both shape (cells,)."""
    here = np.bincount(stage.cell, minlength=stage.side**2)
    return np.maximum(here, 1).astype(np.float32), here > 0


def shades(activity: np.ndarray, here: np.ndarray, full: np.ndarray) -> np.ndarray:
    """A byte a cell, 0 quiet to 254 busiest, 255 empty; see ``crowd``."""
    busy = activity.astype(np.float32) / here
    # The busiest few in a hundred share one shade, so that a single one does not make all others pale.
    most = max(float(np.quantile(busy[full], 0.98)), float(busy.max()) / 10, 1e-9)
    level: np.ndarray = (np.sqrt(np.minimum(busy / most, 1.0)) * 254).astype(np.uint8)
    level[~full] = 255
    return level


@solara.component
def Legend(stage: Stage, past: str, roles: list[str]) -> None:
    """What width, size and colour mean here."""
    drawn = "stronger cells are busier" if stage.side else "arrow width: traffic; size: activity"
    many = f"{stage.n:,} agents are too many to draw one by one; " if stage.side else ""
    words(
        f"{many}{drawn}, over the last {past} of time. Click an agent to see what it does.",
        classes=["quiet"],
    )
    if roles:
        with solara.Div(classes=["legend"]):
            for k, role in enumerate(roles, start=1):
                with solara.Div(classes=["entry"]):
                    solara.HTML(tag="span", unsafe_innerHTML=mark(k))
                    words(role, tag="span")


panels.add("picture")(
    Panel("picture", "world", "", "Agents, and the traffic between them in the recent past.", Picture, order=20)
)
