"""What detection returns: structures with their evidence, and the ledger of everything that was tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

import polars as pl

from sim.detectors.tracking import Change

if TYPE_CHECKING:
    from sim.detectors.turns import Turn

SCHEMA_VERSION = 1
LEVELS = ("observed", "significant", "stable", "robust", "replicated", "causal")
DISCOVERED = LEVELS.index("stable")
MEASURABLE = 3  # windows in a row in which a half-life can show


def time_said(value: float) -> str:
    """A time of the log: to the whole from a thousand on, for it may count seconds of an epoch, else three digits."""
    return f"{value:,.0f}" if abs(float(f"{value:.3g}")) >= 1000.0 else f"{value:.3g}"


@dataclass(frozen=True)
class Row:
    """One row of the ledger: a claim that was tested, or why it was not.

    ``p`` and ``q`` are None where nothing was tested. ``verdict`` is ``beaten``, ``not beaten``, ``insufficient data``,
    ``not tested`` or ``capped``.
    """

    detector: str
    claim_tested: str
    null: str
    p: float | None
    q: float | None
    verdict: str
    reason: str
    run: str = ""
    about: str = ""
    score: float | None = None
    chance: float | None = None
    surrogates: int = 0


@dataclass(frozen=True)
class Structure:
    """A coordination pattern with members, roles, evidence and a claim level.

    Attributes:
        id: Unique in its report.
        kind: One of ``kinds.KINDS``.
        claim: What is claimed, in words.
        level: One of LEVELS.
        run: Run it was found in.
        about: What it is about (e.g. a task type); may be empty.
        detector: Name of the detector.
        members: Agent ids.
        roles: Role to agent ids; every member has one role.
        score: The statistic of the main claim, in ``unit``.
        unit: Unit of the score.
        interval: 95 % bootstrap interval of the score.
        chance: Mean of the score under the null of the main claim.
        p: Largest p-value of the claims it rests on.
        q: Largest q-value of the claims it rests on.
        nulls: Names of the null models it beat.
        windows: Times at which the stretch in which it stood begins and ends.
        lifetime: Length of that stretch in the log's time.
        half_life: Time until agreement between windows falls to half; None: it did not, or was not measured
            (``half_life_said``).
        predefined: Why it stood before the first event; None if it did not.
        relabelling: True when the same structure is found after agents and rows are renumbered at random.
        resilience: Share of the structure left after each kind of damage, 0 to 1.
        sentence: The finding in one plain sentence.
        refuted_by: What observation would refute it.
        flows: ``source, target, kind, task, count``: who passes what to whom, agent ids as in the log.
        entries: Agent id to the number of items that entered there.
        exits: Agent id to the number of items that left there.
        timeline: ``start, end, agreement, present`` per window.
        changes: Births, deaths, splits and merges of its parts.
        facts: Numbers behind the sentence.
        part_of: Id of the discovered structure of which this one is a view or part; None where it stands for itself.
        scale: 0 for a structure of agents, 1 for one of groups of agents.
        rival: Another cause that the log cannot exclude (see ``audit.rivals``); None where no such cause is known.
    """

    id: str
    kind: str
    claim: str
    level: str
    run: str
    about: str
    detector: str
    members: tuple[Any, ...]
    roles: Mapping[str, tuple[Any, ...]]
    score: float
    unit: str
    interval: tuple[float, float] | None
    chance: float
    p: float
    q: float
    nulls: tuple[str, ...]
    windows: tuple[float, float]
    lifetime: float
    half_life: float | None
    predefined: str | None
    relabelling: bool | None
    resilience: Mapping[str, float]
    sentence: str
    refuted_by: str
    flows: pl.DataFrame
    entries: Mapping[Any, int]
    exits: Mapping[Any, int]
    timeline: pl.DataFrame
    changes: tuple[Change, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    part_of: str | None = None
    scale: int = 0
    rival: str | None = None

    @property
    def discovered(self) -> bool:
        """True when it is stable or better, did not stand before the first event, and is no view or part of another."""
        return LEVELS.index(self.level) >= DISCOVERED and self.predefined is None and self.part_of is None

    @property
    def half_life_said(self) -> str:
        """The half-life in words; it cannot be measured in a stretch of fewer than three windows."""
        if self.half_life is not None:
            return time_said(self.half_life)
        runs = "".join("1" if here else "0" for here in self.timeline["present"]).split("0")
        return "longer than it stood" if max(map(len, runs), default=0) >= MEASURABLE else "not measured"

    def to_json(self) -> dict[str, Any]:
        """The structure as in report.json (docs/run-folder.md)."""
        names = (
            "id", "kind", "claim", "level", "run", "members", "roles", "score", "interval", "chance", "p", "q", "nulls",
            "windows", "lifetime", "half_life", "predefined", "relabelling", "resilience", "sentence", "refuted_by",
            "part_of", "rival",
        )  # fmt: skip
        return {name: _plain(getattr(self, name)) for name in names}


@dataclass(frozen=True)
class Report:
    """Structures, the ledger of everything tested, and what the log is.

    Attributes:
        structures: Highest level first, then largest.
        ledger: Every claim tested or refused.
        decisions: Number of events by origin of the decision; ``unknown`` where the log has no origins.
        log: Facts on the log: events, agents, runs, start, end, missing_columns, kept, notes.
        notes: Sentences a report has to print on what the data can and cannot show, and on when the organisation changed.
        turns: Times at which the organisation changed for good.
    """

    structures: tuple[Structure, ...]
    ledger: tuple[Row, ...]
    decisions: Mapping[str, int]
    log: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()

    @property
    def discovered(self) -> tuple[Structure, ...]:
        """Structures that are stable or better, not predefined, and no view or part of another."""
        return tuple(s for s in self.structures if s.discovered)

    def get(self, identity: str) -> Structure:
        """The structure with this id; KeyError naming the known ids otherwise."""
        for structure in self.structures:
            if structure.id == identity:
                return structure
        known = ", ".join(s.id for s in self.structures) or "none"
        raise KeyError(f"structure '{identity}': expected one of {known}.")

    def to_json(self) -> dict[str, Any]:
        """The parts of report.json that detection knows: plain lists, dicts, numbers, strings and None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "log": _plain({**self.log, "notes": list(self.notes)}),
            "decisions": _plain(self.decisions),
            "structures": [s.to_json() for s in self.structures],
            "ledger": [_plain(vars(row)) for row in self.ledger],
        }


def _plain(value: Any) -> Any:
    """``value`` in types that JSON knows; a number that is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if isinstance(value, int | str | bool) or value is None else str(value)
