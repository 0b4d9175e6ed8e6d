"""Estimates: what a sweep will take, from a few of its runs made and thrown away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from experiments.executor import cores
from experiments.jobs import attempt
from experiments.report.words import duration, many
from experiments.sweeps.runs import codes_of, jobs_of
from experiments.sweeps.spec import Spec, plan_options, planned

if TYPE_CHECKING:
    from experiments.estimate import Estimate as Asked
    from experiments.plan import Plan

PILOTS = 3
# No further pilot after this many seconds.
LONG = 20.0
# Rows in Parquet against the same rows as text.
COMPRESSED = 0.25


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take.

    Attributes:
        runs: Number of runs; with sequential stopping at the least and at most.
        most_runs: See ``runs``.
        points, seeds: What they are made of.
        seconds_per_run: Of one process.
        workers: Number of processes.
        seconds: Of the whole sweep.
        bytes: On disk.
        decisions_per_run: Decisions that a language model would take; 0 for rules.
        money: Cost of model calls in dollars; None where the price is not known.
        failed: What the pilot runs said that failed; empty when all went well.
    """

    runs: int
    most_runs: int
    points: int
    seeds: int
    seconds_per_run: float
    workers: int
    seconds: float
    bytes: int
    decisions_per_run: int
    money: float | None
    failed: str

    def sentences(self) -> list[str]:
        """The estimate for people."""
        more = f", up to {self.most_runs:,} until the intervals are narrow" if self.most_runs > self.runs else ""
        told = [
            f"{many(self.runs, 'run')}: {many(self.points, 'point')} with {many(self.seeds, 'seed')} each{more}.",
            f"About {duration(self.seconds)} on {many(self.workers, 'worker')} ({duration(self.seconds_per_run)} a run).",
            f"About {_size(self.bytes)} on disk.",
        ]
        if self.money == 0:
            told.append("No model calls, so no money.")
        else:
            price = "at an unknown price" if self.money is None else f"for about ${self.money:.2f}"
            calls = self.runs * self.decisions_per_run
            told.append(f"About {calls:,} decisions asked of models {price}; replies in a cassette cost nothing.")
        if self.failed:
            told.append(f"A pilot run failed: {self.failed}")
        return told


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.1f} MB"


def estimate(
    spec: Spec, *, workers: int | None = None, say: Callable[[float, float, str], None] | None = None
) -> Estimate:
    """Make up to three runs of a sweep, and say what all of them will take.

    Args:
        spec: The specification.
        workers: Number of processes; one for each core when None.
        say: Called with (done, total, what).
    """
    tell = say or (lambda _done, _total, _what: None)
    at = sorted({0, len(spec.points) // 2, len(spec.points) - 1})[:PILOTS]
    plans = [planned(spec.plan_arguments(spec.points[i]), seed=spec.seeds[0], check_minds=False) for i in at]
    asked = [_asked(plan) for plan in plans if plan.asks]
    # Pilots never call a model: where one decides, the scenario's rule does in its place.
    quiet = (
        replace(spec, options={}, axes=tuple(a for a in spec.axes if a.name not in plan_options())) if asked else spec
    )
    times, sizes, kept, failed = _pilots(quiet, tell)
    each = sum(times) / len(times) if times else 0.0
    size = (sum(sizes) + kept) / len(times) if times else 0.0
    count = workers or cores()
    share = len(asked) / len(plans)
    decisions = round(share * sum(e.decisions for e in asked) / len(asked)) if asked else 0
    prices = [e.cost for e in asked]
    known = [float(p) for p in prices if not isinstance(p, str)]
    money = share * sum(known) / len(known) * spec.runs if known and len(known) == len(prices) else None
    return Estimate(
        runs=spec.runs, most_runs=len(spec.points) * spec.stop.most if spec.stop else spec.runs, points=len(spec.points),
        seeds=len(spec.seeds), seconds_per_run=each, workers=count, seconds=each * spec.runs / min(count, spec.runs),
        bytes=round(size * spec.runs), decisions_per_run=decisions, money=money if asked else 0.0, failed=failed,
    )  # fmt: skip


def _asked(plan: Plan) -> Asked:
    """What models would be asked in one run, from a rehearsal without any."""
    from experiments.estimate import estimate as rehearse

    return rehearse(
        plan.scenario.name, preset=plan.preset, changes=plan.changes, until=plan.until, seed=plan.seed, mind=plan.mind,
        asking=plan.asking,
    )  # fmt: skip


def _pilots(spec: Spec, tell: Callable[[float, float, str], None]) -> tuple[list[float], list[float], int, str]:
    """(seconds, bytes in tables) of each pilot, bytes of run folders in all, and what a failed one said."""
    times, sizes, failed = [], [], ""
    at = sorted({0, len(spec.points) // 2, len(spec.points) - 1})[:PILOTS]
    with TemporaryDirectory() as name:
        jobs = jobs_of(spec, codes_of(spec), folder=Path(name), seeds=spec.seeds[:1], points=at)
        tell(0, len(jobs) + 1, "one run to compile")
        attempt(jobs[0])
        began = time.perf_counter()
        for i, job in enumerate(jobs):
            tell(i + 1, len(jobs) + 1, f"pilot run {i + 1} of {len(jobs)}")
            message = attempt(job)
            if "error" in message:
                failed = message["error"].strip().splitlines()[-1]
                continue
            times.append(message["seconds"])
            sizes.append(COMPRESSED * len(json.dumps(message["value"])))
            if time.perf_counter() - began > LONG:
                break
        kept = sum(f.stat().st_size for f in Path(name).rglob("*") if f.is_file())
    return times, sizes, kept, failed
