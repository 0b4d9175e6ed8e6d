"""Presence: agents who come and go, and contacts that show no more than who was there at the same time."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.detectors import presence
from sim.detectors.engine import detect
from sim.detectors.window import read
from sim.record.log import Log


def log_of(source, target):
    n = len(source)
    columns = {"seq": np.arange(n, dtype=np.uint64), "time": np.arange(n) * 1.0, "kind": ["message"] * n}
    return Log(pl.DataFrame({**columns, "source": source, "target": target, "origin": ["rule"] * n}))


def turnover(seed, *, present=12, step=100, n=3000):
    """Those present mix evenly; at every ``step`` one leaves and one joins."""
    rng = np.random.default_rng(seed)
    away = np.arange(n) // step
    first = rng.integers(0, present, n)
    second = (first + rng.integers(1, present, n)) % present
    return log_of(first + away, second + away)


def teams(seed, *, per=6, groups=4, step=100, n=4000, inside=0.7):
    """Teams that stay while their members are replaced one by one."""
    rng = np.random.default_rng(seed)
    ids, rows = np.arange(per * groups).reshape(groups, per), []
    for k in range(n):
        if k % step == step - 1:
            ids[rng.integers(groups), rng.integers(per)] = ids.max() + 1
        team = ids[rng.integers(groups)]
        giver, taker = rng.choice(team, 2, replace=False)
        rows.append((giver, taker if rng.random() < inside else rng.choice(ids[ids != giver])))
    return log_of(*np.array(rows).T)


def window_of(log):
    return read(log).windows[0]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), present=st.integers(4, 15), step=st.integers(40, 120))
def test_who_acts_and_is_acted_on_in_each_stretch_stays(seed, present, step):
    sample = presence.present(window_of(turnover(seed, present=present, step=step)))
    assert sample is not None
    made = presence.exchange(sample, np.random.default_rng(seed))
    before, after = sample.window, made.window
    assert (before.source == after.source).all()
    for number in range(int(sample.stretch[-1]) + 1):
        rows = sample.rows[sample.stretch == number]
        assert (np.sort(before.target[rows]) == np.sort(after.target[rows])).all()
    assert (after.source[sample.rows] == after.target[sample.rows]).mean() < 0.01
    assert (before.target != after.target).mean() > 0.5


@pytest.mark.parametrize("seed", range(20))
def test_agents_who_stay_are_not_taken_for_passers_by(seed):
    """Uneven activity, bursts and nights: twenty worlds, none of them asked (each at a chance far below 1e-3)."""
    rng = np.random.default_rng(seed)
    share = rng.pareto(1.5, 30) + 0.2
    bursts = np.repeat(rng.choice(30, 600, p=share / share.sum()), rng.integers(1, 6, 600))
    target = (bursts + rng.integers(1, 30, len(bursts))) % 30
    assert presence.present(window_of(log_of(bursts, target))) is None


@pytest.mark.slow
def test_random_mixing_of_those_who_are_there_organises_nothing():
    """Twenty worlds in which agents come and go; at 5 % more than 5 discoveries have a chance below 1e-3."""
    wrong = 0
    for seed in range(20):
        report = detect(turnover(seed, step=(100, 200)[seed % 2]), seed=seed)
        assert any(row.null == presence.NULL for row in report.ledger)
        wrong += bool(report.discovered)
    assert wrong <= 5


def test_teams_whose_members_are_replaced_are_found_beyond_presence():
    report = detect(teams(1), detectors=["teams"], seed=1)
    (found,) = report.discovered
    assert found.kind == "teams"
    assert presence.NULL in found.nulls
    assert any(row.null == presence.NULL and row.verdict == "beaten" for row in report.ledger)
