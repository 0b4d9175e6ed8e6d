"""References: a run is run again with other seeds and with its mechanism off, and judged by what recurs."""

import json

import pytest

from experiments.analysis import Settings
from experiments.detect import detect
from experiments.errors import UsageProblem
from experiments.folder import read_manifest
from experiments.references import again, reference, simulated
from experiments.run import run

SMALL = {"agents": 24, "load": 0.6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    return run("factory", changes=SMALL, until=500, seed=3, out=place, detectors=("teams",)).folder


def test_a_run_is_run_again_from_its_manifest_row_by_row(folder):
    from sim.record.store import read_log

    assert simulated(again(read_manifest(folder))).events.equals(read_log(folder).events)


def test_references_differ_in_the_seed_and_in_the_mechanism(folder):
    known = reference(folder, seeds=2)
    counts = [log.events.height for log in (*known.fresh, *known.off)]
    assert len(known.fresh) == len(known.off) == 2
    assert len(set(counts)) == 4
    # Without outcomes travelling back there is nothing to learn from.
    assert not {"approve", "fail"} & {str(k) for log in known.off for k in log.events["kind"].unique()}


def test_learned_routes_are_caused_by_the_feedback(folder, tmp_path):
    made = detect(folder, settings=Settings(detectors=("handoffs",)), replicate=4, out=tmp_path / "out")
    found = json.loads((tmp_path / "out" / "report.json").read_text())["structures"]
    assert made.manifest["discovered"] >= 1
    assert {s["level"] for s in found} == {"causal"}
    assert all("with the mechanism switched off it recurs in 0 of 4 runs" in s["sentence"] for s in found)


def test_what_cannot_be_run_again_is_refused(folder, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("time,kind,source\n1,message,a\n")
    with pytest.raises(UsageProblem, match="a trace cannot be run again"):
        detect(trace, replicate=2, out=tmp_path / "x")
    with pytest.raises(UsageProblem, match="1 to 64 further seeds, got 65"):
        detect(folder, replicate=65, out=tmp_path / "y")
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()
