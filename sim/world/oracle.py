"""The keyed draws of ``sim.world.draws`` once more in plain Python integers: what interpreted kernels draw from."""

from __future__ import annotations

import math

import numpy as np

from sim.world import draws as tables

MASK = (1 << 64) - 1
GOLDEN, STRIDE = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


def scramble(x: int) -> int:
    """The finaliser of SplitMix64 on 64-bit integers."""
    z = int(x) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def stream(seed: int, key: int) -> np.uint64:
    """See ``sim.world.draws.stream``."""
    return np.uint64(scramble(scramble(int(seed) + GOLDEN) ^ scramble(int(key) * STRIDE + GOLDEN)))


def bits(name: int, count: int, purpose: int) -> np.uint64:
    """See ``sim.world.draws.bits``."""
    return np.uint64(scramble(int(name) + int(count) * GOLDEN + int(purpose) * STRIDE))


def unit(name: int, count: int, purpose: int) -> float:
    """See ``sim.world.draws.unit``."""
    return (int(bits(name, count, purpose)) >> 11) / 9007199254740992.0


def below(name: int, count: int, purpose: int, n: int) -> int:
    """See ``sim.world.draws.below``."""
    return (int(bits(name, count, purpose)) * int(n)) >> 64


def exponential(name: int, count: int, purpose: int, rate: float) -> float:
    """See ``sim.world.draws.exponential``."""
    return -math.log(1.0 - unit(name, count, purpose)) / float(rate)


def normal(name: int, count: int, purpose: int) -> float:
    """See ``sim.world.draws.normal``."""
    h = int(bits(name, count, purpose))
    layer, u = h & 255, 2.0 * ((h >> 11) / 9007199254740992.0) - 1.0
    if abs(u) < tables.ZIG_RATIO[layer]:
        return float(u * tables.ZIG_X[layer])
    return _slow(h, layer, u)


def _slow(name: int, layer: int, u: float) -> float:
    count, edge = 1, tables.ZIG_EDGE
    while True:
        x = float(u * tables.ZIG_X[layer])
        if abs(u) < tables.ZIG_RATIO[layer]:
            return x
        if layer == 0:
            while True:
                a = -math.log1p(-unit(name, count, 1)) / edge
                b = -math.log1p(-unit(name, count, 2))
                count += 1
                if b + b > a * a:
                    return edge + a if u > 0 else -edge - a
        low, high = float(tables.ZIG_F[layer]), float(tables.ZIG_F[layer + 1])
        if low + unit(name, count, 3) * (high - low) < math.exp(-0.5 * x * x):
            return x
        h = int(bits(name, count, 4))
        count += 1
        layer, u = h & 255, 2.0 * ((h >> 11) / 9007199254740992.0) - 1.0
