"""The analyst: looks for structures in a log in a process of its own, so that the page never waits for it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import polars as pl

from experiments.errors import sentence
from sim.record.log import Log

MOST_EVENTS = 100_000  # of a long log the page looks at the last ones, and says so


@dataclass(frozen=True)
class Found:
    """What an analysis of a log made of it.

    Attributes:
        until: Model time up to which the log was looked at.
        events: Events looked at.
        total: Events there were.
        structures: As in report.json, each with its ``timeline`` (start, end, agreement, present) and ``changes``.
        ledger: Everything that was tested or refused.
        series: ``index, time, name, value`` of the instruments over time.
        readings: Instrument name to its reading.
        summaries: Instrument name to what it measures, in a sentence.
        topologies: Structure id to its topology, as JSON values.
        notes: What the data can and cannot show.
        error: Why there is no result; empty when there is one.
    """

    until: float
    events: int
    total: int = 0
    structures: tuple[Mapping[str, Any], ...] = ()
    ledger: tuple[Mapping[str, Any], ...] = ()
    series: pl.DataFrame | None = None
    readings: Mapping[str, Mapping[str, Any]] | None = None
    summaries: Mapping[str, str] | None = None
    topologies: Mapping[str, Mapping[str, Any]] | None = None
    notes: tuple[str, ...] = ()
    error: str = ""

    @property
    def discovered(self) -> tuple[Mapping[str, Any], ...]:
        """Structures that are stable or better and did not stand before the first event."""
        return tuple(s for s in self.structures if s["discovered"])

    def why_nothing(self) -> str:
        """Why nothing stable was found, in a sentence."""
        if self.error:
            return f"The search broke: {self.error}"
        if self.discovered:
            return ""
        short = [row for row in self.ledger if row["verdict"] == "insufficient data"]
        tested = [row for row in self.ledger if row["p"] is not None]
        if tested:
            best = min(tested, key=lambda row: row["p"])
            return (
                f"Nothing stable yet: {len(tested)} claims were tested on {self.events:,} events; the closest was "
                f"'{best['claim_tested']}' (p = {best['p']:.2g}, q = {best['q']:.2g})."
            )
        if short:
            one = short[0]
            return f"Nothing can be said yet: {one['detector']} has {one['reason']}, and {self.events:,} events so far."
        return f"Nothing to test in {self.events:,} events yet."


def analysed(log: Log, *, total: int = 0, seed: int = 0, alpha: float = 0.05) -> Found:
    """The analysis of a log as plain data; runs in the analyst's process, and never raises."""
    from experiments.analysis import Settings, analyse
    from sim.instruments.reading import instruments

    until, count = log.span[1], log.events.height
    try:
        made = analyse(log, settings=Settings(alpha=alpha, seed=seed))
    except Exception as error:
        return Found(until, count, max(total, count), error=sentence(error))
    structures = tuple(
        {
            **s.to_json(),
            "about": s.about,
            "half_life_said": s.half_life_said,
            "discovered": s.discovered,
            "flows": s.flows.select("source", "target", "count").rows(),
            "timeline": s.timeline.to_dicts(),
            "changes": [{"window": c.window, "kind": c.kind} for c in s.changes if c.kind != "continue"],
        }
        for s in made.ranked
    )
    notes = (f"Only the last {count:,} of {total:,} events were looked at.",) if total > count else ()
    return Found(
        until,
        count,
        max(total, count),
        structures,
        tuple({**vars(row)} for row in made.report.ledger),
        made.series,
        made.instruments,
        {name: instruments.get(name).summary for name in instruments.names()},
        {name: topology.model_dump(mode="json") for name, topology in made.topologies.items()},
        (*notes, *made.report.notes),
    )


def _start(server: int) -> None:
    """Begin the analyst's process: behind everything else, and never longer than the process ``server`` lives.

    Its number is handed over: the server may be gone before this process can ask who its parent is.
    """
    if hasattr(os, "nice"):
        os.nice(10)

    def watch() -> None:
        while os.getppid() == server:
            time.sleep(2.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


class Analyst:
    """One process for all pages of a server; a page has at most one analysis under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def look(self, log: Log, *, total: int = 0, seed: int = 0) -> Found:
        """Analyse ``log`` in the other process and wait; a process that died is started again once."""
        for _ in range(2):
            try:
                return self._begun().submit(analysed, log, total=total, seed=seed).result()
            except BrokenProcessPool:
                self.close()
            except Exception as error:
                return Found(log.span[1], log.events.height, total, error=sentence(error))
        return Found(log.span[1], log.events.height, total, error="the process that looks for structures died twice.")

    def do(self, task: Callable[[Any], bytes], order: Any) -> bytes:
        """Do something long in the other process, behind the search that is under way, and wait."""
        return self._begun().submit(task, order).result()

    def begin(self) -> None:
        """Start the process, and let it import what it needs."""
        self._begun().submit(_ready)

    def _begun(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(os.getpid(),)
                )
            return self._pool

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None


def _ready() -> None:
    import experiments.analysis  # noqa: F401  what a search needs is there before the first
