"""Relations: which structures of a report are views or parts of another, so that what is there once is counted once.

A pipeline has an order and stages, and detectors of hierarchies, roles and teams see them again: views of the pipeline.
Teams that a composition arranges (*ring of teams*) are its parts. A shape of the same agents, of the catalogue (*federation*)
or without a name, is how teams are arranged, since its claim is beaten by teams of any arrangement. Roles that are told by the
places in a ring, a core or a market are a view of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sim.detectors.kinds import family
from sim.detectors.report import Structure

OVERLAP = 0.8  # share of the members of the one that belong to the other as well
WHOLE = ("", "all work")  # what a pipeline is about that explains all contacts, not the work of one type
VIEWS_OF_PIPELINE = ("hierarchy", "roles", "teams")
PLACED = ("ring", "core", "market")  # kinds whose roles say which place an agent has
ARRANGEMENTS = ("matrix", "council", "blackboard", "nested circles", "federation", "unclassified")
OF_TEAMS = " of teams"


def related(found: Sequence[Structure]) -> list[Structure]:
    """The structures, with ``part_of`` and both sentences set where one is a view or part of another that is discovered."""
    made = {one.id: one for one in found}
    for one in found:
        whole = next((other for other in found if _belongs(one, other)), None)
        if whole is None:
            continue
        made[one.id] = _said(replace(made[one.id], part_of=whole.id), _of(one, whole))
        made[whole.id] = _said(made[whole.id], _with(one, whole))
    return [made[one.id] for one in found]


def _belongs(one: Structure, whole: Structure) -> bool:
    """True when ``one`` adds nothing to ``whole`` that would be a second discovery."""
    if one.id == whole.id or one.run != whole.run or not whole.discovered or not _named(one, whole):
        return False
    members = set(one.members)
    return len(members & set(whole.members)) >= OVERLAP * max(len(members), 1)


def _named(one: Structure, whole: Structure) -> bool:
    """True where the kinds of two structures are such that the first is a view or part of the second."""
    if whole.kind == "pipeline":
        return whole.about in WHOLE and one.about in WHOLE and one.kind in VIEWS_OF_PIPELINE
    if whole.kind == "teams":
        return family(one.kind) in ARRANGEMENTS
    if whole.kind in PLACED:
        return one.kind == "roles" and _told(one, whole) >= OVERLAP
    return one.kind == "teams" and whole.kind.endswith(OF_TEAMS)


def _told(one: Structure, whole: Structure) -> float:
    """Share of the common members whose role in ``one`` follows from their role in ``whole``; 0 where they share none."""
    role = {agent: name for name, agents in one.roles.items() for agent in agents}
    counts = [Counter(role[a] for a in agents if a in role) for agents in whole.roles.values()]
    return sum(max(c.values(), default=0) for c in counts) / max(sum(c.total() for c in counts), 1)


def _of(one: Structure, whole: Structure) -> str:
    if family(one.kind) in ARRANGEMENTS:
        return f"it is how {whole.id} are arranged, and counts with them"
    if whole.kind == "pipeline" or whole.kind in PLACED:
        it = "they are" if one.kind in ("roles", "teams") else "it is"
        return f"{it} another view of {whole.id}, and {'count' if it == 'they are' else 'counts'} with it"
    return f"they are the parts of {whole.id}, and count with it"


def _with(one: Structure, whole: Structure) -> str:
    if family(one.kind) in ARRANGEMENTS:
        how = "in a way without a name" if family(one.kind) == "unclassified" else f"as a {one.kind}"
        return f"the teams are arranged {how} ({one.id})"
    view = whole.kind == "pipeline" or whole.kind in PLACED
    return f"{one.id} {'is another view of it' if view else 'are its parts'}"


def _said(one: Structure, words: str) -> Structure:
    return replace(one, sentence=f"{one.sentence.removesuffix('.')}; {words}.")
