"""Presence: where agents come and go, whether contacts show more than who was there at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim.detectors.core import Candidate, Claim
from sim.detectors.nulls import Null, add
from sim.detectors.window import Floats, Ints, Window

CLAIM = "it shows beyond who was there at the same time"
NULL = "NE"
# Nulls that exchange contacts over the whole run, as if everybody were there all the time.
TIMELESS = ("N1", "N1F", "N1G", "N1R", "N2", "NB", "NG", "NX")
BRIEF = 1e-6  # chance that evenly spread events lie as near each other, below which an agent came or went
COMING = 0.2  # share of contacts with somebody who came or went, from which the question is asked
PARTS = 12  # stretches in a typical stay: in one of them hardly anybody comes or goes
LEAST = 50  # contacts in a stretch
REPAIRS = 20  # tries to free a contact that was given to its own sender


@dataclass(frozen=True)
class Present:
    """A window with its contacts, ``rows``, and the stretch of time each lies in, both of shape (contacts,)."""

    window: Window
    rows: Ints
    stretch: Ints


def present(window: Window) -> Present | None:
    """The contacts in stretches in which hardly anybody comes or goes; None where agents stay.

    An agent came or went when its k contacts lie within a share f of all contacts and k evenly spread ones would do so
    with a chance of ``k f^(k-1) - (k-1) f^k`` (the range of k uniform numbers) below BRIEF. Time is counted in contacts, so
    nights do not matter.
    """
    rows = np.flatnonzero((window.target >= 0) & (window.target != window.source))
    if len(rows) < 2:
        return None
    ends = np.concatenate([window.source[rows], window.target[rows]])
    place = np.tile(np.arange(len(rows)), 2)
    count = np.bincount(ends, minlength=window.n)
    first, last = np.full(window.n, len(rows)), np.zeros(window.n, dtype=np.int64)
    np.minimum.at(first, ends, place)
    np.maximum.at(last, ends, place)
    brief = (count > 1) & (_chance(count, (last - first) / (len(rows) - 1)) < BRIEF)
    if brief[window.source[rows]].mean() < COMING and brief[window.target[rows]].mean() < COMING:
        return None
    stay = float(np.median(np.repeat((last - first)[brief], count[brief])))
    return Present(window, rows, np.arange(len(rows)) // max(LEAST, round(stay / PARTS)))


def _chance(count: Ints, share: Floats) -> Floats:
    """Chance that so many evenly spread events lie within a share of the time, shape (agents,)."""
    k, f = np.maximum(count, 2).astype(np.float64), np.clip(share, 0.0, 1.0)
    return np.asarray(k * f ** (k - 1.0) - (k - 1.0) * f**k)


def exchange(sample: Present, rng: np.random.Generator) -> Present:
    """NE: exchange the receivers of contacts inside each stretch; nobody is given a contact with itself if it can be helped."""
    source, held = sample.window.source[sample.rows], sample.window.target[sample.rows]
    target = held[np.lexsort((rng.random(len(held)), sample.stretch))]
    edge = np.searchsorted(sample.stretch, np.arange(sample.stretch[-1] + 2))
    for _ in range(REPAIRS):
        own = np.flatnonzero(source == target)
        if not len(own):
            break
        low, high = edge[sample.stretch[own]], edge[sample.stretch[own] + 1]
        for i, j in zip(
            own.tolist(), (low + (rng.random(len(own)) * (high - low)).astype(np.int64)).tolist(), strict=True
        ):
            if source[i] != target[j] and source[j] != target[i]:
                target[i], target[j] = target[j], target[i]
    whole = sample.window.target.copy()
    whole[sample.rows] = target
    return replace(sample, window=replace(sample.window, target=whole))


def asked(claims: Sequence[Claim]) -> list[Claim]:
    """Those of the claims that a run in which agents come and go could beat by that alone."""
    return [claim for claim in claims if claim.null in TIMELESS]


def statistic(claims: Sequence[Claim], candidate: Candidate) -> Callable[[Present], Floats]:
    """The statistics of the claims for one candidate, shape (claims,); 0 where there is nothing to see."""

    def seen(sample: Present) -> Floats:
        made = [(claim, claim.sample(sample.window, [candidate])) for claim in claims]
        return np.array([0.0 if s is None else float(c.statistic(s, [candidate])[0]) for c, s in made])

    return seen


add(
    Null(
        NULL,
        "how often each agent acts, and is acted on, in each stretch of time",
        "whom they meet among those who are there",
        "more than who was there at the same time",
        Present,
        exchange,
    )
)
