"""A finite-size study: how long a population needs to agree on a word, and what the exponent is worth at these sizes.

    python -m experiments.examples.naming_sizes [FOLDER]

The number of games until consensus is known to grow as N to the power 1.5 for very large populations (Baronchelli et al.
2006). At sizes that finish in a minute the fit gives less, and the exponents between neighbouring sizes tell that the law is
not reached yet: compare runs at equal size, not published exponents.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

import experiments
from experiments.sweeps.transitions import Scaling, scaling
from sim.record.log import Log

SIZES = [50, 100, 200, 400, 800]


def consensus(log: Log, values: Mapping[str, Any]) -> dict[str, Any]:
    """Games until everybody shares one word; None when the run ended before."""
    failed = log.events.filter(pl.col("value") == 0)["seq"]
    games = int(failed.max()) + 1 if len(failed) else 0  # type: ignore[arg-type]
    # After the last failure a whole sweep and more of successes has to follow, or the end of the run came first.
    settled = log.events.height - games > 5 * int(values["agents"])
    return {"consensus_games": games if settled else None}


def main(folder: Path) -> Scaling:
    """Run the sweep, print the exponent, and return it."""
    study = experiments.sweep(
        "naming", axes={"agents": SIZES}, seeds=20, until=150, measures=[consensus], out=folder, resume=True
    )
    runs = study.runs().select("agents", "consensus_games").collect()
    samples = {
        float(size): runs.filter(pl.col("agents") == size)["consensus_games"].cast(pl.Float64).to_numpy()
        for size in SIZES
    }
    made = scaling(samples)
    print(f"games until consensus = {made.factor:.2f} N ^ {made.exponent:.3f}  ({made.low:.3f} to {made.high:.3f})")
    for first, second, exponent in made.local:
        print(f"  from {first:g} to {second:g}: {exponent:.3f}")
    print(f"Report: {study.folder / 'sweep.html'}")
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sweeps/naming"))
