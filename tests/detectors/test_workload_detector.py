"""Workload hubs: found where one agent leads throughout, not where activity merely wanders."""

import polars as pl
import pytest

from sim.detectors.engine import detect
from sim.detectors.surrogates import Surrogates
from sim.record.log import Log

FEW = Surrogates(most=199)


def test_a_lasting_lead_is_found(planted):
    """Power is about 0.77 here: fewer than 11 of 20 would be 4 standard errors short."""
    found = [detect(planted.board_log(s, lead=0.4)).discovered for s in range(20)]
    assert all(f[0].roles["hub"] == (0,) for f in found if f)
    assert sum(map(bool, found)) >= 11


def test_wandering_activity_is_no_hub(planted):
    """40 worlds at 5 %: more than 7 false discoveries have probability 1e-3."""
    found = [detect(planted.board_log(800 + s)).discovered for s in range(40)]
    assert sum(map(bool, found)) <= 7


def test_load_is_not_claimed_where_work_is_handed_over(planted):
    log, _ = planted.factory(1, learn=False, n=10, types=2, items=100)
    (row,) = detect(log, detectors=["workload"]).ledger
    assert (row.verdict, row.p) == ("insufficient data", None)
    assert "follows from the handoffs" in row.reason


def many_runs(planted, *, lead, turn, runs=8):
    """Runs of one board each; with `turn` the leading agent has another name in every run."""
    tables = []
    for k in range(runs):
        events = planted.board_log(k, lead=lead, rounds=12).events.select("time", "kind", "source", "target")
        source = (pl.col("source") + (k if turn else 0)) % 5
        tables.append(events.with_columns(source=source, run=pl.lit(f"r{k}")))
    return pl.concat(tables)


@pytest.mark.parametrize("stated", [True, False])
def test_the_same_name_leading_run_after_run_is_found_and_predefined_when_stated(planted, stated):
    events = many_runs(planted, lead=0.4, turn=False)
    runs = {f"r{k}": "work was given out before the start" for k in range(8)} if stated else {}
    pooled = [s for s in detect(Log(events, meta={"predefined_runs": runs}), nulls=FEW).structures if not s.run]
    assert [(s.level, s.roles["hub"], s.discovered) for s in pooled] == [("replicated", (0,), not stated)]
    assert (pooled[0].predefined is not None) == stated


def test_a_lead_under_another_name_in_each_run_is_no_position_effect(planted):
    report = detect(Log(many_runs(planted, lead=0.4, turn=True)), nulls=FEW)
    assert not [s for s in report.structures if not s.run]
    assert [r.verdict for r in report.ledger if "run after run" in r.claim_tested] == ["not beaten"]
