"""Handoffs, items and services of a log: a story told by hand, parts and wholes, several runs."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.record.handoffs import ITEM_COLUMNS, TRANSFER_COLUMNS, items, services, transfers
from sim.record.log import Log
from sim.record.store import empty_events
from tests.instruments.made_logs import made_log


def told(rows):
    names = ["time", "kind", "source", "target", "item", "requirements", "similarity", "parent", "cost", "task"]
    names += ["value", "duration"]
    full = [{**dict.fromkeys(names), **r} for r in rows]
    types = {"time": pl.Float64, "kind": pl.Categorical, "source": pl.Int64, "target": pl.Int64, "item": pl.Int64}
    types |= {"requirements": pl.UInt64, "similarity": pl.Float64, "parent": pl.UInt64, "cost": pl.Float64}
    types |= {"task": pl.Int64, "value": pl.Float64, "duration": pl.Float64}
    frame = pl.DataFrame(full, schema=types)
    return Log(frame.with_columns(seq=pl.int_range(pl.len(), dtype=pl.UInt64)))


STORY = [
    {"time": 0, "kind": "arrive", "source": 1, "item": 7, "requirements": 0b1111, "similarity": 1.0, "task": 2},
    {"time": 1, "kind": "arrive", "source": 3, "item": 8, "requirements": 0b11, "similarity": 1.0},
    {"time": 2, "kind": "handoff", "source": 1, "target": 2, "item": 7, "requirements": 0b0111, "similarity": 0.9,
     "cost": 1, "duration": 1.5},
    {"time": 3, "kind": "work", "source": 2, "item": 7, "cost": 4, "duration": 1},
    {"time": 5, "kind": "review", "source": 2, "target": 1, "item": 7, "requirements": 0b0011, "similarity": 0.8},
    {"time": 6, "kind": "rework", "source": 1, "target": 2, "item": 7, "requirements": 0b0001, "similarity": 0.7},
    {"time": 9, "kind": "deliver", "source": 2, "item": 7, "value": 0.25, "requirements": 1, "similarity": 0.7},
    {"time": 9.5, "kind": "approve", "source": 2, "target": 1, "item": 7, "value": 0.25,
     "requirements": 0, "similarity": 0.0},
    {"time": 9.7, "kind": "message", "source": 2, "target": 1},
]  # fmt: skip


def test_a_story_told_by_hand():
    moved = transfers(told(STORY))
    assert tuple(moved.columns) == TRANSFER_COLUMNS
    assert moved.select("item", "task", "hop", "source", "target", "time", "kind").rows() == [
        (7, 2, 0, 1, 2, 2.0, "handoff"), (7, 2, 1, 2, 1, 5.0, "review"), (7, 2, 2, 1, 2, 6.0, "rework")]  # fmt: skip
    assert moved["requirements_before"].to_list() == [0b1111, 0b0111, 0b0011]
    assert moved["requirements"].to_list() == [0b0111, 0b0011, 0b0001]
    assert moved["similarity_before"].to_list() == [1.0, 0.9, 0.8]
    assert moved["wait"].to_list() == [2.0, 3.0, 1.0]
    assert moved["worked"].to_list() == [False, True, False]
    assert moved["first_holder"].to_list() == [True, False, False]
    seven, eight = items(told(STORY)).rows(named=True)
    assert {k: seven[k] for k in ("entered", "entry", "left", "leaving", "leaver", "quality", "hops", "sent_back")} == {
        "entered": 0, "entry": 1, "left": 9, "leaving": "deliver", "leaver": 2, "quality": 0.25, "hops": 3,
        "sent_back": 1}  # fmt: skip
    assert (seven["kept"], seven["similarity"], seven["cost"], seven["busy"], seven["holder"]) == (0.25, 0.7, 5, 2.5, 2)
    assert (eight["left"], eight["leaving"], eight["hops"], eight["kept"], eight["busy"]) == (None, None, 0, 1.0, None)
    assert (eight["holder"], eight["whole"], eight["parts"]) == (3, None, 0)
    assert services(told(STORY)).select("source", "kind").rows() == [
        (1, "handoff"), (2, "work"), (1, "rework"), (2, "deliver")]  # fmt: skip


def test_a_transfer_by_somebody_who_did_not_hold_the_item_has_no_wait():
    moved = transfers(told([{**STORY[0]}, {**STORY[2], "source": 5}]))
    assert moved["wait"].to_list() == [None]
    assert moved["first_holder"].to_list() == [False]


def test_events_without_item_or_target_are_no_transfers():
    log = told([{"time": 0, "kind": "review", "source": 1}, {"time": 1, "kind": "handoff", "source": 1, "item": 4}])
    assert transfers(log).height == 0
    assert items(log)["hops"].to_list() == [0]
    assert services(log)["kind"].to_list() == ["handoff"]


def test_parts_know_their_whole_and_leave_when_it_is_assembled():
    rows = [
        {"time": 0, "kind": "arrive", "source": 1, "item": 1},
        {"time": 0, "kind": "arrive", "source": 1, "item": 2, "parent": 0},
        {"time": 0, "kind": "arrive", "source": 1, "item": 3, "parent": 0},
        {"time": 1, "kind": "hold", "source": 1, "item": 2},
        {"time": 2, "kind": "drop", "source": 1, "item": 3},
        {"time": 3, "kind": "assemble", "source": 1, "item": 1},
        {"time": 4, "kind": "deliver", "source": 1, "item": 1},
    ]
    table = items(told(rows))
    assert table.select("item", "whole", "parts", "left", "leaving").rows() == [
        (1, None, 2, 4.0, "deliver"), (2, 1, 0, 3.0, "assemble"), (3, 1, 0, 2.0, "drop")]  # fmt: skip


@pytest.mark.parametrize(
    "log", [Log(empty_events()), Log(pl.DataFrame({"time": [1.0], "kind": ["x"], "source": ["a"]}))]
)
def test_logs_without_items_give_empty_tables_with_all_columns(log):
    assert transfers(log).height == items(log).height == services(log).height == 0
    assert tuple(items(log).columns) == ITEM_COLUMNS
    assert tuple(transfers(log).columns) == TRANSFER_COLUMNS


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_runs_are_kept_apart_and_agents_may_be_text(seed):
    one, two = made_log(seed).events, made_log(seed + 1).events
    both = pl.concat([one.with_columns(run=pl.lit("b")), two.with_columns(run=pl.lit("a"))])
    both = both.with_columns(pl.col("source", "target").cast(pl.String))
    for table in (transfers, items, services):
        parts = pl.concat(
            [table(Log(one)).with_columns(run=pl.lit("b")), table(Log(two)).with_columns(run=pl.lit("a"))]
        )
        agents = [c for c in ("source", "target", "entry", "leaver", "holder") if c in parts.columns]
        keys = ["run", "item"] if "item" in parts.columns else ["run", "time"]
        expected = parts.with_columns(pl.col(agents).cast(pl.String)).sort(keys, maintain_order=True)
        assert table(Log(both)).sort(keys, maintain_order=True).equals(expected)
