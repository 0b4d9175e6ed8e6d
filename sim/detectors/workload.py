"""Workload hubs: one agent does far more of the work than an equal share, in stretch after stretch of the run.

The question is asked only where work is not handed over by events (agents meet in files, boards or lists). Where it is,
load follows from who stands where in the handoffs, and a busy position is not a finding of its own.

Definition: the largest mean share of the work of one agent over the stretches of a run; work is an event that writes,
works, claims or completes Formula: max over agents of mean over stretches of c_as / sum_b c_bs. Range: [1/n, 1]. Low: all
do as much; high: one does all. Chance level: a little above 1/n, that of N4 (shares exchanged among agents within each
stretch, so that each stretch may have a busiest agent of its own). Null: N4. Fooled by: agents that were there for part of
the run only; kinds of event that one agent writes and others do not. Source: our own; the share is the leading term of a
Herfindahl index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Pool, Portrait, Words, detectors
from sim.detectors.nulls import Frames
from sim.detectors.window import Bools, Floats, Ints, Window

BINS = 24  # finer bins hide slow changes behind counting noise
CORRELATION_TIMES = 3.0
LEAST_STRETCHES = 5
TIMES_EQUAL = 1.25  # the busiest share over an equal share below which nobody would speak of a hub
ALWAYS = "the agent of the same name does most of the work, run after run"
CONCENTRATED = "the same agent does most of the work, stretch after stretch"


def _uses(window: Window) -> Bools:
    return window.of_class("writes") | window.of_class("works") | window.of_kind("claim", "complete")


def _refuses(window: Window) -> str:
    if bool(window.of_class("transfers").any()):
        return "work is handed over by events, so load follows from the handoffs"
    return "" if bool(_uses(window).any()) else "no event says that work was done"


def participants(window: Window) -> Ints:
    """Agents that work or decide; a harness that only keeps time is none."""
    return np.unique(window.source[_uses(window) | window.of_class("decides")])


def _loads(parts: Sequence[Window], who: Ints) -> Floats:
    """Share of each stretch's work by agent, shape (stretches, agents)."""
    counts = np.stack([np.bincount(p.source[_uses(p)], minlength=p.n)[who] for p in parts]).astype(np.float64)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))


def stretches(window: Window) -> int:
    """Number of stretches long enough to be nearly independent: three correlation times of the agents' shares.

    A correlation time is (1 + r) / (1 - r) bins of the run's events, r the mean lag-1 autocorrelation of shares over
    BINS bins, with the bias of short series undone: r = (BINS r' + 1) / (BINS - 3) (Kendall 1954, Biometrika 41:403).
    """
    who = participants(window)
    loads = _loads(window.parts(BINS, of=_uses(window)), who)
    moved = loads - loads.mean(axis=0)
    variance = (moved * moved).sum()
    r = float((moved[:-1] * moved[1:]).sum() / variance) if variance > 0 else 0.0
    r = min(max((BINS * r + 1.0) / (BINS - 3.0), 0.0), 0.95)
    return int(BINS // np.ceil(CORRELATION_TIMES * (1.0 + r) / (1.0 - r)))


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    who = participants(window)
    if len(who) < 2 or not _uses(window).any():
        return []
    total = np.bincount(window.source[_uses(window)], minlength=window.n)
    share = total[who] / total.sum()
    busiest = int(who[np.argmax(share)])
    count = stretches(window)
    dismissed = ""
    if share.max() * len(who) < TIMES_EQUAL:
        dismissed = f"the busiest agent does {share.max():.0%}, an equal share is {1 / len(who):.0%}"
    elif count < LEAST_STRETCHES:
        dismissed = f"who works changes too slowly: {count} independent stretches, {LEAST_STRETCHES} needed"
    detail = {"share": float(share.max()), "equal": 1.0 / len(who), "stretches": count, "hub": busiest}
    return [Candidate("", 0, tuple(int(a) for a in who), (frozenset({busiest}),), detail, dismissed)]


def _sample(window: Window, candidates: Sequence[Candidate]) -> Frames:
    who = participants(window)
    count = int(candidates[0].detail["stretches"])
    return Frames(_loads(window.parts(count, of=_uses(window)), who), np.zeros(len(who), dtype=np.int64), nominal=False)


def _statistic(sample: Frames, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), sample.values.mean(axis=0).max())


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("hub", (CONCENTRATED,)) if CONCENTRATED in beaten else None


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    who = participants(whole)
    return _loads(parts, who) - 1.0 / len(who), np.zeros(len(who), dtype=np.int64), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Lead of the same agent over an equal share, against its lead in the whole record; 0 once it is gone."""
    total = np.bincount(damaged.source[_uses(damaged)], minlength=damaged.n)
    who = np.array(candidate.members, dtype=np.int64)
    there = who[np.isin(who, damaged.source)]
    if total.sum() == 0 or len(there) < 2:
        return 0.0
    lead = total[int(candidate.detail["hub"])] / total.sum() * len(there)
    whole = float(candidate.detail["share"]) / float(candidate.detail["equal"])
    return float(np.clip((lead - 1.0) / (whole - 1.0), 0.0, 1.0))


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    hub = int(candidate.detail["hub"])
    others = np.array([a for a in candidate.members if a != hub], dtype=np.int64)
    roles = {"hub": np.array([hub], dtype=np.int64), "others": others}
    facts = {**candidate.detail, "hub": window.agents[hub], "kind": kind}
    return Portrait(np.array(candidate.members, dtype=np.int64), roles, np.zeros(window.rows, dtype=bool), facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    return Words(
        "the work concentrates on one agent",
        f"{facts['hub']} does {facts['share']:.0%} of the work, an equal share being {facts['equal']:.0%}",
        "another agent leading in later stretches, or the same lead when agents are exchanged within each stretch",
    )


def _pooled(windows: Sequence[Window]) -> Pool:
    """Shares of the whole run's work, one vector per run."""
    names = tuple(sorted((windows[0].agents[a] for a in participants(windows[0])), key=str))
    shares = []
    for window in windows:
        place = {name: k for k, name in enumerate(window.agents)}
        shares.append(_loads([window], np.array([place[name] for name in names]))[0])
    says = "{0} does {1:.0%} of the work, run after run, an equal share being {2:.0%}"
    return Pool(
        "hub", ALWAYS, names, np.stack(shares), "share", lambda agent, mean: says.format(agent, mean, 1 / len(names))
    )


workload = detectors.add("workload")(
    Detector(
        name="workload",
        kinds=("hub",),
        needs=(),
        minimum=Minimum(agents=2, events=60, per_window=8),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(Claim(CONCENTRATED, "N4", _sample, _statistic, "share"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=lambda _window, _candidate: "",
        removals=(),
        pooled=_pooled,
    )
)
