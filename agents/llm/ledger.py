"""Ledger: one row for every model call, and for every decision that was read from a cassette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl


class Entry(NamedTuple):
    """One call, or one decision replayed.

    Attributes:
        time: Model time at which the decision was asked for.
        agent: Row of the agent.
        model: The model asked.
        reported_model: The model that the provider says answered.
        request: Hash of the request (model, parameters, prompt version, view and sample).
        frame: The prompt's frame: name, version, hash.
        sample: Which sample of the view.
        attempt: 1 for the first call of a decision; 0 where no call was made.
        status: ``ok``, ``unreadable``, ``refused``, ``rate limited``, ``timeout``, ``connection``, ...
        tokens_in: Prompt tokens as the provider reports them.
        tokens_out: Answer tokens as the provider reports them.
        tokens_cached: Those of the prompt tokens that the provider read from its own cache.
        cost: US dollars; None for an unknown price.
        latency: Seconds from request to answer.
        origin: ``llm``, ``cassette`` or ``censored`` in the row that made the decision; None in the others.
    """

    time: float
    agent: int
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


_TYPES: dict[str, Any] = {
    "float": pl.Float64, "int": pl.Int64, "str": pl.String, "str | None": pl.String, "int | None": pl.Int64,
    "float | None": pl.Float64,
}  # fmt: skip
SCHEMA = {name: _TYPES[str(kind.__forward_arg__)] for name, kind in Entry.__annotations__.items()}


def table(entries: Sequence[Entry]) -> pl.DataFrame:
    """The entries as a table, in the order of (time, agent, attempt): who answered first does not show."""
    columns = zip(*entries, strict=True) if entries else ((),) * len(SCHEMA)
    made = pl.DataFrame(dict(zip(SCHEMA, columns, strict=True)), schema=SCHEMA)
    return made.sort("time", "agent", "attempt", maintain_order=True)


def summary(ledger: pl.DataFrame) -> dict[str, Any]:
    """Decisions by origin, calls, tokens and cost (US dollars) of a run; cost is ``unknown`` where one call's price is."""
    made = ledger.filter(pl.col("attempt") > 0)
    priced = made.filter(pl.col("tokens_in").is_not_null())["cost"]
    decided = ledger["origin"].drop_nulls()
    return {
        "decisions": {origin: int((decided == origin).sum()) for origin in sorted(decided.unique())},
        "calls": made.height,
        "failed_calls": made.filter(pl.col("status") != "ok").height,
        **{name: int(made[name].sum()) for name in ("tokens_in", "tokens_out", "tokens_cached")},
        "cost": "unknown" if priced.null_count() else float(priced.sum()),
    }


def sentence(model: str, decisions: dict[str, int]) -> str:
    """How many of the decisions asked of ``model`` were genuine, for the report."""
    total, lost = sum(decisions.values()), decisions.get("censored", 0)
    parts = ", ".join(f"{n:,} {name}" for name, n in decisions.items() if name != "censored")
    share = f" ({100 * (total - lost) / total:.1f} %)" if total else ""
    genuine = f"{total - lost:,} of {total:,} decisions asked of {model} were genuine{share}: {parts or 'none'}"
    return f"{genuine}; {lost:,} were censored."
