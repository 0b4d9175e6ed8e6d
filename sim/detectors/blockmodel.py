"""Classes of agents that treat others alike: a degree-corrected block model, fitted, and chosen by held-back links.

Nothing here asks for contacts inside a class, so classes may be groups that keep to themselves (teams) or positions
that never meet (stages, brokers); ``keeping_to_themselves`` tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from sim.detectors.canonical import canonical
from sim.detectors.embedding import Space, both_ways, k_means, spaces
from sim.detectors.groups import louvain
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Bools, Floats, Ints

MOST_CLASSES = 8
SWEEPS = 20  # of the refinement, agent by agent
FOLDS, REPEATS = 5, 2  # of the links held back
PRIOR = 1.0  # log-weight by which the rates between classes are drawn towards those of one class


@dataclass(frozen=True)
class Ways:
    """A directed weighted graph as a list of ends by agent: ``ends[starts[a]:starts[a + 1]]`` with their weights."""

    starts: Ints
    ends: Ints
    weight: Floats


def _log_part(x: float) -> float:
    return float(x * np.log(x)) if x > 0.0 else 0.0


_xlogx = njit(cache=True)(_log_part)


def _gain_of(c: int, to: Floats, back: Floats, flow: Floats) -> float:
    """Likelihood gained when an agent with ``to`` and ``back`` contacts by class joins class ``c`` of image ``flow``."""
    k = len(flow)
    got, out, into = 0.0, 0.0, 0.0
    for t in range(k):
        out += flow[c, t]
        into += flow[t, c]
        if t != c:
            got += _xlogx(flow[c, t] + to[t]) - _xlogx(flow[c, t]) + _xlogx(flow[t, c] + back[t]) - _xlogx(flow[t, c])
    got += _xlogx(flow[c, c] + to[c] + back[c]) - _xlogx(flow[c, c])
    return float(got - _xlogx(out + to.sum()) + _xlogx(out) - _xlogx(into + back.sum()) + _xlogx(into))


_gain_fast = njit(cache=True)(_gain_of)


def _sweep(  # noqa: PLR0917
    starts: Ints, ends: Ints, weight: Floats, r_starts: Ints, r_ends: Ints, r_weight: Floats, labels: Ints, order: Ints,
    flow: Floats, size: Ints,
) -> bool:  # fmt: skip
    """Move agents one by one to the class of largest likelihood; no class is emptied. True when any moved.

    The graph is given from both sides, ``flow`` is the weight from class to class, ``size`` agents by class; ``labels``,
    ``flow`` and ``size`` change.
    """
    k, moved = len(flow), False
    for a in order:
        own = labels[a]
        if size[own] <= 1:
            continue
        to, back = np.zeros(k), np.zeros(k)
        for p in range(starts[a], starts[a + 1]):
            to[labels[ends[p]]] += weight[p]
        for p in range(r_starts[a], r_starts[a + 1]):
            back[labels[r_ends[p]]] += r_weight[p]
        for t in range(k):
            flow[own, t] = max(flow[own, t] - to[t], 0.0)
            flow[t, own] = max(flow[t, own] - back[t], 0.0)
        best, most = own, _gain_fast(own, to, back, flow) + 1e-9
        for c in range(k):
            here = _gain_fast(c, to, back, flow)
            if here > most:
                best, most = c, here
        for t in range(k):
            flow[best, t] += to[t]
            flow[t, best] += back[t]
        if best != own:
            moved = True
            labels[a] = best
            size[own] -= 1
            size[best] += 1
    return moved


_sweep_fast = njit(cache=True)(_sweep)


def _ways(n: int, source: Ints, target: Ints, weight: Floats) -> Ways:
    by_source = np.argsort(source, kind="stable")
    starts = np.searchsorted(source[by_source], np.arange(n + 1))
    return Ways(starts, target[by_source], weight[by_source])


def flow_between(links: Links, labels: Ints, k: int) -> Floats:
    """Log-compressed contacts from class to class, shape (k, k)."""
    source, target, weight = both_ways(links)
    flat = np.bincount(labels[source] * k + labels[target], weight, k * k).astype(np.float64)
    return flat.reshape(k, k)


def likelihood(flow: Floats) -> float:
    """Log-likelihood of a degree-corrected block model with this flow between classes, up to a constant of the graph.

    Formula: sum_rs m_rs log(m_rs / (out_r in_s)). Reference: Karrer & Newman 2011, Phys. Rev. E 83:016107, eq. 16, with
    out- and in-degrees apart (Zhu, Yan, Moore 2014).
    """
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    return _entropic(flow) - _entropic(out) - _entropic(into)


def _entropic(values: Floats) -> float:
    some = values[values > 0]
    return float((some * np.log(some)).sum())


def equivalent(links: Links, k: int) -> Ints:
    """Labels of ``k`` classes of agents that treat others alike, shape (n,); agents without contacts get NONE.

    The better, by likelihood, of the fits that start from two spectral embeddings and are refined agent by agent. With
    fewer than 2k agents in contact there are fewer classes; the same links give the same classes whatever agents are called.
    """
    links, place = canonical(links)
    met = _in_contact(links)
    k = max(1, min(k, int(met.sum()) // 2))
    labels = np.where(met, 0, NONE)
    if k > 1:
        small = _compressed(links, met)
        labels[met] = _best_fit(small, spaces(small, k), k)
    return np.asarray(labels[place])


def _in_contact(links: Links) -> Bools:
    met = np.zeros(links.n, dtype=bool)
    met[links.source] = met[links.target] = True
    return met


def _compressed(links: Links, met: Bools) -> Links:
    number = np.cumsum(met) - 1
    return replace(links, n=int(met.sum()), source=number[links.source], target=number[links.target])


def _best_fit(links: Links, starts: tuple[Space, ...], k: int) -> Ints:
    source, target, weight = both_ways(links)
    forth, back = _ways(links.n, source, target, weight), _ways(links.n, target, source, weight)
    best, found = -np.inf, np.zeros(links.n, dtype=np.int64)
    for out, into, normalised in starts:
        rng = np.random.default_rng([links.n, k])
        points = np.concatenate([_unit(x[:, :k]) if normalised else x[:, :k] for x in (out, into)], axis=1)
        labels = k_means(np.ascontiguousarray(points), k, rng)
        flow, size = flow_between(links, labels, k), np.bincount(labels, minlength=k)
        order = rng.permutation(links.n)
        for _ in range(SWEEPS):
            if not _sweep_fast(
                forth.starts, forth.ends, forth.weight, back.starts, back.ends, back.weight, labels, order, flow, size
            ):
                break
        reached = likelihood(flow)
        if reached > best + 1e-9:
            best, found = reached, labels
    return found


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


@dataclass(frozen=True)
class HeldBack:
    """How well classes predict links held back, over one class: gain in nats per log-contact.

    Attributes:
        classes: Numbers of classes tried, the first of them 1.
        gains: Shape (folds, classes); one class gains 0 by definition.
        teams: Gain of groups that keep to themselves, in the same folds, shape (folds,).
    """

    classes: tuple[int, ...]
    gains: Floats
    teams: Floats

    @property
    def chosen(self) -> int:
        """The smallest number of classes within one standard error (of the difference) of the best."""
        mean = self.gains.mean(axis=0)
        best = int(np.argmax(mean))
        error = (self.gains - self.gains[:, [best]]).std(axis=0, ddof=1) / np.sqrt(FOLDS)
        return self.classes[int(np.argmax(mean + error >= mean[best]))]

    def gain(self, k: int) -> float:
        """Mean gain of ``k`` classes."""
        return float(self.gains[:, self.classes.index(k)].mean())


def held_back(links: Links) -> HeldBack:
    """Fit 1 to MOST_CLASSES classes to four fifths of the pairs in contact and predict the contacts of the others.

    Both directions of a pair are held back together, so that replies cannot leak. The score is the log-likelihood of a
    degree-corrected Poisson block model on the held-back links less that of one class, in which an agent's contacts
    depend on activity alone. Reference for choosing a number of blocks by held-back links: Li, Levina, Zhu 2020,
    Biometrika 107:257.
    """
    links = canonical(links)[0]
    links = _compressed(links, _in_contact(links))
    classes = tuple(range(1, max(1, min(MOST_CLASSES, links.n // 4)) + 1))
    low, high = np.minimum(links.source, links.target), np.maximum(links.source, links.target)
    _, pair = np.unique(low * links.n + high, return_inverse=True)
    total = int(pair.max(initial=-1)) + 1
    if total < FOLDS or len(classes) == 1:
        return HeldBack((1,), np.zeros((FOLDS, 1)), np.zeros(FOLDS))
    rng = np.random.default_rng([links.n, total])
    gains, teams = [], []
    for _ in range(REPEATS):
        fold = (rng.permutation(total) % FOLDS)[pair]
        for f in range(FOLDS):
            seen, hidden = _part(links, fold != f), _part(links, fold == f)
            starts = spaces(seen, min(classes[-1], seen.n))
            fits = [(k, _best_fit(seen, starts, k)) for k in classes[1:]]
            gains.append([0.0, *(_predicts(seen, hidden, labels, k) for k, labels in fits)])
            teams.append(_teams_predict(seen, hidden))
    return HeldBack(classes, np.array(gains), np.array(teams))


def _part(links: Links, kept: Bools) -> Links:
    return replace(links, source=links.source[kept], target=links.target[kept], count=links.count[kept])


def _rates(flow: Floats, expected: Floats) -> Floats:
    """Contacts over those that activity gives, drawn towards 1 where there are few."""
    return np.asarray((flow + PRIOR) / (expected + PRIOR))


def expected_flow(flow: Floats) -> Floats:
    """What activity alone gives between classes: out in / total."""
    return np.asarray(np.outer(flow.sum(axis=1), flow.sum(axis=0)) / max(flow.sum(), 1e-12))


def _predicts(seen: Links, hidden: Links, labels: Ints, k: int, *, teams: bool = False) -> float:
    """Gain of the classes over one class on hidden links; ``teams`` allows one rate inside and one between classes."""
    flow = flow_between(seen, labels, k)
    expected = expected_flow(flow)
    rate = _rates(flow, expected)
    if teams:
        inside = np.eye(k, dtype=bool)
        for cells in (inside, ~inside):
            rate[cells] = _rates(flow[cells].sum(), expected[cells].sum())
    source, target, weight = both_ways(hidden)
    got = float((weight * np.log(rate[labels[source], labels[target]])).sum())
    paid = float((expected * (rate - 1.0)).sum()) / (FOLDS - 1)  # hidden pairs without contact, a fifth of all
    return (got - paid) / max(float(weight.sum()), 1e-12)


def _teams_predict(seen: Links, hidden: Links) -> float:
    labels = louvain(_undirected(seen))
    # Agents that lost all their links each stand alone.
    labels = np.where(labels < 0, labels.max(initial=-1) + np.cumsum(labels < 0), labels)
    return _predicts(seen, hidden, labels, int(labels.max()) + 1, teams=True)


def _undirected(links: Links) -> Links:
    low, high = np.minimum(links.source, links.target), np.maximum(links.source, links.target)
    key, pair = np.unique(low * links.n + high, return_inverse=True)
    first, second = np.divmod(key, links.n)
    return Links(links.n, first, second, np.bincount(pair, links.count).astype(np.int64), directed=False)


def image(links: Links, labels: Ints) -> Floats:
    """Image graph of the classes: contacts from class to class over those that activity gives, shape (k, k).

    Range: (0, inf), 1 where classes make no difference. References: White, Boorman, Breiger 1976; Karrer & Newman 2011.
    """
    k = int(labels.max(initial=0)) + 1
    flow = flow_between(links, labels, k)
    return _rates(flow, expected_flow(flow))


def keeping_to_themselves(links: Links, labels: Ints) -> float:
    """Share of agents whose class has no higher rate, out or in, than with itself; 1: the classes are teams."""
    rates = image(links, labels)
    own = np.diag(rates)
    closed = (own >= rates.max(axis=1)) & (own >= rates.max(axis=0)) & (own > 1.0)
    size = np.bincount(labels[labels >= 0], minlength=len(own))
    return float(size[closed].sum() / max(size.sum(), 1))
