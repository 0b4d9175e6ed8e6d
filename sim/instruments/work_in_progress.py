"""Work in progress: how many items are in the system at a time."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available

STATIONARY = 0.05


@instrument("work_in_progress", low=0.0, better="low")
def work_in_progress(facts: Facts, draws: np.random.Generator) -> Reading:
    """Time average of the number of items in the system.

    Definition: whole items that have arrived and not yet left, averaged over the observed span.
    Formula: L = (1/T) integral of N(t) dt; ``by`` holds ``throughput times latency`` of the items that left.
    Range: 0 and up, in items.
    Low and high: it grows with load and with waiting; when it differs from throughput times latency by more than 5 %
        the system was not in a steady state within the span, and the note says so.
    Chance level: arrival rate times service time, with no waiting at all.
    Null: none.
    Reference: Little 1961, L = lambda W.
    """
    del draws
    known = facts.whole_items.filter(pl.col("entered").is_not_null())
    if known.height == 0:
        return not_available("items", "no event says that an item entered")
    length = float(facts.lengths.sum())
    if length <= 0:
        return not_available("items", "the log covers no time")
    held = time_inside(known, facts)
    value, low, high = ratio(held, facts.lengths, np.arange(facts.groups), low=0.0)
    out = facts.inside(known.filter(pl.col("left").is_not_null()), "left")
    product = float((out["left"] - out["entered"]).sum()) / length
    note = facts.how
    if value and abs(value - product) > STATIONARY * value:
        note = f"not stationary: throughput times latency is {product:.4g}; {note}"
    return Reading(value, "items", known.height, low, high, note, {"throughput times latency": product})


def time_inside(known: pl.DataFrame, facts: Facts) -> np.ndarray:
    """Time that items spend in the system within each group of ``facts``, summed, shape (groups,)."""
    joined = known.select("run", "entered", "left").join(facts.spans.with_row_index("_run"), on="run", how="inner")
    entered, end = joined["entered"].to_numpy(), joined["end"].to_numpy()
    left = joined["left"].fill_null(np.inf).to_numpy()
    start, run = joined["start"].to_numpy(), joined["_run"].to_numpy()
    step = (end - start) / facts.batches
    total = np.zeros(facts.groups)
    for batch in range(facts.batches):
        first, last = start + batch * step, start + (batch + 1) * step
        inside = np.clip(np.minimum(left, last) - np.maximum(entered, first), 0.0, None)
        total += np.bincount(run * facts.batches + batch, weights=inside, minlength=facts.groups)
    return total
