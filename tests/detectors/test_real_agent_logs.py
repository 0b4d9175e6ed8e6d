"""Real logs of language-model teams: right about what the data can and cannot show. Skipped without the data folder."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from sim.detectors.engine import detect
from sim.record.log import Log

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of real logs at {DATA}"),
]


def read(name):
    return pl.read_parquet(DATA / name / "events.parquet"), pl.read_parquet(DATA / name / "runs.parquet")


def test_build_teams_show_a_predefined_hub_and_no_handoffs():
    events, runs = read("llm_build_teams")
    given = runs.filter(pl.col("mode") == "pre_assigned")["run"].to_list()
    said = dict.fromkeys(given, "tasks were given out before the start")
    report = detect(Log(events, meta={"predefined_runs": said}))
    assert report.log["runs"] == 957
    # Series of a few dozen events can look like influence in single runs; none of it lasts, so none is called discovered.
    assert {s.kind for s in report.structures if s.level not in {"observed", "significant"}} == {"hub"}
    pooled = [s for s in report.structures if not s.run]
    assert [s.roles["hub"] for s in pooled] == [("Dev1",)] * 4
    assert {len(s.members) for s in pooled} == {2, 3, 4, 5}
    assert all(s.level == "replicated" and s.predefined and not s.discovered for s in pooled)
    assert {s.run for s in report.discovered}.isdisjoint(given)
    reasons = {r.detector: r.reason for r in report.ledger if r.verdict == "insufficient data"}
    assert reasons["handoffs"].startswith("no targets")
    assert reasons["teams"].startswith("no targets")
    assert any("no handoff, team or hierarchy claim is possible" in note for note in report.notes)


def test_conventions_are_shown_without_their_origin_and_no_teams_at_the_nominal_rate():
    """434 runs of truly random partners: the share of raw p below 5 % is within 4 standard errors (4.2 points).

    Every game was played until one option was left, so conventions are there; why that option won is not in the log.
    """
    report = detect(Log(read("llm_conventions")[0]))
    assert {s.kind for s in report.discovered} == {"convention"}
    assert len(report.discovered) > 300
    assert all("first" in s.sentence for s in report.discovered)
    assert any("solo" in note for note in report.notes)
    rows = [r for r in report.ledger if r.detector == "teams" and r.null == "N1F"]
    assert len(rows) == 434
    assert sum(r.p <= 0.05 for r in rows) / 434 < 0.05 + 4 * (0.05 * 0.95 / 434) ** 0.5
    assert Counter(r.verdict for r in report.ledger if r.detector == "handoffs") == {"insufficient data": 1}
