"""Change points: shifts are found and placed, wandering is not taken for a shift, and the report says when."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.detectors.changepoints import SHORTEST, Course, change_points, likeliest, redraw
from sim.detectors.engine import detect


def wandering(rng, times, memory, series=1):
    steps = rng.normal(size=(series, times + 200))
    made = np.zeros_like(steps)
    for t in range(1, times + 200):
        made[:, t] = memory * made[:, t - 1] + steps[:, t]
    return made[:, 200:] * np.sqrt(1 - memory**2)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_wandering_is_not_taken_for_a_shift(memory):
    """100 series of 60, 5 % each: more than 13 have probability 5e-4."""
    rng = np.random.default_rng(int(memory * 10))
    assert sum(bool(change_points(wandering(rng, 60, memory)[0])) for _ in range(100)) <= 13


@pytest.mark.parametrize("times", [40, 100])
def test_a_shift_of_two_deviations_in_two_features_is_placed_within_one_window(times):
    """Of a single series not even known levels place it better than in 88 % of cases."""
    placed = 0
    for seed in range(24):
        rng = np.random.default_rng([seed, times])
        values = rng.normal(size=(3, times))
        at = int(rng.integers(times // 4, 3 * times // 4))
        values[:, at:] += 2.0
        placed += any(abs(shift.at - at) <= 1 for shift in change_points(values, seed=seed))
    assert placed >= 0.95 * 24


def test_several_shifts_are_found_with_their_levels():
    rng = np.random.default_rng(3)
    values = rng.normal(size=120) + np.repeat([0.0, 5.0, -5.0], 40)
    first, second = change_points(values)
    assert (first.at, second.at) == (40, 80)
    assert first.after[0] == pytest.approx(5.0, abs=0.7)
    assert second.before[0] == pytest.approx(5.0, abs=0.7)
    assert second.after[0] == pytest.approx(-5.0, abs=0.7)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1000.0), st.floats(-1e4, 1e4), st.integers(0, 1000))
def test_scale_and_origin_change_nothing(scale, origin, seed):
    values = np.random.default_rng(seed).normal(size=30)
    assert likeliest(values[None])[0] == likeliest(scale * values[None] + origin)[0]


def test_courses_keep_memory_and_spread():
    rng = np.random.default_rng(0)
    values = wandering(rng, 400, 0.7)
    again = [redraw(Course(values), rng).values[0] for _ in range(40)]
    memory = [np.corrcoef(a[1:], a[:-1])[0, 1] for a in again]
    assert np.mean(memory) == pytest.approx(0.7, abs=0.1)
    assert np.mean([a.std() for a in again]) == pytest.approx(values.std(), rel=0.25)


def test_short_and_constant_series_have_no_shift_and_strange_ones_are_refused():
    assert change_points(np.zeros(100)) == ()
    assert change_points(np.r_[np.zeros(5), np.ones(5)]) == ()
    assert change_points(np.zeros((3, SHORTEST - 1))) == ()
    with pytest.raises(ValueError, match="finite values"):
        change_points(np.array([1.0, np.nan] * 20))


def test_a_flat_series_that_jumps_once_is_placed():
    values = np.r_[np.zeros(20), np.ones(20)]
    (shift,) = change_points(values + 1e-3 * np.random.default_rng(0).normal(size=40))
    assert shift.at == 20


def test_the_report_says_when_the_organisation_changed(planted):
    standing, _ = planted.teams_log(1, events=1600, mixing=0.1)
    after = planted.random_mixing(2, n=40, events=1600)
    joined = pl.concat([standing.events, after.events.with_columns(pl.col("time") + 1600)]).drop("seq")
    report = detect(planted.as_log({c: joined[c] for c in ("time", "source", "target", "kind")}))
    (turn,) = report.turns
    assert abs(turn.time - 1600) <= 3200 / 50
    assert "distinct pairs" in turn.before
    assert turn.sentence in report.notes
    (row,) = [r for r in report.ledger if r.detector == "change points"]
    assert (row.verdict, row.null) == ("beaten", "NAR")


def test_an_organisation_that_stays_has_no_turns(planted):
    """12 logs, 5 % each: more than 3 have probability 2e-3."""
    logs = [planted.teams_log(30 + s, events=1200)[0] for s in range(6)]
    logs += [planted.persistent_ties(60 + s, n=30, events=1200) for s in range(6)]
    from sim.detectors.turns import turns
    from sim.detectors.window import read

    assert sum(bool(turns(read(log).windows[0], alpha=0.05, seed=0)[0]) for log in logs) <= 3
