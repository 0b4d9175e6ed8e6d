"""Families of graphs that templates of human organisation stand for: what is drawn is the flow expected in each.

Families, not graphs: every draw has its own size, density, direction and proportions. The flow is 1 on links and 0
elsewhere up to a factor; noise and the drawing of contacts are added by ``templates``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.detectors.window import Floats, Ints

Family = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True)
class Template:
    """A family of graphs: its name, what it is in words, and ``draw(rng, n) -> flow``, shape (n, n), row = giver."""

    name: str
    says: str
    draw: Family


def _both(flow: Floats, *, back: float = 1.0) -> Floats:
    return np.asarray(flow + back * flow.T)


def _answers(rng: np.random.Generator) -> float:
    """How much comes back for what goes: nothing, or between a half and all of it."""
    return float(rng.choice([0.0, rng.uniform(0.5, 1.0)]))


def _complete(n: int, members: Ints) -> Floats:
    flow = np.zeros((n, n))
    flow[np.ix_(members, members)] = 1.0
    np.fill_diagonal(flow, 0.0)
    return flow


def _thinned(rng: np.random.Generator, flow: Floats, share: float) -> Floats:
    """The flow on a random ``share`` of its pairs, both directions of a pair together."""
    kept = np.triu(rng.random(flow.shape) < share, 1)
    return np.asarray(flow * (kept | kept.T))


def hierarchy(rng: np.random.Generator, n: int) -> Floats:
    """A tree: orders go down (or reports up), answers may come back."""
    span = rng.integers(2, 6)
    child = np.arange(1, n)
    flow = np.zeros((n, n))
    flow[(child - 1) // span, child] = 1.0
    flow = flow if rng.random() < 0.5 else flow.T
    return _both(flow, back=_answers(rng))


def hub(rng: np.random.Generator, n: int) -> Floats:
    """One to three hubs that everybody deals with, and nobody else."""
    hubs = int(rng.integers(1, 4))
    flow = np.zeros((n, n))
    flow[:hubs, hubs:] = 1.0
    flow = flow if rng.random() < 0.5 else flow.T
    return _both(flow, back=_answers(rng))


def pipeline(rng: np.random.Generator, n: int) -> Floats:
    """Stages in a row; work passes one way from each to the next."""
    stages = int(rng.integers(4, min(10, n // 2) + 1))
    stage = np.sort(np.arange(n) % stages)
    return _thinned(rng, (stage[:, None] + 1 == stage).astype(float), rng.uniform(0.5, 1.0))


def ring(rng: np.random.Generator, n: int) -> Floats:
    """A circle: each agent passes to the next."""
    flow = np.zeros((n, n))
    flow[np.arange(n), (np.arange(n) + 1) % n] = 1.0
    return _both(flow, back=_answers(rng))


def mesh(rng: np.random.Generator, n: int) -> Floats:
    """Anybody with anybody, most pairs in contact."""
    return _thinned(rng, _complete(n, np.arange(n)), rng.uniform(0.4, 1.0))


def teams(rng: np.random.Generator, n: int) -> Floats:
    """Groups inside which everybody meets, and little between them."""
    groups = int(rng.integers(2, n // 5 + 1))
    group = np.arange(n) % groups
    inside = (group[:, None] == group).astype(float)
    np.fill_diagonal(inside, 0.0)
    return _thinned(rng, inside, rng.uniform(0.6, 1.0))


def matrix(rng: np.random.Generator, n: int) -> Floats:
    """Everybody belongs to a function and a project, and meets both."""
    functions = int(rng.integers(4, max(int(np.sqrt(n)), 4) + 1))
    function, project = np.arange(n) % functions, np.arange(n) // functions
    flow = ((function[:, None] == function) | (project[:, None] == project)).astype(float)
    np.fill_diagonal(flow, 0.0)
    return _thinned(rng, flow, rng.uniform(0.7, 1.0))


def market(rng: np.random.Generator, n: int) -> Floats:
    """Two sides; contacts only between them, none preferred."""
    side = np.arange(n) < rng.uniform(0.3, 0.5) * n
    flow = np.outer(side, ~side).astype(float)
    return _both(_thinned(rng, _both(flow), rng.uniform(0.3, 0.9)) * _both(flow, back=0.0), back=_answers(rng))


def core(rng: np.random.Generator, n: int) -> Floats:
    """A dense core; the others meet some of the core and hardly each other."""
    inner = np.arange(n) < max(rng.uniform(0.12, 0.3) * n, 4)
    flow = np.outer(inner, inner) + rng.uniform(0.4, 0.8) * (np.outer(inner, ~inner) + np.outer(~inner, inner))
    chosen = np.triu(rng.random((n, n)) < flow, 1)
    return (chosen | chosen.T).astype(float)


def council(rng: np.random.Generator, n: int) -> Floats:
    """Heads who all confer, each with a department that deals with its head only."""
    heads = int(rng.integers(4, min(9, n // 4) + 1))
    flow = _complete(n, np.arange(heads))
    rest = np.arange(heads, n)
    flow[rest % heads, rest] = 1.0
    flow[rest, rest % heads] = rng.uniform(0.5, 1.0)
    return flow


def blackboard(rng: np.random.Generator, n: int) -> Floats:
    """Traces left and read: whoever writes to a board reaches all who read it; writing and reading are unrelated."""
    flow = np.zeros((n, n))
    for _ in range(int(rng.integers(1, 4))):
        flow += np.outer(rng.random(n) < rng.uniform(0.2, 0.5), rng.random(n) < rng.uniform(0.3, 0.7))
    np.fill_diagonal(flow, 0.0)
    return flow


def circles(rng: np.random.Generator, n: int) -> Floats:
    """Circles within circles: members of a circle lead circles of their own, three or more deep."""
    size = int(rng.integers(4, 6))
    flow = np.zeros((n, n))
    flow[:size, :size] = 1.0
    leader, joined = 0, size
    while joined < n:
        leader = leader if leader else 1
        member = np.append(leader, np.arange(joined, min(joined + size - 1, n)))
        flow[np.ix_(member, member)] = 1.0
        joined, leader = joined + size - 1, leader + 1
    np.fill_diagonal(flow, 0.0)
    return flow


def federation(rng: np.random.Generator, n: int) -> Floats:
    """Units inside which everybody meets; each sends two or three delegates to an assembly in which all meet."""
    units, delegates = int(rng.integers(3, min(6, n // 6) + 1)), int(rng.integers(2, 4))
    unit, rank = np.arange(n) % units, np.arange(n) // units
    inside = _thinned(rng, (unit[:, None] == unit).astype(float), rng.uniform(0.7, 1.0))
    sent = rank < delegates
    flow = np.maximum(inside, np.outer(sent, sent))
    np.fill_diagonal(flow, 0.0)
    return flow


TEMPLATES = (
    Template("hierarchy", "a tree of command", hierarchy),
    Template("hub", "one or a few hubs that everybody deals with", hub),
    Template("pipeline", "stages in a row", pipeline),
    Template("ring", "a circle in which each passes to the next", ring),
    Template("mesh", "anybody with anybody", mesh),
    Template("teams", "groups that keep to themselves", teams),
    Template("matrix", "functions crossed with projects", matrix),
    Template("market", "two sides that deal with each other", market),
    Template("core", "a dense core and a periphery around it", core),
    Template("council", "heads who confer, each with a department", council),
    Template("blackboard", "traces that some leave and others read", blackboard),
    Template("nested circles", "circles within circles", circles),
    Template("federation", "units that send delegates to an assembly", federation),
)


# Small graphs: the image of the groups of a large one.


def line(_rng: np.random.Generator, n: int) -> Floats:
    """Groups in a row, one way."""
    return np.eye(n, k=1)


def star(rng: np.random.Generator, n: int) -> Floats:
    """One group that all others deal with."""
    flow = np.zeros((n, n))
    flow[0, 1:] = 1.0
    flow = flow if rng.random() < 0.5 else flow.T
    return _both(flow, back=float(rng.choice([0.0, 1.0])) * rng.uniform(0.5, 1.0))


def tree(rng: np.random.Generator, n: int) -> Floats:
    """A tree of groups that is neither a line nor a star."""
    child = np.arange(1, n)
    flow = np.zeros((n, n))
    flow[(child - 1) // int(rng.integers(2, max(3, n // 3) + 1)), child] = 1.0
    flow = flow if rng.random() < 0.5 else flow.T
    return _both(flow, back=_answers(rng))


def clusters(rng: np.random.Generator, n: int) -> Floats:
    """Groups of groups."""
    group = np.arange(n) % int(rng.integers(2, n // 3 + 1))
    flow: Floats = (group[:, None] == group).astype(float)
    np.fill_diagonal(flow, 0.0)
    return flow


def sides(rng: np.random.Generator, n: int) -> Floats:
    """Two sides of groups."""
    side = np.arange(n) < int(rng.integers(max(2, n // 3), n // 2 + 1))
    return _both(np.outer(side, ~side).astype(float), back=_answers(rng))


def everybody(_rng: np.random.Generator, n: int) -> Floats:
    """All groups with each other."""
    return _complete(n, np.arange(n))


# From how many groups on a shape differs from those before it.
SMALL_TEMPLATES = (
    (3, Template("ring", "a circle in which each passes to the next", ring)),
    (3, Template("pipeline", "groups in a row", line)),
    (3, Template("hub", "one group that all others deal with", star)),
    (3, Template("mesh", "every group with every other", everybody)),
    (6, Template("hierarchy", "a tree of groups", tree)),
    (6, Template("teams", "groups of groups", clusters)),
    (6, Template("market", "two sides of groups", sides)),
)
