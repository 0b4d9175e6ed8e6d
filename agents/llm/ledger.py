"""Ledger: one row for every model call, whatever it was for, and for every answer that was read from a cassette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

DECISION, AUDIT = "decision", "audit"


class Entry(NamedTuple):
    """One call, or one answer replayed; a row of the table.

    Attributes:
        time: Model time at which the decision was asked for; of an audit, at which the run had ended.
        agent: Row of the agent; None for an audit, which asks for nobody.
        model: The model asked.
        reported_model: The model that the provider says answered.
        request: Hash of the request (model, parameters, prompt version, view and sample).
        frame: The prompt's frame: name, version, hash.
        sample: Which sample of the view.
        attempt: 1 for the first call of a decision; 0 where no call was made.
        status: ``ok``, ``unreadable``, ``cut short``, ``refused``, ``rate limited``, ``timeout``, ``connection``,
            ``request refused``, ...
        tokens_in: Prompt tokens as the provider reports them; None, as for the others, where it reports none.
        tokens_out: Answer tokens as the provider reports them.
        tokens_cached: Those of the prompt tokens that the provider read from its own cache.
        cost: US dollars; None for an unknown price.
        latency: Seconds from request to answer.
        origin: ``llm``, ``cassette`` or ``censored`` in the row that made the decision; None in the others.
        purpose: What was asked for: a ``decision`` of the run, or its prompt ``audit``.
    """

    time: float
    agent: int | None
    model: str
    reported_model: str | None
    request: str
    frame: str
    sample: int
    attempt: int
    status: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost: float | None = None
    latency: float | None = None
    origin: str | None = None
    purpose: str = DECISION


_TYPES: dict[str, Any] = {
    "float": pl.Float64, "int": pl.Int64, "str": pl.String, "str | None": pl.String, "int | None": pl.Int64,
    "float | None": pl.Float64,
}  # fmt: skip
SCHEMA = {name: _TYPES[str(kind.__forward_arg__)] for name, kind in Entry.__annotations__.items()}


class Ledger:
    """The rows of one mind: what it called, and in columns what was answered without a call."""

    def __init__(self, *, model: str, frame: str) -> None:
        self.model, self.frame = model, frame
        self.calls: list[Entry] = []
        self._replays: dict[str, list[Any]] = {name: [] for name in REPLAYED}
        self._taken: list[pl.DataFrame] = []

    def replayed(self, **columns: Sequence[Any]) -> None:
        """Add the rows of decisions that were answered without a call: for each of ``REPLAYED`` a list, all of one length."""
        for name, values in columns.items():
            self._replays[name] += values

    def take(self, other: Ledger) -> None:
        """Add the rows of another ledger."""
        self._taken.append(other.table())

    def audited(self, other: Ledger, *, time: float) -> None:
        """Add the rows of an audit at the end, ``time``, of the run."""
        asked_for = {"time": pl.lit(time), "agent": pl.lit(None, SCHEMA["agent"]), "purpose": pl.lit(AUDIT)}
        self._taken.append(other.table().with_columns(**asked_for))

    def table(self) -> pl.DataFrame:
        """All rows as a table, in the order of (time, agent, attempt): who answered first does not show."""
        told = pl.DataFrame(self._replays, schema={name: SCHEMA[name] for name in REPLAYED}).with_columns(
            model=pl.lit(self.model), frame=pl.lit(self.frame), attempt=pl.lit(0, pl.Int64),
            purpose=pl.lit(DECISION), **{name: pl.lit(None, SCHEMA[name]) for name in UNKNOWN},
        )  # fmt: skip
        return ordered(pl.concat([told.select(*SCHEMA), _rows(self.calls), *self._taken]))


# In what one decision without a call differs from another, and what it has not.
REPLAYED = ("time", "agent", "request", "sample", "status", "origin")
UNKNOWN = ("reported_model", "tokens_in", "tokens_out", "tokens_cached", "cost", "latency")


def table(entries: Sequence[Entry]) -> pl.DataFrame:
    """Entries as a table, in the order of ``Ledger.table``."""
    return ordered(_rows(entries))


def _rows(entries: Sequence[Entry]) -> pl.DataFrame:
    columns = zip(*entries, strict=True) if entries else ((),) * len(SCHEMA)
    return pl.DataFrame(dict(zip(SCHEMA, columns, strict=True)), schema=SCHEMA)


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of (time, agent, attempt), the audit's after the decisions of their time."""
    return rows.sort("time", "agent", "attempt", nulls_last=True, maintain_order=True)


def summary(ledger: pl.DataFrame) -> dict[str, Any]:
    """Decisions by origin, then calls, tokens and cost of everything, and under ``audit`` how much of it was the audit's."""
    audit = pl.col("purpose") == AUDIT
    decided = ledger.filter(~audit)["origin"].drop_nulls()
    return {
        "decisions": {origin: int((decided == origin).sum()) for origin in sorted(decided.unique())},
        **spent(ledger),
        "audit": spent(ledger.filter(audit)),
    }


def spent(ledger: pl.DataFrame) -> dict[str, Any]:
    """Calls, tokens and cost (US dollars) of the rows of a ledger; cost is ``unknown`` where one call's price is."""
    made = ledger.filter(pl.col("attempt") > 0)
    answered = pl.col("latency").is_not_null() | pl.col("tokens_in").is_not_null()
    priced = made.filter(answered)["cost"]
    return {
        "calls": made.height,
        "failed_calls": made.filter(pl.col("status") != "ok").height,
        **{name: int(made[name].sum()) for name in ("tokens_in", "tokens_out", "tokens_cached")},
        "calls_without_tokens": made.filter(answered & pl.col("tokens_in").is_null()).height,
        "cost": "unknown" if priced.null_count() else float(priced.sum()),
    }


def sentence(model: str, decisions: dict[str, int]) -> str:
    """How many of the decisions asked of ``model`` were genuine, for the report."""
    total, lost = sum(decisions.values()), decisions.get("censored", 0)
    parts = ", ".join(f"{n:,} {name}" for name, n in decisions.items() if name != "censored")
    share = f" ({100 * (total - lost) / total:.1f} %)" if total else ""
    genuine = f"{total - lost:,} of {total:,} decisions asked of {model} were genuine{share}: {parts or 'none'}"
    return f"{genuine}; {lost:,} were censored."
