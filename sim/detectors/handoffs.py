"""Handoff roles and pipelines: per task type, who passes work to whom, in which order, and who finishes it.

Two streams of claims. For each task type: the receiver depends on the type (against NT), and the handoffs of the type
climb one ladder more than the mixture of types does (against NT). For all work taken together: the handoffs climb one
ladder beyond what degrees give (against N1) and beyond uniform choice among one's contacts (against NR); both are
needed, since N1 alone takes the drift of a random walk towards those who finish for order, and NR alone takes any
repeated random ties for it. A tree or chain of single agents has no other arrangement under N1 and stays *observed*.

Statistics: ``measures.routing_information``, bits by which a receiver depends on the task type (0: not at all; at most the
logarithm of the number of receivers; chance about receivers over twice the handoffs of a sender and type, so against NT),
and ``measures.order``, trophic coherence of the handoffs (0: no direction, 1: one ladder; chance 0.02 to 0.1 in dense
graphs, so against NT, N1 and NR; MacKay, Johnson, Sansom 2020, R. Soc. Open Sci. 7:201138). Roles follow from how far an
item still has to go. Fooled by: a mix of types that changes together with partners slower than NT looks, and items that
visit agents in the order of their numbers by the protocol (stated as predefined where the log says so).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import streams
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.measures import order, routing_information, sums_by
from sim.detectors.nulls import Handoffs, Links
from sim.detectors.window import Bools, Floats, Ints, Window

ALL = -1
LEAST_OF_TYPE = 60  # handoffs of a task type
MOST_TYPES = 30
MOST_ROWS = 100_000  # handoffs a surrogate test looks at
PRACTICAL_ORDER = 0.5  # below this share of climbing flow, nobody would call all work together ordered
OBVIOUS_ORDER = 0.8  # from here the order is plain to see, whether or not a null can be beaten
ROUTED = "who gets the work depends on the task type"
STREAM_ORDERED = "handoffs of the type climb one ladder that the mixture of types does not have"
ORDERED = "all handoffs climb one ladder beyond degrees"
PREFERRED = "all handoffs climb one ladder beyond uniform choice among contacts"


def _uses(window: Window) -> Bools:
    return streams.forward(window)


def _refuses(window: Window) -> str:
    if not bool((window.target >= 0).any()):
        return "no targets: who passed what to whom is unknown"
    return "" if bool(_uses(window).any()) else "no event passes an item from one agent to another"


def _sampled(window: Window) -> Window:
    """At most MOST_ROWS handoffs, thinned by whole items."""
    rows = np.flatnonzero(_uses(window))
    step = -(-len(rows) // MOST_ROWS)
    return window.take(rows if step <= 1 else rows[(window.item[rows] % step == 0)])


def _all(candidate: Candidate) -> bool:
    return candidate.key == ALL


def _one_type(candidate: Candidate) -> bool:
    return candidate.key != ALL


def _propose(window: Window, note: Callable[[str], None]) -> list[Candidate]:
    """One candidate per task type with enough handoffs when there are several, and one for all work together."""
    forward = _uses(window)
    if forward.sum() > MOST_ROWS:
        note(f"surrogates look at {int(_uses(_sampled(window)).sum()):,} of {int(forward.sum()):,} handoffs")
    types = np.unique(window.task[forward & (window.task >= 0)])
    found = []
    if len(types) > 1:
        sizes = np.bincount(window.task[forward & (window.task >= 0)])
        large = [int(t) for t in np.argsort(-sizes, kind="stable") if sizes[t] >= LEAST_OF_TYPE]
        if len(large) > MOST_TYPES:
            note(f"the {MOST_TYPES} most frequent of {len(large)} task types are tested")
        found = [_candidate(window, t) for t in sorted(large[:MOST_TYPES])]
    return [*found, _candidate(window, ALL)]


def _candidate(window: Window, key: int) -> Candidate:
    stream = streams.of(window, key)
    links = streams.main_links(stream)
    about = "all work" if key == ALL else f"task type {window.tasks[key]}"
    climbing = order(window.n, stream.giver, stream.taker, stream.count)
    dismissed = ""
    if key == ALL and climbing < PRACTICAL_ORDER:
        dismissed = f"order {climbing:.2f} is below {PRACTICAL_ORDER}: all handoffs together have no common direction"
    members = np.unique(np.concatenate([stream.giver, stream.taker]))
    return Candidate(
        about,
        key,
        tuple(int(a) for a in members),
        (frozenset(links),),
        {"shape": streams.shape(window, stream, key), "score": _scored(window, key, climbing)},
        dismissed,
    )


def _scored(window: Window, key: int, climbing: float) -> float:
    if key == ALL:
        return climbing
    sample = _by_type(_sampled(window), ())
    return float(routing_information(_counts(sample), sample.giver, sample.n)[key])


def _slots(window: Window) -> tuple[Ints, Ints]:
    """Who could hand to whom: initial contacts and all that happened; either direction if no contacts are given."""
    contact = (window.target >= 0) & (window.source != window.target)
    pairs = window.source[contact] * window.n + window.target[contact]
    if window.channels is not None:
        pairs = np.concatenate([pairs, window.channels[:, 0] * window.n + window.channels[:, 1]])
    else:
        pairs = np.concatenate([pairs, window.target[contact] * window.n + window.source[contact]])
    giver, taker = np.divmod(np.unique(pairs), max(window.n, 1))
    return giver, taker


def _sample(window: Window, tasks: Ints, types: int) -> Handoffs:
    giver, taker = _slots(window)
    place = np.searchsorted(giver * window.n + taker, window.source * window.n + window.target)
    in_time = np.argsort(window.source, kind="stable")
    return Handoffs(window.n, types, place[in_time], tasks[in_time], giver, taker)


def _by_type(window: Window, _candidates: Sequence[Candidate]) -> Handoffs:
    """Handoffs with a known task type."""
    rows = _sampled(window)
    rows = rows.take(rows.task >= 0)
    return _sample(rows, rows.task, len(window.tasks))


def _together(window: Window, _candidates: Sequence[Candidate]) -> Handoffs:
    """All handoffs as if of one type; the contacts are those of the whole window."""
    rows = _sampled(window)
    giver, taker = _slots(window)
    place = np.searchsorted(giver * window.n + taker, rows.source * window.n + rows.target)
    in_time = np.argsort(rows.source, kind="stable")
    return Handoffs(window.n, 1, place[in_time], np.zeros(rows.rows, dtype=np.int64), giver, taker)


def _links(window: Window, _candidates: Sequence[Candidate]) -> Links:
    stream = streams.of(window, ALL)
    return Links(window.n, stream.giver, stream.taker, stream.count.astype(np.int64), directed=True)


def _counts(sample: Handoffs) -> Floats:
    """Handoffs by type and slot, shape (types, slots)."""
    slots = len(sample.giver)
    flat = np.bincount(sample.task * slots + sample.slot, minlength=sample.types * slots)
    return flat.reshape(sample.types, slots).astype(np.float64)


def _information(sample: Handoffs, candidates: Sequence[Candidate]) -> Floats:
    return routing_information(_counts(sample), sample.giver, sample.n)[[c.key for c in candidates]]


def _climbing(sample: Handoffs, candidates: Sequence[Candidate]) -> Floats:
    counts = _counts(sample)
    return np.array([_order_of(sample, counts[max(c.key, 0)]) for c in candidates])


def _order_of(sample: Handoffs, count: Floats) -> float:
    used = count > 0
    return order(sample.n, sample.giver[used], sample.taker[used], count[used])


def _links_climbing(sample: Links, _candidates: Sequence[Candidate]) -> Floats:
    return np.array([order(sample.n, sample.source, sample.target, sample.count.astype(np.float64))])


def _concludes(candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    shape = str(candidate.detail["shape"])
    if candidate.key == ALL:
        needed = (ORDERED, PREFERRED)
        return (shape, needed) if beaten.issuperset(needed) else None
    if ROUTED not in beaten:
        return None
    return (shape, (ROUTED, STREAM_ORDERED)) if STREAM_ORDERED in beaten else ("roles", (ROUTED,))


def _obvious(candidate: Candidate) -> tuple[str, tuple[str, ...]] | None:
    """A tree or chain of single agents is its own only arrangement under N1; it is shown, not claimed."""
    if candidate.key != ALL or float(candidate.detail["score"]) < OBVIOUS_ORDER:
        return None
    return str(candidate.detail["shape"]), (ORDERED, PREFERRED)


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Excess handoffs per window and slot: over the sender's mean over types, or over uniform choice for all work."""
    giver, taker = _slots(whole)
    values = np.stack([_excess(part, candidate.key, giver, taker) for part in parts])
    return values, giver, False


def _excess(part: Window, key: int, giver: Ints, taker: Ints) -> Floats:
    rows = part.take(_uses(part) & ((part.task >= 0) | (key == ALL)))
    place = np.searchsorted(giver * part.n + taker, rows.source * part.n + rows.target)
    every = np.bincount(place, minlength=len(giver)).astype(np.float64)
    degree = np.bincount(giver, minlength=part.n).astype(np.float64)
    sent = np.bincount(giver, weights=every, minlength=part.n)
    if key == ALL:
        return np.asarray(every - (sent / np.maximum(degree, 1.0))[giver])
    mine = np.bincount(place[rows.task == key], minlength=len(giver)).astype(np.float64)
    share = sums_by(mine[None, :], giver, part.n)[0] / np.maximum(sent, 1.0)
    return np.asarray(mine - share[giver] * every)


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Score on the damaged record over the score on the whole, at most 1."""
    if int((_uses(damaged) & ((damaged.task == candidate.key) | (candidate.key == ALL))).sum()) < LEAST_OF_TYPE // 2:
        return 0.0
    stream = streams.of(damaged, candidate.key)
    climbing = order(damaged.n, stream.giver, stream.taker, stream.count)
    whole = float(candidate.detail["score"])
    return min(1.0, _scored(damaged, candidate.key, climbing) / whole) if whole > 0 else 0.0


def _portrait(window: Window, candidate: Candidate, _kind: str) -> Portrait:
    return streams.portrait(window, candidate.key)


def _words(candidate: Candidate, kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    steps = f"{len(portrait.roles.keys() - {streams.UNSETTLED})} roles, {facts['chain']}"
    ends = ", ".join(str(a) for a in facts["finishers"][:3]) + (", ..." if len(facts["finishers"]) > 3 else "")
    subject = candidate.about[0].upper() + candidate.about[1:]
    if kind == "roles":
        return Words(
            f"{candidate.about} is routed its own way",
            f"{subject} goes to other receivers than other work does, most of it to {ends}, without a common order",
            "a run in which agents choose the receiver without regard to the task type and the score stays the same",
        )
    shaped = "a pipeline" if kind == "pipeline" else "a hierarchy of its own" if candidate.key != ALL else "a hierarchy"
    return Words(
        f"{candidate.about} is handed on as {shaped}",
        f"{subject} is handed on as {shaped}: {steps}, ending with {ends}",
        "the same order when task types, or receivers among each agent's contacts, are exchanged at random; or other "
        "receivers in later windows",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    return streams.forced(window, candidate.key)


handoffs = detectors.add("handoffs")(
    Detector(
        name="handoffs",
        kinds=("pipeline", "hierarchy", "roles"),
        needs=("target",),
        minimum=Minimum(agents=4, events=200, per_window=60),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(ROUTED, "NT", _by_type, _information, "bit per handoff", _one_type),
            Claim(STREAM_ORDERED, "NT", _by_type, _climbing, "coherence", _one_type),
            Claim(ORDERED, "N1", _links, _links_climbing, "coherence", _all),
            Claim(PREFERRED, "NR", _together, _climbing, "coherence", _all),
        ),
        concludes=_concludes,
        obvious=_obvious,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
        unit="item",
    )
)
