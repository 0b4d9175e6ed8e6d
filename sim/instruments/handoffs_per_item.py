"""Handoffs per item: how often an item changes hands before it is delivered."""

from __future__ import annotations

import numpy as np

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("handoffs_per_item", low=0.0)
def handoffs_per_item(facts: Facts, draws: np.random.Generator) -> Reading:
    """Mean number of transfers of a delivered item.

    Definition: transfers of any kind (handoff, review, rework, reject, escalate) of whole items delivered within the
        observed span; those of parts belong to the parts.
    Formula: mean K = (1/D) sum_i k_i; ``by`` holds the share of items with each number, up to 10.
    Range: 0 and up.
    Low and high: 0 means that everybody finishes what arrives; high means search, review loops or passing around.
    Chance level: with random handoffs, the hitting time of somebody who can do the work.
    Null: none; for frozen rules P(K=k) = pi Q^k (1 - Q 1).
    Reference: absorbing Markov chains, Kemeny and Snell 1960.
    """
    del draws
    done = facts.delivered
    if done.height == 0:
        return not_available("transfers per item", "no item was delivered")
    if facts.moves.height == 0 and "target" in facts.log.missing:
        return not_available("transfers per item", "the log names no targets, so it cannot show handoffs")
    hops = done["hops"].to_numpy()
    value, low, high = ratio(hops, np.ones(len(hops)), facts.group(done, "left"), low=0.0)
    shares = np.bincount(np.minimum(hops, 11), minlength=12) / len(hops)
    by = {(f"share with {k}" if k < 11 else "share with more"): float(p) for k, p in enumerate(shares) if p}
    return Reading(value, "transfers per item", done.height, low, high, facts.how, by)
