"""Roles: classes of agents that turn to, and are turned to by, the same others alike, beyond activity and replies.

Stochastic equivalence: two agents play one role when their contacts go to and come from the same roles, whether or not
they ever meet each other. The number of roles is chosen by predicting links held back, where one role may win. Classes
that mostly keep to themselves are groups, not roles; they are left to the detector ``teams``. That is decided twice: the
image graph (contacts between classes over what activity gives) must not be heaviest on its diagonal, and the classes
must predict held-back links better than groups do. Classes that stand in a row, through which contacts run one way step by
step, are the stages of a *pipeline* (``stages``).

Handoffs with a task type are left to the detector ``handoffs``, which reads roles off each type's way through the
agents; so are handoffs without one where they climb one common ladder. A log that is mostly such handoffs is refused,
otherwise they are left out.

Statistic: ``embedding.leading_share``, the share of the squared deviation of contacts from activity that lies along a few
lines. Range: [0, 1]. Low: everybody differs in a way of its own; high: classes of agents deal with the same others. Chance
level: about four times the lines over the number of agents, more with heavy degrees. Null: N1R; and N4 for that it lasts.
Fooled by: teams and ladders, which have it too (told apart by the image graph), fewer than about ten contacts an agent.
References: Holland, Laskey, Leinhardt 1983, Soc. Networks 5:109 (stochastic equivalence); Rohe, Qin, Yu 2016, PNAS
113:12679 (directed spectral classes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import blockmodel, dyads, stages, streams
from sim.detectors.canonical import canonical
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.embedding import leading_share
from sim.detectors.groups import alike
from sim.detectors.handoffs import PRACTICAL_ORDER
from sim.detectors.measures import order, trophic_levels
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

MOST_AGENTS = 2000
PER_AGENT = 3  # contacts per agent below which no role can be told
SCREEN = 5  # surrogates of the cheap look that decides whether a fit and a test are worth their time
MOSTLY = 0.5  # share of agents in classes that keep to themselves, from which the classes are groups
FROM_CONTACTS = 0.5  # agreement beyond chance with the roles of the initial contacts alone
EQUIVALENT = "agents fall into classes that treat others alike, beyond degrees and replies"


def classes(links: Links, k: int | None = None) -> tuple[Ints, int]:
    """Roles of agents: labels of shape (n,), NONE for agents without links, and the number of roles.

    Args:
        links: Pairs in contact with the number of contacts, directed or not.
        k: Number of roles; chosen by held-back links when None, and then 1 where one role predicts as well.

    Raises:
        ValueError: For a number of roles below 1.
    """
    if k is not None and k < 1:
        raise ValueError(f"classes: expected at least 1 role, got {k}.")
    chosen = blockmodel.held_back(links).chosen if k is None else k
    labels = blockmodel.equivalent(links, chosen)
    return labels, int(labels.max(initial=-1)) + 1


def _uses(window: Window) -> Bools:
    """Contacts, less the handoffs that have a task type."""
    contact = (window.target >= 0) & (window.target != window.source)
    return np.asarray(contact & ~(window.of_class("transfers") & (window.task >= 0)))


def _refuses(window: Window) -> str:
    contact = int(((window.target >= 0) & (window.target != window.source)).sum())
    used = int(_uses(window).sum())
    if contact == 0:
        return "no targets: who met whom is unknown"
    if used < contact / 2:
        return "most contacts are handoffs with a task type, whose roles the detector of handoffs reports"
    if used < PER_AGENT * window.n:
        return f"fewer than {PER_AGENT} contacts per agent"
    if window.n > MOST_AGENTS:
        return f"more than {MOST_AGENTS} agents; restrict the log to a part of them"
    return _covered(window) if bool(window.of_class("transfers").any()) else ""


def _covered(window: Window) -> str:
    """Why handoffs without a task type are left to their own detector, or an empty string."""
    handed = streams.of(window, streams.ALL)
    if handed.count.sum() <= _uses(window).sum() / 2:
        return ""
    if order(handed.n, handed.giver, handed.taker, handed.count) < PRACTICAL_ORDER:
        return ""
    return "most contacts are handoffs in a common direction, which the detector of handoffs reports"


def links_of(window: Window) -> Links:
    """Links from those who start a contact to those addressed, with the number of contacts."""
    rows = _uses(window)
    return _counted(window.n, window.source[rows], window.target[rows])


def _counted(n: int, source: Ints, target: Ints) -> Links:
    pair, count = np.unique(source * n + target, return_counts=True)
    first, second = np.divmod(pair, max(n, 1))
    return Links(n, first, second, count, directed=True)


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    links = links_of(window)
    met = np.unique(np.concatenate([links.source, links.target]))
    one = np.full(window.n, NONE, dtype=np.int64)
    one[met] = 0
    dismissed = _screen(canonical(links)[0])
    if dismissed:
        return [_candidate(links, one, dismissed, {})]
    tried = blockmodel.held_back(links)
    if tried.chosen == 1:
        return [_candidate(links, one, "one role predicts links that were held back as well as several", {})]
    gain, teams = tried.gain(tried.chosen), float(tried.teams.mean())
    labels = blockmodel.equivalent(links, tried.chosen)
    closed = blockmodel.keeping_to_themselves(links, labels)
    if closed >= MOSTLY:
        dismissed = f"{closed:.0%} of the agents are in classes that keep to themselves: groups, which are teams"
    elif teams >= gain:
        dismissed = "groups that keep to themselves predict links that were held back as well as roles"
    return [_candidate(links, labels, dismissed, {"gain": gain, "gain of groups": teams})]


def _candidate(links: Links, labels: Ints, dismissed: str, facts: dict[str, float]) -> Candidate:
    k = int(labels.max(initial=-1)) + 1
    found = stages.row(links, labels)
    labels = np.where(labels >= 0, found.place[labels], NONE) if found.pipeline else _downstream(links, labels, k)
    sets = tuple(frozenset(int(a) for a in np.flatnonzero(labels == c)) for c in range(k))
    members = tuple(int(a) for a in np.flatnonzero(labels >= 0))
    return Candidate(
        "", 0, members, sets if k > 1 else (), {"labels": labels, "classes": k, "row": found, **facts}, dismissed
    )


def _downstream(links: Links, labels: Ints, k: int) -> Ints:
    """Labels in the order in which contacts run through the classes, as far as they have one."""
    if k < 2:
        return labels
    giver, taker = np.divmod(np.arange(k * k), k)
    beyond = np.maximum(blockmodel.image(links, labels) - 1.0, 0.0).ravel()
    used = (giver != taker) & (beyond > 0)
    place = np.empty(k, dtype=np.int64)
    place[np.argsort(trophic_levels(k, giver[used], taker[used], beyond[used]), kind="stable")] = np.arange(k)
    return np.where(labels >= 0, place[labels], NONE)


def _screen(links: Links) -> str:
    """Why a full test would be wasted: the statistic is within the range of a few rewired graphs."""
    rng = np.random.default_rng([len(links.source), int(links.count.sum())])
    score, pairs = leading_share(links), dyads.pairs(links)
    drawn = sorted(leading_share(dyads.rewire_pairs(pairs, rng).links()) for _ in range(SCREEN))
    if score > drawn[-2]:
        return ""
    return f"contacts vary along common lines ({score:.2f}) no more than those of {SCREEN} rewired graphs"


def _sample(window: Window, _candidates: Sequence[Candidate]) -> dyads.Dyads:
    return dyads.pairs(links_of(window))


def _statistic(sample: dyads.Dyads, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), leading_share(sample.links()))


def _concludes(candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    kind = "pipeline" if candidate.detail["row"].pipeline else "roles"
    return (kind, (EQUIVALENT,)) if EQUIVALENT in beaten else None


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """The roles of each window, fitted to it alone, in the candidate's number."""
    k = int(candidate.detail["classes"])
    labels = [blockmodel.equivalent(links_of(part), k) for part in parts]
    return np.stack(labels), np.zeros(whole.n, dtype=np.int64), True


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Agreement beyond chance of the roles in the damaged record with those of the whole, over agents still there."""
    again = blockmodel.equivalent(links_of(damaged), int(candidate.detail["classes"]))
    return max(0.0, alike(candidate.detail["labels"], again)) if again.max(initial=-1) >= 0 else 0.0


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    labels = candidate.detail["labels"]
    k = max(int(candidate.detail["classes"]), 1)
    called = "stage" if kind == "pipeline" else "role"
    roles = {f"{called} {c + 1}": np.flatnonzero(labels == c) for c in range(k)}
    held = np.append(labels >= 0, False)
    rows = _uses(window) & held[window.source] & held[window.target]
    links = links_of(window)
    facts = {
        "sizes": [len(agents) for agents in roles.values()],
        "image": blockmodel.image(links, labels).tolist(),
        "turns to": _ways(links, labels, k),
        "one step": candidate.detail["row"].one_step,
        "keeping to themselves": blockmodel.keeping_to_themselves(links, labels),
        **{name: candidate.detail[name] for name in ("gain", "gain of groups") if name in candidate.detail},
    }
    return Portrait(np.array(candidate.members, dtype=np.int64), roles, rows, facts)


def _ways(links: Links, labels: Ints, k: int) -> list[str]:
    """For each role, the one it turns to most beyond what activity gives."""
    rates = blockmodel.image(links, labels)
    flow = blockmodel.flow_between(links, labels, k)
    said = []
    for c in range(k):
        most = int(np.argmax(np.where(flow[c] > 0, rates[c], 0.0)))
        whom = "itself" if most == c else f"role {most + 1}"
        said.append(f"role {c + 1} turns to {whom} {rates[c, most]:.2g} times as often as activity gives")
    return said


def _words(_candidate: Candidate, kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    if kind == "pipeline":
        return _words_of_pipeline(facts)
    sizes = ", ".join(str(s) for s in facts["sizes"])
    return Words(
        "agents play roles",
        f"agents play {len(facts['sizes'])} roles ({sizes} agents) that are no groups: {'; '.join(facts['turns to'])}",
        "the same spread of contacts along few lines after pairs of agents are rewired with everybody's one-way and "
        "mutual links kept, or other roles in later windows",
    )


def _words_of_pipeline(facts: Mapping[str, Any]) -> Words:
    sizes = " → ".join(str(s) for s in facts["sizes"])
    return Words(
        "contacts run through stages as a pipeline",
        f"contacts run through {len(facts['sizes'])} stages ({sizes} agents), {facts['one step']:.0%} of what goes beyond the "
        "usual from a stage to the next",
        "the same spread of contacts along few lines after pairs of agents are rewired with everybody's one-way and "
        "mutual links kept, or other stages in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    if window.channels is None:
        return ""
    contacts = _counted(window.n, window.channels[:, 0], window.channels[:, 1])
    alone = blockmodel.equivalent(contacts, int(candidate.detail["classes"]))
    like = alike(alone, candidate.detail["labels"]) if alone.max(initial=-1) >= 1 else 0.0
    if like < FROM_CONTACTS:
        return ""
    return f"the same roles follow from the initial contacts alone (agreement beyond chance {like:.2f})"


roles = detectors.add("roles")(
    Detector(
        name="roles",
        kinds=("roles", "pipeline"),
        needs=("target",),
        minimum=Minimum(agents=8, events=200, per_window=60),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(Claim(EQUIVALENT, "N1R", _sample, _statistic, "share of the squared deviation"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
