"""Networks of agents as self-contained SVG: groups by shape and colour, arrows, labels where there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, hypot, pi, sin, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.topology.curves import Box
from sim.topology.ink import (
    PALETTE,
    Colours,
    Point,
    Theme,
    document,
    n,
    polygon,
    text_width,
    theme_of,
    wrapped,
    xml,
)

# Corners and turn of the regular shapes; 0 corners is a disc.
_MARKS: tuple[tuple[int, float], ...] = (
    (0, 0.0),
    (4, pi / 4),
    (3, -pi / 2),
    (4, 0.0),
    (6, 0.0),
    (3, pi / 2),
    (5, -pi / 2),
    (8, 0.0),
)
_SMALL = 12.0


def draw_agents(
    positions: ArrayLike,
    edges: ArrayLike,
    *,
    groups: Sequence[int] | None = None,
    group_names: Mapping[int, str] | None = None,
    labels: Mapping[int, str] | None = None,
    weights: ArrayLike | None = None,
    directed: bool = True,
    theme: Theme = "page",
    title: str = "agents",
    size: float = 640.0,
) -> str:
    """Draw agents at their positions, edges between them, and a legend of groups.

    Args:
        positions: (n, 2) in [0, 1], e.g. of `sim.topology.layout.force`; meant for up to about 300 agents.
        edges: (m, 2) row numbers, source first; self-loops are not drawn and are counted below the picture.
        groups: (n,) group number of each agent, from 0; each has its own pair of shape and colour (64 pairs).
        group_names: Group number to its name in the legend; groups without a name are not in the legend.
        labels: Row number to text; labels that would overlap are left out and counted below the picture.
        weights: (m,) at least 0; arrows are as wide as their share of the largest.
        directed: Whether edges have heads.
        theme: As in `sim.topology.svg.draw_roles`.
        title: Title for screen readers.
        size: Width and height of the network without legend.

    Raises:
        ValueError: edges or groups that do not fit the number of positions.
    """
    colours = theme_of(theme)
    points = np.asarray(positions, dtype=np.float64).reshape(-1, 2) * size
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    count = len(points)
    group = [0] * count if groups is None else [int(g) for g in groups]
    _check(count, pairs, group, labels or {})
    radius = min(max(0.22 * size / sqrt(max(count, 1)), 3.2), 11.0)
    lines = _lines(points, pairs, weights, radius=radius, directed=directed, colours=colours)
    marks = [
        _mark((float(x), float(y)), g, radius, i, labels or {})
        for i, ((x, y), g) in enumerate(zip(points, group, strict=True))
    ]
    texts, left_out = _texts(points, labels or {}, pairs, radius=radius, size=size, colours=colours)
    loops = int((pairs[:, 0] == pairs[:, 1]).sum())
    legend, bottom = _legend(group, group_names or {}, _notes(left_out, loops), size=size, radius=radius)
    return document(
        [*lines, *marks, *texts, *legend],
        low=(-radius - 6, -radius - 6),
        high=(size + radius + 6, bottom + 6),
        title=title,
        description=f"{count} agents in {len(set(group))} groups, {len(pairs)} connections.",
        colours=colours,
    )


def _check(count: int, pairs: NDArray[np.int64], group: Sequence[int], labels: Mapping[int, str]) -> None:
    if pairs.size and (pairs.min() < 0 or pairs.max() >= count):
        raise ValueError(f"edges: expected row numbers from 0 to {count - 1}, got {pairs.min()} to {pairs.max()}.")
    if labels and not 0 <= min(labels) <= max(labels) < count:
        raise ValueError(f"labels: expected row numbers from 0 to {count - 1}, got {min(labels)} to {max(labels)}.")
    if len(group) != count:
        raise ValueError(f"groups: expected {count} numbers, one for each position, got {len(group)}.")


def _notes(left_out: int, loops: int) -> str:
    made = [f"{left_out} labels are left out for want of room."] if left_out else []
    made += [f"{loops} connections of an agent with itself are not drawn."] if loops else []
    return " ".join(made)


def _lines(
    points: NDArray[np.float64],
    pairs: NDArray[np.int64],
    weights: ArrayLike | None,
    *,
    radius: float,
    directed: bool,
    colours: Colours,
) -> list[str]:
    kept = pairs[:, 0] != pairs[:, 1]
    strength = np.ones(len(pairs)) if weights is None else np.asarray(weights, dtype=np.float64).reshape(len(pairs))
    share = strength / max(float(strength.max(initial=0.0)), 1e-300)
    thin = 1.4 if len(pairs) <= 150 else 1.0
    paint = f'"{colours.edge}" style="{{}}:var(--swarm-edge,{colours.edge})"'
    both = {(int(a), int(b)) for a, b in pairs}
    made = []
    for (a, b), s in sorted(zip(pairs[kept].tolist(), share[kept].tolist(), strict=True), key=lambda row: row[1]):
        width = thin if weights is None else max(0.5, 3.2 * s)
        opacity = 0.65 if weights is None else 0.35 + 0.5 * s
        bend = 0.12 if directed and (b, a) in both else 0.0
        path, head = _line(points[a], points[b], radius=radius, width=width, bend=bend, directed=directed)
        stroke = f'fill="none" stroke={paint.format("stroke")} stroke-width="{n(width)}"'
        tip = f'<path d="{head}" fill={paint.format("fill")}/>' if head else ""
        made.append(f'<g opacity="{n(opacity)}"><path d="{path}" {stroke}/>{tip}</g>')
    return made


def _line(
    start: NDArray[np.float64], end: NDArray[np.float64], *, radius: float, width: float, bend: float, directed: bool
) -> tuple[str, str]:
    """Path data of a line between two marks, bent to the right by a share of its length, and of its head."""
    (x0, y0), (x1, y1) = start.tolist(), end.tolist()
    length = hypot(x1 - x0, y1 - y0)
    if length < 1e-9:
        return "M0 0", ""
    mid = ((x0 + x1) / 2 - bend * (y1 - y0), (y0 + y1) / 2 + bend * (x1 - x0))
    way = hypot(x1 - mid[0], y1 - mid[1])
    ux, uy = (x1 - mid[0]) / way, (y1 - mid[1]) / way
    size = 3.2 + 1.3 * width + 0.15 * radius
    tip = (x1 - (radius + 1.2) * ux, y1 - (radius + 1.2) * uy)
    base = (tip[0] - size * ux, tip[1] - size * uy) if directed else tip
    side = 0.5 * size
    head = [tip, (base[0] - side * uy, base[1] + side * ux), (base[0] + side * uy, base[1] - side * ux)]
    path = f"M{n(x0)} {n(y0)}Q{n(mid[0])} {n(mid[1])} {n(base[0])} {n(base[1])}"
    return path, polygon(head) if directed and length > 2 * radius else ""


def _mark_shape(at: Point, group: int, radius: float) -> str:
    corners, turn = _MARKS[group % len(_MARKS)]
    colour = PALETTE[(group + group // len(_MARKS)) % len(PALETTE)]
    # Black on a dark page is no colour: the last of the palette follows the text.
    fill = "currentColor" if colour == "#000000" else colour
    paint = f'fill="{fill}" stroke="#ffffff" stroke-opacity="0.85" stroke-width="1"'
    if corners == 0:
        return f'<circle cx="{n(at[0])}" cy="{n(at[1])}" r="{n(radius)}" {paint}/>'
    # Equal areas look equally important.
    reach = radius * sqrt(pi / (corners / 2 * sin(2 * pi / corners)))
    points = [
        (reach * cos(turn + 2 * pi * i / corners), reach * sin(turn + 2 * pi * i / corners)) for i in range(corners)
    ]
    return f'<path d="{polygon(points, at=at)}" {paint}/>'


def _mark(at: Point, group: int, radius: float, row: int, labels: Mapping[int, str]) -> str:
    title = xml(labels.get(row, f"agent {row}"))
    return f'<g data-agent="{row}"><title>{title}</title>{_mark_shape(at, group, radius)}</g>'


def _texts(
    points: NDArray[np.float64],
    labels: Mapping[int, str],
    pairs: NDArray[np.int64],
    *,
    radius: float,
    size: float,
    colours: Colours,
) -> tuple[list[str], int]:
    """Label elements, best connected agents first, and how many found no room."""
    degree = np.bincount(pairs.reshape(-1), minlength=len(points))
    marks = np.column_stack([points - radius, points + radius])
    taken = np.empty((0, 4))
    made, left_out = [], 0
    for row in sorted((r for r in labels if labels[r].strip()), key=lambda r: (-int(degree[r]), r)):
        (text,) = wrapped(labels[row], width=130, size=_SMALL, lines=1)
        room = [b for b in _spots(points[row].tolist(), text, radius) if b[0] >= -radius and b[2] <= size + radius]
        spot = next((b for b in room if not _hit(b, taken) and not _hit(b, marks)), None)
        if spot is None:
            left_out += 1
            continue
        taken = np.vstack([taken, spot])
        middle = ((spot[0] + spot[2]) / 2, spot[3] - 3)
        made.append(
            f'<text x="{n(middle[0])}" y="{n(middle[1])}" font-size="{n(_SMALL)}" text-anchor="middle" '
            f'fill="currentColor" stroke="{colours.page}" style="stroke:var(--swarm-bg,{colours.page})" '
            f'stroke-width="3" stroke-linejoin="round" paint-order="stroke">{xml(text)}</text>'
        )
    return made, left_out


def _spots(at: Sequence[float], text: str, radius: float) -> list[Box]:
    """Boxes of a text right of, left of, below and above a mark."""
    (x, y), gap = at, radius + 4
    w, h = text_width(text, _SMALL), _SMALL + 1
    corners = ((x + gap, y - h / 2), (x - gap - w, y - h / 2), (x - w / 2, y + gap - 2), (x - w / 2, y - gap - h + 2))
    return [(left, top, left + w, top + h) for left, top in corners]


def _hit(box: Box, others: NDArray[np.float64]) -> int:
    left, top, right, bottom = box
    return int(((others[:, 0] < right) & (others[:, 2] > left) & (others[:, 1] < bottom) & (others[:, 3] > top)).sum())


def _legend(
    group: Sequence[int], names: Mapping[int, str], note: str, *, size: float, radius: float
) -> tuple[list[str], float]:
    """Legend elements below the network and their lower end."""
    made, x, y = [], 0.0, size + radius + 30
    shown = [g for g in sorted(set(group)) if g in names]
    for g in shown:
        (words,) = wrapped(f"{names[g]} ({group.count(g)})", width=size - 40, size=_SMALL, lines=1)
        room = 20 + text_width(words, _SMALL) + 22
        if x > 0 and x + room > size:
            x, y = 0.0, y + 22
        made.append(
            f"{_mark_shape((x + 7, y - 4), g, 6.5)}"
            f'<text x="{n(x + 20)}" y="{n(y)}" font-size="{n(_SMALL)}" fill="currentColor">{xml(words)}</text>'
        )
        x += room
    for line in wrapped(note, width=size, size=_SMALL, lines=2):
        y += 22
        made.append(
            f'<text x="0" y="{n(y)}" font-size="{n(_SMALL)}" fill="currentColor" opacity="0.8">{xml(line)}</text>'
        )
    return made, y if shown or note else size + radius
