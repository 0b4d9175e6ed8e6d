"""Sound factory logs made without the simulator: items that wander, lose bits and direction, and are finished."""

import numpy as np
import polars as pl

from sim.record.events import COLUMNS, OPTIONAL
from sim.record.log import Log

BITS = 16


def made_log(seed, *, items=40, agents=6, loss=0.1, noise=0.3, dimension=8, unfinished=0.2, split=0.0, shift=0.0):
    """A log in which every identity holds; a share ``unfinished`` is dropped or still inside, ``split`` has parts."""
    rng = np.random.default_rng(seed)
    rows = []
    for item in range(items):
        whole = 2 * items + item if rng.random() < split else None
        entered = shift + float(rng.uniform(0, items))
        if whole is None:
            travel(rng, rows, item, entered, agents, loss, noise, dimension, unfinished)
        else:
            assembled(rng, rows, (2 * item + 4 * items, 2 * item + 4 * items + 1), whole, entered, agents, loss)
    table = pl.DataFrame(rows, infer_schema_length=None).with_row_index("_row").sort("time", "_row")
    seq = dict(zip(table["_row"].to_list(), range(len(rows)), strict=True))
    parent = pl.Series("parent", [None if p is None else seq[p] for p in table["parent"].to_list()], dtype=pl.UInt64)
    table = table.with_columns(parent, seq=pl.int_range(pl.len(), dtype=pl.UInt64)).drop("_row")
    types = {**COLUMNS, **OPTIONAL}
    absent = [pl.lit(None, t).alias(n) for n, t in COLUMNS.items() if n not in table.columns]
    table = table.with_columns(absent)
    names = [n for n in types if n in table.columns]
    return Log(table.select(pl.col(n).cast(types[n]) for n in names))


def row(rows, time, kind, source, item, **more):
    told = {"time": time, "kind": kind, "source": source, "item": item, "origin": "rule", "cost": 0.0}
    told |= {"target": None, "parent": None, "value": None, "duration": None, "requirements": None, "similarity": None}
    rows.append({**told, "task": item % 3, **more})
    return len(rows) - 1


def travel(rng, rows, item, now, agents, loss, noise, dimension, unfinished):
    at = int(rng.integers(agents))
    bits = 2**BITS - 1
    start = rng.normal(size=dimension)
    start /= np.linalg.norm(start)
    vector = start.copy()
    last = row(rows, now, "arrive", at, item, requirements=bits, similarity=1.0)
    for hop in range(int(rng.geometric(0.35)) - 1):
        spent = float(rng.exponential())
        now += spent + float(rng.exponential())
        to = int(rng.choice([a for a in range(agents) if a != at]))
        kind = (
            rng.choice(["handoff", "review", "escalate"]) if hop == 0 else rng.choice(["handoff", "rework", "reject"])
        )
        bits &= ~sum(1 << b for b in range(BITS) if rng.random() < loss)
        vector = vector + rng.normal(size=dimension) * noise / np.sqrt(dimension)
        vector /= np.linalg.norm(vector)
        if rng.random() < 0.3:
            row(rows, now - 1e-6, "work", at, item, parent=last, cost=1.0)
        last = row(rows, now, str(kind), at, item, target=to, parent=last, cost=0.5, duration=spent,
                   requirements=bits, similarity=float(vector @ start))  # fmt: skip
        at = to
    now += float(rng.exponential())
    ends = "deliver" if rng.random() >= unfinished else rng.choice(["drop", "inside"])
    if ends != "inside":
        quality = bits.bit_count() / BITS if ends == "deliver" else None
        row(rows, now, str(ends), at, item, parent=last, cost=1.0, value=quality, requirements=bits,
            similarity=float(vector @ start))  # fmt: skip


def assembled(rng, rows, parts, whole, now, agents, loss):
    at = int(rng.integers(agents))
    bits = 2**BITS - 1
    first = row(rows, now, "arrive", at, whole, requirements=bits, similarity=1.0)
    latest = now
    for part in parts:
        last = row(rows, now, "arrive", at, part, parent=first, requirements=bits, similarity=1.0)
        other, later = int(rng.integers(agents)), now + float(rng.exponential())
        if other != at:
            last = row(rows, later, "handoff", at, part, target=other, parent=last, requirements=bits, similarity=1.0)
            later += 0.5
            last = row(rows, later, "handoff", other, part, target=at, parent=last, requirements=bits, similarity=1.0)
        row(rows, later + 0.1, "hold", at, part, parent=last)
        latest = max(latest, later + 0.1)
    joined = row(rows, latest + 0.1, "assemble", at, whole, parent=first, requirements=bits, similarity=1.0)
    row(rows, latest + 0.2, "deliver", at, whole, parent=joined, value=1.0, requirements=bits, similarity=1.0)
