"""Decision origin: which share of what happened was really decided, and by what."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import share
from sim.instruments.reading import Reading, instrument, not_available


@instrument("decision_origin", low=0.0, high=1.0, better="high")
def decision_origin(facts: Facts, draws: np.random.Generator) -> Reading:
    """Share of events whose decision was genuine, that is, not censored.

    Definition: events within the observed span whose origin is not ``censored``, over all of them.
    Formula: 1 - censored / events; ``by`` holds the share of each origin.
    Range: 0 to 1.
    Low and high: 1 means that every decision was made; below 1 some could not be had (budget, failed reply), and
        structures found may owe their shape to the gaps.
    Chance level: none.
    Null: none.
    Reference: censoring in the analysis of incomplete data, Little and Rubin 2002.
    """
    del draws
    events = facts.events
    if "origin" not in events.columns or events["origin"].null_count() == events.height or events.height == 0:
        return not_available("share", "the log does not say where decisions came from")
    names = events["origin"].cast(pl.String)
    genuine = (names != "censored").fill_null(True).to_numpy()
    value, low, high = share(genuine, facts.group(events))
    counts = names.value_counts().sort("origin")
    by = {str(origin): count / events.height for origin, count in counts.iter_rows()}
    note = facts.how
    if by.get("external", 0.0) == 1.0:
        note = f"the log does not say where decisions came from, only that they are external; {note}"
    return Reading(value, "share", events.height, low, high, note, by)
