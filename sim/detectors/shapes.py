"""Shapes: what the whole of the contacts is like, on two levels; a composition of two, or unlike anything known.

Level 0 looks at agents. Where contacts run along common lines beyond degrees and replies (N1R), their graph is compared
with templates of human organisation (``templates``). What other detectors look for, such as teams or a hierarchy, is left
to them; councils, federations, nested circles, blackboards, matrices and two-sided markets are named here; and what is
like none of the templates, at a calibrated rate of error, is *unclassified* and gets the id of its pattern
(``unnamed``).

Level 1 looks at groups of agents. Where there are groups (N1F), the contacts between them are compared with what each
group's amount of them explains (NB), or the busiest group with random groups (NG). If they are uneven, the image graph is
compared with templates for so many groups: a *ring of teams*, a *pipeline of teams*, a *hub of teams*.

Noise is unlike every template too. So nothing is classified that has not beaten its nulls, and nothing counts that does
not last (N4). The templates are calibrated for up to a fifth of the contacts scattered and of the links moved; beyond,
more is called unclassified than there is. Outside 20 to 100 agents the answer is "insufficient data".

Statistics: of agents ``embedding.leading_share`` (against N1R); of groups their modularity (against N1F), ``image.uneven``,
the share of the flow between groups that would have to move for their amounts to explain it (against NB), and
``image.most_carried`` (against NG); ranges, chance levels and what fools each stand there. Names come by split-conformal
p-values over features that do not grow with size (Bates, Candes, Lei, Romano, Sesia 2023, Ann. Statist. 51:149).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import blockmodel, dyads, image, ranks, unnamed
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.embedding import leading_share
from sim.detectors.ensemble import ensemble
from sim.detectors.features import table
from sim.detectors.grouping import grouping, screened
from sim.detectors.groups import LEAST_TEAM, alike, partition
from sim.detectors.measures import order
from sim.detectors.nulls import Links
from sim.detectors.rings import read_ring
from sim.detectors.templates import SIZES, SMALL, UNCLASSIFIED, Likeness, classify, classify_image, large
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

AGENTS, GROUPS = 0, 1  # keys of the candidates: the level looked at
PER_AGENT = 10  # contacts per agent below which the templates are not calibrated
SCREEN = 5  # surrogates of the cheap look that decides whether a graph is worth describing
LEAST_BETWEEN = 40  # contacts between groups
HERE = ("matrix", "market", "council", "blackboard", "nested circles", "federation")  # named by no other detector
UNKNOWN = "teams of teams"  # groups whose image was not looked at, because their claims did not survive correction
PLAIN = ("mesh", UNCLASSIFIED)  # images that make no composition
MOSTLY = 0.5  # share of agents in classes that keep to themselves, from which the classes are groups
DISTINCT = 0.8  # share of agents that deal with their own group TWICE as much as with any other, for groups to be apart
TWICE = 2.0
LADDER = 0.3  # coherence from which a ladder is plain
SHAPED = "contacts run along common lines, beyond degrees and replies"
GROUPED = "contacts are grouped beyond degrees, for groups to be compared"
PARTNERS = "groups have partners, beyond how much each deals with others"
CARRIED = "one group carries the contacts between groups, beyond its busiest agents"


def _uses(window: Window) -> Bools:
    return np.asarray((window.target >= 0) & (window.target != window.source))


def _refuses(window: Window) -> str:
    used = int(_uses(window).sum())
    if used == 0:
        return "no targets: who met whom is unknown"
    if not SIZES[0] <= window.n <= SIZES[1]:
        return f"templates are calibrated for {SIZES[0]} to {SIZES[1]} agents"
    return f"fewer than {PER_AGENT} contacts per agent" if used < PER_AGENT * window.n else ""


def links_of(window: Window, *, directed: bool) -> Links:
    """Pairs in contact with the number of contacts."""
    rows = _uses(window)
    source, target = window.source[rows], window.target[rows]
    if not directed:
        source, target = np.minimum(source, target), np.maximum(source, target)
    pair, count = np.unique(source * window.n + target, return_counts=True)
    first, second = np.divmod(pair, max(window.n, 1))
    return Links(window.n, first, second, count, directed=directed)


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    """Both levels after a quick look; what they are like is read off once their claims hold."""
    links = links_of(window, directed=True)
    agents = Candidate("the agents", AGENTS, _members(window), (), {"kind": "", "like": None}, _screen(links))
    dismissed = _ungrouped(window)
    label = np.full(window.n, NONE, dtype=np.int64) if dismissed else ensemble(links_of(window, directed=False)).labels
    return [agents, _grouping(window, label, dismissed)]


def _refine(window: Window, candidate: Candidate) -> Candidate:
    """What a candidate is like, or why it is nothing that this detector reports."""
    if candidate.key == GROUPS:
        return _composed(window)
    composed = _ungrouped(window) or _composed(window).dismissed
    if not composed:
        return replace(candidate, dismissed="it is a composition of teams")
    links = links_of(window, directed=True)
    like = classify(table(links))
    if like is None:
        return replace(candidate, dismissed=f"templates are calibrated for {SIZES[0]} to {SIZES[1]} agents in contact")
    kind = _kind(like)
    dismissed = "" if kind else f"it is like {like.name}, which another detector looks for"
    if like.name == UNCLASSIFIED:
        dismissed = _named_elsewhere(links) or _in_teams(window)
    return replace(candidate, detail={"kind": kind, "like": like}, dismissed=dismissed)


def _members(window: Window) -> tuple[int, ...]:
    rows = _uses(window)
    return tuple(np.unique(np.concatenate([window.source[rows], window.target[rows]])).tolist())


def _kind(like: Likeness) -> str:
    """The kind of structure that a likeness makes, or an empty string where another detector looks for it."""
    if like.name == UNCLASSIFIED:
        return f"{UNCLASSIFIED}:{unnamed.shipped().name(like.features)}"
    return like.name if like.name in HERE else ""


def _named_elsewhere(links: Links) -> str:
    """Why a graph unlike every template has a name all the same: its agents stand in a ring, on a ladder, or in roles."""
    flow = table(links)
    if not read_ring(flow).fault:
        return "its agents form the stations of a ring, which another detector looks for"
    climbing = _climbing(links)
    if climbing >= LADDER:
        return f"its agents stand on one ladder (coherence {climbing:.2f}), which another detector looks for"
    tried = blockmodel.held_back(links)
    role = blockmodel.equivalent(links, tried.chosen)
    classes = int(role.max(initial=-1)) + 1
    apart = blockmodel.keeping_to_themselves(links, role) < MOSTLY
    if classes < 2 or not apart or tried.gain(tried.chosen) <= tried.teams.mean():
        return ""
    rates = blockmodel.image(links, role)
    np.fill_diagonal(rates, 0.0)
    like = classify_image(rates) if SMALL[0] <= classes <= SMALL[1] else None
    if classes == 2 or (like is not None and like.name not in PLAIN):
        shape = "two roles" if like is None else f"a {like.name} of {classes} roles"
        return f"its agents form {shape}, which another detector looks for"
    return ""


def _screen(links: Links) -> str:
    """Why a description would be wasted: the statistic is within the range of a few rewired graphs."""
    rng = np.random.default_rng([len(links.source), int(links.count.sum())])
    score, pairs = leading_share(links), dyads.pairs(links)
    drawn = sorted(leading_share(dyads.rewire_pairs(pairs, rng).links()) for _ in range(SCREEN))
    if score <= drawn[-1]:
        return f"contacts run along common lines no more than those of {SCREEN} rewired graphs"
    # Uneven activity that is answered, and two-way trees, pass N1R too often; they predict no link that was held back.
    return (
        "one class of agents predicts links that were held back as well"
        if blockmodel.held_back(links).chosen == 1
        else ""
    )


def _ungrouped(window: Window) -> str:
    """Why there are no groups: modularity is within the range of a few rewired graphs."""
    return "there are no groups to compare" if screened(dyads.begun(window, _uses(window))) else ""


def _grouping(window: Window, label: Ints, dismissed: str) -> Candidate:
    label = _settled(window, label)
    groups = int(label.max(initial=-1)) + 1
    parts = tuple(frozenset(np.flatnonzero(label == g).tolist()) for g in range(groups))
    members = tuple(np.flatnonzero(label >= 0).tolist())
    detail = {"label": label, "groups": groups, "kind": "", "like": None}
    return Candidate("groups", GROUPS, members, parts, detail, dismissed or _indistinct(window, label, groups))


def _composed(window: Window) -> Candidate:
    """The groups of the ensemble and what their image is like."""
    found = _grouping(window, ensemble(links_of(window, directed=False)).labels, "")
    if found.dismissed:
        return found
    between = _between(window, found.detail["label"], int(found.detail["groups"]))
    like = classify_image(image.normalised(image.image(between), between.sizes))
    name = "" if like is None or like.name in PLAIN else like.name
    dismissed = "" if name else "the image of the groups has no shape of its own"
    if name in ("pipeline", "hierarchy") and _climbing(links_of(window, directed=True)) >= LADDER:
        dismissed = "its agents stand on one ladder, which another detector looks for"
    detail = {**found.detail, "kind": f"{name} of teams", "like": like}
    return replace(found, detail=detail, dismissed=dismissed)


def _indistinct(window: Window, label: Ints, groups: int) -> str:
    """Why groups make no image: too few or many, hardly in contact, or stretches of something without borders."""
    if not SMALL[0] <= groups <= SMALL[1]:
        return f"images are calibrated for {SMALL[0]} to {SMALL[1]} groups, there are {groups}"
    if _between(window, label, groups).count.sum() < LEAST_BETWEEN:
        return f"fewer than {LEAST_BETWEEN} contacts between groups"
    apart = _apart(window, label, groups)
    return "" if apart >= DISTINCT else f"only {apart:.0%} of the agents clearly belong to one group: no borders"


def _apart(window: Window, label: Ints, groups: int) -> float:
    """Share of all agents that deal with members of their own group TWICE as much as with those of any other."""
    inside = label >= 0
    flow = _with_groups(window, label, groups)[inside]
    rate = flow / np.maximum(np.bincount(label[inside], minlength=groups), 1)
    here = np.arange(len(rate)), label[inside]
    own = rate[here]
    rate[here] = 0.0
    return float((own >= TWICE * rate.max(axis=1)).sum() / len(label))


def _in_teams(window: Window) -> str:
    """Why a graph unlike every template has a name all the same: its agents form teams with borders."""
    if _ungrouped(window):
        return ""
    label = _settled(window, ensemble(links_of(window, directed=False)).labels)
    groups = int(label.max(initial=-1)) + 1
    if groups < 2 or _apart(window, label, groups) < DISTINCT:
        return ""
    return f"its agents form {groups} teams, which another detector looks for"


def _climbing(links: Links) -> float:
    return order(links.n, links.source, links.target, ranks.class_weights(links.count))


def _with_groups(window: Window, label: Ints, groups: int) -> Floats:
    """Contacts of each agent with each group in either direction, shape (n, groups)."""
    rows = np.flatnonzero(_uses(window))
    flow = np.zeros((window.n, groups))
    for one, other in ((window.source, window.target), (window.target, window.source)):
        known = rows[label[other[rows]] >= 0]
        np.add.at(flow, (one[known], label[other[known]]), 1.0)
    return flow


def _settled(window: Window, label: Ints) -> Ints:
    """Groups large enough for a team, without agents who deal more with another group; numbered from 0."""
    large = np.flatnonzero(np.bincount(label[label >= 0], minlength=1) >= LEAST_TEAM)
    place = np.full(int(label.max(initial=-1)) + 2, NONE, dtype=np.int64)
    place[large] = np.arange(len(large))
    label = place[label]
    return image.fitting(_with_groups(window, label, len(large)), label) if len(large) else label


def _between(window: Window, label: Ints, groups: int) -> image.Between:
    return image.between(window, label, groups, np.flatnonzero(_uses(window)))


def _pairs(window: Window, _candidates: Sequence[Candidate]) -> dyads.Dyads:
    return dyads.pairs(links_of(window, directed=True))


def _shaped(sample: dyads.Dyads, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), leading_share(sample.links()))


def _begun(window: Window, _candidates: Sequence[Candidate]) -> dyads.Dyads:
    return dyads.begun(window, _uses(window))


def _images(window: Window, candidates: Sequence[Candidate]) -> image.Between:
    return _between(window, candidates[0].detail["label"], int(candidates[0].detail["groups"]))


def _uneven(sample: image.Between, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), image.uneven(sample))


def _loads(window: Window, candidates: Sequence[Candidate]) -> image.Loads:
    return image.loads(_images(window, candidates))


def _carried(sample: image.Loads, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), image.most_carried(sample))


def _of_agents(candidate: Candidate) -> bool:
    return candidate.key == AGENTS


def _of_groups(candidate: Candidate) -> bool:
    return candidate.key == GROUPS


def _concludes(candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    """The kind is known once the candidate is refined; before, either claim about groups leads on."""
    kind = str(candidate.detail["kind"])
    if candidate.key == AGENTS:
        return (kind or f"{UNCLASSIFIED}:{unnamed.NEW}", (SHAPED,)) if SHAPED in beaten else None
    wanted = (CARRIED,) if kind.startswith("hub") else (PARTNERS,) if kind else (PARTNERS, CARRIED)
    second = next((claim for claim in wanted if claim in beaten), None)
    return (kind or UNKNOWN, (second, GROUPED)) if second and GROUPED in beaten else None


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Level 0: contacts of each agent with every other, per window; level 1: contacts from group to group."""
    if candidate.key == AGENTS:
        n = whole.n
        return np.stack([table(links_of(part, directed=True)).ravel() for part in parts]), np.arange(n * n) // n, False
    label, groups = candidate.detail["label"], int(candidate.detail["groups"])
    flows = [image.image(_between(part, label, groups)) for part in parts]
    values = np.stack([(flow - image.expected(flow)).ravel() for flow in flows])
    if str(candidate.detail["kind"]).startswith("hub"):  # which has no other image than that of its margins
        return np.stack([flow.ravel() for flow in flows]), _cells(groups), False
    return values, _cells(groups), False


def _cells(groups: int) -> Ints:
    """Cells of an image that may change places: those off the diagonal."""
    return np.eye(groups, dtype=np.int64).ravel()


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Agreement of groups on level 1; on level 0 whether it is still like what it was like, by its p-value over alpha."""
    if candidate.key == GROUPS:
        again = partition(links_of(damaged, directed=False))
        return max(0.0, alike(candidate.detail["label"], again)) if again.max(initial=-1) >= 0 else 0.0
    if not _uses(damaged).any():
        return 0.0
    links = links_of(damaged, directed=True)
    like, whole = candidate.detail["like"], leading_share(links)
    met = len(np.unique(np.concatenate([links.source, links.target])))
    if like is None or whole <= 0.0 or met < SIZES[0] // 2:
        return 0.0
    return min(1.0, met / len(candidate.members))


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    members = np.array(candidate.members, dtype=np.int64)
    like = candidate.detail["like"]
    facts: dict[str, Any] = {"level": candidate.key, "kind": kind}
    if like is not None:
        ranked = sorted(like.fits.items(), key=lambda pair: -pair[1])
        facts |= {"fits": {name: round(p, 4) for name, p in ranked}, "nearest": ranked[0][0], "p": like.p}
    if candidate.key == AGENTS:
        facts["features"] = [] if like is None else like.features.tolist()
        return Portrait(members, {"member": members}, _uses(window), facts)
    label, groups = candidate.detail["label"], int(candidate.detail["groups"])
    roles = {f"team {g + 1}": np.flatnonzero(label == g) for g in range(groups)}
    facts |= {
        "sizes": [len(agents) for agents in roles.values()],
        "image": image.image(_between(window, label, groups)).tolist(),
    }
    held = np.append(label >= 0, False)
    return Portrait(members, roles, _uses(window) & held[window.source] & held[window.target], facts)


def _words(candidate: Candidate, kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    if candidate.key == GROUPS:
        sizes = ", ".join(str(s) for s in facts["sizes"])
        return Words(
            f"teams form a {kind.removesuffix(' of teams')}",
            f"{len(facts['sizes'])} teams ({sizes} agents) deal with each other as a {kind}",
            "the same image once links between groups are rewired with every agent's amount of them kept, or another image "
            "in later windows",
        )
    refuted = (
        "contacts that run as much along common lines once pairs of agents are rewired, or others in later windows"
    )
    if kind.startswith(UNCLASSIFIED):
        far = unnamed.described(large().scaled(np.array(facts["features"])))
        return Words(
            "contacts have a shape like no template",
            f"contacts have a shape of their own, {kind.partition(':')[2]}, unlike all templates (nearest {facts['nearest']}, "
            f"p = {facts['p']:.2g}): {far}",
            refuted,
        )
    return Words(
        f"contacts form a {kind}", f"the whole of the contacts is like a {kind} (p = {facts['p']:.2g})", refuted
    )


def _standing(window: Window, candidate: Candidate) -> str:
    if window.channels is None:
        return ""
    ones = np.zeros((window.n, window.n))
    ones[window.channels[:, 0], window.channels[:, 1]] = 1.0
    like = classify(ones) if candidate.key == AGENTS else None
    mine = candidate.detail["like"]
    if like is None or mine is None or like.name != mine.name or like.name == UNCLASSIFIED:
        return ""
    return f"the initial contacts are already like a {like.name}"


shapes = detectors.add("shapes")(
    Detector(
        name="shapes",
        kinds=(
            *HERE,
            *(f"{name} of teams" for name in ("ring", "pipeline", "hub", "hierarchy", "teams", "market")),
            UNCLASSIFIED,
        ),
        needs=("target",),
        minimum=Minimum(agents=SIZES[0], events=200, per_window=60),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        refine=_refine,
        claims=(
            Claim(SHAPED, "N1R", _pairs, _shaped, "share of the squared deviation", _of_agents),
            Claim(GROUPED, "N1F", _begun, grouping, "modularity", _of_groups),
            Claim(PARTNERS, "NB", _images, _uneven, "share of the flow", _of_groups),
            Claim(CARRIED, "NG", _loads, _carried, "times the mean", _of_groups),
        ),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
