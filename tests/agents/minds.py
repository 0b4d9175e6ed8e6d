"""Runs of small populations that are asked, for the tests of tables, cards and audits."""

import numpy as np

from agents.llm.mock_policies import policy_of
from agents.policy_mind import PolicyMind
from agents.recorded import Recorder
from sim.record.store import EventWriter
from sim.spec import scenarios
from sim.world.batches import Mixture
from sim.world.engine import Engine, rule_module


def played(name, preset, changes, *, until, seed=1, asker=None, table=None, memory=5, compiled=True):
    """Events and engine of a run: everybody asks ``asker``, or follows ``table`` compiled."""
    scenario = scenarios.get(name)
    values = scenario.values(preset, changes)
    rule_name = scenario.rule_for(preset)
    rule = rule_module(rule_name, scenario)
    n = len(scenario.build(_setup(values, seed, rule_name)).world.agents)
    if table is not None:
        mixture = Mixture((rule, table.module()), np.ones(n, int), np.full(n, -1), (), memory=table.memory)
    else:
        mixture = Mixture((rule,), np.full(n, -1), np.zeros(n, int), (asker,), memory=memory)
    engine = Engine(
        scenario, values=values, seed=seed, rule=rule, rule_name=rule_name, mixture=mixture, compiled=compiled
    )
    writer = EventWriter(None)
    engine.advance(until, writer)
    return writer.frame(), engine


def _setup(values, seed, rule_name):
    from sim.world.population import Setup

    return Setup(values=values, seed=seed, rule=rule_name)


def recorder(name, model):
    """A recorder around a policy of the mock provider."""
    scenario = scenarios.get(name)
    return Recorder(PolicyMind(scenario, policy_of(model)), scenario)
