"""Opening: a run folder or a trace of another kind as a log to look at, and the command that shows it again."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from experiments.readable import any_log
from sim.record.log import Log
from viz.files import READING, RUN


def asked_for() -> Path | None:
    """The run folder or trace that the page opens with; None for a new world."""
    place = os.environ.get(RUN)
    return Path(place) if place else None


def opened() -> tuple[Log, str]:
    """Its log, read as the command line said, and the command; errors say what was expected."""
    how = json.loads(os.environ.get(READING) or "{}")
    place, columns, form = Path(os.environ[RUN]), how.get("columns") or None, how.get("form", "canonical")
    return any_log(place, columns=columns, form=form), shown_by(place, columns=columns, form=form)


def shown_by(place: Path, *, columns: Mapping[str, str] | None = None, form: str = "canonical") -> str:
    """The command that opens the page with what lies at ``place``, as seen from where the page was started."""
    here = Path.cwd()
    words = ["swarmscope", "ui", str(place.relative_to(here) if here in place.parents else place)]
    if columns:
        words += ["--columns", ",".join(f"{ours}={theirs}" for ours, theirs in columns.items())]
    if form != "canonical":
        words += ["--as", form]
    return shlex.join(words)
