"""Shuffles: the kernel of the nulls that exchange values among places that are alike (N4, NT, NM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.detectors.window import Floats, Ints


@dataclass(frozen=True)
class Alike:
    """Places in groups of which the members may be exchanged.

    Attributes:
        home: The places, group by group, shape (places,).
        edge: Where each group begins in ``home``, and the end, shape (groups + 1,).
    """

    home: Ints
    edge: Ints


def alike(group: Ints) -> Alike:
    """The groups of places that carry the same number in ``group``, shape (places,)."""
    home = np.argsort(group, kind="stable")
    sizes = np.bincount(np.unique(group, return_inverse=True)[1]) if len(group) else np.zeros(0, dtype=np.int64)
    return Alike(home, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)]))


def _shuffle(values: NDArray[Any], home: Ints, edge: Ints, draws: Floats, keep: bool) -> None:
    """Exchange the values of each row inside each group, in place (Fisher and Yates); with ``keep`` those below 0 stay."""
    free = np.empty(values.shape[1], dtype=np.int64)
    for row in range(values.shape[0]):
        for g in range(len(edge) - 1):
            size = 0
            for k in range(edge[g], edge[g + 1]):
                if not keep or values[row, home[k]] >= 0:
                    free[size] = home[k]
                    size += 1
            for k in range(size - 1, 0, -1):
                a, b = free[k], free[int(draws[row, edge[g] + k] * (k + 1))]
                values[row, a], values[row, b] = values[row, b], values[row, a]


shuffle = njit(cache=True)(_shuffle)


def shuffled(values: NDArray[Any], places: Alike, rng: np.random.Generator, *, keep: bool = False) -> NDArray[Any]:
    """Values with each row exchanged at random inside the groups of places, all orders alike.

    Args:
        values: Shape (rows, places).
        places: Which places are alike.
        rng: Source of the draws.
        keep: Values below 0 stay in place.

    Returns:
        New values, shape (rows, places).
    """
    made = np.array(values, order="C")
    shuffle(made, places.home, places.edge, rng.random(made.shape), keep)
    return made
