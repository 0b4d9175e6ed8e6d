"""The trust network against its limits: urns without forgetting, pairs and stars with it, nothing settled at 0.99."""

import networkx as nx
import numpy as np
import pytest

from agents.rules import visit_reinforcement
from sim.spec import scenarios
from sim.world.engine import Engine, LogPlan

SCENARIO = scenarios.get("trust_network")
OTHERS = ~np.eye(10, dtype=bool)


def shares(seed, rounds, **changes):
    """Normalised weights (10, 10) after ``rounds``."""
    values = SCENARIO.values(None, changes)
    engine = Engine(
        SCENARIO, values=values, seed=seed, rule=visit_reinforcement, rule_name="visit_reinforcement",
        plan=LogPlan("counters"),
    )  # fmt: skip
    engine.advance(rounds)
    world, made = engine.world, np.zeros((10, 10))
    for i in range(10):
        made[i, world.neighbour[world.start[i] : world.start[i + 1]]] = engine.minds["weights"][i]
    return made / made.sum(1, keepdims=True)


def components(weights):
    graph, found = nx.Graph(np.argwhere(weights > 0.01).tolist()), []
    for members in nx.connected_components(graph):
        part = graph.subgraph(members)
        tree = part.number_of_edges() == len(members) - 1
        hub = max(degree for _, degree in part.degree()) == len(members) - 1
        found.append("pair" if len(members) == 2 else "star" if tree and hub else "other")
    return found


@pytest.mark.parametrize(("keep", "share", "tolerance"), [(0.5, 0.64, 0.1), (0.9, 0.92, 0.07)])
def test_with_forgetting_only_pairs_and_stars_are_left(keep, share, tolerance):
    """60 runs of 20,000 rounds; the tolerances are the table's."""
    found = [c for seed in range(60) for c in components(shares(seed, 20_000, keep=keep))]
    assert set(found) == {"pair", "star"}
    assert abs(found.count("pair") / len(found) - share) <= tolerance


def test_with_very_slow_forgetting_nothing_has_settled():
    found = [c for seed in range(20) for c in components(shares(seed, 20_000, keep=0.99))]
    assert found.count("other") / len(found) > 0.4


def test_visitors_alone_without_forgetting_are_independent_urns():
    """Shares follow Beta(1, 8) in the limit: variance 0.009877; 0.009608 after 1000 rounds; P(share > 0.5) = 0.0039."""
    got = np.concatenate([shares(seed, 1000, keep=1.0, both=False)[OTHERS] for seed in range(100)])
    assert abs(got.mean() - 1 / 9) < 1e-12
    assert abs(got.var() / 0.009877 - 1) < 0.10
    assert abs((got > 0.5).mean() - 0.003906) < 4 * np.sqrt(0.003906 / len(got))


def test_visitors_alone_with_forgetting_end_with_one_partner_each():
    for keep in (0.5, 0.9):
        assert min(shares(seed, 5000, keep=keep, both=False).max(1).min() for seed in range(20)) > 0.99


def test_both_without_forgetting_equalises_received_weight_but_not_shares():
    got = [shares(seed, 10_000, keep=1.0) for seed in range(20)]
    spread = np.mean([s[OTHERS].std() for s in got])
    assert 0.05 < spread < 0.13


def test_without_reinforcement_shares_stay_flat():
    assert np.allclose(shares(1, 200, keep=1.0, reinforcement=0.0)[OTHERS], 1 / 9)


def test_the_hosts_memory_of_a_visit_belongs_to_the_visitor():
    """After one round without forgetting, weight above the start is symmetric: i for j as often as j for i."""
    values = SCENARIO.values(None, {"keep": 1.0})
    engine = Engine(SCENARIO, values=values, seed=3, rule=visit_reinforcement, rule_name="visit_reinforcement")
    engine.advance(50)
    world, made = engine.world, np.zeros((10, 10))
    for i in range(10):
        made[i, world.neighbour[world.start[i] : world.start[i + 1]]] = engine.minds["weights"][i]
    assert np.array_equal(made, made.T)
    assert made.sum() == 90 + 2 * 10 * 50
