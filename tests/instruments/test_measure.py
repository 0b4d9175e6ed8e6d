"""Instruments: a story measured by hand, channels with a known truth, and logs that cannot support a measure."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from sim.instruments.facts import Facts
from sim.instruments.measure import measure, series
from sim.record.handoffs import items, transfers
from sim.record.log import Log
from sim.record.windows import windows
from sim.registry import UnknownNameError
from tests.instruments.made_logs import made_log


def told(rows):
    names = ["time", "kind", "source", "target", "item", "value", "cost", "duration", "requirements", "similarity"]
    types = {"time": pl.Float64, "kind": pl.Categorical, "source": pl.Int64, "target": pl.Int64, "item": pl.Int64}
    types |= {"value": pl.Float64, "cost": pl.Float64, "duration": pl.Float64, "requirements": pl.UInt64}
    frame = pl.DataFrame([dict(zip(names, r, strict=True)) for r in rows], schema={**types, "similarity": pl.Float64})
    return Log(frame.with_columns(seq=pl.int_range(pl.len(), dtype=pl.UInt64), origin=pl.lit("rule")))


_ = None
STORY = told([
    (0, "arrive", 1, _, 7, _, _, _, 0b1111, 1.0),
    (2, "handoff", 1, 2, 7, _, 1, 1, 0b0111, 0.9),
    (4, "arrive", 2, _, 8, _, _, _, 0b0011, 1.0),
    (4, "review", 2, 3, 7, _, 1, 2, 0b0011, 0.8),
    (5, "rework", 3, 2, 7, _, 1, 1, 0b0011, 0.8),
    (6, "deliver", 2, _, 8, 0.5, 2, 2, 0b0011, 1.0),
    (8, "deliver", 2, _, 7, 1.0, 2, 1, 0b0011, 0.8),
    (9, "arrive", 1, _, 9, _, _, _, 0b0001, 1.0),
    (10, "handoff", 1, 3, 9, _, 1, 1, 0b0000, 0.2),
])  # fmt: skip


def test_a_story_measured_by_hand():
    found = measure(STORY, warmup=0.0)
    value = {name: reading.value for name, reading in found.items()}
    assert value["throughput"] == pytest.approx(2 / 10)
    assert value["latency"] == pytest.approx((8 + 2) / 2)
    assert found["latency"].by["p50"] == 5.0
    assert value["quality"] == pytest.approx(0.75)
    assert value["cost"] == 8.0
    assert found["cost"].by == {"deliver": 4.0, "handoff": 2.0, "review": 1.0, "rework": 1.0}
    assert value["cost_per_item"] == pytest.approx(4.0)
    assert value["handoffs_per_item"] == pytest.approx(1.5)
    assert value["handoff_loss"] == pytest.approx((1 / 4 + 1 / 3 + 0 + 1) / 4)
    assert found["handoff_loss"].by["kept at delivery"] == pytest.approx((2 / 4 + 1) / 2)
    assert value["semantic_drift"] == pytest.approx((0.2 + 0.0) / 2)
    assert found["semantic_drift"].by["slope per hop"] == pytest.approx((0.1 + 0.1 + 0.0 + 0.8) / 4)
    assert value["work_in_progress"] == pytest.approx((8 + 2 + 1) / 10)
    assert value["rework_share"] == pytest.approx(1 / 4)
    assert value["first_pass_yield"] == pytest.approx(1 / 2)
    assert value["flow_efficiency"] == pytest.approx((5 + 2) / (8 + 2))
    assert value["decision_origin"] == 1.0
    # services: agent 1 two, agent 2 three, agent 3 one
    assert value["concentration"] == pytest.approx((-2 * 1 + 0 * 2 + 2 * 3) / (3 * 6))
    assert "not stationary" in found["work_in_progress"].note


def test_the_warm_up_is_left_out_of_rates_but_not_of_the_total_cost():
    found = measure(STORY, warmup=0.5)
    assert found["throughput"].value == pytest.approx(2 / 5)
    assert found["cost"].value == 8.0
    assert found["rework_share"].n == 2
    with pytest.raises(ValueError, match="warmup: expected a share"):
        measure(STORY, warmup=1.0)


def test_loss_counts_what_the_receiver_lacks_and_what_it_invents():
    log = told([
        (0, "arrive", 1, _, 7, _, _, _, 0b1100, 1.0), (1, "handoff", 1, 2, 7, _, _, _, 0b0110, 1.0),
        (2, "deliver", 2, _, 7, _, _, _, 0b0110, 1.0)])  # fmt: skip
    found = measure(log, warmup=0.0)["handoff_loss"]
    assert found.value == pytest.approx(0.5)
    assert found.by["added"] == pytest.approx(0.5)
    assert found.by["kept at delivery"] == pytest.approx(0.5)


def test_the_worst_edge_is_the_surely_worst_and_not_a_rare_one():
    rng = np.random.default_rng(0)
    rows, item = [], 0
    for edge, times, loss in (((1, 2), 60, 0.4), ((1, 3), 60, 0.1), ((2, 3), 3, 1.0)):
        for _k in range(times):
            item += 1
            left = sum(1 << b for b in range(16) if rng.random() > loss)
            rows.append((2.0 * item, "arrive", edge[0], _, item, _, _, _, 2**16 - 1, 1.0))
            rows.append((2.0 * item + 1, "handoff", *edge, item, _, _, _, left, 1.0))
    by = measure(told(rows), warmup=0.0)["handoff_loss"].by
    edges = [name for name in by if "->" in name]
    assert edges == ["1 -> 2", "1 -> 3"]
    assert by["1 -> 2"] == pytest.approx(0.4, abs=0.07)


def test_parts_are_no_items_of_their_own():
    log = made_log(4, items=100, split=0.6, unfinished=0.0)
    whole = items(log).filter(pl.col("whole").is_null())
    found = measure(log, warmup=0.0)
    assert found["latency"].n == whole.height == 100
    assert found["latency"].value == pytest.approx((whole["left"] - whole["entered"]).mean())


def test_intervals_hold_the_truth_of_a_made_channel():
    # 60 logs, p = 0.1: 95 % intervals miss in 3 expected; more than 9 has probability 0.001.
    misses = 0
    for seed in range(60):
        found = measure(made_log(seed, items=150, agents=4), warmup=0.0)["handoff_loss"]
        misses += not found.low <= 0.1 <= found.high
    assert misses <= 9


def test_with_five_runs_and_more_the_interval_is_over_runs():
    tables = [made_log(k, items=30).events.with_columns(run=pl.lit(f"r{k}")) for k in range(8)]
    found = measure(Log(pl.concat(tables)), warmup=0.0)
    assert found["latency"].note == "interval over 8 runs"
    assert "8 runs" in found["concentration"].note
    each = [measure(Log(t.drop("run")), warmup=0.0) for t in tables]
    n = np.array([r["latency"].n for r in each])
    assert found["latency"].value == pytest.approx(np.average([r["latency"].value for r in each], weights=n))
    assert found["concentration"].value == pytest.approx(np.mean([r["concentration"].value for r in each]))
    few = measure(Log(pl.concat(tables[:2])), warmup=0.0)
    assert few["latency"].note == "interval over 20 batches of time"


def test_work_without_preference_is_at_chance_and_a_star_is_not():
    even = measure(made_log(0, items=600, agents=10), warmup=0.0)["concentration"]
    assert even.value < even.by["chance"] * 2
    star = replace(made_log(0), events=made_log(0).events.with_columns(source=pl.lit(0, pl.Int64)))
    one = measure(star, warmup=0.0)["concentration"]
    assert one.value > 5 * one.by["chance"]


def test_without_services_writes_are_counted_and_the_harness_is_no_agent():
    frame = pl.DataFrame({"time": [0.0, 1, 2, 3, 4], "kind": ["start", "write", "write", "write", "decide"]})
    frame = frame.with_columns(source=pl.Series(["harness", "a", "a", "b", "c"]))
    log = Log(frame, meta={"not_agents": ["harness"]})
    found = measure(log, warmup=0.0)["concentration"]
    assert found.n == 3
    assert found.value == pytest.approx((-2 * 0 + 0 * 1 + 2 * 2) / (3 * 3))
    assert "'writes'" in found.note


def test_quality_of_runs_is_used_when_deliveries_have_none_and_a_flag_is_not():
    frame = pl.DataFrame({"time": [0.0, 1.0], "kind": ["write", "write"], "source": ["a", "b"], "run": ["x", "y"]})
    runs = pl.DataFrame({"run": ["x", "y"], "success": [True, True]})
    assert measure(Log(frame, meta={"runs": runs}))["quality"].value is None
    found = measure(Log(frame, meta={"run_quality": {"x": 1.0, "y": 0.0, "elsewhere": 0.0}}))["quality"]
    assert (found.value, found.n) == (0.5, 2)
    assert found.low is None


def test_rewards_outside_zero_and_one_are_no_quality():
    rows = [(0, "arrive", 1, _, 7, _, _, _, _, _), (1, "deliver", 1, _, 7, -50, _, _, _, _)]
    found = measure(told(rows), warmup=0.0)["quality"]
    assert found.value is None
    assert "not a quality" in found.note


def test_overlapping_service_times_are_refused_by_flow_efficiency():
    rows = [(0, "arrive", 1, _, 7, _, _, _, _, _), (1, "deliver", 1, _, 7, 1, _, 5, _, _)]
    found = measure(told(rows), warmup=0.0)["flow_efficiency"]
    assert found.value is None
    assert "overlap" in found.note


def test_no_handoffs_are_claimed_where_the_log_names_no_targets():
    log = Log(STORY.events.with_columns(target=pl.lit(None, pl.Int64)), missing=("target",))
    found = measure(log, warmup=0.0)
    assert found["handoffs_per_item"].value is None
    assert "no targets" in found["handoffs_per_item"].note
    for name in ("rework_share", "first_pass_yield", "handoff_loss"):
        assert found[name].value is None


def test_censored_decisions_show():
    origins = ["rule"] * 6 + ["censored"] * 3
    log = Log(STORY.events.with_columns(origin=pl.Series(origins).cast(pl.Categorical)))
    found = measure(log, warmup=0.0)["decision_origin"]
    assert found.value == pytest.approx(2 / 3)
    assert found.by == {"censored": pytest.approx(1 / 3), "rule": pytest.approx(2 / 3)}


def test_the_series_adds_up_to_the_whole():
    log = made_log(9, items=300)
    cut = windows(log, count=7)
    frame = series(log, windows=cut)
    whole = measure(log, warmup=0.0)
    assert set(frame["name"]) == set(whole)
    assert frame.height == 7 * len(whole)
    value = {name: part.sort("index")["value"].to_numpy() for (name,), part in frame.group_by("name")}
    assert value["cost"].sum() == pytest.approx(whole["cost"].value)
    assert value["throughput"].mean() == pytest.approx(whole["throughput"].value)
    assert value["work_in_progress"].mean() == pytest.approx(whole["work_in_progress"].value)
    lengths = [transfers(log).filter(pl.col("time").is_between(w.start, w.end)).height for w in cut]
    assert np.average(value["handoff_loss"], weights=lengths) == pytest.approx(whole["handoff_loss"].value, rel=1e-3)
    assert frame["time"].min() > log.span[0]


def test_several_runs_give_one_line():
    tables = [made_log(k, items=60, shift=500.0 * k).events.with_columns(run=pl.lit(f"r{k}")) for k in range(3)]
    log = Log(pl.concat(tables))
    frame = series(log, windows=windows(log, count=4), names=["throughput", "cost"])
    assert frame.height == 8
    assert frame.filter(name="cost")["value"].sum() == pytest.approx(measure(log)["cost"].value)


def test_names_choose_and_unknown_ones_are_refused():
    assert list(measure(STORY, names=["latency", "cost"])) == ["cost", "latency"]
    with pytest.raises(UnknownNameError, match="Did you mean 'latency'"):
        measure(STORY, names=["latence"])


def test_facts_are_cut_to_their_spans():
    facts = Facts.of(STORY, warmup=0.5)
    assert facts.events["time"].min() == 5.0
    assert facts.events["time"].max() == 10.0
    assert facts.delivered["item"].to_list() == [7, 8]


@pytest.mark.parametrize(
    ("meta", "unit"),
    [
        ({}, "items per time unit"),
        ({"time_unit": "hours"}, "items per hour"),
        ({"time_unit": "s"}, "items per s"),
        ({"time_unit": "ms"}, "items per ms"),
    ],
)
def test_after_per_stands_one_unit(meta, unit):
    log = replace(STORY, meta=meta)
    assert measure(log, warmup=0.0)["throughput"].unit == unit
    empty = replace(log, events=STORY.events.filter(pl.col("kind") == "rework"))
    assert measure(empty)["throughput"].unit == unit
