"""Controls: every control world can be played, and its script leaves the events that the world drew."""

import numpy as np
import pytest

from scenarios.controls import PRESETS, SHOWN, lines
from scenarios.worlds.world import worlds
from sim.detectors.core import detectors
from sim.detectors.engine import LASTS

NAMES = worlds.names()


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
