"""Facts about a log that several instruments need, computed once and cut to the span of time that is observed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from sim.record.handoffs import items, services, transfers
from sim.record.log import Log

BATCHES = 20
# With at least this many runs the runs are the independent observations, otherwise stretches of time within them are.
RUNS_FOR_INTERVALS = 5


@dataclass(frozen=True)
class Facts:
    """A log as tables, observed over one span of time in each run.

    Attributes:
        log: The whole log.
        spans: ``run, start, end`` of what is observed: start <= time < end.
        items: All items, see ``sim.record.handoffs.items``.
        events, moves, given: Events, transfers and services within the spans.
        summed: The events that sums are taken over: all of them for a whole log, those of the window for a window.
        intervals: False when only values are wanted, as for charts.
    """

    log: Log
    spans: pl.DataFrame
    items: pl.DataFrame
    events: pl.DataFrame
    moves: pl.DataFrame
    given: pl.DataFrame
    summed: pl.DataFrame
    intervals: bool = True

    @classmethod
    def of(cls, log: Log, *, warmup: float = 0.0) -> Facts:
        """Facts about ``log`` without the first share ``warmup`` of each run's time (ValueError outside 0 to < 1)."""
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup: expected a share from 0 to less than 1, got {warmup}.")
        events = log.events
        run = pl.col("run").cast(pl.String).fill_null("") if "run" in events.columns else pl.lit("")
        events = events.with_columns(run.alias("run"))
        spans = events.group_by("run", maintain_order=True).agg(
            start=pl.col("time").min() + warmup * (pl.col("time").max() - pl.col("time").min()),
            end=pl.col("time").max(),
        )
        end = pl.Series("end", np.nextafter(spans["end"].to_numpy(), math.inf))
        whole = cls(log, spans.with_columns(end), items(log), events, transfers(log), services(log), events)
        return replace(whole.within(whole.spans), summed=events)

    def within(self, spans: pl.DataFrame) -> Facts:
        """The same facts observed over other spans, which have to lie inside these."""
        cut = replace(self, spans=spans)
        events = cut.inside(self.events)
        return replace(cut, events=events, summed=events, moves=cut.inside(self.moves), given=cut.inside(self.given))

    def inside(self, table: pl.DataFrame, time: str = "time") -> pl.DataFrame:
        """The rows of ``table`` (with a column ``run``) whose ``time`` lies in the span of their run."""
        if self.spans.height == 1:
            run, start, end = self.spans.row(0)
            return table.filter((pl.col("run") == run) & (pl.col(time) >= start) & (pl.col(time) < end))
        joined = table.join(self.spans, on="run", how="inner", maintain_order="left")
        return joined.filter((pl.col(time) >= pl.col("start")) & (pl.col(time) < pl.col("end"))).drop("start", "end")

    @cached_property
    def whole_items(self) -> pl.DataFrame:
        """All items that are no part of another."""
        return self.items.filter(pl.col("whole").is_null())

    @cached_property
    def delivered(self) -> pl.DataFrame:
        """Whole items delivered within the spans."""
        return self.inside(self.whole_items.filter(pl.col("leaving") == "deliver"), "left")

    @property
    def has_items(self) -> bool:
        """True when some event says that an item entered or left."""
        return bool(self.items.height and (self.items["enters"].sum() or self.items["leaves"].sum()))

    @property
    def time_unit(self) -> str:
        """Unit of time: what the log says, otherwise ``time units``."""
        return str(self.log.meta.get("time_unit", "time units"))

    @property
    def one_time_unit(self) -> str:
        """The unit of time after ``per``: ``time unit``, ``hour`` for ``hours``; abbreviations stay as they are."""
        unit = self.time_unit
        return unit.removesuffix("s") if len(unit) > 3 else unit

    @property
    def cost_unit(self) -> str:
        """Unit of cost: what the log says, otherwise ``cost units``."""
        return str(self.log.meta.get("cost_unit", "cost units"))

    @cached_property
    def batches(self) -> int:
        """Stretches of equal time into which each run is cut for intervals; 1 when runs are the observations."""
        runs = self.spans.height
        return 1 if runs >= RUNS_FOR_INTERVALS else max(1, BATCHES // max(1, runs))

    @property
    def groups(self) -> int:
        """Number of groups of ``group``: runs, or stretches of time."""
        return self.spans.height * self.batches

    @cached_property
    def lengths(self) -> np.ndarray:
        """Length of time of each group, shape (groups,)."""
        spans = (self.spans["end"] - self.spans["start"]).to_numpy()
        return np.repeat(spans / self.batches, self.batches)

    def group(self, table: pl.DataFrame, time: str = "time") -> np.ndarray:
        """The group of each row of ``table`` by run and time, shape (rows,); rows have to lie inside the spans."""
        if self.spans.height == 1:
            _, start, end = self.spans.row(0)
            share = (table[time].to_numpy() - start) / (end - start)
            batch = (np.nan_to_num(share) * self.batches).astype(np.int64)
            return np.asarray(np.clip(batch, 0, self.batches - 1))
        index = self.spans.with_row_index("_run")
        joined = table.select("run", time).join(index, on="run", how="left", maintain_order="left")
        share = (joined[time] - joined["start"]) / (joined["end"] - joined["start"])
        batch = np.clip((np.nan_to_num(share.to_numpy()) * self.batches).astype(np.int64), 0, self.batches - 1)
        return np.asarray(joined["_run"].to_numpy() * self.batches + batch, dtype=np.int64)

    @property
    def how(self) -> str:
        """How intervals are made here, as a phrase for notes."""
        if self.batches == 1 and self.spans.height >= RUNS_FOR_INTERVALS:
            return f"interval over {self.spans.height} runs"
        return f"interval over {self.groups} batches of time"
