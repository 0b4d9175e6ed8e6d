"""Whether a topology could be run as it stands: reachability, capped cycles, reviewers with a say."""

from __future__ import annotations

from collections.abc import Iterable

from sim.topology.schema import Edge, Topology, slug

_SENDS_BACK = {"rework", "escalate", "veto"}


def problems(topology: Topology) -> list[str]:
    """What stands against executing a topology, one sentence each; an empty list when nothing does.

    Checked over control edges that can be taken (kind other than ``info``, weight not 0): every role is reached from
    the entry and reaches an exit; every cycle has an edge with ``max_visits``; where such a cap is hit, the role can
    still get to an exit without a capped edge; every reviewer can send back or escalate; labels stay apart as slugs.
    """
    edges = [e for e in topology.edges if e.is_control and e.weight != 0]
    return [
        *_reach(topology, edges),
        *_uncapped(topology, edges),
        *_no_escape(topology, edges),
        *_ceremonial(topology, edges),
        *_same_labels(topology),
    ]


def reachable(starts: Iterable[str], pairs: Iterable[tuple[str, str]]) -> set[str]:
    """Everything that is reached from ``starts`` along directed ``pairs``, the starts included."""
    after: dict[str, list[str]] = {}
    for a, b in pairs:
        after.setdefault(a, []).append(b)
    seen, open_ = set(starts), list(starts)
    while open_:
        for b in after.get(open_.pop(), ()):
            if b not in seen:
                seen.add(b)
                open_.append(b)
    return seen


def _reach(topology: Topology, edges: list[Edge]) -> list[str]:
    reached = reachable([topology.entry], [(e.source, e.target) for e in edges])
    able = reachable(topology.exits, [(e.target, e.source) for e in edges])
    ids = topology.role_ids()
    return [f"Role '{r}' is not reached from the entry '{topology.entry}'." for r in ids if r not in reached] + [
        f"Role '{r}' cannot reach an exit ({', '.join(topology.exits)})." for r in ids if r not in able
    ]


def _uncapped(topology: Topology, edges: list[Edge]) -> list[str]:
    free = [(e.source, e.target) for e in edges if e.max_visits is None]
    made, told = [], set[str]()
    for role in topology.role_ids():
        cycle = None if role in told else _cycle_through(role, free)
        if cycle:
            told.update(cycle)
            made.append(f"The cycle {' -> '.join([*cycle, cycle[0]])} has no edge with a cap (max_visits).")
    return made


def _cycle_through(start: str, pairs: list[tuple[str, str]]) -> list[str] | None:
    """A shortest cycle through ``start`` as its roles in order, or None."""
    back: dict[str, str] = {}
    front = [start]
    while front:
        coming = []
        for a in front:
            for b in (target for source, target in pairs if source == a):
                if b == start:
                    return _walk_back(a, back, start)
                if b not in back:
                    back[b] = a
                    coming.append(b)
        front = coming
    return None


def _walk_back(end: str, back: dict[str, str], start: str) -> list[str]:
    path = [end]
    while path[-1] != start:
        path.append(back[path[-1]])
    return path[::-1]


def _no_escape(topology: Topology, edges: list[Edge]) -> list[str]:
    free = [(e.target, e.source) for e in edges if e.max_visits is None]
    able = reachable(topology.exits, free)
    capped = [e for e in edges if e.max_visits is not None and e.source not in able]
    return [
        f"When the cap of edge '{e.id}' ({e.source} -> {e.target}) is reached, role '{e.source}' has no way to an exit "
        "that is not capped itself."
        for e in capped
    ]


def _ceremonial(topology: Topology, edges: list[Edge]) -> list[str]:
    asked = {e.target for e in edges if e.kind == "review"}
    strong = {e.source for e in edges if e.kind in _SENDS_BACK}
    return [
        f"Ceremonial reviewer: role '{r.id}' reviews but can neither send back, reject nor escalate."
        for r in topology.roles
        if (r.id in asked or r.function == "quality_control")
        and r.id not in strong
        and not {"reject", "escalate"} & set(r.decision_rights)
    ]


def _same_labels(topology: Topology) -> list[str]:
    owners: dict[str, list[str]] = {}
    for role in topology.roles:
        if role.label and slug(role.label) != "role":
            owners.setdefault(slug(role.label), []).append(role.id)
    return [
        f"Roles {', '.join(repr(i) for i in ids)} have labels that read the same as a slug ('{name}')."
        for name, ids in owners.items()
        if len(ids) > 1
    ]
