"""Replication: a structure that recurs in other runs of the same setting is more than one run's history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sim.detectors.report import DISCOVERED, LEVELS, Structure
from sim.record.log import Log

LEAST_RUNS = 3


def within(structures: Sequence[Structure], log: Log, *, runs: int) -> list[Structure]:
    """Promote robust structures that recur in the log's runs of one setting.

    The unit is the run. Only ``Log.meta["settings"]`` (run -> setting) says which runs share a setting; without it
    every run stands alone, since runs of one table may differ in anything. Recurring means: a discovered structure of
    the same kind, about the same thing, in more than half of the setting's runs and at least LEAST_RUNS.
    """
    settings = log.meta.get("settings")
    if not isinstance(settings, Mapping) or runs < LEAST_RUNS:
        return list(structures)
    members: dict[object, set[str]] = {}
    for run, setting in settings.items():
        members.setdefault(setting, set()).add(str(run))
    return [
        _promoted(s, seen, len(members.get(settings.get(s.run), set())))
        for s in structures
        for seen in [_seen(s, structures, members.get(settings.get(s.run), set()))]
    ]


def across(structures: Sequence[Structure], references: Sequence[Sequence[Structure]]) -> list[Structure]:
    """Promote robust structures that recur in reference logs, one log one run; the log itself counts as one more."""
    return [
        _promoted(s, 1 + sum(any(_alike(s, o) for o in other) for other in references), 1 + len(references))
        for s in structures
    ]


def _seen(structure: Structure, others: Sequence[Structure], runs: set[str]) -> int:
    return len({o.run for o in others if o.run in runs and _alike(structure, o)})


def _alike(a: Structure, b: Structure) -> bool:
    """The same kind about the same thing, discovered apart from predefinition; members may be other agents."""
    return a.kind == b.kind and a.about == b.about and LEVELS.index(b.level) >= DISCOVERED


def _promoted(structure: Structure, seen: int, runs: int) -> Structure:
    if runs < 2:
        return structure
    facts = {**structure.facts, "recurs": seen, "of_runs": runs}
    enough = seen >= LEAST_RUNS and 2 * seen > runs and structure.level == "robust"
    said = f"{structure.sentence[:-1]}; it recurs in {seen} of {runs} runs."
    return replace(structure, level="replicated" if enough else structure.level, facts=facts, sentence=said)
