"""JSON: the topology itself, exact in both directions."""

from __future__ import annotations

from sim.topology.exporters import Exporter, ExportReport, exporters
from sim.topology.schema import SCHEMA_VERSION, Topology, from_json, to_json


def write(topology: Topology) -> tuple[str, ExportReport]:
    """The topology as JSON; nothing is lost."""
    return to_json(topology), ExportReport(target="json", target_version=f"topology schema {SCHEMA_VERSION}")


exporters.add("json")(
    Exporter("json", ".json", write, from_json, "The topology itself: exact, validated, read back without loss.")
)
