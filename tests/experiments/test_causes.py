"""Causes: muting changes whom a structure says depends on the muted, more than it changes anybody else."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from experiments.analysis import Settings
from experiments.causes import effect, prediction, promoted, signs
from experiments.detect import detect
from experiments.errors import UsageProblem
from experiments.run import run
from scenarios.worlds.world import worlds
from sim.detectors.engine import detect as search
from sim.detectors.report import Structure

SEEDS = range(20, 24)


def teams(seed):
    return worlds.get("teams").log(seed)


def find(log, _like):
    """The planted teams, with the contacts of the log."""
    groups = np.array(log.meta["truth"]["groups"])
    flows = log.events.group_by("source", "target", maintain_order=True).len("count")
    roles = {f"team {k + 1}": tuple(np.flatnonzero(groups == k).tolist()) for k in range(groups.max() + 1)}
    return [
        Structure(
            id="teams-1", kind="teams", claim="", level="replicated", run="", about="", detector="teams",
            members=tuple(range(len(groups))), roles=roles, score=0.5, unit="", interval=None, chance=0.1, p=0.01, q=0.01,
            nulls=("N1",), windows=(0.0, 1.0), lifetime=1.0, half_life=None, predefined=None, relabelling=True,
            resilience={}, sentence="Teams (level replicated, seen).", refuted_by="", flows=flows, entries={}, exits={},
            timeline=pl.DataFrame(), changes=(),
        )
    ]  # fmt: skip


@pytest.fixture
def structure():
    return find(teams(20), None)[0]


def muting(whose):
    """Reruns in which those whom ``whose(groups, agent)`` names fall silent with the muted agent."""

    def rerun(seed, agent, time):
        log = teams(seed)
        if agent is None:
            return log
        silent = whose(np.array(log.meta["truth"]["groups"]), agent)
        gone = (pl.col("time") > time) & pl.col("source").is_in(silent.tolist())
        return replace(log, events=log.events.filter(~gone))

    return rerun


def test_signs_are_exact():
    assert signs(np.ones(5)) == pytest.approx(1 / 32)
    assert signs(np.array([1.0, -1.0])) == pytest.approx(3 / 4)
    assert signs(np.zeros(3)) == 1.0
    assert signs(np.ones(20)) == pytest.approx(1 / 20_001)


def test_a_team_says_that_its_own_members_change(structure):
    told = prediction(structure)
    team = {a: role for role, agents in structure.roles.items() for a in agents}
    assert all(team[a] == team[b] for a, b in told.change)
    assert all(team[a] != team[b] for a, b in told.compared)
    assert len(told.muted) == 3


def test_a_centre_is_compared_with_as_busy_members(structure):
    hub, busy, *rest = structure.members
    flows = pl.DataFrame({"source": [hub, busy, busy], "target": [busy, rest[0], rest[1]], "count": [9, 8, 7]})
    told = prediction(replace(structure, flows=flows, roles={"hub": (hub,), "others": (busy, *rest)}))
    assert set(told.change) == {(hub, a) for a in rest}
    assert set(told.compared) == {(busy, a) for a in rest}


def test_what_has_no_parts_or_contacts_says_nothing(structure):
    assert "no parts" in prediction(replace(structure, roles={"members": structure.members}))
    assert "no contacts" in prediction(replace(structure, flows=structure.flows.clear()))


def test_teams_whose_members_stop_together_change_as_predicted(structure):
    end = float(teams(20).events["time"].max())
    found = effect(structure, muting(lambda g, a: np.flatnonzero(g == g[a])), find, seeds=SEEDS, end=end)
    assert found.change.min() > 0.9
    assert found.compared.max() < 0.1
    assert found.p == 1 / 16


def test_members_who_stop_with_anybody_do_not(structure):
    end = float(teams(20).events["time"].max())
    found = effect(structure, muting(lambda g, a: np.arange(a % 2, len(g), 2)), find, seeds=SEEDS, end=end)
    assert found.p > 0.1


@pytest.mark.parametrize(("runs", "level"), [(6, "causal"), (3, "replicated")])
def test_what_is_as_predicted_in_enough_runs_is_causal(structure, monkeypatch, runs, level):
    monkeypatch.setattr("experiments.knockouts.of_plan", lambda _asked: muting(lambda g, a: np.flatnonzero(g == g[a])))
    asked = SimpleNamespace(seed=20, until=float(teams(20).events["time"].max()))
    made, notes = promoted([structure], asked, find, seeds=runs - 1, alpha=0.05)
    assert notes == []
    assert made[0].level == level
    assert f"level {level}," in made[0].sentence
    assert ("as it predicts" in made[0].sentence) == (level == "causal")
    assert ("at least 5 such runs are needed" in made[0].sentence) == (level == "replicated")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    return run(
        "factory", changes={"agents": 24, "load": 0.6}, until=1200, seed=3, out=place, detectors=("teams",)
    ).folder


@pytest.mark.slow
def test_learned_chains_of_command_are_shown_by_muting(folder, tmp_path):
    detect(folder, settings=Settings(detectors=("handoffs",)), replicate=7, knock_out=True, out=tmp_path / "out")
    found = json.loads((tmp_path / "out" / "report.json").read_text())["structures"]
    assert {s["level"] for s in found} == {"causal"}
    assert (
        sum(
            "what they did soon after was other" in s["sentence"] and ", as it predicts" in s["sentence"] for s in found
        )
        >= 2
    )


@pytest.mark.slow
def test_a_replicated_structure_becomes_causal_by_muting_alone(folder):
    from experiments.folder import read_manifest
    from experiments.references import again, simulated

    asked = again(read_manifest(folder))
    found = [replace(s, level="replicated") for s in find_all(simulated(asked))]
    made, notes = promoted(found, asked, lambda log, _like: find_all(log), seeds=7, alpha=0.05)
    assert notes == []
    assert sum(s.level == "causal" for s in made) >= 2


def find_all(log):
    return search(log, detectors=["handoffs"]).structures


def test_muting_needs_runs_that_can_be_paired(tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("time,kind,source\n1,message,a\n")
    with pytest.raises(UsageProblem, match="leave --replicate and --knock-out out"):
        detect(trace, knock_out=True, out=tmp_path / "x")
    place = run("factory", changes={"agents": 8}, until=5, seed=1, out=tmp_path, detectors=("hubs",)).folder
    with pytest.raises(UsageProblem, match="add --replicate SEEDS"):
        detect(place, knock_out=True)
