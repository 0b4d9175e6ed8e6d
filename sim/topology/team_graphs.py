"""Team graphs drawn by people (ChatDev 2 workflow records) as topologies: examples of designed organisations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sim.topology.schema import OUTSIDE_LABEL, Edge, Function, Role, Topology, TopologyError, slugs

# Agents, people, code and nested teams work; the other node types are plumbing that passes messages on.
_FUNCTIONS: dict[str, Function] = {"agent": "work", "human": "work", "python": "work", "subgraph": "work"}


def load_team_graphs(path: Path | str) -> Iterator[Topology]:
    """Topologies of all graphs in a file with one JSON record on each line; TopologyError names the line at fault."""
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield from_team_graph(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise TopologyError(f"{path}, line {number}: expected a team graph record: {error!r}.") from error


def from_team_graph(graph: Mapping[str, Any]) -> Topology:
    """One record as a topology.

    Nobody has measured how often an edge is taken, so no edge has a weight. An edge that does not wake its target
    becomes ``info``; a role with several waking edges takes all of them, or those whose condition holds (inclusive).
    Several starts get the role "outside" in front; where the record names no end, roles without a waking edge are the
    exits, and failing that the starts.

    Args:
        graph: Record with name, description, start, end, nodes (id, type, role) and edges (source, target, trigger,
            condition, carry_data, fan).
    """
    labels = [node["id"] for node in graph["nodes"]]
    ids, collisions = slugs(labels)
    slug_of = dict(zip(labels, ids, strict=True))
    edges = [_edge(e, slug_of, number) for number, e in enumerate(graph["edges"], start=1)]
    roles = [_role(node, slug_of, edges) for node in graph["nodes"]]
    starts = [slug_of[s] for s in graph["start"]]
    entry = starts[0]
    if len(starts) > 1:
        (entry,), _ = slugs(["entry"], taken=ids)
        roles.insert(0, Role(id=entry, label=OUTSIDE_LABEL, function="intake", split="all"))
        edges += [Edge(id=f"start{i}", source=entry, target=s) for i, s in enumerate(starts, start=1)]
    passing = {e.source for e in edges if e.is_control}
    exits = [slug_of[e] for e in graph["end"]] or [i for i in ids if i not in passing] or starts
    return Topology(
        name=graph["name"],
        kind="team_graph",
        roles=tuple(roles),
        edges=tuple(edges),
        entry=entry,
        exits=tuple(exits),
        notes=" ".join([*filter(None, [graph["description"]]), *collisions, *_fans(graph)]),
    )


def _role(node: Mapping[str, Any], slug_of: Mapping[str, str], edges: list[Edge]) -> Role:
    role = slug_of[node["id"]]
    out = [e for e in edges if e.source == role and e.is_control]
    some = any(e.condition for e in out)
    return Role(
        id=role,
        label=node["id"],
        function=_FUNCTIONS.get(node["type"], "other"),
        prompt=node["role"] if node["type"] == "agent" else None,
        split="inclusive" if some else "all" if len(out) > 1 else "exclusive",
        is_human=node["type"] == "human",
    )


def _edge(edge: Mapping[str, Any], slug_of: Mapping[str, str], number: int) -> Edge:
    return Edge(
        id=f"e{number}",
        source=slug_of[edge["source"]],
        target=slug_of[edge["target"]],
        kind="handoff" if edge["trigger"] else "info",
        condition=_condition(edge["condition"]),
        carries="full" if edge["carry_data"] else None,
    )


def _condition(condition: Mapping[str, Any] | None) -> str | None:
    if condition is None:
        return None
    config = condition["config"]
    if condition["type"] == "function":
        return None if config["name"] == "true" else str(config["name"])
    tests = [f"{test}: {', '.join(config[test])}" for test in ("any", "none", "regex") if config.get(test)]
    return "; ".join(tests) or None


def _fans(graph: Mapping[str, Any]) -> list[str]:
    count = sum(edge["fan"] is not None for edge in graph["edges"])
    return [f"{count} edges split their message over parallel copies of the target."] if count else []
