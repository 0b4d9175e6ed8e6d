"""A sweep from a script: what losing requirements at hand-offs costs a factory, paired by seed.

    python -m experiments.examples.a_sweep [FOLDER]

The same seeds run with and without loss. The rules do not look at what gets lost, so every other measure has to stay exactly
as it was, run by run; quality falls by as much as the hand-offs of an item let it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

import experiments
from experiments.sweeps.statistics import comparisons, summary

LOSSES = [0.0, 0.02, 0.05, 0.1]


def main(folder: Path) -> pl.DataFrame:
    """Run the sweep and return what changes against no loss."""
    study = experiments.sweep(
        "factory",
        fixed={"agents": 24},
        axes={"handoff_loss": LOSSES},
        seeds=10,
        until=200,
        measures=["meters", "instruments"],
        out=folder,
        resume=True,
    )
    # Lazy: polars reads only the columns that are asked for.
    runs = study.runs()
    print(summary(runs, axes=["handoff_loss"], measures=["quality", "latency"]))
    changes = comparisons(runs, axis="handoff_loss", axes=["handoff_loss"])
    print(
        changes.filter(pl.col("difference") != 0).select("value", "measure", "difference", "low", "high", "effect", "q")
    )
    print(f"Report: {study.folder / 'sweep.html'}")
    return changes


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sweeps/loss"))
