"""Results: what workers append while a sweep runs, the Parquet tables it becomes, and reading them without loading them."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import polars as pl

from experiments.errors import UsageProblem
from experiments.jobs import Job
from sim.record.store import first_line, whole_file

TABLES = ("runs", "windows", "structures")
FAILED = "failed"
JOURNAL = "journal"
DAMAGED = "damaged"
MANIFEST = "sweep.json"
PART_RUNS = 5_000
_open: dict[Path, int] = {}


class DamagedResults(UserWarning):
    """Some results cannot be read; the message says which, and what to do."""


# What is appended while a sweep runs ------------------------------------------------------------------------------


def append(folder: Path, job: Job, value: Mapping[str, Any], seconds: float) -> Any:
    """Append the rows of a run to this process's own journal in ``folder``; returns the row of the run.

    A line is written whole or, when the process dies in it or the disk is full, counts for nothing. OSError then.
    """
    del job
    text = json.dumps({**value, "seconds": seconds}, separators=(",", ":"), allow_nan=False)
    line = f"{crc32(text.encode()):08x} {text}\n".encode()
    if folder in _open and os.fstat(_open[folder]).st_nlink == 0:
        close(folder)  # its rows are in parts by now
    if folder not in _open:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        _open[folder] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    place = _open[folder]
    size = os.fstat(place).st_size
    try:
        if os.write(place, line) < len(line):
            raise OSError(28, "No space left on device")
    except OSError:
        os.ftruncate(place, size)
        raise
    return value["run"]


def close(folder: Path) -> None:
    """End this process's journal in ``folder``; the next row begins another."""
    if folder in _open:
        os.close(_open.pop(folder))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal; a torn or damaged one is left out, and its run counts as missing."""
    with path.open("rb") as file:
        for line in file:
            check, _, text = line.rstrip(b"\n").partition(b" ")
            if line.endswith(b"\n") and check == f"{crc32(text):08x}".encode():
                yield json.loads(text)


# Parquet parts ----------------------------------------------------------------------------------------------------


def gather(folder: Path, journals: Sequence[Path], *, label: str) -> int:
    """Turn journals into parts of the Parquet tables, each run once; returns the number of runs added.

    Journals go only when their rows are in parts. ``label`` keeps the parts of several processes apart.
    """
    if not journals:
        return 0
    seen, added = done(folder), 0
    held: dict[str, list[dict[str, Any]]] = {name: [] for name in (*TABLES, FAILED)}
    for record in (record for path in journals for record in lines(path)):
        key = record["run"]["key"]
        if key in seen:
            continue
        seen.add(key)
        added += 1
        failed = record["run"]["status"] != "complete"
        held[FAILED if failed else "runs"].append(record["run"])
        for name in ("windows", "structures"):
            held[name] += record.get(name, ())
        if len(held["runs"]) + len(held[FAILED]) >= PART_RUNS:
            _write(folder, held, label)
    _write(folder, held, label)
    for path in journals:
        path.unlink(missing_ok=True)
    return added


def _write(folder: Path, held: dict[str, list[dict[str, Any]]], label: str) -> None:
    """Write what is held under one number; the part of ``runs`` seals it, and what has no seal is written over."""
    if not any(held.values()):
        return
    numbers = [
        int(p.stem.rsplit("-", 1)[-1]) for t in ("runs", FAILED) for p in (folder / t).glob(f"{label}-*.parquet")
    ]
    name = f"{label}-{1 + max(numbers, default=0):05d}.parquet"
    for table in ("windows", "structures", "runs", FAILED):
        place = folder / table
        if held[table]:
            place.mkdir(exist_ok=True)
            with whole_file(place / name) as temporary:
                frame(held[table]).write_parquet(temporary, compression="zstd", statistics=True)
            held[table].clear()
        else:
            (place / name).unlink(missing_ok=True)


def frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a table; a column without any value has no type, so that no part contradicts another."""
    names = dict.fromkeys(name for row in rows for name in row)
    made = {}
    for name in names:
        values = [row.get(name) for row in rows]
        made[name] = pl.Series(name, values, dtype=_kind(values), strict=False)
    return pl.DataFrame(made)


def _kind(values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    if not known:
        return pl.Null
    if all(isinstance(value, bool) for value in known):
        return pl.Boolean
    if all(isinstance(value, int) for value in known):
        return pl.Int64
    return pl.Float64 if all(isinstance(v, bool | int | float) for v in known) else pl.String


def done(folder: Path) -> set[str]:
    """Keys of the runs that are in parts, failed ones too."""
    found: set[str] = set()
    for name in ("runs", FAILED):
        for part in parts(folder, name):
            found |= set(pl.scan_parquet(part).select("key").collect()["key"])
    return found


def parts(folder: Path, name: str) -> list[Path]:
    """The readable parts of a table; DamagedResults is warned of for the others."""
    found = []
    for path in sorted((folder / name).glob("[!.]*.parquet")):
        why = damage(path)
        if why:
            warnings.warn(
                f"{path}: this part of the results is damaged ({why}) and left out; make its runs again with --resume.",
                DamagedResults, stacklevel=2,
            )  # fmt: skip
        else:
            found.append(path)
    return found


def damage(path: Path) -> str:
    """Why a part cannot be read; empty when it can."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(max(0, path.stat().st_size - 4))
            if head != b"PAR1" or file.read(4) != b"PAR1":
                return "it is cut short or of another format"
        pl.scan_parquet(path).select(pl.len()).collect()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a damaged file can make the reader panic, which is no Exception
        return first_line(error)
    return ""


def set_aside(folder: Path) -> list[str]:
    """Move parts that cannot be read, whole or in part, into ``damaged``; returns sentences on them.

    What belongs to their runs in the other tables goes too, by ``consistent``: those runs count as missing.
    """
    told = []
    for name in (*TABLES, FAILED):
        for path in sorted((folder / name).glob("[!.]*.parquet")):
            why = damage(path) or _unreadable(path)
            if why:
                (folder / DAMAGED).mkdir(exist_ok=True)
                target = folder / DAMAGED / f"{name}-{path.name}"
                shutil.move(path, target)
                told.append(f"{path} was damaged ({why}); it is now {target}, and its runs are made again")
    if told:
        _consistent(folder)
    return told


def _unreadable(path: Path) -> str:
    try:
        pl.read_parquet(path)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        return first_line(error)
    return ""


def _consistent(folder: Path) -> None:
    """After damage keep only runs whose windows and structures are there, and no rows of runs that are not."""
    runs = load(folder).filter(pl.col("status") == "complete").collect()
    whole = set(runs["key"]) if runs.height else set()
    for name in ("windows", "structures"):
        table = load(folder, table=name).collect()
        expected = f"n_{name}"
        if expected in runs.columns:
            rows = dict(table.group_by("key").len().iter_rows()) if table.height else {}
            whole &= {key for key, n in runs.select("key", expected).iter_rows() if rows.get(key, 0) == (n or 0)}
    _only(folder, pl.col("key").is_in(list(whole)))


def drop(folder: Path, keys: Sequence[str]) -> None:
    """Take runs out of the tables: they count as missing."""
    _only(folder, ~pl.col("key").is_in(list(keys)))


def _only(folder: Path, keep: pl.Expr) -> None:
    for name in TABLES:
        for path in parts(folder, name):
            part = pl.read_parquet(path)
            kept = part.filter(keep)
            if kept.height == 0:
                path.unlink()
            elif kept.height < part.height:
                with whole_file(path) as temporary:
                    kept.write_parquet(temporary, compression="zstd")


# Reading ----------------------------------------------------------------------------------------------------------


def load(folder: Path | str, *, table: str = "runs") -> pl.LazyFrame:
    """The results of a sweep, scanned lazily; works while the sweep runs, too.

    Args:
        folder: Folder of a sweep.
        table: ``runs``: one row for each run, failed ones with their traceback in ``error``; ``windows``: one row for each
            run and window; ``structures``: one row for each run and structure. Axes and the seed stand in every table.

    Raises:
        UsageProblem: For a folder without a sweep, or an unknown table.
    """
    place = Path(folder)
    if not (place / MANIFEST).exists():
        raise UsageProblem(f"{place}: expected the folder of a sweep, but there is no {MANIFEST} in it.")
    if table not in TABLES:
        raise UsageProblem(f"table: expected one of {', '.join(TABLES)}, got '{table}'.")
    runs = _scan(place, "runs", [*parts(place, "runs"), *parts(place, FAILED)])
    counts_of = [name for name in runs.collect_schema().names() if name.startswith("found_")]
    # A kind of structure that a run has no column for was looked for and not found.
    none = pl.when(pl.col("status") == "complete").then(pl.col(counts_of).fill_null(0))
    runs = runs.with_columns(none) if counts_of else runs
    if table == "runs":
        return runs
    rows = _scan(place, table, parts(place, table))
    about = [c for c in about_columns(place) if c in runs.collect_schema().names()]
    return rows.join(runs.select("key", *about), on="key", how="inner", maintain_order="left")


def about_columns(folder: Path) -> list[str]:
    """Columns that say what a run is: point, seed and the axes."""
    spec = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["spec"]
    return ["point", "seed", *spec["axes"]]


def _scan(folder: Path, table: str, paths: Sequence[Path]) -> pl.LazyFrame:
    """Parts and what is still in journals as one lazy table."""
    found = [pl.scan_parquet(path) for path in paths]
    waiting = sorted((folder / JOURNAL).rglob("*.jsonl"))
    if waiting:
        found += _waiting(folder, table, waiting)
    if not found:
        empty = {"key": pl.String, "point": pl.Int64, "seed": pl.Int64, "status": pl.String}
        return pl.LazyFrame(schema=empty if table == "runs" else {"key": pl.String})
    return pl.concat(found, how="diagonal_relaxed") if len(found) > 1 else found[0]


def _waiting(folder: Path, table: str, journals: Sequence[Path]) -> list[pl.LazyFrame]:
    seen = done(folder)
    rows: list[dict[str, Any]] = []
    for record in (record for path in journals for record in lines(path)):
        if record["run"]["key"] not in seen:
            seen.add(record["run"]["key"])
            rows += [record["run"]] if table == "runs" else record.get(table, [])
    return [frame(rows).lazy()] if rows else []


@dataclass(frozen=True)
class Counts:
    """How many runs of a sweep are done, and how many of those failed."""

    done: int
    failed: int


def counts(folder: Path) -> Counts:
    """Runs in the parts of a sweep."""
    failed = sum(pl.scan_parquet(p).select(pl.len()).collect().item() for p in parts(folder, FAILED))
    good = sum(pl.scan_parquet(p).select(pl.len()).collect().item() for p in parts(folder, "runs"))
    return Counts(good + failed, failed)
