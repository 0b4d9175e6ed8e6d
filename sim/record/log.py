"""A log: the event table of one or several runs with the tables that stand beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from sim.record.events import kinds_of


@dataclass(frozen=True)
class Log:
    """Events in schema version 1, and the tables beside them where they exist.

    Attributes:
        events: Rows ordered by (run, time, seq), columns of ``sim.record.events``; optional columns only where known.
        agents: ``id, key, label`` of the agents, or None.
        contacts: ``source, target`` of the initial channels (plus ``run`` for several runs), or None.
        states: ``run, time, agent, variable, value``, or None.
        payloads: ``id, text`` of message contents, or None.
        ledger: One row per model call, or None.
        decisions: One row per decision of a mind that was asked: view, memory, options, choice; or None.
        kept: What the log kept of what happened: ``full``, ``window``, ``sample`` or ``counters``.
        missing: Columns of the schema that the source did not have.
        notes: Sentences about how the log was made that a report has to print.
        predefined: Pairs, agents or labels that stood before the first event, as sentences for the predefinition audit.
    """

    events: pl.DataFrame
    agents: pl.DataFrame | None = None
    contacts: pl.DataFrame | None = None
    states: pl.DataFrame | None = None
    payloads: pl.DataFrame | None = None
    ledger: pl.DataFrame | None = None
    decisions: pl.DataFrame | None = None
    kept: str = "full"
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    predefined: tuple[str, ...] = ()
    meta: dict[str, object] = field(default_factory=dict)

    def has(self, *columns: str) -> bool:
        """True when every named column exists and holds at least one value."""
        return all(c in self.events.columns and self.events[c].null_count() < self.events.height for c in columns)

    @cached_property
    def runs(self) -> list[str]:
        """Names of the runs in order of appearance; one empty name when the log has no ``run`` column."""
        if "run" not in self.events.columns:
            return [""]
        return [str(r) for r in self.events["run"].unique(maintain_order=True).to_list()]

    def of_run(self, run: str) -> Log:
        """The log of a single run, its tables filtered alike where they have a ``run`` column."""

        def only(table: pl.DataFrame | None) -> pl.DataFrame | None:
            if table is None or "run" not in table.columns:
                return table
            return table.filter(pl.col("run") == run)

        events = only(self.events)
        assert events is not None
        return replace(
            self, events=events, agents=only(self.agents), contacts=only(self.contacts), states=only(self.states)
        )

    def of_class(self, kind_class: str) -> pl.DataFrame:
        """Events whose kind declares ``kind_class`` (see ``sim.record.events.CLASSES``)."""
        return self.events.filter(pl.col("kind").cast(pl.String).is_in(kinds_of(kind_class)))

    def genuine(self) -> Log:
        """The log without censored decisions."""
        if "origin" not in self.events.columns:
            return self
        return replace(self, events=self.events.filter(pl.col("origin").cast(pl.String) != "censored"))

    @property
    def span(self) -> tuple[float, float]:
        """Times of the first and last event; (0, 0) for an empty log."""
        if self.events.height == 0:
            return (0.0, 0.0)
        times = self.events["time"]
        return (float(times.min()), float(times.max()))  # type: ignore[arg-type]
