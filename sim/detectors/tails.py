"""Tails: p-values of coefficients whose series are skewed or peaked, so that the sum of their products is not normal."""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc, gammaincc, ndtr, stdtr

from sim.detectors.window import Floats


def scored(values: Floats, weight: Floats) -> Floats:
    """Values less their mean, in standard deviations; 0 where they do not vary."""
    moved = values - np.average(values, weights=weight)
    return np.asarray(moved / max(float(np.sqrt(np.average(moved**2, weights=weight))), 1e-150))


def skew_of(values: Floats, weight: Floats) -> float:
    """Skewness; 0 for values that do not vary."""
    return float(np.average(scored(values, weight) ** 3, weights=weight))


def peak_of(values: Floats, weight: Floats) -> float:
    """Excess kurtosis, at least 0."""
    return max(float(np.average(scored(values, weight) ** 4, weights=weight)) - 3.0, 0.0)


def heavy_tails(t: Floats, freedom: int, peak: Floats) -> Floats:
    """Two-sided p of t-values when the products they sum have excess kurtosis ``peak``, by the t-distribution as peaked.

    Where two agents rarely do other than they are told, few coincidences decide: for five agents and 100 times one in
    seven worlds of lone deciders had a pair beyond the normal tail. The sum of T products has excess kurtosis peak / T,
    and the t-distribution with 4 + 6 T / peak degrees of freedom has that too.
    """
    z = np.abs(_standard(t, freedom))
    degrees = 4.0 + 6.0 * max(freedom, 1) / np.maximum(peak, 1e-6)
    return np.asarray(2.0 * stdtr(degrees, -z * np.sqrt(degrees / (degrees - 2.0))))


def skewed_tails(t: Floats, freedom: int, skew: Floats) -> Floats:
    """Two-sided p of t-values when the products they sum have skewness ``skew``, by a shifted gamma distribution.

    The skewness of a correlation under rearrangement is the product of both skewnesses over the root of their number
    (Pearson type III, after Mielke 1984, Handbook of Statistics 4:813).
    """
    z = _standard(t, freedom)
    bent = np.abs(skew) / np.sqrt(max(freedom, 1))
    shape = 4.0 / np.maximum(bent, 0.02) ** 2
    right, left = [np.maximum(shape + side * np.abs(z) * np.sqrt(shape), 0.0) for side in (1, -1)]
    bent_tails = gammaincc(shape, right) + gammainc(shape, left)
    return np.asarray(np.minimum(np.where(bent < 0.02, 2.0 * ndtr(-np.abs(z)), bent_tails), 1.0))


def _standard(t: Floats, freedom: int) -> Floats:
    """t-values as correlations in units of their standard deviation."""
    return np.asarray(t / np.sqrt(t**2 + max(freedom, 1)) * np.sqrt(max(freedom, 1) + 1.0))
