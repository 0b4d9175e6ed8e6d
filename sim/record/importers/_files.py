"""Files of an import: find the event table and what stands beside it, and read each format as it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

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


def read_table(path: Path, notes: list[str]) -> pl.DataFrame:
    """The table in ``path`` without interpretation; all columns of a CSV file are text.

    ``notes`` gets what had to be changed to read it at all.
    """
    form = form_of(path)
    try:
        return _jsonl(path, notes) if form == "jsonl" else {"parquet": _parquet, "csv": _csv}[form](path)
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
    found = "another format" if head else "an empty file"
    if head.startswith(b"PK\x03\x04"):  # as the page hands out run folders
        found = "a ZIP archive; unpack it and name what was in it"
    raise ImportFailure(f"{path}: expected a table of events in Parquet, CSV or JSON Lines, found {found}.")


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


def _jsonl(path: Path, notes: list[str]) -> pl.DataFrame:
    with path.open("rb") as file:
        head = file.read(65536).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise ImportFailure(f"{path}: expected JSON Lines, one object on each line, found an empty file.")
    array = head.startswith(b"[")
    try:
        return _parsed(path, array=array)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # the reader panics on some malformed input
        return _slowly(path, notes, array=array)


def _parsed(given: Path | bytes, *, array: bool) -> pl.DataFrame:
    return (pl.read_json if array else pl.read_ndjson)(given, infer_schema_length=None)


def _slowly(path: Path, notes: list[str], *, array: bool) -> pl.DataFrame:
    """The table of a file that the fast reader refused: NaN and infinity, which JSON does not know, become null.

    ImportFailure with the line of anything else.
    """
    said = f"{path}: expected JSON Lines, one object on each line"
    places, lines, odd = [], [], Counter[str]()
    for place, made in _objects(path, array=array):
        if not isinstance(made, dict):
            raise ImportFailure(f"{said}; {place} is {made if isinstance(made, str) else 'no object'}.")
        odd.update(key for key, value in made.items() if isinstance(value, float) and not isfinite(value))
        places.append(place)
        lines.append(json.dumps(_finite(made)).encode())
    try:
        table = _parsed(b"\n".join(lines), array=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        where = f"{places[_first_bad(lines)]} does not fit those before it"
        raise ImportFailure(f"{said}; {where} ({first_line(error)}).") from None
    notes += [f"{n} values of column '{name}' are not finite and were taken as missing" for name, n in odd.items()]
    return table


def _objects(path: Path, *, array: bool) -> Iterator[tuple[str, Any]]:
    """Place, such as "line 3", and value of every line that is not empty, or of every item of an array.

    What is not JSON comes as a string that says so, and ends the file.
    """
    with path.open("rb") as file:
        parts = [("the array", file.read())] if array else ((f"line {n}", line) for n, line in enumerate(file, start=1))
        for place, line in parts:
            plain = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not plain:
                continue
            try:
                made = json.loads(plain)
            except json.JSONDecodeError as error:
                at = f"line {error.lineno}, column {error.colno}" if array else f"column {error.colno}"
                yield place, f"not JSON ({error.msg} at {at})"
                return
            except (ValueError, RecursionError) as error:
                yield place, f"not JSON ({first_line(error)})"
                return
            if array and isinstance(made, list):
                yield from (
                    (f"item {n}", None if isinstance(item, str) else item) for n, item in enumerate(made, start=1)
                )
            else:
                yield place, None if isinstance(made, str) else made


def _finite(value: Any) -> Any:
    """The value with null for every NaN and infinity in it."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _first_bad(lines: list[bytes]) -> int:
    """Place of the line with which the lines up to there first cannot be read as one table."""
    good, bad = 0, len(lines)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            _parsed(b"\n".join(lines[:middle]), array=False)
            good = middle
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            bad = middle
    return bad - 1
