"""Directed spectral embedding of contacts, k-means, and the share of contacts that varies along a few lines.

Two agents are stochastically equivalent when their contacts go to, and come from, the same classes at the same rates,
each in proportion to how active it is. Such agents lie near each other in the space of leading singular vectors.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.linalg import eigh
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import LinearOperator, svds

from sim.detectors.nulls import Links
from sim.detectors.window import Floats, Ints

DENSE = 300  # agents up to which matrices are dense
STARTS, ROUNDS = 5, 50  # of k-means
LEADING = 2  # singular directions in the test statistic
POWER_STEPS = 6

Space = tuple[Floats, Floats, bool]


def both_ways(links: Links) -> tuple[Ints, Ints, Floats]:
    """Sources, targets and log-compressed contacts; undirected links run both ways."""
    weight = np.log1p(links.count)
    if links.directed:
        return links.source, links.target, weight
    ends = np.concatenate([links.source, links.target]), np.concatenate([links.target, links.source])
    return (*ends, np.concatenate([weight, weight]))


def spaces(links: Links, dims: int) -> tuple[Space, ...]:
    """Two embeddings, each (out-vectors, in-vectors, whether rows are normalised), shape (n, dims), scaled by root s.

    Both are singular vectors of (W - E) / sqrt((out + mean out)(in + mean in)). The first leaves E = 0: it keeps how
    active an agent is, and survives the sparsest graphs; the second takes off E = out in / total, and with normalised
    rows tells agents of unlike activity apart by whom they meet alone. Which of the two starts the better fit varies.
    References: Rohe, Qin, Yu 2016, PNAS 113:12679 (directed); Qin & Rohe 2013 (regularisation).
    """
    source, target, weight = both_ways(links)
    out, into = (np.bincount(e, weight, links.n) for e in (source, target))
    scale = np.sqrt(out + out.mean()), np.sqrt(into + into.mean())
    table = coo_array((weight / (scale[0][source] * scale[1][target]), (source, target)), shape=(links.n, links.n))
    share = out / (scale[0] * weight.sum()), into / scale[1]
    found = []
    for less in (False, True):
        u, s, v = _svd(table.tocsr(), share if less else None, dims)
        found.append((u * np.sqrt(s), v * np.sqrt(s), less))
    return tuple(found)


def _svd(table: csr_array, share: tuple[Floats, Floats] | None, dims: int) -> tuple[Floats, Floats, Floats]:
    """Leading singular triplets of ``table`` less the outer product of ``share``, the largest first."""
    n = table.shape[0]
    if n <= DENSE or dims >= n - 1:
        full = table.toarray() if share is None else table.toarray() - np.outer(*share)
        u, s, v = np.linalg.svd(full)
        return u[:, :dims], s[:dims], v[:dims].T
    a, b = share if share is not None else (np.zeros(n), np.zeros(n))
    operator = LinearOperator(
        (n, n),
        matvec=lambda x: table @ x - a * (b @ x),
        rmatvec=lambda x: table.T @ x - b * (a @ x),
        dtype=np.float64,
    )
    u, s, v = svds(operator, k=dims, v0=np.ones(n))
    order = np.argsort(-s)
    return u[:, order], s[order], v[order].T


def _squared(points: Floats, centres: Floats, i: int, c: int) -> float:
    total = 0.0
    for d in range(points.shape[1]):
        total += (points[i, d] - centres[c, d]) ** 2
    return total


_far = njit(cache=True)(_squared)


def _seeded(points: Floats, draws: Floats) -> Floats:
    """k-means++: each further centre is a point drawn in proportion to its squared distance from those before."""
    n, k = len(points), len(draws)
    centres = np.empty((k, points.shape[1]))
    centres[0] = points[min(int(draws[0] * n), n - 1)]
    near = np.full(n, np.inf)
    for c in range(1, k):
        for i in range(n):
            near[i] = min(near[i], _far(points, centres, i, c - 1))
        left, i = draws[c] * near.sum(), 0
        while i < n - 1 and left >= near[i]:
            left -= near[i]
            i += 1
        centres[c] = points[i]
    return centres


def _nearest(points: Floats, centres: Floats, labels: Ints) -> float:
    """Label each point with its nearest centre; the sum of squared distances."""
    total = 0.0
    for i in range(len(points)):
        best = np.inf
        for c in range(len(centres)):
            far = _far(points, centres, i, c)
            if far < best:
                best, labels[i] = far, c
        total += best
    return total


seeded, nearest = njit(cache=True)(_seeded), njit(cache=True)(_nearest)


def _lloyd(points: Floats, draws: Floats, rounds: int) -> tuple[float, Ints]:
    """Lloyd's moves until the cost no longer falls: the cost and the labels. A cluster without points stays in place."""
    centres, labels = seeded(points, draws), np.zeros(len(points), dtype=np.int64)
    cost = np.inf
    for _ in range(rounds):
        now = nearest(points, centres, labels)
        if now >= cost * (1.0 - 1e-9):
            break
        cost = now
        size, sums = np.zeros(len(centres)), np.zeros(centres.shape)
        for i in range(len(points)):
            size[labels[i]] += 1.0
            sums[labels[i]] += points[i]
        for c in range(len(centres)):
            if size[c] > 0:
                centres[c] = sums[c] / size[c]
    return cost, labels


_lloyd_fast = njit(cache=True)(_lloyd)


def k_means(points: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Labels of the best of STARTS runs of Lloyd's k-means from k-means++ centres (Arthur & Vassilvitskii 2007).

    Args:
        points: Shape (n, dims), n >= 1.
        k: Number of clusters, at least 1; some may end up empty when points coincide.
        rng: Draws the first centres.
    """
    best, found = np.inf, np.zeros(len(points), dtype=np.int64)
    for draws in rng.random((STARTS, k)):
        cost, labels = _lloyd_fast(points, draws, ROUNDS)
        if cost < best:
            best, found = cost, labels
    return found


def leading_share(links: Links) -> float:
    """How far the contacts of everybody vary along the same few lines, beyond degrees: share of the squared deviation.

    Definition: the LEADING largest squared singular values of the normalised deviation R = (W - out in / total) /
    sqrt((out + mean out)(in + mean in)) of log-compressed contacts, over the sum of all of them. Range: [0, 1]. Low:
    every agent differs in its own way; high: classes of agents (k of them leave k - 1 directions), or any other order
    of low rank. Chance level: about 4 LEADING / n on dense random graphs, higher with heavy degrees, so it is only read
    against N1R. Null: N1R. What fools it: teams and ladders have it too, so it says that classes exist, not which kind.
    References: Bickel & Sarkar 2016, J. R. Stat. Soc. B 78:253 (largest eigenvalue as a test of one block); Lei 2016.

    Beyond DENSE agents the singular values are those after POWER_STEPS rounds from a fixed start, the same for a graph
    and its surrogates.
    """
    source, target, weight = both_ways(links)
    n, total = links.n, weight.sum()
    if total <= 0:
        return 0.0
    out, into = np.bincount(source, weight, n), np.bincount(target, weight, n)
    left, right = np.sqrt(out + out.mean()), np.sqrt(into + into.mean())
    a, b = out / left, into / (right * total)
    if n <= DENSE:
        deviation = np.bincount(source * n + target, weight / (left[source] * right[target]), n * n).reshape(n, n)
        deviation -= np.outer(a, b)
        gram = deviation @ deviation.T
        top = eigh(gram, eigvals_only=True, subset_by_index=[max(n - LEADING, 0), n - 1], check_finite=False)
        return float(top.sum() / np.trace(gram))
    table = csr_array((weight / (left[source] * right[target]), (source, target)), shape=(n, n))
    whole = float((table.data * (table.data - 2.0 * a[source_of(table)] * b[table.indices])).sum() + (a @ a) * (b @ b))
    return _power_sum(table, a, b) / whole


def source_of(table: csr_array) -> Ints:
    """Row of every stored entry of a sparse table."""
    return np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))


def _power_sum(table: csr_array, a: Floats, b: Floats) -> float:
    """Sum of the LEADING squared singular values of ``table`` less a b^T, by block power iteration from a fixed start."""
    block = np.random.default_rng(0).standard_normal((table.shape[0], 3 * LEADING))
    for _ in range(POWER_STEPS):
        block, _ = np.linalg.qr(block)
        block = table @ block - np.outer(a, b @ block)
        block = table.T @ block - np.outer(b, a @ block)
    # block = (R^T R) Q with orthonormal Q of the last round: its singular values approach the squared ones of R.
    return float(np.linalg.svd(block, compute_uv=False)[:LEADING].sum())
