"""From a recorded run to a table to a run of the table, on the command line and as functions."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from agents.llm.mock_server import serving
from agents.llm.settings import Asking
from agents.minds import Mind
from experiments.fidelity import fidelity, plans_of
from experiments.folder import read_manifest
from experiments.plan import plan
from experiments.run import run
from sim.spec import ParameterError, scenarios

HOW = {"preset": "pool", "changes": {"agents": 24}, "until": 12.0, "detectors": ["conventions"]}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    out = tmp_path_factory.mktemp("recorded")
    return [run("naming", mind="policy=majority/1.5", seed=seed, out=out, **HOW).folder for seed in (1, 2)]


def test_a_run_is_distilled_compared_and_run_again(recorded, swarmscope, tmp_path):
    file = tmp_path / "table.json"
    code, out, err = swarmscope(
        "distil", *map(str, recorded), "--out", str(file), "--check", "4", "--archetypes", "12", "--json"
    )
    assert code == 0, err
    made = json.loads(out)
    decisions = sum(pl.read_parquet(folder / "decisions.parquet").height for folder in recorded)
    assert made["decisions"] == decisions == 2 * 24 * 12
    assert made["fidelity"]["seeds"] == 4
    assert json.loads(file.read_text())["fidelity"] == made["fidelity"]
    assert 0 < made["fidelity"]["unknown"] < 0.5
    drawn = made["archetype_fidelity"]
    assert drawn["who"] == "archetypes"
    assert 0 < drawn["drawn"] < 1
    names = [row["name"] for row in drawn["statistics"]]
    assert names == [row["name"] for row in made["fidelity"]["statistics"]]
    # Archetypes answer from 12 answers: each share is off by at most chance, and seeds go on scattering.
    winner = drawn["statistics"][names.index("winner")]
    assert winner["low"] - 0.15 < 0 < winner["high"] + 0.15
    assert winner["other_sd"] > 0
    done = run("naming", mind=f"table={file}", seed=5, out=tmp_path, **HOW)
    assert done.manifest["decisions"]["table"] > 0
    assert set(done.manifest["decisions"]) <= {"table", "censored"}
    again = run("naming", mind=f"table={file}", seed=5, out=tmp_path, **HOW)
    assert again.reused
    # Another table is another run, whatever its file is called.
    data = json.loads(file.read_text())
    data["classes"] = data["classes"][: len(data["classes"]) // 2]
    file.write_text(json.dumps(data))
    other = run("naming", mind=f"table={file}", seed=5, out=tmp_path, **HOW)
    assert other.folder != done.folder


def test_a_table_of_the_same_policy_agrees_and_another_policy_does_not(recorded):
    """Eight seeds: the winner's share of a table of majority:1.5 lies far from that of a coin."""
    from agents.table_mind import distil

    frames = pl.concat([pl.read_parquet(folder / "decisions.parquet") for folder in recorded])
    table = distil(frames, scenario="naming", ignore=("part", "value"))
    manifest = read_manifest(recorded[0])
    same = fidelity(table, plans_of(manifest, seeds=8))
    winner = {c.name: c for c in same.statistics}["winner"]
    assert abs(winner.difference) < 4 * (winner.high - winner.low) / (2 * 2.36)
    coin = fidelity(table, plans_of({**manifest, "mind": "policy=uniform"}, seeds=8))
    assert {c.name: c for c in coin.statistics}["winner"].low > 0


@pytest.mark.parametrize(
    ("mind", "says"),
    [
        ("table=nowhere.json", "expected a table mind"),
        ("policy=majoroty", "Did you mean 'majority'"),
        ("tabel=x", "It takes: rule"),
    ],
)
def test_minds_that_do_not_exist_are_refused(mind, says):
    with pytest.raises(ParameterError, match=says):
        plan("naming", mind=mind)


def test_a_run_without_recorded_decisions_is_refused(swarmscope, tmp_path):
    done = run("naming", seed=1, out=tmp_path, **HOW)
    code, _, err = swarmscope("distil", str(done.folder))
    assert code == 2
    assert "expected recorded decisions, found none" in err


def test_a_table_is_of_one_model_and_of_runs_that_were_asked_alike(swarmscope, tmp_path, recorded):
    how = HOW | {"changes": {"agents": 6}, "until": 2.0}
    mixed = run("naming", mind="policy=uniform:0.5,policy=first/0.9:0.5", out=tmp_path, **how).folder
    code, _, err = swarmscope("distil", mixed)
    assert code == 2
    assert "policy=first/0.9 and policy=uniform decided; choose with --of MODEL" in err
    assert "expected a model that decided" in swarmscope("distil", mixed, "--of", "policy=majority")[2]
    code, out, _ = swarmscope("distil", mixed, "--of", "policy=uniform", "--check", 2, "--json")
    decisions = pl.read_parquet(mixed / "decisions.parquet")
    assert code == 0
    assert json.loads(out)["decisions"] == decisions.filter(pl.col("model") == "policy=uniform").height == 6
    # A folder from before the column: the manifest says who decided, if it was one.
    decisions.drop("model").write_parquet(mixed / "decisions.parquet")
    assert "do not say who took them" in swarmscope("distil", mixed)[2]
    old = recorded[0] / "decisions.parquet"
    whole = pl.read_parquet(old)
    whole.drop("model").write_parquet(old)
    assert swarmscope("distil", recorded[0])[0] == 0
    whole.write_parquet(old)


def test_runs_that_differ_in_how_they_were_asked_or_in_their_options_are_not_mixed(swarmscope, tmp_path, recorded):
    open_words = run(
        "naming", mind="policy=majority/1.5", seed=3, out=tmp_path, until=2.0, changes={"agents": 6}
    ).folder
    code, _, err = swarmscope("distil", recorded[0], open_words)
    assert code == 2
    assert "parameters differ in" in err
    assert "words (" in err
    made = []
    for folder, temperature in ((recorded[0], 0.2), (recorded[1], None)):
        made.append(tmp_path / folder.name)
        shutil.copytree(folder, made[-1])
        manifest = read_manifest(folder) | {"asking": {"temperature": temperature, "thoughts": temperature is None}}
        (made[-1] / "manifest.json").write_text(json.dumps(manifest))
    code, _, err = swarmscope("distil", *made)
    assert code == 2
    assert "differ in temperature (0.2 and none), thoughts (false and true)" in " ".join(err.split())


def test_what_a_table_does_not_know_goes_to_the_model(recorded, swarmscope, tmp_path):
    file = tmp_path / "t.json"
    swarmscope("distil", *map(str, recorded), "--out", str(file))
    with serving() as (url, provider):
        asking = Asking(model="openai/mock/uniform", base_url=url)
        done = run("naming", mind=f"table={file}", asking=asking, seed=5, out=tmp_path, **HOW | {"until": 5.0})
    assert set(done.manifest["decisions"]) == {"table", "llm"}
    assert done.manifest["decisions"]["llm"] == done.manifest["asked"]["calls"] == provider.counts["requests"] > 0


def test_a_mesa_model_takes_the_minds_of_the_command_line():
    from sim.world.model import model_class

    model = model_class(scenarios.get("naming"))(
        preset="pool", agents=24, seed=1, mind=Mind("policy=majority/1.5:0.5,rule")
    )
    model.step()
    asked = set(np.flatnonzero(model.engine.minds["asked"]))
    decided = model.engine.batches.mixture.askers[0].frame()
    assert len(asked) == 12
    assert set(decided["agent"]) <= asked
    assert decided.height > 5
    model.close()
    with pytest.raises(ParameterError, match="cannot be decided by 'nobody'"):
        model_class(scenarios.get("naming"))(mind=Mind("nobody"))


def test_mixtures_take_tables_and_policies(recorded, swarmscope, tmp_path):
    file = tmp_path / "t.json"
    swarmscope("distil", *map(str, recorded), "--out", str(file))
    done = run("naming", mind=f"policy=uniform:0.5,table={file}", seed=5, out=tmp_path, **HOW)
    assert set(done.manifest["decisions"]) == {"rule", "table", "censored"}


def test_the_rule_of_the_factory_can_be_asked_as_a_policy(tmp_path):
    done = run(
        "factory", mind="policy=rule", changes={"agents": 12}, until=5.0, seed=1, out=tmp_path, detectors=("hubs",)
    )
    assert set(done.manifest["decisions"]) == {"rule"}
