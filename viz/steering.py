"""Steering: what a person changes in the running world of a session; each act is an event of the log."""

from __future__ import annotations

from sim.spec import Value
from sim.world.interventions import Intervention, contacts_of, refused
from viz.links import with_value
from viz.session import Session


def acts_now(session: Session, name: str) -> bool:
    """True for a parameter that changes the running world; without one, what the schema says."""
    if session.run is not None and session.run.engine is not None:
        return name in session.run.engine.live
    return session.spec.param(name).live


def change(session: Session, name: str, value: Value) -> bool:
    """Set a parameter: now when it acts now, and for the next reset in any case; False where it was refused."""

    def act() -> None:
        c = session.choice.value
        checked = session.spec.param(name).check(value, owner=f"scenario '{c.scenario}'")
        session.choice.value = with_value(c, name, checked, base=session.spec.values(c.preset))
        if session.run is not None and acts_now(session, name):
            session.run.steer(Intervention(session.run.moment.now, "set", name=name, value=checked))

    return session.attempt(act)


def restore(session: Session, name: str) -> None:
    """Give a parameter back the value of the preset."""
    change(session, name, session.spec.values(session.choice.value.preset)[name])
    session.edition.value += 1


def do(session: Session, action: str, agent: int, *, other: int = -1) -> None:
    """One of the actions of ``sim.world.interventions`` on an agent, or on the channel to ``other``, now."""
    run = session.run
    if run is not None:
        session.attempt(lambda: run.steer(Intervention(run.moment.now, action, agent, other=other)))


def refusal(session: Session, action: str, agent: int) -> str:
    """Why an action on an agent cannot be done here, as a sentence; empty where it can."""
    engine = session.run.engine if session.run is not None else None
    if engine is None:
        return "Nothing runs here that could be changed."
    return refused(Intervention(engine.now, action, agent), engine)


def contacts(session: Session, agent: int) -> list[int]:
    """Numbers of the agents that ``agent`` has a channel of its own with, open or closed."""
    engine = session.run.engine if session.run is not None else None
    return [] if engine is None or agent >= len(engine.world.agents) else contacts_of(engine, agent)
