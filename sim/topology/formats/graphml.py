"""GraphML: for Gephi, yEd, Cytoscape and networkx; every field survives, nested ones as JSON text.

The writer is our own because networkx refuses lists, objects and missing values, and because the report must be exact
about characters that XML cannot hold. Specification: http://graphml.graphdrawing.org/specification.html.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pydantic import BaseModel, ValidationError

from sim.topology.exporters import Exporter, ExportReport, exporters
from sim.topology.schema import Topology, TopologyError, describe

NAMESPACE = "http://graphml.graphdrawing.org/xmlns"

# XML 1.0 has no way to write these, not even as a character reference.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
_TYPES = {
    **dict.fromkeys(("schema_version", "multiplicity", "capacity", "count", "max_visits"), "long"),
    **dict.fromkeys(("weight", "rate", "ci_low", "ci_high", "retention", "delay_s"), "double"),
    "is_human": "boolean",
}
_NESTED = {"tools", "service_time", "cost", "decision_rights", "exits", "groups", "provenance", "metrics"}
# Parts of the format itself, not attributes.
_STRUCTURE = {"graph": {"roles", "edges"}, "node": {"id"}, "edge": {"id", "source", "target"}}


def write(topology: Topology) -> tuple[str, ExportReport]:
    """The topology as GraphML with typed keys; only characters that XML 1.0 forbids are replaced, and reported."""
    lost: list[str] = []
    keys: dict[tuple[str, str], str] = {}
    body = _data("graph", topology, keys, lost, place="topology")
    for role in topology.roles:
        body += [f"    <node id={_quoted(role.id)}>", *_data("node", role, keys, lost, place=f"role '{role.id}'")]
        body.append("    </node>")
    for edge in topology.edges:
        ends = f"source={_quoted(edge.source)} target={_quoted(edge.target)}"
        body += [
            f"    <edge id={_quoted(edge.id)} {ends}>",
            *_data("edge", edge, keys, lost, place=f"edge '{edge.id}'"),
        ]
        body.append("    </edge>")
    head = ['<?xml version="1.0" encoding="UTF-8"?>', f'<graphml xmlns="{NAMESPACE}">']
    head += [
        f'  <key id="{key}" for="{part}" attr.name="{name}" attr.type="{_TYPES.get(name, "string")}"/>'
        for (part, name), key in keys.items()
    ]
    text = "\n".join([*head, '  <graph edgedefault="directed">', *body, "  </graph>", "</graphml>", ""])
    return text, ExportReport(target="graphml", target_version="GraphML 1.0", lost_attributes=tuple(lost))


def _data(part: str, thing: BaseModel, keys: dict[tuple[str, str], str], lost: list[str], *, place: str) -> list[str]:
    """The data lines of one graph, node or edge; ``keys`` and ``lost`` grow."""
    lines = []
    for name, value in thing.model_dump(mode="json", exclude_none=True).items():
        if name in _STRUCTURE[part]:
            continue
        text = _clean(_as_text(name, value), lost, place=f"{place}: {name}")
        key = keys.setdefault((part, name), f"d{len(keys)}")
        lines.append(f'{"    " if part == "graph" else "      "}<data key="{key}">{escape(text, _ENTITIES)}</data>')
    return lines


def _as_text(name: str, value: Any) -> str:
    if name in _NESTED:
        return json.dumps(value, ensure_ascii=True)
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _clean(text: str, lost: list[str], *, place: str) -> str:
    made, count = _ILLEGAL.subn("\ufffd", text)
    if count:
        lost.append(f"{place}: {count} characters that XML cannot hold were replaced.")
    return made


def _quoted(text: str) -> str:
    return '"' + escape(text, _ENTITIES) + '"'


def read(text: str) -> Topology:
    """Read a topology from GraphML that `write` made; TopologyError for anything else."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise TopologyError(
            "GraphML: expected no document type or entity declaration; refused because they can expand."
        )
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise TopologyError(f"GraphML: expected XML, but it does not parse: {error}.") from error
    at = {"g": NAMESPACE}
    graph = root.find("g:graph", at)
    if graph is None:
        raise TopologyError(f"GraphML: expected a <graph> in the namespace {NAMESPACE}, found none in <{root.tag}>.")
    keys = {k.get("id", ""): k.get("attr.name", "") for k in root.findall("g:key", at)}
    made = _values(graph, keys)
    if "schema_version" not in made:
        raise TopologyError(
            "GraphML: expected a graph attribute 'schema_version'; this file holds a graph, no topology."
        )
    made["roles"] = [{"id": n.get("id"), **_values(n, keys)} for n in graph.findall("g:node", at)]
    made["edges"] = [
        {"id": e.get("id"), "source": e.get("source"), "target": e.get("target"), **_values(e, keys)}
        for e in graph.findall("g:edge", at)
    ]
    try:
        # Through JSON, where texts become numbers and lists become tuples as in every other reader.
        return Topology.model_validate_json(json.dumps(made))
    except ValidationError as error:
        raise TopologyError(f"GraphML: {describe(error)}") from error


def _values(element: ElementTree.Element, keys: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for data in element.findall(f"{{{NAMESPACE}}}data"):
        name, text = keys.get(data.get("key", ""), ""), data.text or ""
        try:
            made[name] = _as_value(name, text)
        except ValueError as error:
            raise TopologyError(f"GraphML: attribute '{name}' is {text[:60]!r}, which does not parse.") from error
    return made


def _as_value(name: str, text: str) -> Any:
    if name in _NESTED:
        return json.loads(text)
    if name == "join" and text.isascii() and text.isdigit():
        return int(text)
    if name == "is_human":
        return text == "true"
    readers: dict[str, type[int] | type[float]] = {"long": int, "double": float}
    return readers.get(_TYPES.get(name, ""), str)(text)


exporters.add("graphml")(
    Exporter("graphml", ".graphml", write, read, "For Gephi, yEd, Cytoscape and networkx: attributes flattened.")
)
