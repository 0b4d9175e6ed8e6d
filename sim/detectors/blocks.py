"""Links and groups: the nulls NX (cross-group links dealt anew by activity) and N1G (links rewired inside groups)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim.detectors.groups import weights
from sim.detectors.nulls import SWAPS_PER_LINK, Links, Null, add
from sim.detectors.rewiring import exchanged
from sim.detectors.window import Bools, Floats, Ints, Window, summed

CLASSES = 64  # weight classes double, so 64 hold every count


@dataclass(frozen=True)
class Grouped:
    """Undirected links of agents in groups.

    Attributes:
        n: Number of agents.
        source: One end of each link, shape (links,).
        target: The other end, shape (links,).
        count: Contacts on each link, shape (links,).
        group: Group of each agent, from 0, NONE for agents without links; shape (n,).
        activity: Contacts in which each agent took part, shape (n,).
    """

    n: int
    source: Ints
    target: Ints
    count: Ints
    group: Ints
    activity: Floats

    @property
    def crossing(self) -> Bools:
        """Links between different groups, shape (links,)."""
        return np.asarray(self.group[self.source] != self.group[self.target])

    def links(self) -> Links:
        """The same links without groups."""
        return Links(self.n, self.source, self.target, self.count, directed=False)


def contacts(window: Window) -> Bools:
    """Rows in which an agent acted towards another without handing over work, shape (rows,).

    Where work goes follows from what it needs: ``handoffs`` judges it by task.
    """
    free = ~window.of_class("transfers")
    return np.asarray(free & (window.target >= 0) & (window.target != window.source))


def links_of(window: Window, rows: Bools) -> Links:
    """Pairs in contact in the given rows, undirected, with the number of contacts."""
    low, high = (
        np.minimum(window.source[rows], window.target[rows]),
        np.maximum(window.source[rows], window.target[rows]),
    )
    pair, count = np.unique(low * max(window.n, 1) + high, return_counts=True)
    first, second = np.divmod(pair, max(window.n, 1))
    return Links(window.n, first, second, count, directed=False)


def grouped(links: Links, group: Ints) -> Grouped:
    """The links with each agent's group."""
    activity = summed(links.source, links.count, links.n) + summed(links.target, links.count, links.n)
    return Grouped(links.n, links.source, links.target, links.count, group, activity)


def weight_of(sample: Grouped) -> Floats:
    """log(1 + contacts) of each link, shape (links,)."""
    return weights(sample.links())


def deal_crossings(sample: Grouped, rng: np.random.Generator) -> Grouped:
    """NX: give each end of each link between groups to a member of the same group, in proportion to activity.

    A pair may come up twice: where few are linked that hardly matters, where all are it makes the test cautious.
    """
    order = np.argsort(sample.group, kind="stable")
    reached = np.cumsum(sample.activity[order])
    first = np.searchsorted(sample.group[order], np.arange(sample.group.max(initial=-1) + 2))
    before = np.concatenate([[0.0], reached])[first]  # activity of all groups before this one
    rows = np.flatnonzero(sample.crossing)
    ends = []
    for end in (sample.source, sample.target):
        g = sample.group[end[rows]]
        drawn = before[g] + rng.random(len(rows)) * (before[g + 1] - before[g])
        dealt = end.copy()
        dealt[rows] = order[np.minimum(np.searchsorted(reached, drawn, side="right"), first[g + 1] - 1)]
        ends.append(dealt)
    return replace(sample, source=ends[0], target=ends[1])


def rewire_inside(sample: Grouped, rng: np.random.Generator) -> Grouped:
    """N1G: exchange partners between links of like weight inside the same group; links between groups stay."""
    rows = np.flatnonzero(~sample.crossing)
    if len(rows) < 2:
        return sample
    ends = np.column_stack([sample.source[rows], sample.target[rows]])
    colour = np.frexp(sample.count[rows].astype(np.float64))[1] + CLASSES * sample.group[ends[:, 0]]
    again = exchanged(ends, colour.astype(np.int64), directed=False, proposals=SWAPS_PER_LINK * len(rows), rng=rng)
    source, target = sample.source.copy(), sample.target.copy()
    source[rows], target[rows] = again[:, 0], again[:, 1]
    return replace(sample, source=source, target=target)


add(
    Null(
        "NX",
        "groups, how often they are in contact, and every agent's activity",
        "which members the contacts between groups run through",
        "contacts between groups run through few",
        Grouped,
        deal_crossings,
    )
)
add(
    Null(
        "N1G",
        "groups, links between them, and each agent's links of every weight inside its group",
        "who meets whom inside a group",
        "there is a pattern inside groups beyond degree",
        Grouped,
        rewire_inside,
    )
)
