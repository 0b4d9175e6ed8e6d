"""Leftovers: what a killed process left beside a run folder goes at the next run; what a living one works on stays."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments.folder import read_manifest, staged
from experiments.leftovers import HIDDEN, OLD, PART, UNKNOWN, hidden, living, sweep
from experiments.run import run

ROOT = Path(__file__).resolve().parents[2]
STAGES = """
import sys, time
from pathlib import Path
from experiments.folder import staged
with staged(Path(sys.argv[1])) as place:
    (place / "events.parquet").write_text("half of it")
    print(place, flush=True)
    time.sleep(600)
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="leftovers are told by process ids as POSIX has them")


@contextmanager
def working(folder):
    """A process that works on ``folder``, and its hidden folder."""
    process = subprocess.Popen([sys.executable, "-c", STAGES, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def other(folder, what, **changes):
    """A hidden folder like ``hidden`` makes, with another host, process id or start."""
    name = {**HIDDEN.fullmatch(hidden(folder, what).name).groupdict(), **changes}
    place = folder.with_name(f".{folder.name}.{name['host']}-{name['pid']}-{name['start']}.{what}")
    place.mkdir()
    (place / "manifest.json").write_text("{}")
    return place


@pytest.mark.parametrize("reaped", [True, False])
def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path, reaped):
    with working(tmp_path / "dead") as (dead, left), working(tmp_path / "alive") as (_, used):
        sweep(tmp_path)
        assert left.is_dir()
        dead.kill()
        if reaped:
            dead.wait()
        else:
            os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        sweep(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == [used.name]
        assert (used / "events.parquet").exists()


def test_the_next_run_sweeps(tmp_path):
    with working(tmp_path / "dead") as (dead, left):
        dead.kill()
        dead.wait()
    assert left.is_dir()
    made = run("factory", changes={"agents": 8, "types": 2}, until=5, detectors=["teams"], out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [made.folder.name]
    assert read_manifest(made.folder)["status"] == "complete"


def test_a_process_id_used_again_is_told_by_its_start(tmp_path):
    mine = other(tmp_path / "a", PART)
    before = other(tmp_path / "b", PART, start=1)
    unsure = other(tmp_path / "c", PART, start=UNKNOWN)
    sweep(tmp_path)
    assert (mine.exists(), unsure.exists()) == (True, True)
    assert before.exists() == (not Path("/proc").is_dir())


def test_what_is_not_surely_a_leftover_stays(tmp_path):
    gone = 2**22 + 7
    assert not living(gone, 5)
    other(tmp_path / "a", PART, host="0" * 8, pid=gone)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".notes.part").mkdir()
    target = tmp_path / "linked"
    target.mkdir()
    link = other(tmp_path / "b", PART, pid=gone)
    shutil.rmtree(link)
    link.symlink_to(target)
    before = sorted(p.name for p in tmp_path.iterdir())
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_folder_that_a_killed_process_was_about_to_replace_comes_back(tmp_path):
    gone = 2**22 + 7
    other(tmp_path / "lost", OLD, pid=gone)
    other(tmp_path / "kept", OLD, pid=gone)
    (tmp_path / "kept").mkdir()
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "lost"]
    assert (tmp_path / "lost" / "manifest.json").exists()
    assert not (tmp_path / "kept" / "manifest.json").exists()


def test_a_folder_is_swept_of_nothing_that_is_being_staged_in_it_now(tmp_path):
    with staged(tmp_path / "a") as first, staged(tmp_path / "b") as second:
        assert first.is_dir()
        assert second.is_dir()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
