"""Mermaid: a flowchart that GitHub, GitLab and many editors draw from text; one way, nothing reads it back.

Every label is encoded by an allow-list, because Mermaid searches its source text for directives, comments, entities and
Markdown before it looks at quotes (https://mermaid.js.org/syntax/flowchart.html, "Entity codes to escape characters").
"""

from __future__ import annotations

import json

from sim.topology.exporters import Exporter, ExportReport, exporters, unsaid
from sim.topology.schema import Edge, Function, Group, Role, Topology, boundary_roles

# Opening and closing bracket of each function's shape, and its fill: shape and colour say the same (Okabe-Ito palette).
SHAPES: dict[Function, tuple[str, str]] = {
    "intake": ("([", "])"),
    "routing": ("{{", "}}"),
    "work": ("[", "]"),
    "quality_control": ("{", "}"),
    "integration": ("[[", "]]"),
    "monitoring": ("((", "))"),
    "escalation": ("[/", "\\]"),
    "other": ("(", ")"),
}
COLOURS: dict[Function, str] = {
    "intake": "#56B4E9",
    "routing": "#E69F00",
    "work": "#0072B2",
    "quality_control": "#D55E00",
    "integration": "#009E73",
    "monitoring": "#CC79A7",
    "escalation": "#666666",
    "other": "#999999",
}
ARROWS = {"info": "-.->", "rework": "-.->", "veto": "-.->", "delegate_return": "-.->", "escalate": "==>"}
ONE_WAY = "Mermaid is a picture: no reader restores the topology (entry, exits and ids are drawn, not stored)."


def label(text: str) -> str:
    """Free text as the inside of a quoted Mermaid label: letters, digits and spaces stay, the rest is encoded."""
    made = []
    for character in text:
        if character.isalnum() or character == " ":
            made.append(character)
        elif character == "\n":
            made.append("<br/>")
        elif ord(character) < 32 or 0x7F <= ord(character) < 0xA0:
            made.append("\ufffd")
        else:
            made.append(f"#{ord(character)};")
    return "".join(made)


def write(topology: Topology) -> tuple[str, ExportReport]:
    """The topology as a left-to-right flowchart: shape and colour by function, weights as edge labels."""
    nested, lost_groups = _group_tree(topology)
    lines = [
        "---",
        f"title: {_yaml(topology.name)}",
        "---",
        "flowchart LR",
        "%% Numbers on arrows are shares of the source's outgoing work, not a claim about what a model would choose.",
        *_nodes(topology, nested),
        *(_edge(e) for e in topology.edges),
        *_styles(topology),
    ]
    lost = [ONE_WAY, *unsaid(topology, role=_ROLE, edge=_EDGE, group=_GROUP), *lost_groups]
    lost += [
        f"The label of role '{r.id}' has control characters; they were replaced."
        for r in topology.roles
        if "\ufffd" in label(r.text) and "\ufffd" not in r.text
    ]
    rounded = sum(e.weight is not None and float(_share(e.weight)) != e.weight for e in topology.edges)
    lost_weights = [f"{rounded} weights are rounded to three decimals."] if rounded else []
    report = ExportReport(
        target="mermaid",
        target_version="flowchart syntax of Mermaid 10 and 11",
        mode="picture",
        lost_weights=tuple(lost_weights),
        lost_attributes=tuple(lost),
    )
    return "\n".join([*lines, ""]), report


_ROLE = {"id", "label", "function", "multiplicity"}
_EDGE = {"source", "target", "kind", "weight"}
_GROUP = {"id", "label", "members", "parent"}


def _yaml(text: str) -> str:
    """A text as a double-quoted YAML scalar on one line; the signs that Mermaid looks for are written as escapes."""
    made = json.dumps(text, ensure_ascii=True)
    return "".join(f"\\u{ord(c):04x}" if c in "%#<>{}&`;" or c == "\x7f" else c for c in made)


def _nodes(topology: Topology, nested: dict[str | None, list[Group]]) -> list[str]:
    outside = boundary_roles(topology)
    lines = {r.id: _node(r, is_boundary=r.id in outside) for r in topology.roles}
    grouped: set[str] = set()
    made = _subgraphs(None, nested, lines, grouped, indent="  ")
    return [*(f"  {line}" for role, line in lines.items() if role not in grouped), *made]


def _subgraphs(
    parent: str | None, nested: dict[str | None, list[Group]], lines: dict[str, str], grouped: set[str], *, indent: str
) -> list[str]:
    made = []
    for group in nested.get(parent, []):
        made.append(f'{indent}subgraph g_{group.id}["{label(group.label.strip() or group.id)}"]')
        own = [m for m in group.members if m not in grouped]
        grouped.update(own)
        made += [f"{indent}  {lines[m]}" for m in own]
        made += _subgraphs(group.id, nested, lines, grouped, indent=indent + "  ")
        made.append(f"{indent}end")
    return made


def _group_tree(topology: Topology) -> tuple[dict[str | None, list[Group]], list[str]]:
    """Groups by parent in drawing order, without empty ones; and what drawing each role once does to the groups."""
    nested: dict[str | None, list[Group]] = {}
    for group in topology.groups:
        nested.setdefault(group.parent, []).append(group)
    lost = [
        f"Group '{g.id}' has no members and no parts; it is not drawn."
        for g in topology.groups
        if not g.members and g.id not in nested
    ]
    for parent in list(nested):
        nested[parent] = [g for g in nested[parent] if g.members or g.id in nested]
    counts: dict[str, int] = {}
    for group in topology.groups:
        for member in set(group.members):
            counts[member] = counts.get(member, 0) + 1
    lost += [f"Role '{r}' is in {n} groups; it is drawn in the first only." for r, n in counts.items() if n > 1]
    return nested, lost


def _node(role: Role, *, is_boundary: bool) -> str:
    times = f" ×{role.multiplicity}" if role.multiplicity > 1 else ""
    opening, closing = ("((", "))") if is_boundary else SHAPES[role.function]
    return f'r_{role.id}{opening}"{label(role.text)}{times}"{closing}'


def _edge(edge: Edge) -> str:
    words = [] if edge.kind == "handoff" else [edge.kind.replace("_", " ")]
    words += [] if edge.weight is None else [_share(edge.weight)]
    text = f'|"{" ".join(words)}"|' if words else ""
    return f"  r_{edge.source} {ARROWS.get(edge.kind, '-->')}{text} r_{edge.target}"


def _share(weight: float) -> str:
    return f"{weight:.3f}".rstrip("0").rstrip(".")


def _styles(topology: Topology) -> list[str]:
    made = []
    for function, colour in COLOURS.items():
        members = [f"r_{r.id}" for r in topology.roles if r.function == function]
        if members:
            made += [
                f"  classDef {function} stroke:{colour},stroke-width:2px",
                f"  class {','.join(members)} {function}",
            ]
    return made


exporters.add("mermaid")(
    Exporter("mermaid", ".mmd", write, None, "A flowchart drawn from text by GitHub, GitLab and many editors.")
)
