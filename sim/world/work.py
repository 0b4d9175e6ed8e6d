"""Work: items that arrive, queue, travel and leave; what a transfer costs them; kernel functions and their columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.world.books import OWN_COUNT
from sim.world.draws import normal, stream, unit

NOBODY = -1

# Purposes of the draws of an item: (seed, item, hop, purpose).
LOSS, NOISE, ORIGIN, FLAW, INSPECT = 1, 2, 3, 4, 5

# Places in World.count.
FREE, ROOM, NEXT_NUMBER, HOP_FREE, HOP_ROOM = OWN_COUNT, OWN_COUNT + 1, OWN_COUNT + 2, OWN_COUNT + 3, OWN_COUNT + 4
OWN_COUNT_WORK = OWN_COUNT + 5

# Rows of the tables are 32-bit numbers: half the memory to fetch. Kernels widen them where they read them, for a function
# called with another width would be compiled once more. The first 64 bytes of an item are all that most steps touch.
# ``task`` is the skill needed next, ``done`` how many stages are finished, ``inspect`` 1 while a review is asked for,
# ``trail`` the last row in the hops, ``cause`` the sequence number of the event that brought the item to its holder,
# ``whole`` the row of the item it is a part of, ``siblings`` how many parts a whole still has, ``link`` the next item in
# a queue, on a bench or in the free list, ``alarm`` when its patience on the bench ends.
ITEM = np.dtype(
    [
        ("number", "i8"), ("requirements", "u8"), ("cause", "i8"), ("began", "f8"), ("entered", "f8"), ("link", "i4"),
        ("trail", "i4"), ("hops", "i4"), ("holder", "i4"), ("task", "i2"), ("first", "i2"), ("done", "i1"),
        ("stage", "i1"), ("flawed", "i1"), ("inspect", "i1"), ("alarm", "f8"), ("whole", "i4"), ("siblings", "i4"),
    ],
    align=True,
)  # fmt: skip

# Who took which option with an item; ``before`` is the hop before it, or the next free row.
HOP = np.dtype([("before", "i4"), ("agent", "i4"), ("option", "i4"), ("task", "i4")], align=True)

# The queue of an agent: first and last waiting item, how many wait, and the item in service or -1.
QUEUE = [("head", "i4"), ("tail", "i4"), ("serving", "i4"), ("length", "i4")]


def new_items(rows: int) -> Any:
    """``rows`` free items."""
    items = np.zeros(rows, ITEM).view(np.recarray)
    items["link"] = np.arange(1, rows + 1)
    return items


def new_hops(rows: int) -> Any:
    """``rows`` free hop records."""
    hops = np.zeros(rows, HOP).view(np.recarray)
    hops["before"] = np.arange(1, rows + 1)
    return hops


def grown(table: Any, count: Any, free: int, room: int, link: str) -> Any:
    """``table`` with twice the rows; the new ones stand at the front of the free list, the old free ones behind."""
    rows = len(table)
    made = np.zeros(2 * rows, table.dtype).view(np.recarray)
    made[:rows] = table
    made[link][rows:] = np.arange(rows + 1, 2 * rows + 1)
    made[link][2 * rows - 1] = count[free]
    count[free] = rows
    count[room] += rows
    return made


def take_item(world: Any) -> int:
    """A free row with the next item number."""
    items = world.items
    row = world.count[FREE]
    world.count[FREE] = items[row].link
    world.count[ROOM] -= 1
    items[row].number = world.count[NEXT_NUMBER]
    world.count[NEXT_NUMBER] += 1
    return row


def free_item(world: Any, row: int) -> None:
    """Give a row back."""
    items = world.items
    items[row].link = world.count[FREE]
    world.count[FREE] = row
    world.count[ROOM] += 1


def push_hop(world: Any, row: int, agent: int, option: int, task: int) -> None:
    """Remember that ``agent`` took ``option`` with the item in ``row``."""
    items = world.items
    hops = world.hops
    place = world.count[HOP_FREE]
    world.count[HOP_FREE] = hops[place].before
    world.count[HOP_ROOM] -= 1
    hops[place].agent = agent
    hops[place].option = option
    hops[place].task = task
    hops[place].before = items[row].trail
    items[row].trail = place


def pop_hop(world: Any, row: int) -> None:
    """Forget the newest hop of the item in ``row``."""
    items = world.items
    hops = world.hops
    place = np.int64(items[row].trail)
    items[row].trail = hops[place].before
    hops[place].before = world.count[HOP_FREE]
    world.count[HOP_FREE] = place
    world.count[HOP_ROOM] += 1


def enqueue(world: Any, agent: int, row: int) -> None:
    """Put an item at the end of an agent's queue."""
    items = world.items
    agents = world.agents
    items[row].link = NOBODY
    items[row].holder = agent
    if agents[agent].length == 0:
        agents[agent].head = row
    else:
        items[agents[agent].tail].link = row
    agents[agent].tail = row
    agents[agent].length += 1


def dequeue(world: Any, agent: int) -> int:
    """Take the first item of an agent's queue, which must not be empty."""
    items = world.items
    agents = world.agents
    row = np.int64(agents[agent].head)
    agents[agent].head = items[row].link
    agents[agent].length -= 1
    return row


def draw_origin(world: Any, row: int, name: int) -> None:
    """Give the item a uniformly random direction as its embedding, and remember it as the original."""
    dimension = world.vector.shape[1]
    total = 0.0
    for j in range(dimension):
        z = normal(name, j, ORIGIN)
        world.origin[row, j] = z
        total += z * z
    scale = 1.0 / math.sqrt(total)
    for j in range(dimension):
        world.origin[row, j] = np.float64(world.origin[row, j]) * scale
        world.vector[row, j] = world.origin[row, j]


def lose(requirements: int, width: int, name: int, hop: int, rate: float) -> int:
    """Delete each of the ``width`` bits with probability p by skipping over geometric gaps; ``rate`` is log(1 - p)."""
    kept = requirements
    if rate >= 0.0:
        return kept
    place = 0
    count = 0
    while True:
        gap = math.log(1.0 - unit(name, hop * 64 + count, LOSS)) / rate
        count += 1
        if gap >= width - place:
            return kept
        place += int(gap)
        kept = kept & ~(np.uint64(1) << np.uint64(place))
        place += 1
        if place >= width:
            return kept


def drift(world: Any, row: int, name: int, hop: int, noise: float) -> None:
    """Add noise of variance ``noise``^2 / d to every component, then renormalise (docs/factory.md, F6)."""
    dimension = world.vector.shape[1]
    step = noise / math.sqrt(dimension)
    for j in range(dimension):
        world.vector[row, j] = np.float64(world.vector[row, j]) + step * normal(name, hop * dimension + j, NOISE)
    normalise(world, row)


def normalise(world: Any, row: int) -> None:
    """Give the item's embedding length 1."""
    total = 0.0
    for j in range(world.vector.shape[1]):
        total += np.float64(world.vector[row, j]) * np.float64(world.vector[row, j])
    scale = 1.0 / math.sqrt(total)
    for j in range(world.vector.shape[1]):
        world.vector[row, j] = np.float64(world.vector[row, j]) * scale


def similarity(world: Any, row: int) -> float:
    """Cosine between the item's embedding and its original."""
    total = 0.0
    for j in range(world.vector.shape[1]):
        total += np.float64(world.vector[row, j]) * np.float64(world.origin[row, j])
    return total


def item_stream(seed: int, number: int) -> int:
    """The stream of draws of item ``number``."""
    return stream(np.uint64(seed) ^ np.uint64(0x1737CE5A), np.uint64(number))


def bit_count(bits: int) -> int:
    """How many bits are set."""
    x = np.uint64(bits)
    count = 0
    while x != np.uint64(0):
        x = x & (x - np.uint64(1))
        count += 1
    return count
