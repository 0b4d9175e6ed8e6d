"""Quality: how good the delivered items are."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import mean_of_groups, ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("quality", low=0.0, high=1.0, better="high")
def quality(facts: Facts, draws: np.random.Generator) -> Reading:
    """Mean quality of what was delivered.

    Definition: the value of the ``deliver`` event, over whole items delivered within the observed span; where no
        delivery has a value, the quality of each run as its table of runs gives it (a test result, never a flag by
        which a team declares itself done).
    Formula: Q = (1/D) sum_i value_i.
    Range: 0 to 1.
    Low and high: 1 means that every requirement was met on delivery, 0 that none was.
    Chance level: depends on the check; 0 where the value is the share of requirements met.
    Null: none.
    Reference: share of acceptance checks passed, as in any acceptance test.
    """
    del draws
    rated = facts.delivered.filter(pl.col("quality").is_not_null())
    if rated.height == 0:
        return _of_runs(facts)
    values = rated["quality"].to_numpy()
    value, low, high = ratio(values, np.ones(len(values)), facts.group(rated, "left"), low=0.0, high=1.0)
    means = rated.drop_nulls("task").group_by("task").agg(pl.col("quality").mean()).sort("task")
    by = {f"task {task}": mean for task, mean in means.head(20).iter_rows()}
    note = facts.how
    if values.min() < 0 or values.max() > 1:
        note = f"values run from {values.min():g} to {values.max():g}, outside 0 to 1: not a quality; {note}"
        value = low = high = None
    return Reading(value, "share", rated.height, low, high, note, by)


def _of_runs(facts: Facts) -> Reading:
    known = facts.log.meta.get("run_quality")
    runs = set(facts.spans["run"].to_list())
    values = np.array([v for run, v in known.items() if run in runs]) if isinstance(known, dict) else np.array([])
    if len(values) == 0 or not facts.intervals:  # the quality of a run says nothing about its windows
        return not_available("share", "no delivery has a value and no table of runs gives a quality")
    value, low, high = mean_of_groups(values, low=0.0, high=1.0)
    return Reading(value, "share", len(values), low, high, f"quality of {len(values)} runs from the table of runs")
