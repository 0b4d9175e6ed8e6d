"""Calibrate: how often detectors claim something where there is nothing, and how often they find what was planted."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from experiments.errors import RunFailed, UsageProblem
from experiments.executor import Job, Outcome, Progress, execute

CHUNK = 10  # worlds done by one job
POWER_STRENGTHS = (0.25, 0.5, 0.75, 1.0)
POWER_SIZES = (0.5, 1.0, 2.0)  # times the world's own number of events
LEVEL = 0.05
SEEDS = 1_000_000  # far from the seeds of tests and of tuning


@dataclass(frozen=True)
class Study:
    """What is measured.

    Attributes:
        worlds: Null worlds of each kind.
        repeats: Planted worlds for each kind, strength and number of events.
        detectors: Names of the detectors; all when None.
        only: Names of the control worlds; all when None.
        alpha: Level of the tests.
        seed: First seed; the worlds take those from SEEDS * (1 + seed) on.
    """

    worlds: int = 1000
    repeats: int = 40
    detectors: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    alpha: float = LEVEL
    seed: int = 0

    def checked(self) -> Study:
        """The study, or UsageProblem, UnknownNameError for what cannot be done."""
        from scenarios.worlds.world import worlds
        from sim.detectors.core import detectors

        if self.worlds < 0 or self.repeats < 0 or self.worlds + self.repeats == 0:
            raise UsageProblem(
                f"calibrate: expected some null worlds or repeats, got {self.worlds} and {self.repeats}."
            )
        if max(self.worlds, self.repeats) > SEEDS // 2:
            raise UsageProblem(
                f"calibrate: expected at most {SEEDS // 2:,} worlds, got {max(self.worlds, self.repeats):,}."
            )
        if not 0.0 < self.alpha <= 0.5 or self.seed < 0:
            raise UsageProblem(
                f"calibrate: expected a level in (0, 0.5] and a seed of at least 0, got {self.alpha} and {self.seed}."
            )
        for name in self.detectors or ():
            detectors.get(name)
        for name in self.only or ():
            worlds.get(name)
        return self


@dataclass(frozen=True)
class Calibration:
    """What was measured, as tables.

    Attributes:
        tests: One row per detector, claim, null and null world: ``detector, claim, null, world, exact, tests, beaten,
            rate, low, high, uniform`` (Kolmogorov-Smirnov p-value where p has to be uniform, else null).
        claims: One row per detector and null world: ``detector, world, worlds, discovered, rate, low, high``; the
            detector ``all of them`` counts a world with any discovery once.
        power: One row per planted world, strength and number of events: ``world, kind, strength, events, worlds, found,
            rate, low, high``.
        costs: One row per world: ``world, events, seconds`` (mean per log, all detectors).
        failed: Tracebacks of jobs that failed.
    """

    tests: pl.DataFrame
    claims: pl.DataFrame
    power: pl.DataFrame
    costs: pl.DataFrame
    failed: tuple[str, ...] = ()


def calibrate(
    study: Study,
    *,
    folder: Path,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Calibration:
    """Run the study on the local executor; results stay in ``folder``, and a second call does what is missing.

    Raises:
        UsageProblem: For a study that cannot be done.
        RunFailed: When every job failed; the first traceback is in the message.
    """
    jobs = list(jobs_of(study.checked()))
    outcomes = execute(jobs, folder=folder, workers=workers, progress=progress)
    failed = tuple(o.error for o in outcomes if o.error)
    if failed and len(failed) == len(outcomes):
        raise RunFailed(f"calibrate: every job failed; the first said: {failed[0].strip().splitlines()[-1]}")
    return summary(outcomes, failed)


def jobs_of(study: Study) -> Iterator[Job]:
    """The study as jobs: null worlds, and planted worlds of every strength and size."""
    from scenarios.worlds.world import worlds

    known = [w for _, w in worlds.items() if study.only is None or w.name in study.only]
    start = SEEDS * (1 + study.seed)
    common = {"detectors": list(study.detectors) if study.detectors is not None else None, "alpha": study.alpha}
    for world in known:
        grid = [(0.0, world.events, study.worlds)] if world.plants is None else []
        if world.plants is not None and _aimed(world.detectors, study.detectors):
            grid = [(s, round(world.events * k), study.repeats) for s in POWER_STRENGTHS for k in POWER_SIZES]
        for strength, events, count in grid:
            for first in range(0, count, CHUNK):
                seeds = [start + first, min(CHUNK, count - first)]
                arguments = {"world": world.name, "strength": strength, "events": events, "seeds": seeds, **common}
                yield Job("experiments.calibrate:worlds_done", arguments)


def _aimed(meant: Sequence[str], asked: Sequence[str] | None) -> bool:
    return asked is None or not meant or bool(set(meant) & set(asked))


def worlds_done(
    *,
    world: str,
    strength: float,
    events: int,
    seeds: Sequence[int],
    detectors: Sequence[str] | None,
    alpha: float,
) -> list[dict[str, Any]]:
    """Make control worlds with consecutive seeds (first, count) and say what detection made of each; one dict a world."""
    from scenarios.worlds.world import worlds
    from sim.detectors.engine import detect

    made = []
    for seed in range(seeds[0], seeds[0] + seeds[1]):
        log = worlds.get(world).log(seed, events=events, strength=strength)
        started = time.perf_counter()
        report = detect(log, detectors=detectors, alpha=alpha, seed=seed)
        tests: dict[str, list[float]] = defaultdict(list)
        for row in report.ledger:
            if row.p is not None:
                tests["|".join((row.detector, row.claim_tested, row.null))].append(round(row.p, 5))
        found = sorted({(s.detector, s.kind) for s in report.discovered})
        made.append({"tests": tests, "found": found, "seconds": round(time.perf_counter() - started, 4)})
    return made


def summary(outcomes: Sequence[Outcome], failed: tuple[str, ...] = ()) -> Calibration:
    """The tables of a calibration from the outcomes of its jobs."""
    from scenarios.worlds.world import worlds

    done: dict[tuple[str, float, int], list[Mapping[str, Any]]] = defaultdict(list)
    for outcome in outcomes:
        if not outcome.error:
            a = outcome.job.arguments
            done[a["world"], a["strength"], a["events"]] += outcome.value
    nulls = {key[0]: rows for key, rows in done.items() if worlds.get(key[0]).plants is None}
    planted = {key: rows for key, rows in done.items() if worlds.get(key[0]).plants is not None}
    return Calibration(
        tests=_frame([row for name, rows in nulls.items() for row in _tests(name, rows)]),
        claims=_frame([row for name, rows in nulls.items() for row in _claims(name, rows)]),
        power=_frame([_power(key, rows) for key, rows in sorted(planted.items())]),
        costs=_frame(
            [
                {"world": name, "events": events, "seconds": sum(r["seconds"] for r in rows) / len(rows)}
                for (name, _, events), rows in sorted(done.items())
            ]
        ),
        failed=failed,
    )


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None)


def _tests(name: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rates of false alarms per test in one null world."""
    from scipy.stats import kstest

    from scenarios.worlds.world import worlds

    exact = worlds.get(name).exact
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for test, p in row["tests"].items():
            values[test] += p
    for test, p in sorted(values.items()):
        detector, claim, null = test.split("|")
        # Rejected without a test counts as p = 1, so only worlds that are tested in full can show uniform p-values.
        uniform = float(kstest(p, "uniform").pvalue) if exact and max(p) < 1.0 and len(p) >= 20 else None
        yield {
            "detector": detector, "claim": claim, "null": null, "world": name, "exact": exact, "tests": len(p),
            **_rated("beaten", sum(v <= LEVEL for v in p), len(p)), "uniform": uniform,
        }  # fmt: skip


def _claims(name: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rates of false discoveries (stable or better) per null world, by detector and in all."""
    detectors = sorted({test.split("|")[0] for row in rows for test in row["tests"]})
    for detector in detectors:
        hits = sum(any(d == detector for d, _ in row["found"]) for row in rows)
        yield {"detector": detector, "world": name, "worlds": len(rows), **_rated("discovered", hits, len(rows))}
    hits = sum(bool(row["found"]) for row in rows)
    yield {"detector": "all of them", "world": name, "worlds": len(rows), **_rated("discovered", hits, len(rows))}


def _power(key: tuple[str, float, int], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How often the planted kind was discovered."""
    from scenarios.worlds.world import worlds

    name, strength, events = key
    kind = worlds.get(name).plants
    hits = sum(any(k == kind for _, k in row["found"]) for row in rows)
    base = {"world": name, "kind": kind, "strength": strength, "events": events, "worlds": len(rows)}
    return {**base, **_rated("found", hits, len(rows))}


def _rated(what: str, hits: int, of: int) -> dict[str, Any]:
    """A count, its share, and the share's 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, of).proportion_ci(method="wilson")
    return {what: hits, "rate": hits / of, "low": float(interval.low), "high": float(interval.high)}
