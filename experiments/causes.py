"""Causes: members of a structure are muted in paired reruns, and those change most whom the structure says depend on them.

A structure is a prediction. One with a centre (hub, broker, core, committed) says that everybody does other things when the
centre falls silent than when an equally busy member does; one with parts (teams, stages, stations, roles) that the part
which a muted member's part turns to changes before the rest. Both are read off the first half of each run and tested on
the second, with the same draws for everybody who is left, so nothing that was seen is tested again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.knockouts import acts, difference
from sim.detectors.report import LEVELS, Structure

if TYPE_CHECKING:
    from experiments.knockouts import Rerun
    from experiments.plan import Plan
    from sim.record.log import Log

Find = Callable[["Log", Structure], Sequence[Structure]]
Floats = NDArray[np.float64]
CENTRES = ("hub", "broker", "core", "committed")
MUTED = 3  # members muted in each run, and as many others to compare a centre with
ACTS = 6  # what an agent does on average between the muting and the look; later everything is other
LEAST, FROM = LEVELS.index("significant"), LEVELS.index("robust")
EXACT, DRAWN = 14, 20_000  # runs up to which all signs are tried; signs drawn beyond


@dataclass(frozen=True)
class Prediction:
    """Whom muting changes by what a structure says: pairs (muted, other) that change, and pairs to compare them with."""

    change: tuple[tuple[Any, Any], ...]
    compared: tuple[tuple[Any, Any], ...]
    words: str

    @property
    def muted(self) -> tuple[Any, ...]:
        """The agents to mute, once each."""
        return tuple(dict.fromkeys(m for m, _ in (*self.change, *self.compared)))


@dataclass(frozen=True)
class Effect:
    """What muting changed, run by run: share of acts that were other, shape (runs,), and p that the two are alike."""

    change: Floats
    compared: Floats
    p: float
    words: str


def prediction(structure: Structure) -> Prediction | str:
    """Whom the structure says a muting changes; or in words why it says nothing that can be tested."""
    flow = _flow(structure)
    if flow is None:
        return "it has no contacts of its own"
    centre = next((structure.roles[r] for r in CENTRES if structure.roles.get(r)), ())
    return _of_centre(structure, flow, centre) if centre else _of_parts(structure, flow)


def _flow(structure: Structure) -> dict[tuple[Any, Any], int] | None:
    """Contacts of the structure by giver and receiver, without those with oneself or nobody."""
    if structure.flows.height == 0:
        return None
    found = structure.flows.filter(pl.col("target").is_not_null() & (pl.col("source") != pl.col("target")))
    summed = found.group_by("source", "target", maintain_order=True).agg(pl.col("count").sum())
    return {(a, b): int(c) for a, b, c in summed.iter_rows()} or None


def _busiest(agents: Sequence[Any], flow: dict[tuple[Any, Any], int]) -> list[Any]:
    """The MUTED agents with most contacts in the structure."""
    load = {a: sum(c for pair, c in flow.items() if a in pair) for a in agents}
    return sorted(agents, key=lambda a: -load[a])[:MUTED]


def _of_centre(structure: Structure, flow: dict[tuple[Any, Any], int], centre: Sequence[Any]) -> Prediction | str:
    outer = [a for a in structure.members if a not in set(centre)]
    first = _busiest(list(centre), flow)
    others = _busiest(outer, flow)[: len(first)]
    if len(outer) < 2 + len(others):
        return "it has hardly any members outside its centre"
    return Prediction(
        tuple((m, a) for m in first for a in outer if a not in others),
        tuple((m, a) for m in others for a in outer if a not in others),
        "others when its centre fell silent, and when as busy a member did",
    )


def _of_parts(structure: Structure, flow: dict[tuple[Any, Any], int]) -> Prediction | str:
    parts = [tuple(agents) for agents in structure.roles.values() if agents]
    part = {a: k for k, agents in enumerate(parts) for a in agents}
    if len(parts) < 2:
        return "it has no parts to tell apart"
    table, size = np.zeros((len(parts), len(parts))), np.array([len(p) for p in parts], dtype=np.float64)
    for (giver, taker), count in flow.items():
        if giver in part and taker in part:
            table[part[giver], part[taker]] += count
    given = table.sum(axis=1, keepdims=True)
    turned_to = table > given * size / size.sum()
    change, compared = [], []
    able = [a for a in part if 0 < turned_to[part[a]].sum() < len(parts)]
    for muted in _busiest(able, flow):
        near = {k for k in range(len(parts)) if turned_to[part[muted], k]}
        change += [(muted, a) for a in part if a != muted and part[a] in near]
        compared += [(muted, a) for a in part if a != muted and part[a] not in near]
    if not change or not compared:
        return "every part turns to every other alike"
    return Prediction(
        tuple(change), tuple(compared), "members of the parts that the silenced member's part turns to, and all others"
    )


def signs(values: Floats, *, seed: int = 0) -> float:
    """P that runs whose differences have no preferred sign average at least as much (exact up to EXACT runs).

    Range: [2^-runs, 1]. Reference: Fisher 1935, The Design of Experiments, ch. 3.
    """
    n = len(values)
    if n <= EXACT:
        flips = np.array(list(product((-1.0, 1.0), repeat=n)))
        return float((flips @ np.abs(values) >= values.sum() - 1e-12).mean())
    flips = np.random.default_rng(seed).choice((-1.0, 1.0), (DRAWN, n))
    return float((1 + (flips @ np.abs(values) >= values.sum() - 1e-12).sum()) / (1 + DRAWN))


def effect(structure: Structure, rerun: Rerun, find: Find, *, seeds: Sequence[int], end: float) -> Effect | str:
    """Mute members of the structure in each run, and compare those that should change with those that should not.

    Args:
        structure: What was found; in each run the like of it in the first half is used.
        rerun: ``(seed, agent or None, time) -> log``, as for ``knockouts``.
        find: Structures in a log that may be the like of another.
        seeds: Runs.
        end: Model time at which a run ends; members are muted at half of it.
    """
    change, compared, why, words = [], [], f"nothing like it stands in the first half of any of {len(seeds)} runs", ""
    for seed in seeds:
        whole = rerun(seed, None, 0.0)
        like = _like(structure, find(_until(whole, end / 2), structure))
        told = why if like is None else prediction(like)
        if isinstance(told, str):
            why = told
            continue
        one, other = _shares(told, whole, lambda agent, seed=seed: rerun(seed, agent, end / 2), end)  # type: ignore[misc]
        change.append(one)
        compared.append(other)
        words = told.words
    if not change:
        return why
    values = np.array(change), np.array(compared)
    return Effect(*values, signs(values[0] - values[1]), words)


def _like(structure: Structure, found: Sequence[Structure]) -> Structure | None:
    same = (s for s in found if s.kind == structure.kind and s.about == structure.about)
    return max((s for s in same if LEVELS.index(s.level) >= LEAST), key=lambda s: LEVELS.index(s.level), default=None)


def _until(log: Log, time: float) -> Log:
    states = None if log.states is None else log.states.filter(pl.col("time") <= time)
    return replace(log, events=log.events.filter(pl.col("time") <= time), states=states)


def _shares(told: Prediction, whole: Log, muted: Callable[[Any], Log], end: float) -> tuple[float, float]:
    """Mean share of acts that were other after the muting: of those who should change, and of those compared."""
    middle = end / 2
    rate = whole.events.height / max(end, 1e-12) / max(whole.events["source"].n_unique(), 1)
    until = min(end, middle + ACTS / max(rate, 1e-12))
    watched = {a for _, a in (*told.change, *told.compared)}
    before = {a: acts(whole, a, start=middle, end=until) for a in watched}
    found: dict[tuple[Any, Any], float] = {}
    for agent in told.muted:
        log = muted(agent)
        for pair in (p for p in (*told.change, *told.compared) if p[0] == agent):
            found[pair] = difference(before[pair[1]], acts(log, pair[1], start=middle, end=until))
    return float(np.mean([found[p] for p in told.change])), float(np.mean([found[p] for p in told.compared]))


def promoted(
    structures: Sequence[Structure],
    asked: Plan,
    find: Find,
    *,
    seeds: int,
    alpha: float,
    progress: Callable[[float, float, str], None] | None = None,
) -> tuple[list[Structure], list[str]]:
    """Structures with what muting their members showed, and sentences on those of which nothing could be shown.

    Asked of robust or better structures, in the run and ``seeds`` further ones. *Replicated* ones whose predicted change is
    larger than that of those compared become *causal*, at level ``alpha`` over all structures asked (Holm 1979).
    """
    from experiments.knockouts import of_plan

    asking = [s for s in structures if LEVELS.index(s.level) >= FROM and s.predefined is None and s.part_of is None]
    rerun, made, notes = of_plan(asked), {s.id: s for s in structures}, []
    effects: dict[str, Effect] = {}
    for k, one in enumerate(asking):
        if progress:
            progress(k, len(asking), f"muting members of {one.id}")
        runs = [asked.seed + r for r in range(seeds + 1)]
        found = effect(one, rerun, find, seeds=runs, end=asked.until)
        if isinstance(found, str):
            notes.append(f"{one.id}: no member was muted, for {found}.")
        else:
            effects[one.id] = found
    level = alpha
    for place, (name, found) in enumerate(sorted(effects.items(), key=lambda pair: pair[1].p)):
        level = alpha / (len(effects) - place) if level > 0.0 else 0.0
        level = level if found.p <= level else 0.0
        needed = int(np.ceil(np.log2(len(effects) / alpha)))
        made[name] = _told(made[name], found, beaten=level > 0.0, needed=needed)
    if not asking:
        notes.append("No member was muted: no structure is robust or better, emergent, and its own.")
    return list(made.values()), notes


def _told(structure: Structure, found: Effect, *, beaten: bool, needed: int) -> Structure:
    """The structure with the effect in its sentence and facts; ``needed`` runs is the least that could show it."""
    level = "causal" if beaten and structure.level == "replicated" else structure.level
    verdict = "as it predicts" if beaten else "which is not shown to be as it predicts"
    if not beaten and len(found.change) < needed:
        verdict = f"and at least {needed} such runs are needed to show that it is as predicted"
    said = (
        f"{structure.sentence[:-1]}; with members muted in {len(found.change)} paired reruns, {found.change.mean():.0%} and "
        f"{found.compared.mean():.0%} of what they did soon after was other ({found.words}; p = {found.p:.2g}), {verdict}."
    )
    said = said.replace(f"level {structure.level},", f"level {level},", 1)
    facts = {
        "muted_change": float(found.change.mean()),
        "muted_compared": float(found.compared.mean()),
        "muted_runs": len(found.change),
        "p_muted": found.p,
    }
    return replace(structure, level=level, sentence=said, facts={**structure.facts, **facts})
