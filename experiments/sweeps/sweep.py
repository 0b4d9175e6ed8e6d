"""Sweep: runs a specification to its end on an engine, and leaves results that can be gone on with at any moment."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from experiments.errors import Interrupted, RunFailed, UsageProblem
from experiments.executor import LOCK, Pool, locked
from experiments.folder import read_json, write_json
from experiments.jobs import Here, Job, Outcome, Progress, reporter
from experiments.sweeps import results
from experiments.sweeps.claim import claim, kept_whole, repair, seal
from experiments.sweeps.results import JOURNAL, MANIFEST, load
from experiments.sweeps.runs import Codes, codes_of, jobs_of, warm_up
from experiments.sweeps.spec import Spec, read_spec, specify

OUT = Path("sweeps")
ENGINES = ("local", "dask")
Tell = Callable[[Progress], None]


class Engine(Protocol):
    """Carries out jobs; an outcome's value is the row of the run."""

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Outcomes in the order in which they come."""


@dataclass(frozen=True)
class Sweep:
    """A sweep and its results.

    Attributes:
        folder: Where it is.
        manifest: What sweep.json says.
        spec: The specification.
        reused: True when it was finished already.
        repaired: Sentences on damaged results that were made again.
    """

    folder: Path
    manifest: Mapping[str, Any]
    spec: Spec
    reused: bool = False
    repaired: tuple[str, ...] = ()

    def runs(self) -> pl.LazyFrame:
        """One row for each run, scanned lazily."""
        return load(self.folder)

    def windows(self) -> pl.LazyFrame:
        """One row for each run and window, scanned lazily."""
        return load(self.folder, table="windows")

    def structures(self) -> pl.LazyFrame:
        """One row for each run and structure, scanned lazily."""
        return load(self.folder, table="structures")


def sweep(
    scenario: str | None = None,
    *,
    spec: Spec | Path | str | None = None,
    out: Path | str | None = None,
    engine: str = "local",
    scheduler: str | None = None,
    workers: int | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    shard: str | tuple[int, int] | None = None,
    report: bool = True,
    progress: Tell | None = None,
    **given: Any,
) -> Sweep:
    """Run a scenario many times over axes and seeds.

    ``sweep("factory", seeds=12, until=200, axes={"handoff_loss": [0.0, 0.1]})`` is the smallest; all entries of a
    specification (docs/sweeps.md) may be given by name, or a file as ``spec``.

    Args:
        scenario: Name of the scenario.
        spec: A specification, or the path of one in TOML, instead of scenario and entries.
        out: Folder of the sweep; ``sweeps/<scenario>-<hash8>`` when None.
        engine: ``local`` (processes of this machine) or ``dask``.
        scheduler: Address of a dask scheduler; a cluster on this machine when None.
        workers: Processes; one for each core when None, and with 0 everything is done in this one, for debuggers.
        resume: Go on with an unfinished sweep.
        retry_failed: With ``resume``: run those that failed once more.
        shard: ``"i/n"`` does every n-th run only, from the i-th on (1 to n), for array jobs; shards share a folder.
        report: Write sweep.html at the end.
        progress: Called after each run.
        given: Entries of the specification.

    Returns:
        The sweep; failed runs are rows with ``status`` failed and their traceback in ``error``.

    Raises:
        UsageProblem, ParameterError, UnknownNameError: For what was asked wrongly; nothing is run.
        RunFailed: When every run failed.
        Interrupted: At Ctrl-C; what is done stays, and ``resume`` goes on.
        OSError: When results cannot be written; those before stay.
    """
    if parent_process() is not None:
        raise UsageProblem(
            "sweep: called while a worker imports the script, because one of its functions is a measure; put the call below "
            "'if __name__ == \"__main__\":'."
        )
    chosen = _spec(scenario, spec, given)
    codes = codes_of(chosen)
    part = _shard(shard)
    if part and chosen.stop:
        raise UsageProblem("--shard: sequential stopping decides by the results of all runs, so it cannot be sharded.")
    if engine not in ENGINES:
        raise UsageProblem(f"--engine: expected {' or '.join(ENGINES)}, got '{engine}'.")
    if scheduler is not None and engine != "dask":
        raise UsageProblem("--scheduler: only the engine dask has one; add --engine dask.")
    folder = Path(out) if out is not None else OUT / f"{chosen.scenario}-{seal(chosen, codes)}"
    found = claim(folder, chosen, codes, resume=resume or part is not None)
    if found.get("status") == "complete" and not (retry_failed and results.counts(folder).failed):
        repaired = repair(folder) if resume else ()
        if not repaired:
            return Sweep(folder, found, chosen, reused=True)
    else:
        repaired = ()
    work = _Work(folder, chosen, codes, part, progress, repaired)
    with work.held():
        work.prepare(retry_failed=retry_failed)
        with _engine(engine, spec=chosen, folder=work.journal, workers=workers, scheduler=scheduler) as running:
            work.run(running)
        return work.finish(report=report)


def _spec(scenario: str | None, spec: Spec | Path | str | None, given: Mapping[str, Any]) -> Spec:
    if spec is None:
        return specify(**given) if scenario is None else specify(scenario=scenario, **given)
    if scenario is not None or given:
        extra = ", ".join([*(["scenario"] if scenario is not None else []), *given])
        raise UsageProblem(f"sweep: expected either a specification or its entries, got both ({extra}).")
    return spec if isinstance(spec, Spec) else read_spec(spec)


def _shard(given: str | tuple[int, int] | None) -> tuple[int, int] | None:
    if given is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", given) if isinstance(given, str) else None
    i, n = (int(match[1]), int(match[2])) if match else given if isinstance(given, tuple) else (0, 0)
    if not 1 <= i <= n:
        raise UsageProblem(f"--shard: expected i/n with i from 1 to n, as 1/8, got '{given}'.")
    return i, n


def _engine(
    name: str, *, spec: Spec, folder: Path, workers: int | None, scheduler: str | None
) -> AbstractContextManager[Engine]:
    if name == "local":
        writer = "experiments.sweeps.results:append"
        if workers == 0:
            return Here(folder, writer=writer)
        return Pool(folder, workers=workers, writer=writer, warm=warm_up(spec))
    from experiments.sweeps.cluster import Cluster

    return Cluster(folder, workers=workers, scheduler=scheduler)


@dataclass
class _Work:
    """A sweep being worked on by this process."""

    folder: Path
    spec: Spec
    codes: Codes
    shard: tuple[int, int] | None
    progress: Tell | None
    repaired: tuple[str, ...]
    total: int = 0
    first_error: str = ""

    def __post_init__(self) -> None:
        self.label = "{}-of-{}".format(*self.shard) if self.shard else "all"
        self.journal = self.folder / JOURNAL / self.label
        self.started = time.perf_counter()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be alone in the folder, or in one's shard of it."""
        with locked(self.folder, shared=self.shard is not None):
            if self.shard is None:
                yield
                return
            with locked(self.folder, name=f"{LOCK}-{self.label}"):
                yield

    def prepare(self, *, retry_failed: bool) -> None:
        """Take in what an earlier process left, and set aside what is damaged."""
        if self.shard is None:
            self.repaired += (*results.set_aside(self.folder), *kept_whole(self.folder))
        self.gather()
        if retry_failed:
            for path in (self.folder / results.FAILED).glob("*.parquet"):
                path.unlink()

    def gather(self) -> None:
        """Journals become parts; those of other shards at work are theirs."""
        place = self.journal if self.shard else self.folder / JOURNAL
        with locked(self.folder, name=".gather", wait=True):
            try:
                results.gather(self.folder, sorted(place.rglob("*.jsonl")), label=self.label)
            except OSError as error:
                raise OSError(f"{error} No run is lost: they are in {place}; go on with --resume.") from error

    def run(self, engine: Engine) -> None:
        """Run everything that is missing, and with sequential stopping what turns out to be needed."""
        try:
            for jobs in self.rounds():
                self.one_round(engine, jobs)
        except KeyboardInterrupt:
            self.stopped("interrupted")
            made = results.counts(self.folder)
            raise Interrupted(
                f"interrupted: {made.done:,} of {self.total:,} runs are kept in {self.folder}; go on with --resume."
            ) from None
        except BaseException:
            self.stopped("interrupted")
            raise

    def stopped(self, status: str) -> None:
        """Leave what there is readable."""
        try:
            self.gather()
            self.record(status)
        except OSError:
            # A full disk: the journals hold everything, and the next process takes them in.
            return

    def rounds(self) -> Iterator[list[Job]]:
        """The jobs of each round, done ones included; a pure function of the results so far."""
        jobs = jobs_of(self.spec, self.codes, folder=self.folder)
        if self.shard:
            i, n = self.shard
            jobs = jobs[i - 1 :: n]
        self.total = len(jobs)
        yield jobs
        if self.spec.stop is None:
            return
        from experiments.sweeps.stopping import too_wide

        count = len(self.spec.seeds)
        points = list(range(len(self.spec.points)))
        while count < self.spec.stop.most:
            points = too_wide(load(self.folder), self.spec, points=points, seeds=self.spec.seeds_of(count))
            if not points:
                return
            more = min(self.spec.stop.batch, self.spec.stop.most - count)
            seeds = self.spec.seeds_of(count + more)[count:]
            count += more
            extra = jobs_of(self.spec, self.codes, folder=self.folder, seeds=seeds, points=points)
            self.total += len(extra)
            yield extra

    def one_round(self, engine: Engine, jobs: Sequence[Job]) -> None:
        """Run the missing ones of ``jobs``."""
        known = results.done(self.folder)
        todo = list({job.key: job for job in jobs if job.key not in known}.values())
        tell = reporter(self.total - len(todo), self.total, self.progress)
        for outcome in engine.outcomes(todo):
            if outcome.error:
                self.first_error = self.first_error or outcome.error
                row = {**outcome.job.arguments["about"], "status": "failed", "error": outcome.error}
                results.append(self.journal, outcome.job, {"run": row}, outcome.seconds)
            tell(outcome)
        results.close(self.journal)
        self.gather()

    def record(self, status: str) -> dict[str, Any]:
        """Bring the manifest up to date."""
        made = results.counts(self.folder)
        found = read_json(self.folder / MANIFEST)
        found["wall_time_s"] = round(found.get("wall_time_s", 0.0) + time.perf_counter() - self.started, 3)
        self.started = time.perf_counter()
        total = self.spec.runs if self.shard else self.total
        found |= {"runs": total, "done": made.done, "failed": made.failed, "status": status}
        write_json(self.folder / MANIFEST, found)
        return found

    def finish(self, *, report: bool) -> Sweep:
        """Say what came of it, and when all is there write the report."""
        with locked(self.folder, name=".gather", wait=True):
            made = results.counts(self.folder)
            whole = made.done >= (self.spec.runs if self.shard else self.total)
            if made.done and made.failed == made.done and whole:
                self.record("failed")
                last = (self.first_error.strip() or "see the column error").splitlines()[-1]
                raise RunFailed(f"{self.folder}: every run failed; the first said: {last}")
            manifest = self.record("complete" if whole else "begun")
            if whole and report:
                from experiments.report.sweep import write

                write(self.folder, self.spec)
        return Sweep(self.folder, manifest, self.spec, repaired=self.repaired)
