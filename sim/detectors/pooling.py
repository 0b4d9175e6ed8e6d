"""Pooling: what holds run after run, tested on all runs of one kind together; the unit is the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sim.detectors.audit import stated_for
from sim.detectors.core import Detector, Pool
from sim.detectors.nulls import NULLS, Frames
from sim.detectors.report import Row, Structure
from sim.detectors.surrogates import LEAST, compare
from sim.detectors.window import Floats, Window
from sim.record.log import Log

LEAST_RUNS = 5


@dataclass(frozen=True)
class Outcome:
    """A pooled test: the pool, its runs, what was stated of them beforehand, and its ledger row."""

    detector: Detector
    pool: Pool
    runs: tuple[str, ...]
    stated: str
    row: Row


def tests(
    windows: Sequence[Window],
    detectors: Sequence[Detector],
    log: Log,
    *,
    most: int,
    alpha: float,
    rng: Callable[..., np.random.Generator],
) -> list[Outcome]:
    """Test every detector that can pool on every set of at least LEAST_RUNS comparable runs.

    Comparable: the same agents by name, the same setting (``Log.meta["settings"]``, where given) and the same statement
    on what stood beforehand. Statistic: the largest mean over runs of any agent. Null: N4 with runs as windows, which
    asks whether it is always the agent of the same name; runs are independent, so autocorrelation within them is
    harmless.
    """
    found = []
    for detector in detectors:
        if detector.pooled is None:
            continue
        for (stated, *_), runs in sorted(_comparable(windows, detector, log).items()):
            if len(runs) < LEAST_RUNS:
                continue
            pool = detector.pooled(runs)
            drawn = rng(detector.name, pool.claim, runs[0].run)
            row = _test(detector, pool, most=most, alpha=alpha, rng=drawn)
            found.append(Outcome(detector, pool, tuple(w.run for w in runs), stated, row))
    return found


def _comparable(windows: Sequence[Window], detector: Detector, log: Log) -> dict[tuple[str, str, str], list[Window]]:
    settings = log.meta.get("settings")
    groups: dict[tuple[str, str, str], list[Window]] = {}
    for window in windows:
        if not window.run or detector.refuses(window) or not bool(detector.uses(window).any()):
            continue
        who = np.unique(window.source[detector.uses(window) | window.of_class("decides")])
        if len(who) < detector.minimum.agents:
            continue
        setting = str(settings.get(window.run)) if isinstance(settings, Mapping) else ""
        names = ", ".join(sorted(str(window.agents[a]) for a in who))
        groups.setdefault((stated_for(log, window.run, detector.kinds[0]), setting, names), []).append(window)
    return groups


def _largest(frames: Frames) -> Floats:
    return np.array([frames.values.mean(axis=0).max()])


def _test(detector: Detector, pool: Pool, *, most: int, alpha: float, rng: np.random.Generator) -> Row:
    frames = Frames(pool.values, np.zeros(len(pool.names), dtype=np.int64), nominal=False)
    test = compare(frames, _largest, NULLS["N4"], most=most, stop=10, rng=rng)
    score, chance, p = float(test.score[0]), float(test.chance[0]), float(test.p[0])
    return Row(
        detector.name,
        pool.claim,
        "N4",
        p,
        None,
        "beaten" if p <= alpha else "not beaten",
        f"{score:.3g} against {chance:.3g} by chance in {len(pool.values)} runs, {int(test.drawn[0]):,} surrogates",
        about=f"{len(pool.values)} runs of {', '.join(str(n) for n in pool.names)}",
        score=score,
        chance=chance,
        surrogates=int(test.drawn[0]),
    )


def structures(outcomes: Sequence[Outcome], rows: Sequence[Row], *, alpha: float) -> list[Structure]:
    """One structure for each pooled claim that was beaten after correction.

    Its level is *replicated* when its agent leads in more than half of the runs, else *significant*.
    """
    made = []
    for number, (outcome, row) in enumerate(zip(outcomes, rows, strict=True), start=1):
        if row.q is not None and row.q <= alpha and row.surrogates > LEAST:
            made.append(_structure(outcome, row, number))
    return made


def _structure(outcome: Outcome, row: Row, number: int) -> Structure:
    pool, values = outcome.pool, outcome.pool.values
    best = int(np.argmax(values.mean(axis=0)))
    leads = int((np.argmax(values, axis=1) == best).sum())
    error = float(values[:, best].std(ddof=1) / np.sqrt(len(values)))
    score, runs = float(row.score or 0.0), len(outcome.runs)
    others = tuple(name for k, name in enumerate(pool.names) if k != best)
    says = f"{pool.says(pool.names[best], score)}; it leads in {leads} of {runs} runs"
    text = f"{says}, {row.chance:.0%} would be chance (p = {row.p:.2g}, q = {row.q:.2g})"
    if outcome.stated:
        text += f"; predefined, not emergent: {outcome.stated.rstrip('.')}"
    return Structure(
        id=f"{pool.kind}-runs-{number}",
        kind=pool.kind,
        claim=pool.claim,
        level="replicated" if 2 * leads > runs else "significant",
        run="",
        about=row.about,
        detector=outcome.detector.name,
        members=pool.names,
        roles={pool.kind: (pool.names[best],), "others": others},
        score=score,
        unit=pool.unit,
        interval=(score - 1.96 * error, score + 1.96 * error),
        chance=float(row.chance or 0.0),
        p=float(row.p or 0.0),
        q=float(row.q or 0.0),
        nulls=("N4",),
        windows=(0.0, 0.0),
        lifetime=0.0,
        half_life=None,
        predefined=outcome.stated or None,
        # The claim is that the name matters, so it cannot be one that survives renaming within runs.
        relabelling=False,
        resilience={},
        sentence=text[0].upper() + text[1:] + ".",
        refuted_by="the same agents under other names, or in another order, with the lead going elsewhere",
        flows=pl.DataFrame(schema={"source": pl.Null, "target": pl.Null, "kind": pl.String, "count": pl.Int64}),
        entries={},
        exits={},
        timeline=pl.DataFrame(schema={"start": pl.Float64, "end": pl.Float64, "agreement": pl.Float64}),
        facts={"leads": leads, "of_runs": runs, "runs": outcome.runs},
    )
