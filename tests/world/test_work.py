"""Work: pools that grow without losing anything, exact loss of requirements, drift as the closed form says."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.instruments.closed_forms import one_hop_cosine
from sim.world import work
from sim.world.linker import link
from sim.world.work import draw_origin, drift, lose, similarity
from tests.world.worlds import chain

Embeddings = namedtuple("Embeddings", "vector origin")


# Pools ----------------------------------------------------------------------------------------------------------------


class Pools:
    """Just what the pool functions of a kernel touch."""

    def __init__(self, rows):
        self.items, self.hops = work.new_items(rows), work.new_hops(rows)
        self.count = np.zeros(32, np.int64)
        self.count[work.ROOM] = self.count[work.HOP_ROOM] = rows

    def make_room(self):
        if self.count[work.ROOM] == 0:
            self.items = work.grown(self.items, self.count, work.FREE, work.ROOM, "link")
        if self.count[work.HOP_ROOM] == 0:
            self.hops = work.grown(self.hops, self.count, work.HOP_FREE, work.HOP_ROOM, "before")


STEPS = st.lists(st.tuples(st.sampled_from(["take", "free", "push", "pop"]), st.integers(0, 1000)), max_size=200)


@given(STEPS, st.integers(1, 4))
def test_pools_keep_every_item_and_hop_whatever_their_size(steps, rows):
    pools, trails, number = Pools(rows), {}, 0
    for what, n in steps:
        pools.make_room()
        held = sorted(trails)
        row = held[n % len(held)] if held else -1
        if what == "take":
            row = work.take_item(pools)
            assert row not in trails, "a row in use was given out again"
            assert pools.items[row].number == number
            pools.items[row].trail = work.NOBODY
            trails[row], number = [], number + 1
        elif row < 0:
            continue
        elif what == "push":
            work.push_hop(pools, row, n, n + 1, n + 2)
            trails[row].append((n, n + 1, n + 2))
        elif what == "pop" and trails[row]:
            work.pop_hop(pools, row)
            trails[row].pop()
        elif what == "free":
            for _ in trails.pop(row):
                work.pop_hop(pools, row)
            work.free_item(pools, row)
        check(pools, trails)


def check(pools, trails):
    free = chain(pools.count[work.FREE], pools.items["link"], pools.count[work.ROOM])
    assert sorted([*free, *trails]) == list(range(len(pools.items)))
    for row, trail in trails.items():
        places = chain(pools.items["trail"][row], pools.hops["before"])
        told = [(int(h.agent), int(h.option), int(h.task)) for h in pools.hops[places[::-1]]]
        assert told == trail
    assert pools.count[work.HOP_ROOM] + sum(map(len, trails.values())) == len(pools.hops)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=120))
def test_queues_serve_first_come_first_served(steps):
    pools = Pools(200)
    pools.agents = np.zeros(3, work.QUEUE).view(np.recarray)
    queues = [[], [], []]
    for put, agent in steps:
        if put:
            row = work.take_item(pools)
            work.enqueue(pools, agent, row)
            queues[agent].append(row)
            assert pools.items[row].holder == agent
        elif queues[agent]:
            assert work.dequeue(pools, agent) == queues[agent].pop(0)
        assert pools.agents["length"].tolist() == [len(q) for q in queues]


# Loss -----------------------------------------------------------------------------------------------------------------


def lose_often(made, names, hops, width, rate):
    for i in range(names.shape[0]):
        for hop in range(hops):
            made[i] = lose(made[i], width, names[i], hop, rate)


def left_over(*, loss, hops, width, items=20_000):
    names = np.array([int(work.item_stream(9, n)) for n in range(items)], np.uint64)
    made = np.full(items, np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - width))
    kernel = link({"lose_often": lose_often}, bindings={})
    kernel.lose_often(made, names, hops, width, np.log1p(-loss) if loss < 1 else -np.inf)
    return made


@pytest.mark.parametrize(
    ("loss", "hops", "width"), [(0.05, 1, 32), (0.05, 10, 32), (0.3, 2, 64), (0.5, 1, 7), (0.9, 1, 3), (0.001, 5, 64)]
)
def test_bits_kept_are_binomial(loss, hops, width):
    """Chi-square against Binomial(width, (1 - loss)^hops), cells below 10 joined; error probability 1e-5 each."""
    kept = np.array([int(b).bit_count() for b in left_over(loss=loss, hops=hops, width=width)])
    expected = len(kept) * stats.binom.pmf(np.arange(width + 1), width, (1 - loss) ** hops)
    seen = np.bincount(kept, minlength=width + 1)
    rare = expected < 10
    expected, seen = np.append(expected[~rare], expected[rare].sum()), np.append(seen[~rare], seen[rare].sum())
    use = expected > 0
    assert stats.chisquare(seen[use], expected[use] * seen[use].sum() / expected[use].sum()).pvalue > 1e-5


def test_every_bit_is_lost_alike_and_independently():
    width, loss = 16, 0.2
    made = left_over(loss=loss, hops=1, width=width)
    bits = np.array([[int(b) >> place & 1 for place in range(width)] for b in made], float)
    error = np.sqrt(loss * (1 - loss) / len(bits))
    assert np.abs(bits.mean(axis=0) - (1 - loss)).max() < 5 * error
    correlation = np.corrcoef(bits.T) - np.eye(width)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(bits))


def test_loss_of_nothing_and_of_everything():
    assert (left_over(loss=0.0, hops=3, width=64, items=50) == np.uint64(0xFFFFFFFFFFFFFFFF)).all()
    assert (left_over(loss=1.0, hops=1, width=64, items=50) == 0).all()


def test_a_lost_bit_never_comes_back():
    one, other = (left_over(loss=0.1, hops=hops, width=64, items=500) for hops in (3, 4))
    assert (other & ~one == 0).all()


# Drift ----------------------------------------------------------------------------------------------------------------


def drift_often(world, made, names, noise):
    for i in range(names.shape[0]):
        draw_origin(world, 0, names[i])
        for hop in range(made.shape[1]):
            drift(world, 0, names[i], hop + 1, noise)
            made[i, hop] = similarity(world, 0)


@pytest.mark.parametrize(("dimension", "noise"), [(2, 0.5), (8, 1.0), (16, 0.3), (64, 0.1)])
def test_the_mean_cosine_after_k_hops_is_the_one_hop_cosine_to_the_power_k(dimension, noise):
    """Within 4 standard errors at 1, 2, 5 and 10 hops; error probability 6e-5 each."""
    made = run(dimension, noise, items=8000, hops=10)
    for hop in (1, 2, 5, 10):
        seen = made[:, hop - 1]
        error = seen.std(ddof=1) / np.sqrt(len(seen))
        assert abs(seen.mean() - one_hop_cosine(noise, dimension) ** hop) < 4 * error, (hop, error)


def run(dimension, noise, *, items, hops):
    names = np.array([int(work.item_stream(4, n)) for n in range(items)], np.uint64)
    empty = Embeddings(np.zeros((1, dimension), np.float32), np.zeros((1, dimension), np.float32))
    made = np.zeros((items, hops))
    link({"drift_often": drift_often}, bindings={}).drift_often(empty, made, names, noise)
    return made


def test_directions_start_uniform_and_stay_of_length_one():
    names = [np.uint64(work.item_stream(4, n)) for n in range(400)]
    dimension = 3
    world = Embeddings(np.zeros((400, dimension), np.float32), np.zeros((400, dimension), np.float32))
    for row, name in enumerate(names):
        work.draw_origin(world, row, name)
    assert np.allclose(np.linalg.norm(world.origin, axis=1), 1.0, atol=1e-6)
    # On the sphere in three dimensions every coordinate is uniform on [-1, 1].
    assert all(stats.kstest(world.origin[:, j], "uniform", (-1, 2)).pvalue > 1e-5 for j in range(dimension))
    assert (world.origin == world.vector).all()
    for row, name in enumerate(names):
        work.drift(world, row, name, 1, 0.7)
    assert np.allclose(np.linalg.norm(world.vector, axis=1), 1.0, atol=1e-6)
