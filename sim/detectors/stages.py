"""Stages: classes of agents between which contacts run one way, in a row; and groups that are only stretches of such a flow.

A pipeline is a set of classes whose image graph is a path that hardly anything runs back on, so it can be told without items.
Neighbouring stages meet each other more than anybody else, as teams do; what gives them away is that contacts run one way
inside such a "team" just as they run on out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.detectors import streams
from sim.detectors.measures import order
from sim.detectors.nulls import Links, rewire
from sim.detectors.window import NONE, Floats, Ints, Window

LEAST_STAGES, MOST_STAGES = 3, 10  # the best row of more classes takes too long to find
ONE_STEP = 0.7  # share of the flow above the background that goes to the next stage, from which a row is a pipeline
EVERY_STEP = 0.3  # of the mean step: the least that each step carries, and the most that any way back carries
ONE_WAY = 0.3  # coherence from which contacts run one way
BEYOND_DEGREES = 0.2  # by which it exceeds that of rewired contacts, where uneven activity is all there is
REWIRED = 3
CLOSED = 0.5  # share of agents in groups that are denser inside than towards any other, below which groups are no teams
CARRIED_ON = 0.1  # contacts between groups for each inside, below which groups keep to themselves


@dataclass(frozen=True)
class Row:
    """Classes in a row.

    Attributes:
        place: Stage of each class, from 0 on, shape (classes,).
        one_step: Share of the flow above the background that goes from a stage to the next, 0 to 1.
        weakest: The step that carries least over the mean step, 0 to 1.
        back: The way back, or round inside a stage, that carries most over the mean step, from 0 on.
    """

    place: Ints
    one_step: float
    weakest: float
    back: float

    @property
    def pipeline(self) -> bool:
        """True when contacts run through three or more stages one way, step by step."""
        steady = self.weakest >= EVERY_STEP >= self.back
        return len(self.place) >= LEAST_STAGES and self.one_step >= ONE_STEP and steady


def row(links: Links, labels: Ints) -> Row:
    """How far classes stand in a row.

    Definition: contacts from class to class for each pair of their agents, less the median of all cells, which is what
    anybody has with anybody; of all rows of the classes the one whose steps carry most. Range: shares of 0 to 1. Low: a
    mesh, groups that keep to themselves; high: a chain of stages, and a ring, whose way back is as strong as its steps.
    Chance level: about 2 / classes. Null: none of its own; it describes classes that have beaten N1R. Fooled by: more than
    half of all cells in use.

    Args:
        links: Directed contacts with their counts.
        labels: Class of each agent from 0 on, NONE for agents in none, shape (n,).
    """
    k = int(labels.max(initial=NONE)) + 1
    if not 2 <= k <= MOST_STAGES:
        return Row(np.arange(max(k, 0)), 0.0, 0.0, 0.0)
    rate = _rates(links, labels, k)
    beyond = np.maximum(rate - np.median(rate), 0.0)
    best = _best_row(beyond)
    steps = beyond[best[:-1], best[1:]]
    if steps.sum() <= 0.0:
        return Row(np.argsort(best), 0.0, 0.0, 0.0)
    mean = steps.mean()
    back = np.tril(beyond[np.ix_(best, best)]).max()
    return Row(np.argsort(best), float(steps.sum() / beyond.sum()), float(steps.min() / mean), float(back / mean))


def _best_row(weight: Floats) -> Ints:
    """Classes in the order whose steps carry most, by dynamic programming over sets of classes, shape (classes,)."""
    k = len(weight)
    carried = np.full((1 << k, k), -np.inf)
    before = np.zeros((1 << k, k), dtype=np.int64)
    carried[1 << np.arange(k), np.arange(k)] = 0.0
    for held in range(1, 1 << k):
        for new in range(k):
            if held >> new & 1 and held != 1 << new:
                ways = carried[held ^ (1 << new)] + weight[:, new]
                before[held, new] = int(np.argmax(ways))
                carried[held, new] = ways[before[held, new]]
    held, last = (1 << k) - 1, int(np.argmax(carried[-1]))
    found = [last]
    while held != 1 << found[-1]:
        held, last = held ^ (1 << found[-1]), int(before[held, found[-1]])
        found.append(last)
    return np.array(found[::-1], dtype=np.int64)


def _rates(links: Links, labels: Ints, k: int) -> Floats:
    """Contacts from class to class for each ordered pair of their agents, shape (k, k)."""
    giver, taker = labels[links.source], labels[links.target]
    known = (giver >= 0) & (taker >= 0)
    flow = np.bincount(giver[known] * k + taker[known], links.count[known], k * k).reshape(k, k)
    size = np.bincount(labels[labels >= 0], minlength=k).astype(np.float64)
    room = np.outer(size, size) - np.diag(size)
    return np.asarray(flow / np.maximum(room, 1.0))


def only_stretches(window: Window, labels: Ints) -> str:
    """Why groups are no teams: contacts run one way inside them, and on to the next in the same way; else an empty string.

    Definition: half of the agents or more are in groups less dense inside than towards another group; or coherence
    (``measures.order``) of the contacts inside groups, and of those between groups, is at least ONE_WAY and BEYOND_DEGREES
    above that of the same parts of rewired contacts, since uneven activity makes order too. Members of a team turn to each
    other in any direction; teams that each have a chain of command deal with each other in any direction. Replies are left
    out, since they cancel every order.

    Args:
        window: The events of a run.
        labels: Group of each agent, NONE for agents in none, shape (n,).
    """
    rows = np.flatnonzero(streams.forward(window) | streams.initiated(window))
    rows = rows[(labels[window.source[rows]] >= 0) & (labels[window.target[rows]] >= 0)]
    pair, count = np.unique(window.source[rows] * window.n + window.target[rows], return_counts=True)
    giver, taker = np.divmod(pair, max(window.n, 1))
    links = Links(window.n, giver, taker, count, directed=True)
    inside = count[labels[giver] == labels[taker]].sum()
    closed = _denser_inside(links, labels)
    if len(pair) and closed < CLOSED:
        return f"only {closed:.0%} of the agents are in groups whose members meet each other more than those of another"
    if len(pair) == 0 or count.sum() - inside < CARRIED_ON * inside:
        return ""
    within, across = _coherent(links, labels)
    if min(within, across) < ONE_WAY:
        return ""
    rng = np.random.default_rng([len(pair), int(count.sum())])
    chance = np.mean([_coherent(rewire(links, rng), labels) for _ in range(REWIRED)], axis=0)
    if within - chance[0] < BEYOND_DEGREES or across - chance[1] < BEYOND_DEGREES:
        return ""
    return (
        f"contacts run one way inside the groups (coherence {within:.2f}) as they do between them ({across:.2f}): stretches "
        "of a flow through stages, no teams"
    )


def _denser_inside(links: Links, labels: Ints) -> float:
    """Share of agents in groups with more contacts for each pair inside than with any other group."""
    k = int(labels.max(initial=NONE)) + 1
    rate = _rates(links, labels, k)
    rate += rate.T
    own = np.diag(rate).copy()
    np.fill_diagonal(rate, 0.0)
    size = np.bincount(labels[labels >= 0], minlength=k)
    return float(size[own > rate.max(axis=1, initial=0.0)].sum() / max(size.sum(), 1))


def _coherent(links: Links, labels: Ints) -> tuple[float, float]:
    """Coherence of the contacts inside groups and of those between groups."""
    inside = labels[links.source] == labels[links.target]
    within, across = (
        order(links.n, links.source[part], links.target[part], links.count[part].astype(np.float64))
        for part in (inside, ~inside)
    )
    return within, across
