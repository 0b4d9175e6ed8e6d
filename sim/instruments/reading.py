"""A reading, the registry of instruments, and the decorator that makes a function one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sim.registry import Registry

if TYPE_CHECKING:
    from sim.instruments.facts import Facts


@dataclass(frozen=True)
class Reading:
    """What an instrument reads off a log.

    Attributes:
        value: The number; None where it is not defined, and then ``note`` says why. Never 0 for "unknown".
        unit: Unit of ``value``.
        n: How many observations it rests on.
        low, high: 95 % interval, or None where there are too few observations or the value is an exact sum.
        note: What a reader has to know: why there is no value, what was counted instead, how the interval was made.
        by: Parts of the reading by name (per task type, quantiles, worst edges), in the unit their name says.
    """

    value: float | None
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    note: str = ""
    by: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """The reading as JSON values."""
        return {
            "value": self.value,
            "unit": self.unit,
            "n": self.n,
            "low": self.low,
            "high": self.high,
            "note": self.note,
            "by": {name: number for name, number in self.by.items() if math.isfinite(number)},
        }


def not_available(unit: str, why: str) -> Reading:
    """The reading of a measure that this log does not define."""
    return Reading(None, unit, 0, note=f"n/a: {why}")


Read = Callable[["Facts", np.random.Generator], Reading]


@dataclass(frozen=True)
class Instrument:
    """One measure.

    Attributes:
        name: Registered name.
        summary: One line for listings.
        read: Facts about a log -> Reading; pure, random only through the generator given.
        low, high: Range of the value.
        better: ``high`` or ``low`` when one end is the wanted one, empty when that depends.
    """

    name: str
    summary: str
    read: Read
    low: float = -math.inf
    high: float = math.inf
    better: str = ""


instruments: Registry[Instrument] = Registry("instrument", package="sim.instruments")


def instrument(
    name: str, *, low: float = -math.inf, high: float = math.inf, better: str = ""
) -> Callable[[Read], Read]:
    """Register the decorated function as the instrument ``name``; its docstring's first line is the summary."""

    def register(read: Read) -> Read:
        summary = (read.__doc__ or "").strip().splitlines()[0]
        instruments.add(name)(Instrument(name, summary, read, low, high, better))
        return read

    return register
