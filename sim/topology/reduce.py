"""Reduction of a population to a topology: roles with multiplicity, and what flows between them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Literal, Protocol, TypeVar

from sim.topology.schema import (
    DONE_LABEL,
    EDGE_KINDS,
    OUTSIDE_LABEL,
    Edge,
    EdgeKind,
    Function,
    Provenance,
    Role,
    Topology,
    slugs,
)

Agent = Hashable
A = TypeVar("A", bound=Hashable)

# One role that takes this share of all entering items is called the entry; below it, the world outside is drawn.
ENTRY_SHARE = 0.8
Z95 = 1.959963984540054

# What an event kind of the log is as an edge. A receiver that refuses an item (reject) uses a veto; the feedback of
# `approve` and `fail` events tells and moves no work.
EDGE_OF_EVENT: dict[str, EdgeKind] = {
    **{kind: kind for kind in EDGE_KINDS},
    "reject": "veto",
    "delegate": "handoff",
    "route": "delegate_return",
    **dict.fromkeys(("approve", "fail", "message", "ask", "read", "write", "play", "visit"), "info"),
}


class Columns(Protocol):
    """A table by column name: a polars DataFrame, or a mapping of name to sequence."""

    def __getitem__(self, name: str, /) -> Any: ...


def wilson(successes: float, trials: float, *, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a share, in [0, 1]; (0, 1) when nothing was tried.

    Reference: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).
    """
    if trials <= 0:
        return 0.0, 1.0
    p, zz = successes / trials, z * z / trials
    middle = (p + zz / 2) / (1 + zz)
    half = z * sqrt(p * (1 - p) / trials + zz / (4 * trials)) / (1 + zz)
    return min(max(middle - half, 0.0), p), max(min(middle + half, 1.0), p)


@dataclass
class _Flows:
    """Counts between role labels: work by (source, target, kind), and items that enter at and leave from each role."""

    moved: dict[tuple[str, str, EdgeKind], int] = field(default_factory=dict)
    enter: dict[str, int] = field(default_factory=dict)
    leave: dict[str, int] = field(default_factory=dict)


def to_topology(
    roles: Mapping[str, Sequence[Agent]],
    flows: Columns,
    *,
    name: str,
    entries: Mapping[Agent, int] | None = None,
    exits: Mapping[Agent, int] | None = None,
    functions: Mapping[str, Function] | None = None,
    items: int | None = None,
    kinds: Mapping[str, EdgeKind] = EDGE_OF_EVENT,
    strangers: Literal["refuse", "outside"] = "refuse",
    kind: str = "discovered",
    provenance: Provenance | None = None,
    metrics: Mapping[str, float] | None = None,
    notes: str = "",
) -> Topology:
    """Reduce what agents did to roles with multiplicity and typed edges.

    Work that leaves the system is a share of the split like any other. So that weights sum to 1 and every share can be
    drawn, it becomes edges to a role labelled "done" as soon as a role that delivers also passes work on; where the
    delivering roles pass nothing on, they are the exits themselves. In the same way items enter at the role that takes
    at least `ENTRY_SHARE` of them, and otherwise through a role labelled "outside" whose edges carry the entry shares
    (`sim.topology.schema.boundary_roles` tells these two from roles of agents).

    Args:
        roles: Role label to its agents; every agent has one role. Labels become slugs; collisions go to the notes.
        flows: Columns ``source``, ``target`` (agents), ``kind`` (event or edge kind), ``count`` (events, >= 0).
        name: Name of the topology.
        entries: Items that entered at each agent. Without it: the surplus of outgoing over incoming work.
        exits: Items that left the system at each agent. Without it: what came in and did not go out.
        functions: Role label to the function read off behaviour; "other" where absent.
        items: Items behind the counts, for rates per 1,000; the sum of the entries when omitted.
        kinds: Event kind to edge kind.
        strangers: What to do with a flow to or from an agent without a role: refuse, or count it as leaving, entering.
        kind: ``discovered``, or the name of a design.
        provenance: Where the structure comes from.
        metrics: Numbers to keep with it.
        notes: Text to keep with it.

    Returns:
        Weights are shares of the source's outgoing work with their 95 % Wilson intervals; ``info`` edges have a count
        and a rate only. Roles keep the given order.

    Raises:
        ValueError: an agent with two roles, an empty role, a stranger, a negative count, or an unknown kind.
    """
    owner = _owners(roles)
    counted = _count(roles, owner, flows, kinds, strangers)
    said = [notes] if notes else []
    said += _boundary(counted, roles, owner, entries, exits)
    ids, collisions = slugs(roles)
    slug_of = dict(zip(roles, ids, strict=True))
    total = items if items is not None else sum((entries or {}).values()) or None
    made = [
        Role(id=slug_of[r], label=r, function=(functions or {}).get(r, "other"), multiplicity=len(members))
        for r, members in roles.items()
    ]
    outside, entry, said_entry = _entry(counted, slug_of)
    done, leaving = _exits(counted, slug_of)
    return Topology(
        name=name,
        kind=kind,
        roles=(*outside, *made, *done),
        edges=tuple(_edges(counted, slug_of, outside, done, total)),
        entry=entry,
        exits=tuple(leaving),
        provenance=provenance or Provenance(),
        metrics=dict(metrics or {}),
        notes=" ".join([*said, *said_entry, *collisions]),
    )


def _owners(roles: Mapping[str, Sequence[Agent]]) -> dict[Agent, str]:
    owner: dict[Agent, str] = {}
    for role, agents in roles.items():
        if not len(agents):
            raise ValueError(f"role '{role}': expected at least one agent, got none.")
        for agent in agents:
            if agent in owner:
                raise ValueError(f"agent {agent!r}: expected one role, got '{owner[agent]}' and '{role}'.")
            owner[agent] = role
    return owner


def _count(
    roles: Mapping[str, Sequence[Agent]],
    owner: Mapping[Agent, str],
    flows: Columns,
    kinds: Mapping[str, EdgeKind],
    strangers: str,
) -> _Flows:
    made = _Flows(enter=dict.fromkeys(roles, 0), leave=dict.fromkeys(roles, 0))
    columns = (list(flows[name]) for name in ("source", "target", "kind", "count"))
    for source, target, kind, count in zip(*columns, strict=True):
        if kind not in kinds:
            raise ValueError(f"flows: unknown kind '{kind}'; expected one of {', '.join(sorted(kinds))}.")
        if count < 0:
            raise ValueError(f"flows: expected counts of at least 0, got {count} for {source!r} -> {target!r}.")
        for agent in (source, target):
            if strangers == "refuse" and agent not in owner:
                raise ValueError(f"flows: agent {agent!r} has no role; give it one, or pass strangers='outside'.")
        a, b, edge = owner.get(source), owner.get(target), kinds[kind]
        if a is not None and b is not None:
            made.moved[a, b, edge] = made.moved.get((a, b, edge), 0) + int(count)
        elif edge != "info" and a is not None:
            made.leave[a] += int(count)
        elif edge != "info" and b is not None:
            made.enter[b] += int(count)
    return made


def _boundary(
    counted: _Flows,
    roles: Mapping[str, Sequence[Agent]],
    owner: Mapping[Agent, str],
    entries: Mapping[Agent, int] | None,
    exits: Mapping[Agent, int] | None,
) -> list[str]:
    """Add what enters and leaves to ``counted``; returns sentences about what had to be inferred."""
    for given, into, what in ((entries, counted.enter, "entries"), (exits, counted.leave, "exits")):
        for agent, count in (given or {}).items():
            if agent not in owner:
                raise ValueError(f"{what}: agent {agent!r} has no role.")
            if count < 0:
                raise ValueError(f"{what}: expected counts of at least 0, got {count} for agent {agent!r}.")
            into[owner[agent]] += int(count)
    balance = _balance(counted, roles)
    said = []
    if entries is None:
        for role in roles:
            counted.enter[role] += max(0, -balance[role])
        said.append("Entries are inferred: what goes out of a role beyond what came in.")
    if exits is None:
        for role in roles:
            counted.leave[role] += max(0, balance[role])
        said.append("Exits are inferred: what came into a role and did not go out.")
    return said


def _balance(counted: _Flows, roles: Iterable[str]) -> dict[str, int]:
    """Items that came into each role minus those that went out; items in flight make it positive."""
    made = {r: counted.enter[r] - counted.leave[r] for r in roles}
    for (a, b, kind), count in counted.moved.items():
        if kind != "info":
            made[a] -= count
            made[b] += count
    return made


def _entry(counted: _Flows, slug_of: Mapping[str, str]) -> tuple[list[Role], str, list[str]]:
    """The "outside" role where one is needed, the id of the entry, and what to say about it."""
    total = sum(counted.enter.values())
    if total == 0:
        busiest = _busiest(counted, slug_of)
        return [], slug_of[busiest], [f"Nothing was seen to enter; the busiest role '{busiest}' is taken as the entry."]
    first = max(counted.enter, key=lambda r: counted.enter[r])
    share = counted.enter[first] / total
    if share >= ENTRY_SHARE:
        said = (
            [f"{share:.0%} of the items enter at '{first}'; the rest, at other roles, is not drawn."]
            if share < 1
            else []
        )
        return [], slug_of[first], said
    (made,), _ = slugs(["entry"], taken=slug_of.values())
    return [Role(id=made, label=OUTSIDE_LABEL, function="intake")], made, []


def _exits(counted: _Flows, slug_of: Mapping[str, str]) -> tuple[list[Role], list[str]]:
    """The "done" role where one is needed, and the ids of the exits."""
    passing = {a for (a, _, kind), n in counted.moved.items() if kind != "info" and n > 0}
    leaving = [r for r, n in counted.leave.items() if n > 0]
    if leaving and passing.isdisjoint(leaving):
        return [], [slug_of[r] for r in leaving]
    if not leaving:
        sinks = [r for r in slug_of if r not in passing]
        return [], [slug_of[r] for r in sinks or [_busiest(counted, slug_of)]]
    (made,), _ = slugs(["done"], taken=[*slug_of.values(), "entry"])
    return [Role(id=made, label=DONE_LABEL)], [made]


def _busiest(counted: _Flows, slug_of: Mapping[str, str]) -> str:
    sent = dict.fromkeys(slug_of, 0)
    for (a, _, _), count in counted.moved.items():
        sent[a] += count
    return max(sent, key=lambda r: sent[r])


def _edges(
    counted: _Flows, slug_of: Mapping[str, str], outside: list[Role], done: list[Role], items: int | None
) -> list[Edge]:
    rows: list[tuple[str, str, EdgeKind, int]] = []
    rows += [(outside[0].id, slug_of[r], "handoff", n) for r, n in counted.enter.items() if outside]
    order = {r: i for i, r in enumerate(slug_of)}
    place = {kind: i for i, kind in enumerate(EDGE_KINDS)}
    seen = sorted(counted.moved.items(), key=lambda kv: (order[kv[0][0]], order[kv[0][1]], place[kv[0][2]]))
    rows += [(slug_of[a], slug_of[b], kind, n) for (a, b, kind), n in seen]
    rows += [(slug_of[r], done[0].id, "handoff", n) for r, n in counted.leave.items() if done]
    rows = [row for row in rows if row[3] > 0]
    totals: dict[str, int] = {}
    for source, _, kind, n in rows:
        totals[source] = totals.get(source, 0) + (n if kind != "info" else 0)
    return [_edge(row, total=totals[row[0]], items=items, number=i) for i, row in enumerate(rows, start=1)]


def _edge(row: tuple[str, str, EdgeKind, int], *, total: int, items: int | None, number: int) -> Edge:
    source, target, kind, count = row
    rate = None if not items else 1000 * count / items
    if kind == "info":
        return Edge(id=f"e{number}", source=source, target=target, kind=kind, count=count, rate=rate)
    low, high = wilson(count, total)
    return Edge(
        id=f"e{number}",
        source=source,
        target=target,
        kind=kind,
        count=count,
        rate=rate,
        weight=count / total,
        ci_low=low,
        ci_high=high,
    )
