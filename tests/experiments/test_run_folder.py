"""Run folders: whole or absent, reproducible, reused when identical, and honest about failure and interruption."""

import json
import os
import shlex

import numpy as np
import polars as pl
import pytest

from experiments import run as run_module
from experiments.errors import FolderInTheWay, Interrupted, RunFailed, UsageProblem
from experiments.fingerprint import code_version, log_hash
from experiments.folder import read_json, read_manifest, staged
from experiments.plan import plan
from experiments.readable import read_readable
from experiments.run import run
from sim.record.store import read_log
from sim.registry import UnknownNameError
from sim.spec import ParameterError
from sim.topology.schema import load
from sim.world.engine import Engine
from sim.world.interventions import Intervention

SMALL = {"agents": 16, "types": 2, "experts": 2, "load": 0.6}
STRUCTURE_KEYS = {
    "id", "kind", "claim", "level", "run", "members", "roles", "score", "interval", "chance", "p", "q", "nulls", "windows",
    "lifetime", "half_life", "predefined", "relabelling", "resilience", "sentence", "refuted_by",
    "part_of", "rival",
}  # fmt: skip


def quick(out, **changes):
    settings = {"changes": SMALL, "until": 20, "detectors": ["teams"], "out": out, **changes}
    return run("factory", **settings)


def test_a_run_leaves_every_file_of_the_contract_and_nothing_beside_the_folder(made):
    names = {path.name for path in made.folder.iterdir()}
    assert {"manifest.json", "events.parquet", "report.json", "report.html", "topology.json"} <= names
    assert [path.name for path in made.folder.parent.iterdir()] == [made.folder.name]
    assert made.folder.name == f"factory-1-{made.manifest['hash']}"


def test_report_json_has_exactly_the_keys_of_the_contract(made):
    report = read_json(made.folder / "report.json")
    assert list(report) == [
        "schema_version", "log", "decisions", "structures", "ledger", "functions", "instruments", "identities"
    ]  # fmt: skip
    assert list(report["log"]) == ["events", "agents", "runs", "start", "end", "missing_columns", "kept"]
    assert report["structures"]
    assert all(set(s) == STRUCTURE_KEYS for s in report["structures"])
    ledger = {"detector", "claim_tested", "null", "p", "q", "verdict", "reason"}
    assert all(set(row) == ledger for row in report["ledger"])
    assert list(report["functions"]) == [
        "intake", "routing", "quality_control", "integration", "monitoring", "escalation"
    ]  # fmt: skip
    assert all(set(r) == {"value", "unit", "n", "low", "high", "note", "by"} for r in report["instruments"].values())
    identity = {"name", "expected", "measured", "tolerance", "holds"}
    assert all(set(i) == identity for i in report["identities"])


def test_numbers_of_the_report_are_those_of_the_log(made):
    report, log = read_json(made.folder / "report.json"), read_log(made.folder)
    kinds = log.events["kind"].cast(pl.String)
    assert report["log"]["events"] == log.events.height == made.manifest["events"]
    assert report["decisions"] == {"rule": log.events.height}
    assert report["instruments"]["cost"]["value"] == pytest.approx(log.events["cost"].sum())
    delivered = log.events.filter(kinds == "deliver")
    assert report["functions"]["integration"]["events"] == delivered.height
    assert made.manifest["cost"] == pytest.approx(log.events["cost"].sum(), rel=1e-9)


def test_every_identity_that_applies_holds_and_the_exact_ones_do_apply(made):
    held = {i["name"]: i["holds"] for i in read_json(made.folder / "report.json")["identities"]}
    assert False not in held.values(), held
    assert held["items in = delivered + in flight + lost"] is True
    assert held["cost = sum over events"] is True


def test_the_topology_is_that_of_the_structure_with_the_highest_claim(made):
    report = read_json(made.folder / "report.json")
    order = ("observed", "significant", "stable", "robust", "replicated", "causal")
    best = max(order.index(s["level"]) for s in report["structures"])
    chosen = next(s for s in report["structures"] if s["id"] == made.manifest["topology"])
    assert order.index(chosen["level"]) == best
    largest = max(len(s["members"]) for s in report["structures"] if order.index(s["level"]) == best)
    assert len(chosen["members"]) == largest
    topology = load(made.folder / "topology.json")
    assert topology.name == chosen["id"]
    assert {r.label: r.multiplicity for r in topology.roles if r.label not in ("outside", "done")} == {
        role: len(members) for role, members in chosen["roles"].items() if members
    }


def test_the_manifest_says_what_the_run_was_and_the_command_makes_it_again(made):
    m = read_manifest(made.folder)
    assert (m["scenario"], m["preset"], m["seed"], m["mind"], m["rule"]) == ("factory", "learning", 1, "rule", "trust")
    assert (m["status"], m["model_time"], m["log"]) == ("complete", 400.0, "full")
    assert m["parameters"]["agents"] == 16
    assert m["changed"] == sorted(SMALL)
    assert set(m["versions"]) == {"python", "swarmscope", "mesa", "numpy", "numba", "polars"}
    assert m["wall_time_s"] > 0
    assert m["peak_memory_bytes"] > 10**7
    words = m["command"].split()
    settings = dict(word.split("=") for i, word in enumerate(words) if words[i - 1] == "--set")
    again = plan("factory", preset="learning", changes=settings, until=400, seed=1)
    assert log_hash(again.decides) == m["hash"]


def test_an_identical_finished_run_is_reused(made):
    before = (made.folder / "events.parquet").stat().st_mtime_ns
    again = run("factory", changes=SMALL, until=400, seed=1, out=made.folder.parent)
    assert again.reused
    assert again.analysis is None
    assert (made.folder / "events.parquet").stat().st_mtime_ns == before
    assert again.log.events.equals(made.log.events)


def test_other_settings_of_the_analysis_keep_the_log_and_renew_the_report(tmp_path):
    first = quick(tmp_path)
    before = (first.folder / "events.parquet").stat().st_mtime_ns
    second = quick(tmp_path, detectors=["teams"], alpha=0.01)
    assert second.reused
    assert second.folder == first.folder
    assert read_manifest(second.folder)["analysis"]["alpha"] == 0.01
    assert (first.folder / "events.parquet").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [{"seed": 3}, {"until": 21}, {"log": "counters"}, {"changes": {**SMALL, "keep": 0.9}}, {"mind": "frozen"},
     {"interventions": (Intervention(5.0, "mute", agent=1),)}],
    ids=["seed", "until", "log", "parameter", "rule", "intervention"],
)  # fmt: skip
def test_whatever_decides_the_log_gives_another_folder(change):
    base = {"changes": SMALL, "until": 20, "seed": 2}
    hashes = [log_hash(plan("factory", **{**base, **extra}).decides) for extra in ({}, {}, change)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_code_version_covers_modules_imported_inside_functions():
    whole = code_version(["scenarios.factory", "agents.rules.trust", "sim.world.engine"])
    assert whole == code_version(["sim.world.engine", "scenarios.factory", "agents.rules.trust"])
    assert whole != code_version(["scenarios.factory", "agents.rules.frozen", "sim.world.engine"])
    # scenarios.factory imports its builder only inside ``build``.
    assert code_version(["scenarios.factory"]) != code_version(["scenarios.factory_theory"])


def test_the_same_seed_gives_the_same_log_and_force_runs_again(tmp_path):
    first = quick(tmp_path, seed=5)
    log, inode = first.log.events, (first.folder / "events.parquet").stat().st_ino
    again = quick(tmp_path, seed=5, force=True)
    assert not again.reused
    assert (again.folder / "events.parquet").stat().st_ino != inode
    assert again.log.events.equals(log)
    other = quick(tmp_path, seed=6)
    assert not other.log.events.equals(log)


@pytest.mark.parametrize("seed", [-1, 2**70, np.int64(7)])
def test_any_whole_number_is_a_seed(tmp_path, seed):
    made = quick(tmp_path, seed=seed, until=5)
    assert made.manifest["seed"] == int(seed)
    assert made.log.events.height > 0


def test_an_unfinished_attempt_at_the_same_run_is_replaced_and_another_run_is_not(tmp_path):
    made = quick(tmp_path)
    place, whole = made.folder / "manifest.json", read_manifest(made.folder)
    place.write_text(json.dumps({**whole, "status": "interrupted"}))
    assert quick(tmp_path).manifest["status"] == "complete"
    place.write_text(json.dumps({**whole, "status": "interrupted", "hash": "another"}))
    with pytest.raises(FolderInTheWay, match=r"a different run .*status interrupted.*--force"):
        quick(tmp_path)
    assert quick(tmp_path, force=True).manifest["status"] == "complete"


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path):
    made = quick(tmp_path)
    (made.folder / "manifest.json").unlink()
    with pytest.raises(FolderInTheWay, match="did not write"):
        quick(tmp_path, force=True)
    assert (made.folder / "events.parquet").exists()


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"scenario": "factroy"}, UnknownNameError, "'factory'"),
        ({"preset": "lerning"}, ParameterError, "'learning'"),
        ({"changes": {"agens": 3}}, ParameterError, "'agents'"),
        ({"changes": {"load": 400}}, ParameterError, "'load' expects a number from 0 to 20, got 400"),
        ({"mind": "trsut"}, ParameterError, "'trust'"),
        ({"log": "ful"}, ParameterError, "full, counters"),
        ({"until": 0}, UsageProblem, "above 0, got 0"),
        ({"until": float("inf")}, UsageProblem, "above 0"),
        ({"alpha": 0.7}, UsageProblem, "at most 0.5, got 0.7"),
        ({"detectors": ["teems"]}, UnknownNameError, "'teams'"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_written(tmp_path, changes, error, told):
    settings = {"scenario": "factory", "out": tmp_path / "runs", **changes}
    with pytest.raises(error, match=told):
        run(**settings)
    assert not (tmp_path / "runs").exists()


def test_a_run_that_breaks_says_failed_and_keeps_the_events_so_far(tmp_path, monkeypatch):
    real = Engine.slices

    def broken(self, until, sink, **_):
        yield from real(self, until / 2, sink)
        raise RuntimeError("the roof fell in")

    monkeypatch.setattr(Engine, "slices", broken)
    with pytest.raises(RunFailed, match="the roof fell in"):
        quick(tmp_path)
    (folder,) = tmp_path.iterdir()
    manifest = read_manifest(folder)
    assert manifest["status"] == "failed"
    assert "the roof fell in" in manifest["error"]
    assert read_log(folder).events.height == manifest["events"] > 0
    assert not (folder / "report.json").exists()


def test_ctrl_c_during_the_analysis_keeps_the_whole_log(tmp_path, monkeypatch):
    def pressed(*_args, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.analysis.analyse", pressed)
    with pytest.raises(Interrupted, match=r"without a report\. Make it with: swarmscope detect ") as told:
        quick(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert str(told.value).endswith(f"swarmscope detect {shlex.quote(str(folder))}")
    manifest = read_manifest(folder)
    assert (manifest["status"], manifest["model_time"]) == ("interrupted", 20.0)
    assert read_log(folder).events.height == manifest["events"] == manifest["events_kept"]


def test_an_interrupted_repetition_does_not_replace_the_complete_run(tmp_path, monkeypatch):
    whole = quick(tmp_path)

    def pressed(*_args, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.analysis.analyse", pressed)
    with pytest.raises(Interrupted, match="is kept"):
        quick(tmp_path, force=True)
    assert read_manifest(whole.folder)["status"] == "complete"
    assert [p.name for p in tmp_path.iterdir()] == [whole.folder.name]


def test_a_full_disk_leaves_nothing_and_tells_where(tmp_path, monkeypatch):
    def full(*_args, **_settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("experiments.reports.write_json", full)
    with pytest.raises(OSError, match="No space left"):
        quick(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cannot write .*file.*choose another folder"):
        quick(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_staged_folder_appears_only_at_the_end_and_not_after_an_error(tmp_path):
    place = tmp_path / "deep" / "folder"
    with staged(place) as temporary:
        (temporary / "a").write_text("1")
        assert not place.exists()
    assert (place / "a").read_text() == "1"

    def breaks():
        with staged(place) as temporary:
            (temporary / "a").write_text("2")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert (place / "a").read_text() == "1"
    assert os.listdir(place.parent) == ["folder"]


def test_a_run_without_a_log_has_a_report_that_says_so(tmp_path):
    made = quick(tmp_path, log="counters", detectors=None)
    report = read_json(made.folder / "report.json")
    assert report["log"]["events"] == 0
    assert report["log"]["kept"] == "counters"
    assert made.manifest["events"] > 0
    assert made.manifest["topology"] is None
    assert made.manifest["topology_note"] == "no structure was found"
    assert not (made.folder / "topology.json").exists()
    assert "Nothing" in (made.folder / "report.html").read_text()


def test_of_a_log_that_is_too_large_the_end_is_analysed_and_that_is_noted(made):
    whole = read_log(made.folder)
    part = read_readable(made.folder, most=100)
    assert part.events.equals(whole.events.tail(100))
    assert part.kept == "window"
    assert part.agents is not None
    assert part.agents.equals(whole.agents)
    assert f"last 100 of {whole.events.height:,} events" in part.notes[-1]
    assert not [p for p in made.folder.iterdir() if p.name.startswith(".")]


def test_a_parameter_that_was_changed_on_the_way_is_no_ground_for_an_identity(tmp_path):
    change = Intervention(10.0, "set", name="handoff_loss", value=0.5)
    made = quick(tmp_path, until=60, interventions=(change,))
    held = {i.name: i.holds for i in made.analysis.identities}
    assert held["kept = sum over hops of P(k) (1 - loss)^k"] is None


def test_progress_reaches_the_end_of_the_run(tmp_path):
    said = []
    quick(tmp_path, progress=lambda done, total, what: said.append((done, total, what)))
    running = [(done, total) for done, total, what in said if what.startswith("running")]
    assert running[-1] == (20.0, 20.0)
    assert [done for done, _ in running] == sorted(done for done, _ in running)


def test_the_word_on_compiling_comes_before_the_first_slice(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "has_machine_code", lambda _engine: False)
    said = []
    quick(tmp_path, progress=lambda _done, _total, what: said.append(what))
    assert said.index(run_module.COMPILING) < next(i for i, what in enumerate(said) if what.startswith("running"))


def test_a_plan_is_not_changed_by_what_it_was_made_from():
    changes = dict(SMALL)
    asked = plan("factory", changes=changes)
    changes["agents"] = 99
    assert asked.values["agents"] == 16
