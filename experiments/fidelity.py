"""Fidelity: does a population of a table, or of archetypes, behave as the population of the model they stand for?

Both run on the same scenario with the same seeds; each statistic of the population is compared seed by seed. The mean
difference is given with its 95 % interval (paired t); whether seeds scatter alike is tested too (Pitman 1939, Morgan 1939:
paired variances differ where sums and differences are correlated). A table is as good as the visits to classes that rest on
samples: the shares of decisions that fell into thin classes, and into none, are printed beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.stats import pearsonr
from scipy.stats import t as student

from agents.table_mind import THIN, AskedTable, Table
from sim.record.store import EventWriter

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.world.batches import Asker
    from sim.world.engine import Engine

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
    """One statistic in both populations, over seeds: means, the mean paired difference (stand-in less model) with its bounds.

    ``model_sd`` and ``other_sd`` are standard deviations over seeds, ``p_spread`` the p-value that they are alike; None where
    one of them does not vary, or for fewer than 3 seeds.
    """

    name: str
    meaning: str
    model: float
    other: float
    difference: float
    low: float
    high: float
    model_sd: float
    other_sd: float
    p_spread: float | None

    @property
    def agrees(self) -> bool:
        """True when the interval of the difference holds 0."""
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True)
class Fidelity:
    """The comparison of ``who`` (``table`` or ``archetypes``) with the model.

    ``thin`` and ``unknown`` are shares of a table's decisions; ``drawn`` is the share of decisions that archetypes drew.
    """

    who: str
    seeds: int
    statistics: tuple[Compared, ...]
    thin: float | None = None
    unknown: float | None = None
    drawn: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As data."""
        rows = [{**asdict(c), "agrees": c.agrees} for c in self.statistics]
        shares = {"thin": self.thin, "unknown": self.unknown, "drawn": self.drawn}
        return {"who": self.who, "seeds": self.seeds, **shares, "statistics": rows}

    def lines(self) -> list[str]:
        """For people."""
        made = [
            f"{c.name}: model {c.model:.3g}, {self.who} {c.other:.3g}, difference {c.difference:+.3g} "
            f"({c.low:+.3g} to {c.high:+.3g}){'' if c.agrees else ': they differ'}; over seeds it scatters by "
            f"{c.model_sd:.2g} and {c.other_sd:.2g}{_spread(c.p_spread)}"
            for c in self.statistics
        ]
        if self.drawn is not None:
            return [*made, f"{self.drawn:.1%} of the decisions were drawn from answers that stand for their class."]
        return [
            *made,
            f"{self.thin:.1%} of the table's decisions fell into classes with fewer than {THIN} samples, "
            f"{self.unknown:.1%} into none.",
        ]


def _spread(p: float | None) -> str:
    return "" if p is None else f" (p = {p:.2g}{'' if p > 0.05 else ': unlike'})"


def fidelity(table: Table, plans: Sequence[Plan], *, progress: Progress | None = None) -> Fidelity:
    """Run every plan (one for each seed, of the model) and its twin decided by ``table``, and compare.

    Args:
        table: The table.
        plans: Plans of the model, alike but for the seed; at least 2.
        progress: Called with (done, total, what).
    """
    asked = AskedTable(table)

    def instead(_: Plan, askers: Sequence[Asker]) -> list[Asker]:
        for asker in askers:
            asker.close()
        return [asked for _ in askers]

    made = _side_by_side(plans, instead, "table", progress)
    total = max(1, asked.asked)
    return Fidelity("table", len(plans), made, thin=asked.thin / total, unknown=asked.unknown / total)


def archetype_fidelity(plans: Sequence[Plan], *, samples: int, progress: Progress | None = None) -> Fidelity:
    """The same for archetypes: in every twin ``samples`` answers of the model stand for each class of views."""
    from agents.archetypes import Archetypes

    seen: list[Archetypes] = []

    def instead(one: Plan, askers: Sequence[Asker]) -> list[Asker]:
        made = [Archetypes(asker, one.scenario, samples=samples) for asker in askers]
        seen.extend(made)
        return list(made)

    compared = _side_by_side(plans, instead, "archetypes", progress)
    drawn = sum(c.drawn for one in seen for c in one.classes.values())
    return Fidelity("archetypes", len(plans), compared, drawn=drawn / max(1, sum(one.decisions for one in seen)))


Instead = Callable[["Plan", Sequence["Asker"]], list["Asker"]]


def _side_by_side(plans: Sequence[Plan], instead: Instead, who: str, progress: Progress | None) -> tuple[Compared, ...]:
    say = progress or (lambda _d, _t, _w: None)
    rows: list[tuple[dict[str, float], dict[str, float]]] = []
    for n, one in enumerate(plans):
        say(n, len(plans), f"seed {one.seed}: model and {who}")
        rows.append((statistics(*played(one)), statistics(*played(one, instead=instead))))
    names = [name for name in MEANINGS if all(name in a and name in b for a, b in rows)]
    return tuple(_compared(name, [a[name] for a, _ in rows], [b[name] for _, b in rows]) for name in names)


def _compared(name: str, model: Sequence[float], other: Sequence[float]) -> Compared:
    a, b = np.array(model), np.array(other)
    gaps, n = b - a, len(a)
    se = float(gaps.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    reach = float(student.ppf(0.975, n - 1)) * se if n > 1 else math.inf
    mean = float(gaps.mean())
    first, second = (float(side.std(ddof=1)) if n > 1 else 0.0 for side in (a, b))
    return Compared(
        name, MEANINGS[name], float(a.mean()), float(b.mean()), mean, mean - reach, mean + reach, first, second,
        p_spread=_alike(a, b) if n > 2 and min(first, second) > 0.0 else None,
    )  # fmt: skip


def _alike(a: np.ndarray, b: np.ndarray) -> float | None:
    """The p-value that two paired samples have one variance; None where they differ by a constant."""
    if np.ptp(a - b) == 0.0 or np.ptp(a + b) == 0.0:
        return None
    return float(pearsonr(a + b, a - b).pvalue)


def played(asked_for: Plan, *, instead: Instead | None = None) -> tuple[pl.DataFrame, int, float]:
    """Events, agents and time of a plan's run in memory; decided by what ``instead`` makes of its minds where it is given."""
    from experiments.plan import engine_of

    engine = engine_of(asked_for) if instead is None else _with(asked_for, instead)
    writer = EventWriter(None)
    try:
        engine.advance(asked_for.until, writer)
    finally:
        engine.close()
    return writer.frame(), len(engine.world.agents), asked_for.until


def _with(one: Plan, instead: Instead) -> Engine:
    """The engine of a plan in which others decide, in the same places as the model."""
    from agents.minds import mixture_of
    from sim.world.engine import Engine, rule_module

    mixture = mixture_of(one.parts, one.scenario, rule=one.rule, asking=one.asking, until=one.until)
    return Engine(
        one.scenario, values=one.values, seed=one.seed % 2**64, rule=rule_module(one.rule, one.scenario),
        rule_name=one.rule, mixture=replace(mixture, askers=tuple(instead(one, mixture.askers))),
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
    """Plans like a run's, for ``seeds`` fresh seeds after its own; archetypes are compared with the model itself."""
    from experiments.plan import plan

    parameters, mind = dict(manifest["parameters"]), str(manifest["mind"]).replace("archetypes", "llm")
    return [
        plan(
            str(manifest["scenario"]), preset=str(manifest["preset"]), changes=parameters, until=float(manifest["until"]),
            seed=int(manifest["seed"]) + 1 + k, mind=mind, asking=asking, check_minds=k == 0,
        )
        for k in range(seeds)
    ]  # fmt: skip
