"""Knock-outs: they find exactly what was planted, and the influence detector agrees with them."""

from collections import Counter

import numpy as np
import pytest

from experiments.errors import UsageProblem
from experiments.knockouts import claimed, difference, knockouts, of_plan, precision
from scenarios.worlds.influence import knocked

AGENTS = list(range(20))


def hidden(seed, agent, time):
    return knocked(seed, mute=() if agent is None else (agent,), since=time)


@pytest.fixture(scope="module")
def truth():
    """At once: the next decision after the muting."""
    return knockouts(hidden, agents=AGENTS, seeds=[11], times=[100.5, 200.5], horizon=1.0)


def test_muting_changes_at_once_exactly_those_who_follow(truth):
    """A muting at 100.5 shows first in what others make, at 102, of what the muted one did not do at 101."""
    slow = knockouts(hidden, agents=AGENTS, seeds=[11], times=[100.5], horizon=2.0)
    planted = {(a, b) for a, b in hidden(11, None, 0.0).meta["truth"]["links"]}
    assert set(map(tuple, np.argwhere(slow.changed > 0).tolist())) == planted
    assert not truth.changed.any()


def test_in_the_long_run_followers_of_followers_change_too():
    at_once = knockouts(hidden, agents=AGENTS, seeds=[11], times=[100.5], horizon=2.0)
    late = knockouts(hidden, agents=AGENTS, seeds=[11], times=[100.5])
    assert (late.changed[at_once.changed > 0] > 0.9).all()
    assert (late.changed > 0).sum() > (at_once.changed > 0).sum()


def agreement(seed):
    truth = knockouts(hidden, agents=AGENTS, seeds=[seed], times=[100.5], horizon=2.0)
    return precision(truth.depends(), claimed(hidden(seed, None, 0.0), AGENTS))


def test_the_detector_agrees_with_what_muting_changes():
    """Target 0.8; two worlds."""
    assert np.mean([agreement(seed) for seed in (21, 22)]) >= 0.8


@pytest.mark.slow
def test_the_detector_agrees_with_what_muting_changes_in_twenty_worlds():
    found = [agreement(seed) for seed in range(21, 41)]
    assert np.mean(found) >= 0.9
    assert min(found) >= 0.8


def test_average_precision_of_known_orders():
    true = np.array([[False, True, False], [False, False, True], [False, False, False]])
    score = np.array([[0, 3, 1], [1, 0, 2], [0, 0, 0.0]])
    assert precision(true, score) == 1.0
    assert precision(true, -score) == pytest.approx(np.mean([2 / 6, 1 / 5]))
    assert precision(true, np.zeros((3, 3))) == pytest.approx(2 / 6)
    with pytest.raises(UsageProblem, match="at least one pair"):
        precision(np.zeros((3, 3), dtype=bool), score)


def test_difference_is_the_share_of_acts_that_changed():
    a, b = Counter({"x": 2, "y": 1}), Counter({"x": 1, "z": 1})
    assert difference(a, b) == pytest.approx(2 / 3)
    assert difference(a, a) == 0.0
    assert difference(Counter(), Counter()) == 0.0


def test_agents_of_a_scenario_are_muted_with_their_draws_paired():
    """Who follows a broadcast alone depends on nobody: muting changes no other agent's acts."""
    from experiments.plan import plan

    asked = plan("placebo", changes={"agents": 6}, until=30.0, seed=4)
    found = knockouts(of_plan(asked), agents=[0, 1, 2, 3, 4, 5], seeds=[4], times=[10.0])
    assert not found.changed.any()
    naming = plan("naming", changes={"agents": 6}, until=30.0, seed=4)
    met = knockouts(of_plan(naming), agents=[0, 1, 2, 3, 4, 5], seeds=[4], times=[3.0])
    assert met.changed.any()


@pytest.mark.parametrize("wrong", [{"seeds": []}, {"times": []}, {"agents": []}, {"horizon": 0.0}])
def test_bad_requests_are_named(wrong):
    asked = {"agents": [0], "seeds": [1], "times": [1.0], **wrong}
    with pytest.raises(UsageProblem, match="knock-outs"):
        knockouts(hidden, **asked)
