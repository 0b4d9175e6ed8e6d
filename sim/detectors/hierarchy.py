"""Hierarchies in who starts contacts with whom: an order of agents beyond degrees, or a tree-shaped chain of command.

Three claims that are often taken for one another, each against the null that matches it. *Directed by activity
imbalance*: links climb a common ladder more than with every pair of agents turned round at random (N2). Whoever sends
much to agents who send little has that, so it is a feature and makes no structure. *Ordered beyond degrees*: agents
line up, givers beside givers and takers beside takers, more than with partners exchanged (N1R). *Tree-shaped chain of
command*: somebody reaches the others along links, they reach few, in whichever orientation is clearer (N2).

A hierarchy needs a claim against N2 and one against rewiring. N2 alone takes uneven activity for command: those who only send
stand above those who only receive (100 % false alarms for order, 40-95 % for reach). N1R alone takes a tree whose links
point anywhere for order. So the chain of command has a fourth claim, that it also reaches further than the same degrees
give: agents with one random superior each form a tree with a ring on top, and that no null but N1 can tell from a tree
with a head. A tree of which N1 has too few other arrangements stays *observed*.

Only events that start something count. Replies run the other way and cancel the order; a log whose kinds are not
declared cannot tell them apart, and the sentence then says so. Handoffs of items are for the detector ``handoffs``.

Statistics: trophic coherence 1 - F0 (``measures.order``; [0, 1], high: all links climb one ladder), alignment
(``ranks.alignment``; about [-1, 1], 0 by uneven activity alone) and reaching centrality (``command.reaching_centrality``;
[0, 1], high: one reaches all); chance levels depend on degrees and are those of the nulls. Fooled by: replies that are not
declared as such, one large closed part (reach 0 whatever stands above), formal rank, which none of them is. Sources:
MacKay, Johnson, Sansom 2020; De Bacco, Larremore, Moore 2018, Sci. Adv. 4:eaar8260; Mones, Vicsek, Vicsek 2012, PLoS ONE
7:e33799; Krackhardt 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import command, ranks, streams
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.dyads import Dyads, pairs
from sim.detectors.measures import flow_hierarchy, order, trophic_levels
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

LEAST_AGENTS, MOST_AGENTS = 6, 2000  # the levels of more agents take too long for hundreds of surrogates
PER_AGENT = 2  # contacts per agent below which no order can be told
PRACTICAL_ORDER = 0.1  # below this coherence nobody would call contacts ordered
SPARSE = 2.0  # links over those of a tree, up to which a graph can be read as one
MOST_OF = 0.5  # share of all contacts, and of all agents, that a chain of command has to hold
HEAD_REACHES = 0.8  # share of the chain that its head reaches
ONE_SUPERIOR = 0.5  # share of the chain with exactly one superior
CRISP = 0.9  # share of contacts on an exact tree from which the tree is plain to see
DIGITS = 6  # a tree has coherence 1 up to rounding, whichever way its links point
IMBALANCED = "contacts are directed, as uneven activity alone would have it"
ORDERED = "agents are ordered by who starts contacts with whom, beyond degrees"
COMMAND = "contacts form a tree-shaped chain of command"
BEYOND = "the chain of command reaches further than the same degrees give"


def _uses(window: Window) -> Bools:
    return streams.initiated(window)


def _refuses(window: Window) -> str:
    if not bool((window.target >= 0).any()):
        return "no targets: who started contact with whom is unknown"
    used = int(_uses(window).sum())
    if used == 0 and bool(window.of_class("transfers").any()):
        return "contacts are handoffs of items; the detector of handoffs looks at their order"
    if used == 0:
        return "no event starts a contact with another agent"
    if used < PER_AGENT * window.n:
        return f"fewer than {PER_AGENT} contacts per agent"
    return f"more than {MOST_AGENTS} agents; restrict the log to a part of them" if window.n > MOST_AGENTS else ""


def links_of(window: Window) -> Links:
    """Links from those who start a contact to those addressed, with the number of contacts."""
    rows = _uses(window)
    pair, count = np.unique(window.source[rows] * window.n + window.target[rows], return_counts=True)
    source, target = np.divmod(pair, max(window.n, 1))
    return Links(window.n, source, target, count, directed=True)


def _stronger(links: Links, least: int) -> Links:
    kept = links.count >= least
    return Links(links.n, links.source[kept], links.target[kept], links.count[kept], directed=True)


def _touched(links: Links) -> Ints:
    return np.unique(np.concatenate([links.source, links.target]))


def _thresholds(links: Links) -> list[int]:
    """Least counts, one per weight class, at which the stronger links are few enough for a tree and still hold most.

    Both nulls keep what this depends on: each agent's links of every class.
    """
    found = []
    for least in sorted({2 ** (int(e) - 1) for e in np.unique(np.frexp(links.count.astype(np.float64))[1])}):
        some = _stronger(links, least)
        agents = len(_touched(some))
        most = some.count.sum() >= MOST_OF * links.count.sum() and agents >= MOST_OF * len(_touched(links))
        if most and agents >= LEAST_AGENTS and len(some.source) <= SPARSE * (agents - 1):
            found.append(least)
    return found


def _commanding(links: Links, thresholds: Sequence[int]) -> tuple[float, int, bool]:
    """Reaching centrality times share of contacts, at the best threshold: (value, threshold, runs downwards)."""
    best, total = (0.0, 1, True), links.count.sum()
    for least in thresholds:
        some = _stronger(links, least)
        found = command.reach(some.n, some.source, some.target)
        who = _touched(some)
        down, up = (command.reaching_centrality(r[who]) for r in (found.below, found.above))
        value = max(down, up) * float(some.count.sum() / total)
        if value > best[0]:
            best = (value, least, down >= up)
    return best


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    links = links_of(window)
    if len(links.source) < 2:
        return []
    weight = ranks.class_weights(links.count)
    coherence = order(links.n, links.source, links.target, weight)
    levels = _levels(links)
    detail = {"levels": levels, "coherence": coherence, "declared": streams.declared(window), **_tree(links)}
    dismissed = ""
    if coherence < PRACTICAL_ORDER and not detail["tree"]:
        dismissed = f"coherence {coherence:.2f} is below {PRACTICAL_ORDER}: contacts have no common direction"
    members = _touched(links)
    roles = _roles(detail, members)
    parts = tuple(frozenset(int(a) for a in agents) for agents in roles.values())
    return [Candidate("", 0, tuple(int(a) for a in members), parts, detail, dismissed)]


def _levels(links: Links) -> Floats:
    """Trophic levels without the last digits, in which agents of one rung would differ."""
    weight = ranks.class_weights(links.count)
    return trophic_levels(links.n, links.source, links.target, weight).round(DIGITS)


def _tree(links: Links) -> dict[str, Any]:
    """Whether the stronger links look like a tree at all, and the tree read off them."""
    thresholds = _thresholds(links)
    if not thresholds:
        return {"tree": False, "thresholds": ()}
    _, least, down = _commanding(links, thresholds)
    some = _stronger(links, least)
    superior = command.superiors(some.n, some.source, some.target, some.count.astype(np.float64), down=down)
    depth = command.depths(superior)
    found = command.reach(some.n, some.source, some.target)
    who = _touched(some)
    reached = (found.below if down else found.above)[who]
    bosses = np.bincount(some.target if down else some.source, minlength=some.n)[who]
    like = bool(
        reached.max() >= HEAD_REACHES * (len(who) - 1) and depth.max() >= 2 and (bosses == 1).mean() >= ONE_SUPERIOR
    )
    exact = len(some.source) == len(who) - 1 == (superior >= 0).sum()
    return {
        "tree": like,
        "crisp": like and exact and some.count.sum() >= CRISP * links.count.sum(),
        "thresholds": tuple(thresholds),
        "threshold": least,
        "down": down,
        "superior": superior,
        "depth": np.where(np.isin(np.arange(links.n), who), depth, NONE),
    }


def _roles(detail: Mapping[str, Any], members: Ints) -> dict[str, Ints]:
    """Rungs: steps below the head in a tree, else whole levels up from those who start contacts."""
    rung = detail["depth"] if detail["tree"] else np.floor(detail["levels"] + 0.5).astype(np.int64)
    named = {f"level {k}" if k >= 0 else "beside it": members[rung[members] == k] for k in np.unique(rung[members])}
    if detail["tree"] and len(named.get("level 0", ())) == 1:
        return {"head" if name == "level 0" else name: agents for name, agents in sorted(named.items(), key=_last)}
    return dict(sorted(named.items(), key=_last))


def _last(item: tuple[str, Ints]) -> tuple[bool, int]:
    """Levels in order, those beside the chain last."""
    return item[0] == "beside it", int(item[0].rsplit(" ", 1)[-1]) if item[0] != "beside it" else 0


def _sample(window: Window, _candidates: Sequence[Candidate]) -> Links:
    return links_of(window)


def _coherence(sample: Links, candidates: Sequence[Candidate]) -> Floats:
    value = order(sample.n, sample.source, sample.target, ranks.class_weights(sample.count))
    return np.full(len(candidates), round(value, DIGITS))


def _pairs(window: Window, _candidates: Sequence[Candidate]) -> Dyads:
    return pairs(links_of(window))


def _alignment(sample: Dyads, candidates: Sequence[Candidate]) -> Floats:
    links = sample.links()
    value = ranks.alignment(links.n, links.source, links.target, ranks.class_weights(links.count))
    return np.full(len(candidates), round(value, DIGITS))


def _command(sample: Links, candidates: Sequence[Candidate]) -> Floats:
    return np.array([round(_commanding(sample, c.detail["thresholds"])[0], DIGITS) for c in candidates])


def _like_a_tree(candidate: Candidate) -> bool:
    return bool(candidate.detail["tree"])


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    """One claim against each null; the clearest pair comes first."""
    pairs = ((COMMAND, BEYOND), (IMBALANCED, ORDERED), (COMMAND, ORDERED))
    return next((("hierarchy", pair) for pair in pairs if beaten.issuperset(pair)), None)


def _obvious(candidate: Candidate) -> tuple[str, tuple[str, ...]] | None:
    """An exact tree, of which N1 may have no other arrangement; it is shown, not claimed."""
    return ("hierarchy", (COMMAND, BEYOND)) if candidate.detail.get("crisp") else None


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Levels of agents per window, the mean of each connected part being 0."""
    return np.stack([_centred(links_of(part)) for part in parts]), np.zeros(whole.n, dtype=np.int64), False


def _centred(links: Links) -> Floats:
    levels = _levels(links)
    part = command.weak_parts(links.n, links.source, links.target)
    return np.asarray(levels - (np.bincount(part, levels) / np.bincount(part))[part])


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Concordance of levels with those of the whole record, over agents still linked, times the share still linked."""
    links = links_of(damaged)
    here = _touched(links)
    there = np.isin(np.array(candidate.members), np.concatenate([damaged.source, damaged.target]))
    if len(here) < 3 or not there.any():
        return 0.0
    part = np.full(links.n, NONE, dtype=np.int64)
    part[here] = command.weak_parts(links.n, links.source, links.target)[here]
    like = ranks.concordance(candidate.detail["levels"], _levels(links), part)
    return max(0.0, like) * min(1.0, len(here) / int(there.sum()))


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    links, detail = links_of(window), candidate.detail
    members = np.array(candidate.members, dtype=np.int64)
    roles = _roles(detail, members)
    count = links.count.astype(np.float64)
    found = ranks.estimates(links.n, links.source, links.target, count)
    agree = min(ranks.rank_correlation(found[a][members], found[b][members]) for a, b in combinations(found, 2))
    facts: dict[str, Any] = {
        "kind": kind,
        "coherence": order(links.n, links.source, links.target, ranks.class_weights(links.count)),
        "flow_hierarchy": flow_hierarchy(links.n, links.source, links.target, count),
        "ranks": {name: [window.agents[a] for a in members[np.argsort(v[members])]] for name, v in found.items()},
        "estimates_agree": agree,
        "declared": detail["declared"],
        "tree": detail["tree"],
        "chain": " → ".join(f"{name} ({len(agents)})" for name, agents in roles.items()),
    }
    facts.update(_reached(links, detail) if detail["tree"] else {})
    if detail["tree"]:
        boss = detail["superior"]
        facts["superiors"] = {window.agents[a]: window.agents[boss[a]] if boss[a] >= 0 else None for a in members}
        facts["head"] = [window.agents[a] for a in members[detail["depth"][members] == 0]]
    return Portrait(members, roles, _uses(window), facts)


def _reached(links: Links, detail: Mapping[str, Any]) -> dict[str, Any]:
    """Reaching centrality in both orientations and Krackhardt's four, on the links that make the tree."""
    some = _stronger(links, detail["threshold"])
    who, ends = np.unique(np.concatenate([some.source, some.target]), return_inverse=True)
    if len(who) < 2:
        return {"down": detail["down"]}
    source, target = ends[: len(some.source)], ends[len(some.source) :]
    found = command.reach(len(who), source, target)
    boss, subject = (source, target) if detail["down"] else (target, source)
    return {
        "down": detail["down"],
        "reach_down": command.reaching_centrality(found.below),
        "reach_up": command.reaching_centrality(found.above),
        "krackhardt": vars(command.krackhardt(len(who), boss, subject)),
    }


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    unsure = "" if facts["declared"] else "; kinds are not declared, so replies may count as initiatives"
    agree = f"three estimates of rank agree by {facts['estimates_agree']:.2f} or more"
    if facts["tree"]:
        way = "down from" if facts["down"] else "up to"
        head = ", ".join(str(a) for a in facts["head"][:3])
        return Words(
            "contacts form a chain of command",
            f"Contacts run {way} {head} along a tree-shaped chain of command, {facts['chain']}{unsure}",
            "no head that reaches the others once pairs are turned round, or partners exchanged, at random; or another "
            "order in later windows",
        )
    first, last = facts["ranks"]["levels"][0], facts["ranks"]["levels"][-1]
    return Words(
        "agents stand in an order of who starts contacts with whom",
        f"Contacts run along one ladder of agents from {first} to {last}, {facts['chain']}, coherence "
        f"{facts['coherence']:.2f}; {agree}, none is formal rank{unsure}",
        "the same order after partners are exchanged with every agent's links kept, or another one in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    """A sentence when the initial channels are hardly more than the tree, or already run in the order found."""
    if window.channels is None or len(window.channels) == 0:
        return ""
    source, target = window.channels[:, 0], window.channels[:, 1]
    pairs = np.unique(np.minimum(source, target) * window.n + np.maximum(source, target))
    if candidate.detail["tree"] and len(pairs) <= streams.HARDLY_A_CHOICE * (len(candidate.members) - 1):
        return f"the {len(pairs)} initial contacts leave no other tree to form"
    return streams.drawn_alike(window, candidate.detail["levels"], np.array(candidate.members))


hierarchy = detectors.add("hierarchy")(
    Detector(
        name="hierarchy",
        kinds=("hierarchy",),
        needs=("target",),
        minimum=Minimum(agents=LEAST_AGENTS, events=120, per_window=40),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(IMBALANCED, "N2", _sample, _coherence, "coherence"),
            Claim(ORDERED, "N1R", _pairs, _alignment, "alignment"),
            Claim(COMMAND, "N2", _sample, _command, "reach", _like_a_tree),
            # Not N1R: stray answers put the links of a tree in classes of their own, of which it has no other arrangement.
            Claim(BEYOND, "N1", _sample, _command, "reach", _like_a_tree),
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
