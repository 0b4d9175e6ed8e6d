"""Reading back a run's log, and only its end where all of it would not fit into memory."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from experiments.errors import UsageProblem
from experiments.folder import is_run
from sim.record.importers import read
from sim.record.log import Log
from sim.record.store import EVENTS, TABLES, read_log

# An analysis needs about 400 bytes of memory for an event, so this many take about 4 GB.
MOST_EVENTS = 10_000_000


def read_readable(folder: Path, *, most: int = MOST_EVENTS) -> Log:
    """The log of a run folder; of one with more than ``most`` events the last ``most``, and a note that says so.

    ValueError with one sentence when the event table is absent or unreadable.
    """
    events = folder / EVENTS
    rows = _rows(events)
    if rows is None or rows <= most:
        return read_log(folder)
    with TemporaryDirectory(prefix=".tail-", dir=folder) as name:
        place = Path(name)
        for beside in ("log.json", *(f"{table}.parquet" for table in TABLES)):
            if (folder / beside).exists():
                shutil.copy(folder / beside, place / beside)
        lazy = pl.scan_parquet(events, hive_partitioning=False)
        lazy.slice(rows - most, most).sink_parquet(place / EVENTS)
        log = read_log(place)
    note = f"Only the last {most:,} of {rows:,} events were analysed: more do not fit into memory at once."
    return replace(log, kept="window" if log.kept == "full" else log.kept, notes=(*log.notes, note))


def any_log(path: Path, *, columns: Mapping[str, str] | None = None, form: str = "canonical") -> Log:
    """The log of a run folder, or of a trace in one of the formats of ``sim.record.importers``.

    Args:
        path: A run folder, or what the importer reads: a file or a folder of tables.
        columns: Schema name to the name in the trace, e.g. ``{"time": "ts"}``; not for run folders.
        form: Name of the importer; run folders need none.

    Raises:
        UsageProblem: For a path that is not there, or columns for a run folder.
        ImportFailure: For a trace that cannot be read.
    """
    check_log(path, columns)
    return read_readable(path) if is_log(path) else read(path, columns=columns, form=form)


def check_log(path: Path, columns: Mapping[str, str] | None) -> None:
    """UsageProblem for a path that is not there, or columns for a run folder."""
    if not path.exists():
        raise UsageProblem(f"{path}: expected a log or a run folder, found nothing there; check the path.")
    if columns and is_log(path):
        raise UsageProblem(f"{path}: a run folder has the columns of the schema; leave --columns out.")


def is_log(path: Path) -> bool:
    """True for a run folder that holds its log."""
    return is_run(path) and (path / EVENTS).exists()


def _rows(events: Path) -> int | None:
    """Number of rows of an event table by its footer; None where it cannot be read."""
    try:
        return int(pl.scan_parquet(events, hive_partitioning=False).select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError):
        return None
