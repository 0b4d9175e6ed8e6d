"""Panel: the agent that was clicked: rule, partners, queue, cost, last events; taking it out, cutting it off."""

from __future__ import annotations

import solara

from experiments.report.words import number
from sim.world.engine import rule_module
from viz.individual import Individual, individual
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session


@solara.component
def Agent(session: Session) -> None:
    """One agent as the log shows it."""
    session.beat.value  # noqa: B018  the log grows
    session.cursor.value  # noqa: B018  another moment may be looked at
    at, tape, agent = session.stage(), session.tape, session.agent.value
    if at is None or tape is None or not 0 <= agent < at.n:
        words("Click an agent in the picture, or step through them with [ and ].", classes=["quiet"])
        return
    seen = individual(tape.between(-1.0, session.now), at.ids[agent])
    gone, apart = agent in session.removed(), agent in session.severed()
    state = f"{', taken out' if gone else ''}{', cut off' if apart else ''}"
    with solara.Div(classes=["line", "tight"]):
        words(f"Agent {at.names[agent]}{state}", tag="h3", data_agent=at.names[agent])
        if session.run is not None:
            label = "Bring back" if gone else "Take out"
            about = "The agent stops acting from now on; others may still turn to it. An event in the log."
            button(label, lambda: session.mute(agent, off=not gone), about=about, data_role="mute")
        if session.severs:
            label = "Link again" if apart else "Cut off"
            about = "All its channels close, in both directions; what it holds stays its own. An event in the log."
            button(label, lambda: session.sever(agent, off=not apart), about=about, data_role="cut")
        button("Close", lambda: session.agent.set(-1))
    if session.run is not None:
        rule = rule_module(session.run.plan.rule, session.run.plan.scenario)
        words(f"Rule: {rule.WORDS}")
    Facts(seen)


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
