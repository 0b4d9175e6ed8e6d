"""Cost per item: what a delivered item cost, including the work on those that were lost."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("cost_per_item", low=0.0, better="low")
def cost_per_item(facts: Facts, draws: np.random.Generator) -> Reading:
    """Cost of all events over the number of items delivered.

    Definition: cost of the events within the observed span, whether about delivered items or not, over the whole items
        delivered within it (never over items started).
    Formula: sum_e cost_e / D.
    Range: 0 and up.
    Low and high: low is cheap; it rises with handoffs, rework, and items that are never finished.
    Chance level: the cost of one service.
    Null: none.
    Reference: cost per accepted item.
    """
    del draws
    unit = f"{facts.cost_unit} per delivered item"
    if "cost" not in facts.events.columns or facts.events["cost"].null_count() == facts.events.height:
        return not_available(unit, "no event has a cost")
    if facts.delivered.height == 0:
        return not_available(unit, "no item was delivered")
    priced = facts.events.filter(pl.col("cost").is_not_null())
    spent = np.bincount(facts.group(priced), weights=priced["cost"].to_numpy(), minlength=facts.groups)
    done = np.bincount(facts.group(facts.delivered, "left"), minlength=facts.groups).astype(float)
    value, low, high = ratio(spent, done, np.arange(facts.groups), low=0.0)
    return Reading(value, unit, facts.delivered.height, low, high, facts.how)
