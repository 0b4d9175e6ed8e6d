"""The files of the page: it reads and writes inside one folder of runs, and refuses every path that leads out of it."""

from __future__ import annotations

import os
from pathlib import Path

from experiments.errors import UsageProblem

RUNS = "SWARMSCOPE_RUNS"  # the folder of runs, set by the command line
RUN = "SWARMSCOPE_RUN"  # the run or trace that the page opens with, set by the command line
READING = "SWARMSCOPE_READING"  # how the trace is read: its format and its columns, as JSON


def runs_folder() -> Path:
    """The only folder that a page reads runs from and writes them to."""
    return Path(os.environ.get(RUNS) or "runs").resolve()


def inside(name: str) -> Path:
    """The path called ``name`` in the folder of runs; UsageProblem for one that leads out of it, also by a link."""
    folder = runs_folder()
    made = (folder / name).resolve()
    if made == folder or folder not in made.parents:
        raise UsageProblem(
            f"'{name}': expected something in the folder of runs, {folder}; nothing else is opened here."
        )
    return made
