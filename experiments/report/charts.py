"""Charts as SVG text: small line charts, the timeline of structures, bars; pure functions of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from experiments.report.words import number
from sim.topology.ink import n, text_width, wrapped, xml

# Okabe and Ito, Color Universal Design (2008).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_SMALL = 11.5
Points = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Mark:
    """A level a curve is compared with: its height, what it is, and whether it is a limit rather than chance."""

    value: float
    words: str


def svg(body: Sequence[str], *, width: float, height: float, title: str, description: str) -> str:
    """A whole SVG element with title and description for screen readers; colours follow the page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {n(width)} {n(height)}" width="{n(width)}" '
        f'height="{n(height)}" role="img" aria-label="{xml(title)}"><title>{xml(title)}</title>'
        f"<desc>{xml(description)}</desc>{''.join(body)}</svg>"
    )


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, about ``most`` steps."""
    span = high - low
    if span <= 0:
        span = abs(high) or 1.0
        low, high = low - span / 2, high + span / 2
    raw = span / most
    power = 10.0 ** floor(log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def line_chart(
    points: Points,
    *,
    title: str,
    unit: str,
    marks: Sequence[Mark] = (),
    width: float = 340.0,
    height: float = 168.0,
    time_words: str = "time",
    floor_at: float | None = 0.0,
) -> str:
    """One curve over time, with horizontal marks to compare it with.

    Args:
        points: (time, value) in the order of time; None leaves a gap.
        title: Name of what is shown.
        unit: Unit of the values.
        marks: Levels to compare with.
        width: Width of the picture.
        height: Height of the picture.
        time_words: What runs along the axis.
        floor_at: Where the axis starts; None lets it start near the least value.
    """
    known = [(t, v) for t, v in points if v is not None]
    if not known:
        return ""
    values = [v for _, v in known] + [m.value for m in marks]
    least = min(values) if floor_at is None else min(floor_at, *values)
    # A curve that is zero everywhere lies on the floor, not in the middle.
    levels = ticks(least, max(values) if max(values) > least or least else 1.0)
    times = ticks(min(t for t, _ in points), max(t for t, _ in points))
    # The axis of time begins and ends with the data, not with a round number.
    start, end = min(t for t, _ in points), max(t for t, _ in points)
    left = max(text_width(number(v), _SMALL) for v in levels) + 10
    right, top, bottom = 12.0, 10.0, 34.0

    def x(t: float) -> float:
        return left + (width - left - right) * ((t - start) / (end - start) if end > start else 0.5)

    def y(v: float) -> float:
        return height - bottom - (height - top - bottom) * (v - levels[0]) / (levels[-1] - levels[0])

    body = [_rule(left, y(v), width - right, number(v)) for v in levels]
    body += [_tick(x(t), height - bottom, number(t)) for t in times if start <= t <= end]
    body.append(_text(width - right, height - 4, time_words, anchor="end", css="quiet"))
    body += [_mark(m, left, width - right, y(m.value)) for m in marks]
    body += _curve(points, x, y)
    told = f"{title}: from {number(known[0][1])} to {number(known[-1][1])} {unit}"
    told += "".join(f"; {m.words} {number(m.value)}" for m in marks) + "."
    return svg(body, width=width, height=height, title=title, description=told)


def _curve(points: Points, x: object, y: object) -> list[str]:
    assert callable(x)
    assert callable(y)
    pieces: list[list[str]] = [[]]
    for t, v in points:
        if v is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{n(x(t))} {n(y(v))}")
    drawn = [
        f'<path d="M{"L".join(piece)}" fill="none" stroke="{BLUE}" stroke-width="2" class="curve"/>'
        for piece in pieces
        if len(piece) > 1
    ]
    dots = [
        f'<circle cx="{n(x(t))}" cy="{n(y(v))}" r="2.6" fill="{BLUE}" class="dot"><title>{number(v)} at '
        f"{number(t)}</title></circle>"
        for t, v in points
        if v is not None
    ]
    return drawn + dots


def _rule(left: float, at: float, right: float, words: str) -> str:
    return f'<path d="M{n(left)} {n(at)}H{n(right)}" class="grid"/>' + _text(left - 5, at + 4, words, anchor="end")


def _tick(at: float, base: float, words: str) -> str:
    return f'<path d="M{n(at)} {n(base)}v4" class="axis"/>' + _text(at, base + 16, words, anchor="middle")


def _mark(mark: Mark, left: float, right: float, at: float) -> str:
    return (
        f'<path d="M{n(left)} {n(at)}H{n(right)}" stroke="{ORANGE}" stroke-width="1.5" stroke-dasharray="6 4" '
        f'fill="none"><title>{xml(mark.words)}: {number(mark.value)}</title></path>'
    )


def _text(at: float, base: float, words: str, *, anchor: str = "start", css: str = "", size: float = _SMALL) -> str:
    name = f' class="{css}"' if css else ""
    return (
        f'<text x="{n(at)}" y="{n(base)}" font-size="{n(size)}" text-anchor="{anchor}"{name} fill="currentColor">'
        f"{xml(words)}</text>"
    )


@dataclass(frozen=True)
class Lane:
    """One line of a timeline: cells (start, end, strength 0 to 1, present), changes (time, sign, words)."""

    label: str
    note: str
    cells: Sequence[tuple[float, float, float, bool]]
    changes: Sequence[tuple[float, str, str]] = ()
    colour: str = BLUE


CHANGE_SIGNS = {"birth": "+", "death": "×", "split": "<", "merge": ">"}


def timeline(lanes: Sequence[Lane], *, start: float, end: float, width: float = 1040.0, words: str = "time") -> str:
    """Structures against time: tall cells where a structure stood, a thin line where it did not.

    Args:
        lanes: One line for each structure.
        start: Left end of the axis.
        end: Right end of the axis.
        width: Width of the picture.
        words: What runs along the axis.
    """
    step, top, bottom = 34.0, 8.0, 34.0
    left = min(250.0, max((text_width(lane.label, 13.0) for lane in lanes), default=60.0) + 16)
    right = min(170.0, max((text_width(lane.note, _SMALL) for lane in lanes), default=0.0) + 14)
    height = top + step * len(lanes) + bottom

    def x(t: float) -> float:
        return left + (width - left - right) * ((t - start) / (end - start) if end > start else 0.5)

    body = []
    for t in ticks(start, end, 8):
        if start <= t <= end:
            body.append(f'<path d="M{n(x(t))} {n(top)}V{n(height - bottom)}" class="grid"/>')
            body.append(_tick(x(t), height - bottom, number(t)))
    body.append(_text(width - right, height - 3, words, anchor="end", css="quiet"))
    for i, lane in enumerate(lanes):
        body += _lane(lane, top + step * i + step / 2, x, left=left, right=width - right)
    told = "; ".join(f"{lane.label}, {lane.note}: {_stood(lane)}" for lane in lanes[:12])
    return svg(body, width=width, height=height, title="When each structure stood", description=told)


def _stood(lane: Lane) -> str:
    present = [c for c in lane.cells if c[3]]
    if not present:
        return "no window of its own"
    return f"stood in {len(present)} of {len(lane.cells)} windows, from {number(present[0][0])} to {number(present[-1][1])}"


def _lane(lane: Lane, middle: float, x: object, *, left: float, right: float) -> list[str]:
    assert callable(x)
    made = [
        _text(
            left - 10, middle + 4, wrapped(lane.label, width=left - 12, size=13.0, lines=1)[0], anchor="end", size=13.0
        )
    ]
    made.append(f'<path d="M{n(left)} {n(middle)}H{n(right)}" class="axis"/>')
    for first, last, strength, present in lane.cells:
        height = 20.0 if present else 5.0
        shade = 0.25 + 0.75 * max(0.0, min(1.0, strength))
        state = "stands" if present else "does not stand"
        made.append(
            f'<rect x="{n(x(first) + 1)}" y="{n(middle - height / 2)}" width="{n(max(1.0, x(last) - x(first) - 2))}" '
            f'height="{n(height)}" rx="2" fill="{lane.colour}" fill-opacity="{shade:.2f}"><title>{state} from '
            f"{number(first)} to {number(last)}; agreement with the other windows {number(strength)}</title></rect>"
        )
    if not lane.cells:
        made.append(
            _text((left + right) / 2, middle - 4, "no windows: a claim over whole runs", anchor="middle", css="quiet")
        )
    for at, sign, told in lane.changes:
        made.append(
            f"<g><title>{xml(told)}</title>{_text(x(at), middle + 4.5, sign, anchor='middle', size=13.0, css='change')}</g>"
        )
    made.append(_text(right + 8, middle + 4, lane.note))
    return made


def bars(shares: Sequence[tuple[str, float]], *, title: str, width: float = 230.0) -> str:
    """Shares as horizontal bars with their names, largest first."""
    step = 19.0
    height = step * len(shares) + 2
    left = min(110.0, max((text_width(name, _SMALL) for name, _ in shares), default=20.0) + 8)
    most = max((share for _, share in shares), default=1.0) or 1.0
    body = []
    for i, (name, share) in enumerate(shares):
        y = step * i + 3
        full = width - left - 46
        body.append(_text(left - 5, y + 11, wrapped(name, width=left - 6, size=_SMALL, lines=1)[0], anchor="end"))
        body.append(
            f'<rect x="{n(left)}" y="{n(y)}" width="{n(max(1.0, full * share / most))}" height="14" rx="2" fill="{BLUE}" '
            f'fill-opacity="0.75"/>'
        )
        body.append(_text(left + full * share / most + 5, y + 11, f"{number(100 * share, 2)} %"))
    told = ", ".join(f"{name} {number(100 * share, 2)} %" for name, share in shares)
    return svg(body, width=width, height=height, title=title, description=told)
