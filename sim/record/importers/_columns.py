"""Columns of a foreign table: which is which, and each one as the type of the event schema or a refusal with rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches

import numpy as np
import polars as pl

from sim.record.events import COLUMNS, OPTIONAL, REQUIRED
from sim.record.importers import ImportFailure
from sim.registry import suggest

SCHEMA = (*COLUMNS, *OPTIONAL)
# Names that other tools use; they are suggested, never taken without being asked.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "ts", "datetime", "date", "at", "when", "start", "started_at", "created_at", "step", "t"),
    "kind": ("event", "type", "action", "activity", "event_type", "event_kind", "operation", "verb", "status", "name"),
    "source": (
        "from",
        "sender",
        "agent",
        "actor",
        "from_agent",
        "speaker",
        "user",
        "resource",
        "src",
        "author",
        "role",
    ),
    "target": ("to", "receiver", "recipient", "to_agent", "dst", "dest", "destination", "addressee"),
    "item": ("case", "case_id", "task_id", "trace_id", "conversation_id", "ticket", "issue", "job", "work_item"),
    "parent": ("parent_id", "caused_by", "reply_to", "in_reply_to", "parent_seq"),
    "artefact": ("artifact", "file", "path", "object", "resource_id", "document"),
    "value": ("score", "result", "outcome", "amount", "reward"),
    "cost": ("price", "tokens", "total_tokens", "usd"),
    "origin": ("decided_by", "provenance"),
    "seq": ("id", "index", "row", "event_id"),
    "run": ("run_id", "session", "session_id", "episode"),
    "duration": ("elapsed", "seconds", "duration_s", "latency"),
}
_ROWS_SHOWN = 5


def choose(table: pl.DataFrame, columns: Mapping[str, str] | None, where: str) -> tuple[pl.DataFrame, list[str]]:
    """The table with schema names, reduced to schema columns, and notes about what was left out.

    ``columns`` maps schema names to the names in the table. ImportFailure when it names what does not exist, or when a
    required column is missing; the message then guesses.
    """
    names = {name: name for name in SCHEMA if name in table.columns}
    names.update(_checked(columns or {}, table.columns, where))
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise ImportFailure(_missing_sentence(missing, [c for c in table.columns if c not in names.values()], where))
    chosen = table.select(pl.col(theirs).alias(ours) for ours, theirs in names.items())
    return chosen, _left_out([c for c in table.columns if c not in names.values()], list(names))


def guess(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that most likely means the schema column ``name``, or None."""
    plain = {c.strip().lower().replace("-", "_").replace(" ", "_").replace(".", "_"): c for c in candidates}
    known = (name, *SYNONYMS.get(name, ()))
    for word in known:
        if word in plain:
            return plain[word]
    for word in known:
        close = get_close_matches(word, list(plain), n=1, cutoff=0.8) if len(word) > 3 else []
        if close:
            return plain[close[0]]
    return None


def _checked(columns: Mapping[str, str], found: list[str], where: str) -> dict[str, str]:
    for ours, theirs in columns.items():
        if ours not in SCHEMA:
            turned = f" Did you mean {theirs}={ours}?" if theirs in SCHEMA and ours in found else suggest(ours, SCHEMA)
            raise ImportFailure(f"{where}: --columns: '{ours}' is no column of the event schema.{turned}")
        if theirs not in found:
            raise ImportFailure(
                f"{where}: --columns: there is no column '{theirs}'.{suggest(theirs, found)} Found: {', '.join(found)}."
            )
    return dict(columns)


def _missing_sentence(missing: list[str], free: list[str], where: str) -> str:
    taken: list[str] = []
    pairs = []
    for name in missing:
        meant = guess(name, [c for c in free if c not in taken])
        taken += [meant] if meant else []
        pairs.append(f"{name}={meant or 'NAME'}")
    shown = ", ".join(free[:20]) + (f" and {len(free) - 20} more" if len(free) > 20 else "")
    return (
        f"{where}: an event log needs the columns {', '.join(REQUIRED)}; missing: {', '.join(missing)}. "
        f"Found: {shown or 'no other column'}. Say which is which with --columns {','.join(pairs)}"
    )


def _left_out(free: list[str], have: list[str]) -> list[str]:
    notes = [f"columns that are not part of the event schema were left out: {', '.join(free)}"] if free else []
    for name in ("target", "item", "run", "parent", "artefact"):
        meant = guess(name, free) if name not in have else None
        if meant:
            notes.append(f"column '{meant}' was not read; if it is the {name}, add --columns {name}={meant}")
    return notes


def times(column: pl.Series, where: str) -> tuple[pl.Series, dict[str, object], list[str]]:
    """Times as floats, with ``time_unit`` and ``time_origin`` where they are known, and notes.

    Numbers stay as they are; dates and times (ISO 8601, or a date type) become seconds since the first of them, those
    without a zone taken as UTC. ImportFailure with row numbers for anything else, and for NaN or infinite times.
    """
    if column.dtype == pl.Duration:
        column = column.cast(pl.Duration("us")).cast(pl.Int64).cast(pl.Float64) / 1e6
    numbers = _as_float(column) if not column.dtype.is_temporal() else None
    if numbers is not None and not (numbers.is_null() & column.is_not_null()).any():
        refuse(numbers.is_null(), "have no time", where)
        refuse(~numbers.is_finite(), "have a time that is not finite", where)
        return numbers.alias("time"), {}, []
    stamps = _stamps(column, where)
    first = int(stamps.min() or 0)  # type: ignore[arg-type]
    origin = datetime.fromtimestamp(first / 1e6, tz=UTC).isoformat()
    meta: dict[str, object] = {"time_unit": "s", "time_origin": origin}
    seconds = ((stamps - first).cast(pl.Float64) / 1e6).alias("time")
    return seconds, meta, [f"times are seconds since {origin}, the earliest event"]


def _stamps(column: pl.Series, where: str) -> pl.Series:
    """Dates and times as microseconds since 1970 in UTC."""
    if column.dtype in (pl.Date, pl.Datetime) or isinstance(column.dtype, pl.Datetime):
        refuse(column.is_null(), "have no time", where)
        return column.cast(pl.Datetime("us")).dt.timestamp("us")
    if column.dtype != pl.String:
        raise ImportFailure(f"{where}: column 'time' expects numbers or ISO dates, got {column.dtype}.")
    parsed = pl.Series("time", [_microseconds(text) for text in column.to_list()], dtype=pl.Int64)
    bad = parsed.is_null()
    example = column.filter(bad)[0] if bad.any() else ""
    refuse(bad, f"have a time that is neither a number nor an ISO date, the first being {example!r}", where)
    return parsed


def _microseconds(text: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def ids(column: pl.Series, where: str, *, digits_are_numbers: bool) -> tuple[pl.Series, list[str]]:
    """Identifiers as Int64 or String, with notes: whole numbers are numbers, NaN is missing, everything else is text.

    A tool that keeps a column with gaps as floats writes 9 as 9.0, so floats that are all whole are whole numbers.
    ``digits_are_numbers`` is for CSV, which cannot tell the text "7" from the number; "007" stays text there too.
    """
    kind = column.dtype
    if kind == pl.Null:
        return column.cast(pl.Int64), []
    if kind.is_integer():
        made = column.cast(pl.Int64, strict=False)
        return (made if made.null_count() == column.null_count() else column.cast(pl.String)), []
    if kind.is_float():
        column, notes = _without_nan(column, column.is_nan())
        whole = (column.is_finite() & (column == column.round()) & (column.abs() < 2**53)).fill_null(True).all()
        return column.cast(pl.Int64 if whole else pl.String), notes
    if kind.is_nested() or kind.is_temporal() or kind == pl.Binary:
        raise ImportFailure(f"{where}: column '{column.name}' expects names or whole numbers, got {kind}.")
    text = column.cast(pl.String)
    if not digits_are_numbers:
        return text, []
    text, notes = _without_nan(text, text.is_in(["NaN", "nan"]))
    if not text.str.contains(r"^(0|-?[1-9]\d{0,17})(\.0+)?$").fill_null(True).all():
        return text, notes
    floated = text.str.contains(".", literal=True)
    if floated.any():
        first = text.filter(floated)[0]
        notes.append(
            f"{int(floated.sum())} values of column '{text.name}' are written like {first!r} and were read as whole "
            f"numbers, {first.partition('.')[0]}"
        )
    return text.str.replace(r"\.0+$", "").cast(pl.Int64), notes


def _without_nan(column: pl.Series, nan: pl.Series) -> tuple[pl.Series, list[str]]:
    """The column with null where ``nan`` is true, and a note of how many there are."""
    count = int(nan.sum() or 0)
    if not count:
        return column, []
    frame = pl.DataFrame({column.name: column, "_nan": nan.fill_null(False)})
    made = frame.select(pl.when(~pl.col("_nan")).then(pl.col(column.name))).to_series()
    return made, [f"{count} values of column '{column.name}' are NaN and were taken as missing"]


def floats(column: pl.Series, where: str) -> tuple[pl.Series, list[str]]:
    """Numbers as Float64; true and false are 1 and 0; NaN and infinite become null with a note."""
    made = _as_float(column)
    if made is None:
        raise ImportFailure(f"{where}: column '{column.name}' expects numbers, got {column.dtype}.")
    bad = made.is_null() & column.is_not_null()
    refuse(bad, f"have no number in column '{column.name}' but {_example(column, bad)}", where)
    odd = int((~made.is_finite()).sum() or 0)
    if not odd:
        return made, []
    cleaned = made.to_frame().select(pl.when(pl.col(made.name).is_finite()).then(pl.col(made.name))).to_series()
    return cleaned, [f"{odd} values of column '{column.name}' are not finite and were taken as missing"]


def naturals(column: pl.Series, where: str) -> tuple[pl.Series, list[str]]:
    """Whole numbers of at least 0 as UInt64, with notes; NaN is missing."""
    notes: list[str] = []
    if column.dtype.is_integer() or column.dtype in (pl.Null, pl.String):
        made = column.cast(pl.UInt64, strict=False)
    else:
        made = pl.Series(column.name, [None] * len(column), dtype=pl.UInt64)
    if (made.is_null() & column.is_not_null()).any() and column.dtype != pl.Null:
        number = _as_float(column)
        if number is not None:
            column, notes = _without_nan(column, number.is_nan())
            number = number.fill_nan(None)
            if ((number >= 0) & (number == number.floor())).fill_null(True).all():
                made = number.cast(pl.UInt64, strict=False)
    bad = made.is_null() & column.is_not_null()
    refuse(bad, f"have no whole number of at least 0 in column '{column.name}' but {_example(column, bad)}", where)
    return made, notes


def _as_float(column: pl.Series) -> pl.Series | None:
    if column.dtype in (pl.Categorical, pl.Enum) or isinstance(column.dtype, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        words = {"true": "1", "false": "0"}
        plain = column.str.strip_chars()
        lowered = plain.str.to_lowercase()
        return lowered.replace(words).cast(pl.Float64, strict=False).alias(column.name)
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64)
    return None


def _example(column: pl.Series, bad: pl.Series) -> str:
    return repr(column.filter(bad)[0]) if bad.any() else ""


def refuse(bad: pl.Series, what: str, where: str) -> None:
    """Raise ImportFailure with count and numbers of the rows, from 1, where ``bad`` is true or null."""
    rows = np.flatnonzero(bad.fill_null(True).to_numpy()) + 1
    if len(rows):
        shown = ", ".join(str(row) for row in rows[:_ROWS_SHOWN]) + (" ..." if len(rows) > _ROWS_SHOWN else "")
        raise ImportFailure(f"{where}: {len(rows)} of {len(bad)} rows {what} (rows {shown}); correct or remove them.")
