"""A panel: one part of the page, its place, and the component that draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.registry import Registry

BANDS = ("top", "world", "structures", "steering")


@dataclass(frozen=True)
class Panel:
    """A part of the page.

    Attributes:
        name: Registered name.
        band: ``top`` (what is looked at), ``world`` (what the agents do), ``structures`` (what was found) or ``steering``
            (sentences and numbers to steer by).
        title: Heading; none when empty.
        about: One sentence on what it shows, for the help.
        component: ``(session) -> element``, a Solara component. It is drawn anew when a reactive part of the session that
            it reads changes: ``session.frame.value`` for what moves with every picture, ``session.beat.value`` for what
            reads the whole log.
        order: Place within the band, lowest first.
        shown: ``session -> bool``: whether the panel has anything to say; all panels do unless they say otherwise.
        wide: True for a panel that takes the whole width of its band.
    """

    name: str
    band: str
    title: str
    about: str
    component: Callable[[Any], Any]
    order: int = 50
    shown: Callable[[Any], bool] = lambda _session: True
    wide: bool = False

    def __post_init__(self) -> None:
        if self.band not in BANDS:
            raise ValueError(f"panel '{self.name}': band must be one of {', '.join(BANDS)}, got '{self.band}'.")
        if not self.about:
            raise ValueError(f"panel '{self.name}': needs a sentence on what it shows.")


panels: Registry[Panel] = Registry("panel", package="viz.panels")


def of_band(band: str) -> list[Panel]:
    """The panels of a band in their order."""
    return sorted((p for _, p in panels.items() if p.band == band), key=lambda p: (p.order, p.name))
