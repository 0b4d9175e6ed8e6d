"""Synergy: a small team as a whole foretells what its members, taken one by one, do not. Small teams only.

Asked of all agents where there are SMALL or fewer, else of each group in the contacts that is that small. A sign of the
criterion alone is no evidence: independent members with long memories make it positive. Needs LEAST_TIMES common times.

Statistics, in bits: the parity or the sum of the members foretells itself better than they do (Psi of Rosas, Mediano et al.
2020, PLoS Comput. Biol. 16:e1008289), or two members foretell a third together (co-information, McGill 1954); definitions,
formulas and ranges stand with ``parity_synergy``, ``sum_synergy`` and ``pair_synergies`` in ``together``. Low: members say
the same, or nothing; high: the whole says what no member does. Chance level: that of NS, never 0. Null: NS, members' series
shifted apart at each level of the signals that all could observe; and N4. Fooled by: redundancy in larger teams, which
hides synergy; a driver off the record; fewer than some hundred common times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.foretelling import ACTIVITY, sources
from sim.detectors.granger import usable
from sim.detectors.groups import partition
from sim.detectors.nulls import Links
from sim.detectors.series import Sampled
from sim.detectors.together import Team, pair_synergies, parity_synergy, shift_within_levels, sum_synergy, team_of
from sim.detectors.window import NONE, Floats, Ints, Window

EVEN = "whether an even number of members is high foretells itself better than the members do"
SUM = "the members' sum foretells itself better than the members do"
PAIRS = "two members together foretell a third better than each does alone"
SMALL, LEAST_TEAM = 10, 2
LEAST_TIMES = 60  # common times with a next one
LEAST_CHANGES = 20  # of each member between high and low, for what is asked of signs
MOST_TEAMS = 6
CASES = 2  # halves of a window
DRAWS = 19
FEATURES = ("parity", "sum", "pairs")


def _refuses(window: Window) -> str:
    found = _series(window)
    return found if isinstance(found, str) else ""


def _series(window: Window) -> tuple[str, Sampled, Ints] | str:
    """The first series that are long enough (not how busy agents are): name, sample, places of agents that change."""
    why = "no states or values of at least two agents at common times"
    for name, found in sources(window):
        if found is None or name == ACTIVITY:
            continue
        _, agents = usable(found)
        places = np.flatnonzero(np.isin(found.agents, agents))
        if len(places) < LEAST_TEAM:
            why = f"fewer than {LEAST_TEAM} agents whose {name} changes often enough"
        elif found.follows.sum() < LEAST_TIMES:
            why = f"fewer than {LEAST_TIMES} common times in a row"
        else:
            return name, found, places
    return why


def _propose(window: Window, note: Callable[[str], None]) -> list[Candidate]:
    """Two candidates for each small team: the whole (parity of two-valued series, else the sum), and pairs."""
    read = _series(window)
    if isinstance(read, str):
        return []
    name, found, places = read
    teams = [places] if len(places) <= SMALL else _groups(window, found.agents, places)
    if not teams:
        note(f"more than {SMALL} agents and no group of at most {SMALL} in contact: synergy is for small teams only")
    if len(teams) > MOST_TEAMS:
        note(f"synergy is asked of the {MOST_TEAMS} largest of {len(teams)} small teams")
    dismissed = f"everybody reads {found.unknown[0]}, and the log does not say what it held" if found.unknown else ""
    series = team_of(found)
    made = []
    for k, team in enumerate(teams[:MOST_TEAMS]):
        members = tuple(int(a) for a in found.agents[team])
        which = "" if len(teams) == 1 else f" of team {k + 1}"
        two = all(len(np.unique(v)) <= 2 for v in found.series.values[team])
        for f, feature in ((0, "parity") if two else (1, "sum"), (2, "pairs")):
            why = dismissed or ("" if feature == "sum" else _sluggish(series, team))
            detail = {
                "feature": feature,
                "places": team,
                "team": series,
                "found": found,
                "name": name,
                "window": window,
            }
            made.append(Candidate(f"{feature}{which}", 3 * k + f, members, (frozenset(members),), detail, why))
    return made


def _sluggish(team: Team, places: Ints) -> str:
    """Why the members' signs are too few runs for a shift to tell anything, or an empty string."""
    signs = team.signs[places]
    changes = int((signs[:, team.now] != signs[:, team.now + 1]).sum(axis=1).min())
    return "" if changes >= LEAST_CHANGES else f"a member changes sides {changes} times, {LEAST_CHANGES} needed"


def _groups(window: Window, agents: Ints, places: Ints) -> list[Ints]:
    """Groups in the contacts with LEAST_TEAM to SMALL members that have series, the largest first."""
    rows = (window.target != NONE) & (window.target != window.source)
    if not rows.any():
        return []
    low, high = (
        np.minimum(window.source[rows], window.target[rows]),
        np.maximum(window.source[rows], window.target[rows]),
    )
    pair, count = np.unique(low * window.n + high, return_counts=True)
    labels = partition(Links(window.n, *np.divmod(pair, window.n), count, directed=False))[agents[places]]
    found = [places[labels == k] for k in np.unique(labels[labels >= 0])]
    return sorted((g for g in found if LEAST_TEAM <= len(g) <= SMALL), key=lambda g: -len(g))


def _sample(window: Window, candidates: Sequence[Candidate]) -> Team | None:
    """The members' series; None for a redrawn record, whose order in time is not that of the world."""
    detail = candidates[0].detail
    return detail["team"] if window is detail["window"] else None


def score(team: Team, places: Ints, feature: str) -> float:
    """The statistic of a feature (``together``), in bits."""
    if feature == "parity":
        return parity_synergy(team, places)
    return sum_synergy(team, places) if feature == "sum" else float(pair_synergies(team, places).max())


def _statistic(sample: Team, candidates: Sequence[Candidate]) -> Floats:
    return np.array([score(sample, c.detail["places"], str(c.detail["feature"])) for c in candidates])


def _concludes(candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    claim = {"parity": EVEN, "sum": SUM, "pairs": PAIRS}[str(candidate.detail["feature"])]
    return ("synergy", (claim,)) if claim in beaten else None


def _best(team: Team, places: Ints) -> Ints:
    """Places of the two members and of the third that they foretell best, shape (3,)."""
    found = pair_synergies(team, places)
    return places[np.array(np.unravel_index(int(found.argmax()), found.shape))]


def _foretold(team: Team, places: Ints, feature: str) -> Floats:
    """Whether the whole foretold right, less one half, at each of ``team.now``; of ``pairs`` the first two are the whole."""
    signs = team.signs[places]
    if feature == "pairs":
        return np.asarray((signs[0] * signs[1])[team.now] == signs[2, team.now + 1]) - 0.5
    whole = signs.prod(axis=0)
    if feature == "sum":
        total = team.values[places].sum(axis=0)
        whole = np.where(total > np.median(total), 1.0, -1.0)
    return np.asarray(whole[team.now] == whole[team.now + 1]) - 0.5


def _frames(parts: Sequence[Window], candidate: Candidate, _whole_window: Window) -> tuple[NDArray[Any], Ints, bool]:
    """How much oftener than by chance the whole foretold right in each half of each window; N4 exchanges right and wrong.

    Chance is the mean over DRAWS shifts (NS): members with a memory foretell their own sum in every window. Which two
    foretell which third is chosen from other times than those measured, or it would last by that choice.
    """
    team, places, feature = (candidate.detail[name] for name in ("team", "places", "feature"))
    start = np.array([part.span[0] for part in parts[1:]])
    window = np.searchsorted(start, candidate.detail["found"].times[team.now], side="right")
    total = np.bincount(window, minlength=len(parts))
    rank = np.arange(len(window)) - np.concatenate([[0], np.cumsum(total)])[window]
    quarter = 4 * rank // total[window]
    if feature == "pairs":
        places = _best(replace(team, now=team.now[quarter % 2 == 0]), places)
    measured = quarter % 2 == 1 if feature == "pairs" else np.ones(len(quarter), dtype=bool)
    cell, team = (window * CASES + quarter // 2)[measured], replace(team, now=team.now[measured])
    rng = np.random.default_rng(len(window))
    shifted = [replace(shift_within_levels(team, rng), now=team.now) for _ in range(DRAWS)]
    more = _foretold(team, places, feature) - np.mean([_foretold(t, places, feature) for t in shifted], axis=0)
    # Windows with more times count more.
    count = np.bincount(cell, minlength=len(parts) * CASES)
    excess = np.bincount(cell, weights=more, minlength=len(count)) / np.sqrt(np.maximum(count, 1))
    frames = np.stack([excess, -excess], axis=1).reshape(len(parts), -1)
    return frames, np.repeat(np.arange(CASES), 2), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Synergy at redrawn times over synergy at all times."""
    whole: Window = candidate.detail["window"]
    team: Team = candidate.detail["team"]
    feature, places = str(candidate.detail["feature"]), candidate.detail["places"]
    if damaged.rows != whole.rows:
        return 0.0
    rows = ((np.arange(len(team.now)) + 0.5) / len(team.now) * whole.rows).astype(np.int64)
    order = np.sort(damaged.seq)
    count = np.searchsorted(order, whole.seq[rows], "right") - np.searchsorted(order, whole.seq[rows], "left")
    before = score(team, places, feature)
    again = replace(team, now=np.repeat(team.now, count))
    return float(np.clip(score(again, places, feature) / before, 0.0, 1.0)) if before > 0 else 0.0


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    members = np.array(candidate.members, dtype=np.int64)
    feature = str(candidate.detail["feature"])
    roles = {"members": members}
    facts: dict[str, Any] = {"kind": kind, "about": candidate.detail["name"], "feature": feature, "team": len(members)}
    if feature == "pairs":
        found: Sampled = candidate.detail["found"]
        i, j, k = (int(found.agents[p]) for p in _best(candidate.detail["team"], candidate.detail["places"]))
        facts["together"], facts["foretold"] = [window.agents[i], window.agents[j]], window.agents[k]
        roles = {"foretell together": np.array([i, j]), "foretold": np.setdiff1d(np.array([k]), [i, j])}
        members = np.unique(np.array([i, j, k]))
    return Portrait(members, {r: a for r, a in roles.items() if len(a)}, np.zeros(window.rows, dtype=bool), facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    text = {
        "parity": f"whether an even number of {facts['team']} agents is high foretells itself, and no single agent does",
        "sum": f"the sum of {facts['team']} agents foretells itself better than the agents do one by one",
        "pairs": "two agents together foretell a third better than each alone",
    }[str(facts["feature"])]
    if "together" in facts:
        first, second = facts["together"]
        text = f"{first} and {second} together foretell {facts['foretold']} better than each alone"
    return Words(
        "the whole foretells what its members do not",
        f"{text}, in {facts['about']} (for small teams only)",
        "the same score when each agent's series is shifted in time, or when one member is replaced by its twin",
    )


def _standing(_window: Window, _candidate: Candidate) -> str:
    """What foretells needs two times, so it never stood before the first event."""
    return ""


def _claim(name: str, feature: str) -> Claim:
    return Claim(name, "NS", _sample, _statistic, "bits", applies=lambda c: c.detail["feature"] == feature)


synergy = detectors.add("synergy")(
    Detector(
        name="synergy",
        kinds=("synergy",),
        needs=(),
        minimum=Minimum(agents=2, events=LEAST_TIMES, per_window=12),
        uses=lambda window: np.ones(window.rows, dtype=bool),
        refuses=_refuses,
        propose=_propose,
        claims=(_claim(EVEN, "parity"), _claim(SUM, "sum"), _claim(PAIRS, "pairs")),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
        removals=(),  # a whole that is more than its members is gone with any one of them
    )
)
