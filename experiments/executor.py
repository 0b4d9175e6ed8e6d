"""The local executor: many small jobs on spawned processes, results whole or absent, resumable."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as ready_of
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.errors import RunFailed, UsageProblem

RESULTS, LOCK = "results", ".lock"
SUFFIX = ".json"
MOST_DEATHS = 10  # processes that one job may take with it before it counts as failed
MOST_STILLBORN = 50  # processes in a row that may end before they are ready
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
    """A piece of work as data: ``function`` is ``module:name``, called with ``arguments``, and returns JSON values.

    ``name`` tells equal jobs from others where the caller knows better than the hash of the arguments.
    """

    function: str
    arguments: Mapping[str, Any]
    name: str = ""

    @cached_property
    def key(self) -> str:
        """Its name, or sixteen digits of the hash of what the job is; the same job has the same result."""
        if self.name:
            return self.name
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


READY = "ready"
# Called in the worker with (folder, job, value, seconds); what it returns goes to the parent as the job's value.
Writer = Callable[[Path, Job, Any, float], Any]


@dataclass
class _Worker:
    """A spawned process with the jobs it holds."""

    process: Any
    pipe: Connection
    jobs: deque[Job] = field(default_factory=deque)
    ready: bool = False


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
    pool = Pool(folder, workers=workers, retries=retries)
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    with _alone(folder), pool:
        found = stored(folder, jobs)
        todo = list({job.key: job for job in jobs if job.key not in found}.values())
        report = reporter(len(found), len(found) + len(todo), progress)
        for outcome in pool.outcomes(todo):
            report(outcome)
            found[outcome.job.key] = outcome
    return [found[job.key] for job in jobs]


class Pool:
    """Spawned processes, one thread each, that stay warm through several sets of jobs.

    Used as a context manager: at the end, or when an error or Ctrl-C passes through, no process is left behind.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int | None = None,
        retries: int = 1,
        writer: str = f"{__name__}:write_result",
        warm: Job | None = None,
    ) -> None:
        """Args: as for ``execute``; ``writer`` is ``module:name`` of a ``Writer``; ``warm`` is done first in each process.

        UsageProblem for impossible numbers.
        """
        self.count = workers if workers is not None else cores()
        if self.count < 1 or retries < 0:
            raise UsageProblem(f"executor: expected at least 1 worker and 0 retries, got {self.count} and {retries}.")
        self.folder = folder
        self.retries = retries
        self.writer = writer
        self.warm = warm
        self._stillborn = 0
        self._workers: list[_Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    @property
    def processes(self) -> list[int]:
        """Ids of the processes alive."""
        return [w.process.pid for w in self._workers if w.process.pid is not None]

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Outcomes in the order in which they come; see ``execute`` for deaths, retries and errors."""
        waiting, tried, killed = deque(jobs), dict.fromkeys((job.key for job in jobs), 0), dict[str, int]()
        while len(self._workers) < min(self.count, len(jobs)):
            self._workers.append(self._start())
        while waiting or any(w.jobs for w in self._workers):
            self._revive()
            _hand_out(self._workers, waiting)
            for worker, said in _messages(self._workers):
                if said is None and not worker.ready:  # what it was given had not begun
                    waiting.extendleft(reversed(worker.jobs))
                    self._replace(worker)
                    continue
                if said == READY:
                    worker.ready, self._stillborn = True, 0
                    continue
                job = worker.jobs.popleft()
                message = said or {"error": f"the process ended with code {worker.process.exitcode}", "died": True}
                if said is None:  # it died with the job
                    waiting.extendleft(reversed(worker.jobs))
                    self._replace(worker)
                    killed[job.key] = killed.get(job.key, 0) + 1
                if "disk" in message:
                    raise OSError(message["disk"])
                if "error" in message:
                    tried[job.key] += not message.get("died", False)
                    if tried[job.key] <= self.retries and killed.get(job.key, 0) < MOST_DEATHS:
                        waiting.append(job)
                        continue
                yield Outcome(job, message.get("value"), message.get("error", ""), message.get("seconds", 0.0))

    def _revive(self) -> None:
        """Replace workers that died with nothing to do: no message will come from them."""
        for worker in list(self._workers):
            if not worker.jobs and not worker.process.is_alive():
                self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        """A new worker for one that died; RunFailed when none gets as far as to begin."""
        self._stillborn += not worker.ready
        if self._stillborn >= MOST_STILLBORN:
            code = worker.process.exitcode
            raise RunFailed(
                f"{self._stillborn} worker processes in a row ended (the last with code {code}) before they could begin; is "
                "there enough memory, and does nothing else stop them?"
            )
        worker.pipe.close()
        self._workers.remove(worker)
        self._workers.append(self._start())

    def _start(self) -> _Worker:
        """A new worker process."""
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, str(self.folder), self.writer, self.warm), daemon=True)
        with one_thread(), _without_main(), _deaf():
            process.start()
        there.close()
        return _Worker(process, here)


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started meanwhile run their numerical libraries on one thread."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes started meanwhile do not hear Ctrl-C, not even before they can say that it is not for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes spawned meanwhile do not import the program's main module.

    Jobs name their functions by module, so it is not needed; a script without ``if __name__ == "__main__"`` would run
    itself again in every process.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which dies with the process; what killed processes left half-written is removed."""
    with locked(folder):
        for left in (folder / RESULTS).glob(f".*{SUFFIX}.*"):
            left.unlink(missing_ok=True)
        yield


@contextmanager
def locked(folder: Path, *, name: str = LOCK, shared: bool = False, wait: bool = False) -> Iterator[None]:
    """Hold a lock of ``folder``, which dies with the process; UsageProblem while another holds it, unless ``wait``."""
    with (folder / name).open("a") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise UsageProblem(
                f"{folder}: another process is at work in this folder; wait for it, or choose another."
            ) from None
        yield


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reporter(before: int, total: int, progress: Callable[[Progress], None] | None) -> Callable[[Outcome], None]:
    """A function that counts outcomes and tells ``progress``; ``before`` of ``total`` are done already."""
    seen = {"done": before, "failed": 0}
    first: list[float] = []

    def report(outcome: Outcome) -> None:
        seen["done"] += 1
        seen["failed"] += bool(outcome.error)
        # The first result carries the start of the processes and the compilation, which do not come again.
        first.append(time.monotonic()) if not first else None
        passed = max(time.monotonic() - first[0], 1e-9)
        since = seen["done"] - before - 1
        if progress:
            progress(Progress(seen["done"], total, seen["failed"], since / passed))

    return report


class Here:
    """Does jobs in this process, one after the other: for debuggers, and where starting processes costs more."""

    def __init__(self, folder: Path, *, writer: str, retries: int = 1) -> None:
        """Args: as for ``Pool``."""
        self.folder, self.retries = folder, retries
        self.write: Writer = _named(writer)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Outcomes in order."""
        for job in jobs:
            for _ in range(1 + self.retries):
                message = _done(job, self.folder, self.write)
                if "error" not in message:
                    break
            if "disk" in message:
                raise OSError(message["disk"])
            yield Outcome(job, message.get("value"), message.get("error", ""), message.get("seconds", 0.0))


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


def _messages(workers: Sequence[_Worker]) -> list[tuple[_Worker, Any]]:
    """What came from workers that hold a job: READY, a message on the first of its jobs, None when it died."""
    ready = ready_of([w.pipe for w in workers if w.jobs], timeout=1.0)
    found: list[tuple[_Worker, Any]] = []
    for worker in list(workers):
        if worker.pipe in ready:
            try:
                found.append((worker, worker.pipe.recv()))
            except (EOFError, OSError):
                worker.process.join()
                found.append((worker, None))
    return found


def _work(pipe: Connection, folder: str, writer: str, warm: Job | None) -> None:
    """The life of a worker: take a job, do it, write its result, say so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    write: Writer = _named(writer)
    if warm is not None:
        attempt(warm)  # what is wrong with it will be wrong with the jobs, which say so
    with suppress(BrokenPipeError):
        pipe.send(READY)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(_done(job, Path(folder), write))
        except BrokenPipeError:  # the parent is gone; the result is written
            return


def _named(function: str) -> Any:
    """What ``module:name`` stands for."""
    module, name = function.split(":")
    return getattr(import_module(module), name)


def _done(job: Job, folder: Path, write: Writer) -> dict[str, Any]:
    """The message on a job that was done and written, or tried."""
    message = attempt(job)
    if "error" in message:
        return message
    try:
        return {**message, "value": write(folder, job, message["value"], message["seconds"])}
    except OSError as error:
        return {"disk": unwritten(folder, error)}
    except (TypeError, ValueError):
        return {"error": f"{job.function} returned what JSON cannot hold.\n{traceback.format_exc(limit=5)}"}


def attempt(job: Job) -> dict[str, Any]:
    """Do a job here and now: its ``value`` and ``seconds``, or its ``error`` as a traceback."""
    started = time.perf_counter()
    try:
        value = _named(job.function)(**job.arguments)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # a run that was stopped, and said so
            raise KeyboardInterrupt from error
        return {"error": traceback.format_exc(limit=20)}
    return {"value": value, "seconds": time.perf_counter() - started}


def unwritten(folder: Path, error: OSError) -> str:
    """What to say when a result could not be written."""
    return f"{folder}: a result could not be written ({error.strerror or error}); those before it are kept."


def write_result(folder: Path, job: Job, value: Any, seconds: float) -> Any:
    """Write a result under a temporary name and rename it; returns the value."""
    path = folder / RESULTS / (job.key + SUFFIX)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(json.dumps({"job": [job.function, dict(job.arguments)], "value": value, "seconds": seconds}))
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return value
