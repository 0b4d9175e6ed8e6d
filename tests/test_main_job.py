"""The main job, end to end: order is found where it appears, nowhere else, and the page says so."""

import json

import pytest

from experiments.run import run
from sim.topology.schema import load

DISCOVERED = {"stable", "robust", "replicated", "causal"}


def found(folder):
    report = json.loads((folder / "report.json").read_text())
    lasting = [s for s in report["structures"] if s["level"] in DISCOVERED and not s["predefined"]]
    return report, lasting


def test_the_learning_factory_organises_itself_and_the_page_says_how(tmp_path):
    folder = run("factory", out=tmp_path, seed=3).folder
    report, lasting = found(folder)
    assert {s["kind"] for s in lasting} & {"hierarchy", "pipeline"}
    assert all(s["nulls"] and s["q"] <= 0.05 and s["score"] > s["chance"] for s in lasting)
    assert all(identity["holds"] is not False for identity in report["identities"])
    topology = load(folder / "topology.json")
    assert len(topology.roles) >= 3
    assert sum(role.multiplicity for role in topology.roles) >= 48
    page = (folder / "report.html").read_text()
    assert lasting[0]["id"] in page
    assert "<svg" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "preset", "until"),
    [
        ("factory", "solvable", 1200.0),
        ("factory", "overload", 1200.0),
        ("placebo", "broadcast", None),
        ("placebo", "autocorrelated", None),
        ("placebo", "ties", None),
        ("trust_network", "transient", None),
    ],
)
def test_nothing_is_discovered_where_nothing_organises(tmp_path, scenario, preset, until):
    """One seed each; the rate over many null worlds is measured in the detectors' calibration tests."""
    report, lasting = found(run(scenario, preset=preset, until=until, out=tmp_path, seed=5).folder)
    assert lasting == []
    assert all(identity["holds"] is not False for identity in report["identities"])


@pytest.mark.slow
def test_the_naming_game_agrees_and_shows_nothing_else(tmp_path):
    report, lasting = found(run("naming", preset="minimal", out=tmp_path, seed=5).folder)
    assert {s["kind"] for s in lasting} == {"convention"}
    assert all(identity["holds"] is not False for identity in report["identities"])


@pytest.mark.slow
def test_without_feedback_the_same_agents_never_organise(tmp_path):
    _, lasting = found(run("factory", changes={"feedback": False}, out=tmp_path, seed=3).folder)
    assert lasting == []
