"""Opening: what the page was started with, a run folder or a trace of another kind, as a log to look at."""

from __future__ import annotations

import json
import os
from pathlib import Path

from experiments.readable import any_log
from sim.record.log import Log
from viz.files import READING, RUN


def asked_for() -> Path | None:
    """The run folder or trace that the page opens with; None for a new world."""
    place = os.environ.get(RUN)
    return Path(place) if place else None


def opened() -> Log:
    """Its log, read as the command line said; errors say what was expected."""
    how = json.loads(os.environ.get(READING) or "{}")
    return any_log(Path(os.environ[RUN]), columns=how.get("columns"), form=how.get("form", "canonical"))
