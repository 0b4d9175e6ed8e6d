"""The ladder of null models: each draws a surrogate that keeps some of a sample and destroys exactly one thing.

Naming after randomized reference models (Gauvin et al., SIAM Review 64:763, 2022): N0 receivers shuffled, N1 links
rewired, N2 dyads flipped, N3 times shuffled inside links, N4 labels permuted between windows; NT and NR are made for
handoffs, NC for series. Samples hold agent numbers, never ids, so no null can depend on what an agent is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.rewiring import exchanged
from sim.detectors.shuffles import Alike, alike, shuffled
from sim.detectors.window import Floats, Ints

CHUNK = 16  # neighbouring handoffs of one sender among which NT permutes task types
SWAPS_PER_LINK = 12  # proposals of N1 for each link; the chain has forgotten its start well before


@dataclass(frozen=True)
class Null:
    """A null model: what it keeps of a sample, what it destroys, and what is shown by beating it.

    ``draw(sample, rng)`` returns a surrogate of the same type, which is ``takes``.
    """

    name: str
    keeps: str
    destroys: str
    shows: str
    takes: type
    draw: Callable[[Any, np.random.Generator], Any]


@dataclass(frozen=True)
class Contacts:
    """Events from source to target in time: arrays of shape (rows,) with agent numbers below ``n``."""

    n: int
    source: Ints
    target: Ints
    time: Floats


@dataclass(frozen=True)
class Links:
    """Pairs that were in contact, each once: arrays of shape (links,), ``count`` >= 1 contacts; no self-loops."""

    n: int
    source: Ints
    target: Ints
    count: Ints
    directed: bool


@dataclass(frozen=True)
class Handoffs:
    """Handoffs sorted by sender, then time: ``slot`` (the sender's receiver) and ``task``, shape (rows,).

    Attributes:
        n: Number of agents.
        types: Number of task types.
        slot: Index of the (sender, receiver) pair.
        task: Task type, below ``types``.
        giver: Sender of each slot, shape (slots,), not decreasing.
        taker: Receiver of each slot, shape (slots,).
    """

    n: int
    types: int
    slot: Ints
    task: Ints
    giver: Ints
    taker: Ints

    @cached_property
    def chunk(self) -> Ints:
        """Numbers of the chunks of CHUNK neighbouring handoffs of one sender, shape (rows,), not decreasing."""
        sender = self.giver[self.slot]
        start = np.searchsorted(sender, sender)
        return start + (np.arange(len(sender)) - start) // CHUNK  # unique: a sender has fewer chunks than rows

    @cached_property
    def alike(self) -> Alike:
        """The handoffs of one chunk, as places that may be exchanged."""
        return alike(self.chunk)


@dataclass(frozen=True)
class Frames:
    """One vector per window over the same slots.

    Attributes:
        values: Shape (windows, slots). Nominal values below 0 mean absent.
        group: Shape (slots,); slots of one group are alike when nothing lasts.
        nominal: Values are names (which group an agent is in), not amounts.
    """

    values: NDArray[Any]
    group: Ints
    nominal: bool

    @cached_property
    def alike(self) -> Alike:
        """The slots of one group, as places that may be exchanged."""
        return alike(self.group)


@dataclass(frozen=True)
class Series:
    """One series per agent over common times.

    Attributes:
        values: Shape (agents, times).
        shared: Signals that everybody could observe, shape (signals, times); they stay in place.
    """

    values: Floats
    shared: Floats


def shuffle_receivers(sample: Contacts, rng: np.random.Generator) -> Contacts:
    """N0: give the targets to the events in random order."""
    return replace(sample, target=rng.permutation(sample.target))


def rewire(sample: Links, rng: np.random.Generator) -> Links:
    """N1: exchange partners between links of like weight; each agent keeps its number of links of every weight class.

    Weight classes double (1, 2-3, 4-7, ... contacts), so strengths are kept up to the width of a class. Works on dense
    graphs too, where there is no free place to move a link to and only the weights can change places.
    """
    links = len(sample.source)
    if links < 2:
        return sample
    colour = np.frexp(sample.count.astype(np.float64))[1].astype(np.int64)
    ends = np.column_stack([sample.source, sample.target])
    ends = exchanged(ends, colour, directed=sample.directed, proposals=SWAPS_PER_LINK * links, rng=rng)
    return replace(sample, source=ends[:, 0].copy(), target=ends[:, 1].copy())


def flip_dyads(sample: Links, rng: np.random.Generator) -> Links:
    """N2: turn each pair of agents round, both its directions together, with probability one half."""
    low, high = np.minimum(sample.source, sample.target), np.maximum(sample.source, sample.target)
    _, pair = np.unique(low * sample.n + high, return_inverse=True)
    turned = (rng.random(int(pair.max(initial=-1)) + 1) < 0.5)[pair]
    source = np.where(turned, sample.target, sample.source)
    return replace(sample, source=source, target=np.where(turned, sample.source, sample.target))


def shuffle_times(sample: Contacts, rng: np.random.Generator) -> Contacts:
    """N3: give the times to the events in random order; who meets whom how often stays."""
    return replace(sample, time=rng.permutation(sample.time))


def permute_between_windows(sample: Frames, rng: np.random.Generator) -> Frames:
    """N4: in each window, permute the values among the slots of a group; absent slots stay absent."""
    return replace(sample, values=shuffled(sample.values, sample.alike, rng, keep=sample.nominal))


def permute_tasks(sample: Handoffs, rng: np.random.Generator) -> Handoffs:
    """NT: permute task types among CHUNK neighbouring handoffs of one sender.

    Keeps how often each agent hands off, to whom and when, and how often it holds each type; destroys that the receiver
    depends on the type. Permuting among neighbours in time only keeps what drifts, so a change of the mix of types that
    coincides with a change of partners is not mistaken for routing by type.
    """
    return replace(sample, task=shuffled(sample.task[None], sample.alike, rng)[0])


def choose_any_contact(sample: Handoffs, rng: np.random.Generator) -> Handoffs:
    """NR: let each handoff go to any of the sender's contacts alike.

    Keeps who hands off how often, what type, and who can reach whom; destroys that anybody is preferred.
    """
    first = np.searchsorted(sample.giver, np.arange(sample.n + 1))
    sender = sample.giver[sample.slot]
    degree = first[sender + 1] - first[sender]
    return replace(sample, slot=first[sender] + (rng.random(len(sender)) * degree).astype(np.int64))


def shift_series(sample: Series, rng: np.random.Generator) -> Series:
    """NC: shift each agent's series round the circle by an amount of its own.

    Keeps every series with its autocorrelation; destroys that they go together in time.
    """
    agents, times = sample.values.shape
    shift = rng.integers(0, max(times, 1), (agents, 1))
    row = np.arange(agents)[:, None] * (2 * times) + shift
    twice = np.concatenate([sample.values, sample.values], axis=1).ravel()
    return replace(sample, values=twice[row + np.arange(times)])


NULLS: dict[str, Null] = {}


def add(null: Null) -> Null:
    """Register a null model; ValueError when the name is taken."""
    if null.name in NULLS:
        raise ValueError(f"null model '{null.name}': the name is taken; choose another.")
    NULLS[null.name] = null
    return null


add(Null("N0", "who is active, and when", "whom they meet", "contacts are not uniform", Contacts, shuffle_receivers))
add(
    Null(
        "N1",
        "each agent's links of every weight",
        "grouping and order",
        "grouping or order beyond degrees",
        Links,
        rewire,
    )
)
add(Null("N2", "who is linked with whom", "the direction of links", "links have a common direction", Links, flip_dyads))
add(Null("N3", "who meets whom how often", "when they meet", "contacts are timed", Contacts, shuffle_times))
add(Null("N4", "each window", "persistence from window to window", "it lasts", Frames, permute_between_windows))
add(
    Null(
        "NT",
        "who hands off, to whom and when, and how often each type",
        "that the receiver depends on the task type",
        "handoffs are routed by task type",
        Handoffs,
        permute_tasks,
    )
)
add(
    Null(
        "NR",
        "who hands off how often, and who can reach whom",
        "that any contact is preferred",
        "handoffs prefer some contacts",
        Handoffs,
        choose_any_contact,
    )
)
add(
    Null(
        "NC",
        "each agent's own series",
        "that the series go together in time",
        "agents move together",
        Series,
        shift_series,
    )
)
