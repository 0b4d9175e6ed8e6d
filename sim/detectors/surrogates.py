"""Monte Carlo tests: sequential surrogate p-values for several candidates at once, and Benjamini-Hochberg q-values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.detectors.nulls import Null
from sim.detectors.window import Bools, Floats, Ints

LEAST = 19
AHEAD = 16  # surrogates are drawn and counted together, one more for every AHEAD that were needed so far


@dataclass(frozen=True)
class Surrogates:
    """How many surrogates a test may use.

    Attributes:
        most: Largest number, 19 to 1999; None lets the engine choose it from the number of tests, before any result.
        stop: A test ends early once this many surrogates were at least as extreme (Besag & Clifford 1991).
    """

    most: int | None = None
    stop: int = 10

    def __post_init__(self) -> None:
        if self.most is not None and not LEAST <= self.most <= 1999:
            raise ValueError(f"surrogates: expected 19 to 1999, got {self.most}.")
        if self.stop < 1:
            raise ValueError(f"surrogates: expected to stop at 1 or more exceedances, got {self.stop}.")

    def chosen(self, tests: int, *, alpha: float) -> int:
        """Largest number of surrogates for a ledger of ``tests`` tests: enough for a lone true claim to survive BH."""
        if self.most is not None:
            return self.most
        needed = 2 * max(tests, 1) / alpha
        return next((r for r in (199, 499, 999) if r >= needed), 1999)


@dataclass(frozen=True)
class Test:
    """Outcome of one claim on several candidates: arrays of shape (candidates,).

    Attributes:
        score: Observed statistic.
        chance: Mean over surrogates.
        spread: Standard deviation over surrogates.
        p: Sequential Monte Carlo p-value, ties broken at random; 1 where the null has no freedom.
        drawn: Surrogates each p rests on.
        frozen: The null left no other arrangement: every surrogate had the observed value.
    """

    score: Floats
    chance: Floats
    spread: Floats
    p: Floats
    drawn: Ints
    frozen: Bools


def compare(
    sample: Any, statistic: Callable[[Any], Floats], null: Null, *, most: int, stop: int, rng: np.random.Generator
) -> Test:
    """Test ``statistic(sample)`` against surrogates of ``null`` until every candidate is decided.

    p = stop / r when the ``stop``-th exceedance comes at surrogate r > 19, else (1 + exceedances) / (1 + drawn) after
    19 or all of them: exact under the null (Besag & Clifford 1991, Biometrika 78:301). Equal values count by a random
    tie-breaker, so that p is uniform for discrete statistics too.

    Raises:
        TypeError: When the sample is not of the type the null takes.
    """
    if not isinstance(sample, null.takes):
        raise TypeError(f"null {null.name} takes {null.takes.__name__}, got {type(sample).__name__}.")
    score = np.asarray(statistic(sample), dtype=np.float64)
    mine = rng.random(len(score))
    above, drawn = np.zeros(len(score), dtype=np.int64), np.zeros(len(score), dtype=np.int64)
    p, undecided, r = np.full(len(score), np.nan), np.ones(len(score), dtype=bool), 0
    values: list[Floats] = []
    low, high = _near(score)
    while r < most and undecided.any():
        size = min(most - r, 1 + r // AHEAD) if r else LEAST  # nothing is decided before LEAST
        pairs = [(statistic(null.draw(sample, rng)), rng.random(len(score))) for _ in range(size)]
        value, luck = (np.array(both, dtype=np.float64) for both in zip(*pairs, strict=True))
        values.append(value)
        tied = (low <= value) & (value <= high)
        counted = above + np.cumsum(np.where(tied, luck > mine, value > score), axis=0)
        number = r + 1 + np.arange(size)[:, None]
        enough = (counted >= stop) & (number >= LEAST)
        for k in np.flatnonzero(undecided & enough.any(axis=0)):
            at = int(enough[:, k].argmax())
            above[k], drawn[k], undecided[k] = counted[at, k], r + 1 + at, False
            p[k] = above[k] / drawn[k] if drawn[k] > LEAST else (1.0 + above[k]) / (1.0 + drawn[k])
        above, r = np.where(undecided, counted[-1], above), r + size
        drawn[undecided] = r
        if r == LEAST and np.allclose(value, score, rtol=1e-9, atol=1e-12):
            break
    p[undecided] = (1.0 + above[undecided]) / (1.0 + drawn[undecided])
    seen = np.concatenate(values)
    frozen = np.asarray(np.isclose(seen, score, rtol=1e-9, atol=1e-12).all(axis=0))
    return Test(score, seen.mean(axis=0), seen.std(axis=0), np.where(frozen, 1.0, p), drawn, frozen)


def _near(score: Floats) -> tuple[Floats, Floats]:
    """Bounds between which a value counts as equal to ``score``: ``np.isclose`` for each surrogate outlasts most nulls."""
    near = np.where(np.isfinite(score), 1e-12 + 1e-9 * np.abs(score), 0.0)
    return score - near, score + near


def q_values(p: Sequence[float], *, tests: int | None = None) -> list[float]:
    """Benjamini-Hochberg q-values: the smallest false discovery rate at which each test would be accepted.

    Formula: q_(k) = min over j >= k of p_(j) m / j. ``tests`` is m when further tests were planned and not carried out;
    they count as p = 1. Reference: Benjamini & Hochberg 1995.
    """
    if not p:
        return []
    values = np.asarray(p, dtype=np.float64)
    m = max(len(values), tests or 0)
    rank = np.argsort(values)
    raw = values[rank] * m / np.arange(1, len(values) + 1)
    q = np.empty(len(values))
    q[rank] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return [float(x) for x in q]
