"""Calibration: the study is whole, resumable, and its rates are those of its worlds."""

import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import kstest

from experiments.calibrate import (
    SEEDS,
    Study,
    asked_of,
    bare,
    calibrate,
    gathered,
    jobs_of,
    rated,
    spread,
    summary,
    worlds_done,
)
from experiments.cli import call
from experiments.errors import UsageProblem
from experiments.jobs import Outcome, stored
from experiments.report.calibration import FAILS, HOLDS, UNSURE, summarised, write
from scenarios.worlds.world import worlds
from sim.detectors.core import detectors
from sim.detectors.hierarchy import IMBALANCED
from sim.registry import UnknownNameError

SMALL = Study(worlds=10, repeats=0, detectors=("teams",), only=("random mixing", "uneven activity"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    return folder, calibrate(SMALL, folder=folder, workers=1)


def test_every_null_world_is_counted_once(made):
    _, calibration = made
    rows = calibration.claims.filter(detector="all of them").to_dicts()
    assert {r["world"]: r["worlds"] for r in rows} == {"random mixing": 10, "uneven activity": 10}
    assert all(r["low"] <= r["rate"] <= r["high"] for r in calibration.tests.to_dicts())
    assert calibration.failed == ()


def test_a_second_call_does_nothing_again(made):
    folder, calibration = made
    seen = []
    with pytest.raises(UsageProblem, match="--resume"):
        calibrate(SMALL, folder=folder, workers=1)
    again = calibrate(SMALL, folder=folder, workers=1, resume=True, progress=seen.append)
    assert seen == []
    assert again.tests.equals(calibration.tests)


def test_a_worker_finds_what_the_same_seeds_give_here(made):
    folder, _calibration = made
    (job, *_) = jobs_of(SMALL)
    there = stored(folder, [job])[job.key].value
    here = json.loads(json.dumps(worlds_done(**job.arguments)))
    assert [row["tests"] for row in here] == [row["tests"] for row in there]
    assert [row["found"] for row in here] == [row["found"] for row in there]
    assert job.arguments["seeds"][0] == SEEDS


def test_detectors_are_asked_where_they_have_to_be_silent_or_to_find_what_is_planted():
    """A kind that a world rightly holds is no false alarm; planted worlds try the detectors they are made for."""
    jobs = list(jobs_of(Study(worlds=1, repeats=1)))
    asked = {job.arguments["world"]: job.arguments["detectors"] for job in jobs}
    assert "roles" not in asked["ping-pong"]
    assert {"teams", "hierarchy"} <= set(asked["ping-pong"])
    assert asked["teams"] == ["teams"]
    assert len({job.key for job in jobs}) == len(jobs)


def test_results_of_other_code_are_not_reused(tmp_path, monkeypatch):
    (job, *_) = jobs_of(SMALL)
    monkeypatch.setattr("experiments.calibrate.code", lambda: "other")
    (other, *_) = jobs_of(SMALL)
    assert job.key != other.key


def test_every_detector_has_a_time(made):
    _, calibration = made
    (row,) = calibration.times.to_dicts()
    assert (row["detector"], row["logs"]) == ("teams", 2)
    assert 0.0 < row["seconds"] <= row["most"]


def test_rates_are_shares_of_the_tests_beaten_at_the_level():
    (job, *_) = jobs_of(SMALL)
    rows = [
        {"tests": {"teams|c|N1": [p]}, "found": [["teams", "teams"]] if p < 0.02 else [], "seconds": 1.0}
        for p in np.arange(1, 101) / 100
    ]
    tables = summary([Outcome(job, rows)])
    (test,) = tables.tests.to_dicts()
    assert (test["tests"], test["beaten"], test["rate"]) == (100, 5, 0.05)
    (whole,) = tables.claims.filter(detector="all of them").to_dicts()
    assert (whole["worlds"], whole["discovered"]) == (100, 1)
    assert test["low"] == pytest.approx(0.0215, abs=1e-3)  # Wilson, 5 of 100
    assert test["high"] == pytest.approx(0.1118, abs=1e-3)


def test_the_page_holds_every_row_and_a_figure_for_each_detector(made):
    folder, calibration = made
    paths = write(calibration, folder=folder, command="swarmscope calibrate --worlds 20")
    page = paths[0].read_text()
    assert "`swarmscope calibrate --worlds 20`" in page
    claims = calibration.tests.select("claim", "null").unique().height
    rows = claims + calibration.tests.height + calibration.times.height
    assert len(re.findall(r"^\| teams \|", page, re.M)) == rows
    assert page.index("## What holds") < page.index("## False discoveries") < page.index("## False alarms per test")
    assert [p.name for p in paths[1:]] == ["calibration-teams.svg"]
    assert paths[1].read_text().lstrip().startswith("<?xml")
    assert all(f"]({p.name})" in page for p in paths[1:])


def counted(beaten, tests, world):
    return {
        "detector": "d",
        "claim": "c",
        "null": "N1",
        "world": world,
        "tests": tests,
        **rated("beaten", beaten, tests),
    }


@pytest.mark.parametrize(
    ("beaten", "verdict"),
    [
        ((30, 40), HOLDS),
        ((58, 40), UNSURE),  # 5.8 % of 1,000 is beyond the bound by chance in one of seven kinds
        ((80, 40), FAILS),
        ((62, 63), FAILS),  # neither alone, both together
    ],
)
def test_a_verdict_allows_for_the_highest_of_several_kinds(beaten, verdict):
    part = pl.DataFrame([counted(n, 1000, f"w{k}") for k, n in enumerate(beaten)])
    found = summarised(part)
    assert (found["verdict"], found["kinds"], found["tests"]) == (verdict, 2, 2000)
    assert found["most"]["beaten"] == max(beaten)


def test_claims_that_a_null_world_rightly_makes_stand_apart():
    """Worlds without a candidate to ask a claim of count as not beaten; what a world rejects is no false alarm."""
    (job, *_) = jobs_of(Study(worlds=10, only=("uneven activity",)))
    imbalance = f"hierarchy|{IMBALANCED}|N2"
    command = "hierarchy|another|N2"
    row = {"found": [], "seconds": 1.0}
    rows = [{**row, "tests": {imbalance: [0.001], **({command: [0.01]} if k == 0 else {})}} for k in range(20)]
    made = summary([Outcome(job, rows)])
    rightly, other = (made.tests.filter(holds=h).to_dicts() for h in (False, True))
    assert [(r["claim"], r["rate"]) for r in rightly] == [(IMBALANCED, 1.0)]
    assert [(r["asked"], r["tests"], r["worlds"], r["rate"]) for r in other] == [(1, 20, 20, 0.05)]


def test_the_page_of_a_part_of_a_study_is_written_from_what_is_there(made, tmp_path):
    folder, calibration = made
    results = sorted((folder / "results").glob("*.json"))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / results[0].name).write_bytes(results[0].read_bytes())
    part = gathered(SMALL, folder=tmp_path)
    assert part.claims.filter(detector="all of them")["worlds"].to_list() == [10]
    order = ["detector", "claim", "world"]
    assert gathered(SMALL, folder=folder).tests.sort(order).equals(calibration.tests.sort(order))
    with pytest.raises(UsageProblem, match="there are none"):
        gathered(Study(seed=5), folder=folder)


def test_a_page_holds_what_its_command_names_and_nothing_else_that_lies_there(made, tmp_path):
    folder, _calibration = made
    larger = replace(SMALL, worlds=20, only=("random mixing",))
    there = {json.loads(p.read_text())["job"][1]["world"]: p for p in (folder / "results").glob("*.json")}
    one = json.loads(there["random mixing"].read_text())
    (tmp_path / "results").mkdir()
    for number, job in enumerate(jobs_of(larger)):
        made_up = {**one, "job": [job.function, dict(job.arguments)]}
        (tmp_path / "results" / f"{number:016x}.json").write_text(json.dumps(made_up))
    for study, worlds_ in ((larger, 20), (replace(larger, worlds=10), 10)):
        counted = gathered(study, folder=tmp_path).claims.filter(detector="all of them")["worlds"].to_list()
        assert counted == [worlds_]


def test_in_every_planted_world_a_detector_is_asked_that_can_find_what_is_planted():
    planted = [world for _, world in worlds.items() if world.plants is not None]
    assert len(planted) > 15
    for world in planted:
        assert any(world.plants in detectors.get(name).kinds for name in asked_of(world, None)), world.name


def test_better_prose_leaves_the_code_what_it_is():
    first = '"""One."""\n\ndef f(x):\n    """Add."""\n    return x + 1  # the next\n'
    assert bare(first) == bare('"""Other."""\ndef f(x):\n    return (x\n        + 1)\n')
    assert bare(first) != bare(first.replace("+ 1", "+ 2"))


def test_p_values_of_sequential_tests_are_spread_over_their_steps():
    """A test that stops at the tenth exceedance has p in steps of up to 0.05; spread, the p-values are uniform."""
    rng = np.random.default_rng(3)
    known = []
    for _ in range(2000):
        above = np.cumsum(rng.random(400) < rng.random())
        r = max(int(np.searchsorted(above, 10)) + 1, 19)
        known.append(10 / r if 19 < r <= 400 else (1 + above[min(r, 400) - 1]) / (1 + min(r, 400)))
    assert kstest(known, "uniform").pvalue < 0.01
    assert kstest(spread(known, seed=1), "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    ("study", "error", "words"),
    [
        (Study(worlds=0, repeats=0), UsageProblem, "some null worlds"),
        (Study(worlds=-1), UsageProblem, "got -1"),
        (Study(worlds=10**9), UsageProblem, "at most"),
        (Study(alpha=0.0), UsageProblem, "a level in"),
        (Study(detectors=("team",)), UnknownNameError, "Did you mean 'teams'"),
        (Study(only=("random mixin",)), UnknownNameError, "Did you mean 'random mixing'"),
    ],
)
def test_a_study_that_cannot_be_done_is_refused_before_anything_runs(tmp_path, study, error, words):
    with pytest.raises(error, match=words):
        calibrate(study, folder=tmp_path / "never", workers=1)
    assert not (tmp_path / "never").exists()


def test_the_command_writes_the_page_and_speaks_to_machines(tmp_path, capsys):
    arguments = ["calibrate", "--worlds", "2", "--repeats", "0", "--only", "random mixing", "--detectors", "teams"]
    assert call([*arguments, "--workers", "1", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["claims"][0]["worlds"] == 2
    assert (tmp_path / "calibration.md").exists()
    assert call([*arguments, "--workers", "1", "--out", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err
    again = [*arguments, "--workers", "1", "--out", str(tmp_path), "--resume", "--page", str(tmp_path / "docs")]
    assert call(again) == 0
    assert (tmp_path / "docs" / "calibration-teams.svg").exists()
