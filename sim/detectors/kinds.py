"""Kinds: the one list of what a structure can be, each in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "teams": "groups of agents that meet each other more than anybody else",
    "hierarchy": "agents on one ladder, or under a tree-shaped chain of command",
    "roles": "classes of agents that treat others alike, or that keep to tasks of their own",
    "pipeline": "stages in a row that work or contacts run through one way",
    "ring": "stations that work or contacts go round",
    "hub": "one or a few agents whom the others turn to, or who do most of the work",
    "broker": "few members that contacts between groups run through",
    "core": "a core whose periphery avoids itself",
    "market": "awards that go to few bidders or to cheaper offers; two sides that deal with each other",
    "convention": "agents that come to agree by what they hear",
    "synchrony": "agents whose courses go together in time",
    "influence": "what one agent did foretells another, beyond messages and shared conditions",
    "synergy": "a small team whose whole foretells what its members do not",
    "matrix": "everybody belongs to a function and to a project",
    "council": "heads who confer, each with a department",
    "blackboard": "traces that some leave and others read",
    "nested circles": "circles within circles",
    "federation": "units that send delegates to an assembly",
    "ring of teams": "teams that deal with the next team round a ring",
    "pipeline of teams": "teams that pass on to the next in a row",
    "hub of teams": "teams that deal with one team in the middle",
    "hierarchy of teams": "teams under teams",
    "teams of teams": "groups of teams, or teams with partners of no simple shape",
    "market of teams": "two sides of teams",
    "unclassified": "contacts with a shape like no template; `unclassified:U-0007` names the pattern it is of",
}


def family(kind: str) -> str:
    """The kind without the name of its pattern: ``unclassified`` of ``unclassified:U-0007``."""
    return kind.partition(":")[0]
