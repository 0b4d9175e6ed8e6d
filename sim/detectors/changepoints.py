"""Change points: when the level of one or several series shifted for good, told apart from slow wandering.

A series that only remembers its past wanders, and penalties made for independent values report shifts in 25 to 84 % of such
series (autocorrelation 0.5 to 0.8). Here every shift is tested by the likelihood ratio of an autoregressive course with and
without a shift, the autocorrelation fitted anew on either side of the comparison, against courses redrawn from the fit
without one (null NAR).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.detectors.nulls import Null, add
from sim.detectors.window import Floats, Ints

GRID = np.linspace(-0.4, 0.96, 35)  # autocorrelations tried
LEAST = 4  # values on each side of a shift
SHORTEST = 16  # values below which nothing is said
DRAWS, STOP = 199, 20
HIGHEST = 0.97  # autocorrelation of a redrawn course
NEAR = np.array([1.0, 1.001, 1.0])  # a value and its neighbours; where one holds all, it is the place
SHIFTING = 0.2  # share of several series that is expected to shift when any does


@dataclass(frozen=True)
class Course:
    """Series over common times, shape (series, times)."""

    values: Floats


@dataclass(frozen=True)
class Shift:
    """A shift of level.

    Attributes:
        at: Index of the first value after the shift.
        p: Its p-value, given the shifts found before it.
        before: Level of each series before, back to the last shift, shape (series,).
        after: Level of each series after, up to the next shift, shape (series,).
    """

    at: int
    p: float
    before: Floats
    after: Floats


def _residual(values: Floats) -> tuple[Floats, Floats]:
    """Least sum of squares of an autoregressive course without shift, per series and autocorrelation in GRID; and the lags."""
    now, past = values[:, 1:], values[:, :-1]
    left = now[:, None, :] - GRID[:, None] * past[:, None, :]
    left -= left.mean(axis=2, keepdims=True)
    return (left**2).sum(axis=2), left


def gains(values: Floats) -> tuple[Floats, Ints]:
    """Log-likelihood ratio of a shift of each series at each place it can be, shape (series, places), and the places.

    Model: y_t = a + d [t >= k] + u_t, u_t = r u_{t-1} + e_t, conditional on the first value; a, d, r and the variance are
    fitted by least squares for each k, with r on GRID. Reference: additive level shift of Chen & Liu 1993, J. Am. Stat.
    Assoc. 88:284.
    """
    series, times = values.shape
    alone, left = _residual(values)
    steps = times - 1  # transformed values, of times 1 to times - 1
    k = np.arange(LEAST, times - LEAST + 1)
    behind = np.concatenate([np.cumsum(left[:, :, ::-1], axis=2)[:, :, ::-1], np.zeros((series, len(GRID), 1))], axis=2)
    # The step at k is 1 at time k and 1 - r after it; time k is place k - 1 of the transformed values.
    slope = 1.0 - GRID[:, None]
    count = (steps - k)[None, :]
    product = left[:, :, k - 1] + slope * behind[:, :, k]
    total = 1.0 + slope * count
    square = 1.0 + slope**2 * count - total**2 / steps
    with_step = alone[:, :, None] - product**2 / np.maximum(square, 1e-12)
    best = np.maximum(with_step.min(axis=1), 1e-12 * np.maximum(alone.min(axis=1), 1e-300)[:, None])
    gain = steps / 2.0 * np.log(np.maximum(alone.min(axis=1), 1e-300)[:, None] / np.maximum(best, 1e-300))
    return gain, k


def likeliest(values: Floats) -> tuple[int, float]:
    """Where the series shift together, and how much likelier a shift there is than none (log).

    Definition: each series shifts with probability SHIFTING or goes on, so that a few that shift are not lost among many
    that do not: sum over series of log(1 - q + q exp(gain)) (Siegmund, Yakir, Zhang 2011, Ann. Appl. Stat. 5:645). The score
    is its maximum over places. The place is the one that holds most of the likelihood together with both its neighbours,
    which is right within one value more often than the maximum is.
    """
    gain, k = gains(values)
    together = np.logaddexp(np.log(1.0 - SHIFTING), np.log(SHIFTING) + gain).sum(axis=0)
    mass = np.exp(together - together.max())
    return int(k[np.convolve(mass, NEAR, mode="same").argmax()]), float(together.max())


def redraw(sample: Course, rng: np.random.Generator) -> Course:
    """NAR: courses with the same autocorrelation and the same innovations in another order, all series together."""
    values = sample.values
    series, times = values.shape
    alone, left = _residual(values)
    best = alone.argmin(axis=1)
    memory = GRID[best]
    memory = np.clip(memory + (1.0 + 3.0 * memory) / times, -HIGHEST, HIGHEST)  # small-sample bias (Kendall 1954)
    new = left[np.arange(series), best]
    # A burn-in as long as the course lets it forget its start.
    drawn = new[:, rng.integers(0, times - 1, 2 * times)]
    made = np.empty_like(drawn)
    state = np.zeros(series)
    for t in range(2 * times):
        state = memory * state + drawn[:, t]
        made[:, t] = state
    return Course(made[:, times:])


add(
    Null(
        "NAR",
        "how each series wanders: its autocorrelation and the size of its steps, and that series move together",
        "lasting shifts of level",
        "the level has shifted",
        Course,
        redraw,
    )
)


def first_shift(values: Floats, rng: np.random.Generator, *, draws: int = DRAWS) -> tuple[int, float]:
    """The likeliest shift and its p-value (sequential Monte Carlo, at most ``draws`` redrawn courses)."""
    at, score = likeliest(values)
    above = 0
    for drawn in range(1, draws + 1):
        above += likeliest(redraw(Course(values), rng).values)[1] >= score
        if above >= STOP:
            return at, above / drawn
    return at, (1 + above) / (1 + draws)


def change_points(values: Floats, *, alpha: float = 0.05, seed: int = 0) -> tuple[Shift, ...]:
    """Times at which the level of the series shifted for good.

    Definition: the likeliest shift of level of an autoregressive course; if it beats NAR, both sides are searched again.
    Range: any number of shifts at least LEAST values apart. None: nothing but wandering, or fewer than SHORTEST values.
    Chance level: at most ``alpha`` of courses without shift show any. Null: NAR. Fooled by: trends, which are cut into
    steps; memory longer than autoregression of order one; cycles. Power: a shift of 2 standard deviations among 50 values
    without memory is located within one value in 87 % of single series (91 % could be, were both levels known) and in
    95 % or more where two or more series shift (docs/detectors.md). References: Vostrikova 1981, Sov. Math. Dokl. 24:55
    (binary segmentation); Besag & Clifford 1991 (sequential p).

    Args:
        values: One series, shape (times,), or several, shape (series, times); those that never change are left out.
        alpha: Level of each test.
        seed: Of the redrawn courses.

    Raises:
        ValueError: For values that are not finite.
    """
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if not np.isfinite(table).all():
        raise ValueError("change_points: expected finite values, got NaN or infinity; leave such windows out.")
    spread = table.std(axis=1)
    kept = spread > 1e-9 * np.maximum(np.abs(table).max(axis=1, initial=0.0), 1e-300)
    if not kept.any() or table.shape[1] < SHORTEST:
        return ()
    scaled = (table[kept] - table[kept].mean(axis=1, keepdims=True)) / spread[kept, None]
    rng = np.random.default_rng([seed, table.shape[1]])
    found = sorted(_search(scaled, 0, alpha, rng))
    ends = [0, *(at for at, _ in found), table.shape[1]]
    return tuple(
        Shift(at, p, table[:, ends[i] : at].mean(axis=1), table[:, at : ends[i + 2]].mean(axis=1))
        for i, (at, p) in enumerate(found)
    )


def _search(values: Floats, offset: int, alpha: float, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Shifts in a stretch of the series that begins at ``offset``."""
    if values.shape[1] < SHORTEST or (values.std(axis=1) <= 1e-12).any():
        return []
    at, p = first_shift(values, rng, draws=max(DRAWS, int(np.ceil(2.0 / alpha))))
    if p > alpha:
        return []
    left, right = values[:, :at], values[:, at:]
    return [(offset + at, p), *_search(left, offset, alpha, rng), *_search(right, offset + at, alpha, rng)]
