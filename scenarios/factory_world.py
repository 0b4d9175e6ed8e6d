"""The world of the factory: its columns and books, and what an agent senses of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.record.events import KIND_CODES
from sim.world.books import OWN_SUM
from sim.world.draws import unit
from sim.world.view import OPEN
from sim.world.work import INSPECT, NOBODY, OWN_COUNT_WORK, item_stream

ARRIVE, WORK, HANDOFF = KIND_CODES["arrive"], KIND_CODES["work"], KIND_CODES["handoff"]
REVIEWED, REWORK, REJECTED = KIND_CODES["review"], KIND_CODES["rework"], KIND_CODES["reject"]
ESCALATED, DELIVER, DROPPED = KIND_CODES["escalate"], KIND_CODES["deliver"], KIND_CODES["drop"]
HELD, ASSEMBLE, APPROVE = KIND_CODES["hold"], KIND_CODES["assemble"], KIND_CODES["approve"]
FAIL, ASK, UNDECIDED = KIND_CODES["fail"], KIND_CODES["ask"], KIND_CODES["undecided"]

# Purposes of an agent's draws that belong to the physics; rules use purposes below 100.
SERVICE, GLANCE = 100, 101
# Purposes of an arrival's draws, and what sets its stream apart.
ARRIVAL = 0xA551
GAP, TYPE, ENTRY = 1, 2, 3

# Places in World.count: the first of the items whose outcome is still to be told, and the arrivals so far.
TOLD, ARRIVALS = OWN_COUNT_WORK, OWN_COUNT_WORK + 1
# Places in World.sums.
IN_SYSTEM, DELIVERED, LOST, LATENCY, KEPT, COSINE, QUALITY, HOPS, SERVICES = range(OWN_SUM, OWN_SUM + 9)

# Most parts of an item: one arrival takes a row for each of them and one for the whole.
PARTS_MAX = 16

PHYSICS = np.dtype(
    [
        ("seed", "u8"), ("types", "i8"), ("stages", "i8"), ("parts", "i8"), ("bits", "i8"), ("rate", "f8"),
        ("service_rate", "f8"), ("defect", "f8"), ("catch", "f8"), ("false_alarm", "f8"), ("loss_rate", "f8"),
        ("noise", "f8"), ("service_cost", "f8"), ("message_cost", "f8"), ("look", "i8"), ("feedback", "i8"),
        ("reward_share", "f8"), ("practice", "f8"), ("bench", "f8"), ("max_hops", "i8"), ("trails", "i8"),
        ("vectors", "i8"),
    ]
)  # fmt: skip


class World(NamedTuple):
    """Everything there is.

    ``proficiency`` is (agents, types + 1), its last column for assembly. The neighbours of agent i are
    ``neighbour[start[i]:start[i + 1]]``; the first ``width`` of them are in use, in the order of their keys. ``vector`` and
    ``origin`` (items, dimension) are unit vectors. ``entries`` are the agents where items arrive, ``mix`` the cumulated
    shares of task types. ``asked`` is what the agent now deciding heard from its neighbours, -1 where it did not ask;
    ``unasked`` is -1 throughout.
    """

    agents: Any
    proficiency: Any
    start: Any
    neighbour: Any
    items: Any
    vector: Any
    origin: Any
    hops: Any
    clock: Any
    physics: Any
    entries: Any
    mix: Any
    asked: Any
    unasked: Any
    count: Any
    sums: Any


class FactoryView(NamedTuple):
    """What the holder of an item senses after serving it; the words for each field are in ``scenarios.factory``."""

    task: Any
    stage: Any
    proficiency: Any
    last: Any
    hops: Any
    came: Any
    found: Any
    waiting: Any
    width: Any
    asked: Any


class Outcome(NamedTuple):
    """What a party hears about an item it passed: its task then, the option taken, the reward, 1 or 0 for good or bad."""

    task: Any
    option: Any
    reward: Any
    good: Any


def note(outcome: Any) -> tuple[int, float, int]:
    """What a mind with a memory keeps of an outcome: the option, whether it went well, and the type of work."""
    return outcome.option, outcome.good, outcome.task


def sense(world: Any, agent: int) -> Any:
    """The view of ``agent`` on the item it has just served."""
    row = np.int64(world.agents[agent].serving)
    items = world.items
    found = -1
    if items[row].inspect == 1:
        name = item_stream(world.physics[0].seed, items[row].number)
        threshold = world.physics[0].catch if items[row].flawed == 1 else world.physics[0].false_alarm
        found = 1 if unit(name, np.int64(items[row].hops), INSPECT) < threshold else 0
    task = np.int64(items[row].task)
    return FactoryView(
        task,
        np.int64(items[row].stage),
        np.float64(world.proficiency[agent, task]),
        1 if items[row].done + 1 >= world.physics[0].stages else 0,
        np.int64(items[row].hops),
        1 if items[row].trail != NOBODY else 0,
        found,
        np.int64(world.agents[agent].length),
        np.int64(world.agents[agent].width),
        world.asked,
    )


def recall(world: Any, agent: int, task: int) -> Any:
    """The view of ``agent`` when it hears of an outcome: itself as it is now, and the task it is about."""
    width = np.int64(world.agents[agent].width)
    waiting = np.int64(world.agents[agent].length)
    return FactoryView(
        task, OPEN, np.float64(world.proficiency[agent, task]), 0, 0, 0, -1, waiting, width, world.unasked
    )
