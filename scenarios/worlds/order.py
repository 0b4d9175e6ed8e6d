"""Worlds of order in who contacts whom: ranks, chains of command and rings of stations, and what looks like them.

Truth: ``order`` (agent to rank or depth), ``links`` (superior to subordinate), ``groups`` (agent to station), ``length``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.worlds.world import World, as_log, contacts_log, worlds
from sim.detectors.engine import LASTS
from sim.detectors.grouping import GROUPED
from sim.detectors.hierarchy import COMMAND, IMBALANCED
from sim.record.log import Log

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Links = tuple[Ints, Ints]
STEEPEST = 2.0  # inverse temperature of ranks at strength 1


def _heavy(rng: np.random.Generator, agents: int) -> Floats:
    """Heavy-tailed activity (Pareto, exponent 1.5) as shares."""
    drawn = rng.pareto(1.5, agents) + 0.2
    return np.asarray(drawn / drawn.sum())


def _others(rng: np.random.Generator, agents: int, who: Ints) -> Ints:
    """Somebody else for each, any alike."""
    return np.asarray((who + rng.integers(1, agents, len(who))) % agents)


def _chosen(rng: np.random.Generator, weight: Floats) -> Ints:
    """One column per row of ``weight``, in proportion to it."""
    upto = weight.cumsum(axis=1)
    return np.asarray((upto < rng.random((len(weight), 1)) * upto[:, -1:]).sum(axis=1))


def _repeated(rng: np.random.Generator, standing: Links, events: int, **truth: Any) -> Log:
    """Contacts on standing links, every link as often as any other."""
    drawn = rng.integers(0, max(len(standing[0]), 1), events if len(standing[0]) else 0)
    return contacts_log(standing[0][drawn], standing[1][drawn], truth=truth)


# Orders.


def ranks(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """SpringRank's model: contacts i to j as exp(-beta/2 (s_i - s_j - 1)^2), s normal, beta = 2 strength.

    Reference: De Bacco, Larremore, Moore 2018, Sci. Adv. 4:eaar8260, eq. 7.
    """
    s = rng.normal(size=agents)
    rate = np.exp(-0.5 * STEEPEST * strength * (s[:, None] - s[None, :] - 1.0) ** 2)
    np.fill_diagonal(rate, 0.0)
    source, target = np.divmod(rng.choice(agents * agents, events, p=(rate / rate.sum()).ravel()), agents)
    return contacts_log(source, target, truth={"order": (-s).tolist()})


def tree_links(rng: np.random.Generator, agents: int, *, span: int = 3) -> tuple[Links, Ints]:
    """(superiors, subordinates) of a tree of agents in random places, ``span`` to a superior, and depths, shape (n,).

    ``span`` 0: each joins a random one of those already there.
    """
    number = np.arange(1, agents)
    above = (number - 1) // span if span else (rng.random(agents - 1) * number).astype(np.int64)
    depth = np.zeros(agents, dtype=np.int64)
    for k in range(1, agents):
        depth[k] = depth[above[k - 1]] + 1
    place = rng.permutation(agents)
    found = np.zeros(agents, dtype=np.int64)
    found[place] = depth
    return (place[above], place[number]), found


def reporting_tree(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, span: int = 3, up: bool = False
) -> Log:
    """A tree of superiors; a share ``strength`` of contacts runs along it, the others between any two agents."""
    (above, below), depth = tree_links(rng, agents, span=span)
    link = rng.integers(0, agents - 1, events)
    source = rng.integers(0, agents, events)
    along = rng.random(events) < strength
    first, second = (below, above) if up else (above, below)
    target = np.where(along, second[link], _others(rng, agents, source))
    source = np.where(along, first[link], source)
    return contacts_log(source, target, truth={"order": depth.tolist(), "links": [above.tolist(), below.tolist()]})


def tangled_tree(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, span: int = 3, up: bool = False
) -> Log:
    """A tree among random standing links used as often as its own: ``strength`` is its share of all links."""
    (above, below), depth = tree_links(rng, agents, span=span)
    extra = round((agents - 1) * (1.0 - strength) / max(strength, 0.1))
    source = rng.integers(0, agents, extra)
    target = _others(rng, agents, source)
    first, second = (below, above) if up else (above, below)
    if strength == 0.0:
        first, second = first[:0], second[:0]
    standing = np.concatenate([first, source]), np.concatenate([second, target])
    return _repeated(rng, standing, events, order=depth.tolist(), links=[above.tolist(), below.tolist()])


def answered_tree(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Superiors ask, subordinates answer: every second event is a typed reply that runs the other way."""
    asked = reporting_tree(rng, agents, events // 2, strength)
    source, target = (asked.events[c].to_numpy() for c in ("source", "target"))
    return as_log(
        {
            "source": np.stack([source, target], axis=1).ravel(),
            "target": np.stack([target, source], axis=1).ravel(),
            "kind": ["ask", "approve"] * len(source),
        },
        truth=asked.meta["truth"],
    )


# Look-alikes of orders.


def random_digraph(rng: np.random.Generator, agents: int, events: int, _strength: float, *, each: int = 4) -> Log:
    """Standing links between random pairs, ``each`` for every agent on average."""
    pairs = rng.choice(agents * (agents - 1), min(each * agents, agents * (agents - 1)), replace=False)
    source, other = np.divmod(pairs, agents - 1)
    return _repeated(rng, (source, other + (other >= source)), events)


def random_directions(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """A tree of which every link points one way, this one or that."""
    (above, below), _ = tree_links(rng, agents, span=int(rng.integers(0, 4)))
    turned = rng.random(agents - 1) < 0.5
    return _repeated(rng, (np.where(turned, below, above), np.where(turned, above, below)), events)


def two_way_tree(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """A tree whose links are used in both directions alike."""
    (above, below), _ = tree_links(rng, agents)
    return _repeated(rng, (np.concatenate([above, below]), np.concatenate([below, above])), events)


def replies(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Some start much more than others; 80 % of messages are answered by a message."""
    source = rng.choice(agents, events // 2, p=_heavy(rng, agents))
    target = _others(rng, agents, source)
    answered = np.stack([np.ones(len(source), dtype=bool), rng.random(len(source)) < 0.8], axis=1).ravel()
    both = np.stack([source, target], axis=1).ravel()[answered], np.stack([target, source], axis=1).ravel()[answered]
    return contacts_log(*both)


def uneven_ties(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Standing links, from one to four for each agent, whose ends fall on agents with unrelated heavy tails."""
    links = int(agents * rng.uniform(1.2, 4.0))
    source, target = rng.choice(agents, links, p=_heavy(rng, agents)), rng.choice(agents, links, p=_heavy(rng, agents))
    met = source != target
    return _repeated(rng, (source[met], target[met]), events)


def popular_partners(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody keeps for ever to one or two others, the more popular the more likely."""
    popular, each = _heavy(rng, agents), int(rng.integers(1, 3))
    chosen = rng.choice(agents, (agents, each), p=popular)
    source = rng.integers(0, agents, events)
    return contacts_log(source, chosen[source, rng.integers(0, each, events)])


def uneven_teams(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Four teams, 90 % of contacts inside at strength 1; who sends and who receives much is unrelated to them."""
    team, takes = rng.permutation(np.arange(agents) % 4), _heavy(rng, agents)
    near = np.where(team[:, None] == team[None, :], 1.0, 1.0 - 0.96 * strength) * takes
    np.fill_diagonal(near, 0.0)
    source = rng.choice(agents, events, p=_heavy(rng, agents))
    return contacts_log(source, _chosen(rng, near[source]))


def uneven_grid(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Agents on a square grid contact their neighbours; who sends and who receives much is unrelated to the place."""
    side = max(2, int(np.sqrt(agents)))
    here = np.arange(side * side)
    x, y = here % side, here // side
    near = np.stack([(x + dx) % side + (y + dy) % side * side for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))], axis=1)
    source = rng.choice(len(here), events, p=_heavy(rng, len(here)))
    weight = _heavy(rng, len(here))[near[source]]
    return contacts_log(source, near[source, _chosen(rng, weight)])


# Rings.


def station_ring(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, stations: int | None = None
) -> Log:
    """Agents of a station contact those of the next one round a ring; a share 1 - ``strength`` goes to anybody."""
    length = int(rng.integers(3, 9)) if stations is None else stations
    station = rng.permutation(np.arange(agents) % length)
    source = rng.integers(0, agents, events)
    onward = (station[None, :] == (station[:, None] + 1) % length).astype(np.float64)
    target = np.where(rng.random(events) < strength, _chosen(rng, onward[source]), _others(rng, agents, source))
    return contacts_log(source, target, truth={"groups": station.tolist(), "length": length})


def ping_pong(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Two groups contact each other by turns: a ring of two is none."""
    group = rng.permutation(np.arange(agents) % 2)
    source = rng.integers(0, agents, events)
    return contacts_log(source, _chosen(rng, (group[None, :] != group[:, None]).astype(np.float64)[source]))


def two_way_ring(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Agents of a station contact those of either neighbouring station: round, but no sense of rotation."""
    station = rng.permutation(np.arange(agents) % 6)
    apart = (station[None, :] - station[:, None]) % 6
    source = rng.integers(0, agents, events)
    return contacts_log(source, _chosen(rng, np.isin(apart, (1, 5)).astype(np.float64)[source]))


def _add(name: str, summary: str, plants: str | None, make: Callable[..., Log], **more: Any) -> None:
    worlds.add(name)(World(name, summary, plants, make, **{"detectors": ("hierarchy", "rings"), **more}))


_add("ranks", "Agents contact those just below them in a hidden rank.", "hierarchy", ranks)
_add("reporting tree", "Superiors contact their subordinates.", "hierarchy", reporting_tree)
_add("reports", "Subordinates report to their superiors.", "hierarchy", partial(reporting_tree, up=True))
_add("tangled tree", "A tree among random links as strong as its own.", "hierarchy", tangled_tree)
_add("answered tree", "Superiors ask, and every question is answered.", "hierarchy", answered_tree)
_add("station ring", "Messages go round a ring of three to eight stations.", "ring", station_ring)
_add("random digraph", "Standing links between random pairs.", None, random_digraph, tempts="hierarchy", exact=True)
_add("random directions", "A tree whose links point anywhere.", None, random_directions, tempts="hierarchy")
_add("two-way tree", "A tree with contacts up and down alike.", None, two_way_tree, tempts="hierarchy")
_add("replies", "Uneven activity, most of it answered.", None, replies, tempts="hierarchy")
_add(
    "uneven ties",
    "Standing links between uneven senders and receivers.",
    None,
    uneven_ties,
    tempts="hierarchy",
    rejects=(IMBALANCED, COMMAND),
)
_add(
    "popular partners",
    "Everybody keeps to one or two popular others.",
    None,
    popular_partners,
    tempts="hierarchy",
    rejects=(
        IMBALANCED,
        COMMAND,
    ),  # the popular are turned to; with one partner each that is a tree, less its ring on top
)
_add("uneven teams", "Teams, and uneven activity unrelated to them.", "teams", uneven_teams, tempts="hierarchy")
_add(
    "uneven grid",
    "A grid, and uneven activity unrelated to places.",
    None,
    uneven_grid,
    tempts="hierarchy",
    holds=("roles", "unclassified"),  # neighbours on a grid are of two sides, as on a chessboard
    rejects=(IMBALANCED,),
)
_add("ping-pong", "Two groups contact each other.", None, ping_pong, tempts="ring", holds=("roles", "market"))
_add(
    "two-way ring",
    "A ring of stations without a sense of rotation.",
    None,
    two_way_ring,
    tempts="ring",
    holds=("roles", "unclassified"),
    rejects=(GROUPED, LASTS),  # two neighbouring stations are a group as good as any, and no better than the next two
)
