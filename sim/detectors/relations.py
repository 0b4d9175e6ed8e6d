"""Relations: which structures of a report are views or parts of another, so that what is there once is counted once.

A pipeline has an order and stages, and detectors of hierarchies, roles and teams see them again: views of the pipeline.
Teams that a composition arranges (*ring of teams*) are its parts. A catalogue shape of the same agents (*federation*) is how
teams are arranged, since its claim is beaten by teams of any arrangement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sim.detectors.report import Structure

OVERLAP = 0.8  # share of the members of the one that belong to the other as well
WHOLE = ("", "all work")  # what a pipeline is about that explains all contacts, not the work of one type
VIEWS_OF_PIPELINE = ("hierarchy", "roles", "teams")
ARRANGEMENTS = ("matrix", "council", "blackboard", "nested circles", "federation")
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
        return one.kind in ARRANGEMENTS
    return one.kind == "teams" and whole.kind.endswith(OF_TEAMS)


def _of(one: Structure, whole: Structure) -> str:
    if one.kind in ARRANGEMENTS:
        return f"it is how {whole.id} are arranged, and counts with them"
    if whole.kind == "pipeline":
        return f"it is another view of {whole.id}, and counts with it"
    return f"they are the parts of {whole.id}, and count with it"


def _with(one: Structure, whole: Structure) -> str:
    if one.kind in ARRANGEMENTS:
        return f"the teams are arranged as a {one.kind} ({one.id})"
    return f"{one.id} {'is another view of it' if whole.kind == 'pipeline' else 'are its parts'}"


def _said(one: Structure, words: str) -> Structure:
    return replace(one, sentence=f"{one.sentence.removesuffix('.')}; {words}.")
