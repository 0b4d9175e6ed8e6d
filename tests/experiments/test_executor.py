"""The local executor: whole results, nothing twice, resumable, and safe from dying workers."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.errors import RunFailed, UsageProblem
from experiments.executor import Pool, execute
from experiments.jobs import RESULTS, Job, stored

HERE = Path(__file__).parent


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Jobs of a module that spawned processes can import."""
    (tmp_path / "labour_of_tests.py").write_text(
        "import os, signal, time\n"
        "def double(x): return {'twice': 2 * x, 'pid': os.getpid()}\n"
        "def fail(x): raise ValueError(f'no {x}')\n"
        "def once(path):\n"
        "    if not os.path.exists(path):\n"
        "        open(path, 'w').close()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return 'survived'\n"
        "def flaky(path):\n"
        "    if not os.path.exists(path):\n"
        "        open(path, 'w').close()\n"
        "        raise RuntimeError('first time')\n"
        "    return 'second time'\n"
        "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "def slow(x): time.sleep(0.05); return x\n"
        "def strange(): return object()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    importlib.invalidate_caches()
    return lambda name, **arguments: Job(f"labour_of_tests:{name}", arguments)


def test_outcomes_come_in_order_and_equal_jobs_are_done_once(tmp_path, work):
    jobs = [work("double", x=x) for x in (3, 1, 2, 3)]
    outcomes = execute(jobs, folder=tmp_path / "out", workers=2)
    assert [o.value["twice"] for o in outcomes] == [6, 2, 4, 6]
    assert len(list((tmp_path / "out" / RESULTS).iterdir())) == 3
    assert os.getpid() not in {o.value["pid"] for o in outcomes}


def test_a_second_call_does_only_what_is_missing(tmp_path, work):
    jobs = [work("double", x=x) for x in range(4)]
    first = execute(jobs[:2], folder=tmp_path, workers=1)
    seen = []
    again = execute(jobs, folder=tmp_path, workers=1, progress=seen.append)
    assert [o.value for o in again[:2]] == [o.value for o in first]
    assert [p.done for p in seen] == [3, 4]
    assert seen[-1].total == 4


def test_a_result_cut_in_half_counts_as_missing(tmp_path, work):
    (job,) = [work("double", x=5)]
    execute([job], folder=tmp_path, workers=1)
    path = tmp_path / RESULTS / f"{job.key}.json"
    path.write_text(path.read_text()[:10])
    assert stored(tmp_path, [job]) == {}
    assert execute([job], folder=tmp_path, workers=1)[0].value["twice"] == 10


def test_a_job_that_raises_is_tried_again_and_then_failed_with_its_traceback(tmp_path, work):
    flaky, fail = execute([work("flaky", path=str(tmp_path / "flag")), work("fail", x=7)], folder=tmp_path, workers=2)
    assert flaky.value == "second time"
    assert "ValueError: no 7" in fail.error
    assert stored(tmp_path, [fail.job]) == {}


def test_a_worker_that_dies_costs_nothing_but_its_job_which_is_done_again(tmp_path, work):
    jobs = [work("once", path=str(tmp_path / "flag")), *(work("slow", x=x) for x in range(8))]
    outcomes = execute(jobs, folder=tmp_path, workers=2, retries=0)
    assert outcomes[0].value == "survived"
    assert [o.value for o in outcomes[1:]] == list(range(8))


def test_a_job_that_kills_every_process_is_given_up(tmp_path, work):
    die, other = execute([work("die"), work("double", x=1)], folder=tmp_path, workers=1)
    assert "ended with code -9" in die.error
    assert other.value["twice"] == 2


def test_what_json_cannot_hold_is_an_error_of_the_job(tmp_path, work):
    (outcome,) = execute([work("strange")], folder=tmp_path, workers=1, retries=0)
    assert "returned what JSON cannot hold" in outcome.error


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"retries": -1}])
def test_impossible_numbers_are_refused(tmp_path, wrong):
    with pytest.raises(UsageProblem, match="at least 1 worker"):
        execute([], folder=tmp_path, **wrong)


def test_two_at_once_in_one_folder_are_refused_and_a_killed_one_leaves_a_folder_that_can_go_on(tmp_path, work):
    script = (
        "from experiments.executor import execute\nfrom experiments.jobs import Job\nfrom pathlib import Path\nimport sys\n"
        "if __name__ == '__main__':\n"
        "    jobs = [Job('labour_of_tests:slow', {'x': x}) for x in range(100)]\n"
        "    execute(jobs, folder=Path(sys.argv[1]), workers=1)\n"
    )
    (tmp_path / "script.py").write_text(script)
    out = tmp_path / "out"
    path = os.pathsep.join([str(tmp_path), str(HERE.parents[1])])
    running = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(out)], env={**os.environ, "PYTHONPATH": path}
    )
    try:
        _until(lambda: len(list(out.glob(f"{RESULTS}/*.json"))) >= 2)
        with pytest.raises(UsageProblem, match="another process is at work"):
            execute([work("slow", x=1)], folder=out, workers=1)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    jobs = [work("slow", x=x) for x in range(12)]
    assert len(stored(out, jobs)) >= 2
    _until(lambda: _free(out, work))
    assert [o.value for o in execute(jobs, folder=out, workers=2)] == list(range(12))
    assert all(json.loads(p.read_text()) for p in out.glob(f"{RESULTS}/*"))


def _free(folder, work):
    """True once the killed program's process has let go of the lock."""
    try:
        execute([], folder=folder, workers=1)
    except UsageProblem:
        return False
    return True


def _until(holds, seconds=20.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_processes_that_never_begin_end_the_work_and_are_not_held_against_a_job(tmp_path, work, monkeypatch):
    monkeypatch.setattr("experiments.executor.MOST_STILLBORN", 2)
    with (
        Pool(tmp_path, workers=1, warm=work("die")) as pool,
        pytest.raises(RunFailed, match="2 worker processes in a row"),
    ):
        list(pool.outcomes([work("double", x=1)]))
    with Pool(tmp_path, workers=1, warm=work("once", path=str(tmp_path / "flag"))) as pool:
        (tmp_path / "results").mkdir(exist_ok=True)
        monkeypatch.setattr("experiments.executor.MOST_DEATHS", 1)
        (outcome,) = pool.outcomes([work("double", x=1)])
    assert outcome.value["twice"] == 2
