"""Cost: what everything together cost."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.reading import Reading, instrument, not_available


@instrument("cost", low=0.0, better="low")
def cost(facts: Facts, draws: np.random.Generator) -> Reading:
    """Sum of the cost of all events.

    Definition: the sum of column ``cost``, over the whole log and not only after the warm-up.
    Formula: C = sum_e cost_e; ``by`` holds the sum for each kind of event.
    Range: 0 and up, in the unit of the run.
    Low and high: low is cheap; compare only at equal numbers of items (see cost_per_item).
    Chance level: none.
    Null: none; for frozen rules C = visits * service cost + handoffs * message cost + reviews * review cost.
    Reference: the accounting identity of this project: cost is the sum over events, exactly.
    """
    del draws
    events = facts.summed
    if "cost" not in events.columns or events["cost"].null_count() == events.height:
        return not_available(facts.cost_unit, "no event has a cost")
    priced = events.filter(pl.col("cost").is_not_null())
    sums = priced.group_by(pl.col("kind").cast(pl.String)).agg(pl.col("cost").sum()).sort("kind")
    by = {str(kind): float(amount) for kind, amount in sums.iter_rows() if amount}
    total = float(priced["cost"].sum())
    return Reading(total, facts.cost_unit, priced.height, note="exact sum over all events", by=by)
