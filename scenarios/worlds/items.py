"""Worlds of items that travel: pipelines and rings of handoffs, markets of bids and awards, and what looks like them.

Truth: ``groups`` (agent to stage, station or side), ``length`` (stages or stations), ``members``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.worlds.world import World, as_log, worlds
from sim.detectors.shapes import SHAPED
from sim.record.log import Log

Ints = NDArray[np.int64]
SKIPPED = 0.1  # share of handoffs that leave a stage out
ROUNDS_OF_RING = 2  # times that an item goes round


def _as_items(paths: list[list[int]], rng: np.random.Generator, **truth: Any) -> Log:
    """A log of items that arrive, are handed along their paths and delivered; items overlap in time."""
    rows = [
        (
            k + 3.0 * step,
            "arrive" if step == 0 else "handoff",
            path[max(step - 1, 0)],
            None if step == 0 else path[step],
            k,
        )
        for k, path in enumerate(paths)
        for step in range(len(path))
    ] + [(k + 3.0 * len(path), "deliver", path[-1], None, k) for k, path in enumerate(paths)]
    jitter = rng.random(len(rows))
    rows = [rows[i] for i in np.argsort([r[0] + 0.5 * j for r, j in zip(rows, jitter, strict=True)], kind="stable")]
    time, kind, source, target, item = zip(*rows, strict=True)
    columns = {
        "time": list(time),
        "kind": list(kind),
        "source": list(source),
        "target": list(target),
        "item": list(item),
    }
    return as_log(columns, truth=truth)


def _someone(rng: np.random.Generator, pool: Ints, but: int) -> int:
    others = pool[pool != but]
    return int(rng.choice(others if len(others) else pool))


def item_pipeline(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, stages: int = 5, skipped: float = SKIPPED
) -> Log:
    """Items pass through stages in order, some left out; a share 1 - ``strength`` of handoffs goes to anybody."""
    stage = rng.permutation(np.arange(agents) % stages)
    pools = [np.flatnonzero(stage == s) for s in range(stages)]
    everybody, paths = np.arange(agents), []
    for _ in range(max(1, events // (stages + 1))):
        path, at = [int(rng.choice(pools[0] if rng.random() < strength else everybody))], 0
        while at < stages - 1:
            at = min(at + (2 if rng.random() < skipped else 1), stages - 1)
            pool = pools[at] if rng.random() < strength else everybody
            path.append(_someone(rng, pool, path[-1]))
        paths.append(path)
    return _as_items(paths, rng, groups=stage.tolist(), length=stages)


def item_ring(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, stations: int | None = None
) -> Log:
    """Items go round stations, entering anywhere; a share 1 - ``strength`` of handoffs goes to anybody."""
    length = int(rng.integers(3, 9)) if stations is None else stations
    station = rng.permutation(np.arange(agents) % length)
    pools = [np.flatnonzero(station == s) for s in range(length)]
    everybody, paths = np.arange(agents), []
    for _ in range(max(1, events // (ROUNDS_OF_RING * length + 2))):
        path = [int(rng.integers(agents))]
        for _ in range(ROUNDS_OF_RING * length):
            pool = pools[(station[path[-1]] + 1) % length] if rng.random() < strength else everybody
            path.append(_someone(rng, pool, path[-1]))
        paths.append(path)
    return _as_items(paths, rng, groups=station.tolist(), length=length)


def wandering_items(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Items are handed to anybody, five times."""
    paths = []
    for _ in range(max(1, events // 7)):
        path = [int(rng.integers(agents))]
        for _ in range(5):
            path.append(_someone(rng, np.arange(agents), path[-1]))
        paths.append(path)
    return _as_items(paths, rng)


def to_and_fro(rng: np.random.Generator, agents: int, events: int, _strength: float) -> Log:
    """Items go to and fro between partners on a random graph: no order and no round."""
    ends = rng.integers(0, agents, (2 * agents, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    near: list[list[int]] = [[] for _ in range(agents)]
    for a, b in ends.tolist():
        near[a].append(b)
        near[b].append(a)
    starts = [a for a in range(agents) if near[a]]
    paths = []
    for _ in range(max(1, events // 7)):
        path = [int(rng.choice(starts))]
        for _ in range(5):
            path.append(int(rng.choice(near[path[-1]])))
        paths.append(path)
    return _as_items(paths, rng)


# Markets: buyers open auctions (items), sellers bid a price, the buyer awards one of them.

BIDS = 5
SELLERS = 0.4  # share of agents that sell
DISCERNING = 6.0  # times as often as the next cheaper bid that the cheapest wins, at strength 1


def market(
    rng: np.random.Generator, agents: int, events: int, strength: float, *, wins: str = "price", spread: float = 0.3
) -> Log:
    """Auctions: a buyer asks, BIDS sellers bid, one is awarded.

    ``wins`` names what decides: ``price`` (the cheaper, the likelier), ``favourites`` (two sellers take all they bid for),
    or ``lot`` (any bidder alike). At strength 0 it is the lot.
    """
    sellers = rng.permutation(agents)[: max(BIDS + 1, round(SELLERS * agents))]
    buyers = np.setdiff1d(np.arange(agents), sellers)
    skill = rng.normal(0.0, spread, agents)
    favoured = sellers[:2]
    rows: list[tuple[float, str, int, int | None, int, float]] = []
    for k in range(max(1, events // (BIDS + 2))):
        buyer = int(rng.choice(buyers))
        bidders = rng.choice(sellers, min(BIDS, len(sellers)), replace=False)
        price = np.exp(skill[bidders] + rng.normal(0.0, spread, len(bidders)))
        rows.append((10.0 * k, "ask", buyer, None, k, np.nan))
        rows += [
            (10.0 * k + 1 + j, "bid", int(b), buyer, k, float(p))
            for j, (b, p) in enumerate(zip(bidders, price, strict=True))
        ]
        rank = np.argsort(np.argsort(price))
        weight = np.ones(len(bidders))
        if wins == "price":
            weight = (1.0 + (DISCERNING - 1.0) * strength) ** -rank.astype(np.float64)
        elif wins == "favourites":
            weight = np.where(np.isin(bidders, favoured), 1.0 + 20.0 * strength, 1.0)
        won = int(rng.choice(bidders, p=weight / weight.sum()))
        rows.append((10.0 * k + 9, "award", buyer, won, k, float(price[list(bidders).index(won)])))
    time, kind, source, target, item, value = zip(*rows, strict=True)
    columns = {
        "time": list(time), "kind": list(kind), "source": list(source), "target": list(target), "item": list(item),
        "value": list(value),
    }  # fmt: skip
    side = np.isin(np.arange(agents), sellers).astype(int)
    return as_log(
        columns, truth={"groups": side.tolist(), "members": favoured.tolist() if wins == "favourites" else []}
    )


def _add(
    name: str, summary: str, plants: str | None, make: Callable[..., Log], by: tuple[str, ...], **more: Any
) -> None:
    worlds.add(name)(World(name, summary, plants, make, detectors=by, **more))


_HANDED = ("handoffs", "rings")
_add("item pipeline", "Items pass through five stages in order, some left out.", "pipeline", item_pipeline, _HANDED)
_add("item ring", "Items go round a ring of three to eight stations.", "ring", item_ring, _HANDED)
_add("wandering items", "Items are handed to anybody.", None, wandering_items, _HANDED, tempts="pipeline", exact=True)
_add("to and fro", "Items go to and fro on a random graph.", None, to_and_fro, _HANDED, tempts="pipeline")
_add("price market", "Auctions in which cheap bids win.", "market", market, ("markets",), tempts="hub")
_add(
    "closed market",
    "Auctions that two favoured sellers win whenever they bid.",
    "market",
    partial(market, wins="favourites"),
    ("markets",),
)
_add(
    "auctions by lot",
    "Auctions won by any bidder alike.",
    None,
    partial(market, wins="lot"),
    ("markets",),
    tempts="market",
    holds=("roles",),
    exact=True,
    rejects=(SHAPED,),  # buyers ask, sellers bid: two sides
)
