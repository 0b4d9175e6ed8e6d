"""Concentration: how unequally the work is spread over the agents."""

from __future__ import annotations

import numpy as np
import polars as pl

from sim.instruments.facts import Facts
from sim.instruments.inequality import gini
from sim.instruments.intervals import bootstrap, mean_of_groups
from sim.instruments.reading import Reading, instrument, not_available
from sim.record.events import kinds_of

# What is counted, in order of preference: the first of these that the log shows.
FALLBACKS = ("writes", "decides")
CHANCE_DRAWS = 20


@instrument("concentration", low=0.0, high=1.0)
def concentration(facts: Facts, draws: np.random.Generator) -> Reading:
    """Gini coefficient of work over agents.

    Definition: over the number of services each agent gave within the observed span; where the log has no service,
        over writes, otherwise over decisions. Agents that did nothing count, as far as the log knows them. With
        several runs, the mean of the runs' coefficients.
    Formula: G = sum_i (2 i - n - 1) x_(i) / (n sum x), x sorted upwards.
    Range: 0 to (n-1)/n.
    Low and high: 0 means equal work, (n-1)/n that one agent does everything.
    Chance level: ``by: chance``, the mean coefficient when the same number of services falls on agents at random; few
        events make any spread look unequal.
    Null: equal rates (multinomial).
    Reference: Gini 1912.
    """
    table, note = _work(facts)
    if table.height == 0:
        return not_available("Gini coefficient", "no agent worked, wrote or decided")
    if facts.spans.height > 1:
        return _over_runs(facts, table, note, draws)
    agents = _agents(facts, table)
    if len(agents) < 2:
        return not_available("Gini coefficient", "fewer than two agents")
    place = {agent: index for index, agent in enumerate(agents)}
    who = table["source"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    total = np.bincount(who, minlength=len(agents)).astype(float)
    low = high = None
    if facts.intervals:
        groups = facts.group(table)
        wide = np.bincount(groups * len(agents) + who, minlength=facts.groups * len(agents))
        low, high = bootstrap(wide.reshape(facts.groups, -1).astype(float), gini, draws, low=0.0, high=1.0)
    by = {"chance": _chance(len(agents), table.height, draws), "agents": float(len(agents))}
    return Reading(gini(total), "Gini coefficient", table.height, low, high, note + facts.how, by)


def _work(facts: Facts) -> tuple[pl.DataFrame, str]:
    machines = facts.log.meta.get("not_agents")
    harness = machines if isinstance(machines, list) else []
    table, note = facts.given, ""
    for kind_class in FALLBACKS:
        if table.height == 0:
            table = facts.events.filter(pl.col("kind").cast(pl.String).is_in(kinds_of(kind_class)))
            note = f"counted over events of class '{kind_class}', for the log shows no services; "
    if harness:
        table = table.filter(~pl.col("source").cast(pl.String).is_in(harness))
    return table.select("run", "time", "source"), note


def _agents(facts: Facts, table: pl.DataFrame) -> list[object]:
    if facts.log.agents is not None and "run" not in facts.log.agents.columns:
        known = set(facts.log.agents["id"].to_list())
    else:
        events = facts.events
        known = set(events["source"].unique().to_list())
        if "target" in events.columns:
            known |= set(events["target"].drop_nulls().unique().to_list())
        machines = facts.log.meta.get("not_agents")
        known -= set(machines if isinstance(machines, list) else [])
    return sorted(known | set(table["source"].unique().to_list()), key=lambda agent: (str(type(agent)), agent))


def _over_runs(facts: Facts, table: pl.DataFrame, note: str, draws: np.random.Generator) -> Reading:
    seen = facts.events.select("run", "source").unique()
    machines = facts.log.meta.get("not_agents")
    if isinstance(machines, list):
        seen = seen.filter(~pl.col("source").cast(pl.String).is_in(machines))
    counts = table.group_by("run", "source").len()
    full = seen.join(counts, on=["run", "source"], how="left").with_columns(pl.col("len").fill_null(0))
    per_run = full.sort("run", "source").group_by("run", maintain_order=True).agg("len")
    lists = [np.array(numbers, dtype=float) for numbers in per_run["len"].to_list()]
    lists = [numbers for numbers in lists if len(numbers) > 1 and numbers.sum() > 0]
    if not lists:
        return not_available("Gini coefficient", "no run has two agents of which one worked")
    value, low, high = mean_of_groups(np.array([gini(numbers) for numbers in lists]), low=0.0, high=1.0)
    by = {"chance": float(np.mean([_chance(len(x), int(x.sum()), draws, times=2) for x in lists]))}
    text = f"{note}mean over {len(lists)} runs with at least two agents; interval over these runs"
    return Reading(value, "Gini coefficient", table.height, low, high, text, by)


def _chance(agents: int, events: int, draws: np.random.Generator, *, times: int = CHANCE_DRAWS) -> float:
    drawn = draws.multinomial(events, np.full(agents, 1 / agents), size=times)
    return float(np.mean([gini(row) for row in drawn]))
