"""Files of an import: find the event table and what stands beside it, and read each format as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sim.record.importers import ImportFailure
from sim.record.store import first_line, read_parquet

SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
# Tables with these names stand beside an event table and are never taken for one.
BESIDE = ("runs", "agents", "contacts", "states", "payloads", "ledger")
_OURS = {"log.json", "manifest.json", "report.json", "topology.json"}


@dataclass(frozen=True)
class Found:
    """Where the parts of a trace are.

    Attributes:
        events: File of the event table.
        beside: Table name of ``BESIDE`` to file.
        other: Names of tables in the same folder that nobody reads.
        form: ``parquet``, ``csv`` or ``jsonl``.
    """

    events: Path
    beside: dict[str, Path]
    other: tuple[str, ...]
    form: str


def locate(path: Path) -> Found:
    """Find the event table at ``path``: the file itself, or ``events.*`` or the only table of a folder."""
    if not path.exists():
        raise ImportFailure(f"{path}: there is no such file or folder.")
    if path.is_file():
        near = _tables(path.parent) if path.stem == "events" else {}
        return _found(path, near)
    tables = _tables(path)
    named = [file for file in tables.values() if file.stem == "events"]
    single = [file for file in tables.values() if file.stem not in BESIDE]
    if not named and len(single) != 1:
        listed = ", ".join(sorted(file.name for file in path.iterdir())[:12]) or "nothing"
        raise ImportFailure(
            f"{path}: expected events.parquet, events.csv or events.jsonl in this folder, found {listed}; "
            "name the file of the event table itself."
        )
    return _found((named or single)[0], tables)


def read_table(path: Path, form: str | None = None) -> pl.DataFrame:
    """The table in ``path`` without interpretation; all columns of a CSV file are text."""
    form = form or form_of(path)
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {"parquet": _parquet, "csv": _csv, "jsonl": _jsonl}
    try:
        return readers[form](path)
    except OSError as error:
        raise ImportFailure(f"{path}: cannot be opened ({error.strerror or first_line(error)}).") from None


def form_of(path: Path) -> str:
    """The format of ``path`` by its suffix, otherwise by its first bytes."""
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ImportFailure(f"{path}: cannot be opened ({error.strerror}).") from None
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    header = head.lstrip().split(b"\n", 1)[0]
    if b"\x00" not in head and any(mark in header for mark in (b",", b";", b"\t")):
        return "csv"
    raise ImportFailure(
        f"{path}: expected a table of events in Parquet, CSV or JSON Lines, found "
        f"{'another format' if head else 'an empty file'}."
    )


def _found(events: Path, tables: dict[str, Path]) -> Found:
    beside = {file.stem: file for file in tables.values() if file.stem in BESIDE and file != events}
    other = sorted(file.name for file in tables.values() if file != events and file.stem not in BESIDE)
    return Found(events, beside, tuple(other), form_of(events))


def _tables(folder: Path) -> dict[str, Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in SUFFIXES)
    return {file.name: file for file in files if file.name not in _OURS and not file.name.startswith(".")}


def _parquet(path: Path) -> pl.DataFrame:
    try:
        return read_parquet(path)
    except ValueError as error:
        raise ImportFailure(str(error)) from None


def _csv(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        head = file.read(65536)
    if not head.strip():
        raise ImportFailure(f"{path}: expected a CSV file with a header line, found an empty file.")
    if b"\x00" in head:
        raise ImportFailure(f"{path}: expected a CSV file, found binary data.")
    line = head.splitlines()[0]
    separator = max(",;\t", key=lambda mark: line.count(mark.encode()))
    try:
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise ImportFailure(
            f"{path}: expected a CSV file in UTF-8 with as many fields in each line as in the header; "
            f"reading stopped: {first_line(error)}."
        ) from None


def _jsonl(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        head = file.read(65536).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise ImportFailure(f"{path}: expected JSON Lines, one object on each line, found an empty file.")
    try:
        if head.startswith(b"["):
            return pl.read_json(path, infer_schema_length=None)
        return pl.read_ndjson(path, infer_schema_length=None)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the reader panics on some malformed input
        where = _bad_line(path) or first_line(error)
        raise ImportFailure(f"{path}: expected JSON Lines, one object on each line; {where}.") from None


def _bad_line(path: Path) -> str:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if line.strip() and not isinstance(json.loads(line), dict):
                    return f"line {number} is no object"
            except ValueError as error:
                return f"line {number} is not JSON ({first_line(error)})"
    return ""
