"""Layout: positions for role graphs (layers of flow depth) and agent networks (forces), pure and deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.topology.schema import Edge, Topology, boundary_roles

Point = tuple[float, float]
# Two nodes of neighbouring layers, left one first, and how much they pull at each other.
Link = tuple[str, str, float]
Floats = NDArray[np.float64]

# Work returns ever more rarely in the chain below, so that depth exists in closed circulations too.
_DAMPING = 0.9
# Roles nearer to each other than this in mean number of hops stand in one layer.
_SAME_DEPTH = 0.25
_DUMMY_ROOM = 0.55
_SWEEPS = 12


@dataclass(frozen=True)
class Layout:
    """Where the roles of a topology stand: x is flow depth from the entry, y the place within the layer.

    Attributes:
        positions: Role id to (x, y) in [0, 1] x [0, 1].
        layer: Role id to the number of its layer, from 0 at the entry.
        routes: Edge id to the points that an edge over several layers passes, in its own direction.
        layers: Number of layers.
        height: Extent of y in units of one role's room; 0 when no layer has two members.
    """

    positions: dict[str, Point]
    layer: dict[str, int]
    routes: dict[str, tuple[Point, ...]]
    layers: int
    height: float


def layered(
    topology: Topology,
    *,
    previous: Mapping[str, Point] | None = None,
    drawn: Sequence[Edge] | None = None,
    room: Mapping[str, float] | None = None,
) -> Layout:
    """Place roles in layers from left to right by mean hops from the entry; cycles are fine.

    Long edges pass through places of their own, so that they do not run over roles. The order within a layer comes
    from barycentre sweeps (Sugiyama, Tagawa and Toda, IEEE Trans. SMC 11, 1981), the places from least squares under
    the minimum distance. Depends on the order of roles and edges, never on ids.

    Args:
        topology: What to place.
        previous: Earlier positions of some roles; their order within layers is kept unless changing it removes
            crossings.
        drawn: The edges that need a way; all when omitted.
        room: Role id to the room it takes within its layer, 1 when omitted.
    """
    layer = layer_of(topology)
    columns, links, chains = _with_dummies(topology, layer, previous or {}, topology.edges if drawn is None else drawn)
    columns = _untangle(columns, [(a, b) for a, b, _ in links])
    rooms = {f"r:{r}": size for r, size in (room or {}).items()}
    y = _settle(columns, links, rooms)
    low, high = min(y.values()), max(y.values())
    height, layers = high - low, len(columns)

    def place(node: str, at: int) -> Point:
        return (
            at / (layers - 1) if layers > 1 else 0.5,
            min(max((y[node] - low) / height, 0.0), 1.0) if height > 1e-9 else 0.5,
        )

    positions = {r: place("r:" + r, layer[r]) for r in topology.role_ids()}
    routes = {edge: tuple(place(node, at) for node, at in chain) for edge, chain in chains.items() if chain}
    return Layout(positions, layer, routes, layers, height)


def flow_depth(topology: Topology) -> dict[str, float]:
    """Mean number of hops after which work visits each role, counted from the entry (damped by 0.9 per hop).

    With P the matrix of weights (equal where unknown) and s the start, visits are v = s (I - gP)^-1 and
    depth = (s gP (I - gP)^-2) / v. Roles that no work reaches count as further starting points.
    """
    ids = topology.role_ids()
    row = {r: i for i, r in enumerate(ids)}
    moves = np.zeros((len(ids), len(ids)))
    for edge in topology.edges:
        if edge.is_control and edge.source != edge.target:
            moves[row[edge.source], row[edge.target]] += 1.0 if edge.weight is None else edge.weight
    moves /= np.maximum(moves.sum(axis=1, keepdims=True), 1.0)
    start = np.full(len(ids), 1e-9)
    start[row[topology.entry]] = 1.0
    inverse = np.linalg.inv(np.eye(len(ids)) - _DAMPING * moves)
    visits = start @ inverse
    depth = (visits @ (_DAMPING * moves) @ inverse) / visits
    return {r: float(depth[i]) for i, r in enumerate(ids)}


def layer_of(topology: Topology) -> dict[str, int]:
    """The layer of each role: one beyond the deepest role that clearly comes before it; "done" stands last."""
    depth = flow_depth(topology) | {topology.entry: 0.0}
    order = sorted(depth, key=lambda r: depth[r])
    before: dict[str, set[str]] = {r: set() for r in order}
    for edge in topology.edges:
        if edge.is_control and edge.weight != 0 and depth[edge.target] - depth[edge.source] > _SAME_DEPTH:
            before[edge.target].add(edge.source)
    layer: dict[str, int] = {}
    for role in order:
        layer[role] = 1 + max((layer[b] for b in before[role]), default=-1)
    ends = boundary_roles(topology) & set(topology.exits) - {topology.entry}
    last = max(n for role, n in layer.items() if role not in ends)
    layer.update(dict.fromkeys(ends, last + 1))
    used = sorted(set(layer.values()))
    return {r: used.index(layer[r]) for r in topology.role_ids()}


def _with_dummies(
    topology: Topology, layer: Mapping[str, int], previous: Mapping[str, Point], edges: Sequence[Edge]
) -> tuple[list[list[str]], list[Link], dict[str, list[tuple[str, int]]]]:
    """Columns of nodes (roles "r:", places of long edges "d:"), links between neighbouring columns, chains by edge."""
    roles = topology.role_ids()
    rank = {r: previous[r][1] if r in previous else (i + 0.5) / len(roles) for i, r in enumerate(roles)}
    key = {"r:" + r: rank[r] for r in roles}
    columns: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for r in roles:
        columns[layer[r]].append("r:" + r)
    links: list[Link] = []
    chains: dict[str, list[tuple[str, int]]] = {}
    for edge in edges:
        a, b = layer[edge.source], layer[edge.target]
        if a == b:
            continue
        step = 1 if a < b else -1
        chain = [(f"d:{edge.id}:{at}", at) for at in range(a + step, b, step)]
        chains[edge.id] = chain
        for node, at in chain:
            columns[at].append(node)
            key[node] = (rank[edge.source] + rank[edge.target]) / 2
        path = ["r:" + edge.source, *(node for node, _ in chain), "r:" + edge.target]
        # The main flow should be straight; ways back, information and rare edges give way.
        pull = (1.0 if edge.weight is None else 0.1 + edge.weight) * (1.0 if step > 0 and edge.is_control else 0.2)
        links += [(p, q, pull) if step > 0 else (q, p, pull) for p, q in pairwise(path)]
    return [sorted(column, key=lambda n: key[n]) for column in columns], links, chains


def _neighbours(links: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    left: dict[str, list[str]] = {}
    right: dict[str, list[str]] = {}
    for a, b in links:
        right.setdefault(a, []).append(b)
        left.setdefault(b, []).append(a)
    return left, right


def crossings(columns: list[list[str]], links: list[tuple[str, str]]) -> int:
    """Number of pairs of links that cross between neighbouring columns."""
    row = {node: i for column in columns for i, node in enumerate(column)}
    at = {node: c for c, column in enumerate(columns) for node in column}
    total = 0
    for c in range(len(columns) - 1):
        pairs = np.array([(row[a], row[b]) for a, b in links if at[a] == c], dtype=np.int64).reshape(-1, 2)
        before = pairs[:, None, 0] < pairs[None, :, 0]
        total += int((before & (pairs[:, None, 1] > pairs[None, :, 1])).sum())
    return total


def _untangle(columns: list[list[str]], links: list[tuple[str, str]]) -> list[list[str]]:
    left, right = _neighbours(links)
    best, fewest = columns, crossings(columns, links)
    now = [list(column) for column in columns]
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        side, order = (left, range(1, len(now))) if sweep % 2 == 0 else (right, range(len(now) - 2, -1, -1))
        for c in order:
            row = {node: i for column in now for i, node in enumerate(column)}
            wish = {n: float(np.mean([row[m] for m in side.get(n, [n])])) for n in now[c]}
            now[c] = sorted(now[c], key=lambda n, wish=wish: wish[n])  # type: ignore[misc]
        count = crossings(now, links)
        if count < fewest:
            best, fewest = [list(column) for column in now], count
    return best


def _settle(columns: list[list[str]], links: list[Link], rooms: Mapping[str, float]) -> dict[str, float]:
    """Place every node in its column (y): near its neighbours, its room apart from others, in the given order."""
    near: tuple[dict[str, list[tuple[str, float]]], ...] = ({}, {})
    for a, b, pull in links:
        # Long edges want to be straight more than short ones.
        strength = pull * (4.0 if a[0] == b[0] == "d" else 1.0)
        near[0].setdefault(b, []).append((a, strength))
        near[1].setdefault(a, []).append((b, strength))
    room = {node: rooms.get(node, 1.0 if node[0] == "r" else _DUMMY_ROOM) for column in columns for node in column}
    offsets = [np.cumsum([0.0, *((room[a] + room[b]) / 2 for a, b in pairwise(c))]) for c in columns]
    y: dict[str, float] = {}
    for column, offset in zip(columns, offsets, strict=True):
        y.update(zip(column, (offset - offset[-1] / 2).tolist(), strict=True))
    for sweep in range(3 * _SWEEPS):
        # One side at a time carries straight lines through all layers at once; the last sweeps look at both.
        sides = (0, 1) if sweep >= 2 * _SWEEPS else (sweep % 2,)
        order = range(len(columns)) if sweep % 2 == 0 else range(len(columns) - 1, -1, -1)
        for c in order:
            wish, weight = [], []
            for node in columns[c]:
                pulls = [p for side in sides for p in near[side].get(node, ())]
                total = sum(w for _, w in pulls)
                wish.append(sum(y[m] * w for m, w in pulls) / total if total else y[node])
                weight.append(total or 0.1)
            made = _increasing(np.array(wish) - offsets[c], np.array(weight)) + offsets[c]
            y.update(zip(columns[c], made.tolist(), strict=True))
    return y


def _increasing(wish: Floats, weight: Floats) -> Floats:
    """The non-decreasing sequence nearest to ``wish`` in weighted least squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, strength in zip(wish.tolist(), weight.tolist(), strict=True):
        mean, mass, size = value, strength, 1
        while blocks and blocks[-1][0] > mean:
            other, more, count = blocks.pop()
            mean, mass, size = (mean * mass + other * more) / (mass + more), mass + more, size + count
        blocks.append((mean, mass, size))
    return np.concatenate([np.full(size, mean) for mean, _, size in blocks])


def force(
    n: int,
    edges: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    previous: ArrayLike | None = None,
    max_move: float = 0.05,
    seed: int = 0,
    iterations: int = 150,
) -> Floats:
    """Place the agents of a network: edges attract, all repel (Fruchterman and Reingold 1991).

    Starts from a spiral in row order, turned by ``seed``; the same arguments give the same bits. O(n^2) per iteration:
    meant for up to about 1,000 agents.

    Args:
        n: Number of agents.
        edges: (m, 2) row numbers; direction and self-loops do not matter.
        weights: (m,) positive strengths; equal when omitted.
        previous: (n, 2) earlier positions. The frame is then kept, and nobody moves further than ``max_move``; rows of
            nan are newcomers and may land anywhere.
        max_move: Largest distance from ``previous``, in units of the picture.
        seed: Which turn of the start.
        iterations: Steps of the cooling schedule.

    Returns:
        (n, 2) positions in [0, 1].
    """
    pairs, pull = _pulls(n, edges, weights)
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    now = _spiral(n, angle)
    known: NDArray[np.bool_] = np.zeros(n, dtype=bool)
    if previous is not None:
        given = np.array(previous, dtype=np.float64).reshape(n, 2)
        known = np.asarray(~np.isnan(given).any(axis=1))
        now[known] = given[known]
        # Nobody in the same place: forces between equal points have no direction.
        now += 1e-6 * (_spiral(n, angle) - 0.5)
    ideal = 0.9 / np.sqrt(max(n, 1))
    for heat in np.linspace(0.12 if not known.any() else max_move / 4, 0.002, iterations):
        move = _forces(now, pairs, pull, ideal)
        length = np.maximum(np.hypot(move[:, 0], move[:, 1]), 1e-12)
        now = now + move * (np.minimum(length, heat) / length)[:, None]
    if not known.any():
        return _fit(now)
    away = now[known] - given[known]
    far = np.maximum(np.hypot(away[:, 0], away[:, 1]) / max_move, 1.0)
    now[known] = given[known] + away / far[:, None]
    return np.clip(now, 0.0, 1.0)


def _pulls(n: int, edges: ArrayLike, weights: ArrayLike | None) -> tuple[NDArray[np.int64], Floats]:
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    if pairs.size and (pairs.min() < 0 or pairs.max() >= n):
        raise ValueError(f"edges: expected row numbers from 0 to {n - 1}, got {pairs.min()} to {pairs.max()}.")
    strength = np.ones(len(pairs)) if weights is None else np.asarray(weights, dtype=np.float64).reshape(len(pairs))
    kept = pairs[:, 0] != pairs[:, 1]
    return pairs[kept], strength[kept] / max(float(strength.max(initial=0.0)), 1e-12)


def _spiral(n: int, angle: float) -> Floats:
    """A sunflower disc of n points in [0, 1]."""
    i = np.arange(n)
    radius, turn = 0.5 * np.sqrt((i + 0.5) / max(n, 1)), angle + i * np.pi * (3 - np.sqrt(5))
    return 0.5 + np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])


def _forces(now: Floats, pairs: NDArray[np.int64], pull: Floats, ideal: float) -> Floats:
    dx = now[:, 0, None] - now[None, :, 0]
    dy = now[:, 1, None] - now[None, :, 1]
    near = ideal * ideal / np.maximum(dx * dx + dy * dy, 1e-8)
    total = np.column_stack([(dx * near).sum(axis=1), (dy * near).sum(axis=1)])
    # A weak pull to the middle holds parts together that no edge connects.
    total -= 0.5 * (now - 0.5)
    along = now[pairs[:, 1]] - now[pairs[:, 0]]
    along *= (np.hypot(along[:, 0], along[:, 1]) / ideal * (0.3 + 0.7 * pull))[:, None]
    for column in (0, 1):
        total[:, column] += np.bincount(pairs[:, 0], along[:, column], minlength=len(now))
        total[:, column] -= np.bincount(pairs[:, 1], along[:, column], minlength=len(now))
    return total


def _fit(points: Floats) -> Floats:
    """Points moved and scaled, both axes alike, into [0, 1] with the middle at 0.5."""
    if len(points) == 0:
        return points
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float((high - low).max()), 1e-12)
    made: Floats = np.clip(0.5 + (points - (low + high) / 2) / size, 0.0, 1.0)
    return made
