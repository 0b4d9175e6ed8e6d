"""Controls: every control world can be played, and its script leaves the events that the world drew."""

from dataclasses import replace

import numpy as np
import pytest

from scenarios.controls import PRESETS, SHOWN, lines
from scenarios.worlds.world import worlds
from sim.detectors.core import detectors
from sim.detectors.engine import LASTS, detect
from sim.record.store import EventWriter
from sim.spec import scenarios
from sim.world.engine import Engine, rule_module

NAMES = worlds.names()


def played(name, *, rows=None):
    """The engine of a control world with seed 5, before its first event."""
    scenario = scenarios.get("controls")
    values = scenario.values(None, {"world": name})
    rule = rule_module("script", scenario)
    return Engine(scenario, values=values, seed=5, rule=rule, rule_name="script", rows=rows)


def test_every_module_of_worlds_imports_and_every_preset_is_a_world():
    assert worlds.broken == {}
    assert set(PRESETS) == set(SHOWN) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_world_makes_a_script_that_agents_can_act(name):
    world = worlds.get(name)
    log = world.log(3, events=400)
    script = lines(log, row_of=np.arange(world.agents), duration=10.0)
    assert len(script) == log.events.height > 0
    assert (script.source >= 0).all()
    assert (np.diff(script.time) >= 0).all()
    assert script.time[-1] == pytest.approx(10.0)


@pytest.mark.parametrize("name", NAMES)
def test_worlds_are_the_same_for_a_seed_and_others_for_another(name):
    world = worlds.get(name)
    first, again, other = (world.log(s, events=300).events for s in (5, 5, 6))
    assert first.equals(again)
    assert not first.equals(other) or world.log(5, events=300).states is not None


@pytest.mark.parametrize("name", NAMES)
def test_worlds_say_what_they_are_for(name):
    """A look-alike names what it tempts to claim or is plain noise; what is planted is a kind, with a detector to try."""
    world = worlds.get(name)
    assert world.summary.endswith(".")
    assert world.plants is None or world.detectors
    assert world.plants not in world.holds


def test_what_a_world_rightly_shows_is_the_claim_of_a_detector():
    known = {claim.name for _, detector in detectors.items() for claim in detector.claims} | {LASTS}
    assert {claim for name in NAMES for claim in worlds.get(name).rejects} <= known


@pytest.mark.parametrize("rows", [None, [2, 0, 1, *range(3, 40)]])
def test_who_could_be_turned_to_is_told_with_agents_numbered_as_in_the_events(rows):
    world = worlds.get("uneven reach")
    engine = played("uneven reach", rows=rows)
    drawn, told = world.log(5).contacts, engine.beside().contacts
    place = np.arange(40) if rows is None else np.asarray(rows)
    assert [told[c].to_list() for c in ("source", "target")] == [place[drawn[c]].tolist() for c in ("source", "target")]
    assert played("teams").beside().contacts is None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "hub" else [pytest.mark.slow])
        for name in PRESETS
        if worlds.get(name).plants
    ],
)
def test_what_a_shown_preset_plants_is_found_in_its_run(name):
    world, writer = worlds.get(name), EventWriter(None)
    engine = played(name)
    engine.advance(1000.0, writer)
    log = replace(engine.beside(), events=writer.frame())
    assert world.plants in {s.kind for s in detect(log, detectors=world.detectors).discovered}
