"""Sequential stopping: which points still need seeds before the interval of a measure is narrow enough."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from experiments.errors import UsageProblem
from experiments.sweeps.spec import Spec
from experiments.sweeps.statistics import interval

# Below this many seeds an interval may be narrow by accident, and stopping on it would keep the accident.
LEAST = 8


def too_wide(runs: pl.LazyFrame, spec: Spec, *, points: Sequence[int], seeds: Sequence[int]) -> list[int]:
    """Points whose interval over ``seeds`` is wider than the specification wants, or rests on fewer than 8 values.

    A rule of fixed width keeps its level as the width goes to 0 (Chow and Robbins 1965, Ann. Math. Stat. 36:457); for wide
    ones it is slightly too narrow, which the least number of seeds bounds. UsageProblem for a measure that no run has.
    """
    assert spec.stop is not None
    name = spec.stop.measure
    if name not in runs.collect_schema().names():
        raise UsageProblem(f"stop.measure: no run has a value in column '{name}'; the results have other columns.")
    table = runs.filter(pl.col("seed").is_in(list(seeds)) & (pl.col("status") == "complete"))
    groups = table.select("point", "seed", name).sort("point", "seed").collect().group_by("point", maintain_order=True)
    known = {int(str(point)): group[name].drop_nulls().to_numpy() for (point,), group in groups}
    wide = []
    for point in points:
        values = known.get(point)
        if values is None or len(values) < LEAST:
            wide.append(point)
            continue
        _, low, high = interval(values)
        if not high - low <= spec.stop.width:
            wide.append(point)
    return wide
