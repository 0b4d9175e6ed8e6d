"""Panel: the structures found, each with its sentence, its score against chance, its level and its lifetime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import solara

from experiments.report.words import LEVEL_WORDS, number, p_value
from viz.panels.panel import Panel, panels
from viz.session import Session


@solara.component
def Structures(session: Session) -> None:
    """The list; pointing at a structure lights its members everywhere."""
    found = session.found.value
    if found is None:
        waits = "Looking for structures ..." if session.searching.value else "Nothing has been looked for yet."
        solara.Text(waits, classes=["quiet"])
        return
    nothing = found.why_nothing()
    if nothing:
        solara.HTML(tag="p", unsafe_innerHTML=nothing, attributes={"role": "status"})
    for structure in found.structures[:12]:
        One(session, structure)
    solara.Text(f"Looked at {found.events:,} events up to time {number(found.until)}.", classes=["quiet"])


@solara.component
def One(session: Session, structure: Mapping[str, Any]) -> None:
    """One structure as a card that can be pointed at, focused and chosen."""
    identity = structure["id"]
    chosen = session.chosen.value == identity
    with solara.Div(classes=["structure", *(["chosen"] if chosen else [])]):
        with solara.Row(gap="8px", style={"background": "transparent", "align-items": "center"}):
            solara.Button(
                f"{structure['kind']} {structure['about']}".strip(),
                text=True,
                on_click=lambda: session.chosen.set(None if chosen else identity),
                attributes={"aria-pressed": str(chosen).lower(), "data-structure": identity},
            )
            solara.HTML(
                tag="span",
                unsafe_innerHTML=structure["level"],
                classes=["level"],
                attributes={"title": LEVEL_WORDS[structure["level"]]},
            )
        solara.Text(
            f"score {number(structure['score'])} against {number(structure['chance'])} by chance, q {p_value(structure['q'])}, "
            f"{len(structure['members'])} agents, lasted {number(structure['lifetime'])}",
            classes=["quiet"],
        )
        if chosen:
            solara.Text(structure["sentence"])


panels.add("structures")(
    Panel("structures", "structures", "Structures found", "What organised itself, with evidence.", Structures, order=10)
)
