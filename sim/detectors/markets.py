"""Markets: auctions in which some bidders win beyond the lot, or the price decides; offers and awards on items.

In each auction (an item) several agents offer a price and one is awarded. Two claims, each against awards drawn anew
among the bidders of the same auction (NL), so that being the only bidder, or bidding often, explains nothing: awards are
*concentrated* on few bidders, and awards go to the *cheaper* offers. Either makes a market. That sellers deal with buyers
only follows from the protocol and is a feature: bipartivity is reported, not tested; so is how prices spread early and
late.

Statistics, ranges, chance levels and failure modes stand with ``concentration`` and ``cheapness``. Sources: Herfindahl
1950; Hirschman 1964; auctions as in the contract net (Smith 1980, IEEE Trans. Comput. C-29:1104).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.nulls import Null, add
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

LEAST_AUCTIONS = 30
RANKS = 5  # places by price that are followed through windows
CONCENTRATED = "awards go to few bidders, beyond the lot among those who bid"
CHEAPER = "awards go to the cheaper offers, beyond the lot among those who bid"


@dataclass(frozen=True)
class Auctions:
    """Offers in auctions with at least two bidders and one award to one of them, sorted by auction.

    Attributes:
        n: Number of agents.
        auction: Auction of each offer, shape (offers,), not decreasing, from 0 on.
        bidder: Who offered, shape (offers,).
        place: Place of the offer by price in its auction, 0 the cheapest to 1 the dearest; 0.5 where prices are unknown.
        price: Price offered, NaN where unknown.
        won: Whether the offer was awarded, one in each auction.
    """

    n: int
    auction: Ints
    bidder: Ints
    place: Floats
    price: Floats
    won: Bools


def draw_lots(sample: Auctions, rng: np.random.Generator) -> Auctions:
    """NL: award each auction to one of its bidders, any alike."""
    if len(sample.auction) == 0:
        return sample
    order = np.lexsort((rng.random(len(sample.auction)), sample.auction))
    won = np.zeros(len(sample.auction), dtype=bool)
    won[order[np.searchsorted(sample.auction, np.arange(sample.auction[-1] + 1))]] = True
    return replace(sample, won=won)


add(
    Null(
        "NL",
        "who bids where, and at which price",
        "who of the bidders is awarded",
        "awards prefer some bidders or prices",
        Auctions,
        draw_lots,
    )
)


def concentration(sample: Auctions) -> float:
    """Herfindahl-Hirschman index of awards: the sum of squared shares.

    Range: (0, 1]. Low: many win; high: one wins all. Chance level: 1 / bidders and more where some bid more often, so it
    is read against NL. Null: NL. Fooled by: nothing that depends on who bids; a bidder who is better is rightly found.
    Reference: Herfindahl 1950; Hirschman 1964, Am. Econ. Rev. 54:761.
    """
    wins = np.bincount(sample.bidder[sample.won], minlength=sample.n)
    return float((wins / max(wins.sum(), 1)) @ (wins / max(wins.sum(), 1)))


def cheapness(sample: Auctions) -> float:
    """How consistently the cheaper offer wins: one minus the mean place by price of awarded offers.

    Range: [0, 1]. Low: the dearest offer wins; high: the cheapest always does. Chance level: 0.5. Null: NL. Fooled by:
    prices that only the winner states (such auctions are left out).
    """
    return float(1.0 - sample.place[sample.won].mean()) if sample.won.any() else 0.5


def _uses(window: Window) -> Bools:
    rows = window.of_class("offers") | (window.of_class("awards") & (window.target >= 0))
    return np.asarray(rows & (window.item >= 0))


def auctions(window: Window) -> Auctions:
    """The auctions of a window; of several offers of a bidder in one auction the last counts."""
    offer = np.flatnonzero(window.of_class("offers") & (window.item >= 0))
    award = np.flatnonzero(window.of_class("awards") & (window.item >= 0) & (window.target >= 0))
    winner = np.full(int(window.item.max(initial=0)) + 1, NONE, dtype=np.int64)
    winner[window.item[award]] = window.target[award]
    key = window.item[offer] * window.n + window.source[offer]
    offer = offer[len(offer) - 1 - np.unique(key[::-1], return_index=True)[1]]  # sorted by item, then bidder
    item, bidder = window.item[offer], window.source[offer]
    _, number, size = np.unique(item, return_inverse=True, return_counts=True)
    won = winner[item] == bidder
    kept = ((size >= 2) & (np.bincount(number[won], minlength=len(size)) == 1))[number]
    _, number = np.unique(item[kept], return_inverse=True)
    price = window.value[offer[kept]]
    return Auctions(window.n, number, bidder[kept], _places(number, price), price, won[kept])


def _places(auction: Ints, price: Floats) -> Floats:
    """Places by price within auctions, ties sharing the mean of theirs; 0.5 where a price of the auction is unknown."""
    place = np.full(len(auction), 0.5)
    for start, end in zip(*_stretches(auction), strict=True):
        mine = price[start:end]
        if np.isfinite(mine).all():
            below = (mine[None, :] < mine[:, None]).sum(axis=1) + 0.5 * (
                (mine[None, :] == mine[:, None]).sum(axis=1) - 1
            )
            place[start:end] = below / (end - start - 1)
    return place


def _stretches(auction: Ints) -> tuple[Ints, Ints]:
    total = int(auction.max(initial=-1)) + 1
    return np.searchsorted(auction, np.arange(total)), np.searchsorted(auction, np.arange(total), side="right")


def _refuses(window: Window) -> str:
    if not bool(window.of_class("offers").any()):
        return "no event is an offer on an item"
    if not bool(window.of_class("awards").any()):
        return "no event awards an item to one of those who offered"
    found = int(auctions(window).won.sum())
    if found < LEAST_AUCTIONS:
        return f"fewer than {LEAST_AUCTIONS} auctions with two bidders and an award"
    return ""


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    found = auctions(window)
    members = np.unique(np.concatenate([found.bidder, window.source[_uses(window)]]))
    wins = np.bincount(found.bidder[found.won], minlength=window.n)
    detail = {"wins": wins, "excess": _excess(found)}
    winners = frozenset(int(a) for a in np.flatnonzero(wins > 2.0 * wins.sum() / max((wins > 0).sum(), 1)))
    return [Candidate("", 0, tuple(int(a) for a in members), (winners,) if winners else (), detail)]


def _excess(found: Auctions) -> float:
    """How far awards are from the lot: awards that would have to change hands, by bidder or by place, as a share."""
    return float(max(np.abs(part).sum() for part in _over_lot(found)) / (2.0 * max(found.won.sum(), 1)))


def _over_lot(found: Auctions) -> tuple[Floats, Floats]:
    """Awards less those of a lot, by bidder, shape (n,), and by place, shape (RANKS,)."""
    size = np.bincount(found.auction)
    fair = found.won - 1.0 / size[found.auction]
    rank = np.minimum((found.place * RANKS).astype(np.int64), RANKS - 1)
    by_bidder, by_place = np.bincount(found.bidder, fair, found.n), np.bincount(rank, fair, RANKS)
    return by_bidder.astype(np.float64), by_place.astype(np.float64)


def _sample(window: Window, _candidates: Sequence[Candidate]) -> Auctions:
    return auctions(window)


def _concentration(sample: Auctions, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), concentration(sample))


def _cheapness(sample: Auctions, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), cheapness(sample))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return next((("market", (claim,)) for claim in (CONCENTRATED, CHEAPER) if claim in beaten), None)


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Awards beyond the lot by bidder and by place, per window; bidders may change among themselves, places too."""
    values = np.stack([np.concatenate(_over_lot(auctions(part))) for part in parts])
    return values, np.repeat([0, 1], [whole.n, RANKS]), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    whole = float(candidate.detail["excess"])
    found = auctions(damaged)
    if whole <= 0.0 or found.won.sum() < LEAST_AUCTIONS // 2:
        return 0.0
    return min(1.0, _excess(found) / whole)


def _portrait(window: Window, candidate: Candidate, _kind: str) -> Portrait:
    found = auctions(window)
    members = np.array(candidate.members, dtype=np.int64)
    wins = candidate.detail["wins"]
    sells, buys = np.zeros(window.n, dtype=bool), np.zeros(window.n, dtype=bool)
    sells[window.source[window.of_class("offers")]] = True
    buys[window.source[window.of_class("awards")]] = True
    roles = {
        "winner": members[(wins[members] > 0) & sells[members]],
        "bidder": members[(wins[members] == 0) & sells[members]],
        "buyer": members[~sells[members]],
    }
    total, half = max(int(wins.sum()), 1), found.auction < (found.auction.max(initial=0) + 1) // 2
    facts = {
        "auctions": int(found.won.sum()),
        "concentration": concentration(found),
        "cheapness": cheapness(found),
        "largest share": float(wins.max(initial=0) / total),
        "bipartivity": float(1.0 - (sells & buys)[members].mean()) if len(members) else 1.0,
        "dispersion": [_dispersion(found.price[found.won & part]) for part in (half, ~half)],
    }
    return Portrait(members, {name: agents for name, agents in roles.items() if len(agents)}, _uses(window), facts)


def _dispersion(price: Floats) -> float | None:
    """Deviation of awarded prices over their mean; None with fewer than three known prices."""
    known = price[np.isfinite(price)]
    return float(known.std(ddof=1) / abs(known.mean())) if len(known) >= 3 and known.mean() != 0.0 else None


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    early, late = facts["dispersion"]
    spread = (
        "" if early is None or late is None else f"; awarded prices spread by {early:.0%} early and {late:.0%} late"
    )
    return Words(
        "agents trade in a market",
        f"{facts['auctions']:,} auctions form a market: the most successful bidder has {facts['largest share']:.0%} of the "
        f"awards, and {facts['cheapness']:.0%} of rival offers were dearer than the awarded one{spread}",
        "awards that are drawn by lot among those who bid and show the same, or other winners and places in later windows",
    )


markets = detectors.add("markets")(
    Detector(
        name="markets",
        kinds=("market",),
        needs=("item", "target"),
        minimum=Minimum(agents=4, events=120, per_window=40),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(CONCENTRATED, "NL", _sample, _concentration, "Herfindahl index"),
            Claim(CHEAPER, "NL", _sample, _cheapness, "share of dearer rivals"),
        ),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=lambda _window, _candidate: "",
        unit="item",
    )
)
