"""Worlds whose whole contact graph has a shape: compositions, and shapes that no template of organisation has.

Truth: ``groups`` (agent to team).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scenarios.worlds.world import World, contacts_log, worlds
from sim.record.log import Log

Floats = NDArray[np.float64]
INSIDE = 0.75  # share of a team's contacts inside, at strength 1


def on_flow(rng: np.random.Generator, flow: Floats, events: int, strength: float, **truth: object) -> Log:
    """Contacts in proportion to ``flow`` with probability ``strength``, else between anybody; agents in random places."""
    n = len(flow)
    place = rng.permutation(n)
    anybody = 1.0 - np.eye(n)
    share = strength * flow / max(flow.sum(), 1e-12) + (1.0 - strength) * anybody / anybody.sum()
    source, target = np.divmod(rng.choice(n * n, events, p=(share / share.sum()).ravel()), n)
    moved = {k: np.asarray(v)[np.argsort(place)].tolist() if k == "groups" else v for k, v in truth.items()}
    return contacts_log(place[source], place[target], truth=moved)


def composed(image: Callable[[int], Floats]) -> Callable[[np.random.Generator, int, int, float], Log]:
    """Teams of about ten that deal with each other as ``image(teams)`` says; a quarter of contacts leave the team."""

    def make(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
        teams = max(4, round(agents / 10))
        team = np.arange(agents) % teams
        own = (team[:, None] == team[None, :]).astype(np.float64)
        np.fill_diagonal(own, 0.0)
        across = image(teams)[team][:, team]
        flow = INSIDE * own / own.sum() + (1.0 - INSIDE) * across / across.sum()
        return on_flow(rng, flow, events, strength, groups=team)

    return make


def lattice(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Agents on a square grid meet their neighbours: a shape that no organisation has."""
    side = max(2, int(np.sqrt(agents)))
    flow = np.zeros((side * side, side * side))
    here = np.arange(side * side).reshape(side, side)
    for a, b in ((here[:, :-1], here[:, 1:]), (here[:-1], here[1:])):
        flow[a, b] = flow[b, a] = 1.0
    return on_flow(rng, flow, events, strength)


def circle(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Agents on a circle meet those within two steps, and nobody has a place that differs from another's."""
    apart = np.abs(np.subtract.outer(np.arange(agents), np.arange(agents)))
    apart = np.minimum(apart, agents - apart)
    return on_flow(rng, ((apart > 0) & (apart <= 2)).astype(np.float64), events, strength)


def _round(teams: int) -> Floats:
    return np.roll(np.eye(teams), 1, axis=1)


def _row(teams: int) -> Floats:
    return np.eye(teams, k=1)


def _star(teams: int) -> Floats:
    flow = np.zeros((teams, teams))
    flow[0, 1:] = flow[1:, 0] = 1.0
    return flow


def _add(name: str, summary: str, plants: str | None, make: Callable[..., Log], **more: object) -> None:
    more = {"agents": 60, "events": 3000, "detectors": ("shapes",), **more}
    worlds.add(name)(World(name, summary, plants, make, **more))  # type: ignore[arg-type]


_add("ring of teams", "Teams that otherwise deal with the next team round a ring.", "ring of teams", composed(_round))
_add("pipeline of teams", "Teams that otherwise pass on to the next in a row.", "pipeline of teams", composed(_row))
_add("hub of teams", "Teams that otherwise deal with one team in the middle.", "hub of teams", composed(_star))
_add(
    "lattice", "Agents on a grid meet their neighbours.", None, lattice, tempts="teams", holds=("roles", "unclassified")
)
_add("round of neighbours", "Agents on a circle meet those near them.", "unclassified", circle, tempts="ring of teams")
