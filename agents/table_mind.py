"""A table mind: choice probabilities for each class of views, with counts and intervals, distilled from decisions.

A class that was never seen is censored, or asked of the model; it is never given a default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agents.lens import (
    CODE,
    KEEP,
    LONGEST,
    MEMBER,
    NAMED,
    NEW,
    OPEN,
    FieldBins,
    Fields,
    Lens,
    LensError,
    bins_of,
    coding_of,
    told_bins,
)  # fmt: skip
from agents.table_kernel import GROUP, INVENT, WITHIN, arrays_of, module_of
from sim.registry import suggest
from sim.spec import ParameterError

if TYPE_CHECKING:
    import polars as pl

    from sim.record.log import Log
    from sim.world.batches import Asker
    from sim.world.due import Answer, Due

# Version 2: what an agent did alone is no longer taken for something about the neighbour in slot 0.
SCHEMA_VERSION = 2
# Classes with fewer samples than this are thin: their shares say little.
THIN = 10
Z = 1.959963984540054


@dataclass(frozen=True)
class Taken:
    """One thing that can be taken in a class: a code, or somebody of whom this is remembered, or a new word.

    ``n`` is how often it was taken, ``low`` and ``high`` the 95 % Wilson bounds of its share.
    """

    takes: int
    code: int
    pattern: int
    words: str
    amount: float
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class ViewClass:
    """One class: its key, an example of it, how often it was decided, and the shares of what was taken."""

    key: int
    fields: Fields
    memory: tuple[tuple[float, ...], ...]
    n: int
    options: tuple[Taken, ...]


@dataclass(frozen=True)
class Table:
    """A table mind as data.

    Attributes:
        scenario: The scenario it decides in.
        source: What it was distilled from: the mind, run and seed in words.
        lens: What makes a class.
        memory: How many things an agent has to remember.
        decisions: Genuine decisions counted; ``censored`` were left out.
    """

    scenario: str
    source: Mapping[str, Any]
    lens: Lens
    memory: int
    decisions: int
    censored: int
    classes: tuple[ViewClass, ...]

    @cached_property
    def by_key(self) -> dict[int, ViewClass]:
        """Classes by key."""
        return {c.key: c for c in self.classes}

    @property
    def thin_share(self) -> float:
        """Share of the counted decisions that fell into thin classes."""
        return sum(c.n for c in self.classes if c.n < THIN) / max(1, self.decisions)

    def module(self) -> ModuleType:
        """The table as a compiled rule."""
        rows = [[(o.share, o.takes, o.code, o.pattern, o.amount) for o in c.options if o.n] for c in self.classes]
        return module_of(self.lens, arrays_of([c.key for c in self.classes], rows))

    def to_json(self) -> dict[str, Any]:
        """The table as JSON data; keys and patterns as text, for they exceed what some readers hold exactly."""
        classes = [
            {
                "key": str(c.key), "n": c.n, "fields": dict(c.fields), "memory": [list(m) for m in c.memory],
                "options": [vars(o) | {"code": str(o.code), "pattern": str(o.pattern)} for o in c.options],
            }
            for c in self.classes
        ]  # fmt: skip
        return {
            "schema_version": SCHEMA_VERSION, "what": "table mind", "scenario": self.scenario, "source": dict(self.source),
            "lens": self.lens.to_json(), "memory": self.memory, "decisions": self.decisions, "censored": self.censored,
            "thin_share": self.thin_share, "classes": classes,
        }  # fmt: skip


def read_table(path: Path | str) -> Table:
    """Read a table mind; ParameterError with one sentence when the file is none."""
    place = Path(path)
    try:
        data = json.loads(place.read_text(encoding="utf-8"))
        if data["what"] != "table mind" or data["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"it is '{data['what']}' of version {data['schema_version']}")
        classes = tuple(
            ViewClass(
                int(c["key"]), c["fields"], tuple(tuple(m) for m in c["memory"]), int(c["n"]),
                tuple(Taken(**{**o, "code": int(o["code"]), "pattern": int(o["pattern"])}) for o in c["options"]),
            )
            for c in data["classes"]
        )  # fmt: skip
        return Table(
            data["scenario"], data["source"], Lens.from_json(data["lens"]), int(data["memory"]), int(data["decisions"]),
            int(data["censored"]), classes,
        )  # fmt: skip
    except OSError as error:
        found = (
            "found nothing there" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error.strerror})"
        )
        raise ParameterError(f"{place}: expected a table mind that 'swarmscope distil' wrote, but {found}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{place}: expected a table mind that 'swarmscope distil' wrote, but it cannot be read ({error}); distil it anew."
        ) from None


def distil(
    decisions: pl.DataFrame,
    *,
    scenario: str,
    source: Mapping[str, Any] | None = None,
    last: int | None = None,
    ignore: Sequence[str] = (),
) -> Table:
    """Count decisions by class.

    Args:
        decisions: Rows of ``agents.recorded``.
        scenario: The scenario they were taken in.
        source: What to say about where they come from.
        last: How many of the latest things remembered make a class; all when None.
        ignore: Fields of the view, or ``part``, ``value``, ``about`` of what is remembered, that do not count.

    Raises:
        ParameterError: When there is nothing to count, or ``ignore`` names something that is not there.
    """
    rows = [_row(r) for r in decisions.iter_rows(named=True)]
    genuine = [r for r in rows if r["option"] is not None and r["origin"] != "censored"]
    if not genuine:
        raise ParameterError(f"distil: expected recorded decisions, got {len(rows)} rows without a genuine one.")
    longest = max(len(r["memory"]) for r in rows)
    lens = lens_of(genuine, last=longest if last is None else min(last, longest), ignore=ignore)
    counted: dict[int, dict[tuple[int, int, int], list[Any]]] = {}
    examples: dict[int, dict[str, Any]] = {}
    for row in genuine:
        key = lens.key(row["fields"], row["memory"])
        class_ = counted.setdefault(key, {})
        examples.setdefault(key, row)
        for code, amount, features, words in row["options"]:
            taken = taken_of(lens, lens.patterns(row["memory"], row["fields"]), code, features)
            cell = class_.setdefault(taken, [0, words, amount])
            if code == row["option"]:
                cell[0] += 1
    classes = tuple(_class(key, examples[key], counted[key]) for key in sorted(counted))
    return Table(scenario, dict(source or {}), lens, longest, len(genuine), len(rows) - len(genuine), classes)


def taken_of(lens: Lens, patterns: Mapping[int, int], code: int, features: Mapping[str, float]) -> tuple[int, int, int]:
    """An option as the lens sees it, given what is known of each label."""
    new = "new" in features
    if lens.coding == OPEN and not new and patterns.get(code, 0) == 0:
        raise LensError(
            f"expected options that are remembered or new, got code {code}, of which nothing is remembered."
        )
    return lens.taken(code, patterns, new=new, slot="slot" in features)


def lens_of(rows: Sequence[Mapping[str, Any]], *, last: int, ignore: Sequence[str] = ()) -> Lens:
    """The lens for decisions: codings and bins as the decisions show them."""
    names = list(rows[0]["fields"])
    for name in ignore:
        if name not in names and name not in KEEP:
            known = [*names, *KEEP]
            raise ParameterError(
                f"distil: there is no '{name}' to ignore.{suggest(name, known)} There is: {', '.join(known)}."
            )
    if last > LONGEST:
        raise ParameterError(f"distil: a class holds at most {LONGEST} things remembered, got {last}; use --last.")
    told = tuple(n for n, value in rows[0]["fields"].items() if isinstance(value, list))
    seen: dict[int, Mapping[str, float]] = {}
    for row in rows:
        for code, _, features, _ in row["options"]:
            seen.setdefault(code, features)
            extra = set(features) - {"slot", "verb", "new", "times", "worked", "sign", *told}
            if extra:
                raise ParameterError(
                    f"distil: options differ in a number of their own, '{sorted(extra)[0]}', which was not recorded with the "
                    "view; record the run again, or without it (factory: --set look=0)."
                )
    fields = tuple(bins_of(n, [r["fields"][n] for r in rows]) for n in names if n not in ignore and n not in told)
    coding = coding_of(list(seen.items()))
    bins = told_of([row["fields"] for row in rows], [n for n in told if n not in ignore])
    return Lens(fields, coding, last, tuple(k for k in KEEP if k not in ignore), bins)


def told_of(views: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[FieldBins, ...]:
    """Bins of the fields ``names``, which hold a number for each neighbour; those in which nobody told any are left out."""
    numbers = {name: [v for view in views for v in view[name] if v >= 0.0] for name in names}
    return tuple(told_bins(name, values) for name, values in numbers.items() if values)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{name: json.loads(row[name]) for name in ("fields", "memory", "options")}}


def _class(key: int, example: Mapping[str, Any], cells: Mapping[tuple[int, int, int], list[Any]]) -> ViewClass:
    n = sum(cell[0] for cell in cells.values())
    options = []
    for (takes, code, pattern), (count, words, amount) in sorted(cells.items()):
        low, high = wilson(count, n)
        options.append(Taken(takes, code, pattern, words, amount, count, count / n, low, high))
    return ViewClass(key, example["fields"], tuple(tuple(m) for m in example["memory"]), n, tuple(options))


def wilson(count: int, n: int, z: float = Z) -> tuple[float, float]:
    """The Wilson (1927) bounds of a share; (0, 1) for no samples."""
    if n == 0:
        return 0.0, 1.0
    share, part = count / n, z * z / n
    middle = (share + part / 2) / (1 + part)
    reach = z / (1 + part) * math.sqrt(share * (1 - share) / n + part / (4 * n))
    return max(0.0, middle - reach) if count else 0.0, min(1.0, middle + reach) if count < n else 1.0


class AskedTable:
    """A table that is asked like a model: draws as the compiled one does; unknown classes go to ``model``, if any."""

    def __init__(self, table: Table, *, model: Asker | None = None) -> None:
        self.table, self.model = table, model
        self.unknown = self.thin = self.asked = 0

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """Answers from the table at once; those of unknown classes when the model has answered."""
        from sim.world.due import CENSORED

        made: list[Answer | None] = [self.answer(due) for due in dues]
        missing = [i for i, answer in enumerate(made) if answer is None]
        self.unknown += len(missing)
        self.asked += len(dues)
        whole: Future[list[Answer]] = Future()
        if not missing or self.model is None:
            whole.set_result([CENSORED if answer is None else answer for answer in made])
            return whole
        asked = self.model.ask([dues[i] for i in missing])

        def finish(done: Future[list[Answer]]) -> None:
            if done.cancelled() or (error := done.exception()) is not None:
                whole.cancel() if done.cancelled() else whole.set_exception(error)
                return
            told = dict(zip(missing, done.result(), strict=True))
            whole.set_result([told[i] if answer is None else answer for i, answer in enumerate(made)])

        asked.add_done_callback(finish)
        return whole

    def close(self) -> None:
        """Close the model."""
        if self.model is not None:
            self.model.close()

    def beside(self, log: Log) -> Log:
        """The model's tables, and how often it was asked."""
        if self.model is None:
            return log
        made = self.model.beside(log)
        said = f"Of {self.asked:,} decisions of a table {self.unknown:,} fell into classes without samples; a model took them."
        return replace(made, notes=(*made.notes, said))

    def answer(self, due: Due) -> Answer | None:
        """The answer from the table; None for a class without samples."""
        from agents.recorded import sensed_of

        found = self.table.by_key.get(self.table.lens.key(sensed_of(due), due.memory))
        self.thin += found is not None and found.n < THIN
        return drawn(self.table.lens, found.options, due) if found is not None else None


def drawn(lens: Lens, options: Iterable[Taken], due: Due) -> Answer | None:
    """Draw from a class's shares by the due's own draws; None when nobody is there who could be taken."""
    from sim.world import oracle
    from sim.world.due import Answer
    from sim.world.view import invent

    def unit(purpose: int) -> float:
        return oracle.unit(int(due.draws.stream), int(due.draws.count), purpose)

    u, reached = unit(GROUP), 0.0
    possible = [o for o in options if o.n]
    chosen = possible[-1]
    for option in possible[:-1]:
        reached += option.share
        if u < reached:
            chosen = option
            break
    if chosen.takes == CODE:
        return Answer(chosen.code, chosen.amount, "table")
    if chosen.takes == NEW:
        return Answer(int(invent(due.draws, INVENT)), chosen.amount, "table")
    members = members_of(lens, chosen, due)
    if not members:
        return None
    return Answer(members[int(unit(WITHIN) * len(members))], chosen.amount, "table")


def members_of(lens: Lens, chosen: Taken, due: Due) -> list[int]:
    """The codes that a choice of somebody stands for, in the order in which kernels count them."""
    assert chosen.takes == MEMBER
    assert lens.coding != NAMED
    from agents.recorded import sensed_of

    patterns = lens.patterns(due.memory, sensed_of(due) if lens.told else None)
    if lens.coding == OPEN:
        latest = dict.fromkeys(lens.label(h.code) for h in reversed(due.memory[-lens.last :]))
        return [label for label in latest if patterns[label] == chosen.pattern]
    slots = [s for s in range(int(due.view.width)) if patterns.get(s, 0) == chosen.pattern]
    return [chosen.code + 8 * s if lens.coding == "verb" else s for s in slots]
