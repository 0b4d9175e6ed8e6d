"""Take away: a run folder as a zip file, topologies in every format, pictures; made from data, apart from the page."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.plan import Plan
from experiments.run import run
from sim.topology import exporters
from sim.topology.ink import Theme
from sim.topology.schema import Topology
from sim.topology.svg_agents import draw_agents
from sim.world.interventions import Intervention
from viz.scene import Scene, Stage

MOST_LABELLED = 80


def zipped(folder: Path) -> bytes:
    """All files of a folder as a zip file, under the folder's name."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            out.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return made.getvalue()


def order_of(plan: Plan, *, until: float, acts: tuple[Intervention, ...]) -> dict[str, Any]:
    """The arguments of ``experiments.run.run`` that repeat a page's run up to ``until``, acts included."""
    return {
        "scenario": plan.scenario.name,
        "preset": plan.preset,
        "changes": dict(plan.changes),
        "seed": plan.seed,
        "mind": plan.mind,
        "until": until,
        "interventions": acts,
    }


def zipped_run(order: dict[str, Any]) -> bytes:
    """Run what is ordered (see ``order_of``) into a run folder and return it as a zip file; runs in another process."""
    with TemporaryDirectory() as place:
        return zipped(run(**order, out=place).folder)


def written(topology: Any, *, as_format: str) -> tuple[str, list[str]]:
    """The text of a topology in a format, and sentences on what the text does not carry."""
    text, report = exporters.export(Topology.model_validate(topology), as_format=as_format)
    return text, report.sentences()


def picture(at: Stage, seen: Scene, colour: Any, roles: list[str], *, theme: Theme, title: str) -> str:
    """The picture of the world as SVG text."""
    shown = seen.traffic > 0
    labels = dict(enumerate(at.names)) if at.n <= MOST_LABELLED else None
    return draw_agents(
        at.places,
        at.links[shown],
        groups=[int(c) for c in colour] if roles else None,
        group_names=dict(enumerate(roles, start=1)) if roles else None,
        labels=labels,
        weights=seen.traffic[shown],
        theme=theme,
        title=title,
    )
