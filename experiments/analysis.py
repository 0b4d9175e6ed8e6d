"""Analysis: everything that is computed from a log, as data for report.json, report.html and topology.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import polars as pl

from experiments.errors import UsageProblem
from sim.detectors.core import detectors as registered
from sim.detectors.engine import detect
from sim.detectors.replication import Reference
from sim.detectors.report import LEVELS, Report, Structure
from sim.detectors.to_topology import to_topology
from sim.instruments.functions import functions
from sim.instruments.identities import Identity, identities
from sim.instruments.measure import measure, series
from sim.record.log import Log
from sim.record.windows import windows
from sim.topology.schema import Topology

Progress = Callable[[float, float, str], None]
CHARTS = (
    "throughput",
    "latency",
    "quality",
    "cost_per_item",
    "handoffs_per_item",
    "handoff_loss",
    "semantic_drift",
    "work_in_progress",
    "rework_share",
)
# Beyond this many structures only the best are turned into topologies.
MOST_TOPOLOGIES = 100
LOG_KEYS = ("events", "agents", "runs", "start", "end", "missing_columns", "kept")
LEDGER_KEYS = ("detector", "claim_tested", "null", "p", "q", "verdict", "reason")
IDENTITY_KEYS = ("name", "expected", "measured", "tolerance", "holds")


@dataclass(frozen=True)
class Settings:
    """How a log is analysed: detectors by name (None: all), level of the tests, seed of the surrogates."""

    detectors: tuple[str, ...] | None = None
    alpha: float = 0.05
    seed: int = 0

    def checked(self) -> Settings:
        """The settings, or UsageProblem or UnknownNameError for what cannot be done."""
        if not 0.0 < self.alpha <= 0.5:
            raise UsageProblem(f"--alpha: expected a number above 0 and at most 0.5, got {self.alpha}.")
        if self.seed < 0:
            raise UsageProblem(f"--seed: expected a whole number of at least 0, got {self.seed}.")
        for name in self.detectors or ():
            registered.get(name)
        return self

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {
            "detectors": None if self.detectors is None else list(self.detectors),
            "alpha": self.alpha,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Channel:
    """What a handoff does to an item by the run's own parameters; None where it is not known."""

    loss: float | None = None
    noise: float | None = None
    dimension: int | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any], *, changed: Sequence[str] = ()) -> Channel:
        """The channel of a run with these ``parameters``; unknown when one of them was ``changed`` while it ran."""

        def known(name: str) -> Any:
            return None if name in changed else parameters.get(name)

        return cls(known("handoff_loss"), known("drift"), known("dimension"))


@dataclass(frozen=True)
class Analysis:
    """What the analysis of a log found.

    Attributes:
        log: The log.
        report: Structures and ledger.
        instruments: Name to reading, as JSON values.
        series: ``index, time, name, value`` of the instruments in CHARTS, window by window.
        identities: Identities with their notes.
        functions: Observed functions, as JSON values.
        topologies: Structure id to topology, best first.
        problems: Sentences on parts that could not be made.
        settings: How it was analysed.
    """

    log: Log
    report: Report
    instruments: Mapping[str, Mapping[str, Any]]
    series: pl.DataFrame
    identities: tuple[Identity, ...]
    functions: Mapping[str, Mapping[str, Any]]
    topologies: Mapping[str, Topology]
    problems: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)

    @property
    def best(self) -> Structure | None:
        """The structure with the highest claim, then the largest; None when there is none."""
        return self.ranked[0] if self.report.structures else None

    @property
    def ranked(self) -> list[Structure]:
        """Structures by claim level, then size; what was not predefined goes first among equals."""
        return sorted(
            self.report.structures,
            key=lambda s: (-LEVELS.index(s.level), -len(s.members), s.predefined is not None),
        )

    def to_json(self) -> dict[str, Any]:
        """report.json, exactly the keys of docs/run-folder.md."""
        made = self.report.to_json()
        return {
            "schema_version": made["schema_version"],
            "log": {key: made["log"][key] for key in LOG_KEYS},
            "decisions": made["decisions"],
            "structures": made["structures"],
            "ledger": [_ledger_row(row) for row in made["ledger"]],
            "functions": plain(self.functions),
            "instruments": plain(self.instruments),
            "identities": [{key: plain(i.to_dict()[key]) for key in IDENTITY_KEYS} for i in self.identities],
        }


def _ledger_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ledger row with what it is about, and the run, said in the claim."""
    about = ", ".join(part for part in (row["about"], f"run {row['run']}" if row["run"] else "") if part)
    claim = f"{row['claim_tested']} ({about})" if about else row["claim_tested"]
    return {**{key: row[key] for key in LEDGER_KEYS}, "claim_tested": claim}


def analyse(
    log: Log,
    *,
    settings: Settings | None = None,
    channel: Channel | None = None,
    reference: Reference | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Detect structures in ``log``, read all instruments, check the identities, and see who performs which function.

    Args:
        log: One run or several.
        settings: Detectors, level and seed; the defaults when omitted.
        channel: What a handoff does to an item, where the run says so; for the identities of composition.
        reference: Further runs by which the structures are judged.
        progress: Called with (done, total, what) while working.
    """
    chosen = settings or Settings()
    say = progress or (lambda _done, _total, _what: None)
    report = detect(
        log, detectors=chosen.detectors, alpha=chosen.alpha, seed=chosen.seed, reference=reference, progress=say
    )
    say(0, 4, "reading instruments")
    readings = {name: reading.to_dict() for name, reading in measure(log, seed=chosen.seed).items()}
    say(1, 4, "reading instruments over time")
    lines = series(log, windows=windows(log), names=[n for n in CHARTS if n in readings], seed=chosen.seed)
    say(2, 4, "checking identities")
    known = channel or Channel()
    checked = identities(log, loss=known.loss, noise=known.noise, dimension=known.dimension)
    who = functions(log)
    say(3, 4, "drawing up topologies")
    made = Analysis(log, report, readings, lines, tuple(checked), who, {}, (), chosen)
    topologies, problems = _topologies(made.ranked[:MOST_TOPOLOGIES], log)
    if len(made.ranked) > MOST_TOPOLOGIES:
        problems.append(f"only the first {MOST_TOPOLOGIES} of {len(made.ranked)} structures were made into topologies")
    say(4, 4, "analysed")
    return Analysis(log, report, readings, lines, tuple(checked), who, topologies, tuple(problems), chosen)


def _topologies(structures: Sequence[Structure], log: Log) -> tuple[dict[str, Topology], list[str]]:
    made: dict[str, Topology] = {}
    problems = []
    for structure in structures:
        try:
            made[structure.id] = to_topology(structure, log)
        except ValueError as error:
            problems.append(f"{structure.id} has no topology: {' '.join(str(error).split())}")
    return made, problems


def plain(value: Any) -> Any:
    """``value`` in types that JSON knows; a number that is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if isinstance(value, int | str | bool) or value is None else str(value)
