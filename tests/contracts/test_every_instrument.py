"""What holds for every instrument, present and future."""

import json
import math
import re

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sim.instruments.measure import measure, series
from sim.instruments.reading import instruments
from sim.record.log import Log
from sim.record.store import empty_events
from tests.instruments.made_logs import made_log

NAMES = instruments.names()
EXPECTED = {
    *("throughput", "latency", "quality", "cost", "cost_per_item", "handoffs_per_item", "handoff_loss"),
    *("semantic_drift", "work_in_progress", "rework_share", "first_pass_yield", "concentration", "flow_efficiency"),
    "decision_origin",
}
PARTS = ("Definition:", "Formula:", "Range:", "Low and high:", "Chance level:", "Null:", "Reference:")
RUNS = pl.concat([made_log(k, items=25).events.with_columns(run=pl.lit(f"r{k}")) for k in range(6)])
TEXT = pl.DataFrame({"time": [0.0, 1.0], "kind": ["message", "message"], "source": ["a", "b"]})
LOGS = {
    "one run": made_log(1, items=200, split=0.1),
    "six runs": Log(RUNS),
    "one item": made_log(2, items=1, unfinished=0.0),
    "nothing finished": made_log(3, unfinished=1.0),
    "no events": Log(empty_events()),
    "two messages": Log(TEXT),
    "one instant": Log(made_log(4).events.with_columns(time=pl.lit(5.0))),
    "required columns only": Log(made_log(5).events.select("time", "kind", "source")),
    "a window": Log(made_log(6, items=300).events.slice(400, 300)),
    "one agent": Log(made_log(7).events.with_columns(source=pl.lit(0, pl.Int64), target=pl.lit(0, pl.Int64))),
}


def test_no_module_is_broken_and_the_promised_ones_are_there():
    assert instruments.broken == {}
    assert set(NAMES) >= EXPECTED


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_has_all_its_parts(name):
    text = instruments.get(name).read.__doc__
    places = [text.find(part) for part in PARTS]
    assert -1 not in places, [p for p, at in zip(PARTS, places, strict=True) if at < 0]
    assert places == sorted(places)
    assert all(re.search(rf"{part} \S", text) for part in PARTS)
    assert instruments.get(name).summary.endswith(".")


@pytest.mark.parametrize("case", LOGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_reading_is_a_number_in_range_with_its_interval_or_says_why_not(name, case):
    one = instruments.get(name)
    reading = measure(LOGS[case], names=[name])[name]
    json.dumps(reading.to_dict(), allow_nan=False)
    if reading.value is None:
        assert reading.note
        assert reading.low is None
        assert reading.high is None
        return
    assert math.isfinite(reading.value)
    assert one.low <= reading.value <= one.high
    assert reading.n > 0 or (name, reading.value) == ("throughput", 0.0)
    assert reading.unit
    assert (reading.low is None) == (reading.high is None)
    if reading.low is not None:
        assert one.low <= reading.low <= reading.value <= reading.high <= one.high


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_factory_log_gives_every_number_and_an_empty_one_none(name):
    assert measure(LOGS["one run"], names=[name])[name].value is not None
    assert measure(LOGS["no events"], names=[name])[name].value is None


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_reading_and_other_instruments_do_not_matter(name):
    alone = measure(LOGS["one run"], names=[name], seed=3)[name]
    assert measure(LOGS["one run"], seed=3)[name] == alone


@pytest.mark.parametrize("name", NAMES)
def test_names_of_agents_and_items_do_not_matter(name):
    log = LOGS["one run"]
    order = np.random.default_rng(0).permutation(6)
    new = {old: int(order[old]) for old in range(6)}
    other = log.events.with_columns(
        pl.col("source", "target").replace_strict(new, default=None, return_dtype=pl.Int64),
        item=10_000 - pl.col("item"),
    )
    a, b = measure(log, names=[name])[name], measure(Log(other), names=[name])[name]
    assert b.value == pytest.approx(a.value, rel=1e-9)
    text = other.with_columns(pl.col("source", "target", "item").cast(pl.String))
    assert measure(Log(text), names=[name])[name].value == pytest.approx(a.value, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_clock_may_start_anywhere_and_only_times_scale_with_it(name):
    log = LOGS["one run"]
    power = {"latency": 1, "throughput": -1}.get(name, 0)
    value = measure(log, names=[name])[name].value
    moved = Log(log.events.with_columns(pl.col("time") + 4096.0))
    assert measure(moved, names=[name])[name].value == pytest.approx(value, rel=1e-6)
    slower = Log(log.events.with_columns(pl.col("time") * 4, pl.col("duration") * 4))
    assert measure(slower, names=[name])[name].value == pytest.approx(value * 4.0**power, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_twice_the_same_run_gives_the_same_value(name):
    log = LOGS["one run"]
    twice = pl.concat([log.events.with_columns(run=pl.lit(r)) for r in ("a", "b")])
    value = measure(log, names=[name])[name].value
    factor = 2.0 if name == "cost" else 1.0
    assert measure(Log(twice), names=[name])[name].value == pytest.approx(value * factor, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", LOGS)
def test_every_instrument_makes_a_series_and_does_not_touch_the_log(name, case):
    log = LOGS[case]
    before = log.events.clone()
    frame = series(log, names=[name])
    assert frame.columns == ["index", "time", "name", "value"]
    assert frame["value"].is_finite().fill_null(True).all()
    assert_frame_equal(log.events, before)
