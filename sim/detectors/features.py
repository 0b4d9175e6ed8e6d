"""Features: a directed weighted graph as a fixed vector of numbers that depend on its shape more than on its size.

Descriptions, never claims: what a feature says above chance a null decides, and which shape the whole vector is like the
calibrated comparison of ``templates`` decides. Most features read the *backbone*, the links that carry much of the flow,
so that a scatter of single contacts does not hide what agents do most of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.detectors.groups import partition
from sim.detectors.measures import flow_hierarchy, order
from sim.detectors.nulls import Links
from sim.detectors.window import Bools, Floats, Ints, summed

LEAST = 3  # agents with contacts below which a graph has no shape
CARRYING = 0.58  # of the typical root of a link's weight, from which a link belongs to the backbone
MOST_DENSE = 1000  # agents up to which a graph is described; larger ones are described by ``quick``


@dataclass(frozen=True)
class Feature:
    """A feature in words.

    Attributes:
        name: Its name, unique.
        low: What a low value means.
        high: What a high value means.
        chance: What unstructured contacts give.
        range: Smallest and largest value.
    """

    name: str
    low: str
    high: str
    chance: str
    range: tuple[float, float] = (0.0, 1.0)


# In the order of the vector. "Density" is the share of ordered pairs in the backbone.
FEATURES = (
    Feature("density", "a tree (log mean degree over log agents)", "everybody meets everybody", "that of the log"),
    Feature("reciprocity", "one-way flow", "as much comes back as goes", "about the density"),
    Feature("one-sided agents", "all give and take", "agents only give or only take", "0 in dense graphs"),
    Feature("imbalance", "all give what they take", "flow from sources to sinks", "1 / root of contacts an agent"),
    Feature("forward closure", "two steps lead elsewhere", "two steps have a short cut", "the density"),
    Feature("cyclic closure", "two steps never return", "two steps and a third return", "the density"),
    Feature("transitivity", "contacts of an agent never meet", "they all meet", "the undirected density"),
    Feature("local clustering", "as transitivity", "as transitivity, every agent alike", "the undirected density"),
    Feature("order", "no common direction (ring, mesh)", "all flow climbs one ladder", "0.02-0.1 in dense graphs"),
    Feature("flow hierarchy", "all flow may come back", "nothing comes back", "0 in dense graphs"),
    Feature("reach", "all reach alike", "one reaches all, or is reached by all, and the others few", "0 if dense"),
    Feature("strong share", "nobody reaches who reaches him", "all reach each other", "1 if dense"),
    Feature("modularity", "no groups", "separate groups", "0.1-0.6, the higher the sparser", (-0.5, 1.0)),
    Feature("groups", "one group (log groups over log agents)", "many small groups", "0.3-0.5"),
    Feature("group density", "groups are trees or chains inside", "groups are cliques", "about the density"),
    Feature("open borders", "all contacts inside the group", "as dense with another group as inside", "0.2-0.4"),
    Feature("bipartivity", "odd cycles abound", "two sides, contacts only between them", "2 / root of mean degree"),
    Feature("spectral gap", "a bottleneck, or parts", "no bottleneck", "1 - 2 / root of mean degree", (0.0, 2.0)),
    Feature("path length", "everybody near (over log agents)", "long chains", "1 / log mean degree", (0.0, 40.0)),
    Feature("third side", "two sides or none", "three sides or more (second over first negative mode)", "0.9"),
    Feature("out inequality", "all give alike (Gini)", "few give all", "root of 1 / (pi degree)"),
    Feature("in inequality", "all take alike (Gini)", "few take all", "root of 1 / (pi degree)"),
    Feature("in-out correlation", "givers do not take", "givers take", "0", (-1.0, 1.0)),
    Feature("assortativity", "hubs meet leaves", "like degrees meet", "0", (-1.0, 1.0)),
    Feature("centralisation", "no hub (Freeman)", "one agent meets all, others only it", "0.1-0.3"),
    Feature("leaves", "no agent with a single contact", "most have a single contact", "degree exp(-degree)"),
    Feature("core", "no core (Borgatti-Everett)", "a core touches all, others only the core", "0.1-0.3", (-1.0, 1.0)),
    Feature("grades", "agents are of one of two degrees", "degrees of any size (not explained by two)", "0.3-0.4"),
    Feature("rotation", "no circulation", "flow goes round (modulus of a complex mode)", "1 / root of degree"),
    Feature("phase", "long rounds or none", "rounds of two or three (angle over pi)", "uniform"),
    Feature("likeness", "no two agents have the same contacts", "agents share their contacts", "the density"),
)
NAMES = tuple(f.name for f in FEATURES)
QUICK = ("reciprocity", "imbalance", "order", "flow hierarchy", "out inequality", "in inequality", "in-out correlation")


class FeatureError(ValueError):
    """A graph that cannot be described."""


def table(links: Links) -> Floats:
    """Contacts as a table, row = giver, shape (n, n); undirected contacts count half in each direction."""
    flow = np.zeros((links.n, links.n))
    np.add.at(flow, (links.source, links.target), links.count.astype(np.float64))
    return flow if links.directed else (flow + flow.T) / 2.0


def describe(graph: Links | Floats) -> Floats:
    """The features of a graph, in the order of NAMES, shape (features,).

    Definition: see each entry of FEATURES. Agents without contacts and contacts with oneself are left out. Scaling all
    weights and renumbering the agents change nothing but ties in the search for groups. Null: none, a description; what is
    fooled: below about five contacts an agent the backbone is mostly chance. References: Squartini et al. 2013 (weighted
    reciprocity), MacKay, Johnson, Sansom 2020 (order), Luo & Magee 2011 (flow hierarchy), Mones, Vicsek, Vicsek 2012
    (reach), Freeman 1978 (centralisation), Borgatti & Everett 1999 (core), Newman 2003 (assortativity).

    Args:
        graph: Links, or a table of weights >= 0, row = giver, shape (n, n).

    Raises:
        FeatureError: With fewer than LEAST or more than MOST_DENSE agents in contact, or negative weights.
    """
    flow = table(graph) if isinstance(graph, Links) else np.array(graph, dtype=np.float64)
    if flow.ndim != 2 or flow.shape[0] != flow.shape[1] or not np.isfinite(flow).all() or (flow < 0).any():
        raise FeatureError(f"describe: expected a square table of finite weights >= 0, got shape {flow.shape}.")
    np.fill_diagonal(flow, 0.0)
    met = (flow.sum(axis=0) + flow.sum(axis=1)) > 0
    if not LEAST <= met.sum() <= MOST_DENSE:
        raise FeatureError(f"describe: expected {LEAST} to {MOST_DENSE} agents in contact, got {int(met.sum())}.")
    flow = flow[np.ix_(met, met)]
    arcs = backbone(flow)
    either = arcs | arcs.T
    parts = [_balance(flow, arcs), _closure(arcs, either), _direction(flow, arcs), _grouping(flow, either)]
    parts += [_spectrum(either), _inequality(arcs, either), _modes(flow), [_likeness(either)]]
    return np.array([value for part in parts for value in part])


def backbone(flow: Floats) -> Bools:
    """Links that carry much of the flow: root weight at least CARRYING times the typical one, shape (n, n).

    The typical root weight is the mean over links weighted by the root itself, so a scatter of single contacts does not
    lower it.
    """
    root = np.sqrt(flow)
    total = root.sum()
    return np.asarray((root > 0) & (root >= CARRYING * flow.sum() / total)) if total > 0 else root > 0


def _balance(flow: Floats, arcs: Bools) -> list[float]:
    n, total = len(flow), flow.sum()
    degree = float((arcs | arcs.T).sum()) / n
    gives, takes = arcs.any(axis=1), arcs.any(axis=0)
    net = np.abs(flow.sum(axis=1) - flow.sum(axis=0)).sum() / (2.0 * total)
    density = np.log(max(degree, 1.0)) / np.log(n - 1.0)
    back = np.minimum(flow, flow.T).sum() / total
    return [float(density), float(back), float((gives != takes).sum() / max((gives | takes).sum(), 1)), float(net)]


def _closure(arcs: Bools, either: Bools) -> list[float]:
    """Two-step paths with a short cut, with a way back, and the same without directions, over all and agent by agent."""
    a, u = arcs.astype(np.float64), either.astype(np.float64)
    two = a @ a
    np.fill_diagonal(two, 0.0)
    steps = max(two.sum(), 1.0)
    corners = u.sum(axis=1) * (u.sum(axis=1) - 1.0)
    closed = ((u @ u) * u).sum(axis=1)
    local = (closed[corners > 0] / corners[corners > 0]).mean() if (corners > 0).any() else 0.0
    whole = closed.sum() / max(corners.sum(), 1.0)
    return [float((two * a).sum() / steps), float((two * a.T).sum() / steps), float(whole), float(local)]


def _direction(flow: Floats, arcs: Bools) -> list[float]:
    n = len(flow)
    source, target = np.nonzero(flow)
    climbing = order(n, source, target, flow[source, target])
    kept = np.nonzero(arcs)
    reach = _reachable(arcs)
    strong = reach & reach.T
    np.fill_diagonal(strong, True)
    return [
        climbing,
        flow_hierarchy(n, kept[0], kept[1], flow[kept]),
        max(_reaching(reach), _reaching(reach.T)),
        float(strong.sum(axis=1).max() / n),
    ]


def _reachable(arcs: Bools) -> Bools:
    """Who reaches whom by one or more steps, shape (n, n)."""
    seen = arcs.astype(np.float32)
    steps, found = 1, int(arcs.sum())
    while steps < len(arcs):
        seen = np.minimum(seen + seen @ seen, 1.0)
        steps, before, found = 2 * steps, found, int(seen.sum())
        if found == before:
            break
    return seen > 0


def _reaching(reach: Bools) -> float:
    """Global reaching centrality: mean gap between the largest reach and each agent's (Mones et al. 2012, eq. 2)."""
    far = (reach.sum(axis=1) - np.diag(reach)) / (len(reach) - 1.0)
    return float((far.max() - far).sum() / (len(reach) - 1.0))


def _grouping(flow: Floats, either: Bools) -> list[float]:
    """Modularity of the flow, number of groups, and how much of a group's pairs the backbone holds."""
    n, both = len(flow), np.sqrt(flow) + np.sqrt(flow.T)
    source, target = np.nonzero(np.triu(both, 1))
    weight = both[source, target]
    # Groups are sought on log(1 + count); these counts make that the root of the flow again, on a scale from 0 to 8.
    count = np.maximum(np.round(np.expm1(8.0 * weight / weight.max())), 1.0).astype(np.int64)
    labels = partition(Links(n, source, target, count, directed=False))
    member = np.equal.outer(labels, labels)
    strength = both.sum(axis=1)
    whole, inside = strength.sum(), both[member].sum()
    quality = inside / whole - (np.bincount(labels, strength) ** 2).sum() / whole**2
    size = np.bincount(labels)
    pairs = float((size * (size - 1)).sum())
    share = size / n
    spread = -(share * np.log(share)).sum() / np.log(n)
    dense = float((either & member).sum() / pairs) if pairs else 0.0
    return [float(quality), float(spread), dense, _open(either, labels)]


def _open(either: Bools, labels: Ints) -> float:
    """Mean over agents of the density with the nearest other group over that and the density with the own one."""
    place = np.arange(len(labels)), labels
    size = np.bincount(labels).astype(np.float64)
    rate = np.zeros((len(labels), len(size)))
    np.add.at(rate.T, labels, either.astype(np.float64))
    rate /= size
    own = rate[place]
    rate[place] = 0.0
    other = rate.max(axis=1)
    return float((other / np.maximum(own + other, 1e-9)).mean())


def _spectrum(either: Bools) -> list[float]:
    """Bipartivity, gap and third side from the normalised adjacency, and the mean distance in the backbone over log n."""
    n = len(either)
    degree = either.sum(axis=1).astype(np.float64)
    scale = 1.0 / np.sqrt(np.maximum(degree, 1.0))
    values = np.linalg.eigvalsh(scale[:, None] * either * scale)
    distance = _distances(either)
    near = np.isfinite(distance) & (distance > 0)
    mean = distance[near].mean() if near.any() else 0.0
    third = max(-values[1], 0.0) / max(-values[0], 1e-9)
    return [
        float(max(-values[0], 0.0)),
        float(max(1.0 - values[-2], 0.0)),
        float(mean / np.log(n)),
        float(min(third, 1.0)),
    ]


def _distances(either: Bools) -> Floats:
    """Steps between agents, infinite between parts, shape (n, n)."""
    n = len(either)
    link = either.astype(np.float32)
    distance = np.where(np.eye(n, dtype=bool), 0.0, np.inf)
    front = np.eye(n, dtype=np.float32)
    seen = front > 0
    for step in range(1, n):
        new = (front @ link > 0) & ~seen
        if not new.any():
            break
        distance[new] = step
        seen |= new
        front = new.astype(np.float32)
    return distance


def gini(values: Floats) -> float:
    """Gini coefficient of amounts >= 0. Range [0, 1): 0 all alike, near 1 one has all; 0 when there is nothing."""
    total = values.sum()
    if total <= 0:
        return 0.0
    n = len(values)
    return float((2.0 * np.arange(1, n + 1) - n - 1.0) @ np.sort(values) / (n * total))


def correlation(a: Floats, b: Floats, *, weight: Floats | None = None) -> float:
    """Pearson correlation, optionally weighted; 0 where one side does not vary. Range [-1, 1]."""
    w = np.full(len(a), 1.0) if weight is None else weight
    if w.sum() <= 0:
        return 0.0
    x, y = a - np.average(a, weights=w), b - np.average(b, weights=w)
    room = np.sqrt((w * x * x).sum() * (w * y * y).sum())
    return float(np.clip((w * x * y).sum() / room, -1.0, 1.0)) if room > 1e-9 * max(w.sum(), 1.0) else 0.0


def _inequality(arcs: Bools, either: Bools) -> list[float]:
    n = len(arcs)
    gives, takes = arcs.sum(axis=1).astype(np.float64), arcs.sum(axis=0).astype(np.float64)
    degree = either.sum(axis=1).astype(np.float64)
    a, b = np.nonzero(either)
    mixing = correlation(degree[a], degree[b]) if len(a) else 0.0
    central = (degree.max() - degree).sum() / ((n - 1.0) * (n - 2.0))
    leaves = (degree == 1).mean()
    shares = [gini(gives), gini(takes), correlation(gives, takes), mixing, float(central), float(leaves)]
    return [*shares, _core(either), _grades(degree)]


def _grades(degree: Floats) -> float:
    """Share of the squared deviation of degrees that no cut into high and low explains; 1 where all are alike."""
    ranked = np.sort(degree)
    total = float(((ranked - ranked.mean()) ** 2).sum())
    if total <= 0.0:
        return 1.0
    parts = [(ranked[:k], ranked[k:]) for k in range(1, len(ranked))]
    return float(min(sum(((p - p.mean()) ** 2).sum() for p in both) for both in parts) / total)


def _core(either: Bools) -> float:
    """Largest correlation of the backbone with "the core touches all", cores taken in the order of degree."""
    n = len(either)
    rank = np.argsort(-either.sum(axis=1), kind="stable")
    u = either[np.ix_(rank, rank)]
    upper = np.triu(u, 1)
    pairs, links = n * (n - 1) / 2.0, upper.sum()
    if links in (0, pairs):
        return 0.0
    size = np.arange(1, n - 1)
    touched = upper.sum(axis=1).cumsum()[: n - 2]
    ideal = size * (size - 1) / 2.0 + size * (n - size)
    shared = touched / pairs - ideal / pairs * links / pairs
    p, q = ideal / pairs, links / pairs
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(shared / np.sqrt(p * (1 - p) * q * (1 - q))))


def _modes(flow: Floats) -> list[float]:
    """Modulus and angle of the strongest complex mode of who passes on to whom."""
    out = flow.sum(axis=1)
    values = np.linalg.eigvals(flow / np.where(out > 0, out, 1.0)[:, None])
    turning = values[values.imag > 1e-6]
    if len(turning) == 0:
        return [0.0, 0.0]
    first = turning[np.argmax(np.abs(turning))]
    return [float(min(np.abs(first), 1.0)), float(np.angle(first) / np.pi)]


def _likeness(either: Bools) -> float:
    """Mean cosine similarity of each agent's contacts with those of its most similar other agent."""
    u = either.astype(np.float64)
    norm = np.sqrt(np.maximum(u.sum(axis=1), 1.0))
    alike = (u @ u) / np.outer(norm, norm)
    np.fill_diagonal(alike, 0.0)
    return float(alike.max(axis=1).mean())


def quick(links: Links) -> dict[str, float]:
    """The features that cost no more than one look at each link: names of QUICK to values, any number of agents.

    Inequality and correlation are of contacts here, not of links of the backbone.
    """
    weight = links.count.astype(np.float64)
    total = weight.sum()
    if total <= 0:
        return dict.fromkeys(QUICK, 0.0)
    out = summed(links.source, weight, links.n)
    into = summed(links.target, weight, links.n)
    met = out + into > 0
    values = (
        _reciprocity(links),
        float(np.abs(out - into).sum() / (2.0 * total)),
        order(links.n, links.source, links.target, weight),
        flow_hierarchy(links.n, links.source, links.target, weight),
        gini(out[met]),
        gini(into[met]),
        correlation(out[met], into[met]),
    )
    return dict(zip(QUICK, values, strict=True))


def _reciprocity(links: Links) -> float:
    forth, back = links.source * links.n + links.target, links.target * links.n + links.source
    order_: Ints = np.argsort(forth)
    place = np.minimum(np.searchsorted(forth[order_], back), len(forth) - 1)
    found = order_[place]
    same = forth[found] == back
    return float(np.minimum(links.count, np.where(same, links.count[found], 0)).sum() / links.count.sum())
