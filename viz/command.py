"""The line under a picture: the command that makes again what it shows, to be copied."""

from __future__ import annotations

import solara

from experiments.plan import Plan
from viz.parts import button, words
from viz.session import Session


@solara.component
def Command(session: Session, plan: Plan | None = None, *, acts: int = 0) -> None:
    """The command of ``plan`` with so many acts by hand, or of the run looked at; for a log that was there, what shows it."""
    session.world.value  # noqa: B018  another world, another command
    session.beat.value  # noqa: B018  something may have been done by hand
    made = plan or (session.run.plan if session.run is not None else None)
    command = session.command if made is None else made.command()
    if not command:
        return
    by_hand = " (without what was done by hand)" if (len(session.acts) if plan is None else acts) else ""
    with solara.Div(classes=["line", "tight", "made"]):
        words("Shown by" if made is None else f"Made by{by_hand}", tag="span", classes=["quiet"])
        words(command, tag="code", data_made="command", title=command)
        button("Copy", lambda: session.copy(command), about="Copy the command that makes this again")
