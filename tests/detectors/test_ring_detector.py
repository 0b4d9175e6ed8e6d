"""Rings: stations and their number are found; circles without rotation, ladders and teams are none.

20 worlds each; where nothing is to be found, more than 5 of 20 at 5 % have probability 3e-4.
"""

import numpy as np
import pytest

from scenarios.worlds.order import station_ring
from scenarios.worlds.world import worlds
from sim.detectors.engine import detect
from sim.detectors.measures import agreement_beyond_chance
from sim.detectors.rings import links_of, read_ring, rhythm
from sim.detectors.surrogates import Surrogates
from sim.detectors.window import read


def flow_of(log):
    links = links_of(read(log).windows[0])
    flow = np.zeros((links.n, links.n))
    flow[links.source, links.target] = links.count
    return flow, read(log).windows[0].agents


@pytest.mark.parametrize("strength", [1.0, 0.9])
@pytest.mark.parametrize("length", [3, 5, 8, 12])
def test_the_length_is_exact_up_to_a_tenth_of_noise(length, strength):
    for seed in range(20):
        flow, _ = flow_of(station_ring(np.random.default_rng(seed), 48, 2000, strength, stations=length))
        assert read_ring(flow).length == length


@pytest.mark.parametrize("name", ["station ring", "item ring"])
def test_stations_are_those_planted(name):
    for seed in range(20):
        log = worlds.get(name).log(seed, strength=0.9)
        flow, agents = flow_of(log)
        ring = read_ring(flow)
        truth = np.array([log.meta["truth"]["groups"][a] for a in agents])
        assert ring.length == log.meta["truth"]["length"]
        assert agreement_beyond_chance(ring.station, truth) > 0.95
        step = (truth[np.argmax(ring.station == 1)] - truth[np.argmax(ring.station == 0)]) % ring.length
        assert step == 1


def test_a_circle_of_single_agents_has_as_many_stations():
    flow = np.roll(np.eye(30), 1, axis=1) * 20.0
    ring = read_ring(flow)
    assert ring.length == 30
    assert ring.fault == ""


def test_rhythm_of_known_graphs():
    """A ring of equal degrees turns by half the flow at a right angle; two-way circles and chains do not turn."""
    circle = np.roll(np.eye(8), 1, axis=1)
    assert rhythm(circle) == pytest.approx(0.5, abs=1e-9)
    assert rhythm(circle + circle.T) == pytest.approx(0.0, abs=1e-6)
    assert rhythm(np.eye(8, k=1)) == pytest.approx(0.0, abs=1e-2)


def test_a_planted_ring_is_discovered_with_its_sentence():
    for seed in range(3):
        report = detect(worlds.get("station ring").log(seed, strength=0.8), detectors=["rings"])
        (found,) = report.discovered
        assert found.kind == "ring"
        assert "from one station to the next" in found.sentence


@pytest.mark.parametrize(
    "name", ["ping-pong", "two-way ring", "stages of contact", "ranks", "teams", "uneven activity", "to and fro"]
)
def test_look_alikes_are_no_rings(name):
    reports = [detect(worlds.get(name).log(s), detectors=["rings"], nulls=Surrogates(most=199)) for s in range(20)]
    assert sum(bool(r.discovered) for r in reports) <= 5


def test_nothing_to_turn_is_no_error():
    assert read_ring(np.zeros((5, 5))).length == 0
    assert read_ring(np.eye(2)[::-1].copy()).length == 0
