"""Worlds of groups: planted teams, moving teams, and what looks like them (random ties, habit, rotating groups).

Truth: ``groups``, the group of each agent (-1 for none); in moving teams a list of such lists, one for each epoch of equally
many events, and ``changes``, a list of (epoch, kind, agents involved). ``mixing`` is the share of contacts that leave the
group; at strength s it is 1 - s.
"""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from scenarios.worlds.world import World, contacts_log, worlds
from sim.detectors.grouping import GROUPED
from sim.detectors.hierarchy import IMBALANCED
from sim.detectors.shapes import GROUPED as GROUPED_TOO
from sim.record.log import Log

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 6  # agents of a moving team
EPOCHS = 12
TURNOVER = 0.03  # share of agents that change places with somebody of another team between epochs
AGAIN = 6  # draws for a partner that is not the agent itself; rows that still have none are left out
IDLE = 0.2  # activity of agents without a team
HABIT = 3.0  # contacts after which an agent with memory repeats itself three times in four, with three known partners


# Standing teams


def drawn_by(weight: Floats, group: Ints, rng: np.random.Generator, source: Ints, inside: NDArray[np.bool_]) -> Ints:
    """A partner for each source, in proportion to ``weight``: of its own group where ``inside``, else of another."""
    order = np.argsort(group, kind="stable")
    cumulative = np.concatenate([[0.0], np.cumsum(weight[order])])
    edge = np.searchsorted(group[order], np.arange(int(group.max()) + 2))
    low, high = cumulative[edge[group[source]]], cumulative[edge[group[source] + 1]]
    draw = rng.random(len(source))
    other = draw * (cumulative[-1] - high + low)
    other += np.where(other >= low, high - low, 0.0)
    at = np.searchsorted(cumulative[1:], np.where(inside, low + draw * (high - low), other), side="right")
    return np.asarray(order[np.minimum(at, len(weight) - 1)])


def block_model(
    rng: np.random.Generator, agents: int, events: int, *, groups: int, mixing: float, tail: float | None = 1.5
) -> tuple[Ints, Ints, Ints]:
    """Contacts of a degree-corrected block model with equal groups (Karrer & Newman 2011): source, target, group.

    Activities are heavy-tailed with exponent 1 + ``tail`` from 1 up to 50, or all alike when ``tail`` is None.
    """
    group = rng.permutation(np.arange(agents) % groups)
    activity = np.ones(agents) if tail is None else np.minimum(1.0 + rng.pareto(tail, agents), 50.0)
    source = rng.choice(agents, events, p=activity / activity.sum())
    inside = rng.random(events) >= mixing
    target = source.copy()
    for _ in range(AGAIN):
        alone = np.flatnonzero(target == source)
        target[alone] = drawn_by(activity, group, rng, source[alone], inside[alone])
    return source, target, group


def planted_teams(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Groups of about ten alike agents (planted partition)."""
    groups = max(2, round(agents / 10))
    source, target, group = block_model(rng, agents, events, groups=groups, mixing=_mixing(strength, groups), tail=None)
    return contacts_log(source, target, truth={"groups": group.tolist()})


def unequal_teams(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Groups of about twelve agents of heavy-tailed activity (degree-corrected block model)."""
    groups = max(2, round(agents / 12))
    source, target, group = block_model(rng, agents, events, groups=groups, mixing=_mixing(strength, groups))
    return contacts_log(source, target, truth={"groups": group.tolist()})


def _mixing(strength: float, groups: int) -> float:
    """Share of contacts that leave the group; at strength 0 everybody meets anybody."""
    return (1.0 - strength) * (1.0 - 1.0 / groups)


def lfr_graph(seed: int, mixing: float) -> tuple[Ints, Ints, Ints]:
    """Links of an LFR graph of 1,000 agents and their groups: source, target, group.

    Mean degree 15, at most 50, exponents 2 and 1.5, communities of 20 to 80 (Lancichinetti, Fortunato, Radicchi 2008,
    as in NetworkX, whose graphs have a mean degree of 20 and mix more than asked for: 0.30, 0.57, 0.69 at 0.2, 0.4, 0.5).
    """
    for again in range(50):
        try:
            graph = nx.LFR_benchmark_graph(
                1000, 2, 1.5, mixing, average_degree=15, max_degree=50, min_community=20, max_community=80,
                seed=1000 * seed + again, max_iters=1000,
            )  # fmt: skip
            break
        except nx.ExceededMaxIterations:
            continue
    else:
        raise RuntimeError(f"lfr_graph: NetworkX found no graph for seed {seed} and mixing {mixing}; try another seed.")
    group = np.zeros(1000, dtype=np.int64)
    for number, members in enumerate({frozenset(graph.nodes[a]["community"]) for a in graph}):
        group[sorted(members)] = number
    ends = np.array([(a, b) for a, b in graph.edges if a != b], dtype=np.int64)
    return ends[:, 0], ends[:, 1], group


# Nothing but habit


def random_ties(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """About four ties for each agent, drawn at random, that never change: contacts repeat, and there are no groups."""
    drawn = rng.integers(0, agents, (2 * agents, 2))
    ties = np.unique(np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1), axis=0)
    met = rng.permuted(ties[rng.integers(0, len(ties), events)], axis=1)
    return contacts_log(met[:, 0], met[:, 1])


def habit(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Activity-driven contacts with memory: who has met many partners rather meets one of them again.

    A new partner, anybody, is met with probability HABIT / (HABIT + partners so far) (Karsai, Perra, Vespignani 2014).
    """
    activity = np.minimum(1.0 + rng.pareto(1.5, agents), 50.0)
    source = rng.choice(agents, events, p=activity / activity.sum())
    chance, anybody, known_draw = rng.random(events), rng.integers(0, agents, events), rng.random(events)
    met: list[list[int]] = [[] for _ in range(agents)]
    target = np.empty(events, dtype=np.int64)
    for k, a in enumerate(source.tolist()):
        partners = met[a]
        if not partners or chance[k] < HABIT / (HABIT + len(partners)):
            b = int(anybody[k])
            if b != a and b not in partners:
                partners.append(b)
                met[b].append(a)
        else:
            b = partners[int(known_draw[k] * len(partners))]
        target[k] = b
    return contacts_log(source, target)


def rotating_groups(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Groups as tight as teams, drawn anew twelve times: each moment has groups, and none of them lasts."""
    groups = max(2, round(agents / 10))
    source, target = np.empty(events, dtype=np.int64), np.empty(events, dtype=np.int64)
    mixing = _mixing(strength or 0.8, groups)
    for rows in np.array_split(np.arange(events), EPOCHS):
        source[rows], target[rows], _ = block_model(rng, agents, len(rows), groups=groups, mixing=mixing, tail=None)
    return contacts_log(source, target)


# Moving teams

Teams = dict[int, set[int]]
Change = tuple[int, str, list[int]]


def moving_teams(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, epochs: int = EPOCHS, kinds: str = "bdsm"
) -> Log:
    """Teams that are born, die, split and merge between epochs, and slowly exchange members.

    Agents without a team meet anybody, a fifth as often. One change is drawn between two epochs, of a kind among ``kinds``
    (first letters) that is possible then.
    """
    teams = _first_teams(rng, agents)
    loners = set(range(agents)) - set().union(*teams.values())
    source, target, labels, changes = [], [], [], []
    for epoch, rows in enumerate(np.array_split(np.arange(events), epochs)):
        if epoch:
            _turn_over(rng, teams, round(TURNOVER * agents))
            changes += _change(rng, epoch, teams, loners, kinds)
        group = np.full(agents, -1, dtype=np.int64)
        for name, members in teams.items():
            group[sorted(members)] = name
        drawn = _contacts(rng, group, len(rows), 1.0 - strength)
        source.append(drawn[0])
        target.append(drawn[1])
        labels.append(group.tolist())
    return contacts_log(np.concatenate(source), np.concatenate(target), truth={"groups": labels, "changes": changes})


def _contacts(rng: np.random.Generator, group: Ints, events: int, mixing: float) -> tuple[Ints, Ints]:
    """Contacts of one epoch; agents without a team meet anybody, and are met, a fifth as often.

    Partners are drawn in proportion to activity, so that agents without a team are no group of their own beyond degree.
    """
    alone = group < 0
    activity = np.where(alone, IDLE, 1.0)
    source = rng.choice(len(group), events, p=activity / activity.sum())
    codes = np.unique(group, return_inverse=True)[1]
    inside = (rng.random(events) >= mixing) & ~alone[source]
    anybody = rng.choice(len(group), events, p=activity / activity.sum())
    target = np.where(alone[source], anybody, drawn_by(activity, codes, rng, source, inside))
    return source, target


def _first_teams(rng: np.random.Generator, agents: int) -> Teams:
    """Four fifths of the agents in teams of LEAST to three times LEAST."""
    order, at = rng.permutation(agents).tolist(), 0
    teams: Teams = {}
    while agents * 0.8 - at >= LEAST:
        size = int(rng.integers(LEAST, 3 * LEAST + 1))
        teams[len(teams)] = set(order[at : at + size])
        at += size
    return teams


def _turn_over(rng: np.random.Generator, teams: Teams, exchanges: int) -> None:
    """Exchange members between random pairs of teams."""
    for _ in range(exchanges if len(teams) > 1 else 0):
        one, other = (teams[int(k)] for k in rng.choice(sorted(teams), 2, replace=False))
        a, b = (int(rng.choice(sorted(team))) for team in (one, other))
        one ^= {a, b}
        other ^= {a, b}


def _change(rng: np.random.Generator, epoch: int, teams: Teams, loners: set[int], kinds: str) -> list[Change]:
    """Carry out one change that is possible and return what happened: (epoch, kind, agents involved)."""
    large = [k for k, team in teams.items() if len(team) >= 2 * LEAST]
    possible = {
        "b": len(loners) >= LEAST,
        "d": len(teams) > 2,
        "s": bool(large),
        "m": len(teams) > 2,
    }
    kind = str(rng.choice([k for k in kinds if possible[k]] or [""]))
    fresh = max(teams, default=0) + 1
    if kind == "b":
        size = min(len(loners), int(rng.integers(LEAST, 2 * LEAST + 1)))
        teams[fresh] = {int(a) for a in rng.choice(sorted(loners), size, replace=False)}
        loners -= teams[fresh]
        return [(epoch, "birth", sorted(teams[fresh]))]
    if kind == "d":
        gone = teams.pop(int(rng.choice(sorted(teams))))
        loners |= gone
        return [(epoch, "death", sorted(gone))]
    if kind == "s":
        whole = teams.pop(int(rng.choice(large)))
        order = rng.permutation(sorted(whole)).tolist()
        cut = int(rng.integers(LEAST, len(order) - LEAST + 1))
        teams[fresh], teams[fresh + 1] = set(order[:cut]), set(order[cut:])
        return [(epoch, "split", sorted(whole))]
    if kind == "m":
        one, other = (teams.pop(int(k)) for k in rng.choice(sorted(teams), 2, replace=False))
        teams[fresh] = one | other
        return [(epoch, "merge", sorted(one | other))]
    return []


def _add(
    name: str,
    summary: str,
    plants: str | None,
    make: Callable[[np.random.Generator, int, int, float], Log],
    **more: object,
) -> None:
    worlds.add(name)(World(name, summary, plants, make, detectors=("teams",), **more))


_add("teams", "Groups of about ten alike agents that mostly meet each other.", "teams", planted_teams, events=1600)
_add("unequal teams", "Groups in which some agents are far busier than others.", "teams", unequal_teams, agents=60)
_add("moving teams", "Teams that are born, die, split and merge.", "teams", moving_teams, agents=90, events=14_000)
_add("random ties", "Ties drawn at random that never change.", None, random_ties, tempts="teams", exact=True)
_add(
    "habit",
    "Agents that rather meet again whom they know.",
    None,
    habit,
    tempts="teams",
    rejects=(IMBALANCED,),  # a few begin most contacts
)
_add(
    "rotating groups",
    "Tight groups that are drawn anew twelve times.",
    None,
    rotating_groups,
    tempts="teams",
    rejects=(GROUPED, GROUPED_TOO),  # each moment has groups, which show in the whole; what is false is that they last
)
