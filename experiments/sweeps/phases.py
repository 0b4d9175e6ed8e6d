"""Phase diagrams: which structure holds where in parameter space, how surely, and where one gives way to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from experiments.errors import UsageProblem
from experiments.sweeps.statistics import proportion
from experiments.sweeps.transitions import Transition, locate
from sim.registry import suggest

# A phase holds where more than half of the runs are in it, beyond the chance of few runs.
MAJORITY = 0.5
NOTHING = "nothing"


@dataclass(frozen=True)
class Line:
    """Where, in one row of the diagram, one phase gives way to another.

    Attributes:
        y: Value of the second axis; None with a single axis.
        before, after: Phases on the two sides, along the first axis.
        at: Where, with its interval.
    """

    y: Any
    before: str
    after: str
    at: Transition


@dataclass(frozen=True)
class Diagram:
    """A phase diagram.

    Attributes:
        x, y: Names of the axes; ``y`` is None with a single one.
        phases: All phases, the most frequent first.
        cells: ``x, [y,] runs, phase, share, low, high, holds`` (one row for each point: the most frequent phase, its share
            of the runs with the Wilson interval, and whether it holds), then ``share_<phase>`` for every phase.
        lines: Transitions along ``x``, row by row.
        pooled: Names of further axes, over which runs were taken together.
    """

    x: str
    y: str | None
    phases: tuple[str, ...]
    cells: pl.DataFrame
    lines: tuple[Line, ...]
    pooled: tuple[str, ...] = ()

    def transitions(self) -> pl.DataFrame:
        """The lines as a table: ``y, before, after, location, low, high, seeds, note``."""
        rows = [
            {
                "y": None if line.y is None else str(line.y), "before": line.before, "after": line.after,
                "location": line.at.location, "low": line.at.low, "high": line.at.high, "seeds": line.at.seeds,
                "note": line.at.note,
            }
            for line in self.lines
        ]  # fmt: skip
        return pl.DataFrame(rows, schema_overrides={"y": pl.String, "note": pl.String}, infer_schema_length=None)


def diagram(
    runs: pl.LazyFrame, *, x: str, y: str | None = None, phase: str = "phase", axes: Sequence[str] = ()
) -> Diagram:
    """Draw up which phase holds where.

    Args:
        runs: ``load(folder)``.
        x: Axis along which transitions are located; numbers.
        y: A second axis.
        phase: Column that names the phase of a run; by default the kinds of structures that were discovered in it.
        axes: All axes of the sweep; those that are neither x nor y are pooled.

    Raises:
        UsageProblem: When a column is not there, or x holds no numbers.
    """
    schema = runs.collect_schema()
    for name in (x, *([y] if y else []), phase):
        if name not in schema:
            raise UsageProblem(f"phase diagram: no column '{name}'.{suggest(name, schema.names())}")
    if not schema[x].is_numeric():
        raise UsageProblem(
            f"phase diagram: the axis '{x}' holds no numbers, so it has no order; take it as the second one."
        )
    columns = [x, *([y] if y else [])]
    label = pl.col(phase).cast(pl.String).fill_null(NOTHING).alias("phase")
    table = runs.filter(pl.col("status") == "complete").select(*columns, "seed", label).sort(*columns, "seed").collect()
    order = table.group_by("phase").len().sort("len", "phase", descending=[True, False])["phase"].to_list()
    cells = pl.DataFrame([_cell(at, one, columns, order) for at, one in table.group_by(columns, maintain_order=True)])
    groups = table.group_by(y, maintain_order=True) if y else [((None,), table)]
    lines = [line for (value,), group in groups for line in _lines(group, x, value)]
    return Diagram(x, y, tuple(order), cells, tuple(lines), tuple(a for a in axes if a not in columns))


def _cell(place: Sequence[Any], group: pl.DataFrame, columns: Sequence[str], phases: Sequence[str]) -> dict[str, Any]:
    counts = dict(group.group_by("phase").len().sort("len", "phase", descending=[True, False]).iter_rows())
    most = next(iter(counts))
    share, low, high = proportion(counts[most], group.height)
    about = {**dict(zip(columns, place, strict=True)), "runs": group.height, "phase": most}
    shares = {f"share_{name}": counts.get(name, 0) / group.height for name in phases}
    return {**about, "share": share, "low": low, "high": high, "holds": low > MAJORITY, **shares}


def _lines(row: pl.DataFrame, x: str, y: Any) -> list[Line]:
    """Transitions along one row: between neighbours with different phases, over the stretch where only these two lead."""
    at = sorted(row[x].unique().to_list())
    leaders = []
    for value in at:
        counts = row.filter(pl.col(x) == value)["phase"].value_counts().sort("count", "phase", descending=[True, False])
        leaders.append(counts["phase"][0])
    changes = [i for i in range(1, len(at)) if leaders[i] != leaders[i - 1]]
    found = []
    for k, i in enumerate(changes):
        first = changes[k - 1] if k else 0
        last = changes[k + 1] - 1 if k + 1 < len(changes) else len(at) - 1
        stretch = at[first : last + 1]
        wide = (
            row.filter(pl.col(x).is_in(stretch))
            .with_columns(value=(pl.col("phase") == leaders[i - 1]).cast(pl.Float64))
            .pivot(x, index="seed", values="value", aggregate_function="mean")
            .sort("seed")
        )
        values = wide.select(str(v) for v in stretch).fill_null(np.nan).to_numpy()
        found.append(
            Line(y, leaders[i - 1], leaders[i], locate(np.asarray(stretch, dtype=float), values, level=MAJORITY))
        )
    return found
