"""Teams: groups of agents that meet each other more than anybody else, beyond what activity and degree explain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sknetwork.clustering import Louvain

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.measures import agreement_beyond_chance, shared_information
from sim.detectors.nulls import MOST_REWIRED, Links, rewire
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

RESOLUTIONS = (0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
SEEDS = 3
SCREEN = 5  # surrogates of the cheap look that decides whether an ensemble and a test are worth their time
LEAST_TEAM = 3
PER_AGENT = 3  # contacts per agent below which groups cannot be told
FROM_CONTACTS = 0.5  # agreement beyond chance with the groups of the initial contacts alone
GROUPED = "contacts are grouped beyond degrees"


def _uses(window: Window) -> Bools:
    return np.asarray((window.target >= 0) & (window.target != window.source))


def _refuses(window: Window) -> str:
    used = int(_uses(window).sum())
    if used == 0:
        return "no targets: who met whom is unknown"
    if used < PER_AGENT * window.n:
        return f"fewer than {PER_AGENT} contacts per agent"
    return f"more than {MOST_REWIRED} agents, which the null N1 does not take yet" if window.n > MOST_REWIRED else ""


def links_of(window: Window) -> Links:
    """Pairs in contact, undirected, with the number of contacts."""
    rows = _uses(window)
    return _paired(window.n, window.source[rows], window.target[rows])


def _paired(n: int, source: Ints, target: Ints) -> Links:
    pair, count = np.unique(np.minimum(source, target) * n + np.maximum(source, target), return_counts=True)
    low, high = np.divmod(pair, max(n, 1))
    return Links(n, low, high, count, directed=False)


def _weights(links: Links) -> csr_matrix:
    """Symmetric matrix of log(1 + contacts): a hundred meetings are not a hundred times one."""
    weight = np.log1p(links.count)
    ends = (np.concatenate([links.source, links.target]), np.concatenate([links.target, links.source]))
    return csr_matrix((np.concatenate([weight, weight]), ends), shape=(links.n, links.n))


def partition(links: Links, *, resolution: float, seed: int) -> Ints:
    """Louvain groups of agents, shape (n,); agents without contacts get NONE."""
    if len(links.source) == 0:
        return np.full(links.n, NONE, dtype=np.int64)
    matrix = _weights(links)
    louvain = Louvain(resolution=resolution, random_state=seed, shuffle_nodes=seed > 0)
    labels = np.asarray(louvain.fit_predict(matrix), dtype=np.int64)
    labels[np.diff(matrix.indptr) == 0] = NONE
    return labels


def modularity(links: Links, labels: Ints) -> float:
    """Weight inside groups minus the share expected from strengths, on log-compressed contacts.

    Definition: Newman's modularity. Formula: sum over groups of w_in / w - (strength / 2w)^2. Range: [-0.5, 1].
    Low: no groups; high: separate groups. Chance level: 0.1-0.6 on random graphs, higher the sparser, so it is read
    against N1 with the same optimisation only. Null: N1. Reference: Newman & Girvan 2004, Phys. Rev. E 69:026113.
    """
    weight = np.log1p(links.count)
    total = weight.sum()
    if total <= 0:
        return 0.0
    inside = weight[labels[links.source] == labels[links.target]].sum() / total
    strength = np.bincount(links.source, weight, links.n) + np.bincount(links.target, weight, links.n)
    group = np.bincount(np.maximum(labels, 0), strength)
    return float(inside - ((group / (2 * total)) ** 2).sum())


def _best(links: Links) -> float:
    return modularity(links, partition(links, resolution=1.0, seed=0))


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    links = links_of(window)
    dismissed = _screen(links)
    labels, resolution = (partition(links, resolution=1.0, seed=0), 1.0) if dismissed else plateau(links)
    groups = [np.flatnonzero(labels == k) for k in range(int(labels.max(initial=-1)) + 1)]
    teams = tuple(frozenset(int(a) for a in g) for g in groups if len(g) >= LEAST_TEAM)
    if len(teams) < 2:
        dismissed = dismissed or f"fewer than two groups of {LEAST_TEAM} agents"
    members = tuple(sorted(a for team in teams for a in team))
    return [Candidate("", 0, members, teams, {"labels": labels, "resolution": resolution}, dismissed)]


def _screen(links: Links) -> str:
    """Why a full test would be wasted: modularity is within the range of a few rewired graphs."""
    rng = np.random.default_rng([len(links.source), int(links.count.sum())])
    score = _best(links)
    drawn = sorted(_best(rewire(links, rng)) for _ in range(SCREEN))
    return "" if score > drawn[-2] else f"modularity {score:.2f} is not above that of {SCREEN} rewired graphs"


def plateau(links: Links) -> tuple[Ints, float]:
    """Groups at the resolution where they change least: between seeds, and towards the neighbouring resolutions.

    Returns the labels, shape (n,), of the run that agrees most with the others at that resolution, and the resolution.
    """
    runs = [[partition(links, resolution=r, seed=s) for s in range(SEEDS)] for r in RESOLUTIONS]
    inner = [float(np.mean([_alike(a, b) for a, b in combinations(group, 2)])) for group in runs]
    step = [_alike(a[0], b[0]) for a, b in pairwise(runs)]
    outer = [float(np.mean(step[max(k - 1, 0) : k + 1])) for k in range(len(runs))]
    trivial = [group[0].max() < 1 or np.median(np.bincount(group[0][group[0] >= 0])) < LEAST_TEAM for group in runs]
    stable = [-1.0 if t else i + o for i, o, t in zip(inner, outer, trivial, strict=True)]
    best = int(np.argmax(stable))
    centre = [sum(_alike(a, b) for b in runs[best]) for a in runs[best]]
    return runs[best][int(np.argmax(centre))], RESOLUTIONS[best]


def _alike(a: Ints, b: Ints) -> float:
    both = (a >= 0) & (b >= 0)
    if max(int(a.max(initial=0)), int(b.max(initial=0))) > 40:  # exact chance correction costs groups squared
        return shared_information(a[both], b[both])
    return agreement_beyond_chance(a[both], b[both])


def _sample(window: Window, _candidates: Sequence[Candidate]) -> Links:
    return links_of(window)


def _statistic(sample: Links, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), _best(sample))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("teams", (GROUPED,)) if GROUPED in beaten else None


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """The groups of each window at the candidate's resolution; the whole run is the candidate itself."""
    resolution = float(candidate.detail["resolution"])
    if len(parts) == 1 and parts[0] is whole:
        labels = [candidate.detail["labels"]]
    else:
        labels = [partition(links_of(part), resolution=resolution, seed=0) for part in parts]
    return np.stack(labels), np.zeros(whole.n, dtype=np.int64), True


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Agreement beyond chance of the groups in the damaged record with those of the whole, over agents still there."""
    again = partition(links_of(damaged), resolution=float(candidate.detail["resolution"]), seed=0)
    return max(0.0, _alike(candidate.detail["labels"], again)) if again.max(initial=-1) >= 0 else 0.0


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
    alone = partition(contacts, resolution=float(candidate.detail["resolution"]), seed=0)
    if alone.max(initial=-1) < 1:
        return ""
    alike = _alike(alone, candidate.detail["labels"])
    if alike < FROM_CONTACTS:
        return ""
    return f"the same groups follow from the initial contacts alone (agreement beyond chance {alike:.2f})"


teams = detectors.add("teams")(
    Detector(
        name="teams",
        kinds=("teams",),
        needs=("target",),
        minimum=Minimum(agents=8, events=100, per_window=40),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(Claim(GROUPED, "N1", _sample, _statistic, "modularity"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
