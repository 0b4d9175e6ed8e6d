"""Division of labour: the index without its bias, and preferences that last.

20 worlds each; where nothing is to be found, more than 5 of 20 at 5 % have probability 3e-4.
"""

import numpy as np
import pytest

from scenarios.worlds.world import worlds
from sim.detectors.engine import detect
from sim.detectors.labour import division, division_by_chance
from sim.detectors.measures import agreement_beyond_chance


def test_division_is_none_and_whole_where_it_should_be():
    agent, task = np.repeat(np.arange(5), 100), np.tile(np.arange(5), 100)
    assert division(agent, task) == pytest.approx(0.0, abs=1e-9)
    assert division(agent, agent) == pytest.approx(1.0)
    assert division(agent, np.zeros(500, dtype=np.int64)) == 0.0


@pytest.mark.parametrize(("each", "bias"), [(3, 0.48), (10, 0.14), (100, 0.01)])
def test_the_bias_is_as_published_and_its_removal_leaves_nothing(each, bias):
    """50 agents, 5 tasks, no preference; 30 draws, 4 standard errors of their mean."""
    rng = np.random.default_rng(each)
    raw, left = [], []
    for _ in range(30):
        agent, task = np.repeat(np.arange(50), each), rng.integers(0, 5, 50 * each)
        raw.append(division(agent, task))
        left.append(raw[-1] - division_by_chance(agent, task, rng))
    assert np.mean(raw) == pytest.approx(bias, abs=0.02)
    assert abs(np.mean(left)) < 4 * np.std(left) / np.sqrt(30) + 2e-3


@pytest.mark.slow
def test_the_permutation_test_of_division_keeps_its_level():
    """200 worlds, 99 permutations: 5 % may read up to 11.2 % (4 standard errors)."""
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(200):
        agent, task = np.repeat(np.arange(20), 10), rng.integers(0, 5, 200)
        score = division(agent, task)
        hits += (1 + sum(division(agent, rng.permutation(task)) >= score for _ in range(99))) / 100 <= 0.05
    assert hits / 200 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("name", ["specialists", "uneven specialists"])
def test_specialists_are_discovered_with_their_tasks(name):
    for seed in range(3):
        log = worlds.get(name).log(seed, strength=0.6)
        (found,) = detect(log, detectors=["labour"]).discovered
        assert found.kind == "roles"
        role = {a: r for r, agents in found.roles.items() for a in agents}
        truth = log.meta["truth"]["groups"]
        labels = {name: k for k, name in enumerate(found.roles)}
        least = 0.9 if name == "specialists" else 0.5  # the least active did three pieces of work
        assert (
            agreement_beyond_chance(
                np.array([labels[role[a]] for a in role]), np.array([truth[a] for a in role], dtype=np.int64)
            )
            > least
        )


@pytest.mark.parametrize("name", ["generalists", "drifting tasks", "bouts of work", "passing moods"])
def test_moods_bouts_and_drifts_are_no_division_of_labour(name):
    found = [detect(worlds.get(name).log(s), detectors=["labour"]).discovered for s in range(20)]
    assert sum(map(bool, found)) <= 5
