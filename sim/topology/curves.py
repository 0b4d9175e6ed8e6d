"""The course of arrows between placed boxes, and where their labels go, in picture units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

import numpy as np
from numpy.typing import NDArray

from sim.topology.ink import Point, edge_of, n
from sim.topology.schema import Edge

Box = tuple[float, float, float, float]
Floats = NDArray[np.float64]
_SAMPLES = 24
_PORT_GAP = 22.0


@dataclass(frozen=True)
class Placed:
    """A node in the frame of main axis (along the flow) and cross axis; ``order`` is its place in the layer."""

    middle: Point
    half: Point
    outline: tuple[Point, ...]
    layer: int
    order: int


@dataclass(frozen=True)
class Curve:
    """A chain of cubic Bezier segments in (main, cross): the start, and three points for each segment."""

    start: Point
    segments: tuple[tuple[Point, Point, Point], ...]

    def samples(self) -> list[Point]:
        """Points along the curve, evenly in the parameter of each segment."""
        made, at = [self.start], self.start
        for a, b, end in self.segments:
            for i in range(1, _SAMPLES + 1):
                t = i / _SAMPLES
                w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                made.append(
                    (
                        w[0] * at[0] + w[1] * a[0] + w[2] * b[0] + w[3] * end[0],
                        w[0] * at[1] + w[1] * a[1] + w[2] * b[1] + w[3] * end[1],
                    )
                )
            at = end
        return made

    def turned(self) -> Curve:
        """The same curve with its two axes exchanged."""
        segments = tuple(((a[1], a[0]), (b[1], b[0]), (c[1], c[0])) for a, b, c in self.segments)
        return Curve((self.start[1], self.start[0]), segments)

    def path(self) -> str:
        """SVG path data."""
        made = f"M{n(self.start[0])} {n(self.start[1])}"
        return made + "".join("C" + " ".join(f"{n(x)} {n(y)}" for x, y in segment) for segment in self.segments)


def curves(
    edges: Sequence[Edge], nodes: Mapping[str, Placed], routes: Mapping[str, Sequence[Point]], *, axis: int
) -> dict[str, Curve]:
    """The course of every edge by id.

    Args:
        edges: What to draw.
        nodes: Where the roles stand.
        routes: Points between, by edge id, in (main, cross).
        axis: 0 when the main axis is x, 1 when it is y (outlines are given in x and y).
    """
    ports = _ports(edges, nodes, routes)
    made: dict[str, Curve] = {}
    lanes: dict[tuple[str, str], int] = {}
    for edge in edges:
        lane = lanes[edge.source, edge.target] = lanes.get((edge.source, edge.target), -1) + 1
        a, b = nodes[edge.source], nodes[edge.target]
        if edge.source == edge.target:
            made[edge.id] = _loop(a, axis, lane)
        elif a.layer != b.layer:
            sign = 1 if a.layer < b.layer else -1
            start = _on_side(a, ports[edge.id, "out"], sign, axis)
            end = _on_side(b, ports[edge.id, "in"], -sign, axis)
            made[edge.id] = _through([start, *routes.get(edge.id, ()), end], sign * min(a.half[0], b.half[0]))
        elif abs(a.order - b.order) == 1:
            made[edge.id] = _straight(a, b, axis, lane)
        else:
            start = _on_side(a, ports[edge.id, "out"], 1, axis)
            end = _on_side(b, ports[edge.id, "in"], 1, axis)
            reach = max(start[0], end[0]) + 22 + 0.16 * abs(start[1] - end[1])
            made[edge.id] = Curve(start, (((reach, start[1]), (reach, end[1]), end),))
    return made


def _ports(
    edges: Sequence[Edge], nodes: Mapping[str, Placed], routes: Mapping[str, Sequence[Point]]
) -> dict[tuple[str, str], float]:
    """Offset on the cross axis of both ends of every edge that uses a side of the main axis, apart from each other."""
    sides: dict[tuple[str, int], list[tuple[float, int, str, str]]] = {}
    for number, edge in enumerate(edges):
        a, b = nodes[edge.source], nodes[edge.target]
        if edge.source == edge.target or (a.layer == b.layer and abs(a.order - b.order) == 1):
            continue
        way = routes.get(edge.id, ())
        sign = 1 if a.layer <= b.layer else -1
        back = 1 if a.layer > b.layer else 0
        toward, from_ = (way[0], way[-1]) if way else (b.middle, a.middle)
        rank = back * len(edges) + number
        sides.setdefault((edge.source, sign), []).append((toward[1], rank, edge.id, "out"))
        into = -sign if a.layer != b.layer else 1
        sides.setdefault((edge.target, into), []).append((from_[1], rank, edge.id, "in"))
    made = {}
    for (role, _), ends in sides.items():
        room = 2 * nodes[role].half[1] - 16
        gap = min(_PORT_GAP, room / max(len(ends) - 1, 1))
        for i, (_, _, edge_id, end) in enumerate(sorted(ends)):
            made[edge_id, end] = (i - (len(ends) - 1) / 2) * gap
    return made


def _on_side(node: Placed, offset: float, sign: int, axis: int) -> Point:
    return (node.middle[0] + edge_of(node.outline, axis=axis, at=offset, sign=sign), node.middle[1] + offset)


def _through(points: Sequence[Point], straight: float) -> Curve:
    """Cubic pieces whose ends run along the main axis; at points between, a straight piece passes the layer."""
    stops = [points[0]]
    for m, c in points[1:-1]:
        stops += [(m - straight, c), (m + straight, c)]
    stops.append(points[-1])
    segments = []
    for (m0, c0), (m1, c1) in pairwise(stops):
        half = (m1 - m0) / 2
        segments.append(((m0 + half, c0), (m1 - half, c1), (m1, c1)))
    return Curve(points[0], tuple(segments))


def _straight(a: Placed, b: Placed, axis: int, lane: int) -> Curve:
    """Between neighbours in one layer, on the right-hand side of the way, so that two directions stay apart."""
    sign = 1 if b.middle[1] > a.middle[1] else -1
    shift = sign * min(14.0 + 16.0 * lane, 0.8 * min(a.half[0], b.half[0]))
    start = (a.middle[0] + shift, a.middle[1] + edge_of(a.outline, axis=1 - axis, at=shift, sign=sign))
    end = (b.middle[0] + shift, b.middle[1] + edge_of(b.outline, axis=1 - axis, at=shift, sign=-sign))
    third = (end[1] - start[1]) / 3
    return Curve(start, (((start[0], start[1] + third), (end[0], end[1] - third), end),))


def _loop(node: Placed, axis: int, lane: int) -> Curve:
    """A loop on the low side of the cross axis, off the middle, where straight lines between neighbours pass."""
    middle = -0.72 * node.half[0]
    spread = min(12.0, 0.2 * node.half[0])
    ends = []
    for at in (middle - spread, middle + spread):
        ends.append((node.middle[0] + at, node.middle[1] + edge_of(node.outline, axis=1 - axis, at=at, sign=-1)))
    top = min(ends[0][1], ends[1][1]) - 44 - 18 * lane
    return Curve(ends[0], (((ends[0][0] - 14, top), (ends[1][0] + 14, top), ends[1]),))


def shortened(curve: Curve, by: float) -> tuple[Curve, Point, Point]:
    """The curve without its last ``by`` units, with the tip and the direction (unit vector) of its arrow head."""
    a, b, end = curve.segments[-1]
    before = next((p for p in (b, a, curve.start) if hypot(end[0] - p[0], end[1] - p[1]) > 1e-6), (end[0] - 1, end[1]))
    length = hypot(end[0] - before[0], end[1] - before[1])
    way = ((end[0] - before[0]) / length, (end[1] - before[1]) / length)
    base = (end[0] - by * way[0], end[1] - by * way[1])
    return Curve(curve.start, (*curve.segments[:-1], (a, b, base))), end, way


def place_labels(
    sizes: Sequence[tuple[float, float]], lines: Sequence[Sequence[Point]], taken: Sequence[Box]
) -> list[Point]:
    """Middles of one label per line, near the line's own middle, clear of boxes, other labels and other lines.

    Args:
        sizes: Width and height of each label; (0, 0) for none.
        lines: Sampled points of each line.
        taken: Boxes (left, top, right, bottom) of the nodes.
    """
    boxes, made = list(taken), []
    points = np.array([p for line in lines for p in line]).reshape(-1, 2)
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    for i, ((w, h), line) in enumerate(zip(sizes, lines, strict=True)):
        spots, cost = _candidates(line, w)
        if w:
            half = np.array([w / 2, h / 2])
            places = np.hstack([spots - half, spots + half])
            cost = cost + 4 * _overlap(places, np.array(boxes).reshape(-1, 4))
            cost += 3 * _covered(places, points[owner != i])
        best = spots[int(np.argmin(cost))]
        made.append((float(best[0]), float(best[1])))
        if w:
            boxes.append((best[0] - w / 2, best[1] - h / 2, best[0] + w / 2, best[1] + h / 2))
    return made


def _candidates(line: Sequence[Point], width: float) -> tuple[Floats, Floats]:
    """Places (k, 2) on and beside a line, and what each costs for being off its middle."""
    spots, cost = [], []
    beside = width / 2 + 5
    for share in (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82):
        x, y = line[round(share * (len(line) - 1))]
        for dx, dy in ((0.0, 0.0), (0.0, -8.0), (0.0, 8.0), (0.0, -14.0), (0.0, 14.0), (beside, 0.0), (-beside, 0.0)):
            spots.append((x + dx, y + dy))
            cost.append(30 * abs(share - 0.5) + 0.5 * (abs(dx) + abs(dy)))
    return np.array(spots), np.array(cost)


def _overlap(places: Floats, boxes: Floats) -> Floats:
    """Area that each of (k, 4) places shares with all (b, 4) boxes together."""
    wide = np.minimum(places[:, None, 2], boxes[None, :, 2]) - np.maximum(places[:, None, 0], boxes[None, :, 0])
    high = np.minimum(places[:, None, 3], boxes[None, :, 3]) - np.maximum(places[:, None, 1], boxes[None, :, 1])
    made: Floats = (np.maximum(wide, 0) * np.maximum(high, 0)).sum(axis=1)
    return made


def _covered(places: Floats, points: Floats) -> Floats:
    """Number of (p, 2) points inside each of (k, 4) places."""
    x, y = points[None, :, 0], points[None, :, 1]
    inside = (places[:, :1] < x) & (x < places[:, 2:3]) & (places[:, 1:2] < y) & (y < places[:, 3:])
    made: Floats = inside.sum(axis=1).astype(np.float64)
    return made
