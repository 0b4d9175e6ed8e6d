"""The event schema: columns, kinds and the classes of kinds, version 1."""

from __future__ import annotations

import polars as pl

SCHEMA_VERSION = 1

# Order is the order in the file. The types are those of logs we write; imported logs may hold strings as agent, item,
# task and artefact ids.
COLUMNS: dict[str, pl.DataType] = {
    "seq": pl.UInt64(),
    "time": pl.Float64(),
    "kind": pl.Categorical(),
    "source": pl.Int64(),
    "target": pl.Int64(),
    "item": pl.Int64(),
    "parent": pl.UInt64(),
    "artefact": pl.Int64(),
    "value": pl.Float64(),
    "cost": pl.Float64(),
    "origin": pl.Categorical(),
}
OPTIONAL: dict[str, pl.DataType] = {
    "run": pl.String(),
    "duration": pl.Float64(),
    "requirements": pl.UInt64(),
    "similarity": pl.Float64(),
    "task": pl.Int64(),
    "evidence": pl.Categorical(),
    "text": pl.String(),
}
# Without these three a table is not an event log; everything else may be missing and is then reported as missing.
REQUIRED = ("time", "kind", "source")

ORIGINS = ("rule", "llm", "cassette", "table", "human", "external", "censored")

# A class says what a kind does, whatever it is called; detectors ask for classes. `transfers`: the item moves from
# source to target. `initiates`: source starts something with target. `replies`: answers an earlier event of the target.
# `reads`, `writes`: touches the artefact. `enters`, `leaves`: the item comes into, or goes out of, the system.
# `works`: service was spent on the item by source. `decides`: source took an option (value is its index). `offers`:
# source would take the item for the price in value. `awards`: source gives it to target, one of those who offered.
CLASSES = (
    "transfers", "initiates", "replies", "reads", "writes", "enters", "leaves", "works", "decides", "offers", "awards",
)  # fmt: skip

KINDS: dict[str, tuple[str, ...]] = {
    "arrive": ("enters",),
    "work": ("works",),
    "handoff": ("transfers", "initiates", "works"),
    "review": ("transfers", "initiates", "works"),
    "rework": ("transfers", "replies", "works"),
    "reject": ("transfers", "replies", "works"),
    "escalate": ("transfers", "initiates", "works"),
    "deliver": ("leaves", "works"),
    "drop": ("leaves", "works"),
    "hold": ("works",),
    "assemble": ("works",),
    "approve": ("replies",),
    "fail": ("replies",),
    "ask": ("initiates",),
    "delegate": ("initiates",),
    "message": ("initiates",),
    "route": ("replies",),
    "play": ("initiates", "decides"),
    "decide": ("decides",),
    "adopt": ("decides",),
    "visit": ("initiates", "decides"),
    "read": ("reads",),
    "write": ("writes",),
    "lock": (),
    "claim": (),
    "release": (),
    "mute": (),
    "set": (),
    "undecided": (),
    "bid": ("replies", "offers"),
    "award": ("replies", "awards"),
    "cut": (),
    "join": (),
}

# Kinds as the world writes them: a small integer in the buffers, a category in the tables.
KIND_NAMES = tuple(KINDS)
KIND_CODES = {name: code for code, name in enumerate(KIND_NAMES)}
ORIGIN_CODES = {name: code for code, name in enumerate(ORIGINS)}


def kinds_of(kind_class: str) -> list[str]:
    """Names of the kinds that declare ``kind_class``; ValueError for a class that does not exist."""
    if kind_class not in CLASSES:
        raise ValueError(f"event class: expected one of {', '.join(CLASSES)}, got '{kind_class}'.")
    return [name for name, classes in KINDS.items() if kind_class in classes]
