"""Curves of a sweep as SVG text: means with intervals along an axis, shares of phases, and the phase diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from experiments.report.charts import BLUE, GREEN, ORANGE, RED, svg, ticks
from experiments.report.words import number
from sim.topology.ink import n, text_width, xml

# Okabe and Ito, Color Universal Design (2008); grey is kept for the phase without any structure.
COLOURS = (BLUE, ORANGE, GREEN, RED, "#56B4E9", "#CC79A7", "#F0E442", "#0B3954", "#8A6D3B", "#5E4FA2")
GREY = "#9AA0A6"
DASHES = ("", "7 4", "2 3", "9 3 2 3")
_SIZE = 11.5
Place = Callable[[float], float]


@dataclass(frozen=True)
class Curve:
    """One line: its name and (x, mean, low, high), bounds None where there are none."""

    name: str
    points: Sequence[tuple[float, float, float | None, float | None]]


@dataclass(frozen=True)
class Band:
    """A marked place along the axis with its interval."""

    at: float
    low: float
    high: float
    words: str


def text(x: float, y: float, words: str, *, anchor: str = "start", css: str = "") -> str:
    """A word in the picture."""
    name = f' class="{css}"' if css else ""
    where = f'x="{n(x)}" y="{n(y)}" font-size="{_SIZE}" text-anchor="{anchor}"'
    return f'<text {where}{name} fill="currentColor">{xml(words)}</text>'


def colours_of(phases: Sequence[str], nothing: str) -> dict[str, str]:
    """A colour for every phase; what is nothing is grey."""
    named = [p for p in phases if p != nothing]
    made = {phase: COLOURS[i % len(COLOURS)] for i, phase in enumerate(named)}
    return {**made, nothing: GREY}


def curves(
    lines: Sequence[Curve],
    *,
    title: str,
    unit: str,
    along: str,
    log: bool = False,
    bands: Sequence[Band] = (),
    floor_at: float | None = None,
    ceiling: float | None = None,
    colours: Mapping[str, str] | None = None,
    width: float = 340.0,
    height: float = 190.0,
) -> str:
    """Means with their intervals along an axis; nothing when there are no points.

    Args:
        lines: What is drawn.
        title: Name of the measure.
        unit: Its unit.
        along: Name of the axis.
        log: Whether the axis is logarithmic.
        bands: Places to mark.
        floor_at: Where the vertical axis starts at the latest.
        ceiling: Where it ends at the earliest.
        colours: Name of a line to its colour.
        width: Width of the picture.
        height: Height of the picture.
    """
    points = [p for line in lines for p in line.points]
    if not points:
        return ""
    heights = [v for _, mean, low, high in points for v in (mean, low, high) if v is not None]
    heights += [v for v in (floor_at, ceiling) if v is not None]
    levels = ticks(
        min(heights), max(heights) if max(heights) > min(heights) else min(heights) + (abs(min(heights)) or 1)
    )
    legend = 18.0 * ((len(lines) + 1) // 2) if len(lines) > 1 else 0.0
    left = max(text_width(number(v), _SIZE) for v in levels) + 10
    right, top, bottom = 14.0, 10.0, 36.0
    xs = sorted({p[0] for p in points})
    across = _across(xs, left, width - right, log)

    def up(value: float) -> float:
        return height - bottom - (height - top - bottom) * (value - levels[0]) / (levels[-1] - levels[0])

    body = [
        f'<path d="M{n(left)} {n(up(v))}H{n(width - right)}" class="grid"/>'
        + text(left - 5, up(v) + 4, number(v), anchor="end")
        for v in levels
    ]
    body += _axis(xs, across, height - bottom, log)
    body.append(text(width - right, height - 4, along, anchor="end", css="quiet"))
    body += [_band(b, across, top, height - bottom) for b in bands]
    for i, line in enumerate(lines):
        colour = (colours or {}).get(line.name, COLOURS[i % len(COLOURS)])
        body += _curve(line, across, up, colour, DASHES[(i // len(COLOURS)) % len(DASHES)])
        if legend:
            at = left + (i % 2) * (width - left) / 2
            base = height + 14 + 18 * (i // 2)
            body.append(
                f'<path d="M{n(at)} {n(base - 4)}h16" stroke="{colour}" stroke-width="3"/>'
                + text(at + 21, base, line.name)
            )
    told = "; ".join(
        f"{line.name or title}: from {number(line.points[0][1])} at {number(line.points[0][0])} to "
        f"{number(line.points[-1][1])} at {number(line.points[-1][0])} {unit}"
        for line in lines
        if line.points
    )
    return svg(body, width=width, height=height + legend, title=title, description=told + ".")


def _across(xs: Sequence[float], left: float, right: float, log: bool) -> Place:
    place = log10 if log else float
    low, high = place(xs[0]), place(xs[-1])
    return lambda x: left + 6 + (right - left - 12) * ((place(x) - low) / (high - low) if high > low else 0.5)


def _axis(xs: Sequence[float], across: Place, base: float, log: bool) -> list[str]:
    """Marks at the values themselves where they are few, else at round numbers."""
    at = list(xs) if len(xs) <= 8 or log else [t for t in ticks(xs[0], xs[-1]) if xs[0] <= t <= xs[-1]]
    made, end = [], float("-inf")
    for x in at:
        words = number(x)
        half = text_width(words, _SIZE) / 2
        if across(x) - half > end + 4:
            made.append(
                f'<path d="M{n(across(x))} {n(base)}v4" class="axis"/>'
                + text(across(x), base + 16, words, anchor="middle")
            )
            end = across(x) + half
    return made


def _band(band: Band, across: Place, top: float, bottom: float) -> str:
    low, high = across(band.low), across(band.high)
    return (
        f'<rect x="{n(low)}" y="{n(top)}" width="{n(max(high - low, 1))}" height="{n(bottom - top)}" fill="currentColor" '
        f'opacity="0.10"/><path d="M{n(across(band.at))} {n(top)}V{n(bottom)}" stroke="currentColor" stroke-width="1.5" '
        f'stroke-dasharray="5 3"><title>{xml(band.words)}</title></path>'
    )


def _curve(line: Curve, across: Place, up: Place, colour: str, dash: str) -> list[str]:
    known = [(x, low, high) for x, _, low, high in line.points if low is not None and high is not None]
    made = []
    if len(known) > 1:
        upper = "L".join(f"{n(across(x))} {n(up(high))}" for x, _, high in known)
        lower = "L".join(f"{n(across(x))} {n(up(low))}" for x, low, _ in reversed(known))
        made.append(f'<path d="M{upper}L{lower}Z" fill="{colour}" opacity="0.22"/>')
    path = "L".join(f"{n(across(x))} {n(up(mean))}" for x, mean, _, _ in line.points)
    style = f' stroke-dasharray="{dash}"' if dash else ""
    made.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{style}/>')
    for x, mean, low, high in line.points:
        words = f"{line.name} {number(mean)} at {number(x)}".strip()
        words += f", {number(low)} to {number(high)}" if low is not None else ""
        made.append(
            f'<circle cx="{n(across(x))}" cy="{n(up(mean))}" r="2.8" fill="{colour}"><title>{xml(words)}</title></circle>'
        )
    return made


def phase_map(
    cells: Sequence[Mapping[str, Any]],
    *,
    x: str,
    y: str,
    colours: Mapping[str, str],
    lines: Sequence[tuple[Any, Band]] = (),
    width: float = 760.0,
) -> str:
    """Which phase leads at each point of two axes: full colour where it holds, pale and hatched where it may not.

    Args:
        cells: ``x, y, phase, share, low, high, holds, runs`` under the names of the axes.
        x: Axis along.
        y: Axis upwards.
        colours: Phase to colour.
        lines: (value of y, transition) to draw with their intervals.
        width: Width of the picture.
    """
    xs = sorted({cell[x] for cell in cells})
    ys = sorted({cell[y] for cell in cells}, key=lambda v: (isinstance(v, str), v))
    left = max(text_width(_said(v), _SIZE) for v in ys) + 12
    top, bottom = 24.0, 40.0
    wide, tall = (width - left - 12) / len(xs), max(26.0, min(52.0, 380.0 / len(ys)))
    height = top + tall * len(ys) + bottom
    columns, rows = {v: i for i, v in enumerate(xs)}, {v: i for i, v in enumerate(ys)}

    def across(value: float) -> float:
        """Between the middles of neighbouring cells, in proportion."""
        for i in range(len(xs) - 1):
            if xs[i] <= value <= xs[i + 1]:
                return float(left + wide * (i + 0.5 + (value - xs[i]) / (xs[i + 1] - xs[i])))
        return left + wide * (0.5 if value < xs[0] else len(xs) - 0.5)

    def base(value: Any) -> float:
        return top + tall * (len(ys) - 1 - rows[value])

    body = [
        '<defs><pattern id="unsure" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path d="M0 0V6" stroke="currentColor" stroke-width="1.2" opacity="0.45"/></pattern></defs>',
        text(left, 14, f"{y} upwards", css="quiet"),
    ]
    for cell in cells:
        at, low = left + wide * columns[cell[x]], base(cell[y])
        box = f'x="{n(at + 1)}" y="{n(low + 1)}" width="{n(wide - 2)}" height="{n(tall - 2)}"'
        words = (
            f"{x} {_said(cell[x])}, {y} {_said(cell[y])}: {cell['phase']} in {number(100 * cell['share'])} % of "
            f"{cell['runs']} runs ({number(100 * cell['low'])} to {number(100 * cell['high'])} %)"
        )
        strength = 0.9 if cell["holds"] else 0.45
        body.append(
            f'<rect {box} fill="{colours[cell["phase"]]}" opacity="{strength}"><title>{xml(words)}</title></rect>'
            + ("" if cell["holds"] else f'<rect {box} fill="url(#unsure)" pointer-events="none"/>')
        )
    for value in ys:
        body.append(text(left - 7, base(value) + tall / 2 + 4, _said(value), anchor="end"))
    end = float("-inf")
    for value in xs:
        half = text_width(_said(value), _SIZE) / 2
        middle = left + wide * (columns[value] + 0.5)
        if middle - half > end + 4:
            body.append(text(middle, height - bottom + 16, _said(value), anchor="middle"))
            end = middle + half
    body.append(text(width - 12, height - 6, x, anchor="end", css="quiet"))
    for value, band in lines:
        low = base(value)
        middle = low + tall / 2
        body.append(
            f'<g stroke="currentColor" fill="none"><title>{xml(band.words)}</title>'
            f'<path d="M{n(across(band.at))} {n(low + 1)}v{n(tall - 2)}" stroke-width="3"/>'
            f'<path d="M{n(across(band.low))} {n(middle)}H{n(across(band.high))}" stroke-width="1.6"/></g>'
        )
    told = "; ".join(f"at {x} {_said(c[x])} and {y} {_said(c[y])}: {c['phase']}" for c in cells[:60])
    return svg(body, width=width, height=height, title=f"Phases over {x} and {y}", description=told + ".")


def _said(value: object) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
