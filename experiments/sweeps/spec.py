"""The specification of a sweep: what is run, varied, repeated and measured; checked before anything runs."""

from __future__ import annotations

import difflib
import inspect
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import UsageProblem
from experiments.sweeps import axes as ax
from experiments.sweeps.axes import Axis, Point, Sampling
from experiments.sweeps.measures import MEASURES, check_measures, named
from sim.registry import suggest

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.spec import Param, Scenario

MOST_RUNS = 1_000_000
KEEPS = ("events", "reports")
# What is no parameter of the scenario and may vary all the same.
ABOUT_RUNS = ("mind", "preset", "until")
KEYS = (
    "scenario", "preset", "fixed", "axes", "seeds", "until", "minds", "mind", "run", "log", "measures", "instruments",
    "detectors", "alpha", "keep", "sampling", "stop", "phases",
)  # fmt: skip


@dataclass(frozen=True)
class Stop:
    """Sequential stopping: seeds are added to a point until the interval of ``measure`` is narrow enough.

    Attributes:
        measure: Column of the results.
        width: Widest interval, from end to end, that counts as narrow, in the unit of the measure.
        most: Seeds of a point at which it is given up.
        batch: Seeds added at a time.
    """

    measure: str
    width: float
    most: int = 200
    batch: int = 8

    def as_dict(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Spec:
    """A checked specification.

    Attributes:
        scenario: Name of the scenario.
        preset: One of its presets, or None for its default one.
        fixed: Parameter values that differ from the preset in all runs.
        axes: What varies.
        seeds: Seeds of every point.
        until: Model time at which a run ends; None for the scenario's own.
        options: What else all runs are told: ``mind``, and how language models are asked.
        log: What a run's log holds while it is measured: as for ``run``.
        measures: Groups of columns, and functions of one's own; see ``experiments.sweeps.measures``.
        instruments: Names of the instruments; all when None.
        detectors: Names of the detectors; all when None.
        alpha: Level of the tests.
        keep: What else stays of each run: ``events``, ``reports``.
        sampling: How ranges are sampled.
        stop: When a point has seeds enough.
        phases: Column of the results that names the phase of a run; by default the structures that were discovered.
    """

    scenario: str
    preset: str | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()
    seeds: tuple[int, ...] = (0,)
    until: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    log: str = "full"
    measures: tuple[str, ...] = MEASURES
    instruments: tuple[str, ...] | None = None
    detectors: tuple[str, ...] | None = None
    alpha: float = 0.05
    keep: tuple[str, ...] = ()
    sampling: Sampling | None = None
    stop: Stop | None = None
    phases: str | None = None

    @property
    def runs(self) -> int:
        """Number of runs; with sequential stopping those of the first round."""
        return ax.count(self.axes, self.sampling) * len(self.seeds)

    @cached_property
    def points(self) -> list[Point]:
        """The points, in order; ``point`` in the results is the place in this list."""
        chosen = _scenario(self.scenario)
        return ax.points(self.axes, self.sampling, lambda name, value: _check(chosen, name)(value))

    def seeds_of(self, total: int) -> tuple[int, ...]:
        """The first ``total`` seeds: those given, then the whole numbers that follow the largest of them."""
        extra = total - len(self.seeds)
        return self.seeds + tuple(max(self.seeds) + 1 + k for k in range(max(0, extra)))

    def as_dict(self) -> dict[str, Any]:
        """The specification as JSON values, everything spelt out."""
        made = dict(vars(self))
        made.pop("points", None)
        made["fixed"], made["options"] = dict(self.fixed), dict(self.options)
        made["measures"] = [named(m) for m in self.measures]
        made["axes"] = {a.name: a.as_dict() for a in self.axes}
        made["sampling"] = None if self.sampling is None else self.sampling.as_dict()
        made["stop"] = None if self.stop is None else self.stop.as_dict()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in made.items()}

    @property
    def hash(self) -> str:
        """Eight digits over the specification."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True, default=str).encode()).hexdigest()[:8]

    def plan_arguments(self, point: Point) -> dict[str, Any]:
        """What ``planned`` takes at a point, but the seed, as JSON values."""
        made: dict[str, Any] = {"preset": self.preset, "until": self.until, **self.options, "log": self.log}
        changes = dict(self.fixed)
        about = {*ABOUT_RUNS, *plan_options()}
        for name, value in point.items():
            if name in about and not _is_parameter(self.scenario, name):
                made[name] = value
            else:
                changes[name] = value
        if "mind" in point and (made["mind"] == "rule" or made["mind"] in _scenario(self.scenario).rules):
            # How models are asked is for those points where one decides.
            made = {name: value for name, value in made.items() if name == "mind" or name not in plan_options()}
        return {"scenario": self.scenario, "changes": changes, **made}


def read_spec(path: Path | str) -> Spec:
    """The specification in a TOML file; UsageProblem with one sentence where it cannot be used."""
    place = Path(path)
    try:
        data = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageProblem(f"{place}: expected a specification, but it cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{place}: expected a specification in TOML, but {error}.") from None
    try:
        return specify(**data, where=place.parent)
    except UsageProblem as error:
        raise UsageProblem(f"{place}: {error}") from None


def specify(where: Path | None = None, **given: Any) -> Spec:
    """A checked specification from the entries of a TOML file or the arguments of ``experiments.sweep``.

    Args:
        where: Folder that files of one's own measures are named from; the working folder when None.
        given: Entries, see docs/sweeps.md.

    Raises:
        UsageProblem, ParameterError, UnknownNameError: For what cannot be done, before anything runs.
    """
    for key in given:
        if key not in KEYS:
            raise UsageProblem(f"unknown entry '{key}'.{suggest(key, KEYS)} Known: {', '.join(KEYS)}.")
    if not isinstance(given.get("scenario"), str):
        raise UsageProblem("expected scenario = \"NAME\"; see 'swarmscope scenarios' for the names.")
    chosen = _scenario(given["scenario"])
    fixed = _fixed(chosen, given)
    options, minds = _options(given)
    made_axes = _axes(chosen, given, fixed, options, minds)
    measures = check_measures(_texts(given, "measures") or MEASURES, where=where)
    ranges = sum(a.sampled for a in made_axes)
    sampling = _sampling(given.get("sampling"), made_axes, ranges)
    log = str(given.get("log") or ("counters" if measures == ("meters",) else "full"))
    spec = Spec(
        scenario=chosen.name, preset=given.get("preset"), fixed=fixed, axes=made_axes, seeds=_seeds(given.get("seeds", 1)),
        until=given.get("until"), options=options, log=log, measures=measures,
        instruments=_texts(given, "instruments"), detectors=_texts(given, "detectors"),
        alpha=float(given.get("alpha", 0.05)), keep=_keeps(given), sampling=sampling, stop=_stop(given.get("stop")),
        phases=given.get("phases"),
    )  # fmt: skip
    _check_size(spec)
    return _checked(spec)


def _scenario(name: str) -> Scenario:
    from sim.spec import scenarios

    return scenarios.get(name)


def _is_parameter(scenario: str, name: str) -> bool:
    return any(p.name == name for p in _scenario(scenario).parameters)


def plan_options() -> tuple[str, ...]:
    """What else a run is told, and may vary: its mind, and how language models are asked (agents.llm.settings)."""
    from agents.llm.budget import Budget
    from agents.llm.settings import Asking

    asking = [f.name for f in fields(Asking) if f.name != "budget"]
    return ("mind", *asking, *(f"budget_{f.name}" for f in fields(Budget)))


def planned(arguments: Mapping[str, Any], *, seed: int, check_minds: bool = True) -> Plan:
    """The plan of a run from arguments as data, those of ``Asking`` by their own names."""
    from agents.llm.settings import Asking
    from experiments.plan import plan

    given = dict(arguments)
    asked = {name: given.pop(name) for name in plan_options() if name != "mind" and name in given}
    return plan(**given, asking=Asking().changed(**asked), seed=seed, check_minds=check_minds)


def _param(scenario: Scenario, name: str) -> Param | None:
    return next((p for p in scenario.parameters if p.name == name), None)


def _check(scenario: Scenario, name: str) -> Callable[[object], Any]:
    """What brings a value of the axis ``name`` into its type, or says that there is no such axis."""
    param = _param(scenario, name)
    if param is not None:
        return lambda value: param.check(value, owner=f"scenario '{scenario.name}'")
    if name == "until":
        return _time
    if name in (*ABOUT_RUNS, *plan_options()):
        return lambda value: value
    names = [p.name for p in scenario.parameters]
    known = sorted([*names, *ABOUT_RUNS, *(o for o in plan_options() if o not in ABOUT_RUNS)])
    raise UsageProblem(
        f"axes.{name}: scenario '{scenario.name}' has no parameter '{name}'.{suggest(name, known)} "
        f"What may vary: {', '.join(known)}."
    )


def _time(value: object) -> float:
    try:
        end = float(str(value))
    except ValueError:
        end = float("nan")
    if not 0 < end < float("inf"):
        raise UsageProblem(f"until: expected a model time above 0, got {value!r}.")
    return end


def _fixed(scenario: Scenario, given: Mapping[str, Any]) -> dict[str, Any]:
    table = given.get("fixed") or {}
    if not isinstance(table, Mapping):
        raise UsageProblem(f"fixed: expected a table of parameter values, got {table!r}.")
    return {name: scenario.param(name).check(v, owner=f"scenario '{scenario.name}'") for name, v in table.items()}


def _options(given: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Further arguments of the runs, and the minds when there are several."""
    options = dict(given.get("run") or {})
    known = plan_options()
    for name in options:
        if name not in known:
            raise UsageProblem(f"run.{name}: unknown entry.{suggest(name, known)} Known: {', '.join(known)}.")
    minds = _texts(given, "minds") or ()
    if given.get("mind") is not None and minds:
        raise UsageProblem("expected either mind or minds, got both.")
    one = given.get("mind") or (minds[0] if len(minds) == 1 else None)
    if one is not None:
        options["mind"] = one
    return options, minds if len(minds) > 1 else ()


def _axes(
    scenario: Scenario,
    given: Mapping[str, Any],
    fixed: Mapping[str, Any],
    options: Mapping[str, Any],
    minds: Sequence[str],
) -> tuple[Axis, ...]:
    table = given.get("axes") or {}
    if not isinstance(table, Mapping):
        raise UsageProblem(f"axes: expected a table of axes, got {table!r}.")
    made = [ax.axis("mind", list(minds), lambda value: value)] if minds else []
    for name, what in table.items():
        check = _check(scenario, name)
        taken = "fixed" if name in fixed else "the run" if name in options or (name == "mind" and minds) else ""
        taken = taken or ("the run" if name in ("until", "preset") and given.get(name) is not None else "")
        if taken:
            raise UsageProblem(f"axes.{name}: its value is given for {taken} too; leave one of the two out.")
        param = _param(scenario, name)
        made.append(ax.axis(name, what, check, whole=param is not None and type(param.default) is int))
    return tuple(made)


def _sampling(given: object, axes: Sequence[Axis], ranges: int) -> Sampling | None:
    if given is None and ranges:
        names = ", ".join(a.name for a in axes if a.sampled)
        raise UsageProblem(
            f"axes: {names} has low and high but no steps; give steps for a grid, or a table [sampling] with kind and samples."
        )
    if given is None:
        return None
    return ax.sampling({"kind": given} if isinstance(given, str) else dict(given), dimensions=ranges)  # type: ignore[call-overload]


def _seeds(given: object) -> tuple[int, ...]:
    """Seeds 0 to n - 1 for a number n, or those of a list."""
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise UsageProblem(f"seeds: expected at least 1, got {given}.")
        if given > MOST_RUNS:
            raise UsageProblem(
                f"seeds: {given:,} seeds are more than one sweep takes ({MOST_RUNS:,} runs); take fewer."
            )
        return tuple(range(given))
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        if not all(isinstance(s, int) and not isinstance(s, bool) and -(2**63) <= s < 2**63 for s in given):
            raise UsageProblem(f"seeds: expected whole numbers of at most 63 bits, got {list(given)[:5]}.")
        if len(set(given)) < len(given):
            raise UsageProblem(
                "seeds: a seed is given more than once, and the same run counts once only; leave it out."
            )
        return tuple(given)
    raise UsageProblem(f"seeds: expected a number of seeds or a list of them, got {given!r}.")


def _texts(given: Mapping[str, Any], key: str) -> tuple[Any, ...] | None:
    """A list of texts (or functions), one alone counting as a list of one; None when it is not given."""
    value = given.get(key)
    if value is None:
        return None
    many = [value] if isinstance(value, str) or callable(value) else value
    if not isinstance(many, Sequence) or not many or not all(isinstance(v, str) or callable(v) for v in many):
        raise UsageProblem(f"{key}: expected a list of names, got {value!r}.")
    return tuple(many)


def _keeps(given: Mapping[str, Any]) -> tuple[str, ...]:
    keep = _texts(given, "keep") or ()
    for name in keep:
        if name not in KEEPS:
            raise UsageProblem(f"keep: expected some of {', '.join(KEEPS)}, got '{name}'.")
    return tuple(sorted(set(keep)))


def _stop(given: object) -> Stop | None:
    if given is None or isinstance(given, Stop):
        return given
    if not isinstance(given, Mapping):
        raise UsageProblem(f"stop: expected a table with measure and width, got {given!r}.")
    known = list(inspect.signature(Stop).parameters)
    for key in given:
        if key not in known:
            raise UsageProblem(f"stop: unknown entry '{key}'.{suggest(str(key), known)} Known: {', '.join(known)}.")
    if not {"measure", "width"} <= set(given):
        raise UsageProblem("stop: expected measure and width.")
    stop = Stop(**given)
    if not stop.width > 0 or stop.batch < 1 or stop.most < 2:
        raise UsageProblem(
            f"stop: expected a width above 0, batch of at least 1 and most of at least 2, got {stop.width}, {stop.batch} "
            f"and {stop.most}."
        )
    return stop


def _check_size(spec: Spec) -> None:
    """Refuse more runs than one sweep takes before the points are made."""
    if spec.runs > MOST_RUNS:
        each = " x ".join(f"{a.name} {len(a.values):,}" for a in spec.axes if not a.sampled)
        each += f" x {ax.count([a for a in spec.axes if a.sampled], spec.sampling):,} samples" if spec.sampling else ""
        raise UsageProblem(
            f"the specification asks for {spec.runs:,} runs ({each} x {len(spec.seeds):,} seeds); one sweep takes at most "
            f"{MOST_RUNS:,}. Take fewer values, sample the ranges, or make several sweeps."
        )


def _checked(spec: Spec) -> Spec:
    """Names of detectors and instruments, and one plan for each preset, mind and time that occur."""
    from experiments.analysis import Settings
    from sim.instruments.reading import instruments

    Settings(spec.detectors, spec.alpha).checked()
    for name in spec.instruments or ():
        instruments.get(name)
    if spec.until is not None:
        spec = replace(spec, until=_time(spec.until))
    about = [a.name for a in spec.axes if not _is_parameter(spec.scenario, a.name)]
    seen = set()
    for point in spec.points:
        which = tuple(repr(point[name]) for name in about)
        if which not in seen:
            seen.add(which)
            planned(spec.plan_arguments(point), seed=spec.seeds[0])
    return spec


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two specifications as data, in words."""
    told = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            told += [f"{key}.{line}" for line in differences(before, after)]
        elif isinstance(before, list) and isinstance(after, list) and len(before) + len(after) > 12:
            moved = difflib.SequenceMatcher(None, before, after).ratio()
            told.append(f"{key}: {len(before)} entries, now {len(after)} ({moved:.0%} alike)")
        else:
            told.append(f"{key}: {before!r}, now {after!r}")
    return told
