"""Every scenario and every rule: documented, reproducible, local, indifferent to slices and to row numbers."""

import importlib
import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from sim.record.events import KIND_NAMES
from sim.record.store import EventWriter
from sim.spec import ParameterError, scenarios
from sim.world.engine import Engine, rule_module
from sim.world.linker import link
from sim.world.view import Draws

ODD = ("Purpose and patterns", "Entities, state variables and scales", "Process overview and scheduling",
       "Design concepts", "Initialisation", "Input data", "Submodels")  # fmt: skip
PRESETS = [(name, preset) for name, scenario in scenarios.items() for preset in scenario.presets]
RULES = sorted({rule for _, scenario in scenarios.items() for rule in scenario.rules})
SHORT = {"factory": 40.0, "naming": 8.0, "trust_network": 30.0, "placebo": 30.0, "controls": 1000.0}


def run(name, preset, *, seed=1, steps=50_000, buffer_rows=1 << 16, rows=None, compiled=True, until=None):
    scenario = scenarios.get(name)
    rule = scenario.rule_for(preset)
    changes = {"agents": 24} if name == "factory" and preset in {"learning", "overload"} else {}
    engine = Engine(
        scenario, values=scenario.values(preset, changes), seed=seed, rule=rule_module(rule, scenario), rule_name=rule,
        compiled=compiled, rows=rows, buffer_rows=buffer_rows,
    )  # fmt: skip
    writer = EventWriter(None)
    engine.advance(until or SHORT[name], writer, steps=steps)
    return writer.frame(), engine


def agents_of(name, preset):
    return len(run(name, preset, until=0.5)[1].world.agents)


@pytest.mark.parametrize("name", scenarios.names())
def test_documentation_is_complete(name):
    scenario = scenarios.get(name)
    for heading in ODD:
        assert heading in scenario.odd, heading
    assert scenario.default in scenario.presets
    assert len(scenario.presets) >= 3
    assert set(scenario.preset_words) == set(scenario.presets)
    assert scenario.semantics in {"event time", "sequential random", "synchronous", "matching"}
    assert scenario.notice
    assert scenario.tries
    assert all(p.help.endswith(".") or p.help[-1].isalnum() for p in scenario.parameters)


def test_no_registered_scenario_is_broken():
    scenarios.load()
    assert scenarios.broken == {}


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_same_seed_same_log_whatever_the_slices_and_buffers(name, preset):
    whole, _ = run(name, preset)
    small, _ = run(name, preset, steps=37, buffer_rows=150)
    other, _ = run(name, preset, seed=2)
    assert whole.height > 20
    assert whole.equals(small)
    assert not whole.equals(other)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_relabelling_rows_permutes_the_log_and_changes_nothing_else(name, preset):
    straight, _ = run(name, preset)
    order = np.random.default_rng(9).permutation(agents_of(name, preset))
    turned, _ = run(name, preset, rows=order)
    number_of_row = np.argsort(order)
    for column in ("source", "target"):
        values = turned[column].to_numpy()
        back = np.array([number_of_row[int(v)] if v == v and v is not None else -1 for v in values])
        assert np.array_equal(straight[column].fill_null(-1).to_numpy(), back), column
    rest = [c for c in straight.columns if c not in {"source", "target"}]
    assert straight.select(rest).equals(turned.select(rest))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_interpreted_and_compiled_kernels_agree(name, preset):
    until = SHORT[name] / 4
    fast, _ = run(name, preset, until=until)
    slow, _ = run(name, preset, until=until, compiled=False)
    assert fast.equals(slow)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_events_are_well_formed(name, preset):
    table, engine = run(name, preset)
    assert table["time"].is_sorted()
    assert table["seq"].to_list() == list(range(table.height))
    assert set(table["kind"].cast(str).unique()) <= set(KIND_NAMES)
    assert table["origin"].null_count() == 0
    known = table.filter(table["parent"].is_not_null())
    assert (known["parent"] < known["seq"]).all()
    agents = len(engine.world.agents)
    assert table["source"].is_between(0, agents - 1).all()
    assert table["target"].drop_nulls().is_between(0, agents - 1).all()
    assert engine.cost == pytest.approx(table["cost"].sum(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_plain_and_see_only_the_view(rule):
    module = importlib.import_module(f"agents.rules.{rule}")
    assert list(inspect.signature(module.choose).parameters) == ["view", "state", "draws", "rule"]
    assert list(inspect.signature(module.learn).parameters) == ["view", "state", "outcome", "part", "rule"]
    assert module.WORDS.endswith(".")
    assert isinstance(module.PARAMETERS, tuple)
    for _, (kind, dims, _) in module.STATE.items():
        np.dtype(kind)
        assert dims
    imports = [line for line in inspect.getsource(module).splitlines() if line.startswith(("import", "from"))]
    allowed = ("from __future__", "from typing", "import math", "from sim.world.view")
    assert all(line.startswith(allowed) for line in imports), imports


@pytest.mark.parametrize("name", scenarios.names())
def test_bad_values_name_parameter_range_and_value(name):
    scenario = scenarios.get(name)
    with pytest.raises(ParameterError, match=r"'agents' expects a whole number from .*, got -3"):
        scenario.values(None, {"agents": -3})
    with pytest.raises(ParameterError, match="Did you mean 'agents'"):
        scenario.values(None, {"agent": 3})
    with pytest.raises(ParameterError, match="has no preset"):
        scenario.values("nonsense")


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_every_view_field_has_words(name, preset):
    scenario = scenarios.get(name)
    _, engine = run(name, preset, until=0.5)
    sense = engine.built.physics["sense"]
    source = inspect.getsource(inspect.getmodule(sense))
    for field in scenario.view:
        assert f"    {field.name}: Any" in source, field.name
        assert len(field.words) > 8


def able_to_decide(agents):
    return np.flatnonzero(agents["serving"] >= 0) if "serving" in agents.dtype.names else np.arange(len(agents))


def others_scrambled(engine, agent, rng, columns):
    """Overwrite every column of every other agent, and every other mind, with noise of its type."""
    table = engine.world.agents
    others = np.arange(len(table)) != agent
    for name in table.dtype.names:
        noise = rng.integers(0, 100, table[name][others].shape)
        table[name][others] = noise.astype(table[name].dtype)
    for name in columns:
        column = engine.minds[name]
        column[others] = rng.integers(0, 100, column[others].shape).astype(column.dtype)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_what_an_agent_senses_and_chooses_depends_on_nothing_beyond_its_channels(name, preset):
    """Scramble everybody else: view and choice stay bit for bit the same. (Queues asked about are the factory's channel.)"""
    _, engine = run(name, preset, until=SHORT[name] / 2)
    scenario = scenarios.get(name)
    rule = rule_module(scenario.rule_for(preset), scenario)
    sense = link({"sense": engine.built.physics["sense"]}, bindings={}, compiled=False).sense
    agents = engine.world.agents

    def decision(agent):
        view = sense(engine.world, agent)
        state = SimpleNamespace(**{column: engine.minds[column][agent].copy() for column in rule.STATE})
        draws = Draws(agents["stream"][agent], agents["decisions"][agent])
        return tuple(np.array(field).tolist() for field in view), rule.choose(view, state, draws, engine.rule[0])

    able = able_to_decide(agents)
    while len(able) == 0:
        engine.advance(engine.now + 1.0)
        able = able_to_decide(agents)
    rng = np.random.default_rng(4)
    for agent in (int(a) for a in able[:5]):
        kept_agents = agents.copy()
        kept_minds = {column: engine.minds[column].copy() for column in rule.STATE}
        before = decision(agent)
        others_scrambled(engine, agent, rng, rule.STATE)
        assert decision(agent) == before, agent
        agents[:] = kept_agents
        for column in rule.STATE:
            engine.minds[column][:] = kept_minds[column]


@pytest.mark.parametrize("name", scenarios.names())
def test_mesa_batch_run_sweeps_every_scenario(name):
    """For people who come from Mesa: the stock batch runner, two seeds, rows with the scenario's figures."""
    import sys

    import mesa

    from sim.world.model import model_class

    model = model_class(scenarios.get(name))
    by_seed = {"iterations": 1} if sys.version_info < (3, 12) else {"rng": [1, 2]}
    parameters = {"rng": [1, 2]} if sys.version_info < (3, 12) else {}
    rows = mesa.batch_run(
        model, parameters, max_steps=2, number_processes=1, display_progress=False, data_collection_period=-1, **by_seed
    )
    meters = model(rng=1).engine.built.meters
    assert len(rows) == 2
    assert all(set(meters) <= set(row) for row in rows)
