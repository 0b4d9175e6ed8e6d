"""Rework share: how much of the traffic sends items back."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import share
from sim.instruments.reading import Reading, instrument, not_available
from sim.record.handoffs import SENT_BACK


@instrument("rework_share", low=0.0, high=1.0, better="low")
def rework_share(facts: Facts, draws: np.random.Generator) -> Reading:
    """Share of transfers that send an item back.

    Definition: transfers of kind ``rework`` or ``reject`` over all transfers within the observed span.
    Formula: R = (rework + reject) / transfers; ``by`` holds ``loops per item``, these transfers per delivered item.
    Range: 0 to 1.
    Low and high: 0 means that nothing came back, because all was well or because nobody looks; 0.5 is a pure ping-pong.
    Chance level: none.
    Null: none; a reviewer who sends back a share q causes 1/(1-q) passes per item.
    Reference: review loop with defect, catch and false alarm, q = e c + (1 - e) f.
    """
    del draws
    if facts.moves.height == 0:
        return not_available("share", "the log shows no transfer of an item")
    back = facts.moves["kind"].is_in(SENT_BACK).to_numpy()
    value, low, high = share(back, facts.group(facts.moves))
    by = {"loops per item": float(facts.delivered["sent_back"].sum()) / facts.delivered.height} if _done(facts) else {}
    reviewed = facts.moves.filter(pl.col("kind") == "review").height
    note = facts.how if back.any() or reviewed else f"nothing was reviewed or sent back; {facts.how}"
    return Reading(value, "share", len(back), low, high, note, by)


def _done(facts: Facts) -> bool:
    return facts.delivered.height > 0
