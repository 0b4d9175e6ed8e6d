"""Intervals: 95 % bounds for ratios of sums over groups, and for any statistic by resampling groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import t as student

FEWEST_GROUPS = 5
LEVEL = 0.95


def ratio(
    top: np.ndarray, bottom: np.ndarray, group: np.ndarray, *, low: float = -np.inf, high: float = np.inf
) -> tuple[float | None, float | None, float | None]:
    """The ratio sum(top) / sum(bottom) with its 95 % interval.

    Batch means for ratios: with group sums T_b and B_b over G groups and r the ratio, the variance of r is
    G/(G-1) * sum (T_b - r B_b)^2 / (sum B_b)^2, and the bounds are r -+ t(G-1) standard errors. Groups that follow each
    other in time carry the dependence between neighbouring observations inside them, where it does no harm as long as
    it is shorter than a group. (Batch means: Law, Simulation Modeling and Analysis, chapter on output analysis; the
    variance is that of the ratio estimator of survey sampling.)

    Args:
        top: One number per observation, shape (n,).
        bottom: One number per observation, shape (n,).
        group: Group of each observation, shape (n,).
        low: Least possible ratio; the bounds are cut to it.
        high: Greatest possible ratio.

    Returns:
        (value, low, high); all None when sum(bottom) is 0, the bounds None with fewer than 5 groups in use.
    """
    total = float(np.sum(bottom))
    if len(bottom) == 0 or total == 0:
        return None, None, None
    value = float(np.sum(top)) / total
    _, index = np.unique(group, return_inverse=True)
    tops, bottoms = np.bincount(index, weights=top), np.bincount(index, weights=bottom)
    used = len(tops)
    if used < FEWEST_GROUPS:
        return value, None, None
    spread = float(np.sqrt(used / (used - 1) * np.sum((tops - value * bottoms) ** 2))) / abs(total)
    reach = float(student.ppf((1 + LEVEL) / 2, used - 1)) * spread
    return value, max(low, min(value - reach, high)), min(high, max(value + reach, low))


def share(flags: np.ndarray, group: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """The share of true ``flags``, shape (n,), with its 95 % interval: that of ``ratio``.

    Where all flags are alike the groups show no spread; the open bound is then the exact binomial one (Clopper and
    Pearson 1934), 1 - 0.025^(1/n), which takes the observations for independent.
    """
    value, low, high = ratio(flags.astype(float), np.ones(len(flags)), group, low=0.0, high=1.0)
    if value in (0.0, 1.0) and low is not None:
        reach = 1 - ((1 - LEVEL) / 2) ** (1 / len(flags))
        return (value, 0.0, reach) if value == 0.0 else (value, 1 - reach, 1.0)
    return value, low, high


def mean_of_groups(
    values: np.ndarray, *, low: float = -np.inf, high: float = np.inf
) -> tuple[float | None, float | None, float | None]:
    """The mean of one value per group, shape (groups,), with its 95 % t interval; bounds None below 5 groups."""
    known = values[np.isfinite(values)]
    return ratio(known, np.ones(len(known)), np.arange(len(known)), low=low, high=high)


def bootstrap(
    counts: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    draws: np.random.Generator,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    resamples: int = 400,
) -> tuple[float | None, float | None]:
    """The 95 % basic bootstrap interval of ``statistic`` of the summed ``counts``, by drawing groups with replacement.

    The basic interval (2 s - upper quantile, 2 s - lower quantile) also corrects statistics that read too high on
    resampled counts, as measures of inequality do.

    Args:
        counts: Counts per group and category, shape (groups, categories).
        statistic: Function of an array of shape (categories,).
        draws: Where the resampling draws from.
        low: Least possible value; the bounds are cut to it.
        high: Greatest possible value.
        resamples: Number of resamples; fewer when the array is large.

    Returns:
        (low, high), both None with fewer than 5 groups that hold anything.
    """
    used = counts[counts.sum(axis=1) > 0]
    if len(used) < FEWEST_GROUPS:
        return None, None
    resamples = int(np.clip(2e7 / max(1, used.shape[1]), 50, resamples))
    weights = draws.multinomial(len(used), np.full(len(used), 1 / len(used)), size=resamples)
    drawn = np.array([statistic(row @ used) for row in weights])
    value = statistic(used.sum(axis=0))
    upper, lower = np.quantile(drawn, [(1 + LEVEL) / 2, (1 - LEVEL) / 2])
    return float(np.clip(min(2 * value - upper, value), low, high)), float(
        np.clip(max(2 * value - lower, value), low, high)
    )
