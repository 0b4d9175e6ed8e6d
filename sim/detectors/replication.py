"""Replication and cause: what recurs in other runs of the setting, and goes when its mechanism is taken away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb

from sim.detectors.report import DISCOVERED, LEVELS, Structure
from sim.record.log import Log

LEAST_RUNS = 3
WITHOUT = {
    "twins": "in isolated twins (the same agents and inputs, contact cut)",
    "off": "with the mechanism switched off",
    "knockouts": "with agents knocked out",
}


@dataclass(frozen=True)
class Reference:
    """Logs of further runs, by which structures of one log are judged; one log is one run.

    Attributes:
        fresh: The same setting with other seeds.
        twins: Isolated twins: the same policies and inputs, the agents cut off from each other.
        off: The same setting with the mechanism that is held to be the cause switched off.
        knockouts: The same setting with agents muted that the structure is held to depend on.
    """

    fresh: Sequence[Log] = ()
    twins: Sequence[Log] = ()
    off: Sequence[Log] = ()
    knockouts: Sequence[Log] = ()

    def parts(self) -> Iterator[tuple[str, Sequence[Log]]]:
        """Name and logs of each kind of run that was supplied."""
        for name in ("fresh", *WITHOUT):
            if logs := getattr(self, name):
                yield name, logs


def judged(
    structures: Sequence[Structure],
    reference: Reference,
    find: Callable[[Log], Sequence[Structure]],
    *,
    alpha: float,
) -> list[Structure]:
    """Promote, or hold back, structures by what ``find`` sees in the reference logs.

    *replicated*: robust, and recurring in more than half of the runs of its setting. *causal*: replicated, and recurring
    more often in its setting than in runs without the mechanism, by Fisher's exact test, one-sided, at ``alpha`` divided
    by the number of kinds of such runs. What recurs in more than half of the isolated twins, or with the mechanism off,
    has another cause, and falls back to *significant*; with agents knocked out it may also recur because others took
    their place, which speaks for a role and against nothing.
    """
    seen = {name: [find(log) for log in logs] for name, logs in reference.parts()}
    made = across(structures, seen["fresh"]) if "fresh" in seen else list(structures)
    without = [name for name in seen if name != "fresh"]
    return [_caused(s, seen, without, alpha / max(len(without), 1)) for s in made]


def _caused(
    structure: Structure, seen: Mapping[str, Sequence[Sequence[Structure]]], without: Sequence[str], alpha: float
) -> Structure:
    on, runs = int(structure.facts.get("recurs", 1)), int(structure.facts.get("of_runs", 1))
    level, facts, said = structure.level, dict(structure.facts), structure.sentence[:-1]
    beaten = False
    for name in without:
        off, of = sum(any(_alike(structure, o) for o in other) for other in seen[name]), len(seen[name])
        p = fisher(on, runs, off, of)
        facts |= {f"recurs_{name}": off, f"of_runs_{name}": of, f"p_{name}": p}
        said += f"; {WITHOUT[name]} it recurs in {off} of {of} runs (p = {p:.2g})"
        beaten = beaten or p <= alpha
        if name != "knockouts" and 2 * off > of and LEVELS.index(level) >= DISCOVERED:
            level, said = "significant", said + ", so something else than coordination brings it about"
    if beaten and level == "replicated":
        level = "causal"
    return replace(structure, level=level, facts=facts, sentence=_levelled(said, level) + ".")


def _levelled(sentence: str, level: str) -> str:
    """The sentence with the level that was reached in the end."""
    return re.sub(rf"level ({'|'.join(LEVELS)}),", f"level {level},", sentence, count=1)


def fisher(hits: int, runs: int, others: int, of: int) -> float:
    """One-sided Fisher exact p-value that ``hits`` of ``runs`` is no larger a share than ``others`` of ``of``.

    Range: (0, 1]; small: the first share is larger. Reference: Fisher 1922, J. R. Stat. Soc. 85:87.
    """
    total = hits + others
    ways = sum(comb(runs, k) * comb(of, total - k) for k in range(hits, min(runs, total) + 1))
    return ways / comb(runs + of, total)


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
    level = "replicated" if enough else structure.level
    return replace(structure, level=level, facts=facts, sentence=_levelled(said, level))
