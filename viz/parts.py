"""Parts that panels share: text that is escaped, buttons with labels and keys, marks of roles, things to point at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi, sin
from typing import Any

import solara

from sim.topology.ink import PALETTE, n, polygon

COLOURS = list(PALETTE[:7])  # black is the ink of a page, so roles go without it
CORNERS, TURNS = (0, 4, 3, 4, 6, 3, 5, 8), (0.0, pi / 4, -pi / 2, 0.0, 0.0, pi / 2, -pi / 2, 0.0)


def colour_of(number: int) -> str:
    """Colour of a role by its number from 1; 0 for no role."""
    return COLOURS[(number - 1) % len(COLOURS)] if number else "var(--plain)"


def mark(number: int, *, size: float = 12.0) -> str:
    """The mark of a role by its number as inline SVG: colour and shape as in the picture of the world."""
    corners, half = CORNERS[number % 8], size / 2
    if corners:
        angles = [TURNS[number % 8] + 2 * pi * k / corners for k in range(corners)]
        points = [(half + 0.95 * half * cos(a), half + 0.95 * half * sin(a)) for a in angles]
        shape = f'<path d="{polygon(points)}" fill="{colour_of(number)}"/>'
    else:
        shape = f'<circle cx="{n(half)}" cy="{n(half)}" r="{n(0.8 * half)}" fill="{colour_of(number)}"/>'
    return f'<svg width="{n(size)}" height="{n(size)}" aria-hidden="true">{shape}</svg>'


def words(text: object, *, tag: str = "p", classes: Sequence[str] = (), **attributes: str) -> Any:
    """Text as an element; whatever it holds is shown, never run. ``data_x`` and ``aria_x`` become ``data-x``, ``aria-x``."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return solara.v.Html(tag=tag, children=[str(text)], class_=" ".join(classes), attributes=named)


def button(
    label: str,
    on_click: Callable[[], object],
    *,
    key: str = "",
    about: str = "",
    primary: bool = False,
    disabled: bool = False,
    pressed: bool | None = None,
    **attributes: str,
) -> Any:
    """A button; ``key`` names the key of the keyboard that presses it, ``about`` says what it does."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    if key:
        named["data-key"] = key
    if about:
        named["title"] = about
    if pressed is not None:
        named["aria-pressed"] = str(pressed).lower()
    return solara.Button(
        label,
        on_click=on_click,
        disabled=disabled,
        color="primary" if primary else None,
        outlined=not primary,
        classes=["swarm-button"],
        attributes=named,
        small=True,
    )


def pointed(element: Any, on: Callable[[], object], off: Callable[[], object]) -> None:
    """Call ``on`` and ``off`` when the pointer or the keyboard's focus comes to ``element`` and leaves it."""
    for event, act in (("mouseenter", on), ("focusin", on), ("mouseleave", off), ("focusout", off)):
        solara.v.use_event(element, event, lambda *_ignore, act=act: act())
