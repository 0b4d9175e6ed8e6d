"""Panel: the gallery of scenarios, each with a picture, a sentence, and its presets to start."""

from __future__ import annotations

from functools import partial

import solara

from sim.spec import Scenario, scenarios
from viz.links import Choice
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.pictures import picture_of
from viz.session import Session


@solara.component
def Gallery(session: Session) -> None:
    """All scenarios as cards."""
    with solara.Div(classes=["cards"]):
        for name, scenario in scenarios.items():
            Card(session, name, scenario)
    for module, error in scenarios.broken.items():
        solara.Error(f"A scenario could not be loaded: {module}: {error}")


@solara.component
def Card(session: Session, name: str, scenario: Scenario) -> None:
    """One scenario."""

    def start(preset: str) -> None:
        session.part.value = ""
        session.choose(Choice(name, preset, session.choice.value.seed))

    with solara.Div(classes=["card", *(["chosen"] if session.title == name else [])]):
        solara.HTML(unsafe_innerHTML=picture_of(name), classes=["thumb"], attributes={"aria-hidden": "true"})
        words(name, tag="h3")
        words(scenario.summary)
        for preset in scenario.presets:
            button(
                preset + (" *" if preset == scenario.default else ""),
                partial(start, preset),
                about=scenario.preset_words.get(preset, ""),
                data_scenario=name,
                data_preset=preset,
            )
        if scenario.notice:
            words("Notice: " + scenario.notice[0], classes=["quiet"])


panels.add("gallery")(
    Panel(
        "gallery",
        "top",
        "Scenarios (* where to begin)",
        "What can be run.",
        Gallery,
        order=20,
        shown=lambda session: session.part.value == "gallery",
    )
)
