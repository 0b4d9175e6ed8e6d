"""The cluster engine: the same jobs over dask.distributed, on this machine or behind a scheduler's address."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.errors import RunFailed, UsageProblem
from experiments.executor import MOST_DEATHS, ONE_THREAD, cores
from experiments.jobs import Job, Outcome, attempt, unwritten
from experiments.sweeps.results import append

# Jobs at the scheduler at once, for each thread of the cluster: enough that none waits, few enough to stop quickly.
AHEAD = 4
SECONDS_TO_CONNECT = 30


class Cluster:
    """Carries out jobs on a dask cluster; this process alone writes, so workers need no folder in common.

    A cluster delivers at least once: a run may be made twice when its worker dies. The runs are pure functions of what
    they are asked, and each is written once.
    """

    def __init__(
        self, folder: Path, *, workers: int | None = None, scheduler: str | None = None, retries: int = 1
    ) -> None:
        """Args: where results are appended, processes of a cluster on this machine, or the address of a scheduler."""
        if workers is not None and workers < 1:
            raise UsageProblem(f"--workers: expected at least 1, got {workers}.")
        if scheduler is not None and workers is not None:
            raise UsageProblem(
                "--workers: the cluster behind --scheduler has its own workers; leave one of the two out."
            )
        self.folder = folder
        self.count = workers if workers is not None else cores()
        self.scheduler = scheduler
        self.retries = retries
        self._client: Any = None
        self._cluster: Any = None
        self._known, self._asked = 1, float("-inf")

    def __enter__(self) -> Cluster:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise UsageProblem("--engine: dask is not installed; install swarmscope[cluster].") from None
        if self.scheduler is None:
            self._cluster = LocalCluster(
                n_workers=self.count, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None,
                silence_logs=logging.CRITICAL, env=dict.fromkeys(ONE_THREAD, "1"),
            )  # fmt: skip
        try:
            self._client = Client(self._cluster or self.scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise RunFailed(
                f"--scheduler: no dask scheduler answers at {self.scheduler} ({error}); start one with 'dask scheduler'."
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._client, self._cluster):
            if one is not None:
                with suppress(Exception):  # a cluster that is gone already
                    one.close(timeout=10)

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Outcomes in the order in which they come; deaths are not charged a retry, as with the local executor."""
        from distributed import as_completed

        waiting = deque(jobs)
        tried = dict.fromkeys((job.key for job in jobs), 0)
        killed = dict.fromkeys(tried, 0)
        held: dict[Any, Job] = {}
        coming = as_completed(raise_errors=False, loop=self._client.loop)
        while waiting or held:
            while waiting and len(held) < AHEAD * self._threads():
                job = waiting.popleft()
                name = f"{job.key}-{tried[job.key]}-{killed[job.key]}"
                # Under its own name a job that was lost is made again; an equal name would return the old error.
                future = self._client.submit(attempt, job, key=name, pure=False, retries=0)
                held[future] = job
                coming.add(future)
            future = next(coming)
            job = held.pop(future)
            message = self._message(future)
            if "error" in message:
                died = bool(message.get("died"))
                tried[job.key] += not died
                killed[job.key] += died
                if tried[job.key] <= self.retries and killed[job.key] < MOST_DEATHS:
                    waiting.append(job)
                    continue
                yield Outcome(job, None, message["error"], 0.0)
                continue
            try:
                row = append(self.folder, job, message["value"], message["seconds"])
            except OSError as error:
                raise OSError(unwritten(self.folder, error)) from error
            yield Outcome(job, row, "", message["seconds"])

    def _threads(self) -> int:
        """Threads of the cluster, which may grow and shrink; asked for every few seconds."""
        if self._client.status != "running":
            raise RunFailed("the dask scheduler is gone; the results so far are kept, go on with --resume.")
        if time.monotonic() - self._asked > 2.0:
            workers = self._client.scheduler_info()["workers"].values()
            self._known = max(1, sum(int(w["nthreads"]) for w in workers))
            self._asked = time.monotonic()
        return self._known

    @staticmethod
    def _message(future: Any) -> dict[str, Any]:
        """What a job's process said, or that it was lost."""
        from distributed import KilledWorker

        error = future.exception() if future.status == "error" else None
        if future.status == "finished":
            made = future.result()
            return made if isinstance(made, dict) else {"error": f"the worker returned {made!r}"}
        lost = error is None or isinstance(error, KilledWorker)
        return {"error": f"the job was lost by the cluster ({error or future.status})", "died": lost}
