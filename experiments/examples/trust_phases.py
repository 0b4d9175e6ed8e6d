"""A phase diagram: where equals fall into pairs, into pairs and stars, or into nothing that lasts, by how fast they forget.

    python -m experiments.examples.trust_phases [FOLDER]

Ten agents visit each other in proportion to weight (Skyrms and Pemantle 2000). The log holds every visit, so the weights are
rebuilt from it; two agents are linked while one gives the other more than a hundredth of its visits. A run is *transient*
when a part of that graph is neither a pair nor a star, or when the graph of half time is gone at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import experiments
from experiments.sweeps.phases import Diagram, diagram
from sim.record.log import Log

KEEPS = [0.3, 0.5, 0.7, 0.8, 0.9, 0.93, 0.95, 0.97, 0.99]
LINKED = 0.01
Parts = frozenset[tuple[str, frozenset[int]]]


def company(log: Log, values: Mapping[str, Any]) -> dict[str, Any]:
    """The phase of a run, and how many pairs, stars and other groups there are at its end."""
    half, end = (parts_of(weights) for weights in weights_of(log, values))
    kinds = [kind for kind, _ in end]
    if "other" in kinds or half != end:
        phase = "transient"
    else:
        phase = "pairs and stars" if "star" in kinds else "pairs"
    return {"phase": phase, **{f"{kind}s": kinds.count(kind) for kind in ("pair", "star", "other")}}


def weights_of(log: Log, values: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The weights at half time and at the end, shape (agents, agents)."""
    n, keep, gain = int(values["agents"]), float(values["keep"]), float(values["reinforcement"])
    visitor, host = (log.events[name].to_numpy().reshape(-1, n) for name in ("source", "target"))
    weights = np.ones((n, n)) - np.eye(n)
    half = weights
    for done, (a, b) in enumerate(zip(visitor, host, strict=True), start=1):
        weights = weights * keep
        np.add.at(weights, (a, b), gain)
        if values["both"]:
            np.add.at(weights, (b, a), gain)
        half = weights if done == len(visitor) // 2 else half
    return half, weights


def parts_of(weights: np.ndarray) -> Parts:
    """The connected parts of the graph of company, each a pair, a star, or something else."""
    share = weights / weights.sum(axis=1, keepdims=True)
    linked = (share > LINKED) | (share > LINKED).T
    reach = np.linalg.matrix_power(linked + np.eye(len(linked)), len(linked)) > 0
    return frozenset(
        (_kind(linked, group), group) for group in {frozenset(np.flatnonzero(row).tolist()) for row in reach}
    )


def _kind(linked: np.ndarray, group: frozenset[int]) -> str:
    inside = linked[np.ix_(sorted(group), sorted(group))]
    size, links = len(group), inside.sum() // 2
    if size == 2:
        return "pair"
    return "star" if size > 2 and links == size - 1 and inside.sum(axis=1).max() == size - 1 else "other"


def main(folder: Path) -> Diagram:
    """Run the sweep, print the diagram, and return it."""
    study = experiments.sweep(
        "trust_network",
        axes={"keep": KEEPS},
        seeds=20,
        until=1500,
        measures=[company],
        phases="phase",
        out=folder,
        resume=True,
    )
    drawn = diagram(study.runs(), x="keep")
    print(drawn.cells)
    print(drawn.transitions())
    print(f"Report: {study.folder / 'sweep.html'}")
    return drawn


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sweeps/trust"))
