"""Cassette: replies of models in one SQLite file, addressed by the content of their requests; what was paid for is kept."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

RECORD, REPLAY, REPLAY_OR_LIVE = "record", "replay", "replay-or-live"
MODES = (RECORD, REPLAY, REPLAY_OR_LIVE)
SCHEMA_VERSION = 1
_CHUNK = 500
# How many replies are read on at once, at least and at most, behind one that was asked for.
NEAR, FAR = 16, 4096
_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, model TEXT, frame TEXT, view TEXT, sample INTEGER, choice INTEGER, status TEXT, thoughts TEXT,
  prompt TEXT, reply TEXT, reported_model TEXT, tokens_in INTEGER, tokens_out INTEGER, tokens_cached INTEGER, cost REAL,
  latency REAL, recorded REAL
);
"""
_INSERT = f"INSERT OR IGNORE INTO replies VALUES ({','.join('?' * 17)})"
_SELECT = "SELECT rowid, key, choice, status, thoughts FROM replies WHERE"


class CassetteProblem(ValueError):
    """A cassette that cannot be used as asked; the message is one sentence."""


class Stored(NamedTuple):
    """A reply as the cassette keeps it: the option's index (-1: censored), how it was read, free thoughts."""

    choice: int
    status: str
    thoughts: str = ""


class Recording(NamedTuple):
    """Everything about one reply; prompt and reply are texts, numbers are None where the provider gave none."""

    key: str
    model: str
    frame: str
    view: str
    sample: int
    stored: Stored
    prompt: str = ""
    reply: str = ""
    reported_model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost: float | None = None
    latency: float | None = None


def check_place(path: Path) -> None:
    """CassetteProblem where there can be no cassette; makes none."""
    if path.is_dir() or not path.parent.is_dir():
        raise CassetteProblem(f"{path}: expected a file in a folder that exists; choose another --cassette.")
    if not path.exists() and not os.access(path.parent, os.W_OK):
        raise CassetteProblem(f"{path}: expected a folder that may be written; choose another --cassette.")


class Cassette:
    """An open cassette. Safe under threads, several processes at once and processes that are killed.

    Replies are written in groups, each one transaction of a write-ahead log: a killed process loses at most the group that it
    was gathering (``agents.llm.calls``: 32 replies, 50 ms). Where two processes store the same request, the first one stands
    and the second takes it over.
    """

    def __init__(self, path: Path | str, *, mode: str = RECORD) -> None:
        """Open ``path``; CassetteProblem when it is absent (to replay), unreadable, or no cassette."""
        if mode not in MODES:
            raise CassetteProblem(f"--cassette-mode: expected one of {', '.join(MODES)}, got '{mode}'.")
        self.path, self.mode = Path(path), mode
        self._lock = threading.Lock()
        # A run asks in about the order in which another was recorded: replies that were read on are here, not looked up.
        self._near: dict[str, Stored] = {}
        self._ahead, self._read_on, self._used = NEAR, 0, 0
        if mode == REPLAY and not self.path.exists():
            raise CassetteProblem(f"{self.path}: expected a cassette to replay, found none; record it first.")
        check_place(self.path)
        try:
            self._db = self._open()
            version = self._db.execute("SELECT value FROM about WHERE name = 'schema_version'").fetchone()
        except sqlite3.Error as error:
            raise CassetteProblem(f"{self.path}: expected a cassette, but it cannot be read ({error}).") from None
        if version is None or int(version[0]) > SCHEMA_VERSION:
            got = "no version" if version is None else f"version {version[0]}"
            raise CassetteProblem(f"{self.path}: expected a cassette of version {SCHEMA_VERSION}, found {got}.")

    def _open(self) -> sqlite3.Connection:
        options = {"timeout": 60.0, "isolation_level": None, "check_same_thread": False}
        if self.mode == REPLAY:
            # A cassette in a folder without write access has no room for the shared-memory file of its log.
            how = "mode=ro" if os.access(self.path.parent, os.W_OK) else "immutable=1"
            return sqlite3.connect(f"{self.path.absolute().as_uri()}?{how}", uri=True, **options)  # type: ignore[call-overload,no-any-return]
        db = sqlite3.connect(self.path, **options)  # type: ignore[call-overload]
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_TABLES)
        db.execute("INSERT OR IGNORE INTO about VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
        return db  # type: ignore[no-any-return]

    @property
    def writes(self) -> bool:
        """True where new replies are stored."""
        return self.mode != REPLAY

    def find(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Those of ``keys`` that are stored."""
        with self._lock:
            near = self._near
            found = {key: near[key] for key in keys if key in near}
            self._used += len(found)
            if len(found) == len(keys):
                return found
            last = 0
            others = [key for key in keys if key not in found]
            for start in range(0, len(others), _CHUNK):
                some = others[start : start + _CHUNK]
                rows = self._db.execute(f"{_SELECT} key IN ({','.join('?' * len(some))})", some).fetchall()
                found |= {key: Stored(choice, status, thoughts or "") for _, key, choice, status, thoughts in rows}
                last = max([last, *(row[0] for row in rows)])
            if last:
                self._read(last)
        return found

    def _read(self, last: int) -> None:
        """Read on behind row ``last``: more than before if more than half of that was asked for, else less."""
        useful = 2 * self._used > self._read_on
        self._ahead = min(FAR, 2 * self._ahead) if useful else max(NEAR, self._ahead // 2)
        rows = self._db.execute(f"{_SELECT} rowid > ? ORDER BY rowid LIMIT {self._ahead}", (last,)).fetchall()
        if len(self._near) > 4 * FAR:
            self._near.clear()
        self._near |= {key: Stored(choice, status, thoughts or "") for _, key, choice, status, thoughts in rows}
        self._read_on, self._used = len(rows), 0

    def store(self, made: Sequence[Recording]) -> list[Stored]:
        """Keep replies, in one transaction, unless their requests have one already; return those that stand, in order."""
        now = time.time()
        rows = [(*r[:5], r.stored.choice, r.stored.status, r.stored.thoughts or None, *r[6:], now) for r in made]
        with self._lock:
            before = self._db.total_changes
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_INSERT, rows)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            if self._db.total_changes - before == len(rows):
                return [r.stored for r in made]
        stands = self.find([r.key for r in made])
        return [stands[r.key] for r in made]

    def frames(self) -> list[tuple[str, str]]:
        """The (model, frame) pairs there are replies for."""
        with self._lock:
            return [
                (str(m), str(f)) for m, f in self._db.execute("SELECT DISTINCT model, frame FROM replies ORDER BY 1, 2")
            ]

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM replies").fetchone()[0])

    def check(self, *, model: str, frames: Iterable[str]) -> None:
        """CassetteProblem when there are replies, but none of this model under one of these frames (not when recording)."""
        held = self.frames()
        if self.mode == RECORD or (not held and self.mode == REPLAY_OR_LIVE):
            return
        if not held:
            raise CassetteProblem(f"{self.path}: expected replies to replay, found an empty cassette; record it first.")
        wanted = set(frames)
        models = sorted({m for m, _ in held})
        if model not in models:
            raise CassetteProblem(
                f"{self.path}: expected replies of model '{model}', found only those of {', '.join(models)}."
            )
        there = sorted({f for m, f in held if m == model})
        if not wanted & set(there):
            raise CassetteProblem(
                f"{self.path}: it was made with prompt '{', '.join(there)}', but this version asks with "
                f"'{', '.join(sorted(wanted))}'; record it anew or use the version that made it."
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
