"""Hubs, brokers and cores: planted ones are found with their members, what activity or degree explains is not claimed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.worlds.world import contacts_log, worlds
from sim.detectors import brokers, core_periphery
from sim.detectors.blocks import contacts, deal_crossings, grouped, links_of, rewire_inside
from sim.detectors.core import detectors
from sim.detectors.engine import detect
from sim.detectors.groups import partition
from sim.detectors.nulls import NULLS
from sim.detectors.surrogates import compare
from sim.detectors.window import read

HEAVY = ("heavy-tailed ties", "uneven reach", "busy few")


def found(name, detector, seed, **more):
    log = worlds.get(name).log(seed, **more)
    return log, detect(log, detectors=[detector])


def area(score, member):
    """Area under the ROC curve: how often a member scores above somebody else, ties counted half."""
    inside, outside = score[member], score[~member]
    above = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
    return float(above)


def test_agents_of_a_planted_core_are_told_from_the_periphery():
    areas, shares = [], []
    for seed in range(20):
        log = worlds.get("core").log(11_000 + seed, agents=100, events=4000)
        window = read(log).windows[0]
        member = np.isin(np.array(window.agents), log.meta["truth"]["members"])
        ties = core_periphery.ties(window).met()
        degree = np.bincount(ties.source, minlength=window.n) + np.bincount(ties.target, minlength=window.n)
        areas.append(area(degree, member))
        (one, _) = core_periphery._propose(window, lambda _note: None)
        core = np.isin(np.arange(window.n), one.detail["core"])
        shares.append((member & core).sum() / (member | core).sum())
    assert np.mean(areas) >= 0.95
    assert np.mean(shares) >= 0.85


@pytest.mark.parametrize(("world", "about"), [("core", ""), ("cores", "inside groups")])
def test_planted_cores_are_discovered_beyond_degree(world, about):
    for seed in range(3):
        log, report = found(world, "core_periphery", 11_100 + seed)
        (core,) = report.discovered
        truth = set(log.meta["truth"]["members"])
        assert (core.kind, core.about) == ("core", about)
        assert len(truth & set(core.roles["core"])) >= 0.7 * len(truth | set(core.roles["core"]))
        assert "of the pairs inside it are in contact" in core.sentence


@pytest.mark.parametrize("world", HEAVY)
def test_unequal_degrees_alone_are_a_core_at_most_as_observed(world):
    """60 worlds, 5 % each: more than 10 have probability 3e-4."""
    detector = detectors.get("core_periphery")
    beaten = 0
    for seed in range(60):
        window = read(worlds.get(world).log(11_200 + seed)).windows[0]
        one = detector.propose(window, lambda _note: None)[:1]
        test = compare(
            core_periphery.ties(window),
            lambda s, c=one: detector.claims[0].statistic(s, c),
            NULLS["N1F"],
            most=99,
            stop=10,
            rng=np.random.default_rng(seed),
        )
        beaten += int(test.p[0] <= 0.05)
    assert beaten <= 10


def log_of(pairs, *, times=12, seed=0):
    """Each pair in contact several times, in random order and direction."""
    rows = np.repeat(np.array(pairs), times, axis=0)
    rows = np.random.default_rng(seed).permuted(rows, axis=1)
    rows = rows[np.random.default_rng(seed + 1).permutation(len(rows))]
    return contacts_log(rows[:, 0], rows[:, 1])


TREE = [((k - 1) // 3, k) for k in range(1, 40)]
STAR = [(0, k) for k in range(1, 30)]
SIDES = [(a, b) for a in range(8) for b in range(8, 30) if (a + b) % 2]
RING = [(k, (k + s) % 30) for k in range(30) for s in (1, 2)]


@pytest.mark.parametrize("pairs", [TREE, STAR, SIDES, RING], ids=["tree", "star", "two sides", "ring"])
def test_what_only_looks_like_a_core_is_dismissed_with_a_reason(pairs):
    report = detect(log_of(pairs), detectors=["core_periphery"])
    assert not report.discovered
    assert all(row.reason for row in report.ledger)


def by_hand(n, source, target, agents):
    """``lacking`` without shortcuts."""
    degree = np.bincount(source, minlength=n) + np.bincount(target, minlength=n)
    order = agents[np.argsort(-degree[agents], kind="stable")]
    low = max(3, int(np.ceil(0.05 * len(order))))
    best = -np.inf
    for k in range(low, max(low, int(0.5 * len(order))) + 1):
        rest = order[k:]
        expected = sum(degree[a] * degree[b] for a in rest for b in rest if a < b) / (2.0 * len(source))
        best = max(best, expected - sum(a in rest and b in rest for a, b in zip(source, target, strict=True)))
    return best


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 16), st.integers(0, 10_000))
def test_the_sweep_over_cores_agrees_with_trying_each(n, seed):
    rng = np.random.default_rng(seed)
    a, b = np.triu_indices(n, 1)
    here = rng.random(len(a)) < 0.3
    source, target = a[here], b[here]
    met = np.unique(np.concatenate([source, target]))
    if len(met) < 6:
        return
    assert core_periphery.lacking(n, source, target, met)[0] == pytest.approx(by_hand(n, source, target, met))


def test_the_agents_who_carry_the_contacts_between_teams_are_named_first():
    precision = []
    for seed in range(20):
        log = worlds.get("brokers").log(11_300 + seed)
        window = read(log).windows[0]
        links = links_of(window, contacts(window))
        more = brokers.excess(grouped(links, partition(links)))
        truth = log.meta["truth"]["members"]
        top = [window.agents[a] for a in np.argsort(-more)[: len(truth)]]
        precision.append(len(set(top) & set(truth)) / len(truth))
    assert np.mean(precision) >= 0.9


def test_planted_brokers_are_discovered_and_described():
    log, report = found("brokers", "brokers", 11_400)
    (broker,) = report.discovered
    assert set(broker.roles["broker"]) == set(log.meta["truth"]["members"])
    assert broker.facts["through"] > 0.9
    assert max(broker.facts["constraint"]) < broker.facts["usual_constraint"]


def test_busy_members_of_open_teams_are_no_brokers():
    """10 worlds, 5 % each: more than 3 have probability 1e-3."""
    assert sum(bool(found("open teams", "brokers", 11_500 + s)[1].discovered) for s in range(10)) <= 3


def test_gould_fernandez_roles_of_a_small_case():
    # Groups 0 1 | 2 3 | 4: 0 -> 1 inside; 1 -> 2, 2 -> 3 inside; 3 -> 4.
    log = contacts_log(np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]))
    window = read(log).windows[0]
    group = np.array([0, 0, 1, 1, 2])[np.array(window.agents)]
    number = {a: k for k, a in enumerate(window.agents)}
    counts = brokers.roles_of(window, group, np.array([number[1], number[2], number[3]]))
    assert {role: c.tolist() for role, c in counts.items()} == {
        "coordinator": [0, 0, 0],
        "itinerant": [0, 0, 0],
        "gatekeeper": [0, 1, 0],
        "representative": [1, 0, 1],
        "liaison": [0, 0, 0],
    }


def test_the_nulls_of_groups_keep_what_they_promise():
    window = read(worlds.get("brokers").log(3)).windows[0]
    links = links_of(window, contacts(window))
    sample = grouped(links, partition(links))
    rng = np.random.default_rng(0)
    dealt, rewired = deal_crossings(sample, rng), rewire_inside(sample, rng)
    for again in (dealt, rewired):
        assert np.array_equal(again.crossing, sample.crossing)
        assert np.array_equal(np.sort(again.count), np.sort(sample.count))
    for end in ("source", "target"):
        assert np.array_equal(sample.group[getattr(dealt, end)], sample.group[getattr(sample, end)])
    degree = [np.bincount(s.source, minlength=s.n) + np.bincount(s.target, minlength=s.n) for s in (sample, rewired)]
    assert np.array_equal(*degree)
    assert not np.array_equal(rewired.target, sample.target)


@pytest.mark.parametrize("world", ["hub", "hubs"])
def test_planted_hubs_are_discovered(world):
    for seed in range(3):
        log, report = found(world, "hubs", 11_600 + seed)
        (hub,) = report.discovered
        assert set(hub.roles["hub"]) == set(log.meta["truth"]["members"])
        assert "more than reach and own activity explain" in hub.sentence


@pytest.mark.parametrize("world", ["busy few", "favourites", "uneven reach", "passing hub"])
def test_activity_reach_and_favourites_make_no_hub(world):
    """12 worlds, 5 % each: more than 3 have probability 2e-3."""
    assert sum(bool(found(world, "hubs", 11_700 + s)[1].discovered) for s in range(12)) <= 3
