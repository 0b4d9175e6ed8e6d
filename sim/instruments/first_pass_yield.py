"""First-pass yield: how many items are delivered without ever having been sent back."""

from __future__ import annotations

import numpy as np

from sim.instruments.facts import Facts
from sim.instruments.intervals import share
from sim.instruments.reading import Reading, instrument, not_available


@instrument("first_pass_yield", low=0.0, high=1.0, better="high")
def first_pass_yield(facts: Facts, draws: np.random.Generator) -> Reading:
    """Share of delivered items that were never sent back.

    Definition: whole items delivered within the observed span without a ``rework`` or ``reject`` on their way.
    Formula: Y = #{i: no rework, no reject} / D.
    Range: 0 to 1.
    Low and high: 1 means that all was accepted at once; it is also 1 where nobody can send anything back.
    Chance level: 1 - q with q the share a reviewer sends back, for one review per item.
    Null: none.
    Reference: first-pass yield of quality management.
    """
    del draws
    done = facts.delivered
    if done.height == 0:
        return not_available("share", "no item was delivered")
    if facts.moves.height == 0:
        return not_available("share", "the log shows no transfer, so nothing could be sent back")
    clean = (done["sent_back"] == 0).to_numpy()
    value, low, high = share(clean, facts.group(done, "left"))
    note = facts.how if not clean.all() else f"no item was ever sent back; {facts.how}"
    return Reading(value, "share", len(clean), low, high, note)
