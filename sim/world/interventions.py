"""Interventions as data: one change to the world at one time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.record.events import KIND_CODES, ORIGIN_CODES
from sim.spec import ParameterError
from sim.world.buffer import ROWS, emit
from sim.world.channels import pair, reroute
from sim.world.joining import join, refusal

ACTIONS = ("mute", "unmute", "cut", "join", "add", "set")


@dataclass(frozen=True)
class Intervention:
    """At ``time``: one ``action`` on the agent in row ``agent``, or ``set`` the live parameter ``name`` to ``value``.

    ``mute`` and ``unmute``: the agent stops acting, and begins again; others may still turn to it. ``cut`` and ``join``:
    all its channels close, in both directions, and open again; what it holds stays its own. With ``other`` only the
    channel between the two. ``add``: a newcomer joins beside the agent, as the last row (see ``sim.world.joining``).
    """

    time: float
    action: str
    agent: int = -1
    name: str = ""
    value: float | int | str | bool = 0.0
    other: int = -1

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ParameterError(f"intervention: action must be one of {', '.join(ACTIONS)}, got '{self.action}'.")
        if not self.time >= 0:
            raise ParameterError(f"intervention: time must be at least 0, got {self.time}.")


def allow(intervention: Intervention, engine: Any) -> None:
    """Raise ParameterError where ``intervention`` cannot be done to this world."""
    reason = refused(intervention, engine)
    if reason:
        raise ParameterError(reason)


def refused(intervention: Intervention, engine: Any) -> str:
    """Why ``intervention`` cannot be done to this world, as a sentence; empty where it can."""
    agents = len(engine.world.agents)
    if intervention.action == "set":
        return ""
    if not 0 <= intervention.agent < agents:
        return f"intervention: agent must be a row from 0 to {agents - 1}, got {intervention.agent}."
    if intervention.action == "add":
        return refusal(engine, intervention.agent)
    if intervention.action in {"cut", "join"}:
        return _refused_cut(intervention, engine)
    return ""


def _refused_cut(intervention: Intervention, engine: Any) -> str:
    name, agent, other = engine.scenario.name, intervention.agent, intervention.other
    if engine.built.severs is None:
        return f"scenario '{name}': its agents have no channels to each other here, so none can be cut."
    if engine.batches is not None:
        return (
            f"scenario '{name}': agents can be cut off only where compiled rules decide, for a mind with a memory "
            "knows its contacts by their places; take the agent out instead."
        )
    if other != -1 and other not in contacts_of(engine, agent):
        return f"scenario '{name}': there is no channel of their own between agents {agent} and {other}, so none can be cut."
    return ""


def contacts_of(engine: Any, agent: int) -> list[int]:
    """Rows that ``agent`` has a channel with, in either direction, open or closed, in rising order."""
    world = engine.world
    if not hasattr(world, "neighbour"):
        return []
    towards = world.neighbour[world.start[agent] : world.start[agent + 1]]
    back = np.searchsorted(world.start, np.flatnonzero(world.neighbour == agent), side="right") - 1
    return [int(row) for row in np.union1d(towards, back)]


def perform(intervention: Intervention, engine: Any) -> None:
    """Apply one intervention to a running engine and record it as an event."""
    allow(intervention, engine)
    agents, agent = engine.world.agents, intervention.agent
    if intervention.action == "set":
        engine.set(intervention.name, intervention.value)
    elif intervention.action == "add":
        agent = join(engine, agent, time=intervention.time)
    elif intervention.action in {"cut", "join"}:
        _cut(intervention, engine)
    else:
        agents["muted"][agent] = 1 if intervention.action == "mute" else 0
        if intervention.action == "unmute" and "wake" in engine.built.physics:
            engine.built.physics["wake"](engine.world, agent, engine.now)
    _record(intervention, engine, agent)


def _cut(intervention: Intervention, engine: Any) -> None:
    """Close channels, or open them again: one where another agent is named, else all."""
    agent, other, closes = intervention.agent, intervention.other, intervention.action == "cut"
    near = contacts_of(engine, agent) if other == -1 else [other]
    if other == -1:
        engine.world.agents["severed"][agent] = int(closes)
    else:
        (engine.closed.add if closes else engine.closed.discard)(pair(agent, other))
    linked = hasattr(engine.world, "neighbour")
    moved = reroute(engine.world, engine.slotted(), agent, closed=engine.closed) if linked else []
    engine.built.severs(engine.world, moved, frozenset(pair(agent, row) for row in near if closes))


KINDS = {"set": "set", "mute": "mute", "unmute": "mute", "cut": "cut", "join": "cut", "add": "join"}


def _record(intervention: Intervention, engine: Any, agent: int) -> None:
    """Interventions come from a person, are about ``agent``, and cost nothing."""
    kind = KIND_CODES[KINDS[intervention.action]]
    value = float(intervention.value) if isinstance(intervention.value, int | float) else np.nan
    if intervention.action != "set":
        value = 1.0 if intervention.action in {"mute", "cut", "add"} else 0.0
    before = int(engine.log.count[ROWS])
    emit(
        engine.log, intervention.time, kind, agent, intervention.other, -1, -1, -1, -1, value, 0.0, np.nan,
        np.uint64(0), np.nan,
    )  # fmt: skip
    if int(engine.log.count[ROWS]) > before:
        engine.log.rows[before].origin = ORIGIN_CODES["human"]
