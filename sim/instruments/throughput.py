"""Throughput: how many items are delivered per unit of time."""

from __future__ import annotations

import numpy as np

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("throughput", low=0.0, better="high")
def throughput(facts: Facts, draws: np.random.Generator) -> Reading:
    """Items delivered per unit of time.

    Definition: whole items (parts are not counted) that left by ``deliver`` within the observed span, over its length.
    Formula: D / T.
    Range: 0 and up.
    Low and high: 0 means nothing was finished; in a steady state it equals the arrival rate.
    Chance level: none; compare with the arrival rate (``by: arrivals``).
    Null: none.
    Reference: Little 1961; Hopp and Spearman, Factory Physics.
    """
    del draws
    unit = f"items per {facts.one_time_unit}"
    if not facts.has_items:
        return not_available(unit, "no event says that an item entered or left")
    if float(facts.lengths.sum()) <= 0:
        return not_available(unit, "the log covers no time")
    counts = np.bincount(facts.group(facts.delivered, "left"), minlength=facts.groups).astype(float)
    value, low, high = ratio(counts, facts.lengths, np.arange(facts.groups), low=0.0)
    if not counts.any():  # no delivery shows how much the number of deliveries varies
        low = high = None
    entered = facts.inside(facts.whole_items.filter(facts.whole_items["entered"].is_not_null()), "entered")
    by = {"arrivals": entered.height / float(facts.lengths.sum())}
    return Reading(value, unit, facts.delivered.height, low, high, facts.how, by)
