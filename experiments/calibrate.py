"""Calibrate: how often detectors claim something where there is nothing, and how often they find what was planted."""

from __future__ import annotations

import ast
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.errors import Interrupted, RunFailed, UsageProblem
from experiments.executor import execute
from experiments.jobs import RESULTS, SUFFIX, Job, Outcome, Progress, stored
from sim.detectors.surrogates import LEAST, Surrogates

if TYPE_CHECKING:
    from scenarios.worlds.world import World
    from sim.record.log import Log

CHUNK = 10  # worlds done by one job
POWER_STRENGTHS = (0.25, 0.5, 0.75, 1.0)
POWER_SIZES = (0.5, 1.0, 2.0)  # times the world's own number of events
LEVEL = 0.05
SEEDS = 1_000_000  # far from the seeds of tests and of tuning
CODE = ("sim/detectors", "scenarios/worlds")  # sources that decide what a study measures


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
        tests: One row per detector, claim, null and null world: ``detector, claim, null, world, holds, exact, worlds, asked,
            tests, beaten, rate, low, high, uniform``. ``holds`` is False where the claim is rightly made although nothing is
            planted (``World.rejects``). ``asked`` p-values came out of ``worlds``; a world in which the detector tested
            something, but had no candidate of which to ask this claim, counts among ``tests`` as not beaten. ``uniform`` is
            the Kolmogorov-Smirnov p-value where p has to be uniform, else null.
        claims: One row per detector and null world: ``detector, world, worlds, discovered, rate, low, high``; the
            detector ``all of them`` counts a world with any discovery once.
        power: One row per planted world, strength and number of events: ``world, kind, strength, events, worlds, found,
            rate, low, high``.
        costs: One row per world and size: ``world, events, seconds`` (mean per log, all detectors asked).
        times: One row per detector: ``detector, logs, seconds, slowest, most`` (mean per log that it can be asked of, the
            world in which that is most, and how much it is there).
        failed: Tracebacks of jobs that failed.
    """

    tests: pl.DataFrame
    claims: pl.DataFrame
    power: pl.DataFrame
    costs: pl.DataFrame
    times: pl.DataFrame
    failed: tuple[str, ...] = ()


def calibrate(
    study: Study,
    *,
    folder: Path,
    workers: int | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Calibration:
    """Run the study on the local executor; results stay in ``folder``, one file for each job.

    Args:
        study: What is measured.
        folder: Where the results go.
        workers: Number of processes; by default one for each core.
        resume: Go on in a folder that holds results: those of the same study and the same code are not made again.
        progress: Called after each job.

    Raises:
        UsageProblem: For a study that cannot be done, or a folder that holds results when ``resume`` was not asked for.
        RunFailed: When every job failed; the first traceback is in the message.
        Interrupted: At Ctrl-C; what is done stays, and ``resume`` goes on.
    """
    jobs = list(jobs_of(study.checked()))
    if not resume and any(folder.glob(f"{RESULTS}/*{SUFFIX}")):
        raise UsageProblem(
            f"calibrate: {folder} holds results already; go on there with --resume, or choose another folder."
        )
    try:
        outcomes = execute(jobs, folder=folder, workers=workers, progress=progress)
    except KeyboardInterrupt:
        kept = len(stored(folder, jobs))
        raise Interrupted(
            f"interrupted: {kept:,} of {len(jobs):,} jobs are kept in {folder}; go on with --resume."
        ) from None
    failed = tuple(o.error for o in outcomes if o.error)
    if failed and len(failed) == len(outcomes):
        raise RunFailed(f"calibrate: every job failed; the first said: {failed[0].strip().splitlines()[-1]}")
    return summary(outcomes, failed)


def gathered(study: Study, *, folder: Path) -> Calibration:
    """The tables from what is in ``folder`` so far of a study, as an interruption left it; nothing is run.

    Results of several versions of the code are not mixed: those of the version with most results are taken.

    Raises:
        UsageProblem: When the folder has no results of such a study.
    """
    asked = {_question(job) for job in jobs_of(study)}
    found: dict[str, list[Outcome]] = defaultdict(list)
    for path in sorted(folder.glob(f"{RESULTS}/*{SUFFIX}")):
        data = json.loads(path.read_text())
        job = Job(*data["job"])
        if _question(job) in asked:
            found[job.arguments["code"]].append(Outcome(job, data["value"], "", float(data["seconds"])))
    if not found:
        raise UsageProblem(f"calibrate: expected results of this study in {folder}, and there are none; run it first.")
    return summary(max(found.values(), key=len))


def _question(job: Job) -> str:
    """What a job measures, whatever the version of the code."""
    return json.dumps({**job.arguments, "code": ""}, sort_keys=True)


def code() -> str:
    """Twelve digits over the sources of detectors and control worlds: results of other code are not reused.

    Over their syntax without docstrings and comments, so that better prose does not make a study stale.
    """
    digest = sha256()
    root = Path(__file__).parent.parent
    for path in sorted(p for part in CODE for p in (root / part).glob("*.py")):
        digest.update(path.name.encode() + b"\0" + bare(path.read_text()).encode())
    return digest.hexdigest()[:12]


def bare(source: str) -> str:
    """The syntax of a module without docstrings, comments and layout, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            told = node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            node.body = node.body[1:] if told else node.body
    return ast.dump(tree)


def jobs_of(study: Study) -> Iterator[Job]:
    """The study as jobs: null worlds, and planted worlds of every strength and size for the detectors they are made for.

    In a null world every detector asked has to be silent; those that may rightly find something there are not asked.
    The first job of each null world also takes the time of each detector alone.
    """
    from scenarios.worlds.world import worlds

    known = [w for _, w in worlds.items() if study.only is None or w.name in study.only]
    start, version = SEEDS * (1 + study.seed), code()
    for world in known:
        asked = asked_of(world, study.detectors)
        grid = [(0.0, world.events, study.worlds)] if world.plants is None else []
        if world.plants is not None:
            grid = [(s, round(world.events * k), study.repeats) for s in POWER_STRENGTHS for k in POWER_SIZES]
        for strength, events, count in grid if asked else ():
            for first in range(0, count, CHUNK):
                arguments = {
                    "world": world.name, "strength": strength, "events": events, "detectors": asked,
                    "seeds": [start + first, min(CHUNK, count - first)], "alpha": study.alpha, "code": version,
                    "timed": first == 0 and world.plants is None,
                }  # fmt: skip
                yield Job("experiments.calibrate:worlds_done", arguments)


def asked_of(world: World, chosen: Sequence[str] | None) -> list[str]:
    """Names of the detectors that are asked in a world: see ``jobs_of``."""
    from sim.detectors.core import detectors

    names = detectors.names() if chosen is None else list(chosen)
    if world.plants is not None:
        return [n for n in names if n in world.detectors or world.plants in detectors.get(n).kinds]
    return [name for name in names if not set(detectors.get(name).kinds) & set(world.holds)]


def worlds_done(
    *,
    world: str,
    strength: float,
    events: int,
    seeds: Sequence[int],
    detectors: Sequence[str],
    alpha: float,
    timed: bool = False,
    code: str = "",
) -> list[dict[str, Any]]:
    """Make control worlds with consecutive seeds (first, count) and say what detection made of each; one dict a world.

    ``code`` only tells jobs of different code apart.
    """
    from scenarios.worlds.world import worlds
    from sim.detectors.engine import detect

    del code
    chosen = worlds.get(world)
    made = []
    for seed in range(seeds[0], seeds[0] + seeds[1]):
        log = chosen.log(seed, events=events, strength=strength)
        started = time.process_time()
        report = detect(log, detectors=detectors, alpha=alpha, seed=seed)
        seconds = round(time.process_time() - started, 4)
        tests: dict[str, list[float]] = defaultdict(list)
        for row in report.ledger:
            if row.p is not None:
                tests["|".join((row.detector, row.claim_tested, row.null))].append(round(row.p, 5))
        found = sorted(
            {(s.detector, s.kind) for s in report.discovered if s.kind.partition(":")[0] not in chosen.holds}
        )
        made.append({"tests": tests, "found": found, "seconds": seconds})
    if timed:
        made[-1]["alone"] = {name: _alone(log, name, alpha, seed) for name in sorted({t.split("|")[0] for t in tests})}
    return made


def _alone(log: Log, name: str, alpha: float, seed: int) -> float:
    """Processor seconds that one detector takes for a log, once everything is compiled."""
    from sim.detectors.engine import detect

    started = time.process_time()
    detect(log, detectors=[name], alpha=alpha, seed=seed)
    return round(time.process_time() - started, 4)


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
        times=_frame(_times(nulls)),
        failed=failed,
    )


def _times(nulls: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Seconds of each detector alone, over the null worlds in which it found something to test."""
    alone: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for world, rows in nulls.items():
        for name, seconds in (pair for row in rows for pair in row.get("alone", {}).items()):
            alone[name].append((seconds, world))
    return [
        {
            "detector": name, "logs": len(took), "seconds": sum(s for s, _ in took) / len(took),
            "slowest": max(took)[1], "most": max(took)[0],
        }
        for name, took in sorted(alone.items())
    ]  # fmt: skip


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None)


def _tests(name: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rates of false alarms per test in one null world."""
    from scipy.stats import kstest

    from scenarios.worlds.world import worlds

    world = worlds.get(name)
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for test, p in row["tests"].items():
            values[test] += p
    for test, p in sorted(values.items()):
        detector, claim, null = test.split("|")
        at_work = sum(any(t.startswith(f"{detector}|") for t in row["tests"]) for row in rows)
        holds, count = claim not in world.rejects, max(len(p), at_work)
        exact = world.exact and holds and len(p) == count
        # Rejected without a test counts as p = 1, so only worlds that are tested in full can show uniform p-values.
        uniform = (
            float(kstest(spread(p, seed=len(p)), "uniform").pvalue) if exact and max(p) < 1.0 and len(p) >= 20 else None
        )
        yield {
            "detector": detector, "claim": claim, "null": null, "world": name, "holds": holds, "exact": exact,
            "worlds": len(rows), "asked": len(p), "tests": count,
            **rated("beaten", sum(v <= LEVEL for v in p), count), "uniform": uniform,
        }  # fmt: skip


def spread(p: Sequence[float], *, seed: int) -> NDArray[np.float64]:
    """p-values of sequential tests, each drawn uniformly from the step that it closes, so that they can be uniform.

    A test that ends at its tenth exceedance among r > 19 surrogates has p = 10 / r, the next smaller value being
    10 / (r + 1); one that ends with the first 19 has p in twentieths.
    """
    stop, least = Surrogates().stop, LEAST + 1
    values = np.asarray(p, dtype=np.float64)
    r = np.round(stop / values)
    below = np.where(values > stop / least, values - 1.0 / least, stop / (r + 1.0))
    stepped = (values > stop / least) | np.isclose(values, stop / r, atol=1e-5)
    return np.where(stepped, values - np.random.default_rng(seed).random(len(values)) * (values - below), values)


def _claims(name: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rates of false discoveries (stable or better) per null world, by detector and in all."""
    detectors = sorted({test.split("|")[0] for row in rows for test in row["tests"]})
    for detector in detectors:
        hits = sum(any(d == detector for d, _ in row["found"]) for row in rows)
        yield {"detector": detector, "world": name, "worlds": len(rows), **rated("discovered", hits, len(rows))}
    hits = sum(bool(row["found"]) for row in rows)
    yield {"detector": "all of them", "world": name, "worlds": len(rows), **rated("discovered", hits, len(rows))}


def _power(key: tuple[str, float, int], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How often the planted kind was discovered."""
    from scenarios.worlds.world import worlds

    name, strength, events = key
    kind = worlds.get(name).plants
    hits = sum(any(k.partition(":")[0] == kind for _, k in row["found"]) for row in rows)  # whichever detector found it
    base = {"world": name, "kind": kind, "strength": strength, "events": events, "worlds": len(rows)}
    return {**base, **rated("found", hits, len(rows))}


def rated(what: str, hits: int, of: int) -> dict[str, Any]:
    """A count, its share, and the share's 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22:209)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, of).proportion_ci(method="wilson")
    return {what: hits, "rate": hits / of, "low": float(interval.low), "high": float(interval.high)}
