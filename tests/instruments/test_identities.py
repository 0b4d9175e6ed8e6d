"""Identities: they hold on every sound log, break when a row is deleted or altered, and say where they do not apply."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.instruments.identities import BALANCE, CONSERVATION, COSINE, COST, CUSTODY, FLOW, KEPT, LITTLE, PARENTS
from sim.instruments.identities import identities as check
from sim.record.log import Log
from sim.record.store import empty_events
from tests.instruments.made_logs import made_log

ORDER = [CONSERVATION, LITTLE, FLOW, CUSTODY, BALANCE, COST, PARENTS, KEPT, COSINE]
seeds = st.integers(0, 10**6)


def broken(log, **arguments):
    return {i.name for i in check(log, **arguments) if i.holds is False}


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 60), st.integers(2, 9), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.0, 1.7e9]))
def test_every_identity_holds_on_every_sound_log(seed, items, agents, unfinished, split, shift):
    log = made_log(seed, items=items, agents=agents, unfinished=unfinished, split=split, shift=shift)
    found = check(log)
    assert [i.name for i in found] == ORDER
    assert [(i.name, i.note) for i in found if i.holds is False] == []
    assert found[0].holds is True


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_they_hold_for_several_runs_in_one_table(seed):
    tables = [made_log(seed + k, items=10, shift=1000.0 * k).events.with_columns(run=pl.lit(f"r{k}")) for k in range(3)]
    assert broken(Log(pl.concat(tables))) == set()


def with_children(log):
    """Positions of rows that some later row names as parent, by kind."""
    parents = set(log.events["parent"].drop_nulls().to_list())
    return [r for r in log.events.with_row_index("at").iter_rows(named=True) if r["seq"] in parents]


def without(log, at):
    return replace(log, events=log.events.with_row_index("at").filter(pl.col("at") != at).drop("at"))


def altered(log, at, **new):
    columns = [
        pl.when(pl.int_range(pl.len()) == at).then(pl.lit(v, log.events.schema[n])).otherwise(n).alias(n)
        for n, v in new.items()
    ]
    return replace(log, events=log.events.with_columns(columns))


@settings(max_examples=30, deadline=None)
@given(seeds, st.data())
def test_a_deleted_row_breaks_an_identity(seed, data):
    log = made_log(seed, unfinished=0.0)
    row = data.draw(st.sampled_from(log.events.with_row_index("at").rows(named=True)))
    told = replace(log, meta={"in_flight": 0, "cost": float(log.events["cost"].sum())})
    assert broken(told) == set()
    lost = broken(without(told, row["at"]))
    expected = {
        "arrive": {CONSERVATION},
        "deliver": {CONSERVATION, COST},
        "work": {COST},
    }.get(row["kind"], {CUSTODY, FLOW, PARENTS, COST})
    assert expected <= lost


@settings(max_examples=15, deadline=None)
@given(seeds, st.data())
def test_an_altered_row_breaks_an_identity(seed, data):
    log = made_log(seed, unfinished=0.0)
    moves = log.events.with_row_index("at").filter(pl.col("target").is_not_null()).rows(named=True)
    if not moves:
        return
    row = data.draw(st.sampled_from(moves))
    assert {CUSTODY, FLOW} <= broken(altered(log, row["at"], target=99))
    assert {CUSTODY, FLOW} <= broken(altered(log, row["at"], source=99))
    assert BALANCE in broken(altered(log, row["at"], target=None))
    assert CUSTODY in broken(altered(log, row["at"], item=10**9))
    ends = log.events.with_row_index("at").filter(pl.col("kind").cast(str) == "deliver")["at"].to_list()
    at = data.draw(st.sampled_from(ends))
    assert {CUSTODY, FLOW} <= broken(altered(log, at, source=99))
    twice = pl.concat([log.events, log.events[at].with_columns(seq=pl.lit(10**6, pl.UInt64))])
    assert {CONSERVATION, LITTLE} & broken(Log(twice.sort("time")))
    assert CONSERVATION in broken(Log(twice.sort("time")))
    told = replace(log, meta={"cost": float(log.events["cost"].sum())})
    assert broken(altered(told, at, cost=7.5)) == {COST}


def test_a_part_of_the_time_is_missing_for_little_when_an_item_leaves_twice():
    log = made_log(3, unfinished=0.0)
    at = int(log.events.with_row_index("at").filter(pl.col("kind").cast(str) == "deliver")["at"][0])
    twice = pl.concat([log.events, log.events[at].with_columns(seq=pl.lit(10**6, pl.UInt64))]).sort("time")
    assert {CONSERVATION, LITTLE} <= broken(Log(twice))


def test_the_worlds_own_counts_are_held_against_the_log():
    log = made_log(5, unfinished=0.5)
    inside = int(next(i for i in check(log) if i.name == CONSERVATION).note.split(" lost, ")[1].split()[0])
    assert inside > 0
    assert broken(replace(log, meta={"in_flight": inside})) == set()
    assert broken(replace(log, meta={"in_flight": inside - 1})) == {CONSERVATION}
    assert broken(replace(log, meta={"cost": 1.0})) == {COST}


def test_composition_holds_for_the_true_channel_and_fails_for_another():
    # 24 logs of 800 items, 2 identities each: at 4 standard errors a false alarm in any has probability 0.3 %.
    for seed in range(24):
        log = made_log(seed, items=800, loss=0.08, noise=0.4, dimension=6, unfinished=0.05)
        found = {i.name: i for i in check(log, loss=0.08, noise=0.4, dimension=6)}
        assert found[KEPT].holds is True, found[KEPT]
        assert found[COSINE].holds is True, found[COSINE]
        assert broken(log, loss=0.12, noise=0.5, dimension=6) == {KEPT, COSINE}


def test_without_loss_the_composition_is_exact():
    log = made_log(1, items=60, loss=0.0, noise=0.0)
    assert broken(log, loss=0.0, noise=0.0, dimension=8) == set()
    assert KEPT in broken(log, loss=1e-3)


@pytest.mark.parametrize("kept", ["window", "sample", "counters"])
def test_a_reduced_log_supports_none_and_says_so(kept):
    found = check(replace(made_log(0), kept=kept), loss=0.1)
    assert [i.name for i in found] == ORDER
    assert all(i.holds is None and kept in i.note for i in found)


def test_what_does_not_apply_is_said_and_never_faked():
    found = check(Log(empty_events()), loss=0.1, noise=0.1)
    assert all(i.holds is None and i.expected is None and "does not apply" in i.note for i in found)
    few = {i.name: i for i in check(made_log(0, items=5), loss=0.1)}
    assert "20 are needed" in few[KEPT].note
    assert few[COSINE].note == "does not apply: the noise per handoff is not given"
    assert few[KEPT].to_dict()["holds"] is None


def test_a_window_cut_out_of_a_log_is_not_mistaken_for_a_whole_one():
    log = made_log(2, items=200)
    late = replace(log, events=log.events.filter(pl.col("time") > np.median(log.events["time"])))
    assert CONSERVATION in broken(late)
