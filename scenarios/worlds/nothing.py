"""Worlds with nothing in them: contacts without groups, order or lasting relations beyond what is stated."""

from __future__ import annotations

import numpy as np

from scenarios.worlds.world import World, contacts_log, worlds
from sim.detectors import shapes
from sim.detectors.brokers import BROKERED
from sim.detectors.grouping import GROUPED
from sim.detectors.hierarchy import COMMAND, IMBALANCED
from sim.record.log import Log


def random_mixing(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody meets anybody."""
    return contacts_log(rng.integers(0, agents, events), rng.integers(0, agents, events))


def uneven_activity(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Sending and receiving are heavy-tailed and unrelated to each other; there is nothing else."""
    sends, takes = rng.pareto(1.5, agents) + 0.2, rng.pareto(1.5, agents) + 0.2
    return contacts_log(
        rng.choice(agents, events, p=sends / sends.sum()), rng.choice(agents, events, p=takes / takes.sum())
    )


def coming_and_going(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Those who are there meet anybody who is there; a third of all is there at a time, and one after the other is replaced."""
    there = max(2, agents // 3)
    away = np.arange(events) * (agents - there + 1) // events
    first = rng.integers(0, there, events)
    second = (first + rng.integers(1, there, events)) % there
    # Who leaves is the one who came first: numbers in use run from ``away`` on.
    return contacts_log(first + away, second + away)


worlds.add("random mixing")(World("random mixing", "Everybody meets anybody.", None, random_mixing, exact=True))
worlds.add("uneven activity")(
    World(
        "uneven activity",
        "Some send much and some receive much, for reasons of their own.",
        None,
        uneven_activity,
        tempts="hierarchy",
        rejects=(IMBALANCED, COMMAND),  # who sends much stands above who takes much, and reaches more
    )
)
worlds.add("coming and going")(
    World(
        "coming and going",
        "Everybody meets anybody who is there; agents come and go.",
        None,
        coming_and_going,
        tempts="teams",
        rejects=(
            GROUPED,
            shapes.GROUPED,
            shapes.SHAPED,
            shapes.PARTNERS,
            shapes.CARRIED,
            BROKERED,
        ),  # not there, not met
    )
)
