"""One agent as the log shows it: partners, what it holds, what it cost, its last events in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from sim.record.events import kinds_of

LAST = 10
PARTNERS = 5
# What a kind of event is called in a sentence, with and without somebody it is done to.
PHRASES = {
    "handoff": "passed item {item} to {target}", "review": "asked {target} to review item {item}",
    "rework": "gave item {item} back to {target} for rework", "reject": "gave item {item} back to {target}",
    "escalate": "escalated item {item} to {target}", "deliver": "delivered item {item}", "work": "worked on item {item}",
    "drop": "dropped item {item}", "hold": "kept item {item}", "assemble": "assembled item {item}",
    "arrive": "received item {item} from outside", "approve": "told {target} that item {item} went well",
    "fail": "told {target} that item {item} went badly", "ask": "asked {target}", "message": "wrote to {target}",
    "play": "played with {target}", "visit": "visited {target}", "adopt": "adopted {value}", "decide": "decided {value}",
    "read": "read {artefact}", "write": "wrote {artefact}", "mute": "taken out or brought back by hand",
    "cut": "cut off or linked again by hand", "join": "joined by hand", "set": "a parameter was changed by hand",
}  # fmt: skip


@dataclass(frozen=True)
class Individual:
    """What the log says of one agent up to a moment.

    Attributes:
        events: Events it took part in.
        given: Partner to how often this agent did something to it, most first.
        taken: Partner to how often it did something to this agent, most first.
        holds: Items it holds, or None where the log does not carry items.
        cost: Cost of what it did.
        last: Its last events in words, newest first, with their times.
    """

    events: int
    given: tuple[tuple[str, int], ...]
    taken: tuple[tuple[str, int], ...]
    holds: int | None
    cost: float
    last: tuple[tuple[float, str], ...]


def individual(events: pl.DataFrame, agent: Any) -> Individual:
    """What ``events`` say of ``agent`` (an id as in the log); those that do not involve it change nothing."""
    has_target = "target" in events.columns
    seen = involving(events, agent)
    done = seen.filter(_is(seen, "source", agent))
    cost = float(done["cost"].sum() or 0.0) if "cost" in seen.columns else 0.0
    return Individual(
        seen.height,
        _counted(done, "target") if has_target else (),
        _counted(seen.filter(_is(seen, "target", agent)), "source") if has_target else (),
        _holds(seen, agent) if "item" in seen.columns and seen["item"].null_count() < seen.height else None,
        cost,
        tuple((float(row["time"]), _said(row, agent)) for row in reversed(seen.tail(LAST).to_dicts())),
    )


def involving(events: pl.DataFrame, agent: Any) -> pl.DataFrame:
    """The events that ``agent`` did, or that were done to it."""
    sides = [_is(events, side, agent).fill_null(value=False) for side in ("source", "target") if side in events.columns]
    return events.filter(pl.any_horizontal(sides))


def _is(events: pl.DataFrame, column: str, agent: Any) -> pl.Expr:
    """Rows whose ``column`` is the agent; numbers are compared as numbers, for there may be a million of them."""
    if isinstance(agent, int) and events[column].dtype.is_integer():
        return pl.col(column) == agent
    return pl.col(column).cast(pl.String) == str(agent)


def _counted(rows: pl.DataFrame, column: str) -> tuple[tuple[str, int], ...]:
    counts = rows.drop_nulls(column)[column].value_counts(sort=True).head(PARTNERS)
    return tuple((str(who), int(count)) for who, count in counts.rows())


def _holds(events: pl.DataFrame, agent: Any) -> int:
    """Items whose last move left them with the agent; its own events tell, for an item goes and comes by one of them."""
    kind = pl.col("kind").cast(pl.String)
    moves = events.drop_nulls("item").filter(
        kind.is_in([*kinds_of("transfers"), *kinds_of("enters"), *kinds_of("leaves")])
    )
    last = moves.group_by("item").last().filter(~kind.is_in(kinds_of("leaves")))
    holder = pl.coalesce(pl.col("target").cast(pl.String), pl.col("source").cast(pl.String))
    return last.filter(holder == str(agent)).height


def _said(row: dict[str, Any], agent: Any) -> str:
    known = {name: "–" if value is None else value for name, value in row.items()}
    kind = str(row["kind"])
    target = row.get("target")
    phrase = PHRASES.get(kind, f"{kind} {{target}}" if target is not None else kind)
    if kind == "cut" and target is not None:
        phrase = "had its channel with {target} closed or opened by hand"
    if isinstance(row.get("value"), float):
        known["value"] = f"{row['value']:g}"
    names = {name: known.get(name, "–") for name in ("item", "value", "artefact")}
    done = phrase.format(target="it" if str(target) == str(agent) else f"agent {target}", **names)
    return (
        done if str(row.get("source")) == str(agent) or row.get("source") is None else f"agent {row['source']} {done}"
    )
