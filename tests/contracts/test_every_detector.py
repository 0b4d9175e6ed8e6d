"""Every detector: declared in full, silent where there is nothing, and never surprised by its input."""

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sim.detectors.core import detectors
from sim.detectors.engine import detect
from sim.detectors.kinds import KINDS
from sim.detectors.nulls import NULLS
from sim.detectors.surrogates import Surrogates
from sim.record.log import Log

NAMES = detectors.names()
SPEC = importlib.util.spec_from_file_location("planted", Path(__file__).parents[1] / "detectors" / "planted.py")
planted = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(planted)


def table(**columns):
    return Log(pl.DataFrame(columns, strict=False))


def factory(**changes):
    """Random routing, in which any discovery is false."""
    log, _ = planted.factory(3, learn=False, n=12, types=2, items=250)
    return Log(log.events.with_columns(**changes))


STRANGE = {
    "no events": lambda: table(time=[], kind=[], source=[]),
    "no rows but columns": lambda: Log(factory().events.head(0)),
    "one event": lambda: Log(factory().events.head(1)),
    "one agent": lambda: table(time=np.arange(300.0), kind=["handoff"] * 300, source=[1] * 300, target=[1] * 300),
    "two agents": lambda: table(
        time=np.arange(300.0), kind=["handoff"] * 300, source=[1, 2] * 150, target=[2, 1] * 150, task=[0, 1] * 150
    ),
    "only self-loops": lambda: factory(target=pl.col("source")),
    "all at one time": lambda: factory(time=pl.lit(1.0)),
    "rows backwards": lambda: Log(factory().events.reverse()),
    "times not a number": lambda: factory(time=pl.lit(float("nan"))),
    "some times missing": lambda: factory(time=pl.when(pl.col("seq") % 3 == 0).then(None).otherwise(pl.col("time"))),
    "infinite times": lambda: factory(time=pl.when(pl.col("seq") > 900).then(float("inf")).otherwise(pl.col("time"))),
    "unknown kinds": lambda: factory(kind="k" + (pl.col("seq") % 500).cast(pl.String)),
    "a kind for every event": lambda: table(
        time=np.arange(1e5),
        kind=[f"k{k}" for k in range(100_000)],
        source=np.arange(100_000) % 7,
        target=np.arange(100_000) * 3 % 11,
    ),
    "values not a number": lambda: factory(value=pl.lit(float("nan")), cost=pl.lit(float("nan"))),
    "values without end": lambda: factory(value=pl.lit(float("inf")), kind=pl.lit("decide")),
    "decisions of text": lambda: factory(value=pl.lit("yes"), kind=pl.lit("decide")),
    "parents that are not there": lambda: factory(parent=pl.lit(10**9)),
    "states not a number": lambda: Log(
        factory().events,
        states=pl.DataFrame(
            {
                "time": [float("nan"), 1.0, 2.0],
                "agent": [0, 1, 99],
                "variable": ["x"] * 3,
                "value": [1.0, float("nan"), 2.0],
            }
        ),
    ),
    "states that never change": lambda: Log(
        factory().events,
        states=pl.DataFrame(
            {
                "time": np.repeat(np.arange(200.0), 8),
                "agent": np.tile(np.arange(8), 200),
                "variable": ["x"] * 1600,
                "value": [1.0] * 1600,
            }
        ),
    ),
    "duplicated rows": lambda: Log(pl.concat([factory().events] * 3).sort("time")),
    "no kinds": lambda: factory(kind=pl.lit(None, dtype=pl.String)),
    "null targets": lambda: factory(target=pl.lit(None, dtype=pl.Int64)),
    "untyped null targets": lambda: factory(target=pl.lit(None)),
    "null sources": lambda: factory(source=pl.lit(None, dtype=pl.Int64)),
    "only required columns": lambda: Log(factory().events.select("time", "kind", "source")),
    "agents as text": lambda: factory(
        source="a" + pl.col("source").cast(pl.String), target="a" + pl.col("target").cast(pl.String)
    ),
    "sources as text, targets as numbers": lambda: factory(source="a" + pl.col("source").cast(pl.String)),
    "items missing": lambda: factory(item=pl.lit(None, dtype=pl.Int64)),
    "every event its own task": lambda: factory(task=pl.col("seq").cast(pl.Int64)),
    "everything censored": lambda: factory(origin=pl.lit("censored")),
    "every event its own run": lambda: Log(factory().events.head(200).with_columns(run=pl.col("seq").cast(pl.String))),
    "agents come and go": lambda: factory(source=pl.col("source") + pl.col("seq").cast(pl.Int64) // 200 * 100),
}


def test_every_module_of_the_folder_imports():
    assert detectors.broken == {}
    assert {"handoffs", "teams", "workload"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_declares_kinds_claims_nulls_and_minimum(name):
    detector = detectors.get(name)
    assert detector.name == name
    assert set(detector.kinds) <= KINDS.keys()
    assert all(claim.null in NULLS and claim.name and claim.unit for claim in detector.claims)
    assert detector.minimum.agents >= 2
    assert detector.minimum.events >= 3 * detector.minimum.per_window
    assert detector.unit in ("event", "item")


@pytest.mark.parametrize("name", NAMES)
def test_the_module_says_in_its_first_line_what_it_detects(name):
    first = importlib.import_module(f"sim.detectors.{name}").__doc__.splitlines()[0]
    assert ": " in first
    assert first.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_sees_only_the_record(name):
    source = Path(importlib.import_module(f"sim.detectors.{name}").__file__).read_text()
    imported = [line.split()[1] for line in source.splitlines() if line.startswith(("from ", "import "))]
    inner = [m for m in imported if m.split(".")[0] in ("sim", "agents", "scenarios", "experiments", "viz")]
    assert all(m.startswith(("sim.detectors", "sim.record", "sim.topology", "sim.registry")) for m in inner)
    assert "random.seed" not in source


@pytest.mark.parametrize("strange", STRANGE)
def test_strange_input_gives_a_report_and_no_discovery(strange):
    report = detect(STRANGE[strange](), nulls=Surrogates(most=199))
    # Agents that are replaced every 200 events are cohorts, which a detector may rightly see.
    assert strange == "agents come and go" or not report.discovered
    assert {r.detector for r in report.ledger} >= set(NAMES) or report.log["runs"] == 0
    assert report.notes
    report.to_json()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("world", ["random_mixing", "isolated_broadcasts", "persistent_ties"])
def test_silent_on_a_world_with_nothing_in_it(name, world):
    """Six worlds each; more than two false discoveries at 5 % have probability 2e-3."""
    found = [detect(getattr(planted, world)(900 + s), detectors=[name]).discovered for s in range(6)]
    assert sum(map(bool, found)) <= 2


@pytest.mark.parametrize("name", NAMES)
def test_too_little_data_is_said_and_never_tested(name):
    report = detect(Log(factory().events.head(20)), detectors=[name])
    (row,) = report.ledger
    assert (row.verdict, row.p, row.q) == ("insufficient data", None, None)
