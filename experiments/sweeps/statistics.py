"""Statistics of a sweep: means with intervals, comparisons paired by seed with effect sizes, corrected for how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from experiments.errors import UsageProblem
from sim.detectors.surrogates import q_values
from sim.registry import suggest

RESAMPLES = 1_000
FLIPS = 9_999
LEVEL = 0.95
FEWEST = 2  # seeds below which nothing has an interval
# Columns that are no measures.
ABOUT = {"key", "point", "seed", "status", "mind", "error", "folder", "n_windows", "n_structures"}
TIMES = ("simulation_s", "measuring_s")


def measure_columns(runs: pl.LazyFrame, *, axes: Sequence[str] = ()) -> list[str]:
    """Columns of ``runs`` that hold numbers measured on a run."""
    skip = {*ABOUT, *TIMES, *axes}
    return [name for name, kind in runs.collect_schema().items() if kind.is_numeric() and name not in skip]


def tail(level: float, n: int) -> float:
    """Share to cut off at each side of a bootstrap distribution of a mean of ``n`` observations.

    The percentile interval is too narrow for few observations; the expanded one takes the tail Phi(-sqrt(n/(n-1)) t)
    with t the quantile of Student's distribution (Hesterberg 2015, The American Statistician 69:371).
    """
    from scipy.stats import norm
    from scipy.stats import t as student

    return float(norm.cdf(-np.sqrt(n / (n - 1)) * student.ppf((1 + level) / 2, n - 1)))


def resampled_means(values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Means over the seeds of bootstrap samples of seeds; the same samples for all columns, so that differences pair.

    Args:
        values: Shape (seeds, columns), NaN where there is no value.
        resamples: Number of samples.
        seed: Of the resampling.

    Returns:
        Shape (resamples, columns); NaN where a sample holds no value.
    """
    n = len(values)
    rng = np.random.default_rng([seed, n])
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    there = ~np.isnan(values)
    totals, counted = weights @ np.where(there, values, 0.0), weights @ there.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(totals / counted)


def bounds(means: np.ndarray, n: np.ndarray, *, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Expanded percentile bounds of each column of bootstrap ``means``; NaN for fewer than two observations."""
    low, high = np.full(means.shape[1], np.nan), np.full(means.shape[1], np.nan)
    for count in np.unique(n):
        if count >= FEWEST:
            which = np.flatnonzero(n == count)
            cut = tail(level, int(count))
            with np.errstate(invalid="ignore"):
                low[which], high[which] = np.nanquantile(means[:, which], [cut, 1 - cut], axis=0)
    return low, high


def interval(
    values: Sequence[float] | np.ndarray, *, level: float = LEVEL, seed: int = 0
) -> tuple[float, float, float]:
    """(mean, low, high) of independent observations: the expanded bootstrap interval; NaN bounds for fewer than two."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)][:, None]
    if len(known) == 0:
        return float("nan"), float("nan"), float("nan")
    low, high = bounds(resampled_means(known, seed=seed), np.array([len(known)]), level=level)
    return float(known.mean()), float(low[0]), float(high[0])


def summary(
    runs: pl.LazyFrame, *, axes: Sequence[str], measures: Sequence[str] | None = None, level: float = LEVEL
) -> pl.DataFrame:
    """Every measure at every point, with its interval over seeds.

    Args:
        runs: ``load(folder)``.
        axes: Names of the axes.
        measures: Columns; all numeric ones when None.
        level: Level of the intervals.

    Returns:
        ``point``, the axes, ``measure, n, mean, sd, low, high``; failed runs are left out.
    """
    chosen = _known(runs, measures or measure_columns(runs, axes=axes))
    good = runs.filter(pl.col("status") == "complete")
    table = good.select("point", "seed", *axes, *(pl.col(m).cast(pl.Float64) for m in chosen)).collect()
    where = table.select("point", *axes).unique(subset="point", maintain_order=True).sort("point")
    seeds = table["seed"].unique().sort()
    rows = table["seed"].rank("dense").to_numpy().astype(np.int64) - 1
    columns = table.select(pl.col("point").rank("dense"))["point"].to_numpy().astype(np.int64) - 1
    made = []
    for measure in chosen:
        values = np.full((len(seeds), where.height), np.nan)
        values[rows, columns] = table[measure].fill_null(np.nan).to_numpy()
        made.append(where.with_columns(measure=pl.lit(measure), **_columns(values, level)))
    empty = where.clear().with_columns(measure=pl.lit(""))
    return pl.concat(made) if made else empty


def _columns(values: np.ndarray, level: float) -> dict[str, pl.Series]:
    n = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(n > 0, np.nansum(values, axis=0) / n, np.nan)
        sd = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.where(n > 1, n - 1, np.nan))
    low, high = bounds(resampled_means(values), n, level=level)
    floats = {"mean": mean, "sd": sd, "low": low, "high": high}
    return {"n": pl.Series(n, dtype=pl.Int64), **{k: pl.Series(v).fill_nan(None) for k, v in floats.items()}}


def _known(runs: pl.LazyFrame, names: Sequence[str]) -> list[str]:
    there = runs.collect_schema().names()
    for name in names:
        if name not in there:
            raise UsageProblem(f"no run has a value in column '{name}'.{suggest(name, there)}")
    return list(names)


@dataclass(frozen=True)
class Difference:
    """Two samples compared seed by seed.

    Attributes:
        pairs: Seeds that both have.
        difference: Mean of second minus first.
        low, high: Its bootstrap interval; NaN for fewer than two pairs.
        effect: Standardised mean difference of the pairs with Hedges' correction (g_z); 0.2 is small, 0.8 large. NaN where
            all differences are equal.
        superiority: Share of seeds in which the second is larger, ties counting half; chance 0.5.
        p: Sign-flip test of no difference: exact up to 13 pairs, by 9,999 random flips beyond; two-sided.
    """

    pairs: int
    difference: float
    low: float
    high: float
    effect: float
    superiority: float
    p: float


def difference(first: np.ndarray, second: np.ndarray, *, seed: int = 0, level: float = LEVEL) -> Difference:
    """Compare two samples of equal order, pair by pair; pairs with NaN are left out."""
    gaps = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    gaps = gaps[~np.isnan(gaps)]
    n = len(gaps)
    if n == 0:
        return Difference(0, *(float("nan"),) * 6)
    mean, low, high = interval(gaps, level=level, seed=seed)
    sd = float(gaps.std(ddof=1)) if n > 1 else 0.0
    # Where pairs differ by rounding alone their spread says nothing.
    steady = sd <= 1e-12 * max(1.0, abs(mean))
    effect = float("nan") if steady or n < 3 else mean / sd * (1 - 3 / (4 * (n - 1) - 1))
    superiority = float(((gaps > 0) + 0.5 * (gaps == 0)).mean())
    return Difference(n, mean, low, high, effect, superiority, sign_flip(gaps, seed=seed))


def sign_flip(gaps: np.ndarray, *, seed: int = 0) -> float:
    """Two-sided p-value of the mean of ``gaps`` when each could as well have had the other sign (Fisher 1935)."""
    n = len(gaps)
    observed = abs(gaps.sum()) * (1 - 1e-12)
    if n <= 13:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ gaps) >= observed).mean())
    rng = np.random.default_rng([seed, n])
    above = 0
    for _ in range(FLIPS // 999 + 1):
        signs = rng.choice([-1.0, 1.0], size=(min(999, FLIPS), n))
        above += int((np.abs(signs @ gaps) >= observed).sum())
    return (1 + above) / (1 + (FLIPS // 999 + 1) * 999)


def comparisons(
    runs: pl.LazyFrame,
    *,
    axis: str,
    axes: Sequence[str],
    measures: Sequence[str] | None = None,
    base: Any = None,
    correction: str = "bh",
    level: float = LEVEL,
) -> pl.DataFrame:
    """What changing one axis does, all others alike, paired by seed, and corrected over the whole table.

    Args:
        runs: ``load(folder)``.
        axis: The axis; every value is compared with ``base``.
        axes: All axes.
        measures: Columns; all numeric ones when None.
        base: A value of the axis; the first when None.
        correction: ``bh`` for the false discovery rate (Benjamini and Hochberg 1995), ``holm`` for the family-wise error
            (Holm 1979).
        level: Level of the intervals.

    Returns:
        The other axes, ``axis, base, value, measure, pairs, difference, low, high, effect, superiority, p, q``.
    """
    if axis not in axes:
        raise UsageProblem(f"axis: expected one of {', '.join(axes)}, got '{axis}'.")
    if correction not in ("bh", "holm"):
        raise UsageProblem(f"correction: expected bh or holm, got '{correction}'.")
    chosen = _known(runs, measures or measure_columns(runs, axes=axes))
    others = [a for a in axes if a != axis]
    good = runs.filter(pl.col("status") == "complete")
    table = (
        good.select("point", "seed", *axes, *(pl.col(m).cast(pl.Float64) for m in chosen))
        .sort("point", "seed")
        .collect()
    )
    values = table[axis].unique(maintain_order=True).to_list()
    start = values[0] if base is None and values else base
    if start not in values:
        raise UsageProblem(f"base: expected a value of axis '{axis}' ({', '.join(map(str, values))}), got {base!r}.")
    rows: list[dict[str, Any]] = []
    groups = table.group_by(others, maintain_order=True) if others else [((), table)]
    for place, group in groups:
        first = group.filter(pl.col(axis) == start)
        for value in (v for v in values if v != start):
            both = first.join(group.filter(pl.col(axis) == value), on="seed", how="inner", suffix="_other").sort("seed")
            for measure in chosen if both.height else ():
                made = difference(_floats(both[measure]), _floats(both[f"{measure}_other"]), level=level)
                about = {**dict(zip(others, place, strict=True)), "axis": axis, "base": str(start), "value": str(value)}
                rows.append({**about, "measure": measure, **vars(made)})
    if not rows:
        return pl.DataFrame()
    made_table = pl.DataFrame(rows, infer_schema_length=None)
    return made_table.with_columns(q=pl.Series(corrected(made_table["p"].to_list(), correction))).fill_nan(None)


def _floats(column: pl.Series) -> np.ndarray:
    return column.fill_null(np.nan).to_numpy()


def corrected(p: Sequence[float], correction: str) -> list[float | None]:
    """Adjusted p-values in the order given; NaN stays None and counts as no test."""
    known = [i for i, value in enumerate(p) if not np.isnan(value)]
    tested = [p[i] for i in known]
    adjusted = q_values(tested) if correction == "bh" else holm(tested)
    made: list[float | None] = [None] * len(p)
    for i, value in zip(known, adjusted, strict=True):
        made[i] = value
    return made


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (1979, Scand. J. Stat. 6:65)."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(np.asarray(p)[order] * (len(p) - np.arange(len(p)))) if len(p) else np.empty(0)
    made = np.empty(len(p))
    made[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in made]


def proportion(hits: int, of: int, *, level: float = LEVEL) -> tuple[float, float, float]:
    """A share and its Wilson interval (1927, J. Am. Stat. Assoc. 22:209)."""
    from scipy.stats import binomtest

    if of == 0:
        return float("nan"), 0.0, 1.0
    found = binomtest(hits, of).proportion_ci(confidence_level=level, method="wilson")
    return hits / of, float(found.low), float(found.high)
