"""Worlds of small teams: a whole that foretells what its members do not, and what looks like it.

Truth: ``members`` of the team, or ``together`` and ``foretold`` of a pair and the third that it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.worlds.world import World, as_log, worlds
from sim.record.log import Log

Floats = NDArray[np.float64]
KEPT = 0.8  # probability that parity is kept at strength 1
OBEYS = 0.85  # probability of doing what a broadcast says
FAILS = 0.4  # share of the replies that fail and are filled in with the last one


def _decided(values: Floats, **truth: object) -> Log:
    """One ``decide`` per agent and time, shape (agents, times); its value is on record."""
    agents, times = values.shape
    columns = {
        "time": np.repeat(np.arange(times, dtype=np.float64), agents),
        "kind": ["decide"] * (agents * times),
        "source": np.tile(np.arange(agents), times),
        "value": values.T.ravel(),
    }
    return as_log(columns, truth=truth)


def _times(agents: int, events: int) -> int:
    return max(20, events // agents)


def _kept(strength: float) -> float:
    return 0.5 + (KEPT - 0.5) * strength


def parity_team(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Everybody tosses a coin, but the number of heads stays even or odd with probability 0.8 at strength 1."""
    bits = rng.integers(0, 2, (agents, _times(agents, events)))
    keep = np.asarray(rng.random(bits.shape[1]) < _kept(strength))
    for t in range(1, bits.shape[1]):
        before = bits[:, t - 1].sum() % 2
        wanted = before if keep[t] else 1 - before
        if bits[:, t].sum() % 2 != wanted:
            bits[rng.integers(0, agents), t] ^= 1
    return _decided(bits.astype(np.float64), members=list(range(agents)))


def pair_parity(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """The last agent does what two others did unlike or alike (exclusive or); all else are coins."""
    bits = rng.integers(0, 2, (agents, _times(agents, events)))
    keep = rng.random(bits.shape[1] - 1) < _kept(strength)
    decided = bits[0, :-1] ^ bits[1, :-1]
    bits[-1, 1:] = np.where(keep, decided, 1 - decided)
    return _decided(bits.astype(np.float64), together=[0, 1], foretold=agents - 1)


def coins(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody tosses a coin."""
    return _decided(rng.integers(0, 2, (agents, _times(agents, events))).astype(np.float64))


def repeats(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody decides alone, and where its reply fails its last one is taken again."""
    values = rng.integers(0, 2, (agents, _times(agents, events))).astype(np.float64)
    failed = rng.random(values.shape) < FAILS
    for t in range(1, values.shape[1]):
        values[:, t] = np.where(failed[:, t], values[:, t - 1], values[:, t])
    return _decided(values)


def few_wanderers(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """A small team of independent AR(0.95)."""
    noise = rng.standard_normal((agents, _times(agents, events)))
    x = noise / np.sqrt(1.0 - 0.95**2)
    for t in range(1, x.shape[1]):
        x[:, t] = 0.95 * x[:, t - 1] + noise[:, t]
    return _decided(x)


def obedient(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """A small team that does what a broadcast on record says, each alone."""
    times = _times(agents, events)
    said = np.cumsum(rng.random(times) < 0.3) % 2
    obeys = rng.random((agents, times)) < OBEYS
    values = np.where(obeys, said, rng.integers(0, 2, (agents, times))).astype(np.float64)
    states = pl.DataFrame(
        {
            "time": np.arange(times, dtype=np.float64),
            "agent": pl.Series([None] * times, dtype=pl.Int64),
            "variable": ["broadcast"] * times,
            "value": said.astype(np.float64),
        }
    )
    return replace(_decided(values), states=states)


Maker = Callable[[np.random.Generator, int, int, float], Log]


def _register(name: str, summary: str, make: Maker, *, plants: bool = False) -> None:
    kind = "synergy" if plants else None
    worlds.add(name)(World(name, summary, kind, make, 5, 500, ("synergy",), "" if plants else "synergy"))


_register("parity team", "Coins whose number of heads stays even or odd.", parity_team, plants=True)
_register("pair parity", "Two agents together decide what a third does.", pair_parity, plants=True)
_register("lone coins", "Everybody tosses a coin.", coins)
_register("repeated replies", "Failed replies are filled in with the last one.", repeats)
_register("few wanderers", "A small team of independent long memories.", few_wanderers)
_register("obedient team", "A small team does what a recorded broadcast says.", obedient)
