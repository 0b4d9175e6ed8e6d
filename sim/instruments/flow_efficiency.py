"""Flow efficiency: the share of an item's time in the system in which somebody works on it."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("flow_efficiency", low=0.0, high=1.0, better="high")
def flow_efficiency(facts: Facts, draws: np.random.Generator) -> Reading:
    """Touch time over time in the system.

    Definition: sum of the service times of whole items delivered within the observed span, over the sum of their times
        from arrival to delivery; items that were split are left out, for their parts are worked on at the same time.
    Formula: sum_i busy_i / sum_i (left_i - entered_i).
    Range: 0 to 1.
    Low and high: 1 means no waiting at all; in a queue at load rho it is 1 - rho.
    Chance level: 1 - rho for single servers with exponential service.
    Null: none.
    Reference: Hopp and Spearman, Factory Physics.
    """
    del draws
    known = pl.col("busy").is_not_null() & pl.col("entered").is_not_null() & (pl.col("parts") == 0)
    done = facts.delivered.filter(known)
    spent = (done["left"] - done["entered"]).to_numpy()
    if done.height == 0 or spent.sum() <= 0:
        return not_available("share", "no delivered item shows both its service times and its time in the system")
    busy = done["busy"].to_numpy()
    value, low, high = ratio(busy, spent, facts.group(done, "left"), low=0.0, high=1.0)
    if value is not None and value > 1:
        return not_available("share", f"service times sum to {value:.3g} times the time in the system: they overlap")
    return Reading(value, "share", done.height, low, high, facts.how)
