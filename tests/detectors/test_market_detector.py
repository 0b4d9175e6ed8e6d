"""Markets: awards against the lot among those who bid.

20 worlds each; where nothing is to be found, more than 5 of 20 at 5 % have probability 3e-4.
"""

import numpy as np
import polars as pl
import pytest

from scenarios.worlds.world import worlds
from sim.detectors.engine import detect
from sim.detectors.markets import auctions, cheapness, concentration, draw_lots
from sim.detectors.window import read
from sim.record.log import Log


def small(winners, bids=((1, 5.0), (2, 3.0), (3, 4.0))):
    rows = []
    for k, winner in enumerate(winners):
        rows += [(k, "bid", b, 0, k, p) for b, p in bids] + [(k + 0.5, "award", 0, winner, k, None)]
    return Log(
        pl.DataFrame(rows, schema=["time", "kind", "source", "target", "item", "value"], orient="row", strict=False)
    )


def test_concentration_and_cheapness_by_hand():
    window = read(small([2, 2, 3, 1])).windows[0]
    found = auctions(window)
    assert concentration(found) == pytest.approx((2**2 + 1 + 1) / 16)
    assert cheapness(found) == pytest.approx(1 - (0 + 0 + 0.5 + 1) / 4)


def test_auctions_without_a_choice_or_an_award_to_a_bidder_are_left_out():
    assert auctions(read(small([9, 2])).windows[0]).won.sum() == 1
    assert auctions(read(small([1, 1], bids=((1, 5.0),))).windows[0]).won.sum() == 0


def test_lots_give_one_award_to_each_auction_and_keep_the_bids():
    found = auctions(read(worlds.get("price market").log(1)).windows[0])
    drawn = draw_lots(found, np.random.default_rng(0))
    assert (np.bincount(drawn.auction, drawn.won) == 1).all()
    assert drawn.bidder is found.bidder
    shares = np.mean([draw_lots(found, np.random.default_rng(s)).won for s in range(400)], axis=0)
    assert np.abs(shares - 1 / 5).max() < 5 * np.sqrt(0.16 / 400)


@pytest.mark.parametrize(("name", "claim"), [("price market", "cheaper"), ("closed market", "few bidders")])
def test_planted_markets_are_discovered(name, claim):
    for seed in range(3):
        report = detect(worlds.get(name).log(seed), detectors=["markets"])
        assert [s.kind for s in report.discovered] == ["market"]
        assert any(claim in r.claim_tested and r.verdict == "beaten" for r in report.ledger)


def test_auctions_by_lot_are_no_market():
    found = [detect(worlds.get("auctions by lot").log(s), detectors=["markets"]).discovered for s in range(20)]
    assert sum(map(bool, found)) <= 5
