"""The naming game against published and simulated tables (minimal game on a complete graph; committed minority)."""

import numpy as np
import pytest

from agents.rules import minimal_naming
from sim.spec import ParameterError, scenarios
from sim.world.engine import CapacityError, Engine, LogPlan

SCENARIO = scenarios.get("naming")


def engine(seed, *, log="counters", **changes):
    values = SCENARIO.values(None, changes)
    return Engine(
        SCENARIO, values=values, seed=seed, rule=minimal_naming, rule_name="minimal_naming", plan=LogPlan(log)
    )


def play_to_consensus(agents, seed):
    """Games to consensus, peak number of words in all inventories, game of the peak; resolution N / 20 games."""
    world, sweeps, peak = engine(seed, agents=agents), 0, (0, 0.0)
    while True:
        sweeps += 1
        world.advance(sweeps / 20)
        known = world.minds["words"][:, 0]
        total = int(known.sum())
        if total > peak[0]:
            peak = (total, sweeps / 20 * agents)
        if total == agents and (known == 1).all() and len(np.unique(world.minds["words"][:, 1])) == 1:
            return sweeps / 20 * agents, *peak


# Reference means and their standard errors over the reference's own runs; N, runs here, then (mean, SE) of each.
# Peak figures have no published SE: 5 % is the tolerance there.
TABLE = [(50, 80, (1009, 19), 154, 241), (100, 60, (2474, 38), 403, 623), (200, 40, (5870, 74), 1046, 1691),
         (500, 20, (19598, 228), 3902, 6489)]  # fmt: skip


@pytest.mark.parametrize(("agents", "runs", "consensus", "words", "when"), TABLE)
def test_consensus_time_and_peak_match_the_table(agents, runs, consensus, words, when):
    """Tolerance 5 % or 4 standard errors of the difference; chance of a false alarm below 1e-4 each."""
    got = np.array([play_to_consensus(agents, seed) for seed in range(runs)])
    mean, error = got.mean(0), got.std(0, ddof=1) / np.sqrt(runs)
    assert abs(mean[0] - consensus[0]) <= max(0.05 * consensus[0], 4 * np.hypot(error[0], consensus[1]))
    assert abs(mean[1] - words) <= max(0.05 * words, 4 * error[1])
    assert abs(mean[2] - when) <= max(0.05 * when, 4 * error[2])


def test_the_time_of_the_peak_grows_as_the_power_three_halves():
    sizes, runs = (100, 300, 1000), 20
    means = [np.mean([play_to_consensus(n, 100 + s)[2] for s in range(runs if n < 1000 else 10)]) for n in sizes]
    slope = np.polyfit(np.log(sizes), np.log(means), 1)[0]
    assert abs(slope - 1.5) <= 0.06


def test_at_the_peak_half_as_many_words_as_agents_are_in_use():
    agents, shares = 500, []
    for seed in range(20):
        world, most = engine(seed, agents=agents), 0
        for step in range(1, 60):
            world.advance(step / 2)
            rows = world.minds["words"]
            used = np.concatenate([row[1 : 1 + row[0]] for row in rows])
            most = max(most, len(np.unique(used)))
        shares.append(most / agents)
    assert abs(np.mean(shares) - 0.5) < 0.02


def share_of_word_zero(world):
    return float(((world.minds["words"][:, 0] == 1) & (world.minds["words"][:, 1] == 0)).mean())


@pytest.mark.parametrize(("committed", "sweeps", "flips"), [(0.12, 100, True), (0.06, 1000, False), (0.0, 200, False)])
def test_a_committed_minority_tips_the_rest_above_a_tenth_only(committed, sweeps, flips):
    """At N = 800 the mean-field threshold is 0.0979; p = 0.12 takes 39.7 sweeps on average, p = 0.06 never tips."""
    for seed in range(20):
        world = engine(seed, agents=800, words=2, committed=committed, shared=True)
        world.advance(sweeps)
        others = world.world.agents["committed"] == 0
        words = world.minds["words"][others]
        tipped = bool(((words[:, 0] == 1) & (words[:, 1] == 0)).all())
        assert tipped is flips, f"seed {seed}"


def test_without_committed_agents_the_old_word_is_never_left():
    world = engine(1, agents=50, words=2, shared=True)
    world.advance(400.0)
    assert share_of_word_zero(world) == 0.0


def test_a_full_memory_is_an_error_not_a_forgotten_word():
    with pytest.raises(CapacityError, match="raise parameter 'capacity'"):
        engine(1, agents=400, capacity=3).advance(50.0)


def test_committed_agents_need_a_pool():
    with pytest.raises(ParameterError, match="set words=2"):
        engine(1, committed=0.1)
