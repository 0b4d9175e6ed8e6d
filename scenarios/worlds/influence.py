"""Worlds of influence: agents whose next decision follows another's last one, and what looks like it.

Truth: ``links``, pairs (source, target), source acting on target. All worlds are made of one autoregression with a
sparse matrix; what differs is what is on record. Draws are made before anything happens, so that muting an agent leaves
all draws of the others as they were (``mute``): the ground truth of a knock-out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.worlds.world import World, as_log, worlds
from sim.record.log import Log

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
KEEPS = 0.5  # what an agent keeps of its last value
COEFFICIENT = 0.3  # of a link at strength 1, in units of the noise
PER_AGENT = 0.75  # links
SETTLE = 50
TOLD = 0.6  # share of the times at which a message goes


@dataclass(frozen=True)
class Draws:
    """Everything drawn for a world, before anything happens.

    Attributes:
        matrix: Coefficient of each ordered pair, shape (agents, agents), [from, to].
        noise: Shape (agents, times).
        driver: A signal that all may feel, shape (times,).
        told: Times at which a pair is in touch, shape (agents, agents, times).
    """

    matrix: Floats
    noise: Floats
    driver: Floats
    told: Bools


def drawn(rng: np.random.Generator, agents: int, times: int, coefficient: float, *, told: float = 1.0) -> Draws:
    """Draws for ``times`` after the first SETTLE, with PER_AGENT links for each agent."""
    matrix = np.zeros((agents, agents))
    pairs = np.flatnonzero(~np.eye(agents, dtype=bool))
    linked = rng.choice(pairs, max(1, round(PER_AGENT * agents)), replace=False)
    matrix.flat[linked] = coefficient
    noise = rng.standard_normal((agents, SETTLE + times))
    driver = np.zeros(SETTLE + times)
    for t, step in enumerate(rng.standard_normal(SETTLE + times)):
        driver[t] = 0.7 * driver[t - 1] + step if t else step
    in_touch = np.ones((agents, agents, SETTLE + times), dtype=bool)
    in_touch.reshape(agents * agents, -1)[linked] = rng.random((len(linked), SETTLE + times)) < told
    return Draws(matrix, noise, driver, in_touch)


def course(draws: Draws, *, felt: float = 0.0, mute: Collection[int] = (), since: float = 0.0) -> Floats:
    """Values of all agents, shape (agents, times): x(t+1) = KEEPS x(t) + sum of c x_other(t) + felt driver(t) + noise.

    A muted agent does nothing from ``since`` on: what it left last stays where others see it.
    """
    agents, times = draws.noise.shape
    x = np.zeros((agents, times))
    silent = np.zeros(agents, dtype=bool)
    silent[list(mute)] = True
    for t in range(1, times):
        heard = np.einsum("ij,ij,i->j", draws.matrix, draws.told[:, :, t - 1], x[:, t - 1])
        x[:, t] = KEEPS * x[:, t - 1] + heard + felt * draws.driver[t - 1] + draws.noise[:, t]
        if t >= SETTLE + since:
            x[silent, t] = x[silent, t - 1]
    return x[:, SETTLE:]


def decided(draws: Draws, values: Floats, *, mute: Collection[int] = (), since: float = 0.0) -> Log:
    """One ``decide`` per agent and time, its value on record; nothing else is."""
    agents, times = values.shape
    who, when = np.tile(np.arange(agents), times), np.repeat(np.arange(times, dtype=np.float64), agents)
    acts = ~(np.isin(who, list(mute)) & (when >= since))
    columns = {"time": when[acts], "kind": ["decide"] * int(acts.sum()), "source": who[acts]}
    return as_log({**columns, "value": values.T.ravel()[acts]}, truth=_truth(draws))


def _truth(draws: Draws) -> dict[str, object]:
    return {"links": np.argwhere(draws.matrix != 0.0).tolist()}


def _times(agents: int, events: int) -> int:
    return max(20, events // agents)


def influence(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Agents follow others through something that is not on record."""
    draws = drawn(rng, agents, _times(agents, events), COEFFICIENT * strength)
    return decided(draws, course(draws))


def knocked(
    seed: int, *, mute: Collection[int], since: float, agents: int = 20, events: int = 6000, strength: float = 1.0
) -> Log:
    """Hidden influence with some agents muted from ``since`` on; all draws are those of the same seed without."""
    draws = drawn(np.random.default_rng(seed), agents, _times(agents, events), COEFFICIENT * strength)
    return decided(draws, course(draws, mute=mute, since=since), mute=mute, since=since)


def _under(rng: np.random.Generator, agents: int, events: int, coefficient: float, *, recorded: bool) -> Log:
    draws = drawn(rng, agents, _times(agents, events), coefficient)
    log = decided(draws, course(draws, felt=1.0))
    if not recorded:
        return log
    times = np.arange(draws.driver.size - SETTLE, dtype=np.float64)
    states = pl.DataFrame(
        {
            "time": times,
            "agent": pl.Series([None] * len(times), dtype=pl.Int64),
            "variable": ["demand"] * len(times),
            "value": draws.driver[SETTLE:],
        }
    )
    return replace(log, states=states)


def influence_under_driver(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """Agents follow others, and all of them a demand that is on record."""
    return _under(rng, agents, events, COEFFICIENT * strength, recorded=True)


def recorded_driver(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """All follow a demand that is on record; nobody follows anybody."""
    return _under(rng, agents, events, 0.0, recorded=True)


def latent_driver(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """All follow a demand that nobody recorded; nobody follows anybody."""
    return _under(rng, agents, events, 0.0, recorded=False)


def walkers(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody decides by its own last decision alone."""
    draws = drawn(rng, agents, _times(agents, events), 0.0)
    return decided(draws, course(draws))


def stigmergic(rng: np.random.Generator, agents: int, events: int, strength: float) -> Log:
    """A writes an artefact, B reads it and follows: one artefact a link, every write and read on record."""
    links = max(1, round(PER_AGENT * agents))
    draws = drawn(rng, agents, _times(agents + 2 * links, events), COEFFICIENT * strength)
    if strength == 0.0:
        # Nobody follows what it reads; who reads whom is drawn anew each time.
        return _in_touch(draws, course(draws), artefacts=True, rng=rng)
    return _in_touch(draws, course(draws), artefacts=True)


def open_board(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Everybody writes to and reads from a few boards at random, and decides alone."""
    return stigmergic(rng, agents, events, 0.0)


def told(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Agents follow others, by messages that are all on record and at the times of these alone."""
    links = max(1, round(PER_AGENT * agents))
    draws = drawn(rng, agents, _times(agents + round(TOLD * links), events), COEFFICIENT, told=TOLD)
    return _in_touch(draws, course(draws), artefacts=False)


def _in_touch(draws: Draws, values: Floats, *, artefacts: bool, rng: np.random.Generator | None = None) -> Log:
    """Decisions, and between them what leads from giver to taker: a message, or a write and a read of the link's artefact.

    With ``rng`` the writer, reader and artefact of each contact are drawn at random.
    """
    agents, times = values.shape
    ends = np.argwhere(draws.matrix != 0.0)
    if rng is not None:
        ends = np.argwhere(~np.eye(agents, dtype=bool))[: max(1, round(PER_AGENT * agents))]
    link, when = np.nonzero(draws.told[ends[:, 0], ends[:, 1], SETTLE:])
    giver, taker = ends[link, 0], ends[link, 1]
    if rng is not None:
        giver, taker, link = rng.integers(0, agents, len(link)), rng.integers(0, agents, len(link)), link % 4
    decide = {
        "time": np.repeat(np.arange(times, dtype=np.float64), agents),
        "kind": ["decide"] * (agents * times),
        "source": np.tile(np.arange(agents), times),
        "target": [None] * (agents * times),
        "artefact": [None] * (agents * times),
        "value": values.T.ravel(),
    }
    nothing = [None] * len(link)
    between: list[tuple[str, Any, Any, Any, Any]]
    if artefacts:
        place = np.arange(len(link)) / max(len(link), 1)  # contacts of one time come one after the other
        between = [
            ("write", giver, nothing, link, when + 0.2 + 0.2 * place),
            ("read", taker, nothing, link, when + 0.6 + 0.2 * place),
        ]
    else:
        between = [("message", giver, taker.tolist(), nothing, when + 0.5)]
    frames = [pl.DataFrame(decide, strict=False)]
    for kind, source, target, artefact, time in between:
        columns = {"time": time, "kind": [kind] * len(link), "source": source, "target": target, "artefact": artefact}
        frames.append(pl.DataFrame({**columns, "value": [None] * len(link)}, strict=False))
    table = pl.concat(frames, how="vertical_relaxed").sort("time", maintain_order=True)
    return as_log({name: table[name] for name in table.columns}, truth=_truth(draws) if rng is None else {})


Maker = Callable[[np.random.Generator, int, int, float], Log]


def _register(name: str, summary: str, make: Maker, *, events: int = 6000, plants: bool = False) -> None:
    kind = "influence" if plants else None
    worlds.add(name)(World(name, summary, kind, make, 20, events, ("influence",), "" if plants else "influence"))


_register("hidden influence", "Agents follow others off the record.", influence, plants=True)
_register("influence and demand", "Agents follow others and one recorded signal.", influence_under_driver, plants=True)
_register("stigmergy", "Agents follow what others left in artefacts.", stigmergic, events=15000, plants=True)
_register("recorded demand", "All follow one recorded signal, each alone.", recorded_driver)
_register("latent demand", "All follow one signal that is not recorded.", latent_driver)
_register("lone deciders", "Each decides by its own last decision.", walkers)
_register("open board", "All write and read at random and decide alone.", open_board, events=15000)
_register("told by message", "Agents follow others by recorded messages.", told, events=9000)
