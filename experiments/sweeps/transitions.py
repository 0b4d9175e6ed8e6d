"""Transitions: where along an axis a measure tips, with an interval, and how that and more depends on the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from experiments.errors import UsageProblem
from experiments.sweeps.statistics import LEVEL, difference, resampled_means, tail

RESAMPLES = 400
COLLAPSES = 60
# Values of a size at the least, for an exponent or a location.
FEWEST_SIZES = 3


@dataclass(frozen=True)
class Transition:
    """Where a curve crosses a level.

    Attributes:
        location: Value of the axis; None where there is no transition to locate, and then ``note`` says why.
        low, high: Bootstrap interval over seeds; None with the location. A bound at the end of the axis says that the
            transition may lie beyond it.
        level: Height at which it is located.
        width: Length of the axis over which the curve goes from a tenth to nine tenths of its way.
        seeds: Number of seeds.
        note: What a reader has to know.
    """

    location: float | None
    low: float | None
    high: float | None
    level: float
    width: float | None
    seeds: int
    note: str = ""


def matrix(runs: pl.LazyFrame, *, axis: str, measure: str | pl.Expr) -> tuple[np.ndarray, np.ndarray]:
    """(values of the axis ascending (k,), values of the measure (seeds, k)), NaN for runs that are not there."""
    value = pl.col(measure) if isinstance(measure, str) else measure
    good = runs.filter(pl.col("status") == "complete")
    table = good.select(axis, "seed", value.cast(pl.Float64).alias("value")).collect()
    wide = table.pivot(axis, index="seed", values="value", aggregate_function="mean").sort("seed")
    at = sorted(table[axis].unique().to_list())
    return np.asarray(at, dtype=np.float64), wide.select(str(v) for v in at).fill_null(np.nan).to_numpy()


def locate(
    x: np.ndarray, values: np.ndarray, *, level: float | None = None, confidence: float = LEVEL, seed: int = 0
) -> Transition:
    """Where the mean curve crosses ``level``.

    The means are made monotone (isotonic regression), and the crossing is interpolated between neighbours, so no shape of
    the curve is assumed. There is a transition only when the two ends of the axis differ beyond chance.

    Args:
        x: Values of the axis, ascending, shape (k,), k at least 2.
        values: One row for each seed, shape (seeds, k); NaN where there is none.
        level: Height to cross; halfway between the means at the two ends when None.
        confidence: Level of the interval.
        seed: Of the resampling.
    """
    n = len(values)
    if len(x) < 2 or n < 2:
        return Transition(None, None, None, level or 0.0, None, n, "expected at least 2 values of the axis and 2 seeds")
    means = np.nanmean(values, axis=0)
    height = float((means[0] + means[-1]) / 2) if level is None else level
    ends = difference(values[:, 0], values[:, -1], level=confidence)
    if not (ends.low > 0 or ends.high < 0 or (ends.difference != 0 and ends.low == ends.high)):
        return Transition(None, None, None, height, None, n, "the two ends of the axis do not differ beyond chance")
    rising = ends.difference > 0
    if not min(means[0], means[-1]) <= height <= max(means[0], means[-1]):
        return Transition(None, None, None, height, None, n, "the curve does not reach the level at both ends")
    drawn = resampled_means(values, resamples=RESAMPLES, seed=seed)
    found = np.array([crossing(x, curve, height, rising=rising) for curve in drawn])
    cut = tail(confidence, n)
    low, high = (float(v) for v in np.quantile(found, [cut, 1 - cut]))
    first, last = means[0] + 0.1 * (means[-1] - means[0]), means[0] + 0.9 * (means[-1] - means[0])
    width = crossing(x, means, last, rising=rising) - crossing(x, means, first, rising=rising)
    note = "the interval reaches the end of what was compared" if low <= x[0] or high >= x[-1] else ""
    return Transition(crossing(x, means, height, rising=rising), low, high, height, width, n, note)


def crossing(x: np.ndarray, curve: np.ndarray, level: float, *, rising: bool) -> float:
    """Where a monotone version of ``curve`` crosses ``level``; an end of the axis where it stays on one side."""
    known = ~np.isnan(curve)
    at, heights = x[known], curve[known] if rising else -curve[known]
    height = level if rising else -level
    smooth = isotonic(heights)
    if smooth[0] >= height:
        # A whole stretch at the level counts by its middle.
        return float((at[0] + at[smooth <= height].max(initial=at[0])) / 2)
    if smooth[-1] < height:
        return float(at[-1])
    i = int(np.argmax(smooth >= height))
    if smooth[i] == height:
        return float((at[i] + at[smooth == height].max()) / 2)
    return float(at[i - 1] + (at[i] - at[i - 1]) * (height - smooth[i - 1]) / (smooth[i] - smooth[i - 1]))


def isotonic(values: np.ndarray) -> np.ndarray:
    """The closest non-decreasing sequence (pool adjacent violators, Ayer et al. 1955)."""
    levels: list[float] = []
    sizes: list[int] = []
    for value in values:
        levels.append(float(value))
        sizes.append(1)
        while len(levels) > 1 and levels[-2] > levels[-1]:
            size = sizes[-2] + sizes[-1]
            levels[-2] = (levels[-2] * sizes[-2] + levels[-1] * sizes[-1]) / size
            sizes[-2] = size
            del levels[-1], sizes[-1]
    return np.repeat(levels, sizes)


@dataclass(frozen=True)
class Scaling:
    """How a measure grows with the size.

    Attributes:
        exponent: Slope of log mean against log size.
        low, high: Bootstrap interval over seeds.
        factor: mean = factor * size ** exponent.
        local: (size, size, exponent) between neighbours. Where these drift, the law is not reached yet, and the exponent
            belongs to these sizes only.
    """

    exponent: float
    low: float
    high: float
    factor: float
    local: tuple[tuple[float, float, float], ...]


def scaling(
    samples: Mapping[float, Sequence[float] | np.ndarray], *, confidence: float = LEVEL, seed: int = 0
) -> Scaling:
    """The exponent by which the mean of a positive measure grows with the size.

    Args:
        samples: Size to its values, one a seed; NaN are left out.
        confidence: Level of the interval.
        seed: Of the resampling.

    Raises:
        UsageProblem: For fewer than 3 sizes, a size with fewer than 2 values, or values that are not positive.
    """
    sizes = sorted(samples)
    columns = [np.asarray(samples[size], dtype=np.float64) for size in sizes]
    columns = [column[~np.isnan(column)] for column in columns]
    if len(sizes) < FEWEST_SIZES or min(len(c) for c in columns) < 2 or min(c.mean() for c in columns) <= 0:
        raise UsageProblem("scaling: expected at least 3 sizes with at least 2 values each and positive means.")
    at = np.log(np.asarray(sizes, dtype=np.float64))
    means = np.log([column.mean() for column in columns])
    slope, offset = np.polyfit(at, means, 1)
    drawn = np.column_stack([resampled_means(c[:, None], seed=seed + i)[:, 0] for i, c in enumerate(columns)])
    slopes = np.polyfit(at, np.log(drawn).T, 1)[0]
    cut = tail(confidence, min(len(c) for c in columns))
    low, high = np.quantile(slopes, [cut, 1 - cut])
    steps = np.diff(means) / np.diff(at)
    local = tuple((a, b, float(e)) for a, b, e in zip(sizes[:-1], sizes[1:], steps, strict=True))
    return Scaling(float(slope), float(low), float(high), float(np.exp(offset)), local)


@dataclass(frozen=True)
class _Curves:
    """Curves of several sizes: for each size its x, means and their errors."""

    sizes: tuple[float, ...]
    x: tuple[np.ndarray, ...]
    means: tuple[np.ndarray, ...]
    errors: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Collapse:
    """Curves of several sizes on one: y size**shift against (x - location) size**stretch.

    Attributes:
        location: Of the transition for an infinite system.
        stretch: 1/nu. shift: beta/nu; 0 when it was held there.
        low, high: Bootstrap interval of the location.
        stretch_low, stretch_high: Of the stretch.
        quality: Root mean square distance between the collapsed curves, in standard errors; about 1 is a collapse.
    """

    location: float
    low: float
    high: float
    stretch: float
    stretch_low: float
    stretch_high: float
    shift: float
    quality: float


def collapse(
    curves: Mapping[float, tuple[np.ndarray, np.ndarray]],
    *,
    free_shift: bool = False,
    confidence: float = LEVEL,
    seed: int = 0,
) -> Collapse:
    """Finite-size scaling: the location and the exponents by which curves of several sizes fall on one.

    Least squares of the distance of each point to the other sizes' curves, interpolated (Bhattacharjee and Seno 2001,
    J. Phys. A 34:6375), by simplex search from a grid of starts.

    Args:
        curves: Size to (x, shape (k,), ascending; values, shape (seeds, k)).
        free_shift: Fit beta/nu as well; a share or a ratio of moments needs none.
        confidence: Level of the intervals.
        seed: Of the resampling.

    Raises:
        UsageProblem: For fewer than 3 sizes, or fewer than 3 seeds of one.
    """
    sizes = sorted(curves)
    if len(sizes) < FEWEST_SIZES or min(len(curves[s][1]) for s in sizes) < 3:
        raise UsageProblem("collapse: expected at least 3 sizes with at least 3 seeds each.")
    errors = [np.nanstd(curves[s][1], axis=0, ddof=1) / np.sqrt(len(curves[s][1])) for s in sizes]
    least = max(1e-9, float(np.median(np.concatenate(errors))))
    errors = [np.maximum(e, least) for e in errors]
    means = [np.nanmean(curves[s][1], axis=0) for s in sizes]
    known = _Curves(tuple(sizes), tuple(curves[s][0] for s in sizes), tuple(means), tuple(errors))
    whole = np.concatenate(known.x)
    starts = [(c, a, 0.0) for c in np.linspace(whole.min(), whole.max(), 7)[1:-1] for a in (0.25, 0.5, 1.0)]
    best = min((_fit(known, start, free_shift) for start in starts), key=lambda found: found[1])
    drawn = [resampled_means(curves[s][1], resamples=COLLAPSES, seed=seed + i) for i, s in enumerate(sizes)]
    again = [replace(known, means=tuple(d[k] for d in drawn)) for k in range(COLLAPSES)]
    fits = np.array([_fit(one, tuple(best[0]), free_shift)[0] for one in again])
    cut = tail(confidence, min(len(curves[s][1]) for s in sizes))
    (low, s_low), (high, s_high) = np.quantile(fits[:, :2], [cut, 1 - cut], axis=0)
    location, stretch, shift = (float(v) for v in best[0])
    quality = float(np.sqrt(best[1]))
    return Collapse(location, float(low), float(high), stretch, float(s_low), float(s_high), shift, quality)


def _fit(curves: _Curves, start: Sequence[float], free_shift: bool) -> tuple[np.ndarray, float]:
    """(location, stretch, shift) of the best collapse near ``start``, and its mean squared distance."""
    from scipy.optimize import minimize

    span = max(float(x.max()) for x in curves.x) - min(float(x.min()) for x in curves.x)

    def far(parameters: np.ndarray) -> float:
        shift = parameters[2] if free_shift else 0.0
        if not 0 < parameters[1] < 5 or abs(shift) > 5:
            return 1e6
        return _distance(curves, parameters[0], parameters[1], shift)

    first = np.array(start[: 3 if free_shift else 2], dtype=np.float64)
    steps = np.array([span / 8, 0.2, 0.1])[: len(first)]
    simplex = np.vstack([first, first + np.diag(steps)])
    found = minimize(
        far, first, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 1e-5, "fatol": 1e-6}
    )
    made = found.x if free_shift else np.append(found.x, 0.0)
    return made, float(found.fun)


def _distance(curves: _Curves, location: float, stretch: float, shift: float) -> float:
    """Mean squared distance between each point and the other sizes' curves, in its own standard errors."""
    sizes = curves.sizes
    xs = [(x - location) * size**stretch for x, size in zip(curves.x, sizes, strict=True)]
    ys = [y * size**shift for y, size in zip(curves.means, sizes, strict=True)]
    es = [e * size**shift for e, size in zip(curves.errors, sizes, strict=True)]
    total, counted, points = 0.0, 0, sum(len(x) for x in xs)
    for i, (x, y, e) in enumerate(zip(xs, ys, es, strict=True)):
        for j in range(len(sizes)):
            inside = (x >= xs[j][0]) & (x <= xs[j][-1])
            if i != j and inside.any():
                there, spread = np.interp(x[inside], xs[j], ys[j]), np.interp(x[inside], xs[j], es[j])
                total += float((((y[inside] - there) ** 2) / (e[inside] ** 2 + spread**2)).sum())
                counted += int(inside.sum())
    # Curves that were pushed apart until they do not overlap are no collapse.
    return total / counted if counted >= points else 1e3 + points - counted
