"""When the organisation changed: shifts of level of the features of contacts, from window to window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.detectors.changepoints import SHORTEST, change_points
from sim.detectors.features import QUICK, quick
from sim.detectors.nulls import Links
from sim.detectors.report import Row, time_said
from sim.detectors.window import Window

NAME = "change points"
CLAIM = "the organisation changed for good"
MOST_WINDOWS, PER_WINDOW = 50, 40
MOST_RUNS = 20
TOLD = 3  # features named in a sentence
FRESH = "distinct pairs"  # over contacts: low where the same agents meet again and again
FEATURES = (*QUICK, FRESH)
CLEAR = 0.5  # standard deviations of a feature's change from which it is named


@dataclass(frozen=True)
class Turn:
    """A time at which features of the contacts shifted for good.

    Attributes:
        run: The run.
        time: Where the window that shows the shift begins.
        p: p-value against NAR.
        before: Feature to its level before.
        after: Feature to its level after.
    """

    run: str
    time: float
    p: float
    before: dict[str, float]
    after: dict[str, float]

    @property
    def sentence(self) -> str:
        """The turn in words, features that changed most first."""
        moved = "; ".join(f"{n} from {self.before[n]:.2g} to {self.after[n]:.2g}" for n in list(self.before)[:TOLD])
        where = f"Run {self.run}: the" if self.run else "The"
        return (
            f"{where} organisation changed at time {time_said(self.time)} ({moved}; p = {self.p:.2g}); it would be refuted by "
            "as large a shift in courses that only wander."
        )


def _contacts(window: Window) -> Links:
    rows = (window.target >= 0) & (window.target != window.source)
    n = max(window.n, 1)
    pair, count = np.unique(window.source[rows] * n + window.target[rows], return_counts=True)
    source, target = np.divmod(pair, n)
    return Links(window.n, source, target, count, directed=True)


def _features(window: Window) -> list[float]:
    links = _contacts(window)
    return [*quick(links).values(), len(links.count) / max(int(links.count.sum()), 1)]


def turns(window: Window, *, alpha: float, seed: int) -> tuple[list[Turn], Row]:
    """Turning points of one run, and the row of the ledger on whether there are any."""
    used = np.asarray((window.target >= 0) & (window.target != window.source))
    count = min(MOST_WINDOWS, int(used.sum()) // PER_WINDOW)
    if count < SHORTEST:
        least = SHORTEST * PER_WINDOW
        why = f"fewer than {least} contacts between agents, for {SHORTEST} windows of {PER_WINDOW}"
        return [], Row(NAME, CLAIM, "NAR", None, None, "insufficient data", why, run=window.run)
    parts = window.parts(count, of=used)
    values = np.array([_features(part) for part in parts]).T
    shifts = change_points(values, alpha=alpha, seed=seed)
    spread = np.maximum(values.std(axis=1), 1e-12)
    found = []
    for shift in shifts:
        size = np.abs(shift.after - shift.before) / spread
        order = [k for k in np.argsort(-size) if size[k] >= CLEAR] or [int(np.argmax(size))]
        before = {FEATURES[k]: float(shift.before[k]) for k in order}
        after = {FEATURES[k]: float(shift.after[k]) for k in order}
        found.append(Turn(window.run, float(parts[shift.at].span[0]), shift.p, before, after))
    p = min((s.p for s in shifts), default=1.0)
    reason = f"{len(shifts)} shifts of {len(FEATURES)} features over {count} windows" if shifts else (
        f"no shift of {len(FEATURES)} features over {count} windows beyond wandering"
    )  # fmt: skip
    verdict = "beaten" if shifts else "not beaten"
    return found, Row(NAME, CLAIM, "NAR", p, p, verdict, reason, run=window.run)
