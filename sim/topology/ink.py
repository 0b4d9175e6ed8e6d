"""What drawings share: the colour-blind safe palette, shapes as outlines, text measured and escaped, themes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Literal
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from sim.topology.schema import Function

Point = tuple[float, float]
Theme = Literal["page", "light", "dark"]

# Okabe and Ito, Color Universal Design (2008), without yellow, which no white page shows.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#7F7F7F", "#000000")
FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"

Shape = Literal["stadium", "hexagon", "box", "octagon", "barred", "ellipse", "slanted", "rounded", "pill"]
SHAPE_OF: dict[Function, Shape] = {
    "intake": "stadium",
    "routing": "hexagon",
    "work": "box",
    "quality_control": "octagon",
    "integration": "barred",
    "monitoring": "ellipse",
    "escalation": "slanted",
    "other": "rounded",
}
COLOUR_OF: dict[Function, str] = {
    "intake": "#56B4E9",
    "routing": "#E69F00",
    "work": "#0072B2",
    "quality_control": "#D55E00",
    "integration": "#009E73",
    "monitoring": "#CC79A7",
    "escalation": "currentColor",
    "other": "#7F7F7F",
}


@dataclass(frozen=True)
class Colours:
    """Colours of a theme: text, page behind labels, arrows; and the style values that let a page override them."""

    text: str
    page: str
    edge: str
    has_ground: bool


THEMES: dict[str, Colours] = {
    # The page decides: text takes the page's colour, the rest its variables --swarm-bg and --swarm-edge.
    "page": Colours("currentColor", "#ffffff", "#7b818a", False),
    "light": Colours("#1b1f24", "#ffffff", "#747b84", True),
    "dark": Colours("#e8eaed", "#14171a", "#8d949d", True),
}


def theme_of(name: str) -> Colours:
    """The colours of a theme; ValueError for a name that is none."""
    if name not in THEMES:
        raise ValueError(f"theme: expected one of {', '.join(THEMES)}, got '{name}'.")
    return THEMES[name]


def xml(text: object) -> str:
    """Any text for XML content and attributes; characters that XML forbids become a replacement sign."""
    legal = "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd"
        for c in str(text)
    )
    return escape(legal, {'"': "&quot;", "'": "&#39;"})


def n(value: float) -> str:
    """A coordinate with at most two decimals."""
    made = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if made in {"-0", ""} else made


def text_width(text: str, size: float) -> float:
    """Width of a text in a sans-serif face, in the unit of ``size``; an estimate on the wide side."""
    return size * sum(_advance(c) for c in text)


def _advance(character: str) -> float:
    if east_asian_width(character) in "WF":
        return 1.0
    if character in "iljtfI.,:;'|!()[] ":
        return 0.36
    return 0.86 if character in "mwMW%@" else 0.7 if character.isupper() else 0.6


def wrapped(text: str, *, width: float, size: float, lines: int) -> list[str]:
    """A text broken at spaces into at most ``lines`` lines of ``width``; what does not fit ends in an ellipsis."""
    words = text.split()
    made: list[str] = []
    while words and len(made) < lines:
        line = words.pop(0)
        while words and text_width(f"{line} {words[0]}", size) <= width:
            line += " " + words.pop(0)
        made.append(line)
    if words:
        made[-1] += " " + " ".join(words)
    return [_cut(line, width=width, size=size) for line in made]


def _cut(line: str, *, width: float, size: float) -> str:
    if text_width(line, size) <= width:
        return line
    while line and text_width(line + "…", size) > width:
        line = line[:-1]
    return line.rstrip() + "…"


def outline(shape: str, w: float, h: float) -> list[Point]:
    """The outline of a node of the given size around (0, 0), as a polygon."""
    a, b = w / 2, h / 2
    if shape == "hexagon":
        i = min(14.0, 0.45 * b)
        return [(-a, 0), (-a + i, -b), (a - i, -b), (a, 0), (a - i, b), (-a + i, b)]
    if shape == "octagon":
        i = min(12.0, 0.4 * b)
        return [(-a, -b + i), (-a + i, -b), (a - i, -b), (a, -b + i), (a, b - i), (a - i, b), (-a + i, b), (-a, b - i)]
    if shape == "slanted":
        i = min(14.0, 0.5 * b)
        return [(-a + i, -b), (a, -b), (a - i, b), (-a, b)]
    if shape == "ellipse":
        turn = [2 * pi * i / 48 for i in range(48)]
        return [(a * cos(t), b * sin(t)) for t in turn]
    radius = {"stadium": min(b, 30.0), "pill": min(b, 30.0), "rounded": min(14.0, 0.6 * b)}.get(shape, 3.0)
    return _rounded(a, b, min(radius, a, b))


def _rounded(a: float, b: float, r: float) -> list[Point]:
    made = []
    for corner, (x, y) in enumerate(((a - r, b - r), (-a + r, b - r), (-a + r, -b + r), (a - r, -b + r))):
        for i in range(9):
            t = pi / 2 * (corner + i / 8)
            made.append((x + r * cos(t), y + r * sin(t)))
    return made


def edge_of(polygon: Sequence[Point], *, axis: int, at: float, sign: int) -> float:
    """Where the outline ends along ``axis`` (0: x, 1: y) in direction ``sign`` at offset ``at`` on the other axis."""
    hits = []
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        p, q = ((y0, x0), (y1, x1)) if axis == 0 else ((x0, y0), (x1, y1))
        if min(p[0], q[0]) <= at <= max(p[0], q[0]):
            share = (at - p[0]) / (q[0] - p[0]) if q[0] != p[0] else 0.0
            hits += [p[1] + share * (q[1] - p[1])] if q[0] != p[0] else [p[1], q[1]]
    return sign * max((sign * hit for hit in hits), default=0.0)


def polygon(points: Sequence[Point], *, at: Point = (0.0, 0.0)) -> str:
    """Points as SVG path data, moved to ``at`` and closed."""
    return "M" + "L".join(f"{n(x + at[0])} {n(y + at[1])}" for x, y in points) + "Z"


def plate_text(text: str, at: Point, colours: Colours, *, size: float) -> str:
    """A line of text in the middle of ``at``, on a plate in the page's colour that covers the lines below."""
    w, h = text_width(text, size) + 6, size + 4
    return (
        f'<rect x="{n(at[0] - w / 2)}" y="{n(at[1] - h / 2)}" width="{n(w)}" height="{n(h)}" rx="3" '
        f'fill="{colours.page}" style="fill:var(--swarm-bg,{colours.page})"/>'
        f'<text x="{n(at[0])}" y="{n(at[1] + 0.35 * size)}" font-size="{n(size)}" text-anchor="middle" '
        f'fill="{colours.text}">{xml(text)}</text>'
    )


def document(body: Sequence[str], *, low: Point, high: Point, title: str, description: str, colours: Colours) -> str:
    """A whole SVG document around ``body`` for the box from ``low`` to ``high``, with title and description."""
    w, h = high[0] - low[0], high[1] - low[1]
    box = f"{n(low[0])} {n(low[1])} {n(w)} {n(h)}"
    ground = f'<rect x="{n(low[0])}" y="{n(low[1])}" width="{n(w)}" height="{n(h)}" fill="{colours.page}"/>'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{n(w)}" height="{n(h)}" role="img" '
        f'aria-label="{xml(title)}" font-family="{xml(FONT)}" color="{colours.text}" '
        'style="max-width:100%;height:auto">'
        if colours.has_ground
        else f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{n(w)}" height="{n(h)}" role="img" '
        f'aria-label="{xml(title)}" font-family="{xml(FONT)}" style="max-width:100%;height:auto">'
    )
    parts = [head, f"<title>{xml(title)}</title>", f"<desc>{xml(description)}</desc>"]
    return "\n".join([*parts, *([ground] if colours.has_ground else []), *body, "</svg>", ""])
