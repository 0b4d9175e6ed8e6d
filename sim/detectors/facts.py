"""What a report says about the log itself: its size, the origins of its decisions, and what it can and cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from sim.detectors.core import Detector
from sim.detectors.report import Row
from sim.detectors.window import Reading, Window
from sim.record.events import COLUMNS, KINDS
from sim.record.log import Log
from sim.registry import Registry


def decisions(log: Log) -> dict[str, int]:
    """Number of events by origin; ``unknown`` where none is given."""
    if "origin" not in log.events.columns:
        return {"unknown": log.events.height} if log.events.height else {}
    counted = log.events["origin"].cast(pl.String).fill_null("unknown").value_counts(sort=True)
    return {str(origin): int(n) for origin, n in counted.iter_rows()}


def table(log: Log, windows: Sequence[Window]) -> dict[str, Any]:
    """Facts on the log for report.json: events, agents (by run), runs, start, end, missing columns, how it was kept."""
    start, end = log.span
    missing = log.missing or tuple(c for c in COLUMNS if c not in log.events.columns)
    return {
        "events": log.events.height,
        "agents": sum(w.n for w in windows),
        "runs": len(windows) if log.events.height else 0,
        "start": start,
        "end": end,
        "missing_columns": list(missing),
        "kept": log.kept,
    }


def notes(log: Log, reading: Reading) -> tuple[str, ...]:
    """Sentences on what the data can and cannot show."""
    events, total = log.events, log.events.height
    if total == 0:
        return ("The log is empty: nothing can be claimed.", *log.notes)
    said = [_origins(log)]
    if not log.has("target"):
        said.append(
            f"Targets are null in all {total:,} events: who acted towards whom is unknown, so no handoff, team or "
            "hierarchy claim is possible."
        )
    elif not any(bool(w.of_class("transfers").any()) for w in reading.windows):
        said.append("No event passes an item from one agent to another: no handoff or pipeline claim is possible.")
    if not log.has("item"):
        said.append("No event names an item: nothing can be said about the path of a piece of work.")
    chosen = any(bool(w.of_class("decides").any()) for w in reading.windows)
    if chosen and decisions(log).get("llm") and not log.meta.get("twins"):
        said.append(
            "The log has no solo baseline (each agent asked again and again while hearing nobody): that agents come to "
            "agree by what they hear can be shown, and why this option won over another cannot, for the models' common "
            "prior may favour it. Shares of first decisions, where a sentence gives them, are one answer an agent."
        )
    strange = sorted({str(k) for k in events["kind"].cast(pl.String).drop_nulls().unique().to_list()} - set(KINDS))
    if strange:
        more = f" and {len(strange) - 8:,} more" if len(strange) > 8 else ""
        said.append(
            f"No class is declared for {', '.join(strange[:8])}{more}: such events count only as contacts, where they "
            "have a target."
        )
    if log.kept != "full":
        said.append(f"The log was kept as '{log.kept}', not in full: what happened outside it is not seen.")
    return (*said, *reading.notes, *log.notes, *log.predefined)


def power(tests: int, most: int, alpha: float) -> tuple[str, ...]:
    """A sentence when so many tests were planned that a claim standing alone could not survive the correction."""
    needed = -(-tests // int(alpha * (most + 1)))
    if needed <= 1:
        return ()
    return (
        f"{tests:,} tests were planned and {most:,} surrogates drawn at most: in a single run a claim survives the "
        f"correction only together with at least {needed - 1:,} others as clear.",
    )


def _origins(log: Log) -> str:
    counts = decisions(log)
    total, censored = sum(counts.values()), counts.get("censored", 0)
    parts = ", ".join(f"{n:,} {origin}" for origin, n in counts.items() if origin != "censored")
    genuine = f"{total - censored:,} of {total:,} events were genuine" + (f" ({parts})" if parts else "")
    return f"{genuine}; {censored:,} censored decisions are left out."


def broken(registry: Registry[Detector]) -> list[Row]:
    """Ledger rows for detectors whose module does not import."""
    return [
        Row(
            module.rsplit(".", 1)[-1],
            "all its claims",
            "",
            None,
            None,
            "not tested",
            f"its module does not import: {error}",
        )
        for module, error in registry.broken.items()
    ]
