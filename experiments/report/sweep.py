"""The page of a sweep: one self-contained HTML file with phase diagram, curves, what changes what, and how to redo it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from experiments.folder import read_json, write_text
from experiments.report.curves import Band, Curve, colours_of, curves, phase_map
from experiments.report.markup import Raw, esc, folded, note, section, table
from experiments.report.words import duration, listed, many, number, p_value
from experiments.sweeps.axes import Axis
from experiments.sweeps.phases import NOTHING, Diagram, diagram
from experiments.sweeps.results import MANIFEST, load
from experiments.sweeps.sensitivity import KINDS, sensitivity
from experiments.sweeps.spec import Spec
from experiments.sweeps.statistics import comparisons, proportion, summary
from experiments.sweeps.transitions import Transition, locate, matrix

PAGE = "sweep.html"
SUMMARY = "summary.parquet"
PHASES = "phases.parquet"
TRANSITIONS = "transitions.parquet"
MOST_CHARTS = 24
MOST_ROWS = 200
MOST_LINES = 6
MOST_VALUES = 40
MOST_PAIRS = 12
# Beyond this many points a table of all of them is for machines.
MOST_POINTS = 500


def write(folder: Path, spec: Spec) -> Path:
    """Write sweep.html and the tables behind it into the folder of a sweep; returns the page."""
    runs = load(folder)
    names = [a.name for a in spec.axes]
    points = summary(runs, axes=names)
    points.write_parquet(folder / SUMMARY)
    drawn = phases_of(runs, spec)
    if drawn is not None:
        drawn.cells.write_parquet(folder / PHASES)
        drawn.transitions().write_parquet(folder / TRANSITIONS)
    page = folder / PAGE
    write_text(page, render(folder, spec, points, drawn))
    return page


def phases_of(runs: pl.LazyFrame, spec: Spec) -> Diagram | None:
    """The phase diagram over the first axis of numbers and one other; None where there is none to draw."""
    column = spec.phases or "phase"
    schema = runs.collect_schema()
    if column not in schema:
        return None
    numeric = [a for a in spec.axes if not a.sampled and len(a.values) > 1 and schema[a.name].is_numeric()]
    if not numeric:
        return None
    others = [a.name for a in spec.axes if a is not numeric[0] and not a.sampled and len(a.values) > 1]
    names = [a.name for a in spec.axes]
    return diagram(runs, x=numeric[0].name, y=others[0] if others else None, phase=column, axes=names)


def render(folder: Path, spec: Spec, points: pl.DataFrame, drawn: Diagram | None) -> str:
    """The page as one HTML text without scripts, network or other files."""
    manifest = read_json(folder / MANIFEST)
    runs = load(folder)
    style = files("experiments.report").joinpath("style.css").read_text(encoding="utf-8")
    title, lead = headline(spec, drawn)
    main = _main_axis(spec, runs)
    parts = [
        _head(manifest, spec, title, lead),
        section("phases", "Which structure holds where", _phases(drawn) if drawn else ""),
        section("measures", "How the measures change", _charts(points, runs, spec, main)),
        section("changes", "What changes what", _changes(runs, spec)),
        section("sensitivity", "Which axis matters", _sensitivity(runs, spec)),
        section("points", "All points", _points(points, spec)),
        section("failed", "Runs that failed", _failed(runs)),
        section("reproduce", "How to make this again", _reproduce(folder, manifest)),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{esc(spec.scenario)}: {esc(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def headline(spec: Spec, drawn: Diagram | None) -> tuple[str, str]:
    """What the sweep shows, in a sentence, and a second one on how sure that is."""
    over = listed([a.name for a in spec.axes]) or "seeds alone"
    plain = f"{many(len(spec.points), 'point')} over {over}"
    if drawn is None:
        return f"{spec.scenario}: {plain}.", ""
    of, held = drawn.cells.height, drawn.cells.filter(pl.col("holds"))
    kinds = drawn.cells.group_by("phase").len().sort("len", "phase", descending=[True, False])
    said = listed([f"{phase} at {n}" for phase, n in kinds.head(5).iter_rows()])
    sure = f"Beyond chance in more than half of the runs at {held.height} of {many(of, 'point')}."
    found = [line for line in drawn.lines if line.at.location is not None]
    lines = f" {many(len(found), 'transition')} located." if found else ""
    return f"Most frequent of {many(of, 'point')} over {over}: {said}.", sure + lines


def _head(manifest: Mapping[str, Any], spec: Spec, title: str, lead: str) -> str:
    done, failed = manifest.get("done", 0), manifest.get("failed", 0)
    warning = f'<p class="warning">{many(failed, "run")} of {done:,} failed; see below.</p>' if failed else ""
    tiles = [
        ("runs", number(done)), ("points", number(len(spec.points))), ("seeds of a point", number(len(spec.seeds))),
        ("wall time", duration(manifest.get("wall_time_s"))),
    ]  # fmt: skip
    shown = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in tiles)
    return (
        f'<header><p class="quiet">Swarmscope sweep: {esc(spec.scenario)}, preset {esc(spec.preset or "default")}</p>'
        f'<h1>{esc(title)}</h1><p class="lead">{esc(lead)}</p>{warning}<dl class="tiles">{shown}</dl></header>'
    )


def _phases(drawn: Diagram) -> str:
    colours = colours_of(drawn.phases, NOTHING)
    rows = drawn.cells.to_dicts()
    lines = [(line.y, _located(line.at, f"{line.before} gives way to {line.after}", drawn.x)) for line in drawn.lines]
    known = [(y, band) for y, band in lines if band is not None]
    if drawn.y is None:
        shown = [
            Curve(phase, [(r[drawn.x], *proportion(round(r[f"share_{phase}"] * r["runs"]), r["runs"])) for r in rows])
            for phase in drawn.phases[:10]
        ]
        picture = curves(
            shown, title="Share of runs in each phase", unit="", along=drawn.x, floor_at=0.0, ceiling=1.0,
            colours=colours, bands=[band for _, band in known], width=760, height=300,
        )  # fmt: skip
        legend = ""
    else:
        picture = phase_map(rows, x=drawn.x, y=drawn.y, colours=colours, lines=known)
        swatch = "".join(
            f'<span style="white-space:nowrap"><svg width="14" height="14" aria-hidden="true"><rect width="14" height="14" '
            f'fill="{colours[p]}"/></svg> {esc(p)}</span> &nbsp; '
            for p in drawn.phases
        )
        legend = f'<p class="quiet">{swatch}</p>'
    words = (
        "Full colour where more than half of the runs are in the phase beyond chance (Wilson interval, 95 %); hatched where "
        "that is not sure. "
        if drawn.y
        else ""
    )
    words += "Lines mark where one phase gives way to another, with the bootstrap interval over seeds."
    words += f" Runs that differ in {listed(drawn.pooled)} are taken together." if drawn.pooled else ""
    cells = [
        [number(r[drawn.x]) if not isinstance(r[drawn.x], str) else r[drawn.x], *([str(r[drawn.y])] if drawn.y else []),
         r["phase"], f"{number(100 * r['share'])} %", f"{number(100 * r['low'])} to {number(100 * r['high'])} %",
         str(r["runs"]), "holds" if r["holds"] else "not sure"]
        for r in rows
    ]  # fmt: skip
    heads = [drawn.x, *([drawn.y] if drawn.y else []), "phase", "share", "interval", "runs", ""]
    every = folded("The same as a table", table(heads, cells, numeric=(len(heads) - 4, len(heads) - 3, len(heads) - 2)))
    return f"<figure>{picture}<figcaption>{esc(words)}</figcaption></figure>{legend}{_line_table(drawn)}{every}"


def _located(at: Transition, words: str, axis: str) -> Band | None:
    if at.location is None or at.low is None or at.high is None:
        return None
    told = f"{words} at {axis} {number(at.location)} ({number(at.low)} to {number(at.high)})"
    return Band(at.location, at.low, at.high, told)


def _line_table(drawn: Diagram) -> str:
    rows = [
        [*([str(line.y)] if drawn.y else []), line.before, line.after, number(line.at.location),
         "–" if line.at.low is None else f"{number(line.at.low)} to {number(line.at.high)}", line.at.note]
        for line in drawn.lines
    ]  # fmt: skip
    if not rows:
        return note("No transition along this axis.")
    heads = [*([drawn.y] if drawn.y else []), "from", "to", f"at {drawn.x}", "interval", "note"]
    return table(heads, rows, caption="Transitions")


def _main_axis(spec: Spec, runs: pl.LazyFrame) -> Axis | None:
    schema = runs.collect_schema()
    usable = [
        a for a in spec.axes if not a.sampled and 1 < len(a.values) <= MOST_VALUES and schema[a.name].is_numeric()
    ]
    return usable[0] if usable else None


def _charts(points: pl.DataFrame, runs: pl.LazyFrame, spec: Spec, main: Axis | None) -> str:
    """One small chart for each measure along the main axis; lines for the values of the second axis."""
    if main is None or not points.height:
        return ""
    others = [a.name for a in spec.axes if a is not main]
    varied = points.group_by("measure", maintain_order=True).agg(span=pl.col("mean").max() - pl.col("mean").min())
    shown = varied.filter(pl.col("span") > 0)["measure"].to_list()
    pictures = []
    log = len(main.values) > 2 and _is_log(main.values)
    for measure in shown[:MOST_CHARTS]:
        rows = points.filter((pl.col("measure") == measure) & pl.col("mean").is_not_null())
        groups = rows.group_by(others, maintain_order=True) if others else [((), rows)]
        lines = [
            Curve(
                ", ".join(f"{name} {value}" for name, value in zip(others, place, strict=True)),
                [(float(r[main.name]), r["mean"], r["low"], r["high"]) for r in group.sort(main.name).to_dicts()],
            )
            for place, group in groups
        ]
        if len(lines) > MOST_LINES:
            step = (len(lines) - 1) / (MOST_LINES - 1)
            lines = [lines[round(i * step)] for i in range(MOST_LINES)]
        at = None if others or len(main.values) < 4 else locate(*matrix(runs, axis=main.name, measure=measure))
        band = None if at is None else _located(at, "halfway", main.name)
        picture = curves(lines, title=measure, unit="", along=main.name, log=log, bands=[band] if band else [])
        words = f"Halfway at {number(at.location)} ({number(at.low)} to {number(at.high)})." if at and band else ""
        pictures.append(
            f'<figure class="chart"><h3>{esc(measure)}</h3>{picture}<figcaption>{esc(words)}</figcaption></figure>'
        )
    still = [m for m in varied["measure"].to_list() if m not in shown]
    words = (
        f"Mean over seeds with its 95 % bootstrap interval. The same at every point: {listed(still)}."
        if still
        else ("Mean over seeds with its 95 % bootstrap interval.")
    )
    more = f" {len(shown) - MOST_CHARTS} further measures are in {SUMMARY}." if len(shown) > MOST_CHARTS else ""
    return note(words + more) + f'<div class="charts">{"".join(pictures)}</div>'


def _is_log(values: Sequence[Any]) -> bool:
    """True for values spread more evenly by ratio than by difference."""
    return bool(min(values) > 0 and max(values) / min(values) >= 20)


def _changes(runs: pl.LazyFrame, spec: Spec) -> str:
    """Comparisons with the first value of each listed axis, paired by seed, corrected over the whole table."""
    axes = [a for a in spec.axes if not a.sampled and 1 < len(a.values) <= MOST_PAIRS]
    if not axes or len(spec.seeds) < 2 or len(spec.points) > MOST_POINTS:
        return ""
    names = [a.name for a in spec.axes]
    return "".join(_change(comparisons(runs, axis=a.name, axes=names), a.name, names, spec.alpha) for a in axes)


def _change(made: pl.DataFrame, axis: str, names: Sequence[str], alpha: float) -> str:
    if not made.height:
        return ""
    others = [name for name in names if name != axis]
    still = (pl.col("difference") == 0) & (pl.col("low") == 0) & (pl.col("high") == 0)
    order = made.filter(~still).sort("q", pl.col("difference").abs(), descending=[False, True], nulls_last=True)
    rows = [
        [
            r["measure"],
            f"{r['base']} to {r['value']}",
            *([", ".join(f"{o} {r[o]}" for o in others)] if others else []),
            number(r["difference"]),
            f"{number(r['low'])} to {number(r['high'])}",
            number(r["effect"], 2),
            f"{number(100 * r['superiority'])} %",
            str(r["pairs"]),
            p_value(r["p"]),
            p_value(r["q"]),
        ]
        for r in order.head(MOST_ROWS).to_dicts()
    ]
    found = made.filter(pl.col("q") <= alpha).height
    words = (
        f"{found} of {made.height} differences stand at a false discovery rate of {number(100 * alpha)} %; "
        f"{made.height - order.height} are exactly 0. Paired by seed; sign-flip test; the effect is the mean difference in "
        "standard deviations of the differences."
    )
    words += f" The first {MOST_ROWS} are shown." if order.height > MOST_ROWS else ""
    right = ("difference", "interval", "effect", "larger in", "pairs", "p", "q")
    heads = ("measure", axis, *(["at"] if others else []), *right)
    numeric = range(len(heads) - len(right), len(heads))
    return f"<h3>{esc(axis)}</h3>{note(words)}{table(heads, rows, numeric=numeric) if rows else ''}"


def _sensitivity(runs: pl.LazyFrame, spec: Spec) -> str:
    if spec.sampling is None or spec.sampling.kind not in KINDS:
        return ""
    made = sensitivity(runs, spec)
    if not made.height:
        return note("No measure has a value at every point, which the design needs.")
    numbers = [name for name in made.columns if made.schema[name].is_float()]
    texts = [name for name in made.columns if name not in numbers]
    rows = [[*(str(r[t]) for t in texts), *(number(r[c]) for c in numbers)] for r in made.head(MOST_ROWS).to_dicts()]
    words = (
        "Shares of the variance between points: first, by the axis alone; total, with all its interactions; reach is half "
        "the 95 % interval."
        if spec.sampling.kind == "saltelli"
        else "Elementary effects for a step over the whole range: mu_star is the mean size, sigma tells of curves and "
        "interactions."
    )
    heads = [*texts, *numbers]
    return note(words) + table(heads, rows, numeric=range(len(texts), len(heads)))


def _points(points: pl.DataFrame, spec: Spec) -> str:
    if not points.height:
        return ""
    if len(spec.points) > MOST_POINTS:
        return note(f"{len(spec.points):,} points; the table is in {SUMMARY}.")
    names = [a.name for a in spec.axes]
    parts = []
    for (measure,), group in points.group_by("measure", maintain_order=True):
        rows = [
            [str(r["point"]), *(str(r[name]) for name in names), str(r["n"]), number(r["mean"]), number(r["sd"]),
             f"{number(r['low'])} to {number(r['high'])}"]
            for r in group.head(MOST_ROWS).to_dicts()
        ]  # fmt: skip
        heads = ["point", *names, "n", "mean", "sd", "interval"]
        right = range(len(names) + 1, len(heads))
        parts.append(folded(str(measure), table(heads, rows, numeric=right)))
    return note("Mean, standard deviation and 95 % bootstrap interval over seeds.") + "".join(parts)


def _failed(runs: pl.LazyFrame) -> str:
    if "error" not in runs.collect_schema().names():
        return ""
    rows = runs.filter(pl.col("status") == "failed").select("point", "seed", "error").head(20).collect()
    cells: list[list[str | Raw]] = [
        [str(point), str(seed), Raw(folded(error.strip().splitlines()[-1], f'<pre class="command">{esc(error)}</pre>'))]
        for point, seed, error in rows.iter_rows()
    ]
    return table(("point", "seed", "error"), cells, caption="The first 20 of them") if cells else ""


def _reproduce(folder: Path, manifest: Mapping[str, Any]) -> str:
    import json

    told = json.dumps(manifest.get("spec", {}), indent=1, ensure_ascii=False)
    versions = ", ".join(f"{name} {value}" for name, value in manifest.get("versions", {}).items())
    reading = f'import experiments\nruns = experiments.load("{folder.name}").collect()'
    return (
        f"<p>The specification, everything spelt out; {esc(versions)}.</p>"
        f"{folded('Specification', f'<pre class=command>{esc(told)}</pre>')}"
        f'<p>The results as tables:</p><pre class="command">{esc(reading)}</pre>'
    )
