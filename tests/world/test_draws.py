"""Keyed draws: the mix against a plain reference, and the statistics that a counter-based generator must pass.

Every statistical check has a fixed seed; with the stated bound an ideal generator fails it with probability below 1e-6.
"""

import math

import numpy as np
import pytest
from numba import njit
from scipy import stats

from sim.world import draws, oracle
from sim.world.population import streams

TINY = 1e-6
MASK = (1 << 64) - 1


def scramble(x):
    """SplitMix64's output function, mix 13 of Stafford, in whole numbers of Python."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def stream(seed, key):
    golden, stride = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
    return scramble(scramble((seed + golden) & MASK) ^ scramble((key * stride + golden) & MASK))


def bits(name, count, purpose):
    return scramble((name + count * 0x9E3779B97F4A7C15 + purpose * 0xD1B54A32D192ED03) & MASK)


@njit
def table(kind, names, counts, purposes):
    """Draws (names, counts, purposes) of one kind."""
    made = np.empty((len(names), len(counts), len(purposes)))
    for i in range(len(names)):
        for j in range(len(counts)):
            for k in range(len(purposes)):
                if kind == 0:
                    made[i, j, k] = draws.unit(names[i], counts[j], purposes[k])
                elif kind == 1:
                    made[i, j, k] = draws.normal(names[i], counts[j], purposes[k])
                elif kind == 2:
                    made[i, j, k] = draws.exponential(names[i], counts[j], purposes[k], 2.0)
                else:
                    made[i, j, k] = draws.below(names[i], counts[j], purposes[k], 7)
    return made


UNIT, NORMAL, EXPONENTIAL, BELOW = 0, 1, 2, 3


def drawn(kind, *, names=64, counts=2000, purposes=(1,), seed=5):
    """Draws of streams whose keys are the neighbouring numbers 0, 1, 2, ..."""
    keys = streams(seed, np.arange(names))
    return table(kind, keys, np.arange(counts), np.array(purposes))


def test_the_mix_is_splitmix64_to_the_bit():
    rng = np.random.default_rng(1)
    for seed, key, count, purpose in rng.integers(0, 2**63, (200, 4)).tolist():
        name = stream(seed, key)
        assert int(draws.stream(np.uint64(seed), np.uint64(key))) == name
        assert int(draws.bits(np.uint64(name), np.uint64(count), np.uint64(purpose))) == bits(name, count, purpose)
        assert float(draws.unit(np.uint64(name), count, purpose)) == (bits(name, count, purpose) >> 11) / 2**53
        assert int(draws.scramble(np.uint64(key))) == scramble(key)


def test_the_plain_oracle_of_interpreted_kernels_draws_the_same():
    """Tails and wedges of the ziggurat included: 200,000 normal numbers, bit for bit."""
    name = np.uint64(stream(4, 4))
    fast = table(NORMAL, np.array([name]), np.arange(200_000), np.array([3]))[0, :, 0]
    assert fast.tolist() == [oracle.normal(name, count, 3) for count in range(200_000)]
    for count in range(2000):
        assert oracle.exponential(name, count, 1, 0.7) == draws.exponential(name, count, 1, 0.7)
        assert oracle.below(name, count, 2, 11) == draws.below(name, count, 2, 11)
        assert oracle.stream(count, name) == draws.stream(np.uint64(count), name)


def test_the_mix_gives_the_published_sequence():
    """SplitMix64 seeded with 0 and 1234567: the first outputs printed with its reference implementations."""
    first = [int(draws.bits(np.uint64(0), n, 0)) for n in (1, 2, 3)]
    assert first == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    second = [int(draws.bits(np.uint64(1234567), n, 0)) for n in (1, 2)]
    assert second == [6457827717110365317, 3203168211198807973]


def test_uniform_numbers_are_uniform_and_stay_below_one():
    u = drawn(UNIT)
    assert u.min() >= 0.0
    assert u.max() < 1.0
    counts = np.bincount((u.ravel() * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > TINY
    assert stats.kstest(u.ravel(), "uniform").pvalue > TINY


def test_each_stream_alone_is_uniform():
    """KS p-values of 500 streams with neighbouring keys are themselves uniform."""
    p = [stats.kstest(row, "uniform").pvalue for row in drawn(UNIT, names=500, counts=400)[:, :, 0]]
    assert stats.kstest(p, "uniform").pvalue > TINY


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["keys", "counts", "purposes"])
@pytest.mark.parametrize("lag", [1, 2, 8])
def test_neighbouring_keys_counts_and_purposes_are_uncorrelated(axis, lag):
    u = drawn(UNIT, names=40, counts=200, purposes=range(40)) - 0.5
    one, other = np.take(u, range(u.shape[axis] - lag), axis), np.take(u, range(lag, u.shape[axis]), axis)
    z = 12.0 * np.mean(one * other) * math.sqrt(one.size)
    assert abs(z) < 5.0
    pairs = np.histogram2d(one.ravel() + 0.5, other.ravel() + 0.5, bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > TINY


def test_no_two_of_neighbouring_draws_collide():
    keys = streams(0, np.arange(100))
    made = {bits(int(k), c, p) for k in keys for c in range(40) for p in (*range(6), 100, 101)}
    assert len(made) == 100 * 40 * 8


@pytest.mark.parametrize("what", ["key", "count", "purpose", "seed"])
def test_every_input_bit_changes_half_of_the_output_bits(what):
    """Avalanche: for each of the 64 input bits (20 of a count) every output bit flips with frequency 1/2, to 6 SE."""
    trials = 3000
    start = np.random.default_rng(7).integers(0, 2**40, trials, dtype=np.uint64)
    for place in range(20 if what in ("count", "purpose") else 64):
        other = start ^ np.uint64(1 << place)
        flips = outputs(what, start) ^ outputs(what, other)
        share = np.unpackbits(flips.view(np.uint8).reshape(trials, 8), axis=1).mean(axis=0)
        assert np.abs(share - 0.5).max() < 6 * 0.5 / math.sqrt(trials), place


def outputs(what, values):
    return _outputs({"key": 0, "count": 1, "purpose": 2, "seed": 3}[what], values)


@njit
def _outputs(what, values):
    made = np.empty(len(values), np.uint64)
    for i in range(len(values)):
        if what == 0:
            made[i] = draws.bits(draws.stream(np.uint64(3), values[i]), 5, 2)
        elif what == 1:
            made[i] = draws.bits(np.uint64(77), values[i], 2)
        elif what == 2:
            made[i] = draws.bits(np.uint64(77), 5, values[i])
        else:
            made[i] = draws.bits(draws.stream(values[i], np.uint64(3)), 5, 2)
    return made


def test_normal_numbers_have_the_moments_of_the_normal_distribution():
    z = drawn(NORMAL, names=200, counts=5000).ravel()
    n = math.sqrt(z.size)
    # Moments 1 to 6 of z have variances 1, 2, 15, 96, 945 and 10170.
    expected = {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96), 5: (0, 945), 6: (15, 10170)}
    for power, (mean, variance) in expected.items():
        assert abs(np.mean(z**power) - mean) < 5 * math.sqrt(variance) / n, power
    assert stats.kstest(z, "norm").pvalue > TINY


def test_normal_tails_beyond_the_ziggurat_are_right():
    """Beyond 3.6542 the ziggurat draws from another branch: how many fall there, on each side, and how far they go."""
    z = drawn(NORMAL, names=500, counts=8000).ravel()
    edge = draws.ZIG_EDGE
    expected = z.size * stats.norm.sf(edge)
    for tail in (z[z > edge], -z[z < -edge]):
        assert abs(len(tail) - expected) < 5 * math.sqrt(expected)
        beyond = stats.norm.sf(tail) / stats.norm.sf(edge)
        assert stats.kstest(beyond, "uniform").pvalue > TINY
    cuts = np.array([-np.inf, *np.linspace(-4.5, 4.5, 37), np.inf])
    counts = np.histogram(z, cuts)[0]
    assert stats.chisquare(counts, z.size * np.diff(stats.norm.cdf(cuts))).pvalue > TINY


def test_the_ziggurat_has_256_layers_of_equal_area():
    x, f = draws.ZIG_X, draws.ZIG_F
    areas = x[1:256] * (f[2:257] - f[1:256])
    base = x[1] * f[1] + math.sqrt(math.pi / 2) * math.erfc(x[1] / math.sqrt(2))
    assert np.allclose(areas, base, rtol=1e-6)
    assert x[0] * f[1] == pytest.approx(base, rel=1e-6)


def test_exponential_waiting_times():
    e = drawn(EXPONENTIAL).ravel()
    assert (e >= 0).all()
    assert stats.kstest(e, "expon", (0, 0.5)).pvalue > TINY
    assert abs(e.mean() - 0.5) < 5 * 0.5 / math.sqrt(e.size)


def test_numbers_below_n_are_uniform_and_in_range():
    k = drawn(BELOW).ravel()
    assert set(np.unique(k)) == set(range(7))
    assert stats.chisquare(np.bincount(k.astype(int))).pvalue > TINY


def test_another_seed_gives_other_independent_streams():
    one, other = drawn(UNIT, seed=1) - 0.5, drawn(UNIT, seed=2) - 0.5
    assert abs(12.0 * np.mean(one * other) * math.sqrt(one.size)) < 5.0
    assert not (one == other).any()
