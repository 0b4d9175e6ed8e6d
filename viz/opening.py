"""Opening: a run folder or a foreign trace as a log for the page to look at."""

from __future__ import annotations

from pathlib import Path

from experiments.folder import is_run
from experiments.readable import read_readable
from sim.record.importers import read
from sim.record.log import Log


def opened(path: Path) -> Log:
    """The log of a run folder, or of a trace that the canonical importer reads; errors say what was expected."""
    return read_readable(path) if is_run(path) else read(path)
