"""Worlds of options and phases: conventions and synchrony, and what looks like them without anybody heeding anybody.

Truth: ``option`` and ``tipping`` (time from which most answers of the followers name it) and ``committed`` of a
convention; ``coupling`` over the critical one of oscillators.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.worlds.world import World, as_log, worlds
from sim.detectors.conventions import TOGETHER
from sim.detectors.engine import LASTS
from sim.detectors.grouping import GROUPED
from sim.detectors.shapes import GROUPED as GROUPED_TOO
from sim.detectors.shapes import SHAPED
from sim.detectors.synchrony import BEYOND, IN_STEP
from sim.record.log import Log

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEP = 0.1  # of the oscillators' integration (Heun)
BEAT = 2.0  # mean frequency of oscillators, radians per time unit
FOLLOWS = 0.9  # probability of doing what a broadcast says


# Conventions: agents meet in pairs; the first says an option, the second hears it.


def _meetings(rng: np.random.Generator, agents: int, events: int) -> tuple[Ints, Ints]:
    """Ordered pairs of different agents, shape (events,) each."""
    speaker = rng.integers(0, agents, events)
    return speaker, (speaker + rng.integers(1, agents, events)) % agents


def _plays(speaker: Ints, hearer: Ints, said: Ints, **truth: object) -> Log:
    """One ``play`` a meeting; its artefact is the option said."""
    columns = {"kind": ["play"] * len(speaker), "source": speaker, "target": hearer, "artefact": said}
    return as_log(columns, truth=truth)


def _tipping(said: Ints, option: int, counts: NDArray[np.bool_], *, width: int) -> float:
    """First event from which the option has most of every ``width`` counted answers to the end."""
    rows = np.flatnonzero(counts)
    share = np.convolve(said[rows] == option, np.full(width, 1.0 / width), mode="valid")
    below = np.flatnonzero(share <= 0.5)
    return float(rows[min(int(below[-1]) + width // 2, len(rows) - 1)]) if len(below) else 0.0


def naming(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, words: int = 4, committed: float = 0.0
) -> Log:
    """The minimal naming game with a pool of words; ``committed`` is the share that always says word 0.

    With committed agents everybody else starts with word 1 alone (Xie et al. 2011), otherwise with an empty memory.
    ``strength`` is the probability that a meeting leaves a trace in anybody's memory.
    """
    speaker, hearer = _meetings(rng, agents, events)
    heeds, draw, invented = rng.random(events) < strength, rng.random(events), rng.integers(0, words, events)
    fixed = round(committed * agents)
    known = [[1] if fixed else [] for _ in range(agents)]
    said = np.empty(events, dtype=np.int64)
    for k, (a, b) in enumerate(zip(speaker.tolist(), hearer.tolist(), strict=True)):
        mine = known[a]
        word = 0 if a < fixed else mine[int(draw[k] * len(mine))] if mine else int(invented[k])
        said[k] = word
        if not heeds[k]:
            continue
        knows = word in known[b] or (b < fixed and word == 0)
        for who in (a, b):
            if who >= fixed:
                known[who] = [word] if knows else [*known[who], word] if word not in known[who] else known[who]
    option = int(np.bincount(said[-events // 4 :]).argmax())
    tipping = _tipping(said, option, speaker >= fixed, width=2 * agents)
    return _plays(speaker, hearer, said, option=option, tipping=tipping, committed=list(range(fixed)))


def minority(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """A committed minority overturns a shared word: 15 % of the agents at strength 1, fewer below."""
    return naming(rng, agents, events, 1.0, words=2, committed=0.15 * strength)


def _switching(rng: np.random.Generator, speaker: Ints, agents: int, rate: float) -> Ints:
    """Each agent alone: keeps its option and now and then draws a new one; what each event's speaker says."""
    draw = np.where(rng.random(len(speaker) + agents) < 0.85, 0, rng.integers(1, 4, len(speaker) + agents))
    said, held, drawn = np.empty(len(speaker), dtype=np.int64), draw[:agents].tolist(), draw[agents:].tolist()
    switch = rng.random(len(speaker)) < rate
    for k, a in enumerate(speaker.tolist()):
        if switch[k]:
            held[a] = drawn[k]
        said[k] = held[a]
    return said


def drift(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Agents keep options for long and switch, mostly to the same one, each for itself, whatever they hear."""
    speaker, hearer = _meetings(rng, agents, events)
    return _plays(speaker, hearer, _switching(rng, speaker, agents, 0.15))


def prior(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """All prefer option 0, from the first answer on and whatever they hear."""
    speaker, hearer = _meetings(rng, agents, events)
    return _plays(speaker, hearer, np.where(rng.random(events) < 0.85, 0, rng.integers(1, 4, events)))


def learners(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody learns alone, and at about the same time, that option 0 is best."""
    speaker, hearer = _meetings(rng, agents, events)
    when = events * (0.4 + 0.1 * rng.standard_normal(agents))
    sure = 1.0 / (1.0 + np.exp(-(np.arange(events) - when[speaker]) / (0.05 * events)))
    return _plays(speaker, hearer, np.where(rng.random(events) < sure, 0, rng.integers(0, 4, events)))


def tastes(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Two groups with other tastes meet mostly their own kind; nobody heeds anybody."""
    speaker, hearer = _meetings(rng, agents, events)
    stray = (speaker % 2 != hearer % 2) & (rng.random(events) < 0.8)
    hearer = np.where(stray, (speaker + 2) % agents, hearer)
    said = np.where(rng.random(events) < np.where(speaker % 2 == 0, 0.98, 0.7), 0, rng.integers(1, 4, events))
    return _plays(speaker, hearer, said)


def broadcast(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Agents meet and talk, yet each only does what the broadcast says that all have read; it turns for good midway."""
    rounds = max(2, events // (2 * agents))
    said = np.where(np.arange(rounds) < rounds * rng.uniform(0.3, 0.6), 0, 1)
    said = np.where(rng.random(rounds) < 0.1, 1 - said, said)
    order = np.argsort(rng.random((rounds, agents)), axis=1)
    heard = np.repeat(said, agents)
    option = np.where(rng.random(rounds * agents) < FOLLOWS, heard, rng.integers(0, 2, rounds * agents))
    source = np.repeat(order.ravel(), 2)
    partner = (order.ravel() + rng.integers(1, agents, rounds * agents)) % agents
    rows = len(source)
    reads = np.arange(rows) % 2 == 0
    columns = {
        "time": np.repeat(np.arange(rounds, dtype=np.float64), 2 * agents)
        + np.tile(np.arange(2 * agents), rounds) * 1e-3,
        "kind": np.where(reads, "read", "decide"),
        "source": source,
        "target": [None if r else int(p) for r, p in zip(reads, np.repeat(partner, 2), strict=True)],
        "artefact": [0 if r else None for r in reads],
        "value": np.where(reads, np.repeat(heard, 2), np.repeat(option, 2)).astype(np.float64),
    }
    return as_log(columns)


# Phases and levels: every agent leaves one event a tick, and a reading of its state.


def _readings(values: Floats, variable: str, *, step: float, signal: Floats | None = None, **truth: object) -> Log:
    """A log of ``work`` events, one per agent and tick, with a table of states; values of shape (agents, ticks)."""
    agents, ticks = values.shape
    time = np.repeat(np.arange(ticks) * step, agents)
    who = np.tile(np.arange(agents), ticks)
    states = {"time": time, "agent": who, "variable": [variable] * len(who), "value": values.T.ravel()}
    table = pl.DataFrame(states)
    if signal is not None:
        shared = {
            "time": np.arange(ticks) * step,
            "agent": [None] * ticks,
            "variable": ["signal"] * ticks,
            "value": signal,
        }
        table = pl.concat([table, pl.DataFrame(shared, schema=table.schema)])
    # Every agent leaves events, spread over the ticks.
    rows = np.flatnonzero((who + np.arange(len(who)) // agents) % max(1, len(who) // 4000) == 0)
    return as_log(
        {"time": time[rows], "kind": ["work"] * len(who[rows]), "source": who[rows]}, truth=truth, states=table
    )


def _ticks(agents: int, events: int) -> int:
    return max(20, events // agents)


def kuramoto(
    rng: np.random.Generator,
    frequency: Floats,
    *,
    coupling: float,
    ticks: int,
    every: int = 4,
    settle: int = 0,
    graph: Floats | None = None,
) -> Floats:
    """Phases of Kuramoto oscillators from random phases, shape (agents, ticks), wrapped; one reading in ``every`` steps.

    dθ_i/dt = BEAT + ω_i + K r sin(ψ - θ_i) with r exp(iψ) the mean of exp(iθ) over all, or over the neighbours in
    ``graph``; Heun steps of STEP after ``settle`` steps (science.md C2).
    """
    theta = rng.uniform(-np.pi, np.pi, len(frequency))
    degree = None if graph is None else np.maximum(graph.sum(axis=1), 1.0)

    def slope(at: Floats) -> Floats:
        z = np.exp(1j * at)
        field = z.mean() if graph is None or degree is None else graph @ z / degree
        return np.asarray(BEAT + frequency + coupling * (field * z.conj()).imag)

    found = np.empty((len(frequency), ticks))
    for k in range(settle + ticks * every):
        first = slope(theta)
        theta = theta + 0.5 * STEP * (first + slope(theta + STEP * first))
        if k >= settle and (k - settle) % every == 0:
            found[:, (k - settle) // every] = theta
    return np.asarray(np.angle(np.exp(1j * found)))


def coupled(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Oscillators on a random graph, coupled at 2.5 times the critical strength of the complete graph at strength 1."""
    graph = np.triu(rng.random((agents, agents)) < 8.0 / agents, 1)
    critical = np.sqrt(8.0 / np.pi) * 0.5
    phases = kuramoto(
        rng,
        0.5 * rng.standard_normal(agents),
        coupling=2.5 * strength * critical,
        ticks=_ticks(agents, events),
        graph=(graph | graph.T).astype(np.float64),
    )
    return _readings(phases, "phase", step=4 * STEP, coupling=2.5 * strength)


def alone(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Oscillators of different frequencies that do not feel each other."""
    phases = kuramoto(rng, 0.5 * rng.standard_normal(agents), coupling=0.0, ticks=_ticks(agents, events))
    return _readings(phases, "phase", step=4 * STEP)


def clocks(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Clocks of almost one frequency, started at random: their phase differences hardly change, and mean nothing."""
    phases = kuramoto(rng, 0.002 * rng.standard_normal(agents), coupling=0.0, ticks=_ticks(agents, events))
    return _readings(phases, "phase", step=4 * STEP)


def started(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Clocks of almost one frequency, all started at noon."""
    time = np.arange(_ticks(agents, events)) * 4 * STEP
    frequency = BEAT + 0.002 * rng.standard_normal((agents, 1))
    return _readings(np.asarray(np.angle(np.exp(1j * frequency * time))), "phase", step=4 * STEP)


def entrained(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Isolated oscillators that follow one turning signal on record, with phase noise of their own."""
    ticks = _ticks(agents, events)
    signal = np.cumsum(np.full(ticks, 0.8) + 0.2 * rng.standard_normal(ticks)) + rng.uniform(0.0, 6.0)
    lag = 0.5 * rng.standard_normal((agents, 1))
    noise = np.zeros((agents, ticks))
    for t in range(1, ticks):
        noise[:, t] = 0.8 * noise[:, t - 1] + 0.3 * rng.standard_normal(agents)
    phases = np.asarray(np.angle(np.exp(1j * (signal + lag + noise))))
    return _readings(phases, "phase", step=1.0, signal=np.asarray(np.sin(signal)))


def _ringing(rng: np.random.Generator, shape: tuple[int, int], *, period: float, keeps: float) -> Floats:
    """AR(2) noise that rings at ``period`` ticks and forgets at rate ``keeps``."""
    a, b = 2.0 * keeps * np.cos(2.0 * np.pi / period), -(keeps**2)
    noise = rng.standard_normal((shape[1] + 100, shape[0]))
    x = np.zeros_like(noise)
    for t in range(2, len(x)):
        x[t] = a * x[t - 1] + b * x[t - 2] + noise[t]
    return np.asarray(x[100:].T)


def ringing(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Independent noisy oscillations of one period."""
    return _readings(_ringing(rng, (agents, _ticks(agents, events)), period=8.0, keeps=0.95), "level", step=1.0)


def driven(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Isolated agents ring with one signal that is on record; they never feel each other."""
    ticks = _ticks(agents, events)
    signal = _ringing(rng, (1, ticks), period=8.0, keeps=0.97)[0]
    own = _ringing(rng, (agents, ticks), period=8.0, keeps=0.9)
    return _readings(own / own.std() + 1.5 * signal / signal.std(), "level", step=1.0, signal=signal)


def wandering(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Independent AR(0.95)."""
    noise = rng.standard_normal((agents, _ticks(agents, events)))
    x = noise / np.sqrt(1.0 - 0.95**2)
    for t in range(1, x.shape[1]):
        x[:, t] = 0.95 * x[:, t - 1] + noise[:, t]
    return _readings(x, "level", step=1.0)


Maker = Callable[[np.random.Generator, int, int, float], Log]


def _register(
    name: str,
    summary: str,
    plants: str | None,
    make: Maker,
    tempts: str = "",
    agents: int = 24,
    events: int = 2000,
    holds: tuple[str, ...] = (),
    rejects: tuple[str, ...] = (),
) -> None:
    tries = (plants or tempts).replace("convention", "conventions")
    world = World(name, summary, plants, make, agents, events, (tries,), tempts, holds=holds, rejects=rejects)
    worlds.add(name)(world)


_register("naming pairs", "Pairs agree on one of four words, game by game.", "convention", naming, agents=60)
_register(
    "committed minority", "Some never change and overturn a word.", "convention", minority, agents=60, events=4000
)
_register("separate drift", "Each switches options alone.", None, drift, "convention")
_register("shared prior", "All prefer one option from the start.", None, prior, "convention")
_register(
    "lone learners",
    "All learn the same, each alone.",
    None,
    learners,
    "convention",
    rejects=(TOGETHER,),  # they do come to agree; what is false is that they heed each other
)
_register(
    "like meets like",
    "Tastes are fixed, and decide who meets.",
    None,
    tastes,
    "convention",
    holds=("teams",),
    rejects=(GROUPED, GROUPED_TOO, SHAPED),
)
_register(
    "shared broadcast",
    "All obey a broadcast that all read.",
    None,
    broadcast,
    "convention",
    rejects=(IN_STEP, BEYOND, LASTS),  # all act in rounds from the first on, which the audit says
)
_register("coupled oscillators", "Kuramoto oscillators on a random graph.", "synchrony", coupled)
_register("lone oscillators", "Oscillators of different frequencies.", None, alone, "synchrony")
_register(
    "like clocks",
    "Clocks of one frequency, started at random.",
    None,
    clocks,
    "synchrony",
    rejects=(IN_STEP,),  # they keep for ever whatever step chance gave them
)
_register(
    "clocks from noon",
    "Clocks of one frequency, started together.",
    None,
    started,
    "synchrony",
    rejects=(IN_STEP, BEYOND, LASTS),  # in step from the first reading on, which the audit says
)
_register("ringing", "Independent noisy oscillations of one period.", None, ringing, "synchrony")
_register("driven ringing", "All ring with one recorded signal.", None, driven, "synchrony")
_register("entrained", "All follow one recorded signal.", None, entrained, "synchrony")
_register("wandering", "Independent series with long memories.", None, wandering, "synchrony")
