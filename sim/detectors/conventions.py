"""Conventions: agents come to take the same option because of what they hear from each other, and keep to it.

Two claims are needed. That they agree together in time tells a convention from a prior that everybody always had and from
options that drift alone. That they do as those they met tells it from a trend or input that moves all. Where no meeting
is on record, agreement is shown as *observed* and no more.

Statistics: ``options.agreement`` (about [-1/n, 1], 0 by chance, against NC), ``options.following`` (share beyond own
shares, 0 by chance, against NM) and how many agents hold the option that independent drift would have lost (against N0, p
exact). Low: everybody goes its own way; high: options come and go together, and by what was heard. Sources: Baronchelli et
al. 2006, J. Stat. Mech. P06014 (the naming game); the measures are our own. Fooled by: an input off the record that moves
all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.nulls import Contacts, Series
from sim.detectors.options import (
    PER_OPTION,
    TOP,
    Heard,
    Options,
    agreement,
    busiest,
    decisions,
    following,
    heard_in,
    options_in_time,
    options_of,
    ticks_of,
)
from sim.detectors.surrogates import q_values
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

TOGETHER = "agents come to agree together in time"
THROUGH = "agents next take the option they last heard"
HELD = "some agents hold the option throughout while others change theirs"
MAJORITY = 0.7  # share of the last quarter's decisions, from which an option is a convention
FROM_THE_START = 0.8  # share of first decisions, taken before anything was heard, that make it a prior
SURE = 0.01  # false discovery rate at which agents are named committed
LATE = 0.75


def _refuses(window: Window) -> str:
    rows = decisions(window)
    if not rows.any():
        return "no event says which option an agent took"
    options = options_of(window)
    if PER_OPTION * options.count > len(options.agent):
        return f"fewer than {PER_OPTION} decisions per distinct value: these are amounts, not options"
    return ""


def _late(options: Options) -> Bools:
    return np.arange(len(options.agent)) >= LATE * len(options.agent)


def _share(options: Options, option: int, rows: Bools, but: Ints) -> float:
    """Share of ``option`` among the decisions in ``rows`` of agents other than ``but``; 0 without any."""
    counted = rows & ~np.isin(options.agent, but)
    return float((options.option[counted] == option).mean()) if counted.any() else 0.0


def constancy(options: Options, option: int) -> Floats:
    """Probability that an agent like the others would never have left ``option``, shape (agents,); 1 for those who did.

    Definition: the others' share of the option at the agent's first decision, times their probability of staying with it
    at each later one at which there was cause to leave. Formula: s(t_1) product of [1 - leave], with leave the share that
    leaves among decisions of agents that did change in the end, held the option, and last heard another one; one half is
    added to numerator and one to denominator. Where no meetings are on record every decision counts, and leave is that
    of the same tick.
    Range: [0, 1]; low when the agent held on while others left. Chance level: uniform or larger for agents that drift as
    the others do. Null: independent drift with the others' switching rate. Fooled by: agents that differ in how readily
    they switch; one that hardly ever does cannot be told from a committed one.
    """
    order = np.lexsort((np.arange(len(options.agent)), options.agent))
    agent, took, tick = options.agent[order], options.option[order] == option, ticks_of(options)[order]
    first = np.append(True, agent[1:] != agent[:-1])[: len(agent)]
    total = np.bincount(agent, minlength=options.n)
    steady = np.bincount(agent, weights=took, minlength=options.n) == total
    others = ~steady[agent]
    asked = np.append(False, took[:-1])[: len(agent)] & ~first
    stage = tick
    if (options.heard >= 0).any():
        heard = options.heard[order]
        asked &= (heard >= 0) & (heard != option)
        stage = np.zeros_like(tick)
    ticks = int(tick.max(initial=-1)) + 1
    held = np.bincount(stage[others & asked], minlength=ticks)
    left = np.bincount(stage[others & asked & ~took], minlength=ticks)
    here, named = np.bincount(tick[others], minlength=ticks), np.bincount(tick[others & took], minlength=ticks)
    stay, start = 1.0 - (left + 0.5) / (held + 1.0), (named + 0.5) / (here + 1.0)
    # Where nobody else held the option there is nothing to compare with, and nothing is concluded.
    chance = np.where(first, start[tick], np.where(asked & (held[stage] > 0), stay[stage], 1.0))
    p = np.exp(np.bincount(agent, weights=np.log(chance), minlength=options.n))
    return np.where(steady & (total > 1), np.minimum(p, 1.0), 1.0)


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    options = options_of(window)
    if options.count == 0:
        return []
    late = _late(options)
    option = int(np.bincount(options.option[late]).argmax())
    people = np.unique(options.agent)
    p = constancy(options, option)
    committed = np.flatnonzero(np.array(q_values(p.tolist(), tests=len(people))) <= SURE)
    share = _share(options, option, late, committed)
    dismissed = ""
    if options.count < 2:
        dismissed = "only one option was ever taken, so nothing had to be agreed"
    elif share < MAJORITY:
        dismissed = f"the commonest option has {share:.0%} of the last quarter's decisions, {MAJORITY:.0%} needed"
    elif options.unknown:
        dismissed = f"everybody reads {options.unknown[0]}, and the log does not say what it held"
    takes = np.bincount(options.agent[late], weights=options.option[late] == option, minlength=options.n)
    follows = np.flatnonzero(2 * takes > np.bincount(options.agent[late], minlength=options.n))
    members = np.union1d(committed, follows)
    detail = {
        "name": options.names[option],
        "option": option,
        "share": share,
        "options": options.count,
        "committed": committed,
        "explained": bool((options.heard >= 0).any() or options.level.any()),
        "first answers": first_answers(options, option, but=committed),
        "tipping": tipping(options, option, but=committed),
        "p committed": float(min(1.0, p.min(initial=1.0) * len(people))),
    }
    parts = (frozenset(members.tolist()),)
    return [Candidate("", 0, tuple(members.tolist()), parts, detail, dismissed)]


def _series(window: Window, _candidates: Sequence[Candidate]) -> Series:
    return options_in_time(options_of(window))


def _heard(window: Window, _candidates: Sequence[Candidate]) -> Heard | None:
    return heard_in(options_of(window))


def _taken(window: Window, _candidates: Sequence[Candidate]) -> Contacts:
    """Decisions as contacts from agents to options, numbered after the agents."""
    options = options_of(window)
    return Contacts(options.n, options.agent, options.n + options.option, options.time)


def _steady(sample: Contacts, candidates: Sequence[Candidate]) -> Floats:
    """Number of agents with more than one decision that never took anything but the option."""
    total = np.bincount(sample.source, minlength=sample.n)
    counts = []
    for candidate in candidates:
        took = sample.target == sample.n + int(candidate.detail["option"])
        counts.append(((np.bincount(sample.source, weights=took, minlength=sample.n) == total) & (total > 1)).sum())
    return np.array(counts, dtype=np.float64)


def _drifts(_sample: Contacts, candidates: Sequence[Candidate]) -> Floats:
    return np.array([float(c.detail["p committed"]) for c in candidates])


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("convention", (TOGETHER, THROUGH)) if {TOGETHER, THROUGH} <= beaten else None


def _obvious(candidate: Candidate) -> tuple[str, tuple[str, ...]] | None:
    """Agreement where neither meetings nor a shared input are on record: plain to see, and its cause is not."""
    return None if candidate.detail["explained"] or candidate.dismissed else ("convention", (TOGETHER,))


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Each agent's shares of the commonest options in each window, less an equal share; N4 exchanges its options."""
    options = options_of(whole)
    width = max(2, min(TOP, options.count))
    people = busiest(options)
    place = np.full(whole.n, NONE)
    place[people] = np.arange(len(people))
    # Parts are stretches of consecutive rows.
    ends = np.cumsum([part.rows for part in parts[:-1]])
    part = np.searchsorted(ends, np.flatnonzero(decisions(whole)), side="right")
    kept = (options.option < width) & (place[options.agent] >= 0)
    cell = (part * len(people) + place[options.agent]) * width + options.option
    count = np.bincount(cell[kept], minlength=len(parts) * len(people) * width).reshape(len(parts), len(people), width)
    share = count / np.maximum(count.sum(axis=2, keepdims=True), 1)
    frames = (share - share.mean(axis=2, keepdims=True)).reshape(len(parts), -1)
    return frames, np.repeat(np.arange(len(people)), width), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Lead of the same option over an equal share in the last quarter, against its lead in the whole record."""
    options = options_of(damaged)
    name = candidate.detail["name"]
    if name not in options.names:
        return 0.0
    equal = 1.0 / int(candidate.detail["options"])
    share = _share(options, options.names.index(name), _late(options), candidate.detail["committed"])
    return float(np.clip((share - equal) / (float(candidate.detail["share"]) - equal), 0.0, 1.0))


def tipping(options: Options, option: int, *, but: Ints) -> float | None:
    """Time from which the option has most of the decisions of agents other than ``but``, to the end; None if never.

    Read off a running mean over two decisions per agent.
    """
    rows = np.flatnonzero(~np.isin(options.agent, but))
    width = min(2 * len(np.unique(options.agent[rows])), len(rows))
    if width == 0:
        return None
    share = np.convolve(options.option[rows] == option, np.full(width, 1.0 / width), mode="valid")
    below = np.flatnonzero(share <= 0.5)
    if len(below) == 0:
        return float(options.time[0])
    return None if below[-1] == len(share) - 1 else float(options.time[rows[below[-1] + width // 2]])


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    options = options_of(window)
    detail = candidate.detail
    committed = np.asarray(detail["committed"], dtype=np.int64)
    members = np.array(candidate.members, dtype=np.int64)
    name = str(detail["name"])
    option = options.names.index(name) if name in options.names else -1
    roles = {"followers": np.setdiff1d(members, committed)}
    if len(committed):
        roles = {"committed": committed, **roles}
    rows = np.zeros(window.rows, dtype=bool)
    rows[np.flatnonzero(decisions(window))[options.option == option]] = True
    share = np.bincount(options.option, minlength=1) / max(len(options.option), 1)
    facts = {
        "kind": kind,
        "option": name,
        "share": float(detail["share"]),
        "committed": len(committed),
        "first answers": detail["first answers"][0],
        "heard nothing": detail["first answers"][1],
        "tipping": detail["tipping"],
        "entropy": float(-(share[share > 0] * np.log2(share[share > 0])).sum()),
    }
    return Portrait(members, roles, rows, facts)


def first_answers(options: Options, option: int, *, but: Ints) -> tuple[float, int]:
    """Share of ``option`` among first decisions that agents other than ``but`` took before hearing any, and how many."""
    agent, first = np.unique(options.agent, return_index=True)
    rows = first[(options.heard[first] < 0) & ~np.isin(agent, but)]
    return (float((options.option[rows] == option).mean()), len(rows)) if len(rows) else (0.0, 0)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    text = f"agents agree on {facts['option']}: {facts['share']:.0%} of the last quarter's decisions"
    if facts["tipping"] is not None:
        text += f", most of them since {facts['tipping']:.6g}"
    if facts["heard nothing"]:
        said = f"{facts['first answers']:.0%} of {facts['heard nothing']} first decisions, before anything was heard"
        text += f"; {said}, named it"
    if facts["committed"]:
        text += f", after {facts['committed']} committed agents who never took another"
    return Words(
        "agents share a convention",
        text,
        "the same agreement when each agent's decisions are shifted in time, agents alone agreeing as well, or another "
        "option in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    options = options_of(window)
    share, count = first_answers(options, int(candidate.detail["option"]), but=candidate.detail["committed"])
    if count < 2 or share < FROM_THE_START:
        return ""
    return f"{share:.0%} of {count} first decisions, taken before anything was heard, already named it"


conventions = detectors.add("conventions")(
    Detector(
        name="conventions",
        kinds=("convention",),
        needs=(),
        minimum=Minimum(agents=4, events=60, per_window=12),
        uses=decisions,
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(TOGETHER, "NC", _series, lambda s, c: np.full(len(c), agreement(s)), "agreement beyond own shares"),
            Claim(THROUGH, "NM", _heard, lambda s, c: np.full(len(c), following(s)), "share beyond own shares"),
            Claim(HELD, "N0", _taken, _steady, "agents", exact=_drifts),
        ),
        concludes=_concludes,
        obvious=_obvious,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
