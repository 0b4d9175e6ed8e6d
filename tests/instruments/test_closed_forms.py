"""Closed forms of drift: against an exact table, series against integral, limits, and simulated vectors."""

import numpy as np
import pytest

from sim.instruments.closed_forms import _integrated, accumulated_cosine, composed, kept_after, one_hop_cosine

# d, sigma, cosine after 1, 5, 10 hops with renormalisation, and without. Exact values.
DRIFT = [
    (8, 0.1, (0.99565, 0.97842, 0.95730), (0.99565, 0.97863, 0.95824)),
    (8, 0.3, (0.96224, 0.82493, 0.68051), (0.96224, 0.83912, 0.73098)),
    (8, 1.0, (0.71177, 0.18269, 0.03337), (0.71177, 0.40197, 0.29485)),
    (64, 0.1, (0.99511, 0.97580, 0.95219), (0.99511, 0.97624, 0.95405)),
    (64, 0.3, (0.95837, 0.80847, 0.65362), (0.95837, 0.83153, 0.72624)),
    (64, 1.0, (0.70779, 0.17763, 0.03155), (0.70779, 0.40757, 0.30072)),
    (384, 0.1, (0.99505, 0.97549, 0.95159), (0.99505, 0.97596, 0.95356)),
    (384, 0.3, (0.95792, 0.80656, 0.65054), (0.95792, 0.83063, 0.72561)),
    (384, 1.0, (0.70722, 0.17692, 0.03130), (0.70722, 0.40814, 0.30138)),
]


@pytest.mark.parametrize(("d", "sigma", "renormalised", "accumulating"), DRIFT)
def test_the_exact_table(d, sigma, renormalised, accumulating):
    a = one_hop_cosine(sigma, d)
    for k, with_norm, without in zip((1, 5, 10), renormalised, accumulating, strict=True):
        assert a**k == pytest.approx(with_norm, abs=6e-6)
        assert accumulated_cosine(sigma, d, k) == pytest.approx(without, abs=6e-6)


def test_the_reference_point():
    assert one_hop_cosine(0.3, 16) == pytest.approx(0.960012, abs=5e-7)


@pytest.mark.parametrize("d", [1, 2, 3, 16, 384])
def test_series_and_integral_agree_where_both_are_good(d):
    for half_square in (30.0, 60.0, 99.0):
        kappa = (2 * half_square) ** 0.5
        assert one_hop_cosine(d**0.5 / kappa, d) == pytest.approx(_integrated(kappa, d), abs=1e-10)


def test_limits_and_order():
    assert one_hop_cosine(0.0, 5) == 1.0
    assert one_hop_cosine(0.5, 10**6) == pytest.approx((1 + 0.25) ** -0.5, abs=1e-6)
    values = [one_hop_cosine(s, 16) for s in np.linspace(0.01, 5, 60)]
    assert np.all(np.diff(values) < 0)


def test_simulated_vectors_agree():
    # 200 000 vectors; 4 standard errors, error probability 6e-5 for each of the two.
    rng = np.random.default_rng(1)
    for d, sigma in ((4, 0.7), (32, 0.3)):
        x = rng.normal(size=(200_000, d)) * sigma / np.sqrt(d)
        x[:, 0] += 1
        cosine = x[:, 0] / np.linalg.norm(x, axis=1)
        assert abs(cosine.mean() - one_hop_cosine(sigma, d)) < 4 * cosine.std() / np.sqrt(len(cosine))


@pytest.mark.parametrize(("sigma", "d"), [(-1, 3), (float("nan"), 3), (0.1, 0)])
def test_impossible_arguments_are_refused(sigma, d):
    with pytest.raises(ValueError, match="expected sigma >= 0 and d >= 1"):
        one_hop_cosine(sigma, d)


def test_composition():
    assert kept_after(np.array([1, 5, 10]), 0.1) == pytest.approx([0.9, 0.59049, 0.34868], abs=1e-5)
    assert composed(np.array([2, 2]), 0.5) == pytest.approx(0.75)
    assert np.isnan(composed(np.zeros(3), 0.5))
