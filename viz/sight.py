"""Sight: who stands out in the picture of a session, and what was done to whom by the moment that is shown."""

from __future__ import annotations

import numpy as np

from sim.world.channels import pair
from sim.world.interventions import Intervention
from viz.session import Session


def pointed(session: Session) -> str | None:
    """Id of the structure that stands out: the one pointed at, else the one chosen."""
    identity: str | None = session.hovered.value or session.chosen.value
    return identity


def lit(session: Session) -> list[int]:
    """Numbers of the agents that stand out: members of the structure that does, or the partners of the agent chosen."""
    identity, found, at = pointed(session), session.found.value, session.stage()
    if at is None:
        return []
    if identity and found:
        one = next((s for s in found.structures if s["id"] == identity), None)
        if one is not None:
            return sorted(at.number[str(a)] for a in one["members"] if str(a) in at.number)
    agent = session.agent.value
    if 0 <= agent < at.n:
        near = at.links[(at.links == agent).any(axis=1)]
        return sorted({agent, *(int(a) for a in np.unique(near))})
    return []


def removed(session: Session) -> list[int]:
    """Numbers of the agents that were taken out by hand and are not back."""
    return sorted(a.agent for a in _lasting(session, "mute", "unmute"))


def severed(session: Session) -> list[int]:
    """Numbers of the agents that were cut off by hand and are not linked again."""
    return sorted(a.agent for a in _lasting(session, "cut", "join") if a.other == -1)


def closed(session: Session) -> list[tuple[int, int]]:
    """Pairs of agents, lower first, whose one channel was closed by hand and is not open again."""
    return sorted(pair(a.agent, a.other) for a in _lasting(session, "cut", "join") if a.other != -1)


def absent(session: Session) -> list[int]:
    """Numbers of the newcomers that have not joined yet."""
    return [number for number, act in newcomers(session).items() if act.time > session.now]


def newcomers(session: Session) -> dict[int, Intervention]:
    """Number of each newcomer, and the act that let it in."""
    first = 0 if session.run is None else session.run.founders
    return {first + k: act for k, act in enumerate(a for a in session.acts if a.action == "add")}


def _lasting(session: Session, on: str, off: str) -> list[Intervention]:
    """The last act ``on`` each agent or channel that no act ``off`` undid by the moment that is shown."""
    state: dict[tuple[int, int], Intervention | None] = {}
    for act in session.acts:
        if act.action in {on, off} and act.time <= session.now:
            what = (act.agent, -1) if act.other == -1 else pair(act.agent, act.other)
            state[what] = act if act.action == on else None
    return [act for act in state.values() if act is not None]
