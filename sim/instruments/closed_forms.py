"""Closed forms of loss and drift along a chain of handoffs, for comparison with what a log shows."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, hyp1f1

# Beyond this the confluent hypergeometric function loses digits or overflows, and the mean is integrated instead.
_SERIES_LIMIT = 100.0


def one_hop_cosine(sigma: float, d: int) -> float:
    """Expected cosine between a unit vector in R^d and itself after one handoff with renormalised noise.

    The handoff adds N(0, sigma^2/d) to every coordinate and renormalises; by rotational symmetry the expected cosine
    after k handoffs is exactly this number to the power k. With kappa = sqrt(d)/sigma it is
    kappa/sqrt(2) * Gamma((d+1)/2)/Gamma((d+2)/2) * 1F1(1/2; (d+2)/2; -kappa^2/2), and tends to 1/sqrt(1+sigma^2) for
    large d. For kappa^2/2 above 100 the mean of (kappa+z)/sqrt((kappa+z)^2 + chi^2_(d-1)) is integrated numerically.

    Args:
        sigma: Size of the noise, at least 0.
        d: Dimension of the vector, at least 1.

    Returns:
        The cosine, in [0, 1]; accurate to about 1e-10.
    """
    if not (sigma >= 0 and math.isfinite(sigma)) or d < 1:
        raise ValueError(f"one_hop_cosine: expected sigma >= 0 and d >= 1, got sigma {sigma} and d {d}.")
    if sigma == 0:
        return 1.0
    kappa = math.sqrt(d) / sigma
    if kappa**2 / 2 > _SERIES_LIMIT:
        return _integrated(kappa, d)
    scale = math.exp(math.log(kappa) - 0.5 * math.log(2) + gammaln((d + 1) / 2) - gammaln((d + 2) / 2))
    return float(scale * hyp1f1(0.5, (d + 2) / 2, -(kappa**2) / 2))


def _integrated(kappa: float, d: int) -> float:
    """The mean of (kappa+z)/sqrt((kappa+z)^2+r^2), z normal and r the length of d-1 normals, by quadrature."""
    if d == 1:
        return math.erf(kappa / math.sqrt(2))
    z, weight_z = np.polynomial.hermite_e.hermegauss(60)
    middle = math.sqrt(d - 1)
    start, end = max(0.0, middle - 11.0), middle + 11.0
    node, weight_r = np.polynomial.legendre.leggauss(200)
    r = (end - start) / 2 * node + (end + start) / 2
    log_density = (d - 2) * np.log(r) - r**2 / 2 - ((d - 1) / 2 - 1) * math.log(2) - gammaln((d - 1) / 2)
    density = np.exp(log_density) * weight_r * (end - start) / 2
    along = kappa + z[:, None]
    values = along / np.sqrt(along**2 + r[None, :] ** 2)
    return float(weight_z @ values @ density / math.sqrt(2 * math.pi))


def accumulated_cosine(sigma: float, d: int, hops: int) -> float:
    """Expected cosine after ``hops`` handoffs that add noise without renormalising: one hop with sigma * sqrt(hops)."""
    return one_hop_cosine(sigma * math.sqrt(hops), d)


def kept_after(hops: np.ndarray, loss: float) -> np.ndarray:
    """Expected share of requirements kept after each number of ``hops``: (1 - loss)^k, ``loss`` per bit and hop."""
    return np.asarray((1.0 - loss) ** np.asarray(hops, dtype=float))


def composed(histogram: np.ndarray, per_hop: float) -> float:
    """sum_k P(k) per_hop^k for a histogram of hops, shape (K+1,), that need not be normalised; NaN when it is empty."""
    total = float(np.sum(histogram))
    if total <= 0:
        return float("nan")
    return float(np.sum(histogram / total * per_hop ** np.arange(len(histogram))))
