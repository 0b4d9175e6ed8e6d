"""The paths of items: one table of transfers and one of items, read off the events."""

from __future__ import annotations

import polars as pl

from sim.record.events import kinds_of
from sim.record.log import Log

SENT_BACK = ("rework", "reject")
_WANTED: dict[str, pl.DataType] = {
    "run": pl.String(),
    "task": pl.Int64(),
    "target": pl.Int64(),
    "value": pl.Float64(),
    "cost": pl.Float64(),
    "duration": pl.Float64(),
    "requirements": pl.UInt64(),
    "similarity": pl.Float64(),
    "parent": pl.UInt64(),
}
_KEYS = ["run", "item"]
TRANSFER_COLUMNS = (
    *("seq", "run", "item", "task", "hop", "source", "target", "time", "kind", "requirements_before", "requirements"),
    *("similarity_before", "similarity", "wait", "worked", "first_holder", "duration", "cost"),
)
ITEM_COLUMNS = (
    *("run", "item", "task", "entered", "entry", "left", "leaving", "leaver", "quality", "hops", "sent_back", "kept"),
    *("similarity", "cost", "busy", "holder", "first_seen", "last_seen", "whole", "parts", "enters", "leaves"),
)


def transfers(log: Log) -> pl.DataFrame:
    """Every transfer of an item, in the order of (run, item, time).

    Returns:
        Columns ``seq``, ``run`` (empty text without runs), ``item``, ``task`` (the item's, where any row names it),
        ``hop`` (0 for the item's first transfer), ``source``, ``target``, ``time``, ``kind``,
        ``requirements_before``, ``requirements`` (bits, before and after), ``similarity_before``, ``similarity``,
        ``wait`` (time since the item reached the source; null when the log does not show it there), ``worked`` (the
        source wrote a ``work`` event on the item while it held it), ``first_holder`` (the item entered at source and
        had not moved since), ``duration``, ``cost``. Events of class ``transfers`` that name no item or no
        target are no rows: they do not say what went where.
    """
    rows = _item_rows(log)
    same = pl.all_horizontal(pl.col(key) == pl.col(key).shift(1) for key in _KEYS)
    custody = rows.filter(pl.col("enters") | pl.col("moves") | pl.col("leaves"))
    at_source = same & (pl.col("holder").shift(1) == pl.col("source"))
    custody = custody.with_columns(
        wait=pl.when(at_source).then(pl.col("time") - pl.col("time").shift(1)),
        worked=pl.when(same).then(pl.col("works_so_far") - pl.col("works_so_far").shift(1) > 0).fill_null(False),
        first_holder=(at_source & pl.col("enters").shift(1)).fill_null(False),
        requirements_before=pl.when(same).then(pl.col("state").shift(1)),
        similarity_before=pl.when(same).then(pl.col("likeness").shift(1)),
    )
    moved = custody.filter("moves").with_columns(hop=pl.int_range(pl.len()).over(_KEYS).cast(pl.Int64))
    return moved.select(TRANSFER_COLUMNS)


def items(log: Log) -> pl.DataFrame:
    """Every item, in the order of (run, item).

    Returns:
        Columns ``run``, ``item``, ``task``, ``entered``, ``entry`` (time and agent of arrival; null when the log does
        not show it), ``left``, ``leaving`` (``deliver`` or ``drop``; ``assemble`` for a part taken up into its whole),
        ``leaver``, ``quality`` (value of the delivery, in [0, 1]), ``hops`` (transfers), ``sent_back`` (of these,
        rework and reject), ``kept`` (share of the requirements at arrival still met at the end), ``similarity`` (at
        the end), ``cost`` (sum over its events), ``busy`` (sum of durations; null when none is known), ``holder``
        (where it was last seen), ``first_seen``, ``last_seen``, ``whole`` (the item this one is a part of; null for
        most), ``parts`` (how many parts it was split into), ``enters``, ``leaves`` (how often; 1 in a sound log).
    """
    rows = _item_rows(log)
    summed = rows.group_by(_KEYS, maintain_order=True).agg(
        pl.col("time").first().alias("first_seen"),
        pl.col("time").last().alias("last_seen"),
        pl.col("moves").sum().cast(pl.Int64).alias("hops"),
        (pl.col("moves") & pl.col("kind").is_in(SENT_BACK)).sum().cast(pl.Int64).alias("sent_back"),
        pl.col("cost").sum(),
        pl.when(pl.col("duration").count() > 0).then(pl.col("duration").sum()).alias("busy"),
        pl.col("enters").sum().cast(pl.Int64),
        pl.col("leaves").sum().cast(pl.Int64),
        pl.col("task").first(),
    )
    table = summed.join(_arrivals(rows), on=_KEYS, how="left", maintain_order="left")
    table = table.join(_departures(rows, table), on=_KEYS, how="left", maintain_order="left")
    last = rows.filter(pl.col("enters") | pl.col("moves")).unique(_KEYS, keep="last", maintain_order=True)
    table = table.join(last.select(*_KEYS, "holder"), on=_KEYS, how="left", maintain_order="left")
    count = table.filter(pl.col("whole").is_not_null()).group_by("run", "whole").agg(pl.len().alias("parts"))
    table = table.join(count, left_on=_KEYS, right_on=["run", "whole"], how="left", maintain_order="left")
    ones = pl.col("given").bitwise_count_ones()
    kept = pl.when(ones > 0).then((pl.col("given") & pl.col("state")).bitwise_count_ones() / ones)
    return table.with_columns(kept=kept, parts=pl.col("parts").fill_null(0).cast(pl.Int64)).select(ITEM_COLUMNS)


def services(log: Log) -> pl.DataFrame:
    """Every service an agent gave, as ``run, time, source, kind, duration``.

    A service is an event of class ``works``; where the same agent wrote ``work`` on an item and its next event on that
    item passes it on, both tell of one service, and the second is left out. Events that pass on neither an item nor to
    anybody are none.
    """
    rows = _item_rows(log).filter("works")
    told = pl.all_horizontal(pl.col(key) == pl.col(key).shift(1) for key in (*_KEYS, "source"))
    once = ~(told & (pl.col("kind").shift(1) == "work") & (pl.col("kind") != "work")).fill_null(False)
    served = pl.col("kind").is_in(kinds_of("works"))
    passed = ~pl.col("kind").is_in(kinds_of("transfers")) | pl.col("target").is_not_null()
    without = _prepared(log).filter(pl.col("item").is_null() & served & passed)
    columns = ["run", "time", "source", "kind", "duration"]
    return pl.concat([rows.filter(once).select(columns), without.select(columns)])


def _prepared(log: Log) -> pl.DataFrame:
    """Events with every column this module reads, ``kind`` as text and ``run`` as text."""
    events = log.events
    source = events.schema.get("source", pl.Int64())
    types = {"item": pl.Int64(), **_WANTED, "target": source, "seq": pl.UInt64()}
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in types.items() if name not in events.columns]
    return events.select(
        *(pl.col(c) for c in events.columns if c in types or c in ("time", "source")),
        *absent,
        pl.col("kind").cast(pl.String),
    ).with_columns(pl.col("run").cast(pl.String).fill_null(""))


def _item_rows(log: Log) -> pl.DataFrame:
    """Events about items ordered by (run, item, time), with what is known of the item after each."""
    rows = _prepared(log).filter(pl.col("item").is_not_null())
    keys = _KEYS if rows["run"].n_unique() > 1 else ["item"]
    rows = rows.sort(keys, maintain_order=True)
    moves = pl.col("kind").is_in(kinds_of("transfers")) & pl.col("target").is_not_null()
    rows = rows.with_columns(
        moves=moves,
        enters=pl.col("kind").is_in(kinds_of("enters")),
        leaves=pl.col("kind").is_in(kinds_of("leaves")),
        works=pl.col("kind").is_in(kinds_of("works")),
        works_so_far=(pl.col("kind") == "work").cum_sum(),
        holder=pl.when(moves).then("target").otherwise("source"),
    )
    # Only these events tell the state of the item; feedback about it that comes later does not.
    stated = pl.col("enters") | pl.col("moves") | pl.col("leaves") | (pl.col("kind") == "assemble")
    state, likeness = pl.when(stated).then("requirements"), pl.when(stated).then("similarity")
    return rows.with_columns(
        state=state.forward_fill().over(keys) if _known(rows, "requirements") else "requirements",
        likeness=likeness.forward_fill().over(keys) if _known(rows, "similarity") else "similarity",
        task=pl.col("task").drop_nulls().first().over(keys) if _known(rows, "task") else "task",
    )


def _known(rows: pl.DataFrame, name: str) -> bool:
    return rows[name].null_count() < rows.height


def _arrivals(rows: pl.DataFrame) -> pl.DataFrame:
    """``run, item, entered, entry, given, whole``; a part is an item whose arrival reacts to another item's arrival."""
    first = rows.filter("enters").unique(_KEYS, keep="first", maintain_order=True)
    wholes = first.select("run", pl.col("seq").alias("parent"), pl.col("item").alias("whole"))
    first = first.join(wholes, on=["run", "parent"], how="left", maintain_order="left")
    return first.select(*_KEYS, "whole", entered=pl.col("time"), entry=pl.col("source"), given=pl.col("requirements"))


def _departures(rows: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """``run, item, left, leaving, leaver, quality, state, similarity``: how each item ended, or stands at the end."""
    ends = rows.unique(_KEYS, keep="last", maintain_order=True).select(*_KEYS, "state", similarity="likeness")
    out = rows.filter("leaves").unique(_KEYS, keep="first", maintain_order=True)
    out = out.select(*_KEYS, quality="value", left="time", leaving="kind", leaver="source")
    joined = rows.filter(pl.col("kind") == "assemble").unique(_KEYS, keep="first", maintain_order=True)
    joined = joined.select("run", pl.col("item").alias("whole"), left="time", leaving="kind", leaver="source")
    parts = table.filter(pl.col("whole").is_not_null()).select(*_KEYS, "whole")
    taken = parts.join(joined, on=["run", "whole"], how="inner").drop("whole").join(out, on=_KEYS, how="anti")
    ended = pl.concat([out, taken.with_columns(quality=pl.lit(None, pl.Float64)).select(out.columns)])
    return ends.join(ended, on=_KEYS, how="left")
