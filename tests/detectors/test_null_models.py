"""Null models: each keeps what it says and reaches every arrangement alike."""

from collections import Counter

import numpy as np
import pytest

from scenarios.worlds.world import contacts_log
from sim.detectors import dyads, nulls, rewiring
from sim.detectors.nulls import NULLS, Contacts, Frames, Handoffs, Links
from sim.detectors.window import read


def graph(edges, counts=None, *, n=6, directed=False):
    ends = np.array(edges, dtype=np.int64)
    count = np.ones(len(ends), dtype=np.int64) if counts is None else np.array(counts)
    return Links(n, ends[:, 0], ends[:, 1], count, directed)


def colours(links):
    """Links of each weight class per agent: what N1 promises to keep."""
    out = Counter()
    for a, b, c in zip(links.source, links.target, links.count, strict=True):
        shade = int(np.frexp(float(c))[1])
        out[int(a), "out" if links.directed else "", shade] += 1
        out[int(b), "in" if links.directed else "", shade] += 1
    return out


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("density", [0.1, 0.5, 0.95])
def test_rewiring_keeps_every_agents_links_of_every_weight(directed, density):
    rng = np.random.default_rng(3)
    here = rng.random((20, 20)) < density
    np.fill_diagonal(here, False)
    a, b = np.nonzero(here if directed else np.triu(here))
    links = Links(20, a, b, rng.integers(1, 20, len(a)), directed)
    again = nulls.rewire(links, rng)
    assert colours(again) == colours(links)
    pairs = list(zip(again.source, again.target, strict=True))
    assert all(x != y for x, y in pairs)
    assert len({p if directed else tuple(sorted(p)) for p in pairs}) == len(pairs)
    if density < 0.9:
        assert sorted(pairs) != sorted(zip(a, b, strict=True))


def test_rewiring_reaches_all_graphs_alike():
    # Of the 70 graphs on six agents with two links each, 10 are two triangles and 60 are a ring: 1/7 against 6/7.
    ring = graph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])
    seen = Counter()
    for seed in range(1400):
        drawn = nulls.rewire(ring, np.random.default_rng(seed))
        seen[frozenset(frozenset(p) for p in zip(drawn.source.tolist(), drawn.target.tolist(), strict=True))] += 1
    triangles = sum(
        n for g, n in seen.items() if len({frozenset(x for p in g if v in p for x in p) for v in range(6)}) == 2
    )
    assert len(seen) == 70
    assert abs(triangles / 1400 - 1 / 7) < 4 * np.sqrt(1 / 7 * 6 / 7 / 1400)


def test_pairs_keep_how_many_each_agent_began_and_joined():
    """N1F: who turned to the other first stays on its side; each pair is met once, and most are other pairs than before."""
    rng = np.random.default_rng(5)
    source, target = rng.integers(0, 20, 400), rng.integers(0, 20, 400)
    window = read(contacts_log(source, target)).windows[0]
    rows = np.ones(window.rows, dtype=bool)
    sample = dyads.begun(window, rows)
    first = {}
    for a, b in zip(window.source.tolist(), window.target.tolist(), strict=True):
        first.setdefault(frozenset((a, b)), (a, b))
    assert sorted(zip(sample.first.tolist(), sample.second.tolist(), strict=True)) == sorted(first.values())
    assert sample.met().count.sum() == window.rows
    again = NULLS["N1F"].draw(sample, rng)
    links = [Links(s.n, s.first, s.second, s.there, directed=True) for s in (sample, again)]
    assert colours(links[0]) == colours(links[1])
    met = [{frozenset(p) for p in zip(s.first.tolist(), s.second.tolist(), strict=True)} for s in (sample, again)]
    assert len(met[0]) == len(met[1]) == len(sample.first)
    assert met[0] != met[1]


@pytest.mark.parametrize("directed", [False, True])
def test_compiled_swaps_equal_the_plain_function(directed):
    rng = np.random.default_rng(0)
    ends = np.array([(a, b) for a in range(8) for b in range(a) if rng.random() < 0.5], dtype=np.int64)
    colour = rng.integers(1, 3, len(ends))
    way = np.full(400, -1) if directed else rng.integers(0, 2, 400)
    draws = np.column_stack([rng.integers(0, len(ends), (400, 2)), way])
    copies = [(ends.copy(), *rewiring.free_table(len(ends))) for _ in range(2)]
    for copy, kernel in zip(copies, (rewiring.swap, rewiring.swap.py_func), strict=True):
        copy[2][:] = -1
        kernel(copy[0], colour, draws, *copy[1:])
    for one, other in zip(*copies, strict=True):
        assert (one == other).all()
    assert (copies[0][0] != ends).any()


@pytest.mark.parametrize("links", [1, 5, 300])
def test_the_table_of_pairs_finds_what_was_entered_and_not_removed(links):
    rng = np.random.default_rng(links)
    pairs, link = rewiring.free_table(links)
    known = {}
    for turn in range(20 * links):
        pair = int(rng.integers(0, 4 * links))  # few pairs and a table a quarter full: runs form, wrap round and break
        if pair in known:
            rewiring.remove(pairs, link, rewiring.place(pairs, pair))
            del known[pair]
        elif len(known) < 3 * links:
            known[pair] = int(rng.integers(0, 1000))
            rewiring.enter(pairs, link, pair, known[pair])
        if turn % links:
            continue
        at = {q: rewiring.place(pairs, q) for q in range(4 * links)}
        assert {q: int(link[k]) for q, k in at.items() if pairs[k] == q} == known


def test_ten_thousand_agents_are_rewired():
    rng = np.random.default_rng(7)
    pair = np.unique(rng.integers(0, 10_000**2, 100_000))
    a, b = np.divmod(pair, 10_000)
    kept = a < b
    links = Links(10_000, a[kept], b[kept], rng.integers(1, 5, int(kept.sum())), directed=False)
    again = nulls.rewire(links, rng)
    assert colours(again) == colours(links)
    assert len(
        np.unique(np.minimum(again.source, again.target) * 10_000 + np.maximum(again.source, again.target))
    ) == len(links.source)
    same = (again.source == links.source) & (again.target == links.target)
    assert same.mean() < 0.01


def test_receivers_and_times_are_shuffled_apart():
    rng = np.random.default_rng(1)
    contacts = Contacts(9, rng.integers(0, 9, 50), rng.integers(0, 9, 50), np.arange(50.0))
    whom, when = nulls.shuffle_receivers(contacts, rng), nulls.shuffle_times(contacts, rng)
    assert (whom.source == contacts.source).all()
    assert (whom.time == contacts.time).all()
    assert sorted(whom.target) == sorted(contacts.target)
    assert (whom.target != contacts.target).any()
    assert (when.target == contacts.target).all()
    assert sorted(when.time) == sorted(contacts.time)


def test_dyads_are_flipped_whole():
    links = graph([(0, 1), (1, 0), (2, 3), (4, 5)], [3, 7, 2, 1], directed=True)
    seen = set()
    for seed in range(40):
        drawn = nulls.flip_dyads(links, np.random.default_rng(seed))
        flow = dict(zip(zip(drawn.source.tolist(), drawn.target.tolist(), strict=True), drawn.count, strict=True))
        assert {flow[0, 1], flow[1, 0]} == {3, 7}
        seen.add((flow[0, 1], (2, 3) in flow, (4, 5) in flow))
    assert len(seen) == 8


def test_permuting_between_windows_keeps_windows_groups_and_absence():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4, 12))
    group = np.repeat(np.arange(3), 4)
    drawn = nulls.permute_between_windows(Frames(values, group, nominal=False), rng).values
    for g in range(3):
        assert np.allclose(np.sort(drawn[:, group == g], axis=1), np.sort(values[:, group == g], axis=1))
    names = rng.integers(-1, 3, (4, 12))
    drawn = nulls.permute_between_windows(Frames(names, np.zeros(12, dtype=int), nominal=True), rng).values
    assert ((drawn < 0) == (names < 0)).all()
    assert (np.sort(drawn, axis=1) == np.sort(names, axis=1)).all()
    assert (drawn != names).any()


def handoffs(rng, rows=600):
    giver = np.repeat(np.arange(5), 3)
    slot = np.sort(rng.integers(0, 15, rows))
    return Handoffs(5, 3, slot, rng.integers(0, 3, rows), giver, (giver + 1 + np.tile(np.arange(3), 5)) % 5)


def test_permuting_tasks_stays_among_a_senders_neighbouring_handoffs():
    rng = np.random.default_rng(4)
    sample = handoffs(rng)
    drawn = nulls.permute_tasks(sample, rng)
    assert (drawn.slot == sample.slot).all()
    for sender in range(5):
        mine = np.flatnonzero(sample.giver[sample.slot] == sender)
        for chunk in np.split(mine, range(nulls.CHUNK, len(mine), nulls.CHUNK)):
            assert sorted(drawn.task[chunk]) == sorted(sample.task[chunk])
    assert (drawn.task != sample.task).any()


def test_choosing_any_contact_keeps_senders_and_uses_contacts_alike():
    rng = np.random.default_rng(5)
    sample = handoffs(rng, rows=6000)
    drawn = nulls.choose_any_contact(sample, rng)
    assert (sample.giver[drawn.slot] == sample.giver[sample.slot]).all()
    share = np.bincount(drawn.slot, minlength=15).reshape(5, 3)
    share = share / share.sum(axis=1, keepdims=True)
    assert np.abs(share - 1 / 3).max() < 4 * np.sqrt(2 / 9 / 1000)


def test_a_second_null_of_the_same_name_is_refused():
    with pytest.raises(ValueError, match="the name is taken"):
        nulls.add(NULLS["N1"])


def test_every_null_says_what_it_keeps_destroys_and_shows():
    assert {"N0", "N1", "N2", "N3", "N4", "NT", "NR"} <= set(NULLS)
    assert all(n.keeps and n.destroys and n.shows for n in NULLS.values())
