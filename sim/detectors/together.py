"""Together: what a small team's states foretell as a whole and its members do not, and the null that keeps each member."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.detectors.nulls import Null, Series, add
from sim.detectors.series import Sampled
from sim.detectors.window import Floats, Ints

LEVELS = 4  # of a shared signal with more values than that
BIT = float(np.log(2.0))


@dataclass(frozen=True)
class Team(Series):
    """Series of the members of small teams.

    Attributes:
        cut: Value above which a member is high, shape (agents,).
        level: Level of the signals that all could observe, shape (times,); all 0 where there are none.
        now: Times that are followed by the next time on record, shape (pairs,); redrawn ones may repeat.
    """

    cut: Floats
    level: Ints
    now: Ints

    @property
    def signs(self) -> Floats:
        """+1 where a member is high, -1 elsewhere, shape (agents, times)."""
        return np.where(self.values > self.cut[:, None], 1.0, -1.0)


def shift_within_levels(sample: Team, rng: np.random.Generator) -> Team:
    """NS: shift each agent's series round, by an amount of its own, among the times at one level of the shared signals.

    Keeps what each agent does at each level and, with one level, its whole course in time; destroys that agents go
    together beyond the signals. Pairs of times at which the end of somebody's series meets its beginning are left out: a
    series of long memory jumps there, as it never did.
    """
    values = sample.values.copy()
    levels = np.unique(sample.level)
    jumps = np.zeros(values.shape[1], dtype=bool)
    for level in levels:
        at = np.flatnonzero(sample.level == level)
        shift = rng.integers(0, len(at), (len(values), 1))
        values[:, at] = np.take_along_axis(sample.values[:, at], (np.arange(len(at)) + shift) % len(at), axis=1)
        jumps[at[len(at) - 1 - shift[shift > 0]]] = True
    now = sample.now[~jumps[sample.now]] if len(levels) == 1 else sample.now
    return replace(sample, values=values, now=now)


add(
    Null(
        "NS",
        "each agent's own course, and what it does at each level of shared signals",
        "that agents go together",
        "the whole foretells what its members do not",
        Team,
        shift_within_levels,
    )
)


def team_of(found: Sampled) -> Team:
    """The members' series; of real-valued ones what shared signals explain, now and one time before, is taken out."""
    values = found.series.values
    two = np.array([len(np.unique(v)) <= 2 for v in values])
    shared = found.series.shared
    if len(shared) and not two.all():
        table = np.vstack([np.ones(values.shape[1]), shared, np.roll(shared, 1, axis=1)])
        left = values - (np.linalg.lstsq(table.T, values.T, rcond=None)[0].T @ table)
        values = np.where(two[:, None], values, left)
    middle = np.where(two, (values.min(axis=1) + values.max(axis=1)) / 2.0, np.median(values, axis=1))
    now = np.flatnonzero(found.follows) - 1
    return Team(values, shared, middle, _levels(shared, discrete=bool(two.any())), now)


def _levels(shared: Floats, *, discrete: bool) -> Ints:
    joint = np.zeros(shared.shape[1], dtype=np.int64)
    for signal in shared if discrete else ():
        known, level = np.unique(signal, return_inverse=True)
        if len(known) > LEVELS:
            level = np.searchsorted(np.quantile(signal, np.arange(1, LEVELS) / LEVELS), signal)
        joint = np.unique(joint * LEVELS + level, return_inverse=True)[1]
    return joint


def parity_synergy(team: Team, members: Ints) -> float:
    """How much better parity foretells itself than the members do, in bits.

    Definition: Psi of Rosas et al. for the macro feature V = parity of the number of members that are high. Formula: Psi =
    I(V_t; V_t+1) - sum over members of I(X_t; V_t+1), plug-in mutual information, each less its bias 1 / (2 T ln 2).
    Range: [-n, 1]; above 0 the whole foretells what no member does (sufficient, not necessary for emergence); below 0
    members say the same. Chance level: 0 on average for independent members, above 0 in 4-8 % of discrete worlds, so no
    sign is trusted. Null: NS. Failure modes: redundancy is counted n times, so teams of more than 10 hide synergy; short
    series; members who all repeat themselves at the same times because their replies failed.
    Reference: Rosas, Mediano et al. 2020, PLoS Comput. Biol. 16:e1008289, eq. 11.
    """
    signs = team.signs[members]
    parity = signs.prod(axis=0)
    after = parity[team.now + 1]
    own = sum(_bits(row[team.now], after) for row in signs)
    return _bits(parity[team.now], after) - own


def _bits(a: Floats, b: Floats) -> float:
    """Mutual information of two series of signs in bits, less its bias."""
    times = len(a)
    if times == 0:
        return 0.0
    table = np.array([[((a == i) & (b == j)).sum() for j in (-1.0, 1.0)] for i in (-1.0, 1.0)]) / times
    expected = np.outer(table.sum(axis=1), table.sum(axis=0))
    full = table > 0
    return float((table[full] * np.log2(table[full] / expected[full])).sum()) - 1.0 / (2.0 * times * BIT)


def sum_synergy(team: Team, members: Ints) -> float:
    """How much better the members' sum foretells itself than the members do, in bits.

    Definition and reference as ``parity_synergy``, for V = the sum of the members' standardised series; formula: mutual
    information of Gaussians, -log2(1 - r^2) / 2, each less its bias 1 / (2 T ln 2).
    Range: (-inf, inf). Chance level: far above 0 for members with long memories that have nothing to do with each other,
    and far below for members that follow one signal: only the null NS says which. Fooled by: series that are nowhere near
    Gaussian.
    """
    values = team.values[members]
    spread = values.std(axis=1, keepdims=True)
    values = (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    whole = values.sum(axis=0)
    table = np.vstack([values[:, team.now], whole[team.now]])
    after = whole[team.now + 1]
    table = table - table.mean(axis=1, keepdims=True)
    after = after - after.mean()
    size = np.sqrt((table**2).sum(axis=1) * float(after @ after))
    r = np.clip((table @ after) / np.where(size > 0, size, 1.0), -0.999999, 0.999999)
    bits = -0.5 * np.log2(1.0 - r**2) - 1.0 / (2.0 * max(len(after), 1) * BIT)
    return float(bits[-1] - bits[:-1].sum())


def pair_synergies(team: Team, members: Ints) -> NDArray[np.float64]:
    """What two members foretell of a third together beyond what each does alone, in bits, shape (n, n, n): i, j, third.

    Definition: co-information of high and low. Formula: I(X_i, X_j; X_k') - I(X_i; X_k') - I(X_j; X_k'), plug-in.
    Range: [-1, 1]; high when neither alone says anything (exclusive or), low when both say the same; i = j is -1.
    Chance level: about 1 / (2 T ln 2) each; the largest of many is compared with the largest under the null NS.
    Fooled by: amounts whose signs carry little. Reference: McGill 1954, Psychometrika 19:97.
    """
    signs = team.signs[members]
    now, after = signs[:, team.now], signs[:, team.now + 1]
    times = max(now.shape[1], 1)
    n = len(members)
    a = now.mean(axis=1)
    c = after.mean(axis=1)
    ab, ac = now @ now.T / times, now @ after.T / times
    abc = ((now[:, None, :] * now[None, :, :]).reshape(n * n, -1) @ after.T / times).reshape(n, n, n)
    single, last = _entropy1(a), _entropy1(c)
    pair_now, pair_after = _entropy2(a[:, None], a[None, :], ab), _entropy2(a[:, None], c[None, :], ac)
    whole = np.zeros((n, n, n))
    for x in (-1.0, 1.0):
        for y in (-1.0, 1.0):
            for z in (-1.0, 1.0):
                part = 1.0 + x * a[:, None, None] + y * a[None, :, None] + z * c[None, None, :]
                part = part + x * y * ab[:, :, None] + x * z * ac[:, None, :] + y * z * ac[None, :, :] + x * y * z * abc
                whole += _share(part / 8.0)
    both = pair_now[:, :, None] + last[None, None, :] - whole
    one = single[:, None] + last[None, :] - pair_after
    found = both - one[:, None, :] - one[None, :, :]
    found[np.arange(n), np.arange(n)] = -1.0
    return np.asarray(found)


def _share(p: Floats) -> Floats:
    """-p log2 p."""
    return np.asarray(-p * np.log2(np.where(p > 1e-12, p, 1.0)))


def _entropy1(mean: Floats) -> Floats:
    return np.asarray(_share((1.0 + mean) / 2.0) + _share((1.0 - mean) / 2.0))


def _entropy2(a: Floats, b: Floats, ab: Floats) -> Floats:
    return np.asarray(sum(_share((1.0 + x * a + y * b + x * y * ab) / 4.0) for x in (-1.0, 1.0) for y in (-1.0, 1.0)))
