"""Brokers: few agents through whom the contacts between groups run, beyond their activity.

Two claims are needed: there are groups (beyond degrees, N1F), and the links between them run through few of their members,
more than these members' activity explains (NX: the ends of cross-group links are dealt anew within each group in
proportion to activity). Busy members of open teams have many outside contacts and are no brokers. A grid or ring of
neighbours, cut into groups, has members at every border; they are many, and a lead shared by many is not claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import graph
from sim.detectors.blocks import Grouped, contacts, grouped, links_of, weight_of
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.dyads import Dyads, begun
from sim.detectors.grouping import GROUPED, grouping, screened
from sim.detectors.groups import LEAST_TEAM, partition
from sim.detectors.nulls import Links
from sim.detectors.window import Floats, Ints, Window

PER_AGENT = 3  # contacts per agent below which groups cannot be told
SHARED_LEAD = 0.5  # of the largest excess, from which an agent is a broker as well
TIMES = 1.5  # what activity explains, below which nobody would speak of a broker
MOST_BROKERS = 0.2  # share of agents above which the borders are everybody's
CARRIED = 0.5  # share of cross-group links that the brokers have to carry
BROKERED = "contacts between groups run through few members, beyond activity"
ROLES = ("coordinator", "itinerant", "gatekeeper", "representative", "liaison")


def _refuses(window: Window) -> str:
    used = int(contacts(window).sum())
    if used == 0:
        return "no targets, or only work handed over: who met whom is unknown"
    return f"fewer than {PER_AGENT} contacts per agent" if used < PER_AGENT * window.n else ""


def excess(sample: Grouped) -> Floats:
    """Weight of cross-group links that each agent carries beyond its share by activity, shape (n,); sums to 0 per group."""
    crossing, weight = sample.crossing, weight_of(sample)
    carried = np.bincount(sample.source[crossing], weight[crossing], sample.n)
    carried += np.bincount(sample.target[crossing], weight[crossing], sample.n)
    place = np.maximum(sample.group, 0)
    of_group = np.bincount(place, carried)
    active = np.bincount(place, sample.activity)
    return np.asarray(carried - (of_group / np.maximum(active, 1e-12))[place] * sample.activity, dtype=np.float64)


def brokerage(sample: Grouped) -> float:
    """How far the contacts between groups run through few agents beyond their activity.

    Definition: length of the vector of positive excesses over all cross-group link ends. Formula: e_i = x_i - X_g s_i /
    S_g, x_i the log-weight of cross-group links of i, s_i its contacts, X_g and S_g their sums over its group;
    sqrt(sum_i max(e_i, 0)^2) / sum_i x_i. Range: [0, 1). Low: members carry the contacts between groups as they are
    active, high: one member carries them (k brokers of k groups give about 1 / sqrt(k)). Chance level: about 1 / sqrt(2
    cross-group links), so it is read against NX. Null: NX. Fooled by: groups that are cuts of a continuum (grids), whose
    borders are somewhere; agents put into the wrong group. Reference: claim after Burt 2004, Am. J. Sociol. 110:349
    (brokerage as contact across groups); roles after Gould & Fernandez 1989, Sociol. Methodol. 19:89.
    """
    more = np.maximum(excess(sample), 0.0)
    total = 2.0 * weight_of(sample)[sample.crossing].sum()
    return float(np.sqrt((more * more).sum()) / total) if total > 0 else 0.0


def brokers_of(sample: Grouped) -> tuple[Ints, str]:
    """Agents who carry the contacts between groups, largest excess first, or none and why not."""
    none = np.zeros(0, dtype=np.int64)
    sizes = np.bincount(sample.group[sample.group >= 0])
    if (sizes >= LEAST_TEAM).sum() < 2:
        return none, f"fewer than two groups of {LEAST_TEAM} agents"
    crossing, more = sample.crossing, excess(sample)
    if not crossing.any() or more.max() <= 0.0:
        return none, "no contacts between groups that anybody carries more than others"
    weight = weight_of(sample)
    carried = sum(np.bincount(e[crossing], weight[crossing], sample.n) for e in (sample.source, sample.target))
    found = np.flatnonzero((more >= SHARED_LEAD * more.max()) & (carried >= TIMES * (carried - more)))
    if len(found) > max(1, MOST_BROKERS * sample.n):
        return none, f"{len(found)} agents share the lead in contacts between groups: they are everybody's"
    through = (np.isin(sample.source, found) | np.isin(sample.target, found))[crossing]
    share = float(weight[crossing][through].sum() / weight[crossing].sum())
    if share < CARRIED:
        return none, f"the {len(found)} agents in the lead carry only {share:.0%} of the contacts between groups"
    return found[np.argsort(-more[found], kind="stable")], ""


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    links = links_of(window, contacts(window))
    labels = partition(links)
    found, dismissed = brokers_of(grouped(links, labels))
    if not dismissed:
        dismissed = screened(begun(window, contacts(window)))
    detail = {"labels": labels, "brokers": found, "excess": _share(grouped(links, labels), found)}
    members = np.flatnonzero(labels >= 0)
    parts = (frozenset(int(a) for a in found),)
    return [Candidate("", 0, tuple(int(a) for a in members), parts, detail, dismissed)]


def _share(sample: Grouped, found: Ints) -> float:
    """Excess of the brokers over all cross-group link ends."""
    total = 2.0 * weight_of(sample)[sample.crossing].sum()
    return float(excess(sample)[found].sum() / total) if total > 0 else 0.0


def _pairs(window: Window, _candidates: Sequence[Candidate]) -> Dyads:
    return begun(window, contacts(window))


def _sample(window: Window, candidates: Sequence[Candidate]) -> Grouped:
    return grouped(links_of(window, contacts(window)), candidates[0].detail["labels"])


def _statistic(sample: Grouped, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), brokerage(sample))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("broker", (BROKERED, GROUPED)) if beaten.issuperset((BROKERED, GROUPED)) else None


def _frames(parts: Sequence[Window], candidate: Candidate, _whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Excess of cross-group weight in each window, with the groups of the whole; agents are exchanged inside groups."""
    labels = candidate.detail["labels"]
    values = np.stack([excess(grouped(links_of(part, contacts(part)), labels)) for part in parts])
    return values, labels - labels.min(initial=0), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Excess carried by the same brokers in the damaged record over that in the whole; a removed broker has none."""
    sample = grouped(links_of(damaged, contacts(damaged)), candidate.detail["labels"])
    whole = float(candidate.detail["excess"])
    return float(np.clip(_share(sample, candidate.detail["brokers"]) / whole, 0.0, 1.0)) if whole > 0 else 0.0


def roles_of(window: Window, group: Ints, agents: Ints) -> Mapping[str, Ints]:
    """How often each of ``agents`` stands between two others who are not in contact that way, by Gould-Fernandez role.

    Definition: ways a -> b -> c without a -> c, by the groups of giver a, broker b and receiver c: coordinator (all in
    one), itinerant (a and c together, b elsewhere), gatekeeper (a elsewhere), representative (c elsewhere), liaison (three
    groups). Returns role to counts of shape (agents,). Chance level and null: none, they describe brokers found otherwise.
    Reference: Gould & Fernandez 1989, Sociol. Methodol. 19:89.
    """
    rows = contacts(window)
    pairs = np.unique(window.source[rows] * window.n + window.target[rows])
    giver, taker = np.divmod(pairs, max(window.n, 1))
    counts = {role: np.zeros(len(agents), dtype=np.int64) for role in ROLES}
    for k, b in enumerate(agents):
        givers, takers = giver[taker == b], taker[giver == b]
        direct = np.isin(givers[:, None] * window.n + takers, pairs)
        between = ~direct & (givers[:, None] != takers)
        from_, to = group[givers][:, None], group[takers][None, :]
        own = group[b]
        kinds = (
            (from_ == own) & (to == own),
            (from_ == to) & (from_ != own),
            (from_ != own) & (to == own),
            (from_ == own) & (to != own),
            (from_ != own) & (to != own) & (from_ != to),
        )
        for role, kind in zip(ROLES, kinds, strict=True):
            counts[role][k] = int((kind & between).sum())
    return counts


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    labels, found = candidate.detail["labels"], np.array(candidate.detail["brokers"], dtype=np.int64)
    others = [np.setdiff1d(np.flatnonzero(labels == k), found) for k in range(int(labels.max(initial=-1)) + 1)]
    groups = sorted((g for g in others if len(g)), key=lambda g: (-len(g), int(g[0])))
    roles = {"broker": np.sort(found)} | {f"group {k + 1}": g for k, g in enumerate(groups)}
    rows = contacts(window)
    crossing = rows & (labels[window.source] != labels[np.maximum(window.target, 0)])
    through = crossing & (np.isin(window.source, found) | np.isin(window.target, found))
    between = roles_of(window, labels, found)
    ties = graph.directed(window.n, window.source[rows], window.target[rows])
    closed = graph.constraint(ties)
    mostly = [max(ROLES[1:], key=lambda role: int(between[role][k])) for k in range(len(found))]
    facts = {
        "brokers": [window.agents[a] for a in found],
        "groups": len(groups),
        "through": float(through.sum() / max(crossing.sum(), 1)),
        "crossing": float(crossing.sum() / max(rows.sum(), 1)),
        "constraint": [float(x) for x in closed[found]],
        "usual_constraint": float(np.nanmedian(closed)) if not np.isnan(closed).all() else 0.0,
        "between": dict(zip((str(window.agents[a]) for a in found), mostly, strict=True)),
        "functions": {"broker": "relay"},
        "kind": kind,
    }
    return Portrait(np.array(candidate.members, dtype=np.int64), roles, rows, facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    names = facts["brokers"]
    few = ", ".join(f"{a} ({facts['between'][str(a)]})" for a in names[:4]) + (", ..." if len(names) > 4 else "")
    return Words(
        "contacts between groups run through brokers",
        f"{few} {'is the broker' if len(names) == 1 else 'are brokers'} of {facts['groups']} groups: "
        f"{facts['through']:.0%} of the contacts between groups run through {'it' if len(names) == 1 else 'them'}",
        "the same share when the contacts between groups are dealt anew among each group's members by activity, no "
        "groups, or other brokers in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    """The same agents carry the links between the same groups in the initial contacts alone."""
    if window.channels is None:
        return ""
    pair = np.unique(np.sort(window.channels, axis=1), axis=0)
    ones = np.ones(len(pair), dtype=np.int64)
    sample = grouped(Links(window.n, pair[:, 0], pair[:, 1], ones, directed=False), candidate.detail["labels"])
    already, _ = brokers_of(sample)
    found = candidate.detail["brokers"]
    both = len(np.intersect1d(already, found))
    if both * 2 < len(found):
        return ""
    return f"{both} of the {len(found)} brokers already hold the initial contacts between these groups"


brokers = detectors.add("brokers")(
    Detector(
        name="brokers",
        kinds=("broker",),
        needs=("target",),
        minimum=Minimum(agents=8, events=120, per_window=40),
        uses=contacts,
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(BROKERED, "NX", _sample, _statistic, "share"),
            Claim(GROUPED, "N1F", _pairs, grouping, "modularity"),
        ),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
        removals=("random",),
    )
)
