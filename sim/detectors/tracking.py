"""Tracking: which structure of one window is which in the next, how long it stood, and how fast it decays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from sim.detectors.measures import agreement_beyond_chance, shared_information
from sim.detectors.nulls import Frames, permute_between_windows
from sim.detectors.window import Bools, Floats

SAME = 0.3  # Jaccard overlap from which two sets count as the same one (Greene, Doyle, Cunningham 2010)
PRESENT = 0.5  # share of the best agreement beyond chance from which a structure counts as standing
MOST_OF = 0.5  # share of a set that has to come from, or go to, another for a merge or split


@dataclass(frozen=True)
class Change:
    """What happened to one part between two windows; numbers are positions in the lists of parts.

    ``kind`` is birth, death, continue, split or merge; ``before`` and ``after`` hold the parts involved.
    """

    window: int
    kind: str
    before: tuple[int, ...]
    after: tuple[int, ...]


def jaccard(a: frozenset[Any], b: frozenset[Any]) -> float:
    """Members in both over members in either; range [0, 1], 0 for two empty sets."""
    union = len(a | b)
    return len(a & b) / union if union else 0.0


def changes(parts: Sequence[Sequence[frozenset[Any]]]) -> list[Change]:
    """Follow parts through windows: continue, birth, death, split, merge.

    Parts of consecutive windows are matched by the assignment with the largest total Jaccard overlap; a match below
    SAME is none. An unmatched new part that took MOST_OF its members from a matched old one is a split, an unmatched
    old part that gave MOST_OF its members to a matched new one is a merge.
    """
    found = []
    for w in range(1, len(parts)):
        found += _step(w, parts[w - 1], parts[w])
    return found


def _step(window: int, before: Sequence[frozenset[Any]], after: Sequence[frozenset[Any]]) -> list[Change]:
    overlap = np.array([[jaccard(a, b) for b in after] for a in before]).reshape(len(before), len(after))
    rows, columns = linear_sum_assignment(-overlap)
    match = {int(a): int(b) for a, b in zip(rows, columns, strict=True) if overlap[a, b] >= SAME}
    found = []
    taken = set(match.values())
    splits: dict[int, list[int]] = {}
    merges: dict[int, list[int]] = {}
    for b in set(range(len(after))) - taken:
        origin = [a for a in match if len(before[a] & after[b]) > MOST_OF * len(after[b])]
        if origin:
            splits.setdefault(origin[0], []).append(b)
        else:
            found.append(Change(window, "birth", (), (b,)))
    for a in set(range(len(before))) - set(match):
        heir = [b for b in taken if len(before[a] & after[b]) > MOST_OF * len(before[a])]
        if heir:
            merges.setdefault(heir[0], []).append(a)
        else:
            found.append(Change(window, "death", (a,), ()))
    for a, b in match.items():
        if a in splits:
            found.append(Change(window, "split", (a,), (b, *splits[a])))
        elif b in merges:
            found.append(Change(window, "merge", (a, *merges[b]), (b,)))
        else:
            found.append(Change(window, "continue", (a,), (b,)))
    return found


def likeness(a: NDArray[Any], b: NDArray[Any], *, nominal: bool) -> float:
    """Agreement of two frames: shared information of groupings, or the cosine of two vectors of excess.

    Range: [0, 1] nominal (over the slots present in both), [-1, 1] otherwise; 0 when either is empty. Chance level: 0
    for vectors, the N4 mean for groupings.
    """
    if nominal:
        both = (a >= 0) & (b >= 0)
        return shared_information(a[both], b[both]) if both.sum() > 1 else 0.0
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0


def _overlap(values: NDArray[Any]) -> float:
    """Sum of dot products of consecutive rows over the sum of products of their lengths; 0 for rows of zeros."""
    product, scale, length = 0.0, 0.0, 0.0
    for row in range(values.shape[0]):
        square, last = 0.0, length
        for k in range(values.shape[1]):
            square += values[row, k] * values[row, k]
            if row > 0:
                product += values[row - 1, k] * values[row, k]
        length = np.sqrt(square)
        scale += last * length
    return product / scale if scale > 0 else 0.0


overlap = njit(cache=True)(_overlap)


def persistence(frames: Frames) -> float:
    """Mean agreement of consecutive windows, the statistic of every claim that a structure lasts; null: N4.

    Vectors are weighted by their length, so windows with much evidence count more: sum of dot products over sum of
    products of lengths. Range and chance level as ``likeness``.
    """
    values = frames.values
    if len(values) < 2:
        return 0.0
    if frames.nominal:
        return float(np.mean([likeness(a, b, nominal=True) for a, b in pairwise(values)]))
    return float(overlap(values))


@dataclass(frozen=True)
class Life:
    """When a structure stood, window by window.

    Attributes:
        agreement: Agreement of each window with the most typical one, shape (windows,).
        present: Windows in which it stood.
        first: First window of the longest unbroken stretch, or -1.
        last: Last window of that stretch, or -1.
        half_life: Windows until agreement between windows has fallen to half, or None when it never does in this log.
    """

    agreement: Floats
    present: Bools
    first: int
    last: int
    half_life: float | None


def life(frames: Frames, *, rng: np.random.Generator, draws: int = 29) -> Life:
    """Find the windows in which the structure stood: those with at least half of the best agreement beyond chance.

    Agreement is with the most typical window (the one that agrees most with all others), so a late structure is not
    blurred by what was before it; chance is the mean over ``draws`` permutations of N4.
    """
    among = np.array([[likeness(a, b, nominal=frames.nominal) for b in frames.values] for a in frames.values])
    np.fill_diagonal(among, 0.0)
    typical = int(np.argmax(among.sum(axis=1)))
    reference = frames.values[typical]
    agreement = np.array([likeness(f, reference, nominal=frames.nominal) for f in frames.values])
    chance = np.array(
        [
            [likeness(f, reference, nominal=frames.nominal) for f in permute_between_windows(frames, rng).values]
            for _ in range(draws)
        ]
    )
    gain = agreement - chance.mean(axis=0)
    others = np.delete(gain, typical)  # a window agrees with itself by definition
    present = (gain >= PRESENT * others.max(initial=0.0)) & (gain > 0.0)
    first, last = _longest(present)
    return Life(agreement, present, first, last, _half_life(frames, first, last))


def _longest(present: Bools) -> tuple[int, int]:
    best, start = (-1, -1), None
    for k, here in enumerate([*present.tolist(), False]):
        if here and start is None:
            start = k
        if not here and start is not None:
            if k - start > best[1] - best[0] + (best[0] >= 0):
                best = (start, k - 1)
            start = None
    return best


def _half_life(frames: Frames, first: int, last: int) -> float | None:
    """Lag at which mean agreement (beyond chance) has fallen to half of that between neighbours; None if never."""
    values = frames.values[first : last + 1] if first >= 0 else frames.values
    score = agreement_beyond_chance if frames.nominal else None
    means = []
    for lag in range(1, len(values)):
        pairs = list(zip(values[:-lag], values[lag:], strict=True))
        means.append(float(np.mean([_beyond(a, b, score) for a, b in pairs])))
        if means[-1] <= 0.5 * means[0]:
            return float(lag)
    return None


def _beyond(a: NDArray[Any], b: NDArray[Any], score: Any) -> float:
    if score is None:
        return likeness(a, b, nominal=False)
    both = (a >= 0) & (b >= 0)
    return float(score(a[both], b[both])) if both.sum() > 1 else 0.0
