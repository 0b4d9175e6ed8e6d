"""Measures: what is read off a run and becomes columns of the results; groups of our own and functions of the user's."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from hashlib import sha256
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import UsageProblem
from sim.registry import suggest

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.detectors.report import Report, Structure
    from sim.record.log import Log
    from sim.world.engine import Engine

MEASURES = ("meters", "instruments", "structures", "windows")
GROUPS = (*MEASURES, "functions", "identities")
Row = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A finished run as its measures see it, and what was asked of them."""

    plan: Plan
    engine: Engine
    log: Log
    instruments: tuple[str, ...] | None
    detectors: tuple[str, ...] | None
    alpha: float

    @cached_property
    def report(self) -> Report:
        """What detection finds in the log."""
        from sim.detectors.engine import detect

        return detect(self.log, detectors=self.detectors, alpha=self.alpha)

    def column(self, name: str) -> str:
        """The column of a measure; one that is called like a parameter of the scenario gets another name."""
        taken = any(p.name == name for p in self.plan.scenario.parameters)
        return f"{name}_measured" if taken else name


@dataclass
class Rows:
    """The rows of one run: one of its own, one for each window, one for each structure."""

    run: Row
    windows: dict[int, Row]
    structures: list[Row]


def check_measures(names: Sequence[Any], *, where: Path | None = None) -> tuple[str, ...]:
    """Names of groups, and ``module:function`` or ``file.py:function``; functions become such names.

    Args:
        names: What a specification says, or functions (log, parameters) -> {column: number or text}.
        where: Folder that relative files are meant from.
    """
    made = []
    for name in names:
        if callable(name):
            made.append(_reference(name))
        elif ":" in str(name):
            place, _, function = str(name).rpartition(":")
            if place.endswith(".py"):
                place = str(((where or Path()) / place).resolve())
            made.append(f"{place}:{function}")
            own(made[-1])
        elif name in GROUPS:
            made.append(name)
        else:
            raise UsageProblem(
                f"measures: unknown '{name}'.{suggest(str(name), GROUPS)} Known: {', '.join(GROUPS)}, or a function of "
                "your own as module:function or file.py:function."
            )
    return tuple(dict.fromkeys(made))


def _reference(function: Callable[..., Any]) -> str:
    """A name by which a worker finds a function: its module, or its file where that is the program itself."""
    name = getattr(function, "__qualname__", "")
    if not name or "<" in name or "." in name:
        raise UsageProblem(f"measures: expected a function at the top level of a file, got {function!r}.")
    module = function.__module__
    if module != "__main__":
        return f"{module}:{name}"
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        raise UsageProblem(
            f"measures: the function '{name}' is in no file, so workers cannot find it; put it into one."
        )
    return f"{Path(file).resolve()}:{name}"


@cache
def own(reference: str) -> Callable[..., Any]:
    """The function that ``module:function`` or ``file.py:function`` stands for; UsageProblem where there is none."""
    place, _, name = reference.rpartition(":")
    try:
        module = _file(place) if place.endswith(".py") else import_module(place)
        return getattr(module, name)  # type: ignore[no-any-return]
    except (ImportError, OSError, AttributeError) as error:
        raise UsageProblem(f"measures: '{reference}' cannot be found ({error}).") from None


@cache
def _file(place: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"measures_of_{Path(place).stem}", place)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file at {place}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def named(reference: str) -> str:
    """A measure's name for the hash: groups as they are, functions with eight digits of their source."""
    if ":" not in reference:
        return reference
    place, _, name = reference.rpartition(":")
    source = Path(place) if place.endswith(".py") else Path(str(getattr(import_module(place), "__file__", "")))
    return f"{source.name}:{name}@{sha256(source.read_bytes()).hexdigest()[:8]}"


def measured(seen: Seen, names: Sequence[str]) -> Rows:
    """All rows of a run for the measures asked for."""
    rows = Rows({}, {}, [])
    for name in names:
        if name in _GROUPS:
            _GROUPS[name](seen, rows)
        else:
            made = own(name)(seen.log, dict(seen.plan.values))
            if not isinstance(made, Mapping):
                raise TypeError(f"measure {name}: expected a mapping of columns to values, got {type(made).__name__}.")
            rows.run |= {seen.column(str(key)): value for key, value in made.items()}
    return rows


def _meters(seen: Seen, rows: Rows) -> None:
    """The scenario's own figures at the end, events and cost; with language models calls, tokens, dollars, censored."""
    rows.run |= {"events": seen.engine.events, "run_cost": seen.engine.cost}
    rows.run |= {seen.column(name): seen.engine.meter(name) for name in seen.engine.built.meters}
    if seen.log.ledger is not None:
        from agents.llm.ledger import summary as asked

        made = asked(seen.log.ledger)
        price = None if made["cost"] == "unknown" else made["cost"]
        tokens = None if made["calls_without_tokens"] else made["tokens_in"] + made["tokens_out"]
        rows.run |= {"calls": made["calls"], "tokens": tokens, "money": price}
        rows.run |= {"censored": made["decisions"].get("censored", 0)}


def _instruments(seen: Seen, rows: Rows) -> None:
    """Every instrument's value after the warm-up; intervals come from the seeds, so a run needs none of its own."""
    import numpy as np

    from sim.instruments.facts import Facts
    from sim.instruments.measure import WARMUP
    from sim.instruments.reading import instruments

    names = seen.instruments or instruments.names()
    if not seen.log.events.height:
        rows.run |= {seen.column(name): None for name in names}
        return
    facts = replace(Facts.of(seen.log, warmup=WARMUP), intervals=False)
    rows.run |= {seen.column(n): instruments.get(n).read(facts, np.random.default_rng(0)).value for n in names}


def _windows(seen: Seen, rows: Rows) -> None:
    """Instruments window by window, and with structures how many of each kind stand in it."""
    from experiments.analysis import CHARTS
    from sim.instruments.measure import series

    names = [n for n in CHARTS if seen.instruments is None or n in seen.instruments]
    table = series(seen.log, names=names)
    for index, time, name, value in table.iter_rows():
        row = rows.windows.setdefault(index, {"window": index, "time": time})
        row[seen.column(name)] = value
    if "report" in vars(seen):
        _standing(seen.report.discovered, rows)


def _standing(structures: Sequence[Structure], rows: Rows) -> None:
    """Count the structures that stand in the middle of each window."""
    kinds = sorted({s.kind for s in structures})
    for row in rows.windows.values():
        row |= {column_of(kind): 0 for kind in kinds}
        for one in structures:
            row[column_of(one.kind)] += any(
                present and start <= row["time"] <= end
                for start, end, present in one.timeline.select("start", "end", "present").iter_rows()
            )


def column_of(kind: str) -> str:
    """The column that counts the discovered structures of a kind."""
    return "found_" + "".join(c if c.isalnum() else "_" for c in ("unclassified" if ":" in kind else kind))


def _structures(seen: Seen, rows: Rows) -> None:
    """What was discovered (stable or better, not predefined): counts by kind, and one row for each structure."""
    found = seen.report.discovered
    kinds = sorted({s.kind for s in found})
    rows.run |= {"discovered": len(found), "phase": " + ".join(kinds) or "nothing"}
    rows.run |= {"best_level": found[0].level if found else "none"}
    for one in found:
        rows.run[column_of(one.kind)] = rows.run.get(column_of(one.kind), 0) + 1
    for one in seen.report.structures:
        rows.structures.append(
            {
                "structure": one.id, "kind": one.kind, "level": one.level, "discovered": one.discovered,
                "about": one.about, "members": len(one.members), "score": one.score, "chance": one.chance, "p": one.p,
                "q": one.q, "start": one.windows[0], "end": one.windows[1], "lifetime": one.lifetime,
            }
        )  # fmt: skip


def _functions(seen: Seen, rows: Rows) -> None:
    """For each observed function how many agents perform it evenly counted, and how concentrated it is."""
    from sim.instruments.functions import functions

    for name, told in functions(seen.log).items():
        rows.run |= {f"{name}_agents": told["effective_agents"], f"{name}_concentration": told["concentration"]}


def _identities(seen: Seen, rows: Rows) -> None:
    """How many identities fail, and which: always a fault of the program."""
    from experiments.analysis import Channel
    from sim.instruments.identities import identities

    known = Channel.of(seen.plan.values)
    checked = identities(seen.log, loss=known.loss, noise=known.noise, dimension=known.dimension)
    broken = [i.name for i in checked if i.holds is False]
    rows.run |= {"identities_broken": len(broken), "broken": "; ".join(broken)}


_GROUPS: dict[str, Callable[[Seen, Rows], None]] = {
    "meters": _meters,
    "instruments": _instruments,
    "structures": _structures,
    "windows": _windows,
    "functions": _functions,
    "identities": _identities,
}


def cell(value: Any) -> Any:
    """A value for a column: a number (true counts as 1), a text, or None; what is not finite is None."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    return None if value is None else str(value)
