"""Logs on disk: write and read the tables of a log, and drain a world's fixed-width buffers to Parquet as they fill."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sim.record.events import COLUMNS, KIND_NAMES, OPTIONAL, ORIGINS, SCHEMA_VERSION
from sim.record.log import Log

EVENTS = "events.parquet"
INDEX = "log.json"
TABLES = ("agents", "contacts", "states", "payloads", "ledger", "decisions")
# Rows gathered in memory before a part is written: at about 120 bytes each, half a gigabyte.
PART_ROWS = 1 << 22

# In the buffers -1 stands for null in these columns, and NaN in every column of floats.
NULL_IS_MINUS_ONE = ("target", "item", "artefact", "task", "parent")
_CODES: dict[str, tuple[str, ...]] = {"kind": KIND_NAMES, "origin": ORIGINS}


def write_log(log: Log, folder: Path | str) -> Path:
    """Write ``log`` into ``folder`` and return the path of its event table.

    ``events.parquet``, those tables of the log that exist (``agents``, ``contacts``, ``states``, ``payloads``,
    ``ledger``, ``decisions``, and ``runs`` from ``log.meta``), and ``log.json`` with everything that is no table. Each
    file is written under a temporary name and renamed, the event table last; tables that the log does not have are
    removed. The rest of ``meta`` has to be JSON with text as keys (TypeError otherwise). OSError with the path when the
    disk is full or the folder cannot be written; nothing half-written stays.
    """
    text = _index_text(log)
    place = _folder(folder)
    (place / EVENTS).unlink(missing_ok=True)
    _write_beside(log, text, place)
    with whole_file(place / EVENTS) as temporary:
        log.events.write_parquet(temporary, compression="zstd", compression_level=1)
    return place / EVENTS


def read_log(path: Path | str) -> Log:
    """Read what ``write_log`` or ``EventWriter`` wrote; ``path`` is the folder or its event table.

    ValueError with one sentence when the event table is absent, unreadable or of a newer schema version.
    """
    place = Path(path)
    place = place if place.is_dir() else place.parent
    index = _read_index(place)
    version = index.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ValueError(
            f"{place / INDEX}: schema version {version} is newer than {SCHEMA_VERSION}; update swarmscope."
        )
    tables = {name: read_parquet(place / f"{name}.parquet") for name in TABLES if (place / f"{name}.parquet").exists()}
    meta = dict(index.get("meta", {}))
    if (place / "runs.parquet").exists():
        meta["runs"] = read_parquet(place / "runs.parquet")
    return Log(
        events=read_parquet(place / EVENTS),
        **tables,
        kept=str(index.get("kept", "full")),
        missing=tuple(index.get("missing", ())),
        notes=tuple(index.get("notes", ())),
        predefined=tuple(index.get("predefined", ())),
        meta=meta,
    )


def read_parquet(path: Path) -> pl.DataFrame:
    """The table at ``path``; ValueError with one sentence when it is absent, cut short or not Parquet."""
    if not path.exists():
        raise ValueError(f"{path}: expected a Parquet file, found none; is this the folder of a finished run?")
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, path.stat().st_size - 4))
        if head != b"PAR1" or file.read(4) != b"PAR1":
            raise ValueError(f"{path}: expected a Parquet file, but it is cut short or of another format.")
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a damaged file can make the reader panic, which is no Exception
        raise ValueError(f"{path}: the Parquet file is damaged ({first_line(error)}); write it again.") from None


def to_frame(columns: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """Buffers as an event table: codes become categories, -1 and NaN become null.

    Args:
        columns: Column name to array of shape (rows,). ``kind`` and ``origin`` are codes into ``KIND_NAMES`` and
            ``ORIGINS``; integer columns of ``NULL_IS_MINUS_ONE`` hold -1 for null, float columns NaN. The arrays are
            copied, so the caller may fill them again.

    Returns:
        The columns given, in the order of the schema. ValueError for unknown columns, unequal lengths, a missing
        ``time``, ``kind`` or ``source``, or a code outside its table.
    """
    _check_columns(columns)
    order = [name for name in (*COLUMNS, *OPTIONAL) if name in columns]
    return pl.DataFrame([_category(n, columns[n]) if n in _CODES else _decoded(n, columns[n]) for n in order])


def _decoded(name: str, values: np.ndarray) -> pl.Series:
    """A buffer as a column of the schema that shares no memory with it, for the caller fills it again."""
    dtype = {**COLUMNS, **OPTIONAL}[name]
    if name in NULL_IS_MINUS_ONE and values.dtype.kind == "i":
        if values.max(initial=-1) < 0:
            return pl.Series(name, [None], dtype=dtype).new_from_index(0, len(values))
        column = pl.Series(name, values.copy())
        if values.min(initial=0) < 0:
            column = column.cast(pl.Int64).zip_with(column >= 0, pl.Series([None], dtype=pl.Int64))
        return column.cast(dtype)
    column = pl.Series(name, values.copy())
    return (column.fill_nan(None) if column.dtype.is_float() else column).cast(dtype)


class EventWriter:
    """Takes event buffers as they fill and ends in one ``events.parquet`` of a folder; memory stays bounded.

    Rows gather in memory up to ``part_rows`` and go to a part file beyond that; ``finish`` joins the parts as a stream.
    Without a folder everything stays in memory and ``frame`` returns it. Where the buffers lack ``seq`` it is counted.
    Used as a context manager it finishes at the end and, when an error passes through, removes what it wrote.
    """

    def __init__(self, folder: Path | str | None, *, part_rows: int = PART_ROWS) -> None:
        self.folder = None if folder is None else _folder(folder)
        self.rows = 0
        self.finished = False
        self._part_rows = part_rows
        self._held: list[pl.DataFrame] = []
        self._held_rows = 0
        self._parts: list[Path] = []
        self._place = None if self.folder is None else self.folder / f".events.parts-{os.getpid()}-{id(self):x}"

    def append(self, columns: Mapping[str, np.ndarray]) -> None:
        """Take a chunk of rows, see ``to_frame``; chunks are expected in the order of time."""
        if self.finished:
            raise ValueError("event writer: append after finish; open a new writer.")
        frame = to_frame(columns)
        if frame.height == 0:
            return
        if "seq" not in frame.columns:
            seq = pl.Series("seq", np.arange(self.rows, self.rows + frame.height, dtype=np.uint64))
            frame = frame.insert_column(0, seq)
        self.rows += frame.height
        self._held.append(frame)
        self._held_rows += frame.height
        if self.folder is not None and self._held_rows >= self._part_rows:
            self._spill()

    def frame(self) -> pl.DataFrame:
        """All rows so far as one table; reads the parts back."""
        tables = [read_parquet(part) for part in self._parts] + self._held
        return pl.concat(tables) if tables else empty_events()

    def finish(self, beside: Log | None = None) -> Path:
        """Write ``events.parquet`` with the tables and notes of ``beside`` (its events are ignored)."""
        if self.folder is None or self._place is None:
            raise ValueError("event writer: finish needs a folder; use frame() for a log kept in memory.")
        target = self.folder / EVENTS
        other = beside or Log(events=empty_events())
        try:
            text = _index_text(other)
            target.unlink(missing_ok=True)
            _write_beside(other, text, self.folder)
            with whole_file(target) as temporary:
                if self._parts:
                    self._spill()
                    lazy = pl.scan_parquet(self._parts, hive_partitioning=False)
                    lazy.sink_parquet(temporary, compression="zstd", compression_level=1)
                else:
                    self.frame().write_parquet(temporary, compression="zstd", compression_level=1)
        finally:
            self.finished = True
            shutil.rmtree(self._place, ignore_errors=True)
        return target

    def abort(self) -> None:
        """Remove everything this writer wrote."""
        self.finished = True
        self._held.clear()
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self.abort()
        elif not self.finished and self.folder is not None:
            self.finish()

    def _spill(self) -> None:
        assert self._place is not None
        if not self._held:
            return
        part = self._place / f"{len(self._parts):06d}.parquet"
        try:
            with writing(part):
                self._place.mkdir(exist_ok=True)
                pl.concat(self._held).write_parquet(part, compression="snappy", statistics=False)
        except OSError:
            self.abort()
            raise
        self._parts.append(part)
        self._held.clear()
        self._held_rows = 0


def empty_events() -> pl.DataFrame:
    """An event table without rows."""
    return pl.DataFrame(schema=COLUMNS)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, shortened to a phrase that fits into a sentence."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(". ")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn every failure to write ``path`` into an OSError with one sentence that names it."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        # The table library reports a full disk as an error of its own kind.
        why = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        why = why.rsplit("underlying IO error: ", 1)[-1]
        raise OSError(f"cannot write {path}: {why}. {_way_out(why)}") from error


def _way_out(why: str) -> str:
    """What to do about a failure to write, by the system's words for it."""
    if any(os.strerror(number) in why for number in (errno.ENOSPC, errno.EDQUOT)):
        return "Free some space or choose another folder."
    if os.strerror(errno.ENOTDIR) in why or os.strerror(errno.EEXIST) in why:
        return "A part of this path is a file; choose another folder."
    return "Choose a folder that can be written to."


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block ends well and is removed otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with writing(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _folder(folder: Path | str) -> Path:
    place = Path(folder)
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    return place


def _write_beside(log: Log, text: str, place: Path) -> None:
    runs = log.meta.get("runs")
    tables: dict[str, pl.DataFrame | None] = {name: getattr(log, name) for name in TABLES}
    tables["runs"] = runs if isinstance(runs, pl.DataFrame) else None
    for name, table in tables.items():
        path = place / f"{name}.parquet"
        if table is None:
            path.unlink(missing_ok=True)
            continue
        with whole_file(path) as temporary:
            table.write_parquet(temporary, compression="zstd", compression_level=1)
    with whole_file(place / INDEX) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _index_text(log: Log) -> str:
    meta = {key: value for key, value in log.meta.items() if not (key == "runs" and isinstance(value, pl.DataFrame))}
    index = {
        "schema_version": SCHEMA_VERSION,
        "kept": log.kept,
        "missing": list(log.missing),
        "notes": list(log.notes),
        "predefined": list(log.predefined),
        "meta": meta,
    }
    return json.dumps(index, indent=1, ensure_ascii=False, allow_nan=False, default=_no_json) + "\n"


def _no_json(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"log.meta: expected values that fit into JSON, got {type(value).__name__}; store it as a table.")


def _read_index(place: Path) -> dict[str, Any]:
    path = place / INDEX
    if not path.exists():
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected JSON, but it cannot be read ({first_line(error)}).") from None
    if not isinstance(index, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(index).__name__}.")
    return index


def _check_columns(columns: Mapping[str, np.ndarray]) -> None:
    unknown = [name for name in columns if name not in COLUMNS and name not in OPTIONAL]
    if unknown:
        raise ValueError(f"event buffers: unknown column {', '.join(unknown)}; see docs/events.md.")
    absent = [name for name in ("time", "kind", "source") if name not in columns]
    if absent:
        raise ValueError(f"event buffers: column {', '.join(absent)} is required.")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"event buffers: columns of unequal length: {lengths}.")


def _category(name: str, codes: np.ndarray) -> pl.Series:
    words = _CODES[name]
    low, high = (int(codes.min()), int(codes.max())) if len(codes) else (0, 0)
    if low < 0 or high >= len(words):
        raise ValueError(f"event buffers: column '{name}' expects codes 0 to {len(words) - 1}, got {high}.")
    known = pl.Series(name, words, dtype=COLUMNS[name])
    return known.new_from_index(low, len(codes)) if low == high else known.gather(codes.astype(np.uint32))
