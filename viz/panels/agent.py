"""Panel: the agent that was clicked: rule, partners, queue, cost, last events; what can be done to it, and beside it."""

from __future__ import annotations

import solara

from experiments.report.words import number
from sim.world.engine import rule_module
from viz.individual import Individual, individual
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session
from viz.sight import closed, removed, severed
from viz.steering import contacts, do, refusal

MOST_CHANNELS = 12


@solara.component
def Agent(session: Session) -> None:
    """One agent as the log shows it."""
    session.beat.value  # noqa: B018  the log grows
    session.cursor.value  # noqa: B018  another moment may be looked at
    at, tape, agent = session.stage(), session.tape, session.agent.value
    if at is None or tape is None or not 0 <= agent < at.n:
        words("Click an agent in the picture, or step through them with [ and ].", classes=["quiet"])
        return
    seen = individual(tape.own(at.ids[agent], session.now), at.ids[agent])
    gone, apart = agent in removed(session), agent in severed(session)
    state = f"{', taken out' if gone else ''}{', cut off' if apart else ''}"
    with solara.Div(classes=["line", "tight"]):
        words(f"Agent {at.names[agent]}{state}", tag="h3", data_agent=at.names[agent])
        if session.run is not None:
            Acts(session, agent, gone=gone, apart=apart)
        button("Close", lambda: session.agent.set(-1))
    if session.run is not None:
        if not refusal(session, "cut", agent):
            shut = {other for both in closed(session) if agent in both for other in both} - {agent}
            Channels(session, agent, contacts(session, agent), shut)
        rule = rule_module(session.run.plan.rule, session.run.plan.scenario)
        words(f"Rule: {rule.WORDS}")
    Facts(seen)


@solara.component
def Acts(session: Session, agent: int, *, gone: bool, apart: bool) -> None:
    """What can be done to the agent, or beside it."""
    with solara.Div(classes=["line", "tight"]):
        about = "The agent stops acting from now on; others may still turn to it. An event in the log."
        label, action = ("Bring back", "unmute") if gone else ("Take out", "mute")
        button(label, lambda: do(session, action, agent), about=about, data_role="mute")
        if not refusal(session, "cut", agent):
            about = "All its channels close, in both directions; what it holds stays its own. An event in the log."
            said, step = ("Link again", "join") if apart else ("Cut off", "cut")
            button(said, lambda: do(session, step, agent), about=about, data_role="cut")
        why = refusal(session, "add", agent)
        about = "A newcomer joins beside this agent, with channels to it and to all its contacts. An event in the log."
        button(
            "Add one beside it",
            lambda: do(session, "add", agent),
            about=why or about,
            disabled=bool(why),
            data_role="add",
        )


@solara.component
def Channels(session: Session, agent: int, near: list[int], shut: set[int]) -> None:
    """The agent's channels, each to be closed and opened again."""
    if not near:
        return
    shown = sorted(near, key=lambda other: (other not in shut, other))[:MOST_CHANNELS]
    with solara.Div(classes=["line", "tight"]):
        words("Channels:", tag="span")
        for other in shown:
            Channel(session, agent, other, open_=other not in shut).key(f"{agent}-{other}")
        if len(near) > len(shown):
            words(f"and {len(near) - len(shown)} more", tag="span", classes=["quiet"])


@solara.component
def Channel(session: Session, agent: int, other: int, *, open_: bool) -> None:
    """One channel as a button: pressed while it is closed."""
    button(
        f"{other}" if open_ else f"{other} closed",
        lambda: do(session, "cut" if open_ else "join", agent, other=other),
        about=f"{'Close' if open_ else 'Open'} the channel between {agent} and {other}, in both directions",
        pressed=not open_,
        data_channel=str(other),
    )


@solara.component
def Facts(seen: Individual) -> None:
    """Numbers, partners and last events."""
    rows = [
        ("took part in", f"{seen.events:,} events"),
        ("cost so far", number(seen.cost)),
        *([("holds", f"{seen.holds} items")] if seen.holds is not None else []),
        ("turns to", ", ".join(f"{who} ({count})" for who, count in seen.given) or "nobody"),
        ("is turned to by", ", ".join(f"{who} ({count})" for who, count in seen.taken) or "nobody"),
    ]
    with solara.Div(classes=["evidence"]):
        for name, value in rows:
            with solara.Div(classes=["pair"]):
                words(name, tag="b")
                words(value, tag="span")
    words("Last events", tag="h4")
    with solara.Div(classes=["lines"]):
        for moment, line in seen.last:
            words(f"{number(moment, 5)}  {line}")


panels.add("agent")(
    Panel("agent", "world", "An agent", "The agent that was clicked, as the log shows it.", Agent, order=30)
)
