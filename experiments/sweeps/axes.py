"""Axes: what varies in a sweep, as lists, grids or ranges to sample, and the points that they span."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from experiments.errors import UsageProblem
from sim.registry import suggest

if TYPE_CHECKING:
    import numpy as np

SCALES = ("linear", "log")
SAMPLINGS = ("latin_hypercube", "sobol", "saltelli", "morris")
MOST_STEPS = 1_000_000
Point = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """One thing that varies: its ``values`` in order, or a range from ``low`` to ``high`` that is sampled."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 1.0
    scale: str = "linear"
    whole: bool = False

    @property
    def sampled(self) -> bool:
        """True for a range."""
        return not self.values

    def at(self, share: float) -> float:
        """The value at ``share`` (0 to 1) of the range."""
        if self.scale == "log":
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)

    def as_dict(self) -> dict[str, Any]:
        """The axis as JSON values."""
        if self.sampled:
            return {"low": self.low, "high": self.high, "scale": self.scale}
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Sampling:
    """How ranges are sampled.

    Attributes:
        kind: ``latin_hypercube``, ``sobol`` (scrambled, Owen 1998), or the designs of the sensitivity indices:
            ``saltelli`` (Sobol indices) and ``morris`` (elementary effects).
        samples: Points; for ``saltelli`` the base N of N (2 D + 2) points, for ``morris`` trajectories of D + 1 points.
        seed: Of the sampling alone; the seeds of the runs are others.
        levels: Levels of the grid of ``morris``.
    """

    kind: str
    samples: int
    seed: int = 0
    levels: int = 4

    def size(self, dimensions: int) -> int:
        """Number of points for ``dimensions`` sampled axes."""
        factor = {"saltelli": 2 * dimensions + 2, "morris": dimensions + 1}.get(self.kind, 1)
        return self.samples * factor

    def as_dict(self) -> dict[str, Any]:
        """The sampling as JSON values."""
        return {"kind": self.kind, "samples": self.samples, "seed": self.seed, "levels": self.levels}


def axis(name: str, given: object, check: Callable[[object], Any], *, whole: bool = False) -> Axis:
    """An axis from what a specification says.

    Args:
        name: Name of the axis.
        given: A list of values; ``{values = [...]}``; a grid ``{low, high, steps}``; or a range ``{low, high}`` for
            sampling. Grids and ranges take ``scale = "log"``.
        check: Returns a value as the parameter's type or raises.
        whole: Values between those that are given have to be whole numbers.
    """
    if isinstance(given, Axis):
        return given
    if isinstance(given, Mapping):
        return _table(name, given, check, whole)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise UsageProblem(
            f"axes.{name}: expected a list of values or a table with low and high, got {given!r}; a single value belongs "
            "into [fixed]."
        )
    return _listed(name, given, check)


def tidy(value: float, *, whole: bool) -> float | int:
    """A computed value to twelve digits, so that a step of a tenth is a tenth on every machine; rounded where ``whole``."""
    return round(value) if whole else float(f"{value:.12g}")


def _listed(name: str, values: Sequence[object], check: Callable[[object], Any]) -> Axis:
    made = tuple(check(value) for value in values)
    if not made:
        raise UsageProblem(
            f"axes.{name}: expected at least one value, got an empty list; there would be nothing to run."
        )
    if len(set(made)) < len(made):
        twice = next(v for v in made if made.count(v) > 1)
        raise UsageProblem(f"axes.{name}: the value {twice!r} is given more than once; leave it out.")
    return Axis(name, made)


def _table(name: str, given: Mapping[str, Any], check: Callable[[object], Any], whole: bool) -> Axis:
    known = ("values", "low", "high", "steps", "scale")
    for key in given:
        if key not in known:
            raise UsageProblem(f"axes.{name}: unknown entry '{key}'.{suggest(key, known)} Known: {', '.join(known)}.")
    if "values" in given:
        if len(given) > 1:
            raise UsageProblem(f"axes.{name}: expected either values or low and high, got both.")
        return axis(name, given["values"], check, whole=whole)
    missing = [key for key in ("low", "high") if key not in given]
    if missing:
        raise UsageProblem(f"axes.{name}: expected low and high, but {' and '.join(missing)} is missing.")
    low, high = float(check(given["low"])), float(check(given["high"]))
    scale = str(given.get("scale", "linear"))
    if scale not in SCALES:
        raise UsageProblem(f"axes.{name}: scale expects {' or '.join(SCALES)}, got '{scale}'.")
    if not low < high:
        raise UsageProblem(f"axes.{name}: expected low below high, got {low:g} and {high:g}.")
    if scale == "log" and low <= 0:
        raise UsageProblem(f"axes.{name}: a logarithmic scale expects low above 0, got {low:g}.")
    made = Axis(name, (), low, high, scale, whole)
    if "steps" not in given:
        return made
    steps = given["steps"]
    if isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= MOST_STEPS:
        raise UsageProblem(f"axes.{name}: steps expects a whole number from 2 to {MOST_STEPS:,}, got {steps!r}.")
    values = [check(tidy(made.at(i / (steps - 1)), whole=whole)) for i in range(steps)]
    return Axis(name, tuple(dict.fromkeys(values)))


def sampling(given: Mapping[str, Any], *, dimensions: int) -> Sampling:
    """How to sample, from what a specification says: ``{kind, samples, seed, levels}``."""
    known = ("kind", "samples", "seed", "levels")
    for key in given:
        if key not in known:
            raise UsageProblem(f"sampling: unknown entry '{key}'.{suggest(key, known)} Known: {', '.join(known)}.")
    kind = str(given.get("kind", "latin_hypercube"))
    if kind not in SAMPLINGS:
        raise UsageProblem(f"sampling.kind: expected one of {', '.join(SAMPLINGS)}, got '{kind}'.")
    numbers = {}
    for key, default, least in (("samples", 64, 1), ("seed", 0, 0), ("levels", 4, 2)):
        value = given.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise UsageProblem(f"sampling.{key}: expected a whole number of at least {least}, got {value!r}.")
        numbers[key] = value
    if not dimensions:
        raise UsageProblem("sampling: expected an axis with low and high and without steps to sample, got none.")
    if kind == "morris" and numbers["levels"] % 2:
        raise UsageProblem(f"sampling.levels: expected an even number, got {numbers['levels']}.")
    powers = kind in ("sobol", "saltelli")
    if powers and numbers["samples"] & (numbers["samples"] - 1):
        raise UsageProblem(
            f"sampling.samples: {kind} is balanced for powers of 2 only, got {numbers['samples']}; take "
            f"{1 << numbers['samples'].bit_length()}."
        )
    return Sampling(kind, numbers["samples"], numbers["seed"], numbers["levels"])


def count(axes: Sequence[Axis], how: Sampling | None) -> int:
    """Number of points, without making them."""
    ranges = sum(a.sampled for a in axes)
    listed = math.prod(len(a.values) for a in axes if not a.sampled)
    return listed * (how.size(ranges) if how is not None and ranges else 1)


def points(axes: Sequence[Axis], how: Sampling | None, check: Callable[[str, object], Any]) -> list[Point]:
    """All points, the last axis fastest; listed axes are crossed with the samples of the ranges.

    Args:
        axes: The axes.
        how: How the ranges are sampled; None when there are none.
        check: (name, value) to the value in the parameter's type.
    """
    listed = [a for a in axes if not a.sampled]
    ranges = [a for a in axes if a.sampled]
    grid = [dict(zip((a.name for a in listed), values, strict=True)) for values in product(*(a.values for a in listed))]
    if not ranges or how is None:
        return grid
    drawn = [
        {a.name: check(a.name, tidy(a.at(float(u)), whole=a.whole)) for a, u in zip(ranges, row, strict=True)}
        for row in shares(len(ranges), how)
    ]
    return [{a.name: {**first, **second}[a.name] for a in axes} for first in grid for second in drawn]


def shares(dimensions: int, how: Sampling) -> np.ndarray:
    """The samples in the unit cube, shape (points, dimensions); UsageProblem when SALib is needed and absent."""
    import numpy as np

    rng = np.random.default_rng(how.seed)
    if how.kind in ("saltelli", "morris"):
        from experiments.sweeps.sensitivity import design

        return design(dimensions, how)
    from scipy.stats import qmc

    # SciPy renamed the argument in 1.15 and still takes it by place only as the old one.
    kind = qmc.LatinHypercube if how.kind == "latin_hypercube" else qmc.Sobol
    try:
        sampler = kind(d=dimensions, rng=rng)
    except TypeError:
        sampler = kind(d=dimensions, seed=rng)
    return np.asarray(sampler.random(how.samples))
