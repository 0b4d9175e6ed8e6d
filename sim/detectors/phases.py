"""Phases: where each agent stands in its cycle, read off states or the rhythm of its events, with drivers set apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import hilbert

from sim.detectors.nulls import Null, Series, add
from sim.detectors.series import Sampled, of_states
from sim.detectors.window import Bools, Floats, Ints, Window

Complex = NDArray[np.complex128]

PHASE_NAMES = ("phase", "theta")
RHYTHM = "rhythm of events"
MOST_TICKS, MOST_AGENTS = 400, 1000  # beyond, every second, third ... is looked at
LAGS = 5  # ticks back to which a driver on record is regressed out
LEAST_CYCLES = 5.0
NARROW = 0.4  # share of a series' power within BAND of its peak frequency, from which it oscillates
BAND = 0.25
MOSTLY = 0.5  # share of the agents that have to oscillate
LEAST_BEATS = 8
REGULAR = 0.5  # largest standard deviation over mean of the times between beats
COVERED = 0.5  # share of the record in which all that keep a rhythm have to be there
CLOCKED = 0.5  # share of events at the very time of another agent's, from which a common clock sets them


@dataclass(frozen=True)
class Phases:
    """Phases of agents over common times.

    Attributes:
        name: The variable, or RHYTHM.
        series: Phases in radians, shape (agents, times), and ``shared``: signals as features, shape (features, times).
        agents: Agent numbers, shape (agents,).
        times: Shape (times,), rising.
        drivers: Names of the shared signals that were set apart.
        unknown: Shared inputs of unknown content.
    """

    name: str
    series: Series
    agents: Ints
    times: Floats
    drivers: tuple[str, ...]
    unknown: tuple[str, ...]


def set_off(sample: Series, rng: np.random.Generator) -> Series:
    """NP: set each agent's phases off by an angle of its own.

    Keeps every agent's course, its frequency and its slips; destroys that phases are alike. Exact for agents that run by
    themselves from random starts, where NC is not: clocks of one frequency keep their alignment, whatever it is, for
    ever, and a shift cuts them in two courses of which the averages are closer to the mean.
    """
    start = rng.uniform(0.0, 2.0 * np.pi, (len(sample.values), 1))
    return replace(sample, values=sample.values + start)


add(
    Null(
        "NP",
        "each agent's course through its cycle",
        "that phases are alike",
        "more in step than random starts would be",
        Series,
        set_off,
    )
)


def sources(window: Window) -> tuple[str, ...]:
    """Names under which phases may be found: variables that are phases, other variables, the rhythm of events."""
    return (*sorted(window.states, key=lambda name: (name.lower() not in PHASE_NAMES, name)), RHYTHM)


def first_phases(window: Window) -> Phases | None:
    """Phases of the first source that has any: chosen by what it is, never by what it shows."""
    return next((p for p in (phases_of(window, name) for name in sources(window)) if p is not None), None)


def phases_of(window: Window, name: str) -> Phases | None:
    """Phases of one source; None when it has too few readings, does not oscillate or is not a rhythm of the agents' own."""
    if name == RHYTHM:
        return _rhythm(window)
    found = of_states(window, name)
    if found is None:
        return None
    return _angles(found, name) if name.lower() in PHASE_NAMES else _oscillation(found, name)


def _angles(found: Sampled, name: str) -> Phases:
    """A variable that is a phase in radians."""
    features = [_turns(s, label) for s, label in zip(found.series.shared, found.signals, strict=True)]
    return _made(found, name, found.series.values, np.vstack(features) if features else found.series.shared)


def _turns(signal: Floats, label: str) -> Floats:
    """Features of a driver that may turn phases: its own phase (cos, sin, of the double angle too), now and before."""
    turning = label.rsplit(" ", 1)[-1].lower() in PHASE_NAMES
    angle = signal if turning else np.angle(hilbert(signal - signal.mean()))
    rows = [np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)]
    rows += [] if turning else [signal, np.abs(hilbert(signal - signal.mean()))]
    return np.vstack([*rows, *(_earlier(row, 1) for row in rows)])


def _earlier(row: Floats, lag: int) -> Floats:
    return np.concatenate([np.full(lag, row[0]), row[: len(row) - lag]])


def _oscillation(found: Sampled, name: str) -> Phases | None:
    """Phase of the analytic signal (Hilbert transform) of series that oscillate, after drivers were regressed out."""
    values = found.series.values - found.series.values.mean(axis=1, keepdims=True)
    if len(found.signals):
        shared = found.series.shared
        quadrature = np.imag(hilbert(shared - shared.mean(axis=1, keepdims=True), axis=1))
        lagged = [_earlier(row, lag) for row in shared for lag in range(LAGS + 1)]
        basis = orthonormal(np.vstack([*lagged, quadrature]))
        values = values - (values @ basis.T) @ basis
    swings = oscillates(values)
    if swings.sum() < max(2, MOSTLY * len(values)):
        return None
    angle = np.angle(hilbert(values[swings], axis=1))
    return _made(found, name, angle, np.zeros((0, angle.shape[1])), kept=swings)


def _made(found: Sampled, name: str, angle: Floats, features: Floats, *, kept: Bools | None = None) -> Phases:
    step = -(-angle.shape[1] // MOST_TICKS)
    agents = found.agents if kept is None else found.agents[kept]
    skip = -(-len(agents) // MOST_AGENTS)
    series = Series(angle[::skip, ::step], orthonormal(features[:, ::step]))
    return Phases(name, series, agents[::skip], found.times[::step], found.signals, found.unknown)


def orthonormal(features: Floats) -> Floats:
    """Orthonormal rows that span the features and a constant, shape (rank, times)."""
    rows = np.vstack([np.ones((1, features.shape[1])), features])
    rows[1:] -= rows[1:].mean(axis=1, keepdims=True)
    rows /= np.maximum(np.sqrt((rows * rows).sum(axis=1, keepdims=True)), 1e-12)
    _, size, basis = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(basis[size > 1e-6])


def oscillates(values: Floats) -> Bools:
    """Which series oscillate, shape (agents,): most of the power near one frequency, LEAST_CYCLES cycles or more.

    Power is that of the detrended, tapered series (Hann). A random walk or an AR(1) has its power at the lowest
    frequencies and does not count.
    """
    ticks = values.shape[1]
    power = np.abs(np.fft.rfft((values - values.mean(axis=1, keepdims=True)) * np.hanning(ticks), axis=1)) ** 2
    cycles = np.arange(power.shape[1])
    peak = power[:, 1:].argmax(axis=1) + 1
    near = np.abs(cycles - peak[:, None]) <= np.maximum(BAND * peak[:, None], 2.0)
    total = power[:, 1:].sum(axis=1)
    share = (power * near)[:, 1:].sum(axis=1) / np.maximum(total, 1e-300)
    return np.asarray((peak >= LEAST_CYCLES) & (share >= NARROW) & (total > 0))


def _rhythm(window: Window) -> Phases | None:
    """Phase between an agent's events of the commonest kind: 2 pi (t - t_k) / (t_{k+1} - t_k)."""
    if window.rows == 0:
        return None
    kind = np.bincount(window.kind).argmax()
    rows = window.kind == kind
    agent, time = window.source[rows], window.time[rows]
    if _clocked(agent, time):
        return None
    people, beats = _beats(agent, time)
    if len(people) < max(2, MOSTLY * len(np.unique(agent))):
        return None
    start, end = max(b[0] for b in beats), min(b[-1] for b in beats)
    if end - start < COVERED * (time[-1] - time[0]):
        return None
    times = np.linspace(start, end, min(MOST_TICKS, 8 * int(np.median([len(b) for b in beats]))))
    turns = np.array([np.interp(times, b, np.arange(len(b))) for b in beats])
    series = Series(2.0 * np.pi * (turns % 1.0), orthonormal(np.zeros((0, len(times)))))
    return Phases(RHYTHM, series, people, times, (), ())


def _beats(agent: Ints, time: Floats) -> tuple[Ints, list[Floats]]:
    """Agents that act regularly, and the times at which each does; MOST_AGENTS at most, spread over all."""
    order = np.argsort(agent, kind="stable")
    people, first = np.unique(agent[order], return_index=True)
    beats = [np.unique(b) for b in np.split(time[order], first[1:])]
    regular = [
        k for k, b in enumerate(beats) if len(b) >= LEAST_BEATS and np.std(np.diff(b)) <= REGULAR * np.mean(np.diff(b))
    ]
    kept = regular[:: max(1, -(-len(regular) // MOST_AGENTS))]
    return people[kept], [beats[k] for k in kept]


def _clocked(agent: Ints, time: Floats) -> bool:
    """True when most events fall on the very time of another agent's: rounds of a common clock, which nobody keeps."""
    start = np.flatnonzero(np.append(True, time[1:] > time[:-1]))
    several = np.maximum.reduceat(agent, start) > np.minimum.reduceat(agent, start)
    return bool((several * np.diff(np.append(start, len(time)))).sum() >= CLOCKED * len(time))


def phasors(sample: Series) -> Complex:
    """exp(i phase) less what the shared features and a constant explain of it, shape (agents, times)."""
    z = np.exp(1j * sample.values)
    return np.asarray(z - (z @ sample.shared.T) @ sample.shared)


def order_parameter(sample: Series) -> float:
    """Kuramoto's order parameter, averaged over time, of what drivers on record leave.

    Definition: length of the mean phasor. Formula: r = mean over t of |mean over a of z_a(t)| / rms(z), with z = exp(i
    phase) less its regression on the shared features and a constant.
    Range: [0, 1]; 0 when phases cancel, 1 when all are alike at every time.
    Chance level: sqrt(pi / (4 N)) for N independent phases: 0.28 for N = 10, where the 95th percentile at one time is
    0.52, so no threshold on r holds for all sizes. Nulls: NC and NP.
    Fooled by: a common driver that is not on record; clocks of one frequency that were started together.
    Reference: Kuramoto 1975; Acebron et al. 2005, Reviews of Modern Physics 77:137, eq. 2.
    """
    z = phasors(sample)
    size = float(np.sqrt((z.real**2 + z.imag**2).mean()))
    return float(np.abs(z.mean(axis=0)).mean()) / size if size > 1e-6 else 0.0


def led(sample: Series) -> float:
    """Share of the phasors' power that the shared features explain, beyond one degree of freedom each; range [0, 1]."""
    if len(sample.shared) < 2:
        return 0.0
    z = np.exp(1j * sample.values)
    z = z - z.mean(axis=1, keepdims=True)
    left = phasors(sample)
    power = float((np.abs(z) ** 2).sum())
    share = 1.0 - float((np.abs(left) ** 2).sum()) / power if power > 0 else 0.0
    return float(max(0.0, share - (len(sample.shared) - 1) / sample.values.shape[1]))


def coherence(z: Complex) -> float:
    """Mean alignment of pairs of agents, (N <|mean z|^2> / <|z|^2> - 1) / (N - 1); 0 by chance at any N, 1 at most."""
    n = len(z)
    size = float((z.real**2 + z.imag**2).mean()) if z.size else 0.0
    if n < 2 or size < 1e-12:
        return 0.0
    return (n * float((np.abs(z.mean(axis=0)) ** 2).mean()) / size - 1.0) / (n - 1.0)


def locking(z: Complex) -> Floats:
    """How steadily each agent keeps its phase to the others' mean field, shape (agents,).

    Formula: |mean over t of z_a(t) exp(-i psi(t))| / rms(z_a), psi the phase of the sum over the other agents.
    Range: [0, 1]; 1 when locked. Chance level: about 1 / sqrt(number of independent times).
    """
    mean = np.abs((z * relative(z)).mean(axis=1))
    return np.asarray(mean / np.maximum(np.sqrt((z.real**2 + z.imag**2).mean(axis=1)), 1e-12))


def relative(z: Complex) -> Complex:
    """exp(-i psi), psi the phase of the sum over the other agents, shape (agents, times)."""
    others = z.sum(axis=0) - z
    return np.asarray(others.conj() / np.maximum(np.abs(others), 1e-12))
