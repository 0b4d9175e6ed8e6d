"""Intervals: they hold the truth as often as they say, stay in range, and say nothing where nothing is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.instruments.inequality import effective_number, gini
from sim.instruments.intervals import bootstrap, mean_of_groups, ratio, share

WORLDS = 400


def coverage(draw, truth):
    """Share of worlds whose 95 % interval holds the truth."""
    rng = np.random.default_rng(11)
    hits = [low <= truth <= high for low, high in (draw(rng) for _ in range(WORLDS))]
    return float(np.mean(hits))


def independent(rng):
    values = rng.exponential(size=400)
    return ratio(values, np.ones(400), np.arange(400) // 20)[1:]


def autocorrelated(rng):
    """Batches of 100 observations with a memory of about 5."""
    noise = rng.normal(size=2000)
    values = np.empty(2000)
    values[0] = noise[0] / np.sqrt(1 - 0.8**2)
    for i in range(1, 2000):
        values[i] = 0.8 * values[i - 1] + noise[i]
    return ratio(values, np.ones(2000), np.arange(2000) // 100)[1:]


def unequal(rng):
    """A ratio whose denominators differ between groups and go with the numerators."""
    sizes = rng.integers(1, 30, 20)
    group = np.repeat(np.arange(20), sizes)
    return ratio(rng.random(len(group)) + 0.1, np.ones(len(group)), group)[1:]


# 400 worlds: the standard error of a coverage of 0.95 is 0.011, so 0.90 lies 4.6 of them below.
@pytest.mark.parametrize(("draw", "truth"), [(independent, 1.0), (autocorrelated, 0.0), (unequal, 0.6)])
def test_intervals_hold_the_truth_as_often_as_they_say(draw, truth):
    assert 0.90 <= coverage(draw, truth) <= 0.99


def test_without_batches_dependence_would_fool_the_interval():
    def pretend(rng):
        noise = rng.normal(size=2000)
        values = np.convolve(noise, np.ones(20), mode="valid")
        return ratio(values, np.ones(len(values)), np.arange(len(values)))[1:]

    assert coverage(pretend, 0.0) < 0.7


def test_the_bootstrap_of_an_even_spread_touches_zero_and_holds_a_planted_one():
    def planted(rng):
        counts = rng.poisson(np.array([1.0, 2, 3, 10]) * 5, size=(20, 4)).astype(float)
        return bootstrap(counts, gini, rng)

    assert 0.85 <= coverage(planted, gini(np.array([1.0, 2, 3, 10]))) <= 1.0


def test_nothing_is_said_where_nothing_is_known():
    assert ratio(np.array([]), np.array([]), np.array([])) == (None, None, None)
    assert ratio(np.ones(3), np.zeros(3), np.arange(3)) == (None, None, None)
    assert ratio(np.ones(4), np.ones(4), np.arange(4)) == (1.0, None, None)
    assert bootstrap(np.ones((4, 3)), gini, np.random.default_rng(0)) == (None, None)
    assert mean_of_groups(np.array([np.nan, np.nan])) == (None, None, None)


def test_bounds_stay_in_range_and_hold_the_value():
    value, low, high = ratio(np.array([0, 0, 0, 0, 0, 1.0]), np.ones(6), np.arange(6), low=0.0, high=1.0)
    assert low == 0.0 <= value <= high <= 1.0


def test_a_share_without_exception_is_still_uncertain():
    value, low, high = share(np.ones(30, bool), np.arange(30) // 5)
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(1 - (1 - 0.025 ** (1 / 30)))
    assert share(np.zeros(30, bool), np.arange(30) // 5)[:2] == (0.0, 0.0)
    assert share(np.ones(3, bool), np.arange(3)) == (1.0, None, None)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda x: sum(x) > 1e-6), st.floats(0.1, 100))
def test_gini_is_free_of_scale_and_order_and_stays_in_range(amounts, factor):
    x = np.array(amounts)
    assert 0 <= gini(x) <= 1 - 1 / len(x) + 1e-9
    assert gini(x * factor) == pytest.approx(gini(x), abs=1e-9)
    assert gini(x[::-1]) == pytest.approx(gini(x), abs=1e-12)
    brute = np.abs(x[:, None] - x[None, :]).sum() / (2 * len(x) ** 2 * x.mean())
    assert gini(x) == pytest.approx(brute, abs=1e-9)
    assert 1 - 1e-9 <= effective_number(x) <= len(x) + 1e-6


def test_extremes_of_inequality():
    assert gini(np.ones(7)) == 0.0
    assert gini(np.array([0, 0, 0, 5.0])) == pytest.approx(0.75)
    assert np.isnan(gini(np.zeros(3)))
    assert effective_number(np.ones(7)) == pytest.approx(7)
    assert effective_number(np.array([0, 3.0])) == pytest.approx(1)
    assert effective_number(np.zeros(2)) == 0
