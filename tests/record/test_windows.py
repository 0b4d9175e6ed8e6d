"""Windows: without overlap every event is in exactly one, and runs are cut apart."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.record.log import Log
from sim.record.windows import windows


def log_at(times, run=None):
    events = pl.DataFrame(
        {"seq": list(range(len(times))), "time": sorted(times), "kind": ["work"] * len(times)},
        schema={"seq": pl.UInt64, "time": pl.Float64, "kind": pl.String},
    )
    return Log(events if run is None else events.with_columns(run=pl.lit(run)))


times = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=60)


@given(times, st.integers(1, 12), st.sampled_from(["time", "events"]))
def test_without_overlap_every_event_is_in_exactly_one_window(at, count, by):
    log = log_at(at)
    made = windows(log, count=count, by=by)
    assert pl.concat([w.events for w in made])["seq"].to_list() == log.events["seq"].to_list()
    assert len(made) == (count if by == "events" or max(at) > min(at) else 1)


@given(times, st.floats(0.01, 1e6))
def test_windows_of_a_length_cover_the_span_and_hold_only_their_own_rows(at, length):
    span = max(at) - min(at)
    if span / length > 500:
        length = span / 500
    made = windows(log_at(at), length=length)
    assert sum(w.events.height for w in made) == len(at)
    for w in made[:-1]:
        if w.events.height:
            assert w.start <= w.events["time"].min()
            assert w.events["time"].max() < w.end
    assert made[-1].end >= max(at)


def test_windows_by_events_have_equal_numbers():
    made = windows(log_at(np.arange(100.0)), by="events", length=30)
    assert [w.events.height for w in made] == [30, 30, 30, 10]


def test_a_span_of_exactly_n_lengths_makes_n_windows():
    made = windows(log_at(np.arange(0, 10.1, 0.5)), length=2.5)
    assert [(w.start, w.end) for w in made] == [(0, 2.5), (2.5, 5), (5, 7.5), (7.5, 10)]
    assert made[-1].events["time"].max() == 10.0


def test_overlap_repeats_the_share_asked_for():
    made = windows(log_at(np.arange(0, 100.0)), count=3, overlap=0.5)
    assert [round(w.start, 3) for w in made] == [0, 24.75, 49.5]
    assert made[1].end - made[1].start == pytest.approx(49.5)
    assert sum(w.events.height for w in made) > 100


def test_runs_are_cut_apart_and_the_default_gives_all_runs_the_same_number():
    a, b = log_at(np.arange(1000.0), "a").events, log_at(np.arange(500.0, 3000.0), "b").events
    made = windows(Log(pl.concat([a, b])))
    assert {w.run for w in made} == {"a", "b"}
    assert [w.index for w in made if w.run == "a"] == [w.index for w in made if w.run == "b"]
    assert all(set(w.events["run"]) == {w.run} for w in made)
    assert len(windows(log_at(np.arange(50.0)))) == 1
    assert len(windows(log_at(np.arange(1e5)))) == 20


def test_an_empty_log_has_no_windows_and_a_window_gives_its_log():
    assert windows(log_at([])) == []
    log = log_at(np.arange(10.0))
    assert windows(log, count=2)[0].of(log).events.height == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"by": "days"}, "'time' or 'events', got 'days'"),
        ({"length": 1, "count": 2}, "got both"),
        ({"length": 0}, "above 0, got 0"),
        ({"length": float("nan")}, "above 0, got nan"),
        ({"length": 1.5, "by": "events"}, "whole number of events"),
        ({"count": 0}, "at least 1, got 0"),
        ({"overlap": 1.0}, "less than 1, got 1.0"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        windows(log_at([1.0]), **arguments)
