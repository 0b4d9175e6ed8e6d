"""The calibration page: error rates and power as a table in Markdown and one figure per detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from experiments.calibrate import LEVEL, Calibration, rated

TABLE = "calibration.md"
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00")  # Okabe and Ito 2008
BOUND = 0.065  # largest upper end of an interval at which a claim keeps to the level of 5 %
SURE = 0.05  # P from which a rate above the level may be chance
HOLDS, UNSURE, FAILS = "holds", "within chance", "too many"
DASHES = ("-", "--", "-.", ":")


def write(made: Calibration, *, folder: Path, command: str) -> list[Path]:
    """Write the table and the figures into ``folder``; returns the paths, the table first."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = [path for name in detectors(made) for path in _figure(made, name, folder)]
    table = folder / TABLE
    table.write_text("\n".join(_page(made, command, figures)) + "\n")
    return [table, *figures]


def detectors(made: Calibration) -> list[str]:
    """Detectors that were tested on null worlds."""
    return made.tests["detector"].unique().sort().to_list() if made.tests.height else []


def _page(made: Calibration, command: str, figures: Sequence[Path]) -> Iterator[str]:
    yield "# Calibration\n"
    yield f"Made by `{command}`. Rates with their 95 % Wilson intervals; the level of every test is {LEVEL:.0%}.\n"
    if made.tests.height:
        yield from _summary(made)
    if made.claims.height:
        yield from _discoveries(made)
    if made.tests.height:
        yield from _alarms_table(made)
    if made.power.height:
        yield "## Power\n"
        yield "Share of planted worlds in which a structure of the planted kind was discovered.\n"
        yield from _table(
            ("planted", "kind", "strength", "events", "worlds", "found", "interval"),
            (
                (r["world"], r["kind"], f"{r['strength']:g}", f"{r['events']:,}", r["worlds"], *_rate(r))
                for r in made.power.sort("world", "strength", "events").to_dicts()
            ),
        )
    if made.costs.height:
        yield "## Time\n"
        if made.times.height:
            yield "Seconds of one core for each detector alone, in the null worlds in which it has something to test.\n"
            rows = made.times.sort("detector").to_dicts()
            yield from _table(
                ("detector", "logs", "mean", "most", "in"),
                ((r["detector"], r["logs"], f"{r['seconds']:.2f}", f"{r['most']:.2f}", r["slowest"]) for r in rows),
            )
        yield "Mean seconds of one core for a log with all detectors asked.\n"
        rows = made.costs.group_by("world", "events").agg(pl.col("seconds").mean()).sort("world", "events").to_dicts()
        yield from _table(
            ("world", "events", "seconds"), ((r["world"], f"{r['events']:,}", f"{r['seconds']:.2f}") for r in rows)
        )
    for figure in figures:
        yield f"![{figure.stem.replace('-', ' ')}]({figure.name})\n"


def _summary(made: Calibration) -> Iterator[str]:
    """What holds and what does not, one row per claim, before anything else."""
    whole = made.claims.filter(pl.col("detector") == "all of them")
    worst = whole.sort("rate", descending=True).row(0, named=True)
    rows = [summarised(part) for _, part in made.tests.filter("holds").group_by("detector", "claim", "null")]
    verdicts = [row["verdict"] for row in rows]
    failing, together = verdicts.count(FAILS), sum(row["all"]["high"] <= BOUND for row in rows)
    yield "## What holds\n"
    count, found = (int(whole[name].to_numpy().sum()) for name in ("worlds", "discovered"))
    yield (
        f"{count:,} worlds without structure, of {whole.height} kinds with {_span(whole['worlds'])} worlds each. Something "
        f"was called discovered in {found / max(count, 1):.1%} of them, at most in {_said(worst)} of a kind "
        f"(*{worst['world']}*; the aim is {LEVEL:.0%}). Of {len(rows)} claims {verdicts.count(HOLDS)} keep within "
        f"{BOUND:.1%} in every kind, {verdicts.count(UNSURE)} may keep to the level, which these worlds are too few to say, "
        f"and {failing} {'does' if failing == 1 else 'do'} not. Over all kinds together {together} of them keep within "
        f"{BOUND:.1%}.\n"
    )
    yield (
        "For each claim: kinds of null world in which what it says is not so, tests in all of them, the rate at which the "
        f"null was beaten all the same, and the kind with the highest rate. *{HOLDS}*: the upper ends of both intervals are at "
        f"most {BOUND:.1%}. *{UNSURE}*: one is not, and yet the rate of all is not above {LEVEL:.0%} nor the highest, for the "
        f"highest of so many kinds (Bonferroni). *{FAILS}*: it is.\n"
    )
    order = {FAILS: 0, UNSURE: 1, HOLDS: 2}
    yield from _table(
        ("detector", "claim", "null", "kinds", "tests", "rate in all", "highest", "in", "verdict"),
        (
            (
                r["detector"], r["claim"], r["null"], r["kinds"], f"{r['tests']:,}", _said(r["all"]),
                _said(r["most"]), r["most"]["world"], r["verdict"],
            )
            for r in sorted(rows, key=lambda r: (order[r["verdict"]], r["detector"], r["claim"]))
        ),
    )  # fmt: skip


def summarised(part: pl.DataFrame) -> dict[str, Any]:
    """One claim over the kinds of world in which its null holds: counts, rates and a verdict.

    Args:
        part: Rows of ``Calibration.tests`` of one detector, claim and null.
    """
    tests, beaten = int(part["tests"].sum()), int(part["beaten"].sum())
    every = rated("beaten", beaten, tests)
    most = part.sort("rate", "tests", "world", descending=[True, True, False]).row(0, named=True)
    # Of many kinds one is the highest by chance.
    chance = min(_above(beaten, tests), *(part.height * _above(b, n) for b, n in part.select("beaten", "tests").rows()))
    verdict = (
        HOLDS if max(every["high"], part["high"].to_numpy().max()) <= BOUND else FAILS if chance < SURE else UNSURE
    )
    base = {name: part[name][0] for name in ("detector", "claim", "null")}
    return {**base, "kinds": part.height, "tests": tests, "all": every, "most": most, "verdict": verdict}


def _above(beaten: int, tests: int) -> float:
    """P that so many or more of the tests are beaten at the level."""
    from scipy.stats import binomtest

    return float(binomtest(beaten, tests, LEVEL, alternative="greater").pvalue)


def _span(counts: pl.Series) -> str:
    low, high = (int(n) for n in (counts.to_numpy().min(), counts.to_numpy().max()))
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _said(row: dict[str, Any]) -> str:
    rate, interval = _rate(row)
    return f"{rate} ({interval})"


def _discoveries(made: Calibration) -> Iterator[str]:
    yield "## False discoveries\n"
    yield (
        "Share of worlds without any planted structure in which something was called discovered (*stable* or better); what a "
        "world rightly holds all the same, such as roles in a two-way ring, is left out of the count.\n"
    )
    whole = made.claims.filter(pl.col("detector") == "all of them").sort("world")
    yield from _table(
        ("null world", "worlds", "discoveries", "rate", "interval", "by"),
        (
            (r["world"], f"{r['worlds']:,}", r["discovered"], *_rate(r), _culprits(made, r["world"]))
            for r in whole.to_dicts()
        ),
    )


def _alarms_table(made: Calibration) -> Iterator[str]:
    """Every claim in every null world: false alarms, and apart from them what is so although nothing is planted."""
    head = ("detector", "claim", "null", "null world", "worlds", "asked", "tests", "rate", "interval")
    rows = made.tests.sort("detector", "claim", "world").to_dicts()
    yield "## False alarms per test\n"
    yield (
        "Share of tests with p at or below the level, where what the claim says is not so. A world in which the detector had "
        "nothing to *ask* this claim of counts as a test that was not beaten, and so does a candidate that a first look "
        "dismissed. *Uniform* is the Kolmogorov-Smirnov p-value against uniform p-values, where the null holds exactly.\n"
    )
    yield from _table(
        (*head, "uniform"),
        ((*_cells(r), "" if r["uniform"] is None else f"{r['uniform']:.2g}") for r in rows if r["holds"]),
    )
    rightly = [r for r in rows if not r["holds"]]
    if rightly:
        yield "## Rightly beaten in null worlds\n"
        yield (
            "Here nothing is planted, and yet what the claim says is so: uneven activity does direct contacts, a circle of "
            "neighbours is grouped. High rates are no false alarms; a structure needs further claims, and that it lasts.\n"
        )
        yield from _table(head, (_cells(r) for r in rightly))


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    named = (row["detector"], row["claim"], row["null"], row["world"])
    return (*named, f"{row['worlds']:,}", f"{row['asked']:,}", f"{row['tests']:,}", *_rate(row))


def _culprits(made: Calibration, world: str) -> str:
    rows = made.claims.filter(
        (pl.col("world") == world) & (pl.col("discovered") > 0) & (pl.col("detector") != "all of them")
    )
    return ", ".join(f"{r['detector']} {r['discovered']}" for r in rows.sort("discovered", descending=True).to_dicts())


def _rate(row: dict[str, Any]) -> tuple[str, str]:
    return f"{row['rate']:.1%}", f"{row['low']:.1%}-{row['high']:.1%}"


def _table(head: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def _figure(made: Calibration, name: str, folder: Path) -> list[Path]:
    """False alarms of one detector by claim and world on the left, power on the right, as SVG."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from scenarios.worlds.world import worlds

    tests = made.tests.filter((pl.col("detector") == name) & pl.col("holds")).sort("claim", "world", descending=True)
    aimed = [w.name for _, w in worlds.items() if w.plants is not None and name in w.detectors]
    power = made.power.filter(pl.col("world").is_in(aimed)) if made.power.height else made.power
    figure = Figure(figsize=(11, max(3.2, 0.26 * tests.height + 1.2)), layout="constrained")
    FigureCanvasSVG(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _alarms(left, tests)
    _powers(right, power)
    figure.suptitle(name)
    path = folder / f"calibration-{name.replace('_', '-')}.svg"
    # Words as text: a tenth of the size, and they can be searched.
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    return [path]


def _alarms(axes: Any, tests: pl.DataFrame) -> None:
    rows = tests.to_dicts()
    for k, row in enumerate(rows):
        axes.plot([100 * row["low"], 100 * row["high"]], [k, k], color=COLOURS[0], linewidth=2)
        axes.plot(100 * row["rate"], k, "o", color=COLOURS[0], markersize=4)
    axes.axvline(100 * LEVEL, color=COLOURS[3], linestyle="--", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{_short(r['claim'])} / {r['world']}" for r in rows], fontsize=7)
    axes.set_xlim(0, max(12.0, max((100 * r["high"] for r in rows if r["tests"] >= 100), default=0.0) + 1))
    axes.set_xlabel("false alarms per test, % (dashed: the level)")


def _short(text: str, most: int = 46) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _powers(axes: Any, power: pl.DataFrame) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 102)
    axes.set_xlabel("strength planted")
    axes.set_ylabel("worlds in which it was discovered, %")
    if not power.height:
        axes.text(0.5, 50, "nothing planted for it", ha="center", color="grey")
        return
    for k, ((world,), part) in enumerate(power.group_by("world", maintain_order=True)):
        for j, ((events,), points) in enumerate(part.group_by("events", maintain_order=True)):
            line = points.sort("strength")
            axes.plot(
                line["strength"], 100 * line["rate"], DASHES[j % len(DASHES)], marker="o", markersize=3,
                color=COLOURS[k % len(COLOURS)], label=f"{world}, {events:,} events",
            )  # fmt: skip
    axes.legend(fontsize=7)
