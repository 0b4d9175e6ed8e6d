"""Shared measures against hand-computed cases, and the p-value machinery against its theory."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import kstest
from sknetwork.clustering import Louvain

from sim.detectors import groups, measures
from sim.detectors.nulls import Frames, Links, Null
from sim.detectors.surrogates import compare


def edges(*pairs, weight=None):
    ends = np.array(pairs)
    return ends[:, 0], ends[:, 1], np.ones(len(ends)) if weight is None else np.array(weight, dtype=float)


@pytest.mark.parametrize(
    ("pairs", "order", "hierarchy"),
    [
        ([(0, 1), (1, 2), (2, 3)], 1.0, 1.0),  # chain
        ([(1, 0), (2, 0), (3, 1), (4, 1)], 1.0, 1.0),  # in-tree
        ([(0, 1), (2, 1), (2, 3), (4, 3)], 1.0, 1.0),  # a tree is layered whatever the orientation
        ([(0, 1), (1, 2), (2, 3), (3, 0)], 0.0, 0.0),  # ring
        ([(0, 1), (1, 0), (1, 2), (2, 1)], 0.0, 0.0),  # replies to everything
    ],
)
def test_order_and_flow_hierarchy_of_known_graphs(pairs, order, hierarchy):
    assert measures.order(5, *edges(*pairs)) == pytest.approx(order, abs=1e-9)
    assert measures.flow_hierarchy(5, *edges(*pairs)) == pytest.approx(hierarchy)


def test_feed_forward_triangle_has_the_published_incoherence():
    # a->b, b->c, a->c: levels 0, 2/3, 4/3; F0 = (1/9 + 1/9 + 1/9) / 3 = 1/9.
    assert measures.trophic_levels(3, *edges((0, 1), (1, 2), (0, 2))) == pytest.approx([0, 2 / 3, 4 / 3])
    assert measures.order(3, *edges((0, 1), (1, 2), (0, 2))) == pytest.approx(8 / 9)


def test_sparse_and_dense_levels_agree():
    rng = np.random.default_rng(0)
    n = measures.DENSE + 60
    a, b = rng.integers(0, n, 3000), rng.integers(0, n, 3000)
    a, b = a[a != b], b[a != b]
    dense, sparse = n, n
    levels = measures.trophic_levels(sparse, a, b, np.ones(len(a)))
    try:
        measures.DENSE, old = n + 1, measures.DENSE
        assert measures.trophic_levels(dense, a, b, np.ones(len(a))) == pytest.approx(levels, abs=1e-3)
    finally:
        measures.DENSE = old


def test_agreement_beyond_chance_is_zero_by_chance_and_one_for_the_same_groups():
    rng = np.random.default_rng(1)
    a = np.arange(60) % 6
    by_chance = [measures.agreement_beyond_chance(a, rng.permutation(a)) for _ in range(200)]
    assert abs(np.mean(by_chance)) < 4 * np.std(by_chance) / np.sqrt(200)
    assert measures.agreement_beyond_chance(a, (a + 3) % 6) == pytest.approx(1.0)
    assert np.mean([measures.shared_information(a, rng.permutation(a)) for _ in range(50)]) > 0.1  # why it is needed


def test_agreement_beyond_chance_of_a_small_case():
    # Two groups of two, crossed: I = 0, E[I] = ln 2 / 3 over the three pairings, H = ln 2.
    crossed = measures.agreement_beyond_chance(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert crossed == pytest.approx((0 - np.log(2) / 3) / (np.log(2) - np.log(2) / 3))


def test_routing_information_is_one_bit_when_two_types_split_and_zero_when_they_do_not():
    giver = np.array([0, 0])
    assert measures.routing_information(np.array([[8.0, 0.0], [0.0, 8.0]]), giver, 1) == pytest.approx([1.0, 1.0])
    assert measures.routing_information(np.array([[4.0, 4.0], [2.0, 2.0]]), giver, 1) == pytest.approx([0.0, 0.0])


def test_groups_are_as_good_as_those_of_the_library():
    gaps = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        group = np.arange(60) % 5
        a, b = np.triu_indices(60, 1)
        here = rng.random(len(a)) < np.where(group[a] == group[b], 0.4, 0.1)
        links = Links(60, a[here], b[here], rng.integers(1, 5, here.sum()), directed=False)
        w = groups.weights(links)
        ends = (np.append(links.source, links.target), np.append(links.target, links.source))
        library = Louvain(random_state=0, shuffle_nodes=True).fit_predict(
            csr_matrix((np.append(w, w), ends), shape=(60, 60))
        )
        gaps.append(groups.best_modularity(links) - groups.modularity(links, library.astype(np.int64)))
    assert np.mean(gaps) > -0.005


def _drawn(sample, rng):
    return Frames(rng.normal(size=sample.values.shape), sample.group, nominal=False)


def _counted(sample, rng):
    return Frames(rng.poisson(1.0, sample.values.shape), sample.group, nominal=False)


@pytest.mark.parametrize("draw", [_drawn, _counted])
def test_p_values_are_uniform_under_the_null_also_for_discrete_statistics(draw):
    """KS p > 0.001 for each of the two parameters: false failure in 1 of 500, but the seeds are fixed."""
    null = Null("test", "", "", "", Frames, draw)
    blank = Frames(np.zeros((1, 4)), np.zeros(4, dtype=int), nominal=False)
    p = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        test = compare(draw(blank, rng), lambda s: s.values[0] * 1.0, null, most=99, stop=100, rng=rng)
        p += list(test.p)
    assert kstest(p, "uniform").pvalue > 0.001


def test_stopping_early_does_not_change_the_level():
    """1600 null tests at 5 %: 4 standard errors are 2.2 points."""
    null = Null("test", "", "", "", Frames, _drawn)
    blank = Frames(np.zeros((1, 4)), np.zeros(4, dtype=int), nominal=False)
    p, drawn = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        test = compare(_drawn(blank, rng), lambda s: s.values[0], null, most=199, stop=10, rng=rng)
        p, drawn = p + list(test.p), drawn + list(test.drawn)
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 1600)
    assert np.mean(drawn) < 100


def test_a_null_without_freedom_cannot_be_beaten():
    null = Null("test", "", "", "", Frames, lambda sample, rng: sample)
    blank = Frames(np.ones((1, 2)), np.zeros(2, dtype=int), nominal=False)
    test = compare(blank, lambda s: s.values[0], null, most=199, stop=10, rng=np.random.default_rng(0))
    assert test.frozen.all()
    assert (test.p == 1.0).all()
    assert (test.drawn == 19).all()
