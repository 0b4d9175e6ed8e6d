"""Archetypes: few questions, kept variance, and a check that sees when a class is no class."""

import importlib.util
from pathlib import Path

import polars as pl

from agents.archetypes import Archetypes
from agents.llm.mock_policies import policy_of
from agents.policy_mind import PolicyMind
from sim.spec import scenarios

_spec = importlib.util.spec_from_file_location("minds_for_tests", Path(__file__).with_name("minds.py"))
minds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(minds)


def of(model, name="naming", **how):
    scenario = scenarios.get(name)
    return Archetypes(PolicyMind(scenario, policy_of(model)), scenario, **how)


def test_few_questions_answer_for_many_agents_and_agents_alike_do_not_act_alike():
    mind = of("mock/uniform", "placebo", samples=20, checked=0.05)
    events, _ = minds.played("placebo", "broadcast", {"agents": 60}, until=20.0, asker=mind, memory=1)
    decided = events.filter(pl.col("kind").cast(pl.String) == "decide")
    assert decided.height == mind.decisions == 1200
    assert mind.asked < 0.25 * mind.decisions
    # Everybody sees the same signal; a shared answer would make rounds unanimous.
    shares = decided.group_by("time").agg(pl.col("value").mean())["value"]
    assert 0.0 < shares.std() < 0.2
    # 1,200 fair coins that rest on 20 answers for each of few classes.
    assert abs(float(decided["value"].mean()) - 0.5) < 4 * 0.5 / (20 * 2) ** 0.5
    origins = set(decided["origin"].cast(pl.String))
    assert origins == {"rule", "table"}
    p, calls = mind.check()
    assert calls > 20
    assert p > 1e-4


def test_the_log_is_the_same_again():
    runs = [
        minds.played("naming", "pool", {"agents": 20}, until=10.0, asker=of("mock/majority:1.5", samples=5), seed=4)[0]
        for _ in range(2)
    ]
    assert runs[0].equals(runs[1])


def test_direct_calls_that_scatter_otherwise_are_seen():
    mind = of("mock/uniform", "placebo", samples=30, checked=0.3)
    minds.played("placebo", "broadcast", {"agents": 40}, until=10.0, asker=mind, memory=1)
    # The model changes its mind after the answers that stand for the class were taken.
    mind.mind = PolicyMind(scenarios.get("placebo"), policy_of("mock/biased:1:1"))
    minds.played("placebo", "broadcast", {"agents": 40}, until=20.0, asker=mind, memory=1, seed=2)
    p, _ = mind.check()
    assert p < 0.001
    assert "do not scatter" in mind.sentence()
