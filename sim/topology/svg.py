"""Drawings as self-contained SVG: role graphs with weights on their arrows, and networks of agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.topology.curves import Box, Curve, Placed, curves, place_labels, shortened
from sim.topology.ink import (
    COLOUR_OF,
    SHAPE_OF,
    Colours,
    Point,
    Theme,
    document,
    halo_text,
    n,
    outline,
    polygon,
    text_width,
    theme_of,
    wrapped,
    xml,
)
from sim.topology.layout import Layout, layered
from sim.topology.schema import EDGE_KINDS, FUNCTIONS, Edge, Role, Topology, boundary_roles

DASHES = {"rework": "7 4", "veto": "2 3", "info": "1 5", "delegate_return": "10 4", "escalate": "12 3 2 3"}
_HEIGHT, _MIN_WIDTH, _MAX_WIDTH = 58.0, 92.0, 176.0
_LABEL, _SMALL = 14.0, 12.0
# More layers than this do not fit the width of a page; the flow then runs downwards.
_MAX_ACROSS = 6


def draw_roles(
    topology: Topology,
    *,
    theme: Theme = "page",
    previous: Mapping[str, Point] | None = None,
    hide_below: float = 0.02,
    title: str | None = None,
) -> str:
    """Draw the roles of a topology and what flows between them.

    Function is shown by shape and colour, multiplicity below the label; arrows are as wide as their rate (or count, or
    weight), their labels are shares of the source's outgoing work. The flow runs to the right, or downwards when it
    has many layers.

    Args:
        topology: What to draw.
        theme: ``page`` takes the colours of the page around it (CSS variables --swarm-bg, --swarm-edge and the text
            colour), ``light`` and ``dark`` bring their own ground.
        previous: Earlier layout positions, see `sim.topology.layout.layered`.
        hide_below: Arrows with a smaller weight are left out, and their number is written below the picture.
        title: Title for screen readers; the topology's name when omitted.
    """
    colours = theme_of(theme)
    layout = layered(topology, previous=previous)
    axis = 0 if layout.layers <= _MAX_ACROSS else 1
    shown = [e for e in topology.edges if e.weight is None or e.weight >= hide_below]
    width = _node_width(topology)
    nodes = _placed(topology, layout, width, axis)
    routes = {e: [_scaled(p, layout, width, axis) for p in way] for e, way in layout.routes.items()}
    ways = {k: c if axis == 0 else c.turned() for k, c in curves(shown, nodes, routes, axis=axis).items()}
    middles = {r: p.middle if axis == 0 else (p.middle[1], p.middle[0]) for r, p in nodes.items()}
    outside = boundary_roles(topology)
    arrows, labels, boxes = _arrows(shown, ways, [_box(m, width) for m in middles.values()], topology, colours)
    body = [*arrows, *(_node(r, middles[r.id], width, r.id in outside) for r in topology.roles), *labels]
    points = [p for way in ways.values() for p in way.samples()]
    low, high = _extent([*boxes, *((x, y, x, y) for x, y in points)])
    legend, high = _legend(topology, shown, outside, low=low, high=high, colours=colours)
    return document(
        [*body, *legend],
        low=(low[0] - 14, low[1] - 14),
        high=(high[0] + 14, high[1] + 14),
        title=title or topology.name or "topology",
        description=describe(topology),
        colours=colours,
    )


def describe(topology: Topology) -> str:
    """The picture in words: the roles with their numbers, then the edges with a weight from large to small."""
    roles = ", ".join(f"{r.text} ({r.multiplicity})" for r in topology.roles)
    name = {r.id: r.text for r in topology.roles}
    edges = sorted((e for e in topology.edges if e.weight is not None), key=lambda e: -(e.rate or e.weight or 0))[:12]
    told = "; ".join(f"{name[e.source]} to {name[e.target]}, {e.kind.replace('_', ' ')}, {_share(e)}" for e in edges)
    return f"Roles with their number of agents: {roles}." + (f" Strongest connections: {told}." if told else "")


def _node_width(topology: Topology) -> float:
    longest = max(text_width(r.text, _LABEL) for r in topology.roles)
    words = max((text_width(word, _LABEL) for r in topology.roles for word in r.text.split()), default=0.0)
    return min(max(_MIN_WIDTH, words + 30, longest / 2 + 44, min(longest, 100) + 30), _MAX_WIDTH)


def _scaled(point: Point, layout: Layout, width: float, axis: int) -> Point:
    """A layout position in (main, cross) picture units."""
    if axis == 0:
        return point[0] * (layout.layers - 1) * (width + 104), point[1] * layout.height * (_HEIGHT + 46)
    return point[0] * (layout.layers - 1) * (_HEIGHT + 62), point[1] * layout.height * (width + 56)


def _placed(topology: Topology, layout: Layout, width: float, axis: int) -> dict[str, Placed]:
    outside = boundary_roles(topology)
    half = (width / 2, _HEIGHT / 2) if axis == 0 else (_HEIGHT / 2, width / 2)
    members: dict[int, list[str]] = {}
    for role in sorted(topology.role_ids(), key=lambda r: layout.positions[r][1]):
        members.setdefault(layout.layer[role], []).append(role)
    order = {role: i for layer in members.values() for i, role in enumerate(layer)}
    return {
        r.id: Placed(
            middle=_scaled(layout.positions[r.id], layout, width, axis),
            half=half,
            outline=tuple(outline("pill" if r.id in outside else SHAPE_OF[r.function], width, _HEIGHT)),
            layer=layout.layer[r.id],
            order=order[r.id],
        )
        for r in topology.roles
    }


def _box(middle: Point, width: float) -> Box:
    x, y = middle
    return x - width / 2, y - _HEIGHT / 2, x + width / 2, y + _HEIGHT / 2


def _extent(boxes: Sequence[Box]) -> tuple[Point, Point]:
    return (min(b[0] for b in boxes), min(b[1] for b in boxes)), (max(b[2] for b in boxes), max(b[3] for b in boxes))


def _share(edge: Edge) -> str:
    percent = 100 * (edge.weight or 0)
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else "< 1 %"


def _widths(edges: Sequence[Edge]) -> list[float]:
    """Line widths from 1.3 to 6.5, proportional to the rate, else the count, else the weight."""
    for name in ("rate", "count", "weight"):
        sizes = [getattr(e, name) for e in edges]
        known = [s for s in sizes if s is not None]
        if known and max(known) > 0:
            return [1.6 if s is None else max(1.3, 6.5 * s / max(known)) for s in sizes]
    return [1.6] * len(edges)


def _arrows(
    edges: Sequence[Edge], ways: Mapping[str, Curve], boxes: Sequence[Box], topology: Topology, colours: Colours
) -> tuple[list[str], list[str], list[Box]]:
    """Arrow elements, label elements, and the boxes of all nodes and labels."""
    names = {r.id: r.text for r in topology.roles}
    arrows = [_arrow(e, ways[e.id], width, names, colours) for e, width in zip(edges, _widths(edges), strict=True)]
    words = [_words(e) for e in edges]
    sizes = [(text_width(w, _SMALL) + 4, _SMALL + 3) if w else (0.0, 0.0) for w in words]
    spots = place_labels(sizes, [ways[e.id].samples() for e in edges], boxes)
    labels = [halo_text(w, (x, y + 4), colours, size=_SMALL) for w, (x, y) in zip(words, spots, strict=True) if w]
    taken = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), (w, h) in zip(spots, sizes, strict=True) if w]
    return arrows, labels, [*boxes, *taken]


def _words(edge: Edge) -> str:
    """The label of an arrow: what it is, unless a plain handoff, and its share; else the start of its condition."""
    made = [] if edge.kind == "handoff" else [edge.kind.replace("_", " ")]
    if edge.weight is not None:
        made.append(_share(edge))
    elif edge.condition:
        made += wrapped(edge.condition, width=92, size=_SMALL, lines=1)
    return " ".join(made)


def _arrow(edge: Edge, way: Curve, width: float, names: Mapping[str, str], colours: Colours) -> str:
    head = 7 + 1.1 * width
    shaft, tip, (ux, uy) = shortened(way, head * 0.8)
    base = (tip[0] - head * ux, tip[1] - head * uy)
    side = 3.2 + 0.62 * width
    corners = [tip, (base[0] - side * uy, base[1] + side * ux), (base[0] + side * uy, base[1] - side * ux)]
    paint = f'"{colours.edge}" style="{{}}:var(--swarm-edge,{colours.edge})"'
    dash = f' stroke-dasharray="{DASHES[edge.kind]}"' if edge.kind in DASHES else ""
    return (
        f'<g data-edge="{xml(edge.id)}"><title>{xml(_told(edge, names))}</title>'
        f'<path d="{shaft.path()}" fill="none" stroke={paint.format("stroke")} stroke-width="{n(width)}"{dash}/>'
        f'<path d="{polygon(corners)}" fill={paint.format("fill")}/></g>'
    )


def _told(edge: Edge, names: Mapping[str, str]) -> str:
    made = [f"{names[edge.source]} → {names[edge.target]}: {edge.kind.replace('_', ' ')}"]
    if edge.weight is not None:
        interval = "" if edge.ci_low is None or edge.ci_high is None else f" ({edge.ci_low:.1%} to {edge.ci_high:.1%})"
        made.append(f"{edge.weight:.1%} of what leaves{interval}")
    made += [] if edge.rate is None else [f"{edge.rate:,.1f} per 1,000 items"]
    made += [] if edge.count is None else [f"{edge.count:,} events"]
    made += [] if not edge.condition else [f"when {edge.condition}"]
    return ", ".join(made)


def _node(role: Role, middle: Point, width: float, is_boundary: bool) -> str:
    x, y = middle
    lines = wrapped(role.text, width=width - 24, size=_LABEL, lines=1 if is_boundary else 2)
    below = "" if is_boundary else f"× {role.multiplicity}"
    rows = len(lines) + (0.9 if below else 0)
    first = y - (rows - 1) * 8.2 + 4.6
    text = "".join(
        f'<text x="{n(x)}" y="{n(first + 16.4 * i)}" font-size="{n(_LABEL)}" font-weight="600">{xml(line)}</text>'
        for i, line in enumerate(lines)
    )
    if below:
        at = first + 16.4 * len(lines) - 1
        text += f'<text x="{n(x)}" y="{n(at)}" font-size="{n(_SMALL)}" opacity="0.8">{xml(below)}</text>'
    human = ", human" if role.is_human else ""
    told = f"{role.text}: {role.function.replace('_', ' ')}, {role.multiplicity} agents{human}"
    shape = _pill(middle, width) if is_boundary else _shape(role, middle, width)
    return (
        f'<g data-role="{role.id}"><title>{xml(role.text if is_boundary else told)}</title>{shape}'
        f'<g text-anchor="middle" fill="currentColor">{text}</g></g>'
    )


def _pill(middle: Point, width: float, height: float = _HEIGHT) -> str:
    path = polygon(outline("pill", width, height), at=middle)
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity="0.6" stroke-dasharray="2 4"/>'


def _shape(role: Role, middle: Point, width: float, height: float = _HEIGHT) -> str:
    colour, shape = COLOUR_OF[role.function], SHAPE_OF[role.function]
    paint = f'fill="{colour}" fill-opacity="0.15" stroke="{colour}" stroke-width="2"'
    made = ""
    if role.multiplicity > 1 and height == _HEIGHT:
        # A second outline behind says "several" before the number is read.
        behind = polygon(outline(shape, width, height), at=(middle[0] + 4, middle[1] - 4))
        made = f'<path d="{behind}" fill="none" stroke="{colour}" stroke-opacity="0.45" stroke-width="1.5"/>'
    made += f'<path d="{polygon(outline(shape, width, height), at=middle)}" {paint}/>'
    if shape == "barred":
        inset = min(7.0, width / 8)
        for x in (middle[0] - width / 2 + inset, middle[0] + width / 2 - inset):
            top, bottom = middle[1] - height / 2, middle[1] + height / 2
            made += f'<path d="M{n(x)} {n(top)}V{n(bottom)}" stroke="{colour}" stroke-width="1.5"/>'
    return made


def _legend(
    topology: Topology, shown: Sequence[Edge], outside: frozenset[str], *, low: Point, high: Point, colours: Colours
) -> tuple[list[str], Point]:
    """The legend below the picture and the new lower right corner."""
    entries: list[tuple[str, str]] = []
    used = {r.function for r in topology.roles if r.id not in outside}
    for function in FUNCTIONS:
        if function in used:
            swatch = _shape(Role(id="legend", function=function), (15, -4), 30, 18)
            entries.append((swatch, function.replace("_", " ")))
    kinds = {e.kind for e in shown}
    for kind in (k for k in EDGE_KINDS if k in kinds and k in DASHES):
        line = f'<path d="M0 -4H30" stroke="{colours.edge}" stroke-width="2.2" stroke-dasharray="{DASHES[kind]}"/>'
        entries.append((line, kind.replace("_", " ")))
    right = max(high[0], low[0] + 420)
    made, x, y = [], low[0], high[1] + 40
    for swatch, words in entries:
        room = 38 + text_width(words, _SMALL) + 20
        if x > low[0] and x + room - 20 > right:
            x, y = low[0], y + 26
        made.append(
            f'<g transform="translate({n(x)} {n(y)})">{swatch}'
            f'<text x="38" y="0" font-size="{n(_SMALL)}" fill="currentColor">{xml(words)}</text></g>'
        )
        x += room
    for sentence in _footnotes(topology, shown):
        for line in wrapped(sentence, width=right - low[0], size=_SMALL, lines=3):
            y += 22
            made.append(
                f'<text x="{n(low[0])}" y="{n(y)}" font-size="{n(_SMALL)}" fill="currentColor" opacity="0.8">'
                f"{xml(line)}</text>"
            )
    return made, (right, y + 4)


def _footnotes(topology: Topology, shown: Sequence[Edge]) -> list[str]:
    made = []
    if any(e.weight is not None for e in shown):
        made.append("Percentages: share of what leaves a role. Wider arrows: more items.")
    hidden = len(topology.edges) - len(shown)
    if hidden:
        made.append(f"{hidden} weaker {'arrow is' if hidden == 1 else 'arrows are'} not drawn.")
    return made
