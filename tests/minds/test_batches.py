"""A compiled rule asked in batches gives the compiled log, whatever the batches, slices and buffers."""

from types import SimpleNamespace

import numpy as np
import pytest

from agents.asked_rule import AskedRule
from sim.record.store import EventWriter
from sim.spec import scenarios
from sim.world.batches import Mixture
from sim.world.engine import Engine, rule_module

CASES = [
    ("trust_network", "pairs", {}, 12.0), ("placebo", "broadcast", {}, 12.0), ("placebo", "ties", {}, 6.0),
    ("naming", "minimal", {"agents": 30}, 20.0), ("naming", "pool", {"agents": 20}, 20.0),
    ("naming", "committed", {"agents": 20}, 20.0), ("factory", "learning", {"agents": 24}, 25.0),
    ("factory", "overload", {"agents": 24}, 8.0), ("factory", "solvable", {}, 25.0), ("factory", "review_loop", {}, 25.0),
]  # fmt: skip


def play(name, preset, changes, until, *, share=None, window=0.0, steps=50_000, buffer_rows=1 << 16, seed=3):
    """Log and engine of a run in which a share of the agents is asked; None for none, compiled as ever."""
    scenario = scenarios.get(name)
    values = scenario.values(preset, changes)
    rule_name = scenario.rule_for(preset)
    rule = rule_module(rule_name, scenario)
    mixture = None
    if share is not None:
        probe = Engine(scenario, values=values, seed=seed, rule=rule, rule_name=rule_name)
        n = len(probe.world.agents)
        asked = np.where(np.arange(n) < share * n, 0, -1)
        parameters = SimpleNamespace(**{p: float(probe.rule[p][0]) for p in rule.PARAMETERS})
        mixture = Mixture(
            rules=(rule,), ruled=np.zeros(n, int), asked=asked, askers=(AskedRule(rule, parameters),), window=window
        )
    engine = Engine(
        scenario, values=values, seed=seed, rule=rule, rule_name=rule_name, mixture=mixture, buffer_rows=buffer_rows
    )
    writer = EventWriter(None)
    engine.advance(until, writer, steps=steps)
    return writer.frame(), engine


@pytest.mark.parametrize(("name", "preset", "changes", "until"), CASES)
def test_a_rule_that_is_asked_gives_the_compiled_log(name, preset, changes, until):
    compiled, _ = play(name, preset, changes, until)
    assert compiled.height > 40
    for share in (1.0, 0.4):
        asked, _ = play(name, preset, changes, until, share=share)
        assert asked.equals(compiled), share
    small, _ = play(name, preset, changes, until, share=1.0, steps=7, buffer_rows=150)
    assert small.equals(compiled)
