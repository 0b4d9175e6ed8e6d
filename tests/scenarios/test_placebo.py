"""The placebo worlds do what they say: shared signal, long memory of oneself, lasting random ties."""

import importlib

import numpy as np
import polars as pl
import pytest

from sim.record.store import EventWriter
from sim.spec import ParameterError, scenarios
from sim.world.engine import Engine

SCENARIO = scenarios.get("placebo")


def events(preset, *, seed=1, until=400.0, **changes):
    rule = SCENARIO.rule_for(preset)
    values = SCENARIO.values(preset, changes)
    engine = Engine(
        SCENARIO, values=values, seed=seed, rule=importlib.import_module(f"agents.rules.{rule}"), rule_name=rule
    )
    writer = EventWriter(None)
    engine.advance(until, writer)
    return writer.frame().with_columns(pl.col("kind").cast(pl.String))


def series(table):
    wide = table.filter(pl.col("kind") == "decide").pivot(on="source", index="time", values="value").sort("time")
    return wide.drop("time").to_numpy().T


def test_broadcast_agents_agree_with_the_signal_and_only_through_it():
    table = events("broadcast", until=2000.0)
    heard = table.filter(pl.col("kind") == "read").group_by("time", maintain_order=True).agg(pl.col("value").first())
    options = series(table)
    signal = heard["value"].to_numpy()
    agreement = (options == signal).mean(1)
    assert np.all(np.abs(agreement - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000))
    # Given the signal, two agents are independent: their disagreements with it coincide no more than by chance.
    misses = (options != signal).astype(float)
    correlation = np.corrcoef(misses)[np.triu_indices(20, 1)]
    assert abs(correlation.mean()) < 4 / np.sqrt(2000 * len(correlation)) + 0.003
    assert table["target"].null_count() == table.height


def test_wanderers_have_the_stated_memory_and_no_common_one():
    levels = series(events("autocorrelated", until=4000.0))
    lagged = [np.corrcoef(x[:-1], x[1:])[0, 1] for x in levels]
    assert abs(np.mean(lagged) - 0.95) < 0.01
    assert abs(levels[:, 200:].std() - 1.0) < 0.1
    pairs = np.corrcoef(levels)[np.triu_indices(20, 1)]
    # The effective sample of an AR(0.95) pair is T (1 - 0.9025) / (1 + 0.9025).
    assert abs(pairs.mean()) < 4 / np.sqrt(len(pairs) * 4000 * 0.0512) + 0.02


def test_ties_last_but_follow_no_group():
    table = events("ties", until=800.0)
    half = table.with_columns(late=pl.col("time") > 400)
    counts = half.group_by("late", "source", "target").len()
    early = counts.filter(~pl.col("late")).drop("late")
    late = counts.filter("late").drop("late")
    both = early.join(late, on=["source", "target"], how="full", coalesce=True).fill_null(0)
    assert np.corrcoef(both["len"], both["len_right"])[0, 1] > 0.9
    assert (table["source"] != table["target"]).all()


def test_habit_needs_ties():
    with pytest.raises(ParameterError, match="needs kind=ties"):
        Engine(SCENARIO, values=SCENARIO.values("broadcast"), seed=1,
               rule=importlib.import_module("agents.rules.habit"), rule_name="habit")  # fmt: skip
