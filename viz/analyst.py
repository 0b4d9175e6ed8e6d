"""The analyst: looks for structures in a log in a process of its own, so that the page never waits for it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import polars as pl

from experiments.errors import sentence
from sim.record.log import Log

MOST_EVENTS = 200_000  # of a long log the page looks at the last ones, and says so


@dataclass(frozen=True)
class Found:
    """What an analysis of a log made of it.

    Attributes:
        until: Model time up to which the log was looked at.
        events: Events looked at.
        structures: As in report.json, each with its ``timeline`` (start, end, agreement, present) and ``changes``.
        ledger: Everything that was tested or refused.
        series: ``index, time, name, value`` of the instruments over time.
        readings: Instrument name to its reading.
        notes: What the data can and cannot show.
        error: Why there is no result; empty when there is one.
    """

    until: float
    events: int
    structures: tuple[Mapping[str, Any], ...] = ()
    ledger: tuple[Mapping[str, Any], ...] = ()
    series: pl.DataFrame | None = None
    readings: Mapping[str, Mapping[str, Any]] | None = None
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


def analysed(log: Log, *, seed: int = 0, alpha: float = 0.05) -> Found:
    """The analysis of a log as plain data; runs in the analyst's process, and never raises."""
    from experiments.analysis import Settings, analyse

    events = log.events.tail(MOST_EVENTS)
    until = log.span[1]
    try:
        made = analyse(Log(**{**vars_of(log), "events": events}), settings=Settings(alpha=alpha, seed=seed))
    except Exception as error:
        return Found(until, events.height, error=sentence(error))
    structures = tuple(
        {
            **s.to_json(),
            "about": s.about,
            "discovered": s.discovered,
            "flows": s.flows.select("source", "target", "count").rows(),
            "timeline": s.timeline.to_dicts(),
            "changes": [{"window": c.window, "kind": c.kind} for c in s.changes if c.kind != "continue"],
        }
        for s in made.ranked
    )
    cut = log.events.height > MOST_EVENTS
    notes = (f"Only the last {MOST_EVENTS:,} of {log.events.height:,} events were looked at.",) if cut else ()
    return Found(
        until,
        events.height,
        structures,
        tuple({**vars(row)} for row in made.report.ledger),
        made.series,
        made.instruments,
        {name: topology.model_dump(mode="json") for name, topology in made.topologies.items()},
        (*notes, *made.report.notes),
    )


def vars_of(log: Log) -> dict[str, Any]:
    """The fields of a log."""
    return {name: getattr(log, name) for name in log.__dataclass_fields__}


class Analyst:
    """One process for all pages of a server; a page has at most one analysis under way and one waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def ask(self, log: Log, then: Callable[[Found], None], *, seed: int = 0) -> Future[Found]:
        """Analyse ``log``; ``then`` is called with the result from another thread."""

        def done(future: Future[Found]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            then(Found(log.span[1], log.events.height, error=sentence(error)) if error else future.result())

        future = self._submit(log, seed)
        future.add_done_callback(done)
        return future

    def _submit(self, log: Log, seed: int) -> Future[Found]:
        with self._lock:
            for _ in range(2):
                if self._pool is None:
                    self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
                try:
                    return self._pool.submit(analysed, log, seed=seed)
                except BrokenProcessPool:
                    self._pool = None
        raise RuntimeError("the analysis process cannot be started.")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None
