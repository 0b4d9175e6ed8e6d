"""Panel: what is looked at, and the ways to something else: gallery, preset, seed, theme, help."""

from __future__ import annotations

import secrets
from dataclasses import replace

import solara

from viz.entries import Field
from viz.links import Choice
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session


@solara.component
def Header(session: Session) -> None:
    """One line: the scenario with its preset and seed, and what opens over the page."""
    session.world.value  # noqa: B018  another world, another name
    with solara.Div(classes=["line"]):
        words("Swarmscope", tag="h1")
        if session.stored is not None:
            words(f"looking at {session.title}", tag="span", classes=["quiet"])
        button(
            "Scenarios",
            lambda: toggle(session, "gallery"),
            key="g",
            about="Choose what runs (key G)",
            pressed=session.part.value == "gallery",
        )
        if session.stored is None:
            Which(session, session.choice.value)
        solara.Div(classes=["spring"])
        dark = session.theme.value == "dark"
        button(
            "Light" if dark else "Dark",
            lambda: session.theme.set("light" if dark else "dark"),
            key="t",
            about="Light or dark page (key T)",
        )
        button(
            "?",
            lambda: toggle(session, "help"),
            key="?",
            about="Keys and words (key ?)",
            aria_label="Help: keys and words",
        )


@solara.component
def Which(session: Session, choice: Choice) -> None:
    """Preset and seed of the scenario that runs."""
    spec = session.spec
    with solara.Div(classes=["line", "tight"]):
        solara.Select(
            f"Preset of {choice.scenario}",
            values=list(spec.presets),
            value=choice.preset,
            on_value=lambda preset: session.choose(Choice(choice.scenario, preset, choice.seed)),
            dense=True,
            classes=["preset"],
        )
        with solara.Div(classes=["seed"]):
            Field("Seed", str(choice.seed), lambda seed: reseed(session, seed)).key(str(session.edition.value))
        button(
            "New seed",
            lambda: reseed(session, str(secrets.randbelow(1_000_000))),
            key="n",
            about="Another instance of the same world (key N)",
        )
        words(spec.preset_words.get(choice.preset, spec.summary), tag="span", classes=["quiet", "clip"])


def toggle(session: Session, part: str) -> None:
    """Open or close a part that opens over the page."""
    session.part.value = "" if session.part.value == part else part


def reseed(session: Session, seed: str) -> bool:
    """Start the same world with another seed."""
    if not seed.isdecimal() or len(seed) > 18:
        session.trouble.value = f"seed: expected a whole number from 0, got '{seed[:40]}'."
        return False
    session.trouble.value = ""
    if int(seed) != session.choice.value.seed:
        session.choose(replace(session.choice.value, seed=int(seed)))
    return True


panels.add("header")(Panel("header", "top", "", "What is looked at: scenario, preset, seed.", Header, order=10))
