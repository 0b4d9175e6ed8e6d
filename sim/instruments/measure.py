"""Read instruments: all of them on a whole log, or each of them window by window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.reading import Instrument, Reading, instruments, not_available
from sim.record.log import Log
from sim.record.windows import Window
from sim.record.windows import windows as cut

WARMUP = 0.1


def measure(
    log: Log, *, names: Iterable[str] | None = None, seed: int = 0, warmup: float = WARMUP
) -> dict[str, Reading]:
    """Read instruments on ``log``.

    Args:
        log: One run or several; with at least 5 runs intervals are over runs, otherwise over batches of time.
        names: Which instruments; all when None. UnknownNameError for one that does not exist.
        seed: Of the resampling behind some intervals and chance levels; nothing else is random.
        warmup: Share of each run's time that is not observed, from 0 to less than 1; the total cost counts everything.

    Returns:
        Instrument name to reading, sorted by name.
    """
    chosen = _chosen(names)
    if log.events.height == 0:
        return {one.name: not_available("", "the log has no events") for one in chosen}
    facts = Facts.of(log, warmup=warmup)
    return {one.name: one.read(facts, np.random.default_rng(seed)) for one in chosen}


def series(
    log: Log, *, windows: Sequence[Window] | None = None, names: Iterable[str] | None = None, seed: int = 0
) -> pl.DataFrame:
    """Read instruments window by window, for charts.

    Args:
        log: One run or several.
        windows: Of ``sim.record.windows``; the default ones when None. Those of equal index are read together, so that
            several runs give one line over relative time.
        names: Which instruments; all when None.
        seed: As for ``measure``.

    Returns:
        ``index``, ``time`` (middle of the window, averaged over runs), ``name``, ``value`` (null where not defined), in
        the order of name and index.
    """
    chosen = _chosen(names)
    parts = list(windows) if windows is not None else cut(log)
    rows: list[tuple[int, float, str, float | None]] = []
    if parts and log.events.height:
        facts = replace(Facts.of(log), intervals=False)
        for index in sorted({part.index for part in parts}):
            same = [part for part in parts if part.index == index]
            seen = facts.within(_spans(same, parts))
            middle = float(np.mean([(part.start + part.end) / 2 for part in same]))
            rows += [(index, middle, one.name, one.read(seen, np.random.default_rng(seed)).value) for one in chosen]
    schema = {"index": pl.Int64, "time": pl.Float64, "name": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("name", "index")


def _chosen(names: Iterable[str] | None) -> list[Instrument]:
    return [instruments.get(name) for name in sorted(set(instruments.names() if names is None else names))]


def _spans(same: Sequence[Window], parts: Sequence[Window]) -> pl.DataFrame:
    """The windows as spans; the last window of a run includes its end."""
    last = {part.run: max(p.index for p in parts if p.run == part.run) for part in same}
    ends = [float(np.nextafter(w.end, np.inf)) if w.index == last[w.run] else w.end for w in same]
    return pl.DataFrame(
        {"run": [w.run for w in same], "start": [w.start for w in same], "end": ends},
        schema={"run": pl.String, "start": pl.Float64, "end": pl.Float64},
    )
