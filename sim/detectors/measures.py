"""Measures shared by detectors: order of directed graphs, agreement of partitions, dependence of receivers on types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from sim.detectors.window import Floats, Ints

RIDGE = 1e-9
DENSE = 200  # agents up to which the trophic equations are solved as a dense system


def trophic_levels(n: int, source: Ints, target: Ints, weight: Floats) -> Floats:
    """Levels h of a weighted directed graph: how far downstream each agent is, in steps.

    Definition: the least-squares levels in which each link wants to climb by one. Formula: (D_in + D_out - W - W^T) h =
    in - out, solved per connected part, lowest level 0. Range: [0, n); agents without links get 0. Low: upstream
    (gives), high: downstream (receives). Chance level and null: none, levels are a description; the test is on
    ``order``. Reference: MacKay, Johnson, Sansom 2020, R. Soc. Open Sci. 7:201138, eq. 2.6.

    Args:
        n: Number of agents.
        source: Givers, shape (links,).
        target: Receivers, shape (links,).
        weight: Positive weights, shape (links,).
    """
    if len(source) == 0:
        return np.zeros(n)
    h = _potential(n, source, target, weight)
    _, part = connected_components(coo_array((weight, (source, target)), shape=(n, n)), directed=False)
    lowest = np.full(part.max() + 1, np.inf)
    np.minimum.at(lowest, part, h)
    return np.asarray(h - lowest[part], dtype=np.float64)


def _potential(n: int, source: Ints, target: Ints, weight: Floats) -> Floats:
    """Solution of the level equations up to a constant per connected part."""
    inward, outward = np.bincount(target, weight, n), np.bincount(source, weight, n)
    # The ridge picks the solution with mean 0 in each part; the right side sums to 0 there, so nothing else changes.
    diagonal = inward + outward + RIDGE * weight.max()
    if n <= DENSE:
        flow = np.bincount(source * n + target, weight, n * n).reshape(n, n)
        laplacian = -(flow + flow.T)
        laplacian[np.diag_indices(n)] += diagonal
        return np.asarray(np.linalg.solve(laplacian, inward - outward), dtype=np.float64)
    flow = coo_array((weight, (source, target)), shape=(n, n)).tocsr()
    system = diags_array(diagonal) - flow - flow.T
    return np.asarray(cg(system, inward - outward, rtol=1e-6, maxiter=2000)[0], dtype=np.float64)


def order(n: int, source: Ints, target: Ints, weight: Floats) -> float:
    """Trophic coherence 1 - F0: how far the links of a directed graph all climb one common ladder.

    Definition: one minus trophic incoherence. Formula: 1 - sum w (h_target - h_source - 1)^2 / sum w.
    Range: [0, 1]. Low: no common direction (ring, mesh, replies to everything), high: perfectly layered; every tree and
    chain has 1 whatever the orientation of its links. Chance level: depends on degrees and density, 0.02-0.1 in dense
    graphs, so it is only ever read against a null (N1, NT, NR). Reference: MacKay, Johnson, Sansom 2020, eq. 2.10.
    """
    total = weight.sum()
    if total <= 0:
        return 0.0
    h = _potential(n, source, target, weight)
    return float(1.0 - (weight * (h[target] - h[source] - 1.0) ** 2).sum() / total)


def flow_hierarchy(n: int, source: Ints, target: Ints, weight: Floats) -> float:
    """Share of the flow on links that lie on no cycle (Luo & Magee 2011).

    Definition: weight of links between different strongly connected parts over all weight. Range: [0, 1]; 0: all flow
    may come back, 1: nothing comes back. Chance level: 0 in any dense random graph. Null: N1, with ``order``.
    """
    if weight.sum() <= 0:
        return 0.0
    graph = coo_array((weight, (source, target)), shape=(n, n)).tocsr()
    _, part = connected_components(graph, directed=True, connection="strong")
    return float(weight[part[source] != part[target]].sum() / weight.sum())


def table(a: Ints, b: Ints) -> Floats:
    """Contingency table of two labellings (values >= 0) of the same things, shape (max a + 1, max b + 1)."""
    rows, columns = int(a.max(initial=-1)) + 1, int(b.max(initial=-1)) + 1
    return np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns).astype(np.float64)


def _entropy(counts: Floats) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def shared_information(a: Ints, b: Ints) -> float:
    """Normalised mutual information of two labellings, 2 I(a;b) / (H(a) + H(b)).

    Range: [0, 1]; 1: the same partition, 0: independent. Chance level: above 0 for small groups, so it is read against
    N4 (or use ``agreement_beyond_chance``). Two trivial labellings agree fully. Reference: Danon et al. 2005.
    """
    if len(a) == 0:
        return 0.0
    joint = table(a, b)
    ha, hb = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    if ha + hb == 0.0:
        return 1.0
    return 2.0 * (ha + hb - _entropy(joint.ravel())) / (ha + hb)


def agreement_beyond_chance(a: Ints, b: Ints) -> float:
    """Adjusted mutual information of two labellings, with the arithmetic mean of entropies.

    Formula: (I - E[I]) / (mean(H(a), H(b)) - E[I]), E over random permutations (Vinh, Epps, Bailey 2010, eq. 24a).
    Range: at most 1 (the same partition); chance level 0. Null: labels permuted. Cost grows with groups squared.
    """
    if len(a) == 0:
        return 0.0
    joint = table(a, b)
    ha, hb = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    information = ha + hb - _entropy(joint.ravel())
    expected = _expected_information(joint.sum(axis=1), joint.sum(axis=0))
    room = (ha + hb) / 2.0 - expected
    return 1.0 if abs(room) < 1e-12 else float((information - expected) / room)


def _expected_information(rows: Floats, columns: Floats) -> float:
    """E[I] under the hypergeometric model, summed over the possible cell counts of every pair of groups."""
    from scipy.special import gammaln

    total = rows.sum()
    log_factorial: NDArray[np.float64] = gammaln(np.arange(int(total) + 2) + 1.0)
    expected = 0.0
    for a in rows[rows > 0].astype(np.int64):
        for b in columns[columns > 0].astype(np.int64):
            k = np.arange(max(1, a + b - int(total)), min(a, b) + 1)
            if len(k) == 0:
                continue
            log_p = (
                log_factorial[a] + log_factorial[b] + log_factorial[int(total) - a] + log_factorial[int(total) - b]
                - log_factorial[int(total)] - log_factorial[k] - log_factorial[a - k] - log_factorial[b - k]
                - log_factorial[int(total) - a - b + k]
            )  # fmt: skip
            expected += float((k / total * np.log(total * k / (a * b)) * np.exp(log_p)).sum())
    return expected


def routing_information(counts: Floats, giver: Ints, n: int) -> Floats:
    """How much an agent's receiver depends on the task type, per type, in bits per handoff.

    Definition: mean divergence of the receivers used for type s from the receivers the same sender uses for all types.
    Formula: I_s = (1/n_s) sum_ij n_sij log2(n_sij n_i / (n_si n_ij)), n_sij = handoffs of type s from i to j. Range:
    [0, log2(receivers)]. Low: receivers do not depend on the type; high: each type has its own way. Chance level: about
    (receivers - 1) / (2 ln 2 handoffs per sender and type), so read it against its mean under NT. Null: NT.
    Reference: conditional mutual information, Cover & Thomas 2006, ch. 2; bias as in Miller & Madow 1955.

    Args:
        counts: Handoffs by type and slot, shape (types, slots).
        giver: Sender of each slot, shape (slots,), not decreasing.
        n: Number of agents.
    """
    if counts.size == 0:
        return np.zeros(len(counts))
    per_sender = sums_by(counts, giver, n)
    slot_total, sender_total = counts.sum(axis=0), per_sender.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = counts * np.log2(counts * sender_total[giver] / (per_sender[:, giver] * slot_total))
        return np.asarray(np.nan_to_num(bits, nan=0.0, posinf=0.0, neginf=0.0).sum(axis=1) / counts.sum(axis=1))


def sums_by(values: Floats, group: Ints, groups: int) -> Floats:
    """Sum ``values`` of shape (rows, slots) over the slots of each group: shape (rows, groups)."""
    return np.stack([np.bincount(group, weights=row, minlength=groups) for row in values])
