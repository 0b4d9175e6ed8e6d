"""The test for grouping that teams, brokers and shapes share: modularity against pairs rewired with who began them (N1F)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.detectors.core import Candidate
from sim.detectors.dyads import Dyads, rewire_pairs
from sim.detectors.groups import best_modularity
from sim.detectors.window import Floats

GROUPED = "contacts are grouped beyond degrees"
SCREEN = 5  # surrogates of the cheap look that decides whether a test is worth its time


def grouping(sample: Dyads, candidates: Sequence[Candidate]) -> Floats:
    """Modularity of the Louvain groups of the pairs, the same for every candidate."""
    return np.full(len(candidates), best_modularity(sample.met()))


def screened(sample: Dyads) -> str:
    """Why a full test would be wasted: modularity is within the range of a few rewired graphs. Empty when it is not."""
    rng = np.random.default_rng([len(sample.first), int(sample.there.sum())])
    score = best_modularity(sample.met())
    drawn = sorted(best_modularity(rewire_pairs(sample, rng).met()) for _ in range(SCREEN))
    return "" if score > drawn[-2] else f"modularity {score:.2f} is not above that of {SCREEN} rewired graphs"
