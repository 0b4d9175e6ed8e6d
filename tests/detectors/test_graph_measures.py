"""Graph measures on compressed rows against NetworkX and small cases."""

import networkx as nx
import numpy as np
import pytest

from sim.detectors import graph


def drawn(n=40, share=0.1, seed=0, *, weighted=False):
    rng = np.random.default_rng(seed)
    source, target = np.nonzero((rng.random((n, n)) < share) & ~np.eye(n, dtype=bool))
    weight = rng.integers(1, 9, len(source)).astype(float) if weighted else np.ones(len(source))
    other = nx.DiGraph()
    other.add_nodes_from(range(n))
    other.add_weighted_edges_from(zip(source.tolist(), target.tolist(), weight.tolist(), strict=True))
    return graph.directed(n, source, target, weight), other


@pytest.mark.parametrize("seed", range(4))
def test_betweenness_from_all_sources_is_exact(seed):
    ours, theirs = drawn(seed=seed)
    value = graph.betweenness(ours, rng=np.random.default_rng(0), sources=40)
    assert value.value == pytest.approx(np.array(list(nx.betweenness_centrality(theirs).values())))
    assert (value.error == 0.0).all()


def test_sampled_betweenness_is_unbiased_and_states_its_error():
    """200 draws of 8 sources: the mean over agents within 4 standard errors, the stated error within a third of the seen."""
    ours, theirs = drawn(seed=1)
    exact = np.array(list(nx.betweenness_centrality(theirs).values()))
    drawn_ = [graph.betweenness(ours, rng=np.random.default_rng(s), sources=8) for s in range(200)]
    values = np.array([d.value for d in drawn_])
    spread = values.std(axis=0, ddof=1)
    assert (np.abs(values.mean(axis=0) - exact) <= 4.5 * spread / np.sqrt(200) + 1e-12).all()
    stated = np.sqrt(np.mean([d.error**2 for d in drawn_], axis=0))
    assert np.mean(stated) == pytest.approx(np.mean(spread), rel=1 / 3)


@pytest.mark.parametrize("seed", range(4))
def test_constraint_core_numbers_and_closure_agree_with_networkx(seed):
    ours, theirs = drawn(seed=seed, weighted=True)
    expected = nx.constraint(theirs, weight="weight")
    assert graph.constraint(ours) == pytest.approx(np.array([expected[k] for k in range(40)]), nan_ok=True)
    flat = theirs.to_undirected()
    assert graph.core_numbers(ours).tolist() == list(nx.core_number(flat).values())
    closed = graph.closure(ours)
    assert dict(zip(graph.TRIADS, closed.triads.tolist(), strict=True)) == nx.triadic_census(theirs)
    assert closed.reciprocity == pytest.approx(nx.overall_reciprocity(theirs))
    assert closed.transitivity == pytest.approx(nx.transitivity(flat))
    assert closed.clustering == pytest.approx(np.array(list(nx.clustering(flat).values())))
    assert graph.strong_share(ours) == max(map(len, nx.strongly_connected_components(theirs))) / 40


def test_degrees_strengths_and_centralisation_of_a_star():
    star = graph.directed(5, np.zeros(4, dtype=int), np.arange(1, 5), np.full(4, 2.0))
    out, into = graph.degrees(star)
    assert (out.tolist(), into.tolist()) == ([4, 0, 0, 0, 0], [0, 1, 1, 1, 1])
    assert graph.strengths(star)[0].tolist() == [8.0, 0.0, 0.0, 0.0, 0.0]
    assert graph.centralisation(star) == 1.0
    ring = graph.directed(5, np.arange(5), (np.arange(5) + 1) % 5)
    assert graph.centralisation(ring) == 0.0


def test_graphs_without_agents_links_or_sense():
    empty = graph.directed(0, np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    assert graph.strong_share(empty) == 0.0
    assert graph.core_numbers(empty).tolist() == []
    lone = graph.directed(2, np.array([0, 0]), np.array([0, 1]))
    assert lone.ends.tolist() == [1]  # a self-loop is no link
    assert graph.betweenness(lone, rng=np.random.default_rng(0)).value.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="agent numbers from 0 to 1"):
        graph.directed(2, np.array([0]), np.array([2]))
    with pytest.raises(ValueError, match="positive weights"):
        graph.directed(2, np.array([0]), np.array([1]), np.array([0.0]))
    with pytest.raises(ValueError, match="at least 1 source"):
        graph.betweenness(lone, rng=np.random.default_rng(0), sources=0)
