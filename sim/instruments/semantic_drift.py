"""Semantic drift: how far the content of an item has moved when it is delivered."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("semantic_drift", low=0.0, high=2.0, better="low")
def semantic_drift(facts: Facts, draws: np.random.Generator) -> Reading:
    """Mean distance of delivered items from what they were at arrival.

    Definition: 1 minus the cosine recorded at delivery, over whole items delivered within the observed span.
    Formula: (1/D) sum_i (1 - cos_i); ``by`` holds ``cosine at delivery`` and ``slope per hop``, the mean of
        cos_before - cos_after over transfers, with its bounds.
    Range: 0 to 2.
    Low and high: 0 means unchanged, 1 unrelated, 2 opposite.
    Chance level: 1 for an unrelated item in many dimensions. For texts a distance also measures change of genre:
        compare with a message of the same role about another item before calling it drift.
    Null: none; with renormalised noise the cosine after k hops is A^k (closed_forms.one_hop_cosine).
    Reference: closed form by rotational symmetry of Gaussian noise; Kummer's function in DLMF chapter 13.
    """
    del draws
    done = facts.delivered.filter(pl.col("similarity").is_not_null())
    if done.height == 0:
        return not_available("1 - cosine", "no delivery shows a similarity to the original")
    far = 1 - done["similarity"].to_numpy()
    value, low, high = ratio(far, np.ones(len(far)), facts.group(done, "left"), low=0.0, high=2.0)
    by = {"cosine at delivery": float(np.mean(1 - far))}
    moves = facts.moves.filter(pl.col("similarity").is_not_null() & pl.col("similarity_before").is_not_null())
    if moves.height:
        steps = (moves["similarity_before"] - moves["similarity"]).to_numpy()
        slope = ratio(steps, np.ones(len(steps)), facts.group(moves))
        names = ("slope per hop", "slope per hop, low", "slope per hop, high")
        by |= {name: number for name, number in zip(names, slope, strict=True) if number is not None}
    return Reading(value, "1 - cosine", done.height, low, high, facts.how, by)
