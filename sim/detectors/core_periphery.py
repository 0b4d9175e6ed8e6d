"""Core and periphery: a core that is in contact with all, and a periphery whose agents hardly meet each other.

A core found by degree alone is what unequal activity gives: the busy meet everybody, the others by chance hardly each other.
So that is a feature, shown as *observed* at most. The claim is that the periphery avoids itself beyond degrees: it has
fewer links inside than when all links are rewired, each agent keeping those it began and those begun with it (N1F: who
never begins is never in contact with another such agent, which is activity, not avoidance), or, where the core stands in each
of several groups, rewired inside the groups (N1G). With the degrees given, one bipartition leaves one number free (Kojaku &
Masuda 2018, New J. Phys. 20:043012), and two groups that meet only each other would have it too; therefore the core has
to be in contact within itself about as much as with the periphery, more than a tree is, and in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import graph
from sim.detectors.blocks import Grouped, contacts, grouped, links_of
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.dyads import Dyads, begun, rewire_pairs
from sim.detectors.groups import best_modularity, partition
from sim.detectors.nulls import Links
from sim.detectors.window import Floats, Ints, Window, summed

LEAST_CORE = 3
SMALLEST, LARGEST = 0.05, 0.5  # shares of the agents that may be the core
OWN, OWN_IN_GROUP = 0.75, 0.5  # of the density between core and periphery that the core has to have inside
WITHIN = 2.5  # contacts inside the core of an agent in it; below 2 it would be a tree
APART = 0.9  # second singular value of core against periphery, from which they fall into parts
RARER = 2.0  # times the density between core and periphery over that inside the periphery, at least
PLAIN = 3.0  # times the density inside the periphery that the core has, from which it is worth showing
SCREEN, CLEARLY = 5, 4.0  # rewired graphs, and deviations above them: by chance in one of a hundred (t, 4 degrees)
LEAST_GROUP = 8  # agents of a group that may have a core
PER_AGENT = 3  # contacts per agent below which nothing can be told
ONE, MANY = 0, 1  # keys: one core, a core in each group
BEYOND = "a periphery avoids itself around a core, beyond degrees"
EACH = "groups have a core and a periphery that avoids itself, beyond degrees inside the group"


def _refuses(window: Window) -> str:
    used = int(contacts(window).sum())
    if used == 0:
        return "no targets, or only work handed over: who met whom is unknown"
    return f"fewer than {PER_AGENT} contacts per agent" if used < PER_AGENT * window.n else ""


def _degree(n: int, source: Ints, target: Ints) -> Ints:
    return np.bincount(source, minlength=n) + np.bincount(target, minlength=n)


def lacking(n: int, source: Ints, target: Ints, agents: Ints) -> tuple[float, Ints]:
    """Links that the periphery of the best core by degree lacks, and that core.

    Definition: links expected inside the periphery from degrees less those that are there, for the core of the k agents
    with most contacts, at the k from SMALLEST to LARGEST of the agents where that is largest. Formula: max over k of
    ((sum_P d)^2 - sum_P d^2) / 4 m - m_P. One pass over links sorted by degree. Range: (-m, m). Low or negative: those
    with few contacts meet each other as degrees give; high: only by way of the core. Chance level: a few times the root
    of m, so it is read against N1F or N1G. Null: N1F, N1G. Fooled by: two sides that meet each other only, hence the
    conditions of ``_unlike``. References: Borgatti & Everett 1999, Social Networks 21:375 (pattern); Kojaku & Masuda 2018
    (expectation from degrees).

    Args:
        n: Number of agents.
        source: One end of each link among ``agents``, shape (links,).
        target: The other end.
        agents: Agents to look at.
    """
    links = len(source)
    if links == 0 or len(agents) < 2 * LEAST_CORE:
        return 0.0, agents[:0]
    degree = _degree(n, source, target)
    order = agents[np.argsort(-degree[agents], kind="stable")]
    place = np.full(n, n, dtype=np.int64)
    place[order] = np.arange(len(order))
    first = np.minimum(place[source], place[target])  # a link is inside the periphery of every core smaller than this
    inside = links - np.cumsum(np.bincount(first, minlength=len(order) + 1))[: len(order)]
    left = degree[order][::-1].cumsum()[::-1] - degree[order]  # degrees of those behind place k
    squares = (degree[order] ** 2)[::-1].cumsum()[::-1] - degree[order] ** 2
    expected = (left.astype(np.float64) ** 2 - squares) / (4.0 * links)
    low = max(LEAST_CORE, int(np.ceil(SMALLEST * len(order))))
    high = max(low, int(LARGEST * len(order)))
    gain = (expected - inside)[low - 1 : high]
    best = low - 1 + int(np.argmax(gain))
    return float(gain.max()), order[: best + 1]


def avoidance(sample: Links) -> float:
    """``lacking`` of all agents as a share of all links: how far the periphery avoids itself. Range (-1, 1)."""
    if len(sample.source) == 0:
        return 0.0
    met = np.unique(np.concatenate([sample.source, sample.target]))
    return lacking(sample.n, sample.source, sample.target, met)[0] / len(sample.source)


def _inside(sample: Grouped) -> list[tuple[Ints, Ints, Ints]]:
    """Agents and links of each group that is large enough for a core."""
    found = []
    same = ~sample.crossing
    for k in range(int(sample.group.max(initial=-1)) + 1):
        agents = np.flatnonzero(sample.group == k)
        if len(agents) >= LEAST_GROUP:
            rows = same & (sample.group[sample.source] == k)
            found.append((agents, sample.source[rows], sample.target[rows]))
    return found


def avoidance_inside(sample: Grouped) -> float:
    """``lacking`` inside each group, summed, as a share of the links inside groups. Range (-1, 1)."""
    parts = _inside(sample)
    links = sum(len(source) for _, source, _ in parts)
    return sum(lacking(sample.n, source, target, agents)[0] for agents, source, target in parts) / max(links, 1)


def _cores_inside(sample: Grouped) -> Ints:
    """Cores of the groups that have one worth the name."""
    cores = []
    for agents, source, target in _inside(sample):
        core = lacking(sample.n, source, target, agents)[1]
        if len(core) and not _unlike(sample.n, source, target, core, agents, whole=False):
            cores.append(core)
    return np.concatenate(cores) if cores else np.zeros(0, dtype=np.int64)


def _densities(n: int, source: Ints, target: Ints, core: Ints, agents: Ints) -> tuple[float, float, float]:
    """Links over pairs: inside the core, between core and periphery, inside the periphery."""
    member = np.zeros(n, dtype=bool)
    member[core] = True
    ends = member[source].astype(int) + member[target]
    k, p = len(core), len(agents) - len(core)
    pairs = (p * (p - 1) / 2, k * p, k * (k - 1) / 2)
    outer, between, inner = (float((ends == e).sum() / max(pairs[e], 1)) for e in range(3))
    return inner, between, outer


def _unlike(n: int, source: Ints, target: Ints, core: Ints, agents: Ints, *, whole: bool) -> str:
    """Why a core by degree is none: it does not hold together, or it falls into parts."""
    inner, between, outer = _densities(n, source, target, core, agents)
    if between < RARER * outer:
        return f"the others meet each other ({outer:.0%} of pairs) nearly as often as the busiest ({between:.0%})"
    if inner < (OWN if whole else OWN_IN_GROUP) * between:
        return "the busiest agents hardly meet each other: two sides, not a core"
    if inner * (len(core) - 1) < (WITHIN if whole else 1.0):
        return f"agents of the core meet {inner * (len(core) - 1):.1f} others in it: a tree or chain, not a core"
    if whole and _second(n, source, target, core) > APART:
        return "core and periphery fall into parts that do not meet"
    return ""


def _second(n: int, source: Ints, target: Ints, core: Ints) -> float:
    """Second singular value of the links between core and periphery, scaled by degrees: 1 where they fall into parts."""
    member = np.zeros(n, dtype=bool)
    member[core] = True
    rows = member[source] != member[target]
    inner = np.where(member[source[rows]], source[rows], target[rows])
    outer = np.where(member[source[rows]], target[rows], source[rows])
    _, a = np.unique(inner, return_inverse=True)
    _, b = np.unique(outer, return_inverse=True)
    if len(a) == 0 or min(a.max(), b.max()) < 1:
        return 0.0
    weight = 1.0 / np.sqrt(np.bincount(a)[a] * np.bincount(b)[b])
    if max(a.max(), b.max()) >= 2000:
        return 0.0  # with thousands of agents random parts never fall apart, and the table would not fit
    table = np.zeros((a.max() + 1, b.max() + 1))
    table[a, b] = weight
    return float(np.linalg.svd(table, compute_uv=False)[1])


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    links = links_of(window, contacts(window))
    met = np.unique(np.concatenate([links.source, links.target]))
    core = lacking(links.n, links.source, links.target, met)[1]
    labels = partition(links)
    several = grouped(links, labels)
    cores = _cores_inside(several)
    none = "" if len(core) else "fewer agents than a core and a periphery need"
    groups = _are_grouped(window)
    one = "contacts are grouped: a core is looked for in each group" if groups else ""
    one = none or one or _unlike(links.n, links.source, links.target, core, met, whole=True)
    many = "" if groups else "contacts are not grouped: one core is looked for"
    many = many or ("" if len(cores) else "no group has a core that holds together")
    return [_candidate(ONE, links, core, np.zeros(links.n, dtype=np.int64), one),
            _candidate(MANY, links, cores, labels, many)]  # fmt: skip


def _are_grouped(window: Window) -> bool:
    """Modularity stands clearly above that of a few rewired graphs; a screen, not a test."""
    sample = ties(window)
    rng = np.random.default_rng([len(sample.first), sample.n])
    drawn = np.array([best_modularity(rewire_pairs(sample, rng).met()) for _ in range(SCREEN)])
    return bool(best_modularity(sample.met()) > drawn.mean() + CLEARLY * drawn.std(ddof=1))


def _candidate(key: int, links: Links, core: Ints, labels: Ints, dismissed: str) -> Candidate:
    met = np.unique(np.concatenate([links.source, links.target]))
    inner, between, outer = _densities(links.n, links.source, links.target, core, met)
    detail = {
        "core": np.sort(core), "labels": labels, "inner": inner, "between": between, "outer": outer,
        "held": _held(links, core, labels),
    }  # fmt: skip
    about = "" if key == ONE else "inside groups"
    return Candidate(about, key, tuple(met.tolist()), (frozenset(core.tolist()),), detail, dismissed)


def _held(links: Links, core: Ints, labels: Ints) -> float:
    """Links that the periphery lacks with this core in these groups, over the links inside groups."""
    same = labels[links.source] == labels[links.target]
    source, target = links.source[same], links.target[same]
    degree = _degree(links.n, source, target).astype(np.float64)
    outside = np.ones(links.n, dtype=bool)
    outside[core] = False
    total = np.maximum(np.bincount(np.maximum(labels, 0), degree, minlength=1), 1.0)
    outer = np.bincount(np.maximum(labels, 0), np.where(outside, degree, 0.0), minlength=len(total))
    squares = np.bincount(np.maximum(labels, 0), np.where(outside, degree**2, 0.0), minlength=len(total))
    expected = ((outer**2 - squares) / (2.0 * total)).sum()
    return float((expected - (outside[source] & outside[target]).sum()) / max(len(source), 1))


def ties(window: Window) -> Dyads:
    """Pairs in contact, each of weight 1: how often they met depends on how many others their ends met."""
    met = begun(window, contacts(window))
    return replace(met, there=np.ones(len(met.there), dtype=np.int64))


def _pairs(window: Window, _candidates: Sequence[Candidate]) -> Dyads:
    return ties(window)


def _statistic(sample: Dyads, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), avoidance(sample.met()))


def _grouped(window: Window, candidates: Sequence[Candidate]) -> Grouped:
    return grouped(ties(window).met(), candidates[0].detail["labels"])


def _statistic_inside(sample: Grouped, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), avoidance_inside(sample))


def _concludes(candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    claim = BEYOND if candidate.key == ONE else EACH
    return ("core", (claim,)) if claim in beaten else None


def _obvious(candidate: Candidate) -> tuple[str, tuple[str, ...]] | None:
    """One plain core by degree: shown as observed, since degrees explain it."""
    inner, outer = float(candidate.detail["inner"]), float(candidate.detail["outer"])
    return ("core", (BEYOND,)) if candidate.key == ONE and inner >= max(PLAIN * outer, 0.5) else None


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Number of others each agent met in each window, over the mean: does the same core stand again?"""
    values = []
    for part in parts:
        links = links_of(part, contacts(part))
        met = summed(links.source, np.ones(len(links.source)), links.n)
        values.append(met + summed(links.target, np.ones(len(links.target)), links.n))
    frames = np.stack(values)
    return frames - frames.mean(axis=1, keepdims=True), np.zeros(whole.n, dtype=np.int64), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """What the same periphery lacks in the damaged record, over that in the whole."""
    links = links_of(damaged, contacts(damaged))
    held = float(candidate.detail["held"])
    again = _held(links, candidate.detail["core"], candidate.detail["labels"])
    return float(np.clip(again / held, 0.0, 1.0)) if held > 0 else 0.0


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    core = np.array(candidate.detail["core"], dtype=np.int64)
    members = np.array(candidate.members, dtype=np.int64)
    rows = contacts(window)
    met = graph.directed(window.n, window.source[rows], window.target[rows])
    deep = graph.core_numbers(met)
    outer = np.setdiff1d(members, core)
    labels = candidate.detail["labels"]
    facts = {
        "inner": candidate.detail["inner"],
        "between": candidate.detail["between"],
        "outer": candidate.detail["outer"],
        "groups": len(np.unique(labels[core])) if len(core) else 0,
        "core_number": tuple(float(deep[a].mean()) if len(a) else 0.0 for a in (core, outer)),
        "kind": kind,
    }
    roles = {"core": core, "periphery": outer}
    return Portrait(members, {k: v for k, v in roles.items() if len(v)}, rows, facts)


def _words(candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    where = "" if candidate.key == ONE else f" in {facts['groups']} groups"
    return Words(
        "a core is in contact with all, and the others hardly with each other",
        f"{len(portrait.roles.get('core', ()))} agents are a core{where}: {facts['inner']:.0%} of the pairs inside it are in "
        f"contact, {facts['between']:.0%} of those with the periphery and {facts['outer']:.0%} inside the periphery",
        "as few contacts inside the periphery when links are rewired with every agent's links kept, or other agents "
        "meeting most others in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    """The same core follows from the initial contacts alone."""
    if window.channels is None:
        return ""
    pair = np.unique(np.sort(window.channels, axis=1), axis=0)
    met = np.unique(pair)
    if len(pair) >= 0.9 * len(met) * (len(met) - 1) / 2:  # everybody can reach everybody
        return ""
    core = lacking(window.n, pair[:, 0], pair[:, 1], met)[1]
    known = candidate.detail["core"]
    both = len(np.intersect1d(core, known))
    if 2 * both <= len(np.union1d(core, known)):
        return ""
    return f"{both} of the {len(known)} agents of the core are already the core of the initial contacts"


core_periphery = detectors.add("core_periphery")(
    Detector(
        name="core_periphery",
        kinds=("core",),
        needs=("target",),
        minimum=Minimum(agents=12, events=150, per_window=50),
        uses=contacts,
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(BEYOND, "N1F", _pairs, _statistic, "of links", applies=lambda c: c.key == ONE),
            Claim(EACH, "N1G", _grouped, _statistic_inside, "of links", applies=lambda c: c.key == MANY),
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
