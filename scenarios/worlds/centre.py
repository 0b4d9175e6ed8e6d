"""Worlds with somebody in the middle (hubs, brokers, cores), and look-alikes that activity, reach or degree explain."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.worlds.world import World, contacts_log, worlds
from sim.detectors.hierarchy import COMMAND, IMBALANCED
from sim.detectors.hubs import AGREED
from sim.record.log import Log

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TIES = 6.0  # mean number of ties per agent in the worlds of ties
CROSSING = 0.2  # share of contacts between teams
PASSING = 30  # stretches of the world, each with another hub
CORE = 0.25  # share of agents in the core


def _other(rng: np.random.Generator, source: Ints, agents: int) -> Ints:
    """Anybody but the source, alike."""
    return (source + rng.integers(1, agents, len(source))) % agents


def _everybody(agents: int) -> pl.DataFrame:
    """Initial contacts in which everybody can reach everybody."""
    a, b = np.divmod(np.arange(agents * agents), agents)
    return pl.DataFrame({"source": a[a != b], "target": b[a != b]})


def _turning_to(rng: np.random.Generator, agents: int, events: int, strength: float, hub: Ints) -> tuple[Ints, Ints]:
    """Contacts that go to ``hub`` (one per event) with probability ``strength``, else to anybody."""
    source = rng.integers(0, agents, events)
    target = np.where(rng.random(events) < strength, hub, _other(rng, source, agents))
    return source, np.where(target == source, _other(rng, source, agents), target)


def hub(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Everybody could contact anybody and is as active as anybody, yet turns to one agent."""
    one = int(rng.integers(agents))
    contacts = _turning_to(rng, agents, events, strength, np.full(events, one))
    return contacts_log(*contacts, contacts=_everybody(agents), truth={"members": [one]})


def hubs(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """As ``hub``, with one hub in fifteen agents, at least two; whoever turns to a hub takes any of them."""
    some = rng.permutation(agents)[: max(2, agents // 15)]
    contacts = _turning_to(rng, agents, events, strength, some[rng.integers(0, len(some), events)])
    return contacts_log(*contacts, contacts=_everybody(agents), truth={"members": np.sort(some).tolist()})


def passing_hub(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """In every stretch most contacts go to one agent, in each stretch to another."""
    turns = np.cumsum(rng.integers(1, agents, PASSING)) % agents
    leader = turns[np.arange(events) * PASSING // events]
    return contacts_log(*_turning_to(rng, agents, events, 0.5, leader), contacts=_everybody(agents))


def busy_few(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Heavy-tailed activity: who contacts much is contacted much, and there is nothing else."""
    busy = rng.pareto(1.5, agents) + 0.2
    ends = rng.choice(agents, (2, events), p=busy / busy.sum())
    return contacts_log(ends[0], ends[1], contacts=_everybody(agents))


def favourites(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Each agent keeps to a favourite of its own, drawn at random; nobody agrees with anybody but by chance."""
    favourite = _other(rng, np.arange(agents), agents)
    source = rng.integers(0, agents, events)
    target = np.where(rng.random(events) < 0.7, favourite[source], _other(rng, source, agents))
    return contacts_log(source, target, contacts=_everybody(agents))


def uneven_reach(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Heavy-tailed channels: a few can be reached by many, and everybody picks any of its channels alike."""
    a, b = _ties(rng, rng.pareto(1.5, agents) + 0.2, 1.0)
    source, target = np.concatenate([a, b]), np.concatenate([b, a])
    active = np.unique(source)
    by_source = np.argsort(source, kind="stable")
    first = np.searchsorted(source[by_source], np.arange(agents + 1))
    who = rng.choice(active, events)
    pick = first[who] + (rng.random(events) * (first[who + 1] - first[who])).astype(np.int64)
    return contacts_log(who, target[by_source][pick], contacts=pl.DataFrame({"source": source, "target": target}))


def _ties(rng: np.random.Generator, weight: Floats, factor: Floats | float) -> tuple[Ints, Ints]:
    """A random graph with TIES ties per agent: odds of a pair are the product of its weights times its factor.

    With factor 1 all graphs with the same degrees are equally likely (Park & Newman 2004, Phys. Rev. E 70:066117), so the
    null N1 holds exactly.
    """
    n = len(weight)
    a, b = np.triu_indices(n, 1)
    odds = weight[a] * weight[b] * np.broadcast_to(np.asarray(factor, dtype=np.float64), (n, n))[a, b]
    wanted = min(TIES * n / 2, 0.5 * len(a))
    low, high = -30.0, 30.0
    for _ in range(30):
        middle = (low + high) / 2
        total = 1.0 / (1.0 + np.exp(-middle) / np.maximum(odds, 1e-12))
        low, high = (middle, high) if total.sum() < wanted else (low, middle)
    here = rng.random(len(a)) < total
    here[rng.integers(len(a))] |= not here.any()
    return a[here], b[here]


def _on_ties(rng: np.random.Generator, a: Ints, b: Ints, events: int) -> tuple[Ints, Ints]:
    """Events on ties drawn alike, in either direction."""
    tie, turned = rng.integers(0, len(a), events), rng.random(events) < 0.5
    return np.where(turned, b[tie], a[tie]), np.where(turned, a[tie], b[tie])


def heavy_tailed_ties(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Lasting ties at random, with very unequal numbers of ties and nothing else."""
    return contacts_log(*_on_ties(rng, *_ties(rng, rng.pareto(1.5, agents) + 0.2, 1.0), events))


def core(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """A quarter of the agents have ties to anybody, the others hardly to each other; contacts run on ties.

    The odds of a tie between two agents outside the core are multiplied by 1 - strength; at 0 all ties are alike.
    """
    inside = rng.permutation(agents) < CORE * agents
    factor = np.where(inside[:, None] | inside, 1.0, 1.0 - strength)
    ties = _ties(rng, np.ones(agents), factor)
    return contacts_log(*_on_ties(rng, *ties, events), truth={"members": np.flatnonzero(inside).tolist()})


def cores(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Teams of twenty with few ties between them; in each, a core as in ``core``."""
    team = rng.permutation(agents) // 20
    inside = np.zeros(agents, dtype=bool)
    for k in range(int(team.max()) + 1):
        own = rng.permutation(np.flatnonzero(team == k))
        inside[own[: max(1, round(CORE * len(own)))]] = True
    factor = np.where(inside[:, None] | inside, 1.0, 1.0 - strength)
    factor = np.where(team[:, None] == team, factor, 0.02)
    ties = _ties(rng, np.ones(agents), factor)
    truth = {"members": np.flatnonzero(inside).tolist(), "groups": team.tolist()}
    return contacts_log(*_on_ties(rng, *ties, events), truth=truth)


def brokers(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Teams of ten; a share ``strength`` of the contacts between teams is made or met by each team's one broker."""
    team = rng.permutation(agents) // 10
    size = np.bincount(team)
    order = np.argsort(team + rng.random(agents))
    first = np.cumsum(size) - size
    broker = order[first]  # anybody in each team
    a = rng.integers(0, agents, events)
    inside = order[first[team[a]] + (rng.random(events) * size[team[a]]).astype(np.int64)]
    b = _other(rng, a, agents)
    b = np.where(rng.random(events) < CROSSING, b, inside)
    carried = (team[a] != team[b]) & (rng.random(events) < strength)
    a = np.where(carried, broker[team[a]], a)
    turned = rng.random(events) < 0.5
    truth = {"members": np.sort(broker).tolist(), "groups": team.tolist()}
    return contacts_log(np.where(turned, b, a), np.where(turned, a, b), truth=truth)


def open_teams(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Teams of ten with heavy-tailed activity; who is busy is busy inside and outside of its team alike."""
    team = rng.permutation(agents) // 10
    busy = rng.pareto(2.5, agents) + 0.5
    a = rng.choice(agents, 4 * events, p=busy / busy.sum())
    b = rng.choice(agents, 4 * events, p=busy / busy.sum())
    kept = (team[a] == team[b]) | (rng.random(4 * events) < 1.0 - 0.9 * strength)
    kept &= a != b
    return contacts_log(a[kept][:events], b[kept][:events], truth={"groups": team.tolist()})


for _world in (
    World("hub", "Everybody could turn to anybody, and turns to one agent.", "hub", hub, detectors=("hubs",)),
    World("hubs", "Everybody could turn to anybody, and turns to one of a few.", "hub", hubs, detectors=("hubs",)),
    World(
        "passing hub", "One agent leads in each stretch, in each another one.", None, passing_hub, tempts="hub",
        detectors=("hubs",), rejects=(AGREED, IMBALANCED),  # agents do agree, for a while
    ),
    World(
        "busy few", "A few do most of the contacting and are contacted as much.", None, busy_few, tempts="hub",
        detectors=("hubs", "core_periphery"),
    ),
    World(
        "favourites", "Each agent keeps to a favourite of its own.", None, favourites, tempts="hub",
        detectors=("hubs",), rejects=(COMMAND,),  # one superior each: a tree, less the ring on top of it
    ),
    World(
        "uneven reach", "A few can be reached by many, and everybody picks any channel alike.", None, uneven_reach,
        tempts="hub", detectors=("hubs", "core_periphery"), exact=True, rejects=(IMBALANCED,),
    ),
    World(
        "heavy-tailed ties", "Lasting random ties, very unequal in number.", None, heavy_tailed_ties, tempts="core",
        detectors=("core_periphery", "brokers"), agents=80, events=3000, exact=True,
    ),
    World(
        "core", "A quarter have ties to anybody, the others hardly to each other.", "core", core,
        detectors=("core_periphery",), agents=80, events=3000,
    ),
    World(
        "cores", "Teams with a core each.", "core", cores, detectors=("core_periphery",), agents=80, events=3000,
    ),
    World(
        "brokers", "Teams in contact by way of one member each.", "broker", brokers, detectors=("brokers",),
    ),
    World(
        "open teams", "Teams whose busy members are busy inside and outside alike.", "teams", open_teams,
        tempts="broker", detectors=("teams", "brokers", "core_periphery"),
    ),
):  # fmt: skip
    worlds.add(_world.name)(_world)
