"""Teams: groups of agents that meet each other more than anybody else, beyond what activity and degree explain.

Definition: partition of the agents in which contacts lie inside groups more than activity alone would have them. Statistic:
modularity of one quick Louvain partition of log-compressed contacts, Q = sum over groups of w_in / w - (s / 2 w)^2 (Newman
& Girvan 2004, Phys. Rev. E 69:026113). The teams named are those of an ensemble of partitions judged by the evidence of a
block model (``ensemble``), so the score is that of the question whether there are teams, not of the teams named. Range:
[-0.5, 1). Low: agents meet anybody; high: they meet their own. Chance level: 0.1 to 0.4 on sparse random graphs (never 0),
so it is read against N1F only, and *lasts* against N4. Fooled by: agents who come and go (asked against NE), a
neighbourhood or grid cut anywhere, stages of a one-way flow (left to ``stages``), teams smaller than about the root of
twice the number of links.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import stages
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.dyads import Dyads, begun
from sim.detectors.ensemble import ensemble
from sim.detectors.grouping import GROUPED, grouping, screened
from sim.detectors.groups import LEAST_TEAM, alike, partition
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Bools, Ints, Window

PER_AGENT = 3  # contacts per agent below which groups cannot be told
FROM_CONTACTS = 0.5  # agreement beyond chance with the groups of the initial contacts alone


def _uses(window: Window) -> Bools:
    return np.asarray((window.target >= 0) & (window.target != window.source))


def _refuses(window: Window) -> str:
    used = int(_uses(window).sum())
    if used == 0:
        return "no targets: who met whom is unknown"
    if used < PER_AGENT * window.n:
        return f"fewer than {PER_AGENT} contacts per agent"
    return ""


def links_of(window: Window) -> Links:
    """Pairs in contact, undirected, with the number of contacts."""
    rows = _uses(window)
    return _paired(window.n, window.source[rows], window.target[rows])


def _paired(n: int, source: Ints, target: Ints) -> Links:
    pair, count = np.unique(np.minimum(source, target) * n + np.maximum(source, target), return_counts=True)
    low, high = np.divmod(pair, max(n, 1))
    return Links(n, low, high, count, directed=False)


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    dismissed = screened(begun(window, _uses(window)))
    return [_candidate(partition(links_of(window)), 1.0, dismissed)]


def _refine(window: Window, _candidate_seen: Candidate) -> Candidate:
    """The groups of the ensemble instead of the quick ones that the test used."""
    found = ensemble(links_of(window))
    return _candidate(found.labels, found.resolution, stages.only_stretches(window, found.labels))


def followed(window: Window) -> list[frozenset[int]]:
    """The teams of one window, each a set of agents; who meets everybody alike is in none of them."""
    return _sets(ensemble(links_of(window), apart=True).labels)


def _sets(labels: Ints) -> list[frozenset[int]]:
    """Groups that are large enough for a team."""
    groups = [np.flatnonzero(labels == k) for k in range(int(labels.max(initial=-1)) + 1)]
    return [frozenset(g.tolist()) for g in groups if len(g) >= LEAST_TEAM]


def _candidate(labels: Ints, resolution: float, dismissed: str) -> Candidate:
    teams = tuple(_sets(labels))
    if len(teams) < 2:
        dismissed = dismissed or f"fewer than two groups of {LEAST_TEAM} agents"
    members = tuple(sorted(a for team in teams for a in team))
    return Candidate("", 0, members, teams, {"labels": labels, "resolution": resolution}, dismissed)


def _sample(window: Window, _candidates: Sequence[Candidate]) -> Dyads:
    return begun(window, _uses(window))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("teams", (GROUPED,)) if GROUPED in beaten else None


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """The groups of each window at the candidate's resolution."""
    resolution = float(candidate.detail["resolution"])
    labels = [partition(links_of(part), resolution=resolution) for part in parts]
    return np.stack(labels), np.zeros(whole.n, dtype=np.int64), True


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Agreement beyond chance of the groups in the damaged record with those of the whole, over agents still there."""
    again = partition(links_of(damaged), resolution=float(candidate.detail["resolution"]))
    return max(0.0, alike(candidate.detail["labels"], again)) if again.max(initial=-1) >= 0 else 0.0


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    teams = sorted(candidate.parts, key=lambda team: (-len(team), min(team)))
    roles = {f"team {k + 1}": np.array(sorted(team), dtype=np.int64) for k, team in enumerate(teams)}
    members = np.array(candidate.members, dtype=np.int64)
    owner = np.full(window.n + 1, NONE, dtype=np.int64)
    for number, agents in enumerate(roles.values()):
        owner[agents] = number
    rows = _uses(window) & (owner[window.source] >= 0) & (owner[window.target] >= 0)
    inside = float((owner[window.source[rows]] == owner[window.target[rows]]).mean()) if rows.any() else 0.0
    return Portrait(members, roles, rows, {"inside": inside, "kind": kind, "sizes": [len(t) for t in teams]})


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    sizes = ", ".join(str(s) for s in portrait.facts["sizes"][:6]) + (
        ", ..." if len(portrait.facts["sizes"]) > 6 else ""
    )
    return Words(
        "agents form teams",
        f"{len(portrait.roles)} teams of {sizes} agents keep {portrait.facts['inside']:.0%} of their contacts inside",
        "the same modularity after contacts are rewired with every agent's links kept, or other teams in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    if window.channels is None:
        return ""
    contacts = _paired(window.n, window.channels[:, 0], window.channels[:, 1])
    alone = partition(contacts, resolution=float(candidate.detail["resolution"]))
    if alone.max(initial=-1) < 1:
        return ""
    like = alike(alone, candidate.detail["labels"])
    if like < FROM_CONTACTS:
        return ""
    return f"the same groups follow from the initial contacts alone (agreement beyond chance {like:.2f})"


teams = detectors.add("teams")(
    Detector(
        name="teams",
        kinds=("teams",),
        needs=("target",),
        minimum=Minimum(agents=8, events=120, per_window=40),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        refine=_refine,
        claims=(Claim(GROUPED, "N1F", _sample, grouping, "modularity of a quick partition"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
        followed=followed,
    )
)
