"""Latency: how long an item is in the system."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.intervals import ratio
from sim.instruments.reading import Reading, instrument, not_available


@instrument("latency", low=0.0, better="low")
def latency(facts: Facts, draws: np.random.Generator) -> Reading:
    """Mean time from arrival to delivery.

    Definition: time of ``deliver`` minus time of ``arrive``, over whole items delivered within the observed span.
    Formula: W = (1/D) sum_i (left_i - entered_i); ``by`` holds p50, p95 and the mean per task type.
    Range: 0 and up, in units of time.
    Low and high: low is fast; under growing load it rises without bound, and items still inside are not in it, so in an
        overloaded run it reads too low.
    Chance level: the service time alone.
    Null: none; closed form for frozen memoryless rules, W_s = (1/gamma_s) sum_i lambda_i^s / (mu_i - lambda_i).
    Reference: Jackson 1957; Kelly 1979.
    """
    del draws
    timed = facts.delivered.filter(pl.col("entered").is_not_null())
    if timed.height == 0:
        return not_available(facts.time_unit, "no item was seen both to arrive and to be delivered")
    spent = (timed["left"] - timed["entered"]).to_numpy()
    value, low, high = ratio(spent, np.ones(len(spent)), facts.group(timed, "left"), low=0.0)
    by = {"p50": float(np.quantile(spent, 0.5)), "p95": float(np.quantile(spent, 0.95))}
    tasks = timed.select("task", spent=pl.col("left") - pl.col("entered")).drop_nulls("task")
    means = tasks.group_by("task").agg(pl.col("spent").mean()).sort("task")
    by |= {f"task {task}": mean for task, mean in means.head(20).iter_rows()}
    return Reading(value, facts.time_unit, timed.height, low, high, facts.how, by)
