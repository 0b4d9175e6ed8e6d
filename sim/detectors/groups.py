"""Groups in an undirected weighted graph: modularity, and its optimisation by Louvain moves.

A test draws hundreds of surrogates of graphs with a few dozen agents, where the fixed costs of a library call are ten
times the work; hence a kernel of our own (compared with scikit-network in the tests).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.detectors.canonical import canonical
from sim.detectors.measures import agreement_beyond_chance, shared_information
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Floats, Ints

LEAST_TEAM = 3
FEW_GROUPS = 40  # up to here agreement is corrected for chance exactly, at a cost of groups squared


def weights(links: Links) -> Floats:
    """log(1 + contacts) of each link: a hundred meetings do not weigh a hundred times one."""
    return np.log1p(links.count)


def modularity(links: Links, labels: Ints, *, resolution: float = 1.0) -> float:
    """Weight inside groups minus the share expected from strengths, on log-compressed contacts.

    Definition: Newman's modularity. Formula: sum over groups of w_in / w - resolution (strength / 2w)^2. Range:
    [-0.5, 1] at resolution 1. Low: no groups; high: separate groups. Chance level: 0.1-0.6 on random graphs, higher the
    sparser, so it is read against N1F with the same optimisation only. Null: N1F. Reference: Newman & Girvan 2004, Phys.
    Rev. E 69:026113.
    """
    weight = weights(links)
    total = weight.sum()
    if total <= 0:
        return 0.0
    inside = weight[labels[links.source] == labels[links.target]].sum() / total
    strength = np.bincount(links.source, weight, links.n) + np.bincount(links.target, weight, links.n)
    group = np.bincount(np.maximum(labels, 0), strength)
    return float(inside - resolution * ((group / (2 * total)) ** 2).sum())


def _sweep(starts: Ints, ends: Ints, weight: Floats, strength: Floats, labels: Ints, order: Ints, pull: float) -> bool:  # noqa: PLR0917
    """Move nodes to the neighbouring group with the largest gain until none moves; True when anything moved.

    The graph is a list of neighbours (``starts``, ``ends``, ``weight``), ``pull`` resolution / 2w; ``labels`` change.
    """
    n = len(strength)
    total = np.zeros(n)
    for i in range(n):
        total[labels[i]] += strength[i]
    near = np.zeros(n)
    moved_ever, moved = False, True
    while moved:
        moved = False
        for i in order:
            own = labels[i]
            for k in range(starts[i], starts[i + 1]):
                near[labels[ends[k]]] += weight[k]
            total[own] -= strength[i]
            best, gain = own, near[own] - pull * strength[i] * total[own]
            for k in range(starts[i], starts[i + 1]):
                group = labels[ends[k]]
                here = near[group] - pull * strength[i] * total[group]
                if here > gain + 1e-12:
                    best, gain = group, here
            for k in range(starts[i], starts[i + 1]):
                near[labels[ends[k]]] = 0.0
            total[best] += strength[i]
            if best != own:
                labels[i] = best
                moved = moved_ever = True
    return moved_ever


_sweep_fast = njit(cache=True)(_sweep)


def partition(links: Links, *, resolution: float = 1.0, seed: int = 0) -> Ints:
    """Louvain groups of agents, shape (n,), numbered from 0; agents without contacts get NONE.

    The same groups whatever agents are called. Reference: Blondel et al. 2008, J. Stat. Mech. P10008.
    """
    links, place = canonical(links)
    return np.asarray(louvain(links, resolution=resolution, seed=seed)[place])


def louvain(links: Links, *, resolution: float = 1.0, seed: int = 0) -> Ints:
    """``partition`` of links as they are numbered: agents move in an order drawn from ``seed``."""
    labels = np.arange(links.n)
    a, b, weight = links.source, links.target, weights(links)
    inside = np.zeros(links.n)
    rng = np.random.default_rng(seed)
    while len(a):
        size = len(inside)
        strength = np.bincount(a, weight, size) + np.bincount(b, weight, size) + 2 * inside
        here = np.arange(size)
        order = rng.permutation(size)  # early agents first would end in a worse optimum
        both, ends = np.concatenate([a, b]), np.concatenate([b, a])
        by_start = np.argsort(both * size + ends)  # in one order whatever that of the links, so that ties go alike
        starts = np.searchsorted(both[by_start], np.arange(size + 1))
        pull = resolution / strength.sum()
        moved = _sweep_fast(
            starts, ends[by_start], np.concatenate([weight, weight])[by_start], strength, here, order, pull
        )
        if not moved:
            break
        _, here = np.unique(here, return_inverse=True)
        labels = here[labels]
        a, b, weight, inside = _folded(here, a, b, weight, inside)
    labels = np.unique(labels, return_inverse=True)[1]
    met = np.zeros(links.n, dtype=bool)
    met[links.source] = met[links.target] = True
    return numbered(np.where(met, labels, NONE))


def _folded(group: Ints, a: Ints, b: Ints, weight: Floats, inside: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """The graph of groups: links between different groups summed, links within kept as inner weight."""
    size = int(group.max()) + 1
    a, b = np.minimum(group[a], group[b]), np.maximum(group[a], group[b])
    within = a == b
    inner = np.bincount(group, inside, size) + np.bincount(a[within], weight[within], size)
    key, place = np.unique(a[~within] * size + b[~within], return_inverse=True)
    first, second = np.divmod(key, size)
    return first, second, np.bincount(place, weight[~within], len(key)).astype(np.float64), inner.astype(np.float64)


def numbered(labels: Ints) -> Ints:
    """Labels renumbered from 0 without gaps; NONE stays."""
    known = labels >= 0
    found = np.full(len(labels), NONE, dtype=np.int64)
    found[known] = np.unique(labels[known], return_inverse=True)[1]
    return found


def best_modularity(links: Links) -> float:
    """Modularity of the Louvain groups at resolution 1, the statistic of the test for grouping."""
    return modularity(links, louvain(links))


def alike(a: Ints, b: Ints) -> float:
    """Agreement beyond chance of two groupings over the agents in both; at most 1, chance level 0."""
    both = (a >= 0) & (b >= 0)
    if max(int(a.max(initial=0)), int(b.max(initial=0))) > FEW_GROUPS:
        return shared_information(a[both], b[both])
    return agreement_beyond_chance(a[both], b[both])
