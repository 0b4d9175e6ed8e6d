"""The local executor: many small jobs on spawned processes, one result file each, whole or absent, resumable."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from experiments.errors import UsageProblem

RESULTS, LOCK = "results", ".lock"
SUFFIX = ".json"
MOST_DEATHS = 10  # processes that one job may take with it before it counts as failed
# Numerical libraries would otherwise start one thread for each core in each process.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


@dataclass(frozen=True)
class Job:
    """A piece of work as data: ``function`` is ``module:name``, called with ``arguments``, and returns JSON values."""

    function: str
    arguments: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Sixteen digits of the hash of what the job is; the same job has the same result file."""
        text = json.dumps([self.function, dict(self.arguments)], sort_keys=True, default=str)
        return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its value, or the traceback of its last attempt."""

    job: Job
    value: Any = None
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Progress:
    """How far a set of jobs is: counts, failures, and jobs per second since the start."""

    done: int
    total: int
    failed: int
    rate: float

    @property
    def seconds_left(self) -> float | None:
        """Expected time to the end, or None while nothing is done."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


@dataclass
class _Worker:
    """A spawned process with the jobs it holds."""

    process: Any
    pipe: Connection
    jobs: deque[Job] = field(default_factory=deque)


def stored(folder: Path, jobs: Sequence[Job]) -> dict[str, Outcome]:
    """Results of ``jobs`` that are in ``folder``, by key; a file that cannot be read counts as missing."""
    found = {}
    for job in jobs:
        path = folder / RESULTS / (job.key + SUFFIX)
        try:
            data = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(data, dict) and {"value", "seconds"} <= set(data):
            found[job.key] = Outcome(job, data["value"], "", float(data["seconds"]))
    return found


def execute(
    jobs: Sequence[Job],
    *,
    folder: Path,
    workers: int | None = None,
    retries: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """Run ``jobs`` on spawned processes and return their outcomes in order.

    Each result is written under a temporary name and renamed, so that a killed program leaves only whole results, and
    the next call runs exactly what is missing. A worker that dies costs the job it was at: that one is tried again
    without being charged a retry, unless it kills every worker it meets. A job that raises is tried again ``retries``
    times and then failed with its traceback.

    Args:
        jobs: What to do; equal jobs are done once.
        folder: Where the results are; made if absent.
        workers: Number of processes; by default one for each core that this process may use.
        retries: Further attempts of a job that raised.
        progress: Called after each result.

    Raises:
        UsageProblem: For fewer than one worker, a negative number of retries, or a folder in which another process is at
            work.
        OSError: When a result cannot be written.
        KeyboardInterrupt: Results so far stay, and no process is left behind.
    """
    count = workers if workers is not None else cores()
    if count < 1 or retries < 0:
        raise UsageProblem(f"executor: expected at least 1 worker and 0 retries, got {count} and {retries}.")
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        found = stored(folder, jobs)
        todo = list({job.key: job for job in jobs if job.key not in found}.values())
        report = _reporter(len(found), len(found) + len(todo), progress)
        for outcome in _run(todo, folder, min(count, len(todo)), retries, report):
            found[outcome.job.key] = outcome
    return [found[job.key] for job in jobs]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which dies with the process; what killed processes left half-written is removed."""
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageProblem(
                f"{folder}: another process is at work in this folder; wait for it, or choose another."
            ) from None
        for left in (folder / RESULTS).glob(f".*{SUFFIX}.*"):
            left.unlink(missing_ok=True)
        yield


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reporter(before: int, total: int, progress: Callable[[Progress], None] | None) -> Callable[[Outcome], None]:
    started, seen = time.monotonic(), {"done": before, "failed": 0}

    def report(outcome: Outcome) -> None:
        seen["done"] += 1
        seen["failed"] += bool(outcome.error)
        if progress:
            passed = max(time.monotonic() - started, 1e-9)
            progress(Progress(seen["done"], total, seen["failed"], (seen["done"] - before) / passed))

    return report


def _run(
    jobs: list[Job], folder: Path, count: int, retries: int, report: Callable[[Outcome], None]
) -> Iterator[Outcome]:
    """Outcomes in the order in which they come."""
    waiting, tried, killed = deque(jobs), dict.fromkeys((job.key for job in jobs), 0), dict[str, int]()
    workers: list[_Worker] = []
    try:
        workers = [_start(folder) for _ in range(count)]
        while waiting or any(w.jobs for w in workers):
            _hand_out(workers, waiting)
            for worker, said in _messages(workers):
                job = worker.jobs.popleft()
                message = said or {"error": f"the process ended with code {worker.process.exitcode}", "died": True}
                if said is None:  # it died with the job
                    waiting.extendleft(reversed(worker.jobs))
                    workers.remove(worker)
                    workers.append(_start(folder))
                    killed[job.key] = killed.get(job.key, 0) + 1
                if "disk" in message:
                    raise OSError(message["disk"])
                if "error" in message:
                    tried[job.key] += not message.get("died", False)
                    if tried[job.key] <= retries and killed.get(job.key, 0) < MOST_DEATHS:
                        waiting.append(job)
                        continue
                outcome = Outcome(job, message.get("value"), message.get("error", ""), message.get("seconds", 0.0))
                report(outcome)
                yield outcome
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()


def _hand_out(workers: Sequence[_Worker], waiting: deque[Job]) -> None:
    """Two jobs for each worker: one at work, one at hand, so that none waits for the next."""
    for worker in workers:
        while waiting and len(worker.jobs) < 2:
            job = waiting.popleft()
            try:
                worker.pipe.send(job)
            except (BrokenPipeError, OSError):
                waiting.appendleft(job)
                break
            worker.jobs.append(job)


def _messages(workers: Sequence[_Worker]) -> list[tuple[_Worker, dict[str, Any] | None]]:
    """What came from workers that hold a job; None for a job that its worker died with."""
    ready = wait([w.pipe for w in workers if w.jobs], timeout=1.0)
    found: list[tuple[_Worker, dict[str, Any] | None]] = []
    for worker in list(workers):
        if worker.pipe in ready:
            try:
                found.append((worker, worker.pipe.recv()))
            except (EOFError, OSError):
                worker.process.join()
                found.append((worker, None))
    return found


def _start(folder: Path) -> _Worker:
    """A new worker process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        process = context.Process(target=_work, args=(there, str(folder)), daemon=True)
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    there.close()
    return _Worker(process, here)


def _work(pipe: Connection, folder: str) -> None:
    """The life of a worker: take a job, do it, write its result, say so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_done(job, Path(folder)))


def _done(job: Job, folder: Path) -> dict[str, Any]:
    """The message on a job that was done, or tried."""
    started = time.perf_counter()
    try:
        module, name = job.function.split(":")
        value = getattr(import_module(module), name)(**job.arguments)
    except Exception:
        return {"error": traceback.format_exc(limit=20)}
    seconds = time.perf_counter() - started
    try:
        write_result(folder, job, value, seconds)
    except OSError as error:
        return {"disk": f"{folder}: a result could not be written ({error.strerror}); those before it are kept."}
    except (TypeError, ValueError):
        return {"error": f"{job.function} returned what JSON cannot hold.\n{traceback.format_exc(limit=5)}"}
    return {"value": value, "seconds": seconds}


def write_result(folder: Path, job: Job, value: Any, seconds: float) -> None:
    """Write a result under a temporary name and rename it."""
    path = folder / RESULTS / (job.key + SUFFIX)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(json.dumps({"job": [job.function, dict(job.arguments)], "value": value, "seconds": seconds}))
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
