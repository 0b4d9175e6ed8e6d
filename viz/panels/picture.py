"""Panel: the picture of the world, agents and the recent traffic between them."""

from __future__ import annotations

import numpy as np
import solara

from viz.panels.panel import Panel, panels
from viz.scene import MOST_DRAWN, Scene, Stage, roles_at
from viz.session import Session
from viz.widgets.graph import GraphWidget, packed


@solara.component
def Picture(session: Session) -> None:
    """Agents with arrows between them, or their density when there are too many to draw."""
    session.frame.value  # noqa: B018  redraw with every frame
    seen = session.scene()
    if seen is None:
        solara.Text("The world is being built; the first time its kernel is compiled, which takes some seconds.")
        return
    stage, scene = seen
    if len(stage.ids) > MOST_DRAWN:
        Density(stage, scene)
        return
    found = session.found.value
    colour, _ = roles_at(found.structures if found else (), stage, session.hovered.value or session.chosen.value)
    links = solara.use_memo(lambda: packed(stage.links.ravel()), [id(stage)])
    places = solara.use_memo(lambda: packed(stage.places.ravel()), [id(stage)])
    GraphWidget.element(
        places=places,
        names=[str(a) for a in stage.ids],
        links=links,
        traffic=packed(scene.traffic),
        loads=packed(scene.activity),
        colours=packed(colour),
        lit=session.lit(),
        words=[
            f"agent {a}: {int(c)} events since {scene.start:.4g}"
            for a, c in zip(stage.ids, scene.activity, strict=True)
        ],
        caption=f"{len(stage.ids)} agents and the traffic between them from {max(scene.start, 0):.4g} to {scene.end:.4g}",
        selected=session.agent.value,
        on_selected=session.agent.set,
    )


@solara.component
def Density(stage: Stage, scene: Scene) -> None:
    """Activity of a large population as an image: one pixel stands for several agents."""
    side = int(min(360, np.ceil(np.sqrt(len(stage.ids)))))
    x, y = (np.clip((stage.places[:, k] * side).astype(int), 0, side - 1) for k in (0, 1))
    here = np.bincount(y * side + x, minlength=side * side)
    busy = np.bincount(y * side + x, weights=scene.activity, minlength=side * side) / np.maximum(here, 1)
    shade = np.sqrt(busy / max(float(busy.max()), 1e-9)).reshape(side, side)
    blue = np.array([0, 114, 178])
    image = (255 - (255 - blue)[None, None, :] * shade[:, :, None]).astype(np.uint8)
    image[(here == 0).reshape(side, side)] = 255
    solara.Image(np.kron(image, np.ones((2, 2, 1), dtype=np.uint8)), width="100%")
    solara.Text(f"{len(stage.ids):,} agents are too many to draw one by one: darker is busier.", classes=["quiet"])


panels.add("picture")(
    Panel("picture", "world", "", "Agents, and the traffic between them in the recent past.", Picture, order=20)
)
