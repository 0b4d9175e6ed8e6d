"""The load at which the learning factory stops organising: routes to the able dissolve once everybody avoids queues.

    python -m experiments.examples.factory_load [FOLDER]

Agents that learn whom to trust, but pass work to whoever is free and give it back when more than one item waits. Under light
load trust decides, and the same agent passes the same kind of task to the same neighbour early and late. Near capacity
queues decide, and who passes what to whom is forgotten as soon as it happened.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

import experiments
from experiments.sweeps.transitions import Transition, locate, matrix
from sim.record.log import Log

LOADS = [0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0]
UNTIL = 500.0
# A quarter of the way from chance to fixed routes.
ORGANISED = 0.25


def routes(log: Log, values: Mapping[str, Any]) -> dict[str, Any]:
    """How far routes last: whether two hand-offs of the same task by the same agent, one in the third and one in the last
    quarter of the run, go to the same neighbour; 0 by chance, 1 with fixed routes.
    """
    place = ["source", "task"]
    moves = log.events.filter((pl.col("kind").cast(pl.String) == "handoff") & (pl.col("time") > UNTIL / 2))
    counts = moves.group_by(*place, "target", late=pl.col("time") > 0.75 * UNTIL).len()
    shares = counts.with_columns(
        share=pl.col("len") / pl.col("len").sum().over(*place, "late"), total=pl.col("len").sum().over(*place, "late")
    )
    early, late = shares.filter(~pl.col("late")), shares.filter(pl.col("late"))
    totals = [part.select(*place, "total").unique() for part in (early, late)]
    both = (
        totals[0]
        .join(totals[1], on=place, suffix="_late")
        .with_columns(weight=pl.min_horizontal("total", "total_late"))
    )
    met = early.join(late, on=[*place, "target"], suffix="_late")
    same = met.group_by(place).agg(same=(pl.col("share") * pl.col("share_late")).sum())
    table = both.join(same, on=place, how="left").with_columns(pl.col("same").fill_null(0.0))
    if not table.height:
        return {"routes": None, "phase": "nothing"}
    weights, agreed = table["weight"].to_numpy(), table["same"].to_numpy()
    again = float((agreed * weights).sum() / weights.sum())
    chance = 1 / int(values["degree"])
    order = (again - chance) / (1 - chance)
    return {"routes": order, "phase": "organised" if order > ORGANISED else "nothing"}


def main(folder: Path) -> Transition:
    """Run the sweep, print where routes dissolve, and return it."""
    study = experiments.sweep(
        "factory",
        preset="overload",
        fixed={"agents": 24},
        axes={"load": LOADS},
        seeds=10,
        until=UNTIL,
        measures=["meters", routes],
        phases="phase",
        out=folder,
        resume=True,
    )
    at = locate(*matrix(study.runs(), axis="load", measure="routes"))
    print(f"Routes last half as well as at light load at load {at.location:.2f} ({at.low:.2f} to {at.high:.2f}).")
    print(f"Report: {study.folder / 'sweep.html'}")
    return at


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sweeps/load"))
