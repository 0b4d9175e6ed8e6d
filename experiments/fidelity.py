"""Fidelity: does a population of a table behave as the population of the model it was distilled from?

Both run on the same scenario with the same seeds; each statistic of the population is compared seed by seed, and the mean
difference is given with its 95 % interval (paired t). A table is as good as the visits to classes that rest on samples:
the shares of decisions that fell into thin classes, and into none, are printed beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.stats import t as student

from agents.table_mind import THIN, AskedTable, Table
from sim.record.store import EventWriter

if TYPE_CHECKING:
    from experiments.plan import Plan

Progress = Callable[[float, float, str], None]
MEANINGS = {
    "events": "events per agent and unit of time",
    "success": "mean value of events",
    "censored": "share of events that stand for a decision that could not be had",
    "winner": "share of the commonest choice in the last third",
    "favourite": "share of contacts in the last third that go to the most contacted agent",
    "loyalty": "share of contacts that repeat the one before of the same agent",
}


@dataclass(frozen=True)
class Compared:
    """One statistic: means of both populations, and the mean paired difference (table less model) with its bounds."""

    name: str
    meaning: str
    model: float
    table: float
    difference: float
    low: float
    high: float

    @property
    def agrees(self) -> bool:
        """True when the interval of the difference holds 0."""
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True)
class Fidelity:
    """The comparison: ``thin`` and ``unknown`` are shares of the table's decisions."""

    seeds: int
    statistics: tuple[Compared, ...]
    thin: float
    unknown: float

    def to_json(self) -> dict[str, Any]:
        """As data."""
        rows = [{**asdict(c), "agrees": c.agrees} for c in self.statistics]
        return {"seeds": self.seeds, "thin": self.thin, "unknown": self.unknown, "statistics": rows}

    def lines(self) -> list[str]:
        """For people."""
        made = [
            f"{c.name}: model {c.model:.3g}, table {c.table:.3g}, difference {c.difference:+.3g} "
            f"({c.low:+.3g} to {c.high:+.3g}){'' if c.agrees else ': they differ'}"
            for c in self.statistics
        ]
        return [
            *made,
            f"{self.thin:.1%} of the table's decisions fell into classes with fewer than {THIN} samples, "
            f"{self.unknown:.1%} into none.",
        ]


def fidelity(table: Table, plans: Sequence[Plan], *, progress: Progress | None = None) -> Fidelity:
    """Run every plan (one for each seed, of the model) and its twin decided by ``table``, and compare.

    Args:
        table: The table.
        plans: Plans of the model, alike but for the seed; at least 2.
        progress: Called with (done, total, what).
    """
    say = progress or (lambda _d, _t, _w: None)
    rows: list[tuple[dict[str, float], dict[str, float]]] = []
    asked = AskedTable(table)
    for n, one in enumerate(plans):
        say(n, len(plans), f"seed {one.seed}: model and table")
        rows.append((statistics(*played(one)), statistics(*played(one, asked=asked))))
    names = [name for name in MEANINGS if all(name in a and name in b for a, b in rows)]
    made = tuple(_compared(name, [a[name] for a, _ in rows], [b[name] for _, b in rows]) for name in names)
    total = max(1, asked.asked)
    return Fidelity(len(rows), made, asked.thin / total, asked.unknown / total)


def _compared(name: str, model: Sequence[float], table: Sequence[float]) -> Compared:
    gaps = np.array(table) - np.array(model)
    n = len(gaps)
    se = float(gaps.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    reach = float(student.ppf(0.975, n - 1)) * se if n > 1 else math.inf
    mean = float(gaps.mean())
    return Compared(
        name, MEANINGS[name], float(np.mean(model)), float(np.mean(table)), mean, mean - reach, mean + reach
    )


def played(asked_for: Plan, *, asked: AskedTable | None = None) -> tuple[pl.DataFrame, int, float]:
    """Events, agents and time of a plan's run in memory; decided by ``asked`` instead where it is given."""
    from experiments.plan import engine_of

    engine = engine_of(asked_for) if asked is None else _with(asked_for, asked)
    writer = EventWriter(None)
    try:
        engine.advance(asked_for.until, writer)
    finally:
        engine.close()
    return writer.frame(), len(engine.world.agents), asked_for.until


def _with(asked_for: Plan, asked: AskedTable) -> Any:
    """The engine of a plan in which a table that is asked decides, in the same places as the model."""
    from agents.minds import mixture_of
    from sim.world.engine import Engine, rule_module

    one = asked_for
    mixture = mixture_of(one.parts, one.scenario, rule=one.rule, asking=one.asking, until=one.until)
    for mind in mixture.askers:
        mind.close()
    return Engine(
        one.scenario, values=one.values, seed=one.seed % 2**64, rule=rule_module(one.rule, one.scenario),
        rule_name=one.rule, mixture=replace(mixture, askers=tuple(asked for _ in mixture.askers)),
        interventions=one.interventions,
    )  # fmt: skip


def statistics(events: pl.DataFrame, agents: int, until: float) -> dict[str, float]:
    """Statistics of a population's events by name, see ``MEANINGS``; those that a log has nothing for are absent."""
    made: dict[str, float] = {"events": events.height / agents / until}
    if events.height == 0:
        return made
    made["censored"] = _mean(events["origin"].cast(pl.String) == "censored")
    worth = events["value"].drop_nulls()
    if len(worth) and events["artefact"].null_count() < events.height:
        made["success"] = _mean(worth)
    late = events.filter(pl.col("time") > until * 2 / 3)
    chosen = late["artefact"].drop_nulls() if "artefact" in late.columns else late["target"].head(0)
    decided = late.filter(pl.col("kind").cast(pl.String) == "decide")["value"].drop_nulls()
    for column in (chosen, decided):
        if len(column):
            made["winner"] = _commonest(column)
    contacts = events.filter(pl.col("target").is_not_null()).sort("time", "seq")
    if contacts.height:
        latest = contacts.filter(pl.col("time") > until * 2 / 3)
        if latest.height:
            made["favourite"] = _commonest(latest["target"])
        same = contacts.with_columns(before=pl.col("target").shift(1).over("source")).drop_nulls("before")
        if same.height:
            made["loyalty"] = _mean(same["before"] == same["target"])
    return made


def _mean(column: pl.Series) -> float:
    return float(column.cast(pl.Float64).mean() or 0.0)  # type: ignore[arg-type]


def _commonest(column: pl.Series) -> float:
    return float(column.value_counts()["count"].max()) / len(column)  # type: ignore[arg-type]


def plans_of(manifest: Mapping[str, Any], *, seeds: int, asking: Any = None) -> list[Plan]:
    """Plans like a run's, for ``seeds`` fresh seeds after its own."""
    from experiments.plan import plan

    parameters = dict(manifest["parameters"])
    return [
        plan(
            str(manifest["scenario"]), preset=str(manifest["preset"]), changes=parameters, until=float(manifest["until"]),
            seed=int(manifest["seed"]) + 1 + k, mind=str(manifest["mind"]), asking=asking, check_minds=k == 0,
        )
        for k in range(seeds)
    ]  # fmt: skip
