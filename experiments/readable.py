"""Reading back a run's log, and only its end where all of it would not fit into memory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

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


def _rows(events: Path) -> int | None:
    """Number of rows of an event table by its footer; None where it cannot be read."""
    try:
        return int(pl.scan_parquet(events, hive_partitioning=False).select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError):
        return None
