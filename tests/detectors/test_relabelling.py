"""Relabelling: what agents are called, and in which order they are numbered, changes nothing that is found."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sim.detectors.blockmodel import equivalent
from sim.detectors.canonical import canonical, colours
from sim.detectors.ensemble import ensemble
from sim.detectors.groups import partition
from sim.detectors.nulls import Links


def random_links(seed, *, directed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 40))
    pair = np.unique(rng.integers(0, n * n, 8 * n))
    source, target = np.divmod(pair, n)
    kept = source < target if not directed else source != target
    return Links(n, source[kept], target[kept], 1 + rng.poisson(3, int(kept.sum())), directed=directed)


def renumbered(links, numbers, rng):
    source, target = numbers[links.source], numbers[links.target]
    if not links.directed:
        source, target = np.minimum(source, target), np.maximum(source, target)
    order = rng.permutation(len(source))
    return Links(links.n, source[order], target[order], links.count[order], directed=links.directed)


def as_sets(labels):
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in set(labels.tolist()) if k >= 0}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_groups_and_classes_are_the_same_under_any_numbering_and_order_of_rows(seed, directed):
    """Of graphs in which no two agents stand exactly alike: such agents could change places."""
    links = random_links(seed, directed=directed)
    assume(len(np.unique(colours(links))) == links.n)
    rng = np.random.default_rng(seed + 1)
    numbers = rng.permutation(links.n)
    again = renumbered(links, numbers, rng)
    first, second = canonical(links), canonical(again)
    for name in ("source", "target", "count"):
        np.testing.assert_array_equal(getattr(first[0], name), getattr(second[0], name))
    searches = [lambda g: equivalent(g, 3)]
    searches += [] if directed else [partition, lambda g: ensemble(g).labels]
    for search in searches:
        assert as_sets(search(links)) == as_sets(search(again)[numbers])
