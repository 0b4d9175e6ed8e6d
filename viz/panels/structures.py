"""Panel: the structures found, each with its sentence, its score against chance, its level and its lifetime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import solara

from experiments.report.words import LEVEL_WORDS, LEVELS, number, p_value
from viz.panels.panel import Panel, panels
from viz.parts import button, pointed, words
from viz.session import LEAST_EVENTS, Session

MOST_LISTED = 12


@solara.component
def Structures(session: Session) -> None:
    """The list; pointing at a structure lights its members everywhere."""
    found = session.found.value
    if found is None:
        session.frame.value  # noqa: B018  until something was found, say how far it is
        count = session.moment.events
        waits = f"Looking for structures in {count:,} events ..." if session.searching.value else (
            f"Nothing has been looked for yet: {count:,} events so far, the search begins at {LEAST_EVENTS}."
        )  # fmt: skip
        words(waits, classes=["quiet"], role="status")
        return
    nothing = found.why_nothing()
    if nothing:
        words(nothing, role="status", classes=["nothing"])
    for structure in found.structures[:MOST_LISTED]:
        One(session, structure).key(structure["id"])
    more = len(found.structures) - MOST_LISTED
    tail = f"{more} more are in the report. " if more > 0 else ""
    tested = sum(row["p"] is not None for row in found.ledger)
    again = " Looking again ..." if session.searching.value else ""
    words(
        f"{tail}{tested} claims tested in {found.events:,} events up to time {number(found.until)}.{again}",
        classes=["quiet"],
    )
    for note in found.notes:
        words(note, classes=["quiet"])


@solara.component
def One(session: Session, structure: Mapping[str, Any]) -> None:
    """One structure as a card that can be pointed at, focused and chosen."""
    identity = structure["id"]
    chosen = session.chosen.value == identity
    with solara.Div(
        classes=["structure", *(["chosen"] if chosen else [])], attributes={"data-structure": identity}
    ) as card:
        with solara.Div(classes=["line", "tight"]):
            button(
                f"{structure['kind']} {structure['about']}".strip(),
                lambda: session.chosen.set(None if chosen else identity),
                pressed=chosen,
                about="Keep its members lit and show its evidence",
            )
            solara.HTML(
                tag="span",
                unsafe_innerHTML=level(structure["level"]),
                classes=["level", f"level-{structure['level']}"],
                attributes={"title": LEVEL_WORDS[structure["level"]]},
            )
            if structure["predefined"]:
                words("predefined", tag="span", classes=["level"], title=str(structure["predefined"]))
        words(structure["sentence"] if chosen else short(structure["sentence"]))
        solara.HTML(unsafe_innerHTML=against(structure["score"], structure["chance"]), classes=["against"])
        words(
            f"score {number(structure['score'])} against {number(structure['chance'])} by chance; "
            f"q {p_value(structure['q'])}; {len(structure['members'])} agents; lasted {number(structure['lifetime'])}",
            classes=["quiet"],
        )
        if chosen:
            Evidence(structure)
    # The hovered id is left alone when another card has taken it already.
    pointed(
        card,
        lambda: session.hovered.set(identity),
        lambda: session.hovered.set(None) if session.hovered.value == identity else None,
    )


@solara.component
def Evidence(structure: Mapping[str, Any]) -> None:
    """What the claim rests on, and what would refute it."""
    rows = [
        ("beaten null models", ", ".join(structure["nulls"]) or "none"),
        ("95 % interval", "–" if not structure["interval"] else " to ".join(number(x) for x in structure["interval"])),
        ("half-life", structure["half_life_said"]),
        ("stood from", f"{number(structure['windows'][0])} to {number(structure['windows'][1])}"),
        ("roles", ", ".join(f"{role}: {len(who)}" for role, who in structure["roles"].items())),
        *((f"share left, {name}", f"{100 * share:.0f} %") for name, share in structure["resilience"].items()),
        ("refuted by", structure["refuted_by"]),
    ]
    with solara.Div(classes=["evidence"]):
        for name, value in rows:
            with solara.Div(classes=["pair"]):
                words(name, tag="b")
                words(value, tag="span")


def short(sentence: str) -> str:
    """What was found, without the figures that the card gives in a line of their own."""
    return sentence.split("; score ", 1)[0].rstrip(".") + "."


def level(name: str) -> str:
    """A claim level as filled dots and its name: the more dots, the stronger the claim."""
    rank = LEVELS.index(name) + 1
    return f'<span aria-hidden="true">{"●" * rank}{"○" * (len(LEVELS) - rank)}</span> {name}'


def against(score: float | None, chance: float | None) -> str:
    """The score as a bar with the chance level as a mark on it."""
    if score is None or chance is None:
        return ""
    whole = max(abs(score), abs(chance), 1.0 if max(abs(score), abs(chance)) <= 1 else 0.0) or 1.0
    share, by_chance = (100 * max(min(v / whole, 1.0), 0.0) for v in (score, chance))
    return (
        f'<svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="score {number(score)}, by chance '
        f'{number(chance)}"><rect width="100" height="6" class="bar"/><rect width="{share:.1f}" height="6" class="score"/>'
        f'<rect x="{max(by_chance - 0.4, 0):.1f}" width="0.8" height="6" class="chance"/></svg>'
    )


panels.add("structures")(
    Panel("structures", "structures", "Structures found", "What organised itself, with evidence.", Structures, order=10)
)
