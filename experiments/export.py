"""Export: the topology of a run, or a topology file, in another format."""

from __future__ import annotations

from pathlib import Path

from experiments.errors import UsageProblem
from experiments.folder import TOPOLOGIES, TOPOLOGY, is_run, read_json, read_manifest
from sim.registry import suggest
from sim.topology import exporters
from sim.topology.exporters import ExportReport
from sim.topology.schema import Topology, load


def topology_of(path: Path | str, *, structure: str | None = None) -> Topology:
    """The topology of a run folder or of a file.

    Args:
        path: A run folder, a JSON topology, or a file in another format that an exporter can read back.
        structure: Id of a structure of the run; the one in topology.json when None.

    Raises:
        UsageProblem: When there is no such file, or no such structure.
        TopologyError: When the file is no topology.
    """
    place = Path(path)
    if place.is_dir():
        return _of_run(place, structure)
    if not place.exists():
        raise UsageProblem(f"{place}: expected a run folder or a topology file, found nothing there; check the path.")
    if structure is not None:
        raise UsageProblem(f"{place}: a topology file holds one topology; leave --structure out.")
    for exporter in (exporters.get(name) for name in exporters.names()):
        if exporter.read is not None and exporter.name != "json" and place.suffix == exporter.extension:
            return exporter.read(place.read_text(encoding="utf-8", errors="replace"))
    return load(place)


def _of_run(folder: Path, structure: str | None) -> Topology:
    manifest = read_manifest(folder)
    if not (folder / TOPOLOGY).exists():
        why = manifest.get("topology_note") or f"the run is {manifest.get('status')}"
        raise UsageProblem(f"{folder}: expected a topology, but there is none: {why}.")
    if structure is None:
        return load(folder / TOPOLOGY)
    known = read_json(folder / TOPOLOGIES) if (folder / TOPOLOGIES).exists() else {}
    if structure not in known:
        raise UsageProblem(
            f"{folder}: no structure '{structure}' with a topology.{suggest(structure, list(known))} "
            f"There are: {', '.join(known) or 'none'}."
        )
    return Topology.model_validate(known[structure])


def export(path: Path | str, *, as_format: str, structure: str | None = None) -> tuple[str, ExportReport]:
    """The text of a topology in ``as_format``, and the report of what the text does not carry; see ``topology_of``."""
    if not is_run(Path(path)) and Path(path).is_dir():
        read_manifest(Path(path))
    # An unknown format is told before anything is read.
    exporters.get(as_format)
    return exporters.export(topology_of(path, structure=structure), as_format=as_format)
