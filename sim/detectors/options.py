"""Options: which option each agent took when, what it had heard, and the null model of what is heard.

An option is the artefact of an event of class *decides*, or its value where the decisions name no artefact. ``visit`` is
left out: its value numbers the visitor's own contacts, and means another thing for each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit

from sim.detectors.nulls import Null, Series, add
from sim.detectors.series import Shared, shared_inputs
from sim.detectors.shuffles import Alike, alike, shuffled
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

NEAR = 16  # neighbouring answers heard among which NM exchanges options
MOST_HEARD = 8000  # answers heard that NM works on; beyond, whole stretches spread over the run
MOST_TICKS, LEAST_TICKS = 100, 8
MOST_AGENTS = 300  # agents followed one by one, the busiest first
TOP = 8  # options whose agreement is counted, the commonest first
PER_OPTION = 4  # decisions per distinct value below which values are amounts, not options
LEVELS = 4  # of a shared signal with more values than that


@dataclass(frozen=True)
class Options:
    """Decisions in time: arrays of shape (decisions,).

    Attributes:
        n: Number of agents.
        count: Number of options; 0 is the commonest.
        agent: Who decided.
        option: What, below ``count``.
        heard: The option that another agent last said to the decider before, or NONE.
        heard_at: Row of that answer among the decisions, or NONE.
        time: When, not decreasing.
        level: Level of the shared signals at that time, from 0.
        names: Names of the options.
        unknown: Shared inputs of unknown content.
    """

    n: int
    count: int
    agent: Ints
    option: Ints
    heard: Ints
    heard_at: Ints
    time: Floats
    level: Ints
    names: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """Decisions with the option last heard before: arrays of shape (rows,).

    Attributes:
        n: Number of agents.
        count: Number of options.
        agent: Who decided.
        said: The option taken.
        heard: The option last heard.
        chunk: Stretch of time, and level of the shared signals, at which it was heard.
    """

    n: int
    count: int
    agent: Ints
    said: Ints
    heard: Ints
    chunk: Ints

    @cached_property
    def alike(self) -> Alike:
        """What was heard in one stretch, as places that may be exchanged."""
        return alike(self.chunk)


def exchange_heard(sample: Heard, rng: np.random.Generator) -> Heard:
    """NM: exchange what was heard among NEAR answers heard one after the other, at one level of the shared signals.

    Keeps what each agent says and when, and how often each option is heard in each stretch of the run; destroys who heard
    which. A trend, or a broadcast that is on record, is in the surrogates as it is in the record.
    """
    return replace(sample, heard=shuffled(sample.heard[None], sample.alike, rng)[0])


add(
    Null(
        "NM",
        "what each agent says, and what is heard in each stretch of time",
        "who heard which",
        "agents do as those they met",
        Heard,
        exchange_heard,
    )
)


def decisions(window: Window) -> Bools:
    """Rows in which an agent took an option."""
    rows = window.of_class("decides") & ~window.of_kind("visit")
    named = rows & (window.artefact != NONE)
    return named if 2 * named.sum() > rows.sum() else rows & np.isfinite(window.value)


def options_of(window: Window) -> Options:
    """The decisions of a window as options."""
    rows = np.flatnonzero(decisions(window))
    named = bool(len(rows)) and bool((window.artefact[rows] != NONE).all())
    known, code = np.unique(window.artefact[rows] if named else window.value[rows], return_inverse=True)
    first = np.full(len(known), len(rows))
    np.minimum.at(first, code, np.arange(len(rows)))
    order = np.lexsort((first, -np.bincount(code, minlength=len(known))))  # commonest first, then as they appear
    option = np.argsort(order)[code] if len(rows) else code
    heard_at = _heard(window, rows)
    signals, unknown = shared_inputs(window)
    return Options(
        n=window.n,
        count=len(known),
        agent=window.source[rows],
        option=option,
        heard=np.where(heard_at >= 0, option[heard_at], NONE) if len(rows) else option,
        heard_at=heard_at,
        time=window.time[rows],
        level=_levels(signals, window.time[rows]),
        names=tuple(f"option {window.artefacts[int(v)]}" if named else f"value {v:g}" for v in known[order].tolist()),
        unknown=unknown,
    )


def _heard(window: Window, rows: Ints) -> Ints:
    """For each decision the last earlier one that another agent addressed to the decider, or NONE, shape (decisions,).

    Where decisions have no targets, the decision of another agent that is given as their parent.
    """
    source, target, time = window.source[rows], window.target[rows], window.time[rows]
    met = (target != NONE) & (target != source)
    if not met.any():
        return _parents(window, rows)
    said = np.flatnonzero(met)
    # Answers and decisions sorted by (agent, time), answers after decisions of the same time: those are not yet heard.
    who, when = np.concatenate([target[said], source]), np.concatenate([time[said], time])
    answer = np.concatenate([said, np.full(len(rows), NONE)])
    order = np.lexsort((answer, answer != NONE, when, who))
    place = np.where(answer[order] != NONE, np.arange(len(order)), -1)
    last = np.maximum.accumulate(place)
    same = (last >= 0) & (who[order][last] == who[order])
    found = np.where(same, answer[order][last], NONE)
    heard = np.full(len(order), NONE, dtype=np.int64)
    heard[order] = found
    return heard[len(said) :]


def _parents(window: Window, rows: Ints) -> Ints:
    seq, parent = window.seq[rows], window.parent[rows]
    if len(rows) == 0 or (parent == NONE).all():
        return np.full(len(rows), NONE, dtype=np.int64)
    order = np.argsort(seq)
    place = order[np.minimum(np.searchsorted(seq[order], parent), len(rows) - 1)]
    found = (parent != NONE) & (seq[place] == parent) & (window.source[rows][place] != window.source[rows])
    return np.where(found, place, NONE)


def _levels(signals: tuple[Shared, ...], times: Floats) -> Ints:
    """One number for the joint level of all shared signals at each time, shape (times,)."""
    joint = np.zeros(len(times), dtype=np.int64)
    for signal in signals:
        values = signal.at(times)
        known, level = np.unique(values, return_inverse=True)
        if len(known) > LEVELS:
            level = np.searchsorted(np.quantile(values, np.arange(1, LEVELS) / LEVELS), values)
        joint = np.unique(joint * LEVELS + level, return_inverse=True)[1]
    return joint


def heard_in(options: Options) -> Heard | None:
    """Decisions that followed an answer heard, in stretches in which more than one option was heard; None without any."""
    rows = np.flatnonzero(options.heard >= 0)
    if len(rows) == 0:
        return None
    at = options.heard_at[rows]
    order = np.lexsort((at, options.level[at]))
    rows, level = rows[order], options.level[at[order]]
    start = np.searchsorted(level, level)
    chunk = start + (np.arange(len(rows)) - start) // NEAR  # unique: a level has fewer stretches than answers
    varied = _varied(chunk, options.heard[rows])
    rows, chunk = rows[varied], chunk[varied]
    if len(rows) > MOST_HEARD:
        stretch = np.unique(chunk, return_inverse=True)[1]
        kept = stretch % -(-len(rows) // MOST_HEARD) == 0
        rows, chunk = rows[kept], chunk[kept]
    if len(rows) == 0:
        return None
    return Heard(options.n, options.count, options.agent[rows], options.option[rows], options.heard[rows], chunk)


def _varied(chunk: Ints, heard: Ints) -> Bools:
    """Rows of stretches in which more than one option was heard; the others look alike in every surrogate."""
    first = heard[np.searchsorted(chunk, chunk)]
    _, number = np.unique(chunk, return_inverse=True)
    return np.asarray(np.bincount(number, weights=heard != first)[number] > 0)


def following(sample: Heard) -> float:
    """Share of decisions that name the option last heard, beyond what the decider's own shares give.

    Definition: matches of said and heard, less those expected when each agent's answers and what it heard are paired at
    random. Formula: (1/M) sum over agents of [sum of 1(said = heard) - sum over options k of said_k heard_k / n].
    Range: [-1, 1]; 0 when what is heard leaves no trace; high when agents do as they hear.
    Chance level: 0 without trends; else the mean under NM, which carries the trend. Null: NM.
    Fooled by: an unrecorded influence that reaches those who meet at the same time; nothing that reaches all alike.
    """
    return float(followed(sample.n, sample.count, sample.agent, sample.said, sample.heard))


def _followed(n: int, count: int, agent: Ints, said: Ints, heard: Ints) -> float:
    taken, told = np.zeros((n, count)), np.zeros((n, count))
    total = np.zeros(n)
    matches = 0
    for row in range(len(said)):
        taken[agent[row], said[row]] += 1
        told[agent[row], heard[row]] += 1
        total[agent[row]] += 1
        matches += said[row] == heard[row]
    expected = 0.0
    for a in range(n):
        pairs = 0.0
        for k in range(count):
            pairs += taken[a, k] * told[a, k]
        expected += pairs / max(total[a], 1.0)
    return (matches - expected) / len(said)


followed = njit(cache=True)(_followed)


def ticks_of(options: Options) -> Ints:
    """The tick of each decision: stretches with one decision per agent on average, shape (decisions,)."""
    rows, people = len(options.agent), max(len(np.unique(options.agent)), 1)
    ticks = int(np.clip(rows // people, LEAST_TICKS, MOST_TICKS))
    return np.arange(rows) * ticks // max(rows, 1)


def busiest(options: Options) -> Ints:
    """The MOST_AGENTS agents with most decisions, shape (agents,), rising."""
    count = np.bincount(options.agent, minlength=options.n)
    kept = np.argsort(-count, kind="stable")[:MOST_AGENTS]
    return np.sort(kept[count[kept] > 0])


def options_in_time(options: Options) -> Series:
    """Each agent's last option in every tick, NaN where it took none; ``shared`` is the level of the signals, from 0."""
    tick = ticks_of(options)
    ticks = int(tick.max(initial=-1)) + 1
    values = np.full((options.n, ticks), np.nan)
    values[options.agent, tick] = options.option
    values = values[busiest(options)]
    level = np.zeros((1, ticks))
    level[0, tick] = options.level
    return Series(values, level)


def agreement(sample: Series) -> float:
    """Agreement of agents at the same time, beyond each agent's own shares at each level of the shared signals.

    Definition: over pairs of agents and ticks, the covariance of taking the same option.
    Formula: sum over options k and ticks t of [(sum_a z)^2 - sum_a z^2] / sum_t n_t (n_t - 1), z the indicator of k less
    the agent's own share of k at this level. Only the TOP commonest options count.
    Range: about [-1/n, 1]; 0 when everybody always preferred the same (a shared prior) or drifts alone; high when options
    come and go together.
    Chance level: 0. Null: NC. Fooled by: a trend or an unrecorded input that moves all at once, so it needs ``following``.
    """
    return float(agreed(sample.values, sample.shared[0].astype(np.int64), TOP))


def _agreed(values: Floats, level: Ints, top: int) -> float:
    agents, times = values.shape
    levels = level.max() + 1 if times else 1
    together = np.zeros((times, top))  # sum over agents of z
    alone = 0.0  # sum of z squared
    present = np.zeros(times)
    size, count = np.empty(levels), np.empty((levels, top))
    for a in range(agents):
        size[:], count[:] = 0.0, 0.0
        for t in range(times):
            if values[a, t] >= 0:  # NaN where it took none
                size[level[t]] += 1.0
                if values[a, t] < top:
                    count[level[t], int(values[a, t])] += 1.0
        for t in range(times):
            if values[a, t] >= 0:
                present[t] += 1.0
                for k in range(top):
                    together[t, k] -= count[level[t], k] / size[level[t]]
                if values[a, t] < top:
                    together[t, int(values[a, t])] += 1.0
        for at in range(levels):
            for k in range(top):
                alone += count[at, k] * (1.0 - count[at, k] / size[at]) if size[at] > 0 else 0.0
    pairs = (present * (present - 1.0)).sum()
    return ((together * together).sum() - alone) / pairs if pairs > 0 else 0.0


agreed = njit(cache=True)(_agreed)
