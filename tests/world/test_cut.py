"""Cutting an agent off: nothing passes in either direction, it can be undone, and a run with it is as exact as any."""

import numpy as np
import pytest

from scenarios.factory_severs import _chain
from sim.spec import ParameterError, scenarios
from sim.world.engine import Engine, rule_module
from sim.world.interventions import Intervention, perform
from sim.world.work import HOP_FREE, HOP_ROOM
from tests.scenarios.test_factory_same_log import RICH
from tests.world.worlds import KIND, Rows, same

AGENT, CUT, JOIN = 3, 20.0, 50.0
# Scenario: preset, changes, end.
WORLDS = {
    "factory": ("learning", RICH, 80.0),
    "naming": (None, {"agents": 20}, 80.0),
    "trust_network": (None, {}, 80.0),
    "placebo": ("ties", {"agents": 12}, 80.0),
}
BOTH = (Intervention(CUT, "cut", AGENT), Intervention(JOIN, "join", AGENT))


def made_of(name, *, acts=BOTH, **options):
    preset, changes, _ = WORLDS[name]
    scenario = scenarios.get(name)
    rule = scenario.rule_for(preset)
    values = scenario.values(preset, changes)
    module = rule_module(rule, scenario)
    return Engine(scenario, values=values, seed=1, rule=module, rule_name=rule, interventions=acts, **options)


def log_of(name, *, steps=50_000, **options):
    rows = Rows()
    made_of(name, **options).advance(WORLDS[name][2], rows, steps=steps)
    return rows.table()


def shared(log, agent, start, end):
    """Events between ``agent`` and others in a stretch of time."""
    source, target = log["source"] == agent, log["target"] == agent
    return ((source != target) & (log["target"] >= 0) & (log["time"] > start) & (log["time"] <= end)).sum()


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_passes_while_it_lasts_in_either_direction(name):
    log = log_of(name)
    assert shared(log, AGENT, 0, CUT) > 0
    assert shared(log, AGENT, CUT, JOIN) == 0
    assert shared(log, AGENT, JOIN, np.inf) > 0
    acts = log["kind"] == KIND["cut"]
    assert log["value"][acts].tolist() == [1.0, 0.0]
    assert log["source"][acts].tolist() == [AGENT, AGENT]
    plain = log_of(name, acts=())
    assert shared(plain, AGENT, CUT, JOIN) > 0
    before = plain["time"] <= CUT
    same({c: v[before] for c, v in plain.items()}, {c: v[: before.sum()] for c, v in log.items()})


@pytest.mark.parametrize("name", WORLDS)
def test_slices_buffers_and_the_interpreter_do_not_matter(name):
    whole = log_of(name)
    same(whole, log_of(name, steps=7, buffer_rows=150))
    same(whole, log_of(name, compiled=False))


@pytest.mark.parametrize("name", WORLDS)
def test_relabelling_rows_does_not_matter(name):
    n = len(made_of(name).world.agents)
    rows = np.random.default_rng(2).permutation(n)
    label = np.append(np.argsort(rows), -1).astype(np.int32)
    acts = tuple(Intervention(a.time, a.action, int(rows[a.agent])) for a in BOTH)
    turned = log_of(name, acts=acts, rows=rows)
    same(log_of(name), {**turned, "source": label[turned["source"]], "target": label[turned["target"]]})


@pytest.mark.parametrize("name", ["factory", "trust_network", "placebo"])
def test_contacts_and_what_is_known_of_them_are_there_again(name):
    made = made_of(name, acts=())
    made.advance(CUT)
    table = made.world.neighbour.copy()
    known = {column: value.copy() for column, (value, _) in made.slotted().items()}
    perform(Intervention(CUT, "cut", AGENT), made)
    assert made.world.agents["width"][AGENT] == 0
    assert not np.array_equal(made.world.neighbour, table)
    perform(Intervention(CUT, "join", AGENT), made)
    assert np.array_equal(made.world.neighbour, table)
    assert np.array_equal(made.world.agents["width"], np.diff(made.world.start))
    for column, (value, _) in made.slotted().items():
        assert np.array_equal(value, known[column]), column


def test_games_of_others_are_the_same_games():
    """A pair is drawn by the number of its game: cutting an agent off leaves all games of others where they were."""
    forever = (Intervention(CUT, "cut", AGENT),)
    plain, cut = log_of("naming", acts=()), log_of("naming", acts=forever)
    mine = [(log["source"] == AGENT) | (log["target"] == AGENT) for log in (plain, cut)]
    for column in ("time", "source", "target"):
        assert np.array_equal(plain[column][~mine[0]], cut[column][~mine[1]])


def test_no_hop_record_of_the_factory_is_lost():
    made = made_of("factory")
    for until in (CUT, JOIN, 80.0):
        made.advance(until)
        world = made.world
        free = _chain(world.hops["before"], int(world.count[HOP_FREE]), int(world.count[HOP_ROOM]))
        assert len(set(free.tolist())) == world.count[HOP_ROOM]


def test_worlds_without_channels_refuse():
    scenario = scenarios.get("placebo")
    made = Engine(
        scenario, values=scenario.values("broadcast"), seed=1, rule=rule_module("listen", scenario), rule_name="listen",
        interventions=BOTH[:1],
    )  # fmt: skip
    with pytest.raises(ParameterError, match="no channels to each other here"):
        made.advance(30.0)


@pytest.mark.parametrize("name", WORLDS)
def test_an_act_between_slices_is_repeated_from_its_time(name):
    """What is done to a world that stopped inside a round or a moment stands between the same events when it is planned."""
    made, rows = made_of(name, acts=()), Rows()
    for reached in made.slices(WORLDS[name][2], rows, steps=7):
        if reached >= CUT:
            break
    made.complete(rows)
    act = Intervention(made.now, "cut", AGENT)
    perform(act, made)
    made.advance(WORLDS[name][2], rows)
    same(log_of(name, acts=(act,)), rows.table())
