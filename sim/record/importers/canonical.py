"""The canonical importer: Parquet, CSV or JSON Lines with the columns of the event schema, or a map to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from sim.record.events import COLUMNS, KINDS, OPTIONAL, ORIGINS
from sim.record.importers import Importer, ImportFailure, importers
from sim.record.importers._columns import choose, floats, ids, naturals, refuse, times
from sim.record.importers._files import Found, form_of, locate, read_table
from sim.record.importers._runs import Said, read_labels, read_runs
from sim.record.log import Log
from sim.record.store import INDEX, read_log

_FLOATS = ("value", "cost", "duration", "similarity")
_MANY = 5  # sources, and targets, from which it is strange that they have no name in common


def read(path: Path | str, *, columns: Mapping[str, str] | None = None, keep_text: bool = False) -> Log:
    """Read a trace as a log.

    Args:
        path: An event table (``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``; other names are recognised by content), or a
            folder with ``events.*`` and perhaps ``runs.*``, ``agents.*``, ``contacts.*``, ``states.*`` beside it, or a
            folder that ``sim.record.store`` wrote, which comes back as it went.
        columns: Schema name to the name in the table, such as ``{"time": "ts", "source": "from"}``.
        keep_text: Keep the ``text`` column. By default it is left out, because texts may be private.

    Returns:
        A log whose events always have every column of ``COLUMNS`` (null where the source has nothing), and those of
        ``OPTIONAL`` that hold values, ordered by (run, time, seq). ``missing`` names the schema columns without any
        value; ``notes`` says everything that was changed or left out; ``meta`` may hold ``time_unit``,
        ``time_origin``, and what ``read_runs`` and ``read_labels`` found.

    Raises:
        ImportFailure: With one sentence, when there is nothing to read or the table is no event log.
    """
    found = locate(Path(path))
    if columns is None and found.form == "parquet" and (found.events.parent / INDEX).exists():
        try:
            return read_log(found.events)
        except ValueError as error:
            raise ImportFailure(str(error)) from None
    where = str(found.events)
    said = Said()
    table = read_table(found.events, said.notes)
    if table.height == 0:
        raise ImportFailure(f"{where}: expected events, found a table without rows.")
    chosen, notes = choose(table, columns, where)
    said.notes += notes
    events = _typed(chosen, where, said, keep_text=keep_text, digits=found.form == "csv")
    events = _ordered(_numbered(events, said), said)
    events, missing = _without_empty(events, chosen.columns)
    log = _with_tables(Log(events=events, missing=missing), found, said)
    return replace(log, notes=tuple(said.notes), predefined=tuple(said.predefined), meta=said.meta)


def _typed(table: pl.DataFrame, where: str, said: Said, *, keep_text: bool, digits: bool) -> pl.DataFrame:
    made: dict[str, pl.Series] = {}
    made["time"], clock, notes = times(table["time"], where)
    said.meta.update(clock)
    said.notes += notes
    made["kind"] = _kinds(table["kind"], where, said)
    for name in ("source", "target", "item", "artefact", "task"):
        if name in table.columns:
            made[name], notes = ids(table[name], where, digits_are_numbers=digits)
            said.notes += notes
    refuse(made["source"].is_null(), "name no source, and who acted is never guessed", where)
    _same_type(made)
    said.notes += _strangers(made)
    for name in _FLOATS:
        if name in table.columns:
            made[name], notes = floats(table[name], where)
            said.notes += notes
    for name in ("seq", "parent", "requirements"):
        if name in table.columns:
            made[name], notes = naturals(table[name], where)
            said.notes += notes
    made["origin"] = _origins(table, said)
    made.update(_texts(table, said, keep_text=keep_text))
    return pl.DataFrame({name: series.alias(name) for name, series in made.items()})


def _kinds(column: pl.Series, where: str, said: Said) -> pl.Series:
    if column.dtype.is_nested():
        raise ImportFailure(f"{where}: column 'kind' expects words, got {column.dtype}.")
    kinds = column.cast(pl.String).str.strip_chars()
    refuse(kinds.is_null() | (kinds == ""), "have no kind", where)
    found = sorted(kinds.unique().to_list())
    renamed = {kind: kind.lower() for kind in found if kind not in KINDS and kind.lower() in KINDS}
    if renamed:
        said.notes.append(f"kinds were written in small letters: {', '.join(renamed)}")
    unknown = [kind for kind in found if kind.lower() not in KINDS]
    if unknown:
        shown = ", ".join(unknown[:12]) + (" ..." if len(unknown) > 12 else "")
        said.notes.append(f"kinds without a class, read as events of no known effect: {shown}")
    return kinds.replace(renamed).cast(pl.Categorical)


def _same_type(made: dict[str, pl.Series]) -> None:
    """Source and target name the same agents, so they have one type; an empty target takes that of the source."""
    if "target" not in made or made["target"].dtype == made["source"].dtype:
        return
    empty = made["target"].null_count() == len(made["target"])
    wanted = made["source"].dtype if empty else pl.String()
    made["source"], made["target"] = made["source"].cast(wanted), made["target"].cast(wanted)


def _strangers(made: dict[str, pl.Series]) -> list[str]:
    """A note when nobody who acts is ever acted towards: perhaps one agent is written in two ways."""
    if "target" not in made:
        return []
    sources, targets = made["source"].unique(), made["target"].drop_nulls().unique()
    if min(len(sources), len(targets)) < _MANY or sources.is_in(targets.implode()).any():
        return []
    return [
        f"the {len(sources):,} sources (such as {str(sources.min())!r}) and the {len(targets):,} targets (such as "
        f"{str(targets.min())!r}) have no name in common; if they are the same agents, write them alike, for here each "
        "counts twice"
    ]


def _origins(table: pl.DataFrame, said: Said) -> pl.Series:
    if "origin" not in table.columns:
        said.notes.append("the log does not say where decisions came from; every origin is 'external'")
        return pl.repeat("external", table.height, dtype=pl.String, eager=True).cast(pl.Categorical)
    raw = table["origin"].cast(pl.String, strict=False).str.to_lowercase()
    known = raw.is_in(list(ORIGINS)).fill_null(False)
    odd = int((~known).sum())
    if odd:
        said.notes.append(f"{odd} rows have an unknown origin or none; it was taken as 'external'")
    frame = pl.DataFrame({"origin": raw, "known": known})
    return frame.select(pl.when("known").then("origin").otherwise(pl.lit("external")).cast(pl.Categorical)).to_series()


def _texts(table: pl.DataFrame, said: Said, *, keep_text: bool) -> dict[str, pl.Series]:
    made: dict[str, pl.Series] = {}
    if "run" in table.columns:
        runs = table["run"].cast(pl.String, strict=False)
        if runs.null_count():
            said.notes.append(f"{runs.null_count()} rows name no run; they are kept together as run 'unnamed'")
        made["run"] = runs.fill_null("unnamed")
    if "evidence" in table.columns:
        made["evidence"] = table["evidence"].cast(pl.String, strict=False).cast(pl.Categorical)
    if "text" in table.columns and keep_text:
        made["text"] = table["text"].cast(pl.String, strict=False)
    elif "text" in table.columns:
        said.notes.append("texts were left out")
    return made


def _numbered(events: pl.DataFrame, said: Said) -> pl.DataFrame:
    """Give every row a unique ``seq`` and let ``parent`` follow it."""
    rows = pl.int_range(0, pl.len(), dtype=pl.UInt64)
    if "seq" not in events.columns:
        if "parent" in events.columns:
            said.notes.append("column 'parent' was left out: without 'seq' it refers to nothing")
        return events.drop("parent", strict=False).with_columns(seq=rows)
    if events["seq"].null_count() == 0 and not events["seq"].is_duplicated().any():
        return events
    said.notes.append("'seq' has gaps or repeats and was counted anew")
    key = ["run", "seq"] if "run" in events.columns else ["seq"]
    fresh = events.with_columns(_new=rows)
    if "parent" not in events.columns:
        return fresh.with_columns(seq=pl.col("_new")).drop("_new")
    if fresh.select(key).is_duplicated().any():
        said.notes.append("column 'parent' was left out: 'seq' does not tell rows of a run apart")
        return fresh.with_columns(seq=pl.col("_new")).drop("_new", "parent")
    table = fresh.select(*[pl.col(k) for k in key if k != "seq"], parent=pl.col("seq"), _parent=pl.col("_new"))
    joined = fresh.join(table, on=[k for k in key if k != "seq"] + ["parent"], how="left", maintain_order="left")
    return joined.with_columns(seq=pl.col("_new"), parent=pl.col("_parent")).drop("_new", "_parent")


def _ordered(events: pl.DataFrame, said: Said) -> pl.DataFrame:
    """Rows by (run in order of appearance, time, seq)."""
    if "run" in events.columns:
        events = events.with_row_index("_run").with_columns(pl.col("_run").min().over("run"))
    else:
        events = events.with_columns(_run=pl.lit(0))
    ordered = events.sort("_run", "time", "seq", maintain_order=True)
    if not ordered["seq"].equals(events["seq"]):
        said.notes.append("rows were not in order and were sorted by run, time and seq")
    return ordered.drop("_run")


def _without_empty(events: pl.DataFrame, given: list[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """All columns of ``COLUMNS``, the others only with values; and the names of those without a value."""
    empty = [name for name in events.columns if events[name].null_count() == events.height]
    missing = [n for n in (*COLUMNS, *OPTIONAL) if n not in events.columns or n in empty or n not in given]
    types = {"target": events.schema["source"]}
    absent = [pl.lit(None, types.get(n, t)).alias(n) for n, t in COLUMNS.items() if n not in events.columns]
    full = events.with_columns(absent).drop([name for name in empty if name in OPTIONAL])
    return full.select([name for name in (*COLUMNS, *OPTIONAL) if name in full.columns]), tuple(missing)


def _with_tables(log: Log, found: Found, said: Said) -> Log:
    tables: dict[str, pl.DataFrame] = {}
    for name, needed in (("agents", ["id"]), ("contacts", ["source", "target"]), ("states", ["time", "agent"])):
        if name not in found.beside:
            continue
        table = read_table(found.beside[name], said.notes)
        if not set(needed) <= set(table.columns):
            said.notes.append(f"{found.beside[name].name} was left out: it has no column {' and '.join(needed)}")
            continue
        agents = [c for c in ("id", "source", "target", "agent") if c in table.columns]
        file = found.beside[name]
        for column in agents:
            made, notes = ids(table[column], str(file), digits_are_numbers=form_of(file) == "csv")
            table = table.with_columns(made.cast(log.events.schema["source"], strict=False))
            said.notes += [f"{file.name}: {note}" for note in notes]
        tables[name] = table
    if found.other:
        said.notes.append(f"tables in the folder that were not read: {', '.join(found.other)}")
    if "runs" in found.beside and "run" in log.events.columns:
        runs = read_table(found.beside["runs"], said.notes)
        if "run" in runs.columns:
            said.add(read_runs(runs, log.runs))
        else:
            said.notes.append(f"{found.beside['runs'].name} was left out: it has no column run")
    said.add(read_labels(log.events))
    return replace(log, agents=tables.get("agents"), contacts=tables.get("contacts"), states=tables.get("states"))


importers.add("canonical")(
    Importer("canonical", "Parquet, CSV or JSON Lines with the columns of the event schema", read)
)
