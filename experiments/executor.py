"""The local executor: many small jobs on spawned processes, results whole or absent, resumable."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as ready_of
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.errors import RunFailed, UsageProblem
from experiments.jobs import (
    RESULTS,
    SUFFIX,
    Job,
    Outcome,
    Progress,
    Writer,
    attempt,
    done,
    named,
    reporter,
    stored,
)

LOCK = ".lock"
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


READY = "ready"
WRITER = "experiments.jobs:write_result"


@dataclass
class _Worker:
    """A spawned process with the jobs it holds."""

    process: Any
    pipe: Connection
    jobs: deque[Job] = field(default_factory=deque)
    ready: bool = False


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
        writer: str = WRITER,
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
    write: Writer = named(writer)
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
            pipe.send(done(job, Path(folder), write))
        except BrokenPipeError:  # the parent is gone; the result is written
            return
