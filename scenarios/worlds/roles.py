"""Worlds of roles and of divided labour: image graphs, specialists, and what looks like them.

Truth: ``groups`` (agent to role, or to the task that it prefers), ``image`` (shares of a role's contacts by role).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scenarios.worlds.world import World, as_log, contacts_log, worlds
from sim.detectors.grouping import GROUPED
from sim.detectors.hierarchy import IMBALANCED
from sim.record.log import Log

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STAGES = ((0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1), (1, 1, 1, 1, 1))
AGENCY = ((0, 1, 0), (0.2, 0, 0.8), (0.5, 0.5, 0))  # client, broker, worker
TEAMS_IN_A_RING = tuple(tuple(0.7 * (a == b) + 0.3 * (b == (a + 1) % 5) for b in range(5)) for a in range(5))
ROUND = tuple(tuple(float(b == (a + 1) % 4) for b in range(4)) for a in range(4))
NOISE = 0.2  # share of contacts with anybody at strength 1
HEAVIEST = 10.0  # times the activity of the least active, so that no agent takes everything
TASKS = 5
TURNS = 12  # times at which roles are drawn anew


def _activity(rng: np.random.Generator, agents: int, exponent: float) -> Floats:
    """Pareto-tailed activity up to HEAVIEST; everybody alike for an exponent of 0."""
    return np.minimum((1.0 - rng.random(agents)) ** (-1.0 / exponent), HEAVIEST) if exponent else np.ones(agents)


def _parted(rng: np.random.Generator, agents: int, shares: Sequence[float]) -> Ints:
    """Agents to roles in the given shares, at random; every role has somebody where there are enough agents."""
    ends = np.cumsum(shares) / np.sum(shares) * agents
    return rng.permutation(np.searchsorted(ends, np.arange(agents) + 0.5))


def _addressed(
    rng: np.random.Generator, role: Ints, source: Ints, image: Floats, strength: float, weight: Floats
) -> Ints:
    """Somebody for each source: of a role drawn from its row of ``image`` with chance ``strength``, else anybody."""
    k = len(image)
    rows = np.cumsum(image / image.sum(axis=1, keepdims=True), axis=1)
    wanted = np.minimum((rows[role[source]] < rng.random((len(source), 1))).sum(axis=1), k - 1)
    by_role = np.argsort(role, kind="stable")
    upto = np.concatenate([[0.0], np.cumsum(weight[by_role])])
    first = np.searchsorted(role[by_role], np.arange(k + 1))
    planned = rng.random(len(source)) < strength
    low = np.where(planned, upto[first[wanted]], 0.0)
    high = np.where(planned, upto[first[wanted + 1]], upto[-1])
    drawn = np.searchsorted(upto, low + rng.random(len(source)) * (high - low), side="right") - 1
    return by_role[np.clip(drawn, 0, len(role) - 1)]


def image_graph(
    rng: np.random.Generator,
    agents: int,
    events: int,
    strength: float,
    *,
    image: Sequence[Sequence[float]],
    shares: Sequence[float],
    exponent: float = 0.0,
    turns: int = 1,
) -> Log:
    """A degree-corrected block model: contacts go from role to role as ``image`` says; the rest goes to anybody.

    ``turns`` above 1 draws the roles anew that many times, each agent as active as before.
    """
    sends, takes = _activity(rng, agents, exponent), _activity(rng, agents, exponent)
    source = rng.choice(agents, events, p=sends / sends.sum())
    target = np.empty_like(source)
    pattern = np.array(image, dtype=np.float64)
    for part in np.array_split(np.arange(events), turns):
        role = _parted(rng, agents, shares)
        target[part] = _addressed(rng, role, source[part], pattern, strength * (1.0 - NOISE), takes)
    truth = {"groups": role.tolist(), "image": pattern.tolist()} if turns == 1 and strength > 0 else {}
    return contacts_log(source, target, truth=truth)


def standing_links(
    rng: np.random.Generator, agents: int, events: int, _strength: float, *, exponent: float, answered: float
) -> Log:
    """A random graph of four links each, of heavy-tailed degree, on which all contacts run; some are answered."""
    weight = _activity(rng, agents, exponent)
    ends = rng.choice(agents, (8 * agents, 2), p=weight / weight.sum())
    pairs = np.unique(np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1), axis=0)
    pairs = rng.permuted(rng.permutation(pairs)[: 2 * agents], axis=1)
    drawn = pairs[rng.integers(0, len(pairs), events)]
    back = rng.random(events) < answered / 2
    return contacts_log(np.where(back, drawn[:, 1], drawn[:, 0]), np.where(back, drawn[:, 0], drawn[:, 1]))


def neighbours(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Agents on a circle meet those within three steps: nobody has a role and there are no groups."""
    place = rng.permutation(agents)
    source = rng.integers(0, agents, events)
    step = rng.integers(1, 4, events) * rng.choice([-1, 1], events)
    return contacts_log(place[source], place[(source + step) % agents])


def _work(source: Ints, task: Ints, groups: Ints | None = None) -> Log:
    """A log of work events, one a row."""
    columns = {"source": source, "task": task, "kind": ["work"] * len(source), "target": [None] * len(source)}
    return as_log(columns, truth={} if groups is None else {"groups": groups.tolist()})


def specialists(rng: np.random.Generator, agents: int, events: int, strength: float, *, exponent: float = 0.0) -> Log:
    """Each agent has a task of its own and does it with chance ``strength``; other work is of any type."""
    weight = _activity(rng, agents, exponent)
    own = _parted(rng, agents, [1.0] * TASKS)
    source = rng.choice(agents, events, p=weight / weight.sum())
    task = np.where(rng.random(events) < strength, own[source], rng.integers(0, TASKS, events))
    return _work(source, task, own if strength > 0 else None)


def drifting(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """What there is to do changes in time, for everybody alike; agents come and go, so each sees other work."""
    phase = np.arange(events)[:, None] / events * 3.0 - np.arange(TASKS) / TASKS
    mix = np.exp(2.5 * np.cos(2.0 * np.pi * phase))
    busy = np.exp(2.0 * np.cos(2.0 * np.pi * (np.arange(events)[:, None] / events * 2.0 - rng.random(agents))))
    return _work(_one_of(rng, busy), _one_of(rng, mix))


def _one_of(rng: np.random.Generator, weight: Floats) -> Ints:
    """A column for each row of ``weight``, in proportion to it."""
    upto = weight.cumsum(axis=1)
    return np.asarray((upto < rng.random((len(weight), 1)) * upto[:, -1:]).sum(axis=1))


def wandering(
    rng: np.random.Generator, agents: int, events: int, _strength: float, *, stays: float, loyal: float
) -> Log:
    """Agents favour a task for a while and then any other: long bouts, and no lasting preference.

    An agent's favourite stays with chance ``stays`` from one of its events to the next; it does it with chance ``loyal``.
    One that lasted half the record would be kept from its beginning to its end: ``stays`` ** (events / agents / 2) is small.
    """
    source = rng.integers(0, agents, events)
    by_agent = np.argsort(source, kind="stable")
    fresh = rng.random(events) >= stays
    fresh[np.flatnonzero(np.diff(source[by_agent], prepend=-1))] = True
    favourite = rng.integers(0, TASKS, int(fresh.sum()))[np.cumsum(fresh) - 1]
    task = np.empty(events, dtype=np.int64)
    task[by_agent] = np.where(rng.random(events) < loyal, favourite, rng.integers(0, TASKS, events))
    return _work(source, task)


def _add(
    name: str,
    summary: str,
    make: Callable[..., Log],
    *,
    plants: str | None = None,
    tempts: str = "",
    agents: int = 50,
    events: int = 2000,
    by: str = "roles",
    exact: bool = False,
    holds: tuple[str, ...] = (),
    rejects: tuple[str, ...] = (),
) -> None:
    size = {"agents": agents, "events": events}
    worlds.add(name)(
        World(
            name,
            summary,
            plants,
            make,
            **size,
            detectors=(by,),
            tempts=tempts,
            exact=exact,
            holds=holds,
            rejects=rejects,
        )
    )


_stages = partial(image_graph, image=STAGES, shares=(1,) * 5)
_agency = partial(image_graph, image=AGENCY, shares=(8, 2, 5), exponent=2.0)
_add("stages of contact", "Five stages, each addressing the next; no items.", _stages, plants="pipeline")
_add(
    "clients brokers workers",
    "Clients ask brokers, who ask workers, who answer both; some are far more active than others.",
    _agency,
    plants="roles",
    agents=150,
    events=3000,
)
_add(
    "round of positions",
    "Four positions, each addressing the next and the last the first; nobody meets its own kind.",
    partial(image_graph, image=ROUND, shares=(1,) * 4),
    plants="roles",
)
_add(
    "blocks in a ring",
    "Five groups that mostly keep to themselves and otherwise address the next group.",
    partial(image_graph, image=TEAMS_IN_A_RING, shares=(1,) * 5),
    plants="teams",
    tempts="roles",
)
_add(
    "rotating roles",
    "Five stages whose agents are drawn anew again and again, each as active as ever.",
    partial(image_graph, image=STAGES, shares=(1,) * 5, exponent=1.5, turns=TURNS),
    tempts="roles",
    rejects=(IMBALANCED,),
)
_add(
    "uneven links",
    "All contacts run on a random graph of heavy-tailed degree.",
    partial(standing_links, exponent=1.5, answered=0.0),
    tempts="roles",
    agents=60,
    exact=True,
)
_add(
    "answered uneven links",
    "All contacts run both ways on a random graph of heavy-tailed degree.",
    partial(standing_links, exponent=1.5, answered=1.0),
    tempts="roles",
    agents=60,
)
_add(
    "neighbours on a circle",
    "Agents on a circle meet those near them.",
    neighbours,
    tempts="roles",
    holds=("unclassified", "teams"),
    rejects=(GROUPED,),  # any stretch of the circle is a group
)
_add("specialists", "Each agent has a task of its own.", specialists, plants="roles", by="labour")
_add(
    "uneven specialists",
    "Each agent has a task of its own; some work far more than others.",
    partial(specialists, exponent=1.5),
    plants="roles",
    by="labour",
)
_add(
    "generalists",
    "Everybody does any task alike; some work far more than others.",
    lambda rng, agents, events, _strength: specialists(rng, agents, events, 0.0, exponent=1.5),
    tempts="roles",
    by="labour",
    exact=True,
    holds=("hub",),  # the busiest does most of the work, stretch after stretch
)
_add("drifting tasks", "What there is to do changes, for everybody alike.", drifting, tempts="roles", by="labour")
_add(
    "bouts of work",
    "Agents stay with a task for some time and then take up any other.",
    partial(wandering, stays=0.8, loyal=1.0),
    tempts="roles",
    by="labour",
    events=3000,
)
_add(
    "passing moods",
    "Agents favour a task for some time, do others as well, and then favour any other.",
    partial(wandering, stays=0.9, loyal=0.7),
    tempts="roles",
    by="labour",
    events=6000,
)
