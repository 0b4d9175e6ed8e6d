"""Sweeps: every run once, whatever stops them; results tidy, resumable, and refused where they would be mixed."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

import experiments
from experiments.cli import call
from experiments.errors import FolderInTheWay, RunFailed, UsageProblem
from experiments.sweeps import results
from experiments.sweeps.results import DamagedResults, load
from experiments.sweeps.sweep import sweep
from sim.record.store import read_log
from tests.sweeps.conftest import SMALL

MEASURED = ("simulation_s", "measuring_s")


def plain(runs):
    """The results without what depends on the machine."""
    return runs.drop(*MEASURED, strict=False).collect().sort("key")


def small(out, **more):
    return sweep("naming", **{"seeds": 4, "axes": {"agents": [10, 20, 40]}, "out": out, "workers": 0, **SMALL, **more})


def test_one_tidy_row_for_each_run_with_axes_and_measures_as_columns(done):
    runs = done.runs().collect()
    assert runs.height == 12
    assert runs["key"].n_unique() == 12
    assert set(runs.select("agents", "seed").iter_rows()) == {(a, s) for a in (10, 20, 40) for s in range(4)}
    assert {"games", "successes", "concentration", "events", "status"} <= set(runs.columns)
    assert (runs["games"] == 6 * runs["agents"]).all()
    assert done.manifest["status"] == "complete"
    assert not list((done.folder / results.JOURNAL).rglob("*.jsonl"))


def test_a_run_of_a_sweep_is_the_run_that_the_command_makes(tmp_path):
    made = small(tmp_path / "s", seeds=[3], axes={"agents": [20]}, keep=["events"], report=False)
    row = made.runs().collect().row(0, named=True)
    alone = experiments.run.run("naming", changes={"agents": 20}, seed=3, until=6, out=tmp_path / "runs")
    kept = read_log(made.folder / "kept" / row["folder"])
    assert row["folder"] == alone.folder.name
    assert kept.events.equals(alone.log.events)
    assert row["events"] == kept.events.height


def test_a_finished_sweep_is_reused_and_an_unfinished_one_asks_for_resume(tmp_path, done):
    assert small(done.folder).reused
    out = tmp_path / "s"
    small(out, shard="1/2", report=False)
    with pytest.raises(UsageProblem, match="go on with it by --resume"):
        small(out)
    seen = []
    again = small(out, resume=True, progress=seen.append)
    assert len(seen) == 6
    assert plain(again.runs()).equals(plain(done.runs()))


def test_shards_together_make_the_whole(tmp_path, done):
    for i in (1, 2, 3):
        last = small(tmp_path / "s", shard=(i, 3))
    assert last.manifest["status"] == "complete"
    assert plain(last.runs()).equals(plain(done.runs()))


def test_a_specification_that_changed_is_refused_with_what_changed(tmp_path):
    out = tmp_path / "s"
    small(out, shard="1/3", report=False)
    before = plain(load(out))
    with pytest.raises(UsageProblem, match=r"the specification changed .*until: 6.0, now 7.0"):
        small(out, until=7, resume=True)
    manifest = json.loads((out / results.MANIFEST).read_text())
    manifest["code"]["measuring"] = "another"
    (out / results.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UsageProblem, match="the source code changed"):
        small(out, resume=True)
    assert plain(load(out)).equals(before)


def test_folders_that_hold_something_else_are_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("a life's work")
    with pytest.raises(FolderInTheWay, match="no sweep"):
        small(tmp_path / "mine")
    with pytest.raises(UsageProblem, match="expected the folder of a sweep"):
        load(tmp_path / "mine")


def test_a_damaged_part_is_told_of_and_its_runs_are_made_again(tmp_path, done):
    out = tmp_path / "s"
    measures = {"measures": ["meters", "windows"], "instruments": None}
    for i in (1, 2):
        small(out, shard=(i, 2), report=False, **measures)
    whole, windows = plain(load(out)), load(out, table="windows").collect().sort("key", "window")
    part = next((out / "runs").glob("1-of-2-*.parquet"))
    part.write_bytes(part.read_bytes()[:-30])
    with pytest.warns(DamagedResults, match=r"damaged \(it is cut short.*make its runs again with --resume"):
        assert load(out).collect().height == 6
    again = small(out, resume=True, report=False, **measures)
    assert "was damaged" in again.repaired[0]
    assert plain(again.runs()).equals(whole)
    assert windows.height == 12
    assert again.windows().collect().sort("key", "window").equals(windows)


def test_a_damaged_run_folder_among_good_ones_is_made_again(tmp_path):
    out = tmp_path / "s"
    first = small(out, keep=["events"], report=False)
    names = first.runs().collect()["folder"].to_list()
    manifest = out / "kept" / names[3] / "manifest.json"
    manifest.write_text("{")
    again = small(out, keep=["events"], report=False, resume=True)
    assert len(again.repaired) == 1
    assert names[3] in again.repaired[0]
    assert json.loads(manifest.read_text())["status"] == "complete"
    assert plain(again.runs()).equals(plain(first.runs()))


@pytest.fixture
def measure(tmp_path):
    """A file of measures of one's own."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import os, signal\n"
        "def half(log, values):\n"
        "    return {'half': values['agents'] / 2, 'word': 'even', 'nothing': None}\n"
        "def bad(log, values):\n"
        "    if values['agents'] == 20:\n"
        "        raise ValueError('no twenties')\n"
        "    return {'fine': 1}\n"
        "def worst(log, values):\n"
        "    raise ValueError('never')\n"
    )
    return path


def test_measures_of_ones_own_become_columns(tmp_path, measure):
    made = small(tmp_path / "s", measures=[f"{measure}:half"], report=False)
    runs = made.runs().collect()
    assert (runs["half"] * 2 == runs["agents"]).all()
    assert set(runs["word"]) == {"even"}


def test_a_run_that_fails_is_tried_again_marked_and_does_not_stop_the_others(tmp_path, measure):
    made = small(tmp_path / "s", measures=[f"{measure}:bad"])
    runs = made.runs().collect()
    failed = runs.filter(pl.col("status") == "failed")
    assert set(failed["agents"]) == {20}
    assert failed.height == made.manifest["failed"] == 4
    assert "ValueError: no twenties" in failed["error"][0]
    assert runs.filter(pl.col("status") == "complete").height == 8
    page = (made.folder / "sweep.html").read_text()
    assert "no twenties" in page
    assert small(made.folder, measures=[f"{measure}:bad"], resume=True).reused
    again = small(made.folder, measures=[f"{measure}:bad"], resume=True, retry_failed=True)
    assert again.manifest["done"] == 12
    with pytest.raises(RunFailed, match="every run failed; the first said: ValueError: never"):
        small(tmp_path / "t", measures=[f"{measure}:worst"])


def test_two_sweeps_in_one_folder_at_once_are_refused(tmp_path):
    from experiments.executor import locked

    out = tmp_path / "s"
    out.mkdir()
    with locked(out), pytest.raises(UsageProblem, match="another process is at work"):
        small(out)


def test_structures_and_windows_are_rows_of_their_own(tmp_path):
    made = sweep(
        "factory", seeds=1, until=120, fixed={"agents": 16, "types": 2, "experts": 2}, out=tmp_path / "s", workers=0,
        detectors=["handoffs"], measures=["meters", "instruments", "structures", "windows", "functions", "identities"],
    )  # fmt: skip
    row = made.runs().collect().row(0, named=True)
    assert row["identities_broken"] == 0
    assert isinstance(row["phase"], str)
    assert row["handoff_loss_measured"] is not None
    assert row["routing_agents"] > 0
    windows = made.windows().collect()
    assert windows.height == row["n_windows"] > 1
    assert {"seed", "time", "latency", "throughput"} <= set(windows.columns)
    assert made.structures().collect().height == row["n_structures"]
    assert (made.folder / "sweep.html").read_text().startswith("<!doctype html>")


def test_seeds_are_added_until_the_interval_is_narrow(tmp_path):
    stop = {"measure": "successes", "width": 18.0, "most": 40, "batch": 4}
    # Two rounds on one worker: its journal is emptied between them.
    made = small(tmp_path / "s", seeds=4, axes={"agents": [10, 80]}, stop=stop, report=False, workers=1)
    seeds = dict(made.runs().group_by("agents").len().collect().iter_rows())
    assert 8 <= seeds[10] < seeds[80] <= 40
    again = small(tmp_path / "s", seeds=4, axes={"agents": [10, 80]}, stop=stop, report=False, resume=True)
    assert again.reused


@pytest.mark.parametrize("shard", ["0/2", "3/2", "half", (2, 1)])
def test_impossible_shards_are_refused(tmp_path, shard):
    with pytest.raises(UsageProblem, match="i from 1 to n"):
        small(tmp_path / "s", shard=shard)


def until(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


SLOW = 'scenario = "naming"\nseeds = 40\nuntil = 6\nmeasures = ["mine.py:slow"]\n[axes]\nagents = [10, 20]\n'


@pytest.mark.slow
def test_ctrl_c_leaves_a_sweep_that_can_be_gone_on_with(tmp_path, swarmscope):
    (tmp_path / "mine.py").write_text(
        "import time\ndef slow(log, values):\n    time.sleep(0.05)\n    return {'x': log.events.height}\n"
    )
    (tmp_path / "s.toml").write_text(SLOW)
    running = swarmscope("sweep", "s.toml", "--out", "out", "--workers", 1, wait=False)
    try:
        until(lambda: sum(len(p.read_bytes().splitlines()) for p in (tmp_path / "out").rglob("*.jsonl")) >= 3)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 130
    assert "go on with --resume" in told
    kept = load(tmp_path / "out").collect()
    assert 3 <= kept.height < 80
    assert swarmscope("sweep", "s.toml", "--out", "out").returncode == 2
    again = swarmscope("sweep", "s.toml", "--out", "out", "--resume", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["done"] == 80
    runs = load(tmp_path / "out").collect()
    assert runs.height == runs["key"].n_unique() == 80
    assert plain(load(tmp_path / "out")).filter(pl.col("key").is_in(kept["key"].to_list())).equals(plain(kept.lazy()))


def test_a_torn_line_at_the_end_of_a_journal_counts_for_nothing(tmp_path, done):
    out = tmp_path / "s"
    small(out, shard="1/2", report=False)
    place = out / results.JOURNAL / "1-of-2"
    place.mkdir(parents=True, exist_ok=True)
    (place / "dead.jsonl").write_bytes(b'0badc0de {"run":{"key":"x"}}\n12345678 {"run":{"ke')
    again = small(out, resume=True, report=False)
    assert plain(again.runs()).equals(plain(done.runs()))


def test_a_dry_run_says_how_much_and_makes_nothing(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(SLOW.replace('measures = ["mine.py:slow"]\n', 'measures = ["meters"]\n'))
    assert call(["sweep", str(tmp_path / "s.toml"), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "80 runs: 2 points with 40 seeds each." in told
    assert "No model calls, so no money." in told
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.toml"]


def test_a_billion_runs_are_refused_with_the_number(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(
        'scenario = "naming"\nseeds = 100000\n[axes]\ncommitted = { low = 0, high = 1, steps = 10000 }\n'
    )
    assert call(["sweep", str(tmp_path / "s.toml")]) == 2
    assert "1,000,000,000 runs" in capsys.readouterr().err


@pytest.mark.slow
def test_a_full_disk_stops_the_sweep_with_a_sentence_and_loses_nothing(tmp_path, swarmscope):
    """A limit on the size of files stands for the disk: results after some runs cannot be written."""
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    (tmp_path / "s.toml").write_text(
        'scenario = "naming"\nseeds = 60\nuntil = 6\nmeasures = ["meters"]\n[axes]\nagents = [10]\n'
    )
    assert swarmscope("sweep", "s.toml", "--out", "warm").returncode == 0
    told = swarmscope("sweep", "s.toml", "--out", "out", "--workers", 1, preexec_fn=limit)
    assert told.returncode == 1, told.stderr
    assert "could not be written" in told.stderr
    kept = load(tmp_path / "out").collect().height
    assert 0 < kept < 60
    again = swarmscope("sweep", "s.toml", "--out", "out", "--resume")
    assert again.returncode == 0, again.stderr
    assert plain(load(tmp_path / "out")).equals(plain(load(tmp_path / "warm")))


def test_importing_the_package_is_cheap():
    import subprocess
    import sys

    script = (
        "import experiments, sys; print([m for m in ('numpy', 'polars', 'numba', 'mesa', 'typer') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert told.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute"):
        experiments.sweeping  # noqa: B018


def script(folder, *lines):
    import subprocess
    import sys

    (folder / "study.py").write_text("\n".join(lines) + "\n")
    env = {**os.environ, "PYTHONPATH": str(Path(experiments.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "study.py"], capture_output=True, text=True, cwd=folder, env=env, check=False
    )


SWEEP = "experiments.sweep('naming', seeds=2, until=3, axes={'agents': [10]}, measures=MEASURES, out='out', workers=1)"


@pytest.mark.slow
def test_a_script_needs_no_guard(tmp_path):
    told = script(
        tmp_path, "import experiments", f"made = {SWEEP.replace('MEASURES', repr(['meters']))}",
        "print('games', made.runs().collect()['games'].to_list())",
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout == "games [30.0, 30.0]\n"


@pytest.mark.slow
def test_a_script_with_a_measure_of_its_own_needs_one_and_is_told_so(tmp_path):
    measure = ("import experiments", "def rows(log, values):", "    return {'own': log.events.height}")
    wanted = SWEEP.replace("MEASURES", "[rows]")
    told = script(tmp_path, *measure, wanted)
    assert told.returncode == 1
    assert "put the call below" in told.stderr
    wanted = wanted.replace("='out'", "='again'")
    told = script(
        tmp_path, *measure, "if __name__ == '__main__':", f"    print({wanted}.runs().collect()['own'].to_list())"
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout == "[30, 30]\n"


KILLED = 'scenario = "naming"\nseeds = 100\nuntil = 6\nmeasures = ["mine.py:slow"]\nlog = "full"\n[axes]\nagents = [10, 20]\n'


def workers_of(pid):
    """Processes spawned by the process ``pid`` that are not the resource tracker."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
            line = (place.parent / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == pid and b"spawn_main" in line:
            found.append(int(place.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers through /proc")
def test_workers_killed_all_through_a_sweep_cost_nothing(tmp_path, swarmscope):
    """200 runs while a random worker is killed again and again: all 200 results, each once, equal to an undisturbed sweep."""
    import random

    (tmp_path / "mine.py").write_text(
        "import time\ndef slow(log, values):\n    time.sleep(0.1)\n    return {'x': log.events.height}\n"
    )
    (tmp_path / "s.toml").write_text(KILLED)
    draw = random.Random(1)
    running = swarmscope("sweep", "s.toml", "--out", "out", "--workers", 2, wait=False)
    kills, before = 0, 0
    try:
        while running.poll() is None:
            time.sleep(draw.uniform(1.0, 2.0))
            journals = (tmp_path / "out").rglob("*.jsonl")
            results = sum(path.read_bytes().count(b"\n") for path in journals)
            victims = workers_of(running.pid)
            # On a busy machine a process takes longer to start than this pauses: let some work be done between two kills.
            if victims and before < results and kills < 8:
                with suppress(ProcessLookupError):
                    os.kill(draw.choice(victims), signal.SIGKILL)
                kills, before = kills + 1, results
        _, told = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 0, told
    assert kills >= 2
    assert swarmscope("sweep", "s.toml", "--out", "calm", "--workers", 2).returncode == 0
    runs = load(tmp_path / "out").collect()
    assert runs.height == runs["key"].n_unique() == 200
    assert plain(load(tmp_path / "out")).equals(plain(load(tmp_path / "calm")))


@pytest.mark.slow
def test_a_cluster_gives_the_same_results_and_hashes_and_survives_a_killed_worker(tmp_path, swarmscope):
    pytest.importorskip("distributed", reason="the engine dask needs swarmscope[cluster]")
    (tmp_path / "mine.py").write_text(
        "import os, signal\nfrom pathlib import Path\n"
        "def once(log, values):\n"
        "    flag = Path(__file__).with_name('killed')\n"
        "    if values['agents'] == 20 and not flag.exists():\n"
        "        flag.touch()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return {'x': log.events.height}\n"
    )
    (tmp_path / "s.toml").write_text(KILLED.replace("100", "4").replace("mine.py:slow", "mine.py:once"))
    told = swarmscope("sweep", "s.toml", "--out", "dask", "--engine", "dask", "--workers", 2)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "killed").exists()
    assert swarmscope("sweep", "s.toml", "--out", "local", "--workers", 1).returncode == 0
    assert plain(load(tmp_path / "dask")).equals(plain(load(tmp_path / "local")))
    assert load(tmp_path / "dask").collect().height == 8


def test_a_cluster_that_is_not_there_is_said_so(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the engine dask needs swarmscope[cluster]")
    monkeypatch.setattr("experiments.sweeps.cluster.SECONDS_TO_CONNECT", 0.5)
    with pytest.raises(RunFailed, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:1"):
        small(tmp_path / "s", engine="dask", scheduler="tcp://127.0.0.1:1", workers=None)
    with pytest.raises(UsageProblem, match="only the engine dask has one"):
        small(tmp_path / "t", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(UsageProblem, match="expected local or dask, got 'ray'"):
        small(tmp_path / "t", engine="ray")
