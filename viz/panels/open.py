"""Panel: open a run folder or a trace that lies in the folder of runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import solara

from experiments.commands._show import names, pairs
from experiments.detect import TABLES
from experiments.readable import any_log, is_log
from viz.entries import Field
from viz.files import inside, runs_folder
from viz.opening import shown_by
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session

MOST_LISTED = 30


@solara.component
def Open(session: Session) -> None:
    """Names of what lies there; nothing else can be opened from the page."""
    session.world.value  # noqa: B018  what is looked at changes
    known = listed()
    columns, set_columns = solara.use_state("")

    def named(text: str) -> bool:
        """Take over the columns of traces."""
        set_columns(text.strip())
        return True

    if not known:
        words("No runs lie here yet: 'swarmscope run' and 'swarmscope import' leave them.", classes=["quiet"])
    with solara.Div(classes=["line"]):
        for name in known[:MOST_LISTED]:
            button(name, partial(open_run, session, name, columns), about="Look at this log", data_open=name)
        if session.stored is not None:
            button("Back to a live world", session.start, primary=True)
    if any(Path(name).suffix in TABLES for name in known):
        with solara.Div(classes=["columns-of"]):
            Field("Columns of a trace, as time=ts,source=from", columns, named)


def listed() -> list[str]:
    """Run folders and traces in the folder of runs, newest first."""
    folder = runs_folder()
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if (p / "manifest.json").is_file() or p.suffix in TABLES]
    return [p.name for p in sorted(found, key=lambda p: -p.stat().st_mtime)]


def open_run(session: Session, name: str, columns: str) -> None:
    """Look at a log of the folder of runs; ``columns`` as in ``swarmscope detect --columns``, for traces only."""

    def act() -> None:
        place: Path = inside(name)
        mapping = {} if is_log(place) else pairs(list(names(columns) or ()), option="columns")
        log = any_log(place, columns=mapping or None)
        session.open(log, name=name, command=shown_by(place, columns=mapping))

    session.attempt(act)


panels.add("open")(
    Panel("open", "steering", "Open a run", "Runs and traces in the folder of runs.", Open, order=60, wide=True)
)
