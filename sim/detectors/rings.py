"""Rings: stations in a circle, each passing on to the next, the last to the first, and hardly any the other way.

The claim: contacts have a *rhythm*. The matrix of who passes on to whom has a complex mode, as walkers on a circle of k
stations have at the angle 2 pi / k, that turns more than with partners exchanged, those who answer among themselves (N1R;
N1 makes answers where there were none, which turn nothing, so any graph of one-way links would seem to turn). Ladders,
teams and circles of neighbours who deal with both sides alike have only real modes; nothing in them turns.

The stations are read off the phases of the mode and refined; their number is the one that describes the contacts in the
fewest nats. A chain whose last stage starts anew anywhere has a weak rhythm too; so every station has to pass on to the
next, and twice as much as comes back. Two groups that contact each other by turns have a real mode (-1), so they
are no ring.

Statistic, range, chance level and what fools it stand with ``rhythm`` and ``modes``. Sources: the phases of a k-cycle are
those of circulant matrices (Davis 1979); reading stations off complex modes is after the cyclic block structure of directed
graphs (Cucuringu, Li, Sun, Zanetti 2020, AISTATS).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import streams
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.dyads import Dyads, pairs
from sim.detectors.groups import alike
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

MOST_AGENTS = 400  # beyond, modes take too long for hundreds of surrogates
PER_AGENT = 3  # contacts per agent below which no ring can be told
SHORTEST = 3
LONGEST_OF_GROUPS = 16  # stations tried besides a ring of single agents
WIDEST = 2.0 * np.pi / SHORTEST * 1.1  # angle of the mode of the shortest ring, and a tenth for noise
NEAR_TOP = 0.8  # of the strongest mode, from which a slower one counts as the ring's own
LEAST_ON = 0.3  # share of what a station gives that has to go to the next
ROUNDS = 20
MOST_BACK = 0.5  # of what goes onward, above which there is no sense of rotation
RHYTHM = "contacts go round with a rhythm, beyond degrees"


@dataclass(frozen=True)
class Ring:
    """A ring read off contacts.

    Attributes:
        length: Number of stations; 0 where there is none.
        station: Station of each agent, shape (n,), NONE for agents without contacts.
        onward: Share of each station's contacts that goes to the next, shape (length,).
        backward: The same for the one before.
    """

    length: int
    station: Ints
    onward: Floats
    backward: Floats

    @property
    def fault(self) -> str:
        """Why it is no ring after all, or an empty string."""
        if self.length == 0:
            return "contacts have no rhythm: no number of stations describes them better than activity alone"
        if self.onward.min() < LEAST_ON:
            return f"a station passes only {self.onward.min():.0%} of its contacts on to the next: no ring"
        if self.backward.mean() > MOST_BACK * self.onward.mean():
            return "as much goes back to the station before: a circle without a sense of rotation"
        return ""


def modes(flow: Floats) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Complex modes of who passes on to whom: eigenvalues with 0 < angle <= WIDEST, strongest first, and phases.

    Definition: eigenvalues and right eigenvectors of W / root((out + mean out)(in + mean in)). Range of the modulus:
    [0, 1). Low: no circulation; high: flow goes round (with degrees alike, half the share of it that does). Chance level:
    about 1 / (2 root of partners per agent), so it is read against N1R. Null: N1R. Fooled by: small closed circles among
    agents with few contacts, which the added means damp.

    Args:
        flow: Contacts, row = giver, shape (n, n).
    """
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    values, vectors = np.linalg.eig(flow / np.sqrt(np.outer(out + out.mean(), into + into.mean())))
    angle = np.angle(values)
    turning = np.flatnonzero((angle > 1e-6) & (angle <= WIDEST) & (np.abs(values) > 1e-9))
    turning = turning[np.argsort(-np.abs(values[turning]), kind="stable")]
    return values[turning], vectors[:, turning]


def rhythm(flow: Floats) -> float:
    """Largest imaginary part of the modes: how much of the flow turns.

    Definition: see ``modes``; all harmonics of a ring are as strong as the first, and one of them is nearly imaginary.
    Range: [0, 1). Low: flow runs to and fro, or one way through; high: it goes round. Chance level: about 1 / (2 root of
    partners per agent). Null: N1R.
    """
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    values = np.linalg.eigvals(flow / np.sqrt(np.outer(out + out.mean(), into + into.mean())))
    return float(values.imag[np.angle(values) <= WIDEST].max(initial=0.0))


def read_ring(flow: Floats) -> Ring:
    """The ring that describes the contacts in the fewest nats: stations from the phases of the slowest strong mode.

    Definition: for each number of stations the log-likelihood of contacts that go onward with one rate and anywhere else
    with another, both relative to activity, less log(stations) for each agent. Fooled by: stations of very unequal size.

    Args:
        flow: Contacts, row = giver, shape (n, n), zero on the diagonal.
    """
    n = len(flow)
    met = (flow.sum(axis=0) + flow.sum(axis=1)) > 0
    values, vectors = modes(flow[np.ix_(met, met)]) if met.sum() >= SHORTEST else (np.zeros(0), np.zeros((0, 0)))
    none = Ring(0, np.full(n, NONE, dtype=np.int64), np.zeros(0), np.zeros(0))
    if len(values) == 0:
        return none
    small = flow[np.ix_(met, met)]
    strong = np.flatnonzero(np.abs(values) >= NEAR_TOP * np.abs(values[0]))
    slowest = strong[np.argmin(np.angle(values[strong]))]
    phase = np.angle(vectors[:, slowest]) / (2.0 * np.pi) % 1.0
    count = len(small)
    tried = [*range(SHORTEST, min(LONGEST_OF_GROUPS, count) + 1), *([count] if count > LONGEST_OF_GROUPS else [])]
    best, found = 0.0, none
    for length in tried:
        station = _refined(small, _sectors(phase, length), length)
        gained = _gain(small, station, length) - count * np.log(length)
        if gained > best:
            labels = np.full(n, NONE, dtype=np.int64)
            labels[met] = station
            best, found = gained, Ring(length, labels, *(_passed(small, station, length, by) for by in (1, -1)))
    return found


def _sectors(phase: Floats, length: int) -> Ints:
    """Agents cut into ``length`` sectors of the circle at the offset in which they lie closest to the middle of theirs.

    For a ring of single agents each is a sector, in the order of phases.
    """
    if length == len(phase):
        station = np.empty(length, dtype=np.int64)
        station[np.argsort(phase, kind="stable")] = np.arange(length)
        return station
    middle = np.angle(np.exp(2j * np.pi * phase * length).sum()) / (2.0 * np.pi * length)
    return np.asarray(np.round((phase - middle) * length).astype(np.int64) % length)


def _refined(flow: Floats, station: Ints, length: int) -> Ints:
    """Agents moved to the station whose next they give to and whose last they take from, until nothing changes."""
    if length == len(flow):
        return station
    out, into = flow.sum(axis=1), flow.sum(axis=0)
    total = flow.sum()
    for _ in range(ROUNDS):
        member = np.eye(length)[station]
        gives, takes = flow @ member, flow.T @ member
        # What activity alone would give is taken off, so that a large station draws nobody.
        gives -= np.outer(out, into @ member) / total
        takes -= np.outer(into, out @ member) / total
        fit = np.roll(gives, -1, axis=1) + np.roll(takes, 1, axis=1)
        moved = fit.argmax(axis=1)
        if (moved == station).all():
            break
        station = moved
    return station


def _passed(flow: Floats, station: Ints, length: int, by: int) -> Floats:
    """Share of what each station gives that goes ``by`` stations on."""
    member = np.eye(length)[station]
    image = member.T @ flow @ member
    given = image.sum(axis=1)
    return np.asarray(image[np.arange(length), (np.arange(length) + by) % length] / np.maximum(given, 1e-12))


def _gain(flow: Floats, station: Ints, length: int) -> float:
    """Nats gained by an onward rate of its own over activity alone."""
    member = np.eye(length)[station]
    image = member.T @ flow @ member
    total = image.sum()
    here, onward = np.arange(length), (np.arange(length) + 1) % length
    share = image[here, onward].sum() / total
    chance = (image.sum(axis=1) * image.sum(axis=0)[onward]).sum() / total**2
    if not 0.0 < chance < share:
        return 0.0
    rest = (1.0 - share) * np.log((1.0 - share) / (1.0 - chance)) if share < 1.0 else 0.0
    return float(total * (share * np.log(share / chance) + rest))


def _uses(window: Window) -> Bools:
    """Handoffs where most contacts are such, else what starts a contact."""
    passed, started = streams.forward(window), streams.initiated(window)
    return passed if passed.sum() >= started.sum() else started


def _refuses(window: Window) -> str:
    if not bool((window.target >= 0).any()):
        return "no targets: who passed on to whom is unknown"
    used = int(_uses(window).sum())
    if used == 0:
        return "no event starts a contact with another agent or passes an item on"
    if used < PER_AGENT * window.n:
        return f"fewer than {PER_AGENT} contacts per agent"
    return f"more than {MOST_AGENTS} agents; restrict the log to a part of them" if window.n > MOST_AGENTS else ""


def links_of(window: Window) -> Links:
    """Links from those who pass on to those who take, with the number of contacts."""
    rows = _uses(window)
    pair, count = np.unique(window.source[rows] * window.n + window.target[rows], return_counts=True)
    source, target = np.divmod(pair, max(window.n, 1))
    return Links(window.n, source, target, count, directed=True)


def _table(links: Links) -> Floats:
    size = links.n * links.n
    flow = np.bincount(links.source * links.n + links.target, links.count, size).reshape(links.n, links.n)
    return flow.astype(np.float64)


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    ring = read_ring(_table(links_of(window)))
    members = tuple(int(a) for a in np.flatnonzero(ring.station >= 0))
    parts = tuple(frozenset(np.flatnonzero(ring.station == s).tolist()) for s in range(ring.length))
    return [Candidate("", 0, members, parts, {"station": ring.station, "length": ring.length}, ring.fault)]


def _sample(window: Window, _candidates: Sequence[Candidate]) -> Dyads:
    return pairs(links_of(window))


def _statistic(sample: Dyads, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), rhythm(_table(sample.links())))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("ring", (RHYTHM,)) if RHYTHM in beaten else None


def _stations(window: Window, length: int) -> Ints:
    """Stations of a ring of known length, fitted to a window alone, shape (n,)."""
    flow = _table(links_of(window))
    station = np.full(window.n, NONE, dtype=np.int64)
    met = np.flatnonzero((flow.sum(axis=0) + flow.sum(axis=1)) > 0)
    small = flow[np.ix_(met, met)]
    values, vectors = modes(small) if len(met) >= length else (np.zeros(0), np.zeros((0, 0)))
    if len(values):
        nearest = int(np.argmin(np.abs(np.angle(values) - 2.0 * np.pi / length) - 0.5 * np.abs(values)))
        phase = np.angle(vectors[:, nearest]) / (2.0 * np.pi) % 1.0
        station[met] = _refined(small, _sectors(phase, length), length)
    return station


def _single(candidate: Candidate) -> bool:
    """Whether most stations hold one agent, so that a partition says nothing."""
    return 2 * int(candidate.detail["length"]) > len(candidate.members)


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Stations per window; for stations of single agents, the contacts of each agent with every other."""
    if _single(candidate):
        n = whole.n
        return np.stack([_table(links_of(part)).ravel() for part in parts]), np.arange(n * n) // n, False
    labels = [_stations(part, int(candidate.detail["length"])) for part in parts]
    return np.stack(labels), np.zeros(whole.n, dtype=np.int64), True


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Agreement of stations in the damaged record; for single agents, the share of the links that are still there."""
    length, station = int(candidate.detail["length"]), candidate.detail["station"]
    links = links_of(damaged)
    if len(links.source) == 0:
        return 0.0
    if _single(candidate):
        onward = (station[links.target] - station[links.source]) % length == 1
        return float(links.count[onward].sum() / links.count.sum())
    again = _stations(damaged, length)
    return max(0.0, alike(station, again)) if again.max(initial=-1) >= 0 else 0.0


def _portrait(window: Window, candidate: Candidate, _kind: str) -> Portrait:
    station, length = candidate.detail["station"], int(candidate.detail["length"])
    roles = {f"station {s + 1}": np.flatnonzero(station == s) for s in range(length)}
    flow = _table(links_of(window))
    held = station >= 0
    small = flow[np.ix_(held, held)]
    shares = _passed(small, station[held], length, 1) if length and small.sum() > 0 else np.zeros(max(length, 1))
    facts = {
        "length": length,
        "onward": float(shares.mean()),
        "weakest": float(shares.min()),
        "sizes": [len(agents) for agents in roles.values()],
    }
    return Portrait(np.array(candidate.members, dtype=np.int64), roles, _uses(window), facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    sizes = ", ".join(str(s) for s in facts["sizes"][:8]) + (", ..." if len(facts["sizes"]) > 8 else "")
    return Words(
        "contacts go round a ring",
        f"contacts go round a ring of {facts['length']} stations ({sizes} agents), {facts['onward']:.0%} of them from "
        f"one station to the next and no station less than {facts['weakest']:.0%}",
        "as strong a rhythm once partners are exchanged at random with every agent's links kept; or other stations in later "
        "windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    if window.channels is None:
        return ""
    first, second = window.channels[:, 0], window.channels[:, 1]
    drawn = np.zeros((window.n, window.n))
    drawn[first, second] = 1.0
    alone = read_ring(drawn)
    if alone.length != candidate.detail["length"] or alone.fault:
        return ""
    return (
        "the initial contacts already form this ring" if alike(alone.station, candidate.detail["station"]) > 0.5 else ""
    )


rings = detectors.add("rings")(
    Detector(
        name="rings",
        kinds=("ring",),
        needs=("target",),
        minimum=Minimum(agents=6, events=120, per_window=40),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(Claim(RHYTHM, "N1R", _sample, _statistic, "share that turns"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
