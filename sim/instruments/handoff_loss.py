"""Handoff loss: the share of an item's requirements that is lost when it changes hands."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import FEWEST_GROUPS, ratio
from sim.instruments.reading import Reading, instrument, not_available

WORST = 5
FEWEST_PER_EDGE = 10


@instrument("handoff_loss", low=0.0, high=1.0, better="low")
def handoff_loss(facts: Facts, draws: np.random.Generator) -> Reading:
    """Mean share of the requirements held by the giver that the receiver does not hold.

    Definition: over transfers within the observed span whose giver held at least one requirement.
    Formula: mean of 1 - |out and in| / |in|, with in and out the bit sets before and after the transfer. ``by`` holds
        ``kept at delivery`` (share of the requirements at arrival met by delivered items), ``added`` (mean of
        |out without in| / |out|), and the worst edges: those of at least 10 transfers whose loss is surely highest
        (lower 95 % bound of the edge's mean), by name ``giver -> receiver``.
    Range: 0 to 1.
    Low and high: 0 means that nothing is lost on the way, 1 that every handoff starts from nothing.
    Chance level: the loss per bit of the channel, where the world has one; 0 otherwise.
    Null: none; with independent loss p per bit and hop the expected value is p.
    Reference: fact retention along chains; see closed_forms.kept_after.
    """
    del draws
    held = pl.col("requirements_before")
    moves = facts.moves.filter(held.is_not_null() & pl.col("requirements").is_not_null() & (held > 0))
    if moves.height == 0:
        return not_available("share", "no transfer shows requirements before and after")
    after = pl.col("requirements")
    shared = (held & after).bitwise_count_ones()
    invented = after.bitwise_count_ones() - shared.cast(pl.Int64)
    moves = moves.with_columns(
        loss=1 - shared / held.bitwise_count_ones(),
        added=pl.when(after > 0).then(invented / after.bitwise_count_ones()),
    )
    lost = moves["loss"].to_numpy()
    value, low, high = ratio(lost, np.ones(len(lost)), facts.group(moves), low=0.0, high=1.0)
    by = {"kept at delivery": facts.delivered["kept"].mean(), "added": moves["added"].mean()}
    known = {name: float(number) for name, number in by.items() if isinstance(number, float)}
    return Reading(value, "share", moves.height, low, high, facts.how, {**known, **_worst_edges(moves)})


def _worst_edges(moves: pl.DataFrame) -> dict[str, float]:
    edges = moves.group_by("source", "target").agg(pl.len(), pl.col("loss").mean(), pl.col("loss").std().alias("sd"))
    edges = edges.filter(pl.col("len") >= max(FEWEST_PER_EDGE, FEWEST_GROUPS)).with_columns(
        surely=pl.col("loss") - 1.96 * pl.col("sd") / pl.col("len").sqrt()
    )
    worst = edges.sort("surely", "source", "target", descending=[True, False, False]).head(WORST)
    return {f"{a} -> {b}": loss for a, b, loss in worst.select("source", "target", "loss").iter_rows()}
