"""Synchrony: agents keep step with each other, beyond chance phases and beyond every driver on record.

Fooled by a common driver that the log does not hold. Clocks of one frequency that run by themselves are no synchrony:
started at random they are as aligned as chance makes them, started together they stood in step before the first event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.nulls import Series
from sim.detectors.phases import (
    LEAST_BEATS,
    RHYTHM,
    Complex,
    coherence,
    first_phases,
    led,
    locking,
    order_parameter,
    phases_of,
    phasors,
    relative,
    sources,
)
from sim.detectors.window import Floats, Ints, Window

IN_STEP = "agents are in step at the same time"
BEYOND = "agents are more in step than random starts would be"
LED = 0.3  # share of the phases' power that a driver on record explains, from which nothing beyond it is asked
LOCKED = 0.6  # locking from which an agent keeps step
SHORTER = 0.1  # taken off the locking in the last half, and twice that off the last quarter's
LEAST_LOCKED = 0.2  # share of the agents that have to keep step
LEAST_GROUP = 3
BINS = 6  # of the phase relative to the others, followed through windows
OPENING, LEAST_OPENING = 0.03, 3  # share and number of the first times, in which clocks started together are in step
FROM_THE_START = 0.7  # coherence then over coherence throughout, that makes it so


def _refuses(window: Window) -> str:
    if first_phases(window) is not None:
        return ""
    return f"no state that turns or oscillates, and no events in a rhythm of the agents' own ({LEAST_BEATS} beats each)"


def _propose(window: Window, note: Callable[[str], None]) -> list[Candidate]:
    """One candidate: who keeps step in the first variable that has phases."""
    phases = first_phases(window)
    if phases is None:
        return []
    later = sources(window)[sources(window).index(phases.name) + 1 :]
    others = [name for name in later if name != RHYTHM and phases_of(window, name) is not None]
    if others:
        note(f"synchrony is asked of {phases.name} alone; not of {', '.join(others)}")
    z = phasors(phases.series)
    agents = phases.agents[lately(z) >= LOCKED]
    dismissed = ""
    if phases.unknown:
        dismissed = f"everybody reads {phases.unknown[0]}, and the log does not say what it held"
    elif led(phases.series) > LED:
        dismissed = f"the agents follow {', '.join(phases.drivers)}, which is on record"
    elif len(agents) < max(LEAST_GROUP, LEAST_LOCKED * len(z)):
        dismissed = f"{len(agents)} of {len(z)} agents keep step with the others, {LEAST_LOCKED:.0%} needed"
    members = tuple(int(a) for a in agents)
    detail = {"name": phases.name, "coherence": coherence(z), "agents": len(z), "drivers": phases.drivers}
    return [Candidate("", 0, members, (frozenset(members),), detail, dismissed)]


def lately(z: Complex) -> Floats:
    """The largest locking of each agent to the others in the whole, the last half and the last quarter, shape (agents,).

    Agents that began to keep step late kept it nevertheless; a shorter stretch is SHORTER less each time it is halved,
    since its chance level is higher. Range: [0, 1], as ``locking``.
    """
    times = z.shape[1]
    parts = [locking(z[:, -max(times // 2**k, 1) :]) - SHORTER * k for k in range(3)]
    return np.asarray(np.max(parts, axis=0))


def _series(window: Window, candidates: Sequence[Candidate]) -> Series | None:
    phases = phases_of(window, str(candidates[0].detail["name"]))
    return None if phases is None else phases.series


def _statistic(sample: Series, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), order_parameter(sample))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("synchrony", (BEYOND, IN_STEP)) if {BEYOND, IN_STEP} <= beaten else None


def _frames(parts: Sequence[Window], candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """How often each agent was in each of BINS phases relative to the others, less an equal share; N4 exchanges its bins."""
    phases = phases_of(whole, str(candidate.detail["name"]))
    if phases is None:
        raise ValueError(f"synchrony: the window has no phases of {candidate.detail['name']!r} to follow.")
    z = phasors(phases.series)
    lag = np.angle(z * relative(z))
    place = np.minimum(((lag + np.pi) / (2.0 * np.pi) * BINS).astype(np.int64), BINS - 1)
    people = len(z)
    slot = np.arange(people)[:, None] * BINS + place
    start = np.array([part.span[0] for part in parts[1:]])
    window = np.searchsorted(start, phases.times, side="right")
    frames = np.zeros((len(parts), people * BINS))
    for k in np.unique(window).tolist():
        inside = slot[:, window == k]
        frames[k] = np.bincount(inside.ravel(), minlength=people * BINS) / inside.shape[1] - 1.0 / BINS
    return frames, np.repeat(np.arange(people), BINS), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Coherence in the damaged record over coherence in the whole."""
    phases = phases_of(damaged, str(candidate.detail["name"]))
    if phases is None or candidate.detail["coherence"] <= 0.0:
        return 0.0
    return float(np.clip(coherence(phasors(phases.series)) / float(candidate.detail["coherence"]), 0.0, 1.0))


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    members = np.array(candidate.members, dtype=np.int64)
    facts = {"kind": kind, **candidate.detail, "locked": len(members)}
    return Portrait(members, {"in step": members}, np.zeros(window.rows, dtype=bool), facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    text = f"{facts['locked']} of {facts['agents']} agents keep step in {facts['name']}"
    if facts["drivers"]:
        text += f", beyond what {', '.join(facts['drivers'])} makes them do"
    return Words(
        "agents keep step with each other",
        text,
        "the same order with each agent's phases shifted in time, or a driver outside the record that moves them all",
    )


def _standing(window: Window, candidate: Candidate) -> str:
    """In step from the first readings on: clocks that were started together, or a run that had begun before."""
    phases = phases_of(window, str(candidate.detail["name"]))
    if phases is None:
        return ""
    z = phasors(phases.series)
    first = coherence(z[:, : max(LEAST_OPENING, int(OPENING * z.shape[1]))])
    if first < FROM_THE_START * float(candidate.detail["coherence"]):
        return ""
    return "the agents were as much in step at the first readings: started together, or begun before the record"


synchrony = detectors.add("synchrony")(
    Detector(
        name="synchrony",
        kinds=("synchrony",),
        needs=(),
        minimum=Minimum(agents=3, events=24, per_window=6),
        uses=lambda window: np.ones(window.rows, dtype=bool),
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(BEYOND, "NP", _series, _statistic, "order parameter"),
            Claim(IN_STEP, "NC", _series, _statistic, "order parameter"),
        ),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
