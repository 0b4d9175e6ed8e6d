"""Synergy: a parity team is found, and coins, long memories, failed replies and a broadcast are not."""

import numpy as np
import pytest

from scenarios.worlds.world import worlds
from sim.detectors.core import detectors
from sim.detectors.engine import detect
from sim.detectors.nulls import NULLS
from sim.detectors.surrogates import compare
from sim.detectors.together import Team, pair_synergies, parity_synergy, shift_within_levels
from sim.detectors.window import read


def team(values, level=None):
    times = values.shape[1]
    level = np.zeros(times, dtype=np.int64) if level is None else level
    return Team(values, np.zeros((0, times)), np.full(len(values), 0.5), level, np.arange(times - 1))


def kept_parity(seed, *, n=4, times=4000, keep=0.8):
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (n, times))
    for t in range(1, times):
        bits[-1, t] = (bits[:-1, t].sum() + bits[:, t - 1].sum() + (rng.random() > keep)) % 2
    return bits.astype(np.float64)


def test_parity_synergy_is_the_closed_form_of_a_kept_parity():
    """Psi = 1 - H(0.8) = 0.278 bits; 4000 times, standard error about 0.014."""
    value = parity_synergy(team(kept_parity(1)), np.arange(4))
    assert value == pytest.approx(1 + 0.8 * np.log2(0.8) + 0.2 * np.log2(0.2), abs=0.056)


def test_an_exclusive_or_of_two_is_one_bit_of_the_pair_and_none_alone():
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2, (3, 3000))
    bits[2, 1:] = bits[0, :-1] ^ bits[1, :-1]
    found = pair_synergies(team(bits.astype(np.float64)), np.arange(3))
    assert np.unravel_index(found.argmax(), found.shape)[2] == 2
    assert found.max() == pytest.approx(1.0, abs=0.01)
    alike = np.repeat(rng.integers(0, 2, (1, 3000)), 3, axis=0).astype(np.float64)
    alike[:, 1:] = alike[:, :-1]
    assert pair_synergies(team(alike), np.arange(3)).max() <= 0.0


def test_the_null_keeps_what_each_member_does_at_each_level():
    rng = np.random.default_rng(3)
    values, level = rng.normal(size=(3, 90)), rng.integers(0, 2, 90)
    drawn = shift_within_levels(team(values, level), rng)
    for k in (0, 1):
        assert np.allclose(np.sort(drawn.values[:, level == k]), np.sort(values[:, level == k]))
    assert not np.allclose(drawn.values, values)


def test_the_null_leaves_out_where_an_end_meets_a_beginning():
    values = np.arange(50.0)[None, :].repeat(2, axis=0)
    drawn = shift_within_levels(team(values), np.random.default_rng(4))
    assert (np.diff(drawn.values, axis=1)[:, drawn.now] == 1.0).all()


@pytest.mark.parametrize(("world", "feature"), [("parity team", "parity"), ("pair parity", "pairs")])
def test_a_whole_that_foretells_is_discovered_in_100_times(world, feature):
    found = [detect(worlds.get(world).log(s), detectors=["synergy"], seed=s).discovered for s in range(4)]
    assert [[s.facts["feature"] for s in f] for f in found].count([feature]) >= 3
    assert all("small teams only" in s.sentence for f in found for s in f)


def p_values(world, count):
    """p of the whole and of pairs in each of ``count`` worlds, shape (worlds, 2); 1 where a first look ruled one out."""
    found = []
    for seed in range(count):
        window = read(worlds.get(world).log(7000 + seed)).windows[0]
        detector = detectors.get("synergy")
        asked = detector.propose(window, lambda _note: None)
        sample = detector.claims[0].sample(window, asked)
        statistic = detector.claims[0].statistic
        rng = np.random.default_rng(seed)
        test = compare(sample, lambda s, c=asked, f=statistic: f(s, c), NULLS["NS"], most=39, stop=40, rng=rng)
        found.append(np.where([bool(c.dismissed) for c in asked], 1.0, test.p))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("world", ["lone coins", "repeated replies", "few wanderers", "obedient team"])
def test_false_alarms_stay_at_the_level(world):
    """100 worlds, two tests each; 5 % may read up to 13.7 % (4 standard errors)."""
    p = p_values(world, 100)
    assert p.shape == (100, 2)
    assert ((p <= 0.05).mean(axis=0) <= 0.137).all()


def test_members_with_long_memories_have_synergy_above_zero_and_are_not_discovered():
    reports = [detect(worlds.get("few wanderers").log(s), detectors=["synergy"], seed=s) for s in range(4)]
    assert sum(bool(r.discovered) for r in reports) <= 1
    assert max(row.score for r in reports for row in r.ledger if row.score is not None) > 0.05


def test_large_teams_without_contacts_are_refused_in_words():
    report = detect(worlds.get("hidden influence").log(1, events=2000), detectors=["synergy"])
    assert not report.structures
    assert any("small teams only" in row.reason for row in report.ledger)


def test_a_game_of_fifteen_rounds_is_refused():
    report = detect(worlds.get("parity team").log(1, events=100), detectors=["synergy"])
    assert [row.verdict for row in report.ledger] == ["insufficient data"]
