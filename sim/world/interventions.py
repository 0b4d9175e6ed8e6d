"""Interventions as data: one change to the world at one time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.record.events import KIND_CODES, ORIGIN_CODES
from sim.spec import ParameterError
from sim.world.buffer import ROWS, emit

ACTIONS = ("mute", "unmute", "set")


@dataclass(frozen=True)
class Intervention:
    """At ``time``: ``mute`` or ``unmute`` the agent in row ``agent``, or ``set`` the live parameter ``name`` to ``value``."""

    time: float
    action: str
    agent: int = -1
    name: str = ""
    value: float | int | str | bool = 0.0

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ParameterError(f"intervention: action must be one of {', '.join(ACTIONS)}, got '{self.action}'.")
        if not self.time >= 0:
            raise ParameterError(f"intervention: time must be at least 0, got {self.time}.")


def perform(intervention: Intervention, engine: Any) -> None:
    """Apply one intervention to a running engine and record it as an event."""
    agents = engine.world.agents
    if intervention.action == "set":
        engine.set(intervention.name, intervention.value)
    else:
        if not 0 <= intervention.agent < len(agents):
            raise ParameterError(
                f"intervention: agent must be a row from 0 to {len(agents) - 1}, got {intervention.agent}."
            )
        agents["muted"][intervention.agent] = 1 if intervention.action == "mute" else 0
        if intervention.action == "unmute" and "wake" in engine.built.physics:
            engine.built.physics["wake"](engine.world, intervention.agent, engine.now)
    _record(intervention, engine)


def _record(intervention: Intervention, engine: Any) -> None:
    """Interventions come from a person, have no sequence number of the world's own making, and cost nothing."""
    kind = KIND_CODES["set"] if intervention.action == "set" else KIND_CODES["mute"]
    value = float(intervention.value) if isinstance(intervention.value, int | float) else np.nan
    if intervention.action == "unmute":
        value = 0.0
    elif intervention.action == "mute":
        value = 1.0
    before = int(engine.log.count[ROWS])
    emit(
        engine.log, intervention.time, kind, intervention.agent, -1, -1, -1, -1, -1, value, 0.0, np.nan,
        np.uint64(0), np.nan,
    )  # fmt: skip
    if int(engine.log.count[ROWS]) > before:
        engine.log.rows[before].origin = ORIGIN_CODES["human"]
