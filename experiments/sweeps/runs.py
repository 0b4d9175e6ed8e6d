"""One run of a sweep as data: what it is, its hash, and what a worker does with it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from experiments.errors import RunFailed
from experiments.fingerprint import code_version
from experiments.jobs import Job
from experiments.sweeps.axes import Point
from experiments.sweeps.measures import Seen, cell, measured, named
from experiments.sweeps.spec import Spec, planned

KEPT = "kept"
# What is read off a log is decided by these.
MEASURING = ("sim.detectors.engine", "sim.instruments.measure", "sim.record.handoffs", "experiments.sweeps.measures")
FUNCTION = f"{__name__}:run_done"


@dataclass(frozen=True)
class Codes:
    """Hashes of the source code that decides results: of each rule with its scenario, and of what measures."""

    worlds: Mapping[str, str]
    measuring: str

    def as_dict(self) -> dict[str, Any]:
        """The hashes as JSON values."""
        return {"worlds": dict(self.worlds), "measuring": self.measuring}


def codes_of(spec: Spec) -> Codes:
    """The code that a sweep runs now."""
    worlds = {}
    for point in _representatives(spec):
        roots = planned(spec.plan_arguments(point), seed=0, check_minds=False).roots
        worlds[" ".join(roots)] = world_code(tuple(roots))
    return Codes(worlds, measuring_code())


def _representatives(spec: Spec) -> list[Point]:
    """One point for each combination of what decides whose code runs."""
    about = [name for name in ("mind", "preset") if any(a.name == name for a in spec.axes)]
    return list({tuple(str(point[name]) for name in about): point for point in spec.points}.values())


@cache
def world_code(roots: tuple[str, ...]) -> str:
    """Twelve digits over the code of a scenario and its minds; once for each process, whose modules do not change."""
    return code_version(roots)


@cache
def measuring_code() -> str:
    """Twelve digits over the code of detectors, instruments and the record."""
    digest = sha256()
    root = Path(__file__).resolve().parents[2]
    for folder in ("sim/detectors", "sim/instruments", "sim/record"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def jobs_of(
    spec: Spec, codes: Codes, *, folder: Path, seeds: Sequence[int] | None = None, points: Sequence[int] | None = None
) -> list[Job]:
    """The runs of a sweep as jobs, seed by seed, so that a part of a sweep covers all points.

    Args:
        spec: The specification.
        codes: The code it runs.
        folder: Where run folders are kept on request.
        seeds: Only these seeds; those of the specification when None.
        points: Only these points; all when None.
    """
    common = {
        "measures": list(spec.measures), "instruments": spec.instruments and list(spec.instruments),
        "detectors": spec.detectors and list(spec.detectors), "alpha": spec.alpha, "keep": list(spec.keep),
    }  # fmt: skip
    seal = {**common, "measures": [named(m) for m in spec.measures], "code": codes.measuring}
    kept = str(folder / KEPT) if spec.keep else ""
    made = []
    wanted = range(len(spec.points)) if points is None else points
    prepared = [(i, spec.points[i], spec.plan_arguments(spec.points[i])) for i in wanted]
    plans = [planned(arguments, seed=0, check_minds=False) for _, _, arguments in prepared]
    worlds = [codes.worlds[" ".join(p.roots)] for p in plans]
    # One text for each point, hashed with the seed: everything that decides the log, and what is read off it.
    texts = [
        json.dumps([p.decides_by(world), seal, point], sort_keys=True, default=str)
        for p, world, (_, point, _) in zip(plans, worlds, prepared, strict=True)
    ]
    for seed in spec.seeds if seeds is None else seeds:
        for (i, point, arguments), text, world in zip(prepared, texts, worlds, strict=True):
            key = sha256(f"{seed}\0{text}".encode()).hexdigest()[:16]
            run = {"plan": arguments, "about": {"key": key, "point": i, "seed": seed, **point}}
            code = [world, codes.measuring]
            made.append(Job(FUNCTION, {**run, **common, "code": code, "kept": kept}, key))
    return made


def warm_up(spec: Spec) -> Job:
    """What a process does before its first run: load what every run needs, and the machine code of the first point."""
    return Job(f"{__name__}:warmed", {"plan": spec.plan_arguments(spec.points[0])})


def warmed(*, plan: Mapping[str, Any]) -> None:
    """See ``warm_up``."""
    from experiments.plan import engine_of
    from sim.detectors.core import detectors
    from sim.instruments.reading import instruments

    instruments.load()
    detectors.load()
    asked = planned(plan, seed=0, check_minds=False)
    world_code(tuple(asked.roots))
    measuring_code()
    if not asked.parts:
        engine_of(asked).advance(1e-9)


def run_done(
    *,
    plan: Mapping[str, Any],
    about: Mapping[str, Any],
    measures: Sequence[str],
    instruments: Sequence[str] | None,
    detectors: Sequence[str] | None,
    alpha: float,
    keep: Sequence[str],
    code: Sequence[str],
    kept: str,
) -> dict[str, Any]:
    """Run one world and measure it.

    Returns:
        ``run`` (one row), ``windows`` and ``structures`` (rows), as JSON values.

    Raises:
        RunFailed: When this process has other code than the sweep was started with, as on a cluster not up to date.
    """
    from experiments.plan import engine_of
    from sim.record.store import EventWriter

    started = time.perf_counter()
    asked = planned(plan, seed=about["seed"])
    here = [world_code(tuple(asked.roots)), measuring_code()]
    if here != list(code):
        raise RunFailed(
            f"the code of this process ({', '.join(here)}) is not that of the sweep ({', '.join(code)}); install the same "
            "version on every machine, or start the sweep again."
        )
    engine, writer = engine_of(asked), EventWriter(None)
    try:
        engine.advance(asked.until, writer)
    finally:
        engine.close()
    log = replace(engine.beside(), events=writer.frame())
    log = replace(log, meta={**log.meta, "scenario": asked.scenario.name, "seed": asked.seed})
    simulated = time.perf_counter()
    seen = Seen(
        asked, engine, log, None if instruments is None else tuple(instruments),
        None if detectors is None else tuple(detectors), alpha,
    )  # fmt: skip
    if kept:
        about = {**about, "folder": _keep(Path(kept), seen, keep)}
    rows = measured(seen, measures)
    row = {"mind": asked.mind if asked.parts else asked.rule, **about, "status": "complete"}
    row |= {name: cell(value) for name, value in rows.run.items()}
    # By these counts a part that was damaged is told from one that is whole.
    row |= {"n_windows": len(rows.windows), "n_structures": len(rows.structures)}
    row |= {"simulation_s": simulated - started, "measuring_s": time.perf_counter() - simulated}
    key = about["key"]
    windows = [{"key": key, **_cells(w)} for w in rows.windows.values()]
    return {"run": row, "windows": windows, "structures": [{"key": key, **_cells(s)} for s in rows.structures]}


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, bool) else cell(value) for name, value in row.items()}


def _keep(folder: Path, seen: Seen, keep: Sequence[str]) -> str:
    """Leave a run folder, whole or absent, and return its name; an identical one that is there already is reused."""
    from experiments.run import only_log, run
    from sim.record.store import EVENTS

    if "reports" not in keep:
        return only_log(seen.plan, seen.log, out=folder).name
    plan = seen.plan
    result = run(
        plan.scenario.name, preset=plan.preset, changes=plan.changes, until=plan.until, seed=plan.seed, mind=plan.mind,
        asking=plan.asking, log=plan.log.words(), out=folder, detectors=seen.detectors, alpha=seen.alpha,
    )  # fmt: skip
    if result.analysis is not None:
        vars(seen)["report"] = result.analysis.report
    if "events" not in keep:
        (result.folder / EVENTS).unlink(missing_ok=True)
    return result.folder.name
