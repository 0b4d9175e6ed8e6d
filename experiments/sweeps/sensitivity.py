"""Sensitivity: which axis matters, by Sobol indices (Saltelli 2010) or elementary effects (Morris 1991), through SALib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from experiments.errors import UsageProblem
from experiments.sweeps.axes import Sampling
from experiments.sweeps.spec import Spec
from experiments.sweeps.statistics import measure_columns

KINDS = ("saltelli", "morris")


def design(dimensions: int, how: Sampling) -> np.ndarray:
    """The points of a design in the unit cube, shape (points, dimensions); UsageProblem when SALib is not installed."""
    library = _library()
    rng = np.random.default_rng(how.seed)
    problem = _problem([f"x{i}" for i in range(dimensions)])
    if how.kind == "saltelli":
        return np.asarray(library["sobol_sample"](problem, how.samples, calc_second_order=True, seed=rng))
    return np.asarray(library["morris_sample"](problem, how.samples, num_levels=how.levels, seed=rng))


def _library() -> dict[str, Any]:
    try:
        from SALib.analyze import morris as morris_analysis
        from SALib.analyze import sobol as sobol_analysis
        from SALib.sample import morris, sobol
    except ImportError:
        raise UsageProblem(
            "sampling.kind: saltelli and morris need SALib, which is not installed; install swarmscope[search]."
        ) from None
    return {
        "sobol_sample": sobol.sample, "morris_sample": morris.sample, "sobol": sobol_analysis.analyze,
        "morris": morris_analysis.analyze,
    }  # fmt: skip


def _problem(names: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}


def sensitivity(
    runs: pl.LazyFrame, spec: Spec, *, measures: Sequence[str] | None = None, level: float = 0.95
) -> pl.DataFrame:
    """Indices of every sampled axis for each measure, for each combination of the listed axes.

    A point counts with its mean over seeds. What differs between points by chance alone adds to the total Sobol index and
    to sigma, so measures with much noise need seeds.

    Args:
        runs: ``load(folder)`` of a sweep sampled with ``saltelli`` or ``morris``.
        spec: Its specification.
        measures: Columns; all numeric ones without gaps when None.
        level: Level of the intervals.

    Returns:
        The listed axes, ``measure, axis`` and for Sobol ``first, first_reach, total, total_reach`` (shares of the
        variance, half-widths of bootstrap intervals), for Morris ``mu, mu_star, mu_star_reach, sigma`` in the unit of the
        measure for a step over the whole range.

    Raises:
        UsageProblem: For another sampling, or a measure that some point has no value of.
    """
    how = spec.sampling
    if how is None or how.kind not in KINDS:
        got = "none" if how is None else how.kind
        raise UsageProblem(f"sensitivity: expected a sweep sampled with {' or '.join(KINDS)}, got {got}.")
    names = [a.name for a in spec.axes if a.sampled]
    listed = [a.name for a in spec.axes if not a.sampled]
    size = how.size(len(names))
    chosen = list(measures) if measures is not None else measure_columns(runs, axes=[*names, *listed])
    good = runs.filter(pl.col("status") == "complete")
    means = good.group_by("point").agg(pl.col(m).cast(pl.Float64).mean() for m in chosen).sort("point").collect()
    unit = _unit(spec, names)
    rows: list[dict[str, Any]] = []
    for first in range(0, len(spec.points), size):
        block = means.filter(pl.col("point").is_between(first, first + size - 1))
        about = {name: spec.points[first][name] for name in listed}
        for measure in chosen:
            values = block[measure]
            if block.height < size or values.null_count():
                if measures is None:
                    continue
                raise UsageProblem(
                    f"sensitivity: {size - block.height + values.null_count()} of {size} points have no value of "
                    f"'{measure}'; the design needs all of them."
                )
            rows += [
                {**about, "measure": measure, **row} for row in _indices(how, names, unit, values.to_numpy(), level)
            ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _unit(spec: Spec, names: Sequence[str]) -> np.ndarray:
    """The design that the points were made from."""
    assert spec.sampling is not None
    return design(len(names), spec.sampling)


def _indices(
    how: Sampling, names: Sequence[str], unit: np.ndarray, values: np.ndarray, level: float
) -> list[Mapping[str, Any]]:
    library, rng = _library(), np.random.default_rng([how.seed, 1])
    if np.ptp(values) == 0:
        zero = ("first", "first_reach", "total", "total_reach") if how.kind == "saltelli" else _MORRIS
        return [{"axis": name, **dict.fromkeys(zero, 0.0)} for name in names]
    if how.kind == "saltelli":
        # Centred, because the estimators lose digits when the mean is large against the spread.
        centred = (values - values.mean()) / values.std()
        made = library["sobol"](_problem(names), centred, calc_second_order=True, conf_level=level, seed=rng)
        keys = {"first": "S1", "first_reach": "S1_conf", "total": "ST", "total_reach": "ST_conf"}
    else:
        made = library["morris"](_problem(names), unit, values, conf_level=level, num_levels=how.levels, seed=rng)
        keys = {"mu": "mu", "mu_star": "mu_star", "mu_star_reach": "mu_star_conf", "sigma": "sigma"}
    return [{"axis": name, **{k: float(made[v][i]) for k, v in keys.items()}} for i, name in enumerate(names)]


_MORRIS = ("mu", "mu_star", "mu_star_reach", "sigma")
