"""Drawings as self-contained SVG: role graphs with weights on their arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sim.topology.curves import Box, Curve, Placed, curves, place_labels, shortened
from sim.topology.ink import (
    COLOUR_OF,
    SHAPE_OF,
    Colours,
    Point,
    Shape,
    Theme,
    document,
    n,
    outline,
    plate_text,
    polygon,
    text_width,
    theme_of,
    wrapped,
    xml,
)
from sim.topology.layout import Layout, layer_of, layered
from sim.topology.schema import EDGE_KINDS, FUNCTIONS, Edge, Function, Role, Topology, boundary_roles
from sim.topology.svg_agents import draw_agents

__all__ = ["describe", "draw_agents", "draw_roles"]

DASHES = {"rework": "7 4", "veto": "2 3", "info": "1 5", "delegate_return": "10 4", "escalate": "12 3 2 3"}
_HEIGHT, _MIN_WIDTH, _MAX_WIDTH = 58.0, 92.0, 180.0
_LABEL, _SMALL, _BOLD = 14.0, 12.0, 1.1
# Free space between roles: along the flow, where labels stand, and across it.
_GAP_RIGHT, _GAP_DOWN, _MAX_GAP = (104.0, 46.0), (62.0, 56.0), 190.0
# Room for the loop of a role to itself, on both sides.
_LOOP = 44.0
# More layers than this do not fit the width of a page; the flow then runs downwards.
_MAX_ACROSS = 6
# Arrows that can be read in one picture: so many for each role, and some.
_ARROWS_PER_ROLE, _ARROWS = 3, 8


@dataclass(frozen=True)
class _Scene:
    """A topology placed in a picture: x runs along the flow when ``axis`` is 0, y when it is 1."""

    topology: Topology
    shown: Sequence[Edge]
    hidden_below: float
    layout: Layout
    sizes: Mapping[str, Point]
    axis: int
    outside: frozenset[str]

    def point(self, at: Point) -> Point:
        """A layout position as (main, cross)."""
        w = max(size[0] for size in self.sizes.values())
        along, across = (w, _HEIGHT) if self.axis == 0 else (_HEIGHT, w)
        widest = max((text_width(_words(e), _SMALL) for e in self.shown), default=0.0)
        # Beside the label of a short arrow its two ends must show.
        gap = (min(max(_GAP_RIGHT[0], widest + 58), _MAX_GAP), _GAP_RIGHT[1]) if self.axis == 0 else _GAP_DOWN
        return at[0] * (self.layout.layers - 1) * (along + gap[0]), at[1] * self.layout.height * (across + gap[1])

    def middle(self, role: str) -> Point:
        """The middle of a role as (x, y)."""
        main, cross = self.point(self.layout.positions[role])
        return (main, cross) if self.axis == 0 else (cross, main)

    def shape(self, role: Role) -> Shape:
        """The shape of a role."""
        return "pill" if role.id in self.outside else SHAPE_OF[role.function]


def draw_roles(
    topology: Topology,
    *,
    theme: Theme = "page",
    previous: Mapping[str, Point] | None = None,
    hide_below: float | None = None,
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
        hide_below: Arrows with a smaller weight are left out and counted below the picture; when omitted, the least
            of 2, 5, 10, 15 and 20 % that leaves a picture one can read.
        title: Title for screen readers; the topology's name when omitted.
    """
    colours = theme_of(theme)
    scene = _scene(topology, previous, _threshold(topology) if hide_below is None else hide_below)
    ways = _ways(scene)
    arrows, labels, boxes = _arrows(scene, ways, colours)
    behind = [_behind(r, scene, colours) for r in topology.roles if r.multiplicity > 1]
    nodes = [_node(r, scene, colours) for r in topology.roles]
    points = [p for way in ways.values() for p in way.samples()]
    low, high = _extent([*boxes, *((x, y, x, y) for x, y in points)])
    legend, high = _legend(scene, low=low, high=high, colours=colours)
    return document(
        [*behind, *arrows, *nodes, *labels, *legend],
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


def _threshold(topology: Topology) -> float:
    weights = [1.0 if e.weight is None else e.weight for e in topology.edges]
    most = _ARROWS_PER_ROLE * len(topology.roles) + _ARROWS
    return next((t for t in (0.02, 0.05, 0.1, 0.15) if sum(w >= t for w in weights) <= most), 0.2)


def _scene(topology: Topology, previous: Mapping[str, Point] | None, hide_below: float) -> _Scene:
    shown = [e for e in topology.edges if e.weight is None or e.weight >= hide_below]
    layer = layer_of(topology)
    axis = 0 if max(layer.values()) < _MAX_ACROSS else 1
    width = _node_width(topology)
    ends = _ends(topology, shown, layer)
    sizes: dict[str, Point] = {}
    for role in topology.role_ids():
        side = min(14.0 + 17.0 * ends[role], 320.0)
        sizes[role] = (width, max(_HEIGHT, side)) if axis == 0 else (max(width, side), _HEIGHT)
    widest = max(w for w, _ in sizes.values())
    unit, gap = (_HEIGHT, _GAP_RIGHT[1]) if axis == 0 else (widest, _GAP_DOWN[1])
    loops = {e.source for e in shown if e.source == e.target}
    room = {r: (size[1 - axis] + gap + _LOOP * (r in loops)) / (unit + gap) for r, size in sizes.items()}
    layout = layered(topology, previous=previous, drawn=shown, room=room)
    return _Scene(topology, shown, hide_below, layout, sizes, axis, boundary_roles(topology))


def _ends(topology: Topology, shown: Sequence[Edge], layer: Mapping[str, int]) -> dict[str, int]:
    """For each role the larger number of arrow ends on its side before or behind, in the direction of the flow."""
    count = {(r, side): 0 for r in topology.role_ids() for side in (-1, 1)}
    for edge in shown:
        if layer[edge.source] != layer[edge.target]:
            sign = 1 if layer[edge.source] < layer[edge.target] else -1
            count[edge.source, sign] += 1
            count[edge.target, -sign] += 1
    return {r: max(count[r, -1], count[r, 1]) for r in topology.role_ids()}


def _node_width(topology: Topology) -> float:
    longest = max(text_width(r.text, _LABEL) for r in topology.roles) * _BOLD
    words = max((text_width(word, _LABEL) for r in topology.roles for word in r.text.split()), default=0.0) * _BOLD
    return min(max(_MIN_WIDTH, words + 34, longest / 2 + 48, min(longest, 110) + 34), _MAX_WIDTH)


def _ways(scene: _Scene) -> dict[str, Curve]:
    """The course of every shown edge in (x, y)."""
    members: dict[int, list[str]] = {}
    layout = scene.layout
    for name in sorted(scene.topology.role_ids(), key=lambda r: layout.positions[r][1]):
        members.setdefault(layout.layer[name], []).append(name)
    order = {name: i for layer in members.values() for i, name in enumerate(layer)}
    placed = {}
    for role in scene.topology.roles:
        w, h = scene.sizes[role.id]
        placed[role.id] = Placed(
            middle=scene.point(layout.positions[role.id]),
            half=(w / 2, h / 2) if scene.axis == 0 else (h / 2, w / 2),
            outline=tuple(outline(scene.shape(role), w, h)),
            layer=layout.layer[role.id],
            order=order[role.id],
        )
    routes = {edge: [scene.point(p) for p in way] for edge, way in layout.routes.items()}
    made = curves(scene.shown, placed, routes, axis=scene.axis)
    return {edge: curve if scene.axis == 0 else curve.turned() for edge, curve in made.items()}


def _extent(boxes: Sequence[Box]) -> tuple[Point, Point]:
    return (min(b[0] for b in boxes), min(b[1] for b in boxes)), (max(b[2] for b in boxes), max(b[3] for b in boxes))


def _share(edge: Edge) -> str:
    percent = 100 * (edge.weight or 0)
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else "< 1 %"


def _widths(edges: Sequence[Edge]) -> list[float]:
    """Line widths from 1.3 to 5.5, proportional to the rate, else the count, else the weight."""
    for name in ("rate", "count", "weight"):
        sizes = [getattr(e, name) for e in edges]
        known = [s for s in sizes if s is not None]
        if known and max(known) > 0:
            return [1.6 if s is None else max(1.3, 5.5 * s / max(known)) for s in sizes]
    return [1.6] * len(edges)


def _arrows(scene: _Scene, ways: Mapping[str, Curve], colours: Colours) -> tuple[list[str], list[str], list[Box]]:
    """Arrow elements, label elements, and the boxes of all nodes and labels."""
    names = {r.id: r.text for r in scene.topology.roles}
    widths = _widths(scene.shown)
    # Wide arrows first, so that thin ones lie on top.
    pairs = sorted(zip(scene.shown, widths, strict=True), key=lambda pair: -pair[1])
    arrows = [_arrow(e, ways[e.id], width, names, colours) for e, width in pairs]
    boxes = []
    for role in scene.topology.role_ids():
        (x, y), (w, h) = scene.middle(role), scene.sizes[role]
        boxes.append((x - w / 2, y - h / 2 - 4, x + w / 2 + 4, y + h / 2))
    told = [(e, _words(e)) for e, _ in pairs]
    sizes = [(text_width(w, _SMALL) + 6, _SMALL + 4) if w else (0.0, 0.0) for _, w in told]
    spots = place_labels(sizes, [ways[e.id].samples() for e, _ in told], boxes)
    labels = [plate_text(w, at, colours, size=_SMALL) for (_, w), at in zip(told, spots, strict=True) if w]
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


def _node(role: Role, scene: _Scene, colours: Colours) -> str:
    (x, y), (width, height) = scene.middle(role.id), scene.sizes[role.id]
    is_boundary = role.id in scene.outside
    lines = wrapped(role.text, width=(width - 26) / _BOLD, size=_LABEL, lines=1 if is_boundary else 2)
    below = "" if is_boundary else f"× {role.multiplicity:,}"
    first = y - (len(lines) - 1 + (0.9 if below else 0)) * 8.2 + 4.6
    text = "".join(
        f'<text x="{n(x)}" y="{n(first + 16.4 * i)}" font-size="{n(_LABEL)}" font-weight="600">{xml(line)}</text>'
        for i, line in enumerate(lines)
    )
    if below:
        at = first + 16.4 * len(lines) - 1
        text += f'<text x="{n(x)}" y="{n(at)}" font-size="{n(_SMALL)}" opacity="0.8">{xml(below)}</text>'
    agents = f"{role.multiplicity:,} {'agent' if role.multiplicity == 1 else 'agents'}"
    told = f"{role.text}: {role.function.replace('_', ' ')}, {agents}{', human' if role.is_human else ''}"
    if is_boundary:
        path = polygon(outline("pill", width, height), at=(x, y))
        ground = f'fill="{colours.page}" style="fill:var(--swarm-bg,{colours.page})"'
        shape = f'<path d="{path}" {ground} stroke="currentColor" stroke-opacity="0.6" stroke-dasharray="2 4"/>'
    else:
        shape = _shape(role.function, (x, y), (width, height), colours=colours)
    return (
        f'<g data-role="{role.id}"><title>{xml(role.text if is_boundary else told)}</title>{shape}'
        f'<g text-anchor="middle" fill="currentColor">{text}</g></g>'
    )


def _behind(role: Role, scene: _Scene, colours: Colours) -> str:
    """A second outline behind a role: it says "several" before the number is read."""
    (x, y), (width, height) = scene.middle(role.id), scene.sizes[role.id]
    path = polygon(outline(scene.shape(role), width, height), at=(x + 4, y - 4))
    ground = f'fill="{colours.page}" style="fill:var(--swarm-bg,{colours.page})"'
    colour = COLOUR_OF[role.function]
    return f'<path d="{path}" {ground} stroke="{colour}" stroke-opacity="0.5" stroke-width="1.5"/>'


def _shape(function: Function, middle: Point, size: Point, *, colours: Colours) -> str:
    colour, shape = COLOUR_OF[function], SHAPE_OF[function]
    (x, y), (width, height) = middle, size
    ground = f'fill="{colours.page}" style="fill:var(--swarm-bg,{colours.page})"'
    path = polygon(outline(shape, width, height), at=middle)
    made = f'<path d="{path}" {ground}/>'
    made += f'<path d="{path}" fill="{colour}" fill-opacity="0.15" stroke="{colour}" stroke-width="2"/>'
    if shape == "barred":
        inset = min(7.0, width / 8)
        bars = "".join(
            f"M{n(at)} {n(y - height / 2)}V{n(y + height / 2)}" for at in (x - width / 2 + inset, x + width / 2 - inset)
        )
        made += f'<path d="{bars}" stroke="{colour}" stroke-width="1.5"/>'
    return made


def _legend(scene: _Scene, *, low: Point, high: Point, colours: Colours) -> tuple[list[str], Point]:
    """The legend below the picture and the new lower right corner."""
    entries: list[tuple[str, str]] = []
    used = {r.function for r in scene.topology.roles if r.id not in scene.outside}
    for function in (f for f in FUNCTIONS if f in used):
        swatch = _shape(function, (15, -4), (30, 18), colours=colours)
        entries.append((swatch, function.replace("_", " ")))
    kinds = {e.kind for e in scene.shown}
    for kind in (k for k in EDGE_KINDS if k in kinds and k in DASHES):
        paint = f'stroke="{colours.edge}" style="stroke:var(--swarm-edge,{colours.edge})"'
        line = f'<path d="M0 -4H30" {paint} stroke-width="2.2" stroke-dasharray="{DASHES[kind]}"/>'
        entries.append((line, kind.replace("_", " ")))
    right = max(high[0], low[0] + 440)
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
    for line in wrapped(_footnote(scene), width=right - low[0], size=_SMALL, lines=4):
        y += 22
        paint = 'fill="currentColor" opacity="0.8"'
        made.append(f'<text x="{n(low[0])}" y="{n(y)}" font-size="{n(_SMALL)}" {paint}>{xml(line)}</text>')
    return made, (right, y + 4)


def _footnote(scene: _Scene) -> str:
    made = []
    if any(e.weight is not None for e in scene.shown):
        made.append("Percentages: share of what leaves a role.")
    if len({round(w, 2) for w in _widths(scene.shown)}) > 1:
        made.append("Wider arrows: more work.")
    hidden = len(scene.topology.edges) - len(scene.shown)
    if hidden:
        verb = "arrow is" if hidden == 1 else "arrows are"
        made.append(f"{hidden} {verb} below {100 * scene.hidden_below:g} % and not drawn.")
    return " ".join(made)
