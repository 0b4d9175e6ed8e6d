"""Factory functions: who takes in, routes, checks, integrates and monitors, read off small logs written by hand."""

import math

import polars as pl
import pytest

from sim.instruments.functions import functions
from sim.record.log import Log
from sim.record.store import empty_events
from tests.instruments.made_logs import made_log

NAMES = ["intake", "routing", "quality_control", "integration", "monitoring", "escalation"]


def told(*rows, run=None):
    """Rows as (kind, source, target, item, parent, artefact)."""
    names = ["kind", "source", "target", "item", "parent", "artefact"]
    types = {"kind": pl.Categorical, "source": pl.String, "target": pl.String, "item": pl.Int64, "parent": pl.UInt64}
    full = [dict(zip(names, (*r, *[None] * (6 - len(r))), strict=True)) for r in rows]
    frame = pl.DataFrame(full, schema={**types, "artefact": pl.String})
    frame = frame.with_columns(
        seq=pl.int_range(pl.len(), dtype=pl.UInt64), time=pl.int_range(pl.len()).cast(pl.Float64)
    )
    return Log(frame if run is None else frame.with_columns(run=pl.lit(run)))


def who(log, name):
    return functions(log)[name]["who"]


def test_all_six_are_always_described_and_nothing_is_invented():
    found = functions(Log(empty_events()))
    assert list(found) == NAMES
    for name in NAMES:
        assert found[name]["missing"] is True
        assert found[name]["who"] == {}
        assert found[name]["concentration"] is None
        assert "nobody performing" in found[name]["sentence"]


def test_intake_is_arrival_and_passing_on():
    log = told(("arrive", "a", None, 1), ("handoff", "a", "b", 1), ("handoff", "b", "c", 1),
               ("arrive", "b", None, 2), ("deliver", "b", None, 2))  # fmt: skip
    assert who(log, "intake") == {"a": 1.0}


def test_routing_is_passing_on_without_work():
    log = told(("arrive", "a", None, 1), ("handoff", "a", "b", 1), ("work", "b", None, 1), ("handoff", "b", "c", 1),
               ("escalate", "c", "d", 1))  # fmt: skip
    assert who(log, "routing") == {"a": 0.5, "c": 0.5}


def test_a_route_that_repeats_a_delegation_is_not_counted_twice():
    both = told(("delegate", "boss", "x"), ("route", "boss", "x"), ("delegate", "boss", "y"))
    assert functions(both)["routing"]["events"] == 2
    assert functions(told(("route", "boss", "x")))["routing"]["events"] == 1


def test_quality_control_is_with_the_reviewer_and_not_with_those_who_carry_the_verdict_back():
    log = told(
        ("arrive", "a", None, 1),
        ("review", "a", "r", 1),
        ("rework", "r", "a", 1),
        ("deliver", "a", None, 1),
        ("approve", "a", "z", 1, 3),
        ("approve", "z", "y", 1, 4),
    )
    assert who(log, "quality_control") == {"r": 1.0}
    assert who(told(("approve", "judge", "a", 1)), "quality_control") == {"judge": 1.0}
    assert who(told(("review", "planner")), "quality_control") == {"planner": 1.0}


def test_integration_monitoring_and_escalation():
    log = told(("assemble", "a", None, 1), ("deliver", "a", None, 1), ("deliver", "b", None, 2),
               ("deliver", "b", None, 3), ("ask", "m", "a"), ("escalate", "a", "top", 4))  # fmt: skip
    assert who(log, "integration") == {"a": 0.5, "b": 0.5}
    assert who(log, "monitoring") == {"m": 1.0}
    assert who(log, "escalation") == {"top": 1.0}


def test_reading_what_one_wrote_oneself_is_no_monitoring():
    log = told(("write", "a", None, None, None, "f"), ("read", "a", None, None, None, "f"),
               ("read", "b", None, None, None, "f"), ("read", "b", None, None, None, "g"))  # fmt: skip
    assert who(log, "monitoring") == {"b": 1.0}
    assert functions(log)["monitoring"]["events"] == 1


def test_concentration_counts_those_who_do_nothing_and_runs_apart():
    one = told(("deliver", "a", "b", 1), ("deliver", "a", "c", 2), ("message", "d"), run="x")
    found = functions(one)["integration"]
    assert found["concentration"] == pytest.approx(0.75)
    assert found["effective_agents"] == pytest.approx(1.0)
    two = told(("deliver", "a", None, 1), ("deliver", "b", None, 2), run="y")
    found = functions(Log(pl.concat([one.events, two.events])))["integration"]
    assert found["concentration"] == pytest.approx((0.75 + 0.0) / 2)
    assert found["effective_agents"] == pytest.approx((1.0 + 2.0) / 2)
    assert found["who"] == {"a": 0.75, "b": 0.25}


def test_shares_sum_to_one_and_only_ten_are_named():
    found = functions(made_log(0, items=400, agents=30))
    for name in ("intake", "routing", "quality_control", "integration", "escalation"):
        assert len(found[name]["who"]) == 10
        assert 25 <= found[name]["agents"] <= 30
        assert 0 < sum(found[name]["who"].values()) < 1
        assert 1 < found[name]["effective_agents"] <= 30
        assert not math.isnan(found[name]["concentration"])
