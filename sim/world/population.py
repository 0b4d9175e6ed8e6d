"""The population: keys, streams and columns of the agents, and what a scenario hands to the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from sim.spec import Value
from sim.world.draws import stream
from sim.world.prefetch import CACHE_LINE

AGENT = [("key", "u8"), ("stream", "u8"), ("decisions", "i4"), ("muted", "i1"), ("severed", "i1")]


@njit(cache=True)
def _streams(seed: int, names: np.ndarray) -> np.ndarray:
    made = np.empty(names.shape[0], np.uint64)
    for i in range(names.shape[0]):
        made[i] = stream(seed, names[i])
    return made


def streams(seed: int, names: np.ndarray) -> np.ndarray:
    """The stream names (uint64) of an array of keys or numbers under ``seed``."""
    return np.asarray(_streams(np.uint64(seed), np.asarray(names, np.uint64)))


def named(seed: int, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys and streams (uint64) of the agents with these numbers."""
    keys = streams(seed ^ 0x5EED, numbers)
    return keys, streams(seed, keys)


@dataclass(frozen=True)
class Setup:
    """What a scenario builds from.

    Attributes:
        values: All parameters, checked.
        seed: Seed of every draw.
        rule: Name of the rule that decides, or that decides for most.
        rows: ``rows[label]`` is the row that holds the agent built as number ``label``; None for the identity. Another
            order permutes the log and changes nothing else.
        others: Names of the other minds of a mixed population.
    """

    values: Mapping[str, Value]
    seed: int
    rule: str
    rows: np.ndarray | None = None
    others: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of everything that decides."""
        return (self.rule, *self.others)

    def row_of(self, agents: int) -> np.ndarray:
        """The row of every agent number."""
        return np.arange(agents) if self.rows is None else np.asarray(self.rows, np.int64)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@dataclass
class Built:
    """A world ready to run.

    Attributes:
        world: Named tuple of arrays; has ``agents``, ``count``, ``sums`` and whatever the loop needs.
        loop: One of the loops of ``sim.world.loops``.
        physics: Contract and loop names to the scenario's functions.
        dims: Lengths of the dimensions that rules name in their columns.
        starts: Start values of rule columns that differ from the rule's own.
        rule_values: Parameters of the rule by name.
        contacts: (source, target) columns of the initial channels, or None when everybody reaches everybody.
        grow: Makes room in the world after a kernel reported CAPACITY; None when nothing there can grow.
        grow_minds: The same for the minds' columns; returns None when they have their declared capacity already.
        meters: Name to a function of (world, log buffer): whole-array figures for data collection.
        side_by_side: Agents and minds share rows of memory, for scenarios whose turns touch agents at random.
        live: Parameter name to a function of the value that changes the running world.
        severs: What else has to follow when channels close or open: a function of (world, moved, shut), where ``moved`` are
            the (row, order) of ``sim.world.channels.reroute`` and ``shut`` the pairs of rows, lower first, whose channels
            just closed; None where there is nothing to cut.
        joins: What else has to grow when a newcomer joins as the last row: a function of (world, minds, beside) that returns
            the world, called while each new channel is the last of its row (see ``sim.world.joining``); or, where nobody
            can join, the reason, to follow "for".
        bound: Rows whose choice is fixed by the scenario, (agents,) bool: they keep their rule whatever the mind; or None.
        capacity: What to say when a declared capacity overflowed.
        predefined: What stood before the first event, as sentences for the predefinition audit.
        states: The log's table of states, where the scenario knows it beforehand.
        reach: The log's table of initial contacts, where the scenario knows it though nobody is held to it (``contacts``
            is None).
    """

    world: Any
    loop: Callable[..., int]
    physics: Mapping[str, Callable[..., Any]]
    dims: Mapping[str, int]
    rule_values: Mapping[str, float]
    contacts: tuple[np.ndarray, np.ndarray] | None
    meters: Mapping[str, Callable[[Any, Any], float]]
    starts: Mapping[str, np.ndarray] = field(default_factory=dict)
    grow: Callable[[Any], Any] | None = None
    grow_minds: Callable[[Any, Any], Any] | None = None
    side_by_side: bool = False
    live: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)
    severs: Callable[[Any, list[tuple[int, np.ndarray]], frozenset[tuple[int, int]]], None] | None = None
    joins: Callable[[Any, Any, int], Any] | str = "its world is made once, for those who start in it"
    bound: np.ndarray | None = None
    capacity: str = "a declared capacity is too small"
    predefined: tuple[str, ...] = ()
    states: pl.DataFrame | None = None
    reach: pl.DataFrame | None = None


def new_agents(setup: Setup, *, agents: int, extra: list[Any], in_key_order: bool = False) -> Any:
    """The population's columns as a record array (agents,): key, stream, decisions, muted, severed, and ``extra``.

    Keys depend on the seed and the agent's number, never on its row. With ``in_key_order`` agents are numbered in the order
    of their keys, so that a pick by key needs no table where rows are numbers.
    """
    made = np.zeros(agents, np.dtype([*AGENT, *extra], align=True)).view(np.recarray)
    keys, _ = named(setup.seed, np.arange(agents))
    if in_key_order:
        keys.sort()
    made["key"][setup.row_of(agents)] = keys
    made["stream"] = streams(setup.seed, made["key"])
    return made


class Minds:
    """The columns of all minds: each an array whose first axis is the agent, as an attribute and by name."""

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self.__dict__.update(columns)

    def __getitem__(self, name: str) -> np.ndarray:
        return np.asarray(self.__dict__[name])


# Bytes of an agent's key, which its record begins with and no kernel reads.
KEY = 8


def side_by_side(agents: Any, minds: Minds) -> tuple[Any, Minds]:
    """The same columns in one block of memory, in which an agent's record and its mind stand in one row.

    Rows fill whole cache lines (or a half, a quarter of one): a decision then waits for one line, not for one of each
    column. A line begins behind the key, which no decision reads. The arrays returned are strided views of the block.
    """
    columns = {"": agents, **{name: minds[name] for name in minds.__dict__}}
    places, size = {}, 0
    for name, column in columns.items():
        places[name] = size
        size += -(-column.dtype.itemsize * int(np.prod(column.shape[1:])) // 8) * 8
    row = max(8, 1 << (size - 1).bit_length()) if size <= CACHE_LINE else -(-size // CACHE_LINE) * CACHE_LINE
    block = np.zeros(len(agents) * row + CACHE_LINE, np.uint8)
    block = block[-(block.ctypes.data + KEY) % CACHE_LINE :]
    views = {}
    for name, column in columns.items():
        within = np.empty(column.shape[1:], column.dtype).strides
        views[name] = np.ndarray(column.shape, column.dtype, block, places[name], (row, *within))
        views[name][...] = column
    return views.pop("").view(np.recarray), Minds(views)
