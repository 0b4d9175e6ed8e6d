"""Identities that hold in every sound log whatever the rules; one that fails shows a bug, never a finding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from sim.instruments.closed_forms import kept_after, one_hop_cosine
from sim.record.events import kinds_of
from sim.record.handoffs import items, transfers
from sim.record.log import Log

FEWEST_ITEMS = 20
STANDARD_ERRORS = 4.0
_EXACT = 1e-9


@dataclass(frozen=True)
class Identity:
    """One identity on one log.

    Attributes:
        name: What has to be equal.
        expected, measured: The two sides; None where the identity does not apply.
        tolerance: Largest difference that counts as equal.
        holds: None where the identity does not apply; ``note`` then says why.
        note: What a failure points at, or what was compared.
    """

    name: str
    expected: float | None
    measured: float | None
    tolerance: float
    holds: bool | None
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """The identity as JSON values."""
        return {
            "name": self.name,
            "expected": self.expected,
            "measured": self.measured,
            "tolerance": self.tolerance,
            "holds": self.holds,
            "note": self.note,
        }


CONSERVATION = "items in = delivered + in flight + lost"
LITTLE = "items inside = throughput x time inside (Little)"
FLOW = "arrived + received = finished + passed on + held"
CUSTODY = "only the holder passes an item on"
BALANCE = "handoffs out = handoffs in"
COST = "cost = sum over events"
PARENTS = "parents come before"
KEPT = "kept = sum over hops of P(k) (1 - loss)^k"
COSINE = "cosine = sum over hops of P(k) A^k"


def identities(
    log: Log, *, loss: float | None = None, noise: float | None = None, dimension: int | None = None
) -> list[Identity]:
    """Check every identity on ``log``.

    Conservation of items (at every moment, and against the world's own count ``meta["in_flight"]`` where the log has
    it), Little's law as an accounting identity, flow conservation for each agent and task type, custody, balance of
    handoffs, cost (against ``meta["cost"]`` where the log has it), order of parents, and the two composition identities
    for a channel whose loss and noise do not depend on the routing.

    Args:
        log: A full log from the first arrival on; for one that kept less, nothing applies.
        loss: Chance that a handoff deletes a requirement bit, for the composition of what is kept.
        noise: Size of the renormalised noise of a handoff, for the composition of the cosine; needs ``dimension``.
        dimension: Dimension of the items' content.

    Returns:
        All identities in a fixed order; those that do not apply have ``holds`` None and say why.
    """
    if log.kept != "full":
        why = f"the log kept '{log.kept}', not everything"
        names = (CONSERVATION, LITTLE, FLOW, CUSTODY, BALANCE, COST, PARENTS, KEPT, COSINE)
        return [_none(name, why) for name in names]
    paths, moves = items(log), transfers(log)
    shown = [_conservation, _little, _flow, _custody]
    if paths.height and paths["enters"].sum():
        checked = [check(log, paths, moves) for check in shown]
    else:
        why = "no event says that an item entered"
        checked = [_none(name, why) for name in (CONSERVATION, LITTLE, FLOW, CUSTODY)]
    per_hop = one_hop_cosine(noise, dimension) if noise is not None and dimension is not None else None
    return [
        *checked,
        _balance(log),
        _cost(log, paths),
        _parents(log),
        _composition(KEPT, paths, "kept", None if loss is None else 1.0 - loss, "the loss per handoff"),
        _composition(COSINE, paths, "similarity", per_hop, "the noise per handoff"),
    ]


def _none(name: str, why: str) -> Identity:
    return Identity(name, None, None, 0.0, None, f"does not apply: {why}")


def _equal(name: str, expected: float, measured: float, tolerance: float, note: str) -> Identity:
    return Identity(name, expected, measured, tolerance, bool(abs(expected - measured) <= tolerance), note)


def _conservation(log: Log, paths: pl.DataFrame, moves: pl.DataFrame) -> Identity:
    """Counts of rows against counts of items: twice entered, twice left, or left without entering break it."""
    del moves
    entered = paths.filter(pl.col("entered").is_not_null())
    rows_in, rows_out = float(paths["enters"].sum()), float(paths["leaves"].sum())
    delivered = paths.filter(pl.col("leaving") == "deliver").height
    lost = paths.filter(pl.col("leaving") == "drop").height
    taken = paths.filter(pl.col("leaving") == "assemble").height
    told = log.meta.get("in_flight")
    inside = entered.filter(pl.col("left").is_null()).height
    flight = float(told) if isinstance(told, int | float) else float(inside)
    counted = "the world's own count" if isinstance(told, int | float) else "items seen to enter and not to leave"
    early = entered.filter(pl.col("left") < pl.col("entered")).height
    gap = _largest_gap(log, paths)
    note = f"{delivered} delivered, {lost} lost, {flight:g} in flight ({counted})"
    note += f", {taken} parts joined" if taken else ""
    faults = gap + early + abs(rows_in - entered.height) + abs(rows_out - delivered - lost)
    if faults:
        note += f"; at some moment the two counts differ by {gap:g}, {early} items left before they entered"
    measured = delivered + lost + taken + flight
    holds = rows_in == measured and faults == 0
    return Identity(CONSERVATION, rows_in, float(measured), 0.0, bool(holds), note)


def _largest_gap(log: Log, paths: pl.DataFrame) -> float:
    """Largest difference, over all moments, between entries minus departures and items that are inside."""
    entries = np.sort(_rows(log, "enters")["time"].to_numpy())
    departures = np.sort(_departures(log, paths)["time"].to_numpy())
    inside = paths.filter(pl.col("entered").is_not_null())
    came, went = np.sort(inside["entered"].to_numpy()), np.sort(inside["left"].drop_nulls().to_numpy())
    moments = np.unique(np.concatenate([entries, departures, came, went]))
    by_rows = np.searchsorted(entries, moments, side="right") - np.searchsorted(departures, moments, side="right")
    by_items = np.searchsorted(came, moments, side="right") - np.searchsorted(went, moments, side="right")
    return float(np.max(np.abs(by_rows - by_items), initial=0))


def _rows(log: Log, kind_class: str) -> pl.DataFrame:
    """``run, time`` of the events of a class that name an item."""
    rows = log.events.filter(pl.col("kind").cast(pl.String).is_in(kinds_of(kind_class)) & pl.col("item").is_not_null())
    return rows.select(_run(log), "time")


def _departures(log: Log, paths: pl.DataFrame) -> pl.DataFrame:
    joined = paths.filter(pl.col("leaving") == "assemble").select("run", time="left")
    return pl.concat([_rows(log, "leaves"), joined])


def _run(log: Log) -> pl.Expr:
    run = pl.col("run").cast(pl.String).fill_null("") if "run" in log.events.columns else pl.lit("")
    return run.alias("run")


def _little(log: Log, paths: pl.DataFrame, moves: pl.DataFrame) -> Identity:
    """Area under the count of rows against the sum of the items' times inside, both over the same spans."""
    del moves
    spans = (
        log.events.select(_run(log), "time")
        .group_by("run")
        .agg(length=pl.col("time").max() - pl.col("time").min(), end=pl.col("time").max())
    )
    length = float(spans["length"].sum())
    if length <= 0:
        return _none(LITTLE, "the log covers no time")

    def remaining(rows: pl.DataFrame) -> float:
        return float(rows.join(spans, on="run").select(pl.col("end") - pl.col("time")).sum().item() or 0.0)

    area = remaining(_rows(log, "enters")) - remaining(_departures(log, paths))
    known = paths.filter(pl.col("entered").is_not_null()).join(spans, on="run")
    inside = float((known["left"].fill_null(known["end"]) - known["entered"]).sum())
    level, product = area / length, inside / length
    note = f"throughput {known.height / length:.4g} x mean time inside {inside / max(1, known.height):.4g}"
    return _equal(LITTLE, product, level, _EXACT * max(1.0, known.height / 100, abs(product)), note)


def _flow(log: Log, paths: pl.DataFrame, moves: pl.DataFrame) -> Identity:
    """In minus out for each agent and task type; out includes what is still held; a whole is held by its parts' holders."""
    del log
    paths = paths.filter(pl.col("parts") == 0)
    keys = ["run", "agent", "task"]
    finished = paths.filter(pl.col("left").is_not_null())
    at = pl.when(pl.col("leaving") == "assemble").then("holder").otherwise("leaver")
    sides = [
        paths.filter(pl.col("entered").is_not_null()).select("run", "task", agent="entry", net=pl.lit(1)),
        moves.select("run", "task", agent="target", net=pl.lit(1)),
        moves.select("run", "task", agent="source", net=pl.lit(-1)),
        finished.select("run", "task", agent=at, net=pl.lit(-1)),
        paths.filter(pl.col("left").is_null()).select("run", "task", agent="holder", net=pl.lit(-1)),
    ]
    net = pl.concat(sides).group_by(keys).agg(pl.col("net").sum())
    wrong = net.filter(pl.col("net") != 0)
    worst = float(wrong["net"].abs().max() or 0)  # type: ignore[arg-type]
    note = f"{net.height} pairs of agent and task type"
    if wrong.height:
        note += f"; {wrong.height} do not balance, the first being agent {wrong.sort(keys)['agent'][0]}"
    return _equal(FLOW, 0.0, worst, 0.0, note)


def _custody(log: Log, paths: pl.DataFrame, moves: pl.DataFrame) -> Identity:
    """Transfers and departures by an agent that the log does not show to hold the item."""
    del log
    strangers = moves["wait"].null_count()
    # A split item is where its parts are: whoever joins them delivers it.
    left = paths.filter(pl.col("leaving").is_in(["deliver", "drop"]) & (pl.col("parts") == 0))
    gone = left.filter(pl.col("leaver").ne_missing(pl.col("holder"))).height
    backwards = moves.filter(pl.col("wait") < 0).height
    note = f"{moves.height} transfers and {left.height} departures"
    return _equal(CUSTODY, 0.0, float(strangers + gone + backwards), 0.0, note)


def _balance(log: Log) -> Identity:
    if "item" not in log.events.columns or "target" not in log.events.columns:
        return _none(BALANCE, "the log has no items or no targets")
    rows = log.events.filter(pl.col("kind").cast(pl.String).is_in(kinds_of("transfers")) & pl.col("item").is_not_null())
    if rows.height == 0:
        return _none(BALANCE, "the log shows no transfer of an item")
    given, taken = rows["source"].count(), rows["target"].count()
    return _equal(BALANCE, float(given), float(taken), 0.0, f"{rows.height} transfers")


def _cost(log: Log, paths: pl.DataFrame) -> Identity:
    if "cost" not in log.events.columns or log.events["cost"].null_count() == log.events.height:
        return _none(COST, "no event has a cost")
    total = float(log.events["cost"].sum())
    told = log.meta.get("cost")
    if isinstance(told, int | float):
        expected, note = float(told), "against the world's own account"
    else:
        without = log.events.filter(pl.col("item").is_null()) if "item" in log.events.columns else log.events
        expected = float(paths["cost"].sum()) + float(without["cost"].sum())
        note = "sum over items and over events about no item"
    # A running sum, as a world keeps it, loses digits with every addition.
    tolerance = _EXACT * max(1.0, abs(total)) * max(1.0, log.events.height / 1e6)
    return _equal(COST, expected, total, tolerance, note)


def _parents(log: Log) -> Identity:
    if not log.has("parent", "seq"):
        return _none(PARENTS, "no event names the event it reacts to")
    events = log.events
    run = ["run"] if "run" in events.columns else []
    child = events.filter(pl.col("parent").is_not_null())
    known = events.select(*run, parent=pl.col("seq"), _time=pl.col("time"))
    found = child.join(known, on=[*run, "parent"], how="left")
    wrong = found.filter(
        pl.col("_time").is_null() | (pl.col("_time") > pl.col("time")) | (pl.col("parent") >= pl.col("seq"))
    )
    return _equal(PARENTS, 0.0, float(wrong.height), 0.0, f"{child.height} events name a parent")


def _composition(name: str, paths: pl.DataFrame, column: str, per_hop: float | None, what: str) -> Identity:
    """Mean of what arrived against the mean of per_hop^hops over the same items, within 4 standard errors."""
    if per_hop is None:
        return _none(name, f"{what} is not given")
    whole = pl.col("whole").is_null() & (pl.col("parts") == 0)
    done = paths.filter((pl.col("leaving") == "deliver") & whole & pl.col(column).is_not_null())
    if done.height < FEWEST_ITEMS:
        return _none(name, f"{done.height} delivered items show it, {FEWEST_ITEMS} are needed")
    shown = done[column].to_numpy()
    expected = kept_after(done["hops"].to_numpy(), 1.0 - per_hop)
    error = float(np.std(shown - expected, ddof=1)) / math.sqrt(len(shown))
    note = f"{len(shown)} items, measured histogram of hops; tolerance {STANDARD_ERRORS:g} standard errors"
    tolerance = max(STANDARD_ERRORS * error, _EXACT)
    return _equal(name, float(np.mean(expected)), float(np.mean(shown)), tolerance, note)
