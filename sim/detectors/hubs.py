"""Hubs: agents to whom the others agree to turn, beyond who could be reached and beyond what the hub starts itself.

Being contacted often is no finding: it follows from being active, or from being within many agents' reach. So a hub is
claimed only where the log says who could reach whom from the start, and where senders *agree*: each has its own
preferences among its contacts, and these point to the same few agents. Contacts that the hub itself starts are set
against those it gets. Answers are no choices, and handed-over work is left to ``handoffs``, where the load of a position
follows from its place; work without handoffs is left to ``workload``. Without initial contacts the answer is
"insufficient data": the concentration of contacts is then a feature that unequal activity explains as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.nulls import Null, add
from sim.detectors.window import Bools, Floats, Ints, Window

TIMES = 2.0  # what reach and own activity explain, below which nobody would speak of a hub
SHARED_LEAD = 0.5  # of the largest lead, from which an agent is a hub as well
MOST_HUBS = 0.2  # share of agents above which the lead belongs to nobody in particular
MOST_SLOTS = 300_000
AGREED = "agents agree on whom to turn to, beyond reach and what these start themselves"


@dataclass(frozen=True)
class Choices:
    """How often each agent turned to each of those it could reach.

    Attributes:
        n: Number of agents.
        giver: Who chose, shape (slots,), not decreasing.
        taker: Who could be chosen, shape (slots,).
        count: How often, shape (slots,).
        owed: What reach or own activity explains for each agent, the larger of the two, shape (n,).
    """

    n: int
    giver: Ints
    taker: Ints
    count: Ints
    owed: Floats


def permute_preferences(sample: Choices, rng: np.random.Generator) -> Choices:
    """NA: permute each agent's numbers of contacts among those it could reach."""
    order = np.argsort(sample.giver + 0.999 * rng.random(len(sample.giver)))
    return replace(sample, count=sample.count[order])


add(
    Null(
        "NA",
        "who can reach whom, who acts how often, and how unevenly each agent spreads its contacts",
        "that agents agree on whom to prefer",
        "agents agree on whom to turn to",
        Choices,
        permute_preferences,
    )
)


def _uses(window: Window) -> Bools:
    """Contacts that somebody starts: no handed-over work, no answers."""
    free = ~window.of_class("transfers") & ~window.of_class("replies")
    return np.asarray(free & (window.target >= 0) & (window.target != window.source) & ~_answers(window))


def _answers(window: Window) -> Bools:
    """Events that react to one in which the other of the same two agents acted."""
    found = np.zeros(window.rows, dtype=bool)
    rows = np.flatnonzero(window.parent >= 0)
    if len(rows):
        by_seq = np.argsort(window.seq, kind="stable")
        at = np.searchsorted(window.seq[by_seq], window.parent[rows])
        before = by_seq[np.minimum(at, window.rows - 1)]
        back = (window.source[before] == window.target[rows]) & (window.target[before] == window.source[rows])
        found[rows] = back & (window.seq[before] == window.parent[rows])
    return found


def _refuses(window: Window) -> str:
    if not bool(_uses(window).any()):
        return "no contacts that somebody starts: no targets, or only handed-over work and answers"
    if window.channels is None:
        return "no initial contacts: whether agents could have turned to others is unknown"
    if len(window.channels) > MOST_SLOTS:
        return f"more than {MOST_SLOTS:,} initial contacts"
    return ""


def choices(window: Window) -> Choices:
    """Contacts of the window by who could have been chosen: the initial contacts, and whoever was contacted besides."""
    rows, n = _uses(window), max(window.n, 1)
    pairs = window.source[rows] * n + window.target[rows]
    initial = np.zeros((0, 2), dtype=np.int64) if window.channels is None else window.channels
    slots = np.unique(np.concatenate([pairs, initial[:, 0] * n + initial[:, 1]]))
    giver, taker = np.divmod(slots, n)
    count = np.bincount(np.searchsorted(slots, pairs), minlength=len(slots))
    acts = np.bincount(giver, count, window.n)
    reach = np.bincount(giver, minlength=window.n)
    fair = np.bincount(taker, (acts / np.maximum(reach, 1))[giver], window.n)
    return Choices(window.n, giver, taker, count, np.maximum(fair, acts))


def leads(sample: Choices) -> Floats:
    """Share of all contacts by which each agent is turned to beyond what it is owed; negative for less; shape (n,)."""
    got = np.bincount(sample.taker, sample.count, sample.n)
    return np.asarray((got - sample.owed) / max(sample.count.sum(), 1), dtype=np.float64)


def concentration(sample: Choices) -> float:
    """How far contacts concentrate on few agents beyond reach and beyond what these start themselves.

    Definition: length of the vector of positive leads. Formula: sqrt(sum_j max(in_j - max(fair_j, out_j), 0)^2) / sum in,
    fair_j = sum_i out_i / reach_i over those who can reach j, out_j contacts started by j. Range: [0, 1). Low: nobody is
    turned to more than reach and activity give; high: one agent gets nearly all (k equal hubs with share s together give
    s / sqrt(k)). Chance level: about 1 / sqrt(contacts), more where agents have favourites, so it is read against NA.
    Null: NA. Fooled by: who could be reached if the log's initial contacts are wrong; answers that are not marked as
    such, which count as contacts the hub starts and hide it. Reference: excess form of Freeman's degree centralisation
    (1979, Social Networks 1:215); null as in the permutation of rows in dyadic data (Krackhardt 1988, Social Networks
    10:359).
    """
    lead = np.maximum(leads(sample), 0.0)
    return float(np.sqrt((lead * lead).sum()))


def hubs_of(sample: Choices) -> Ints:
    """Agents that share the lead, largest first; empty when the lead belongs to nobody in particular."""
    lead = leads(sample)
    if sample.n == 0 or lead.max() <= 0.0:
        return np.zeros(0, dtype=np.int64)
    got = np.bincount(sample.taker, sample.count, sample.n)
    found = np.flatnonzero((lead >= SHARED_LEAD * lead.max()) & (got >= TIMES * sample.owed))
    if len(found) > max(1, MOST_HUBS * sample.n):
        return np.zeros(0, dtype=np.int64)
    return found[np.argsort(-lead[found], kind="stable")]


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    sample = choices(window)
    found = hubs_of(sample)
    if len(found) == 0:
        reason = f"nobody is turned to {TIMES:g} times as often as reach and own activity explain, or too many are"
        return [Candidate("", 0, (), dismissed=reason)]
    calls = np.isin(sample.taker, found) & (sample.count > 0)
    members = np.union1d(found, sample.giver[calls])
    return [
        Candidate(
            "",
            0,
            tuple(int(a) for a in members),
            (frozenset(int(a) for a in found),),
            {"hubs": found, "lead": float(leads(sample)[found].sum())},
        )
    ]


def _sample(window: Window, _candidates: Sequence[Candidate]) -> Choices:
    return choices(window)


def _statistic(sample: Choices, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), concentration(sample))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("hub", (AGREED,)) if AGREED in beaten else None


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Leads in each window, over their mean."""
    values = np.stack([leads(choices(part)) for part in parts])
    return values - values.mean(axis=1, keepdims=True), np.zeros(whole.n, dtype=np.int64), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Lead of the same hubs in the damaged record over their lead in the whole; a removed hub has none."""
    found = candidate.detail["hubs"]
    left = np.maximum(leads(choices(damaged))[found], 0.0).sum()
    return float(min(1.0, left / float(candidate.detail["lead"])))


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    found = np.array(candidate.detail["hubs"], dtype=np.int64)
    members = np.array(candidate.members, dtype=np.int64)
    rows = _uses(window)
    to_hub = rows & np.isin(window.target, found)
    share = float(to_hub.sum() / max(rows.sum(), 1))
    callers = len(np.unique(window.source[to_hub]))
    names = [window.agents[a] for a in found]
    facts = {"hubs": names, "share": share, "callers": callers, "lead": candidate.detail["lead"], "kind": kind}
    roles = {"hub": np.sort(found), "others": np.setdiff1d(members, found)}
    return Portrait(members, {k: v for k, v in roles.items() if len(v)}, to_hub, facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    few = ", ".join(str(a) for a in facts["hubs"][:4]) + (", ..." if len(facts["hubs"]) > 4 else "")
    one = len(facts["hubs"]) == 1
    return Words(
        "others agree on whom to turn to",
        f"{few} {'is a hub' if one else 'are hubs'}: {facts['callers']} agents turn to {'it' if one else 'them'} with "
        f"{facts['share']:.0%} of all contacts, {facts['lead']:.0%} more than reach and own activity explain",
        "the same concentration when each agent's preferences are dealt anew among those it could reach, or others "
        "leading in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    """The hubs were the best reachable agents, by far, before the first event."""
    if window.channels is None:
        return ""
    found = np.array(candidate.detail["hubs"], dtype=np.int64)
    reached = np.bincount(window.channels[:, 1], minlength=window.n)
    others = np.delete(reached, found)
    if len(others) == 0 or reached[found].min() < max(TIMES * reached.mean(), float(others.max())):
        return ""
    return f"the initial contacts already single them out ({reached[found].mean():.0f} channels, {reached.mean():.1f} usual)"


hubs = detectors.add("hubs")(
    Detector(
        name="hubs",
        kinds=("hub",),
        needs=("target",),
        minimum=Minimum(agents=5, events=90, per_window=30),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(Claim(AGREED, "NA", _sample, _statistic, "share"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
        # Without its hub there is no hub left: what removal would tell is who the hub is, not whether there is one.
        removals=("random",),
    )
)
