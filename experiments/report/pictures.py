"""Pictures of the report: role graphs, agents and their contacts, structures against time, measures against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from experiments.analysis import CHARTS, Analysis
from experiments.report.charts import BLUE, CHANGE_SIGNS, GREEN, ORANGE, RED, Lane, Mark, line_chart, timeline
from experiments.report.markup import esc, folded, lines, note, table
from experiments.report.words import many, measured, number
from sim.detectors.report import Structure
from sim.instruments.reading import instruments
from sim.record.log import Log
from sim.topology.layout import force
from sim.topology.svg import draw_roles
from sim.topology.svg_agents import draw_agents

# Beyond this a picture of single agents shows nothing; roles do.
MOST_AGENTS = 300
# Connections that can be told apart, for each agent.
LINES_PER_AGENT = 4
MOST_LANES = 24
LEVEL_COLOURS = {"observed": "#7F7F7F", "significant": ORANGE, "stable": BLUE, "robust": GREEN}
CHART_TITLES = {
    "throughput": "Throughput",
    "latency": "Latency",
    "quality": "Quality",
    "cost_per_item": "Cost of an item",
    "handoffs_per_item": "Handoffs of an item",
    "handoff_loss": "Handoff loss",
    "semantic_drift": "Semantic drift",
    "work_in_progress": "Work in progress",
    "rework_share": "Rework",
}


def roles_picture(analysis: Analysis, structure: Structure) -> str:
    """The role graph of a structure as a figure; empty when it has no topology."""
    topology = analysis.topologies.get(structure.id)
    if topology is None:
        return ""
    drawing = draw_roles(topology, title=f"Roles of {structure.id}")
    caption = f"{structure.id}: what each role was seen to do and what passes between roles."
    return f"<figure>{drawing}<figcaption>{esc(caption)}</figcaption></figure>"


def agents_picture(analysis: Analysis, structure: Structure | None) -> str:
    """Agents and the contacts between them; a sentence where there are too many, nothing where there are none."""
    flows, agents, what = _flows(analysis.log, structure)
    if flows.height == 0 or not agents:
        return ""
    if len(agents) > MOST_AGENTS:
        return note(f"{len(agents):,} agents: too many to draw one by one.")
    row = {agent: i for i, agent in enumerate(agents)}
    # A structure's flows may go to agents outside it.
    inside = [
        pl.Series([value in row for value in flows[name].to_list()], dtype=pl.Boolean) for name in ("source", "target")
    ]
    kept = flows.filter(inside[0] & inside[1] & (flows["source"] != flows["target"])).sort(
        "count", "source", "target", descending=[True, False, False]
    )
    shown = kept.head(LINES_PER_AGENT * len(agents))
    edges = np.array([[row[s], row[t]] for s, t in shown.select("source", "target").iter_rows()], dtype=np.int64)
    weights = shown["count"].to_numpy().astype(float)
    positions = force(len(agents), edges.reshape(-1, 2), weights=np.sqrt(weights))
    groups, names = _groups(structure, agents)
    drawing = draw_agents(
        positions, edges, groups=groups, group_names=names, labels={i: str(a)[:24] for a, i in row.items()},
        weights=weights, title="Agents and their contacts",
    )  # fmt: skip
    left = kept.height - shown.height
    caption = f"{what} Wider arrows: more often."
    caption += f" The {shown.height:,} busiest connections are drawn, {left:,} are not." if left else ""
    return f"<figure>{drawing}<figcaption>{esc(caption)}</figcaption></figure>"


def _flows(log: Log, structure: Structure | None) -> tuple[pl.DataFrame, list[Any], str]:
    """Connections with counts, the agents, and what is shown."""
    if structure is not None and structure.flows.height:
        # A structure's flows may reach beyond its members: what holders of a convention say to those who never took it.
        among = pl.col("source").is_in(structure.members) & pl.col("target").is_in(structure.members)
        flows = structure.flows.filter(among).group_by("source", "target").agg(pl.col("count").sum())
        return flows, list(structure.members), f"The agents of {structure.id} and what they pass to each other."
    if log.events.height == 0 or not log.has("source", "target"):
        return pl.DataFrame(), [], ""
    run = log.runs[0]
    events = log.of_run(run).events if run else log.events
    pairs = events.filter(pl.col("target").is_not_null())
    flows = pairs.group_by("source", "target").agg(count=pl.len())
    agents = sorted({*flows["source"].to_list(), *flows["target"].to_list()}, key=str)
    where = f" in the first run ({run})" if len(log.runs) > 1 else ""
    return flows, agents, f"Who acted towards whom{where}; no structure is claimed."


def _groups(structure: Structure | None, agents: Sequence[Any]) -> tuple[list[int], dict[int, str]]:
    if structure is None or not structure.roles:
        return [0] * len(agents), {}
    group_of = {agent: i for i, members in enumerate(structure.roles.values()) for agent in members}
    names = dict(enumerate(structure.roles))
    return [group_of.get(agent, len(names)) for agent in agents], names


def timeline_picture(analysis: Analysis, time_words: str) -> str:
    """Structures against time as a figure; empty when there is none."""
    timed = [s for s in analysis.ranked if s.timeline.height]
    shown = timed[:MOST_LANES]
    if not shown:
        whole = "The claims are over whole runs: no structure was followed from window to window."
        return note(whole) if analysis.ranked else ""
    lanes = [_lane(s) for s in shown]
    first, last = min(lane.cells[0][0] for lane in lanes), max(lane.cells[-1][1] for lane in lanes)
    drawing = timeline(lanes, start=first, end=last, words=time_words)
    caption = "Tall cells: the structure stood; thin cells: it did not. The darker, the more alike the windows."
    if any(lane.changes for lane in lanes):
        caption += " Parts of it: + appears, × disappears, < splits, > merge."
    more = len(analysis.ranked) - len(shown)
    caption += f" {many(more, 'further structure')} not drawn." if more > 0 else ""
    return f"<figure>{drawing}<figcaption>{esc(caption)}</figcaption></figure>"


def _lane(structure: Structure) -> Lane:
    cells = [(float(a), float(b), float(c or 0.0), bool(d)) for a, b, c, d in structure.timeline.iter_rows()]
    marks = []
    for window in sorted({change.window for change in structure.changes}):
        kinds = [c.kind for c in structure.changes if c.window == window and c.kind in CHANGE_SIGNS]
        if kinds and window < len(cells):
            signs = "".join(CHANGE_SIGNS[kind] for kind in dict.fromkeys(kinds))
            told = ", ".join(f"{many(kinds.count(kind), kind)}" for kind in dict.fromkeys(kinds))
            marks.append((cells[window][0], signs, f"{told} of parts at {number(cells[window][0])}"))
    level = "predefined" if structure.predefined else structure.level
    colour = RED if structure.predefined else LEVEL_COLOURS.get(structure.level, GREEN)
    about = f", {structure.about}" if structure.about else ""
    return Lane(
        f"{structure.id}{about}", f"{level}, {many(len(structure.members), 'agent')}", cells, tuple(marks), colour
    )


def charts(analysis: Analysis, manifest: Mapping[str, Any], time_words: str) -> str:
    """Small multiples of the instruments over time, and a sentence for each that could not be drawn."""
    made, absent = [], []
    for name in CHARTS:
        reading = analysis.instruments.get(name)
        if reading is None:
            continue
        rows = analysis.series.filter(pl.col("name") == name).sort("index")
        points = [(float(t), v) for t, v in rows.select("time", "value").iter_rows()]
        if reading["value"] is None or sum(v is not None for _, v in points) < 2:
            absent.append(f"{CHART_TITLES[name]}: {_why_absent(reading)}")
            continue
        made.append(_chart(name, reading, points, _marks(name, analysis, manifest), time_words))
    numbers = folded("The numbers behind these charts", _series_table(analysis, time_words)) if made else ""
    grid = f'<div class="charts">{"".join(made)}</div>' if made else ""
    why = f"<h3>What this log does not show over time</h3>{lines(absent)}" if absent else ""
    return grid + numbers + why


def _why_absent(reading: Mapping[str, Any]) -> str:
    if reading["value"] is None:
        return str(reading["note"]).removeprefix("n/a: ")
    overall = f"{measured(reading['value'], reading['unit'])} overall, but not known over time"
    return f"{overall} ({reading['note']})" if reading["note"] else overall


def _chart(
    name: str,
    reading: Mapping[str, Any],
    points: Sequence[tuple[float, float | None]],
    marks: Sequence[Mark],
    words: str,
) -> str:
    unit = "%" if reading["unit"] == "share" else reading["unit"]
    scale = 100.0 if reading["unit"] == "share" else 1.0
    scaled = [(t, None if v is None else v * scale) for t, v in points]
    levels = [Mark(m.value * scale, m.words) for m in marks]
    drawing = line_chart(scaled, title=CHART_TITLES[name], unit=unit, marks=levels, time_words=words)
    about = instruments.get(name).summary
    against = "".join(f" Dashed: {m.words} ({measured(m.value, reading['unit'])})." for m in marks)
    overall = f"Overall {measured(reading['value'], reading['unit'])}."
    return (
        f'<figure class="chart"><h3>{esc(CHART_TITLES[name])} <span class="quiet">{esc(unit)}</span></h3>{drawing}'
        f"<figcaption>{esc(about)} {esc(overall)}{esc(against)}</figcaption></figure>"
    )


def _marks(name: str, analysis: Analysis, manifest: Mapping[str, Any]) -> list[Mark]:
    """What a measure can be compared with in this run, by the run's own parameters or readings."""
    readings, parameters = analysis.instruments, manifest.get("parameters") or {}
    by = readings[name]["by"]
    if name == "throughput" and by.get("arrivals"):
        return [Mark(by["arrivals"], "arrivals")]
    if name == "latency":
        flow = readings.get("flow_efficiency", {}).get("value")
        mean = readings["latency"]["value"]
        return [Mark(flow * mean, "service alone, without waiting")] if flow and mean else []
    if name == "handoff_loss" and isinstance(parameters.get("handoff_loss"), int | float):
        return [Mark(float(parameters["handoff_loss"]), "what every handoff loses by chance")]
    if name == "quality" and isinstance(parameters.get("defect"), int | float):
        return [Mark(1.0, "flawless")]
    chance = by.get("chance")
    return [Mark(chance, "chance")] if chance is not None else []


def _series_table(analysis: Analysis, time_words: str) -> str:
    series, units = analysis.series, {name: r["unit"] for name, r in analysis.instruments.items()}
    names = [name for name in CHARTS if series.filter((pl.col("name") == name) & pl.col("value").is_not_null()).height]
    moments = series.select("index", "time").unique("index", maintain_order=True).sort("index")
    value = {(i, name): v for i, name, v in series.select("index", "name", "value").iter_rows()}

    def cell(index: int, name: str) -> str:
        v = value.get((index, name))
        return number(v * 100 if v is not None and units[name] == "share" else v)

    rows = [[number(t), *(cell(i, name) for name in names)] for i, t in moments.iter_rows()]
    heads = [CHART_TITLES[name] + (" (%)" if units[name] == "share" else "") for name in names]
    return table([time_words, *heads], rows, numeric=range(1, len(names) + 1))
