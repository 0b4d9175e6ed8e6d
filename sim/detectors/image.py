"""The image graph of groups: how much flows between them, what their margins alone would give, and two nulls for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from sim.detectors.nulls import Null, add
from sim.detectors.window import NONE, Floats, Ints, Window, summed

SWAPS_PER_LINK = 12
ROUNDS = 30  # of proportional fitting; the margins then hold to a thousandth


@dataclass(frozen=True)
class Between:
    """Links between agents of different groups, each directed pair once.

    Attributes:
        groups: Number of groups.
        label: Group of each agent, NONE for agents in none; shape (n,).
        source: Givers, shape (links,).
        target: Receivers in another group, shape (links,).
        count: Contacts of each link, shape (links,).
    """

    groups: int
    label: Ints
    source: Ints
    target: Ints
    count: Ints

    @property
    def sizes(self) -> Ints:
        """Agents of each group, shape (groups,)."""
        return np.bincount(self.label[self.label >= 0], minlength=self.groups)


def between(window: Window, label: Ints, groups: int, rows: Ints) -> Between:
    """The links between groups among the given rows of a window."""
    source, target = window.source[rows], window.target[rows]
    across = (label[source] >= 0) & (label[target] >= 0) & (label[source] != label[target]) & (target >= 0)
    pair, count = np.unique(source[across] * window.n + target[across], return_counts=True)
    giver, taker = np.divmod(pair, max(window.n, 1))
    return Between(groups, label, giver, taker, count)


def image(sample: Between) -> Floats:
    """Contacts from group to group, row = giver, shape (groups, groups), zero on the diagonal."""
    place = sample.label[sample.source] * sample.groups + sample.label[sample.target]
    size = sample.groups * sample.groups
    return np.bincount(place, sample.count, size).reshape(sample.groups, sample.groups).astype(np.float64)


def normalised(flow: Floats, sizes: Ints) -> Floats:
    """Contacts from group to group for each pair of their agents, shape (groups, groups)."""
    return np.asarray(flow / np.maximum(np.outer(sizes, sizes), 1))


def expected(flow: Floats) -> Floats:
    """What the margins alone would give between different groups (quasi-independence), shape (groups, groups).

    Proportional fitting of a table of ones with an empty diagonal to the row and column sums (Bishop, Fienberg, Holland
    1975, ch. 5). A star of groups has no other table than itself; that one group is in every contact is a claim of its own.
    """
    fit = 1.0 - np.eye(len(flow))
    rows, columns = flow.sum(axis=1), flow.sum(axis=0)
    for _ in range(ROUNDS):
        fit *= (rows / np.maximum(fit.sum(axis=1), 1e-300))[:, None]
        fit *= columns / np.maximum(fit.sum(axis=0), 1e-300)
    return fit


def uneven(sample: Between) -> float:
    """Share of the flow between groups that would have to move for the margins alone to explain it.

    Definition: total variation between the image and ``expected``. Formula: sum |f_ab - e_ab| / (2 sum f). Range:
    [0, 1). Low: who deals with whom follows from how much each group deals; high: groups have partners. Chance level:
    about half the root of 2 cells / (pi contacts), so it is read against NB. Null: NB. Fooled by: an agent put in the wrong
    group, whose own team then looks like a partner of that group; such agents are left out.
    """
    flow = image(sample)
    total = flow.sum()
    return float(np.abs(flow - expected(flow)).sum() / (2.0 * total)) if total > 0 else 0.0


def _load(sample: Between) -> Floats:
    """Contacts of each agent with other groups, shape (agents,)."""
    n = len(sample.label)
    return summed(sample.source, sample.count, n) + summed(sample.target, sample.count, n)


def carried(sample: Between) -> float:
    """How many times the mean an agent of the busiest group deals with other groups.

    Definition: largest mean number of contacts with other groups, over groups, divided by that over all agents. Range:
    [1, groups). Low: all groups deal with others alike; high: one group is in most contacts between groups. Chance level:
    above 1, the more so the more agents differ, so it is read against NG. Null: NG.
    """
    load = _load(sample)
    return _most(load, sample.label, sample.sizes)


def _most(load: Floats, label: Ints, sizes: Ints) -> float:
    inside = label >= 0
    total = load[inside].sum()
    if total <= 0:
        return 1.0
    mean = np.bincount(label[inside], load[inside], len(sizes)) / np.maximum(sizes, 1)
    return float(mean.max() * inside.sum() / total)


def _exchange(source: Ints, target: Ints, colour: Ints, label: Ints, draws: Ints) -> None:
    """Let pairs of links of one colour exchange receivers in place where both still lead to another group."""
    for k in range(len(draws)):
        e, f = draws[k, 0], draws[k, 1]
        if colour[e] != colour[f]:
            continue
        b, d = target[e], target[f]
        if label[source[e]] != label[d] and label[source[f]] != label[b]:
            target[e], target[f] = d, b


_exchange_fast = njit(cache=True)(_exchange)


def rewire_between(sample: Between, rng: np.random.Generator) -> Between:
    """NB: exchange receivers between links that lead to other groups, among links of like weight.

    Every agent keeps its number of links to and from other groups in each weight class, so groups keep how much they
    deal; with whom is destroyed. A proposal is its own inverse, so all arrangements are equally likely. A pair may be
    drawn twice, which widens the null in dense graphs and makes the test cautious there.
    """
    links = len(sample.source)
    if links < 2:
        return sample
    target = sample.target.copy()
    colour = np.frexp(sample.count.astype(np.float64))[1].astype(np.int64)
    draws = rng.integers(0, links, (SWAPS_PER_LINK * links, 2))
    _exchange_fast(sample.source, target, colour, sample.label, draws)
    return replace(sample, target=target)


@dataclass(frozen=True)
class Loads:
    """Contacts of each agent with other groups, and the agents' groups: arrays of shape (agents,), no NONE."""

    label: Ints
    load: Floats
    groups: int


def loads(sample: Between) -> Loads:
    """The loads of the agents that are in a group."""
    inside = np.flatnonzero(sample.label >= 0)
    load = _load(sample)
    return Loads(sample.label[inside], load[inside], sample.groups)


def most_carried(sample: Loads) -> float:
    """``carried`` of loads."""
    return _most(sample.load, sample.label, np.bincount(sample.label, minlength=sample.groups))


def exchange_members(sample: Loads, rng: np.random.Generator) -> Loads:
    """NG: put the agents into groups of the same sizes at random; each keeps its contacts with other groups."""
    return replace(sample, label=rng.permutation(sample.label))


NB = add(
    Null(
        "NB",
        "each agent's links of every weight to and from other groups",
        "which other group they are with",
        "groups have partners beyond how much each deals with others",
        Between,
        rewire_between,
    )
)
NG = add(
    Null(
        "NG",
        "how much each agent deals with other groups, and the sizes of groups",
        "who is in which group",
        "one group carries more of the contacts between groups than its busiest agents explain",
        Loads,
        exchange_members,
    )
)


def fitting(flow: Floats, label: Ints) -> Ints:
    """Labels with agents left out (NONE) that deal more with one other group than with their own, for each member.

    ``flow`` holds contacts of each agent with each group in either direction, shape (n, groups).
    """
    groups = flow.shape[1]
    sizes = np.bincount(label[label >= 0], minlength=groups).astype(np.float64)
    known = np.flatnonzero(label >= 0)
    room = np.tile(sizes, (len(known), 1))
    room[np.arange(len(known)), label[known]] -= 1.0  # nobody meets himself
    rate = flow[known] / np.maximum(room, 1.0)
    own = rate[np.arange(len(known)), label[known]]
    rate[np.arange(len(known)), label[known]] = -1.0
    kept = label.copy()
    kept[known[rate.max(axis=1, initial=-1.0) >= own]] = NONE
    return kept
