"""Reports: writes what an analysis found into a run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.analysis import Analysis, plain
from experiments.folder import PAGE, REPORT, TOPOLOGIES, TOPOLOGY, write_json, write_text
from sim.topology.schema import Topology, to_json

NO_STRUCTURE = "no structure was found"


def summary(analysis: Analysis) -> dict[str, Any]:
    """The part of a manifest that follows from an analysis."""
    best = analysis.best
    name = best.id if best is not None and best.id in analysis.topologies else None
    note = ""
    if best is None:
        note = NO_STRUCTURE
    elif name is None:
        note = next((p for p in analysis.problems if p.startswith(f"{best.id} ")), f"{best.id} has no topology")
    return {
        "analysis": analysis.settings.as_dict(),
        "decisions": plain(analysis.report.decisions),
        "structures": len(analysis.report.structures),
        "discovered": len(analysis.report.discovered),
        "topology": name,
        "topology_note": note,
        "notes": _distinct([*analysis.report.notes, *analysis.problems]),
    }


def _distinct(sentences: Sequence[str]) -> list[str]:
    """Each sentence once, with a capital and a full stop."""
    made = {text[0].upper() + text[1:].rstrip(".") + ".": None for text in (s.strip() for s in sentences) if text}
    return list(made)


def write_report(analysis: Analysis, manifest: Mapping[str, Any], folder: Path) -> None:
    """Write report.json, report.html and, where there is a structure, topology.json and topologies.json into a new folder."""
    from experiments.report.html import render

    write_json(folder / REPORT, analysis.to_json())
    name = manifest.get("topology")
    if name is not None:
        write_text(folder / TOPOLOGY, to_json(analysis.topologies[name]))
        write_json(folder / TOPOLOGIES, {key: _data(made) for key, made in analysis.topologies.items()})
    write_text(folder / PAGE, render(analysis, manifest))


def _data(topology: Topology) -> Any:
    return json.loads(to_json(topology))
