"""Live runs: the same log however a page plays, pauses and steps, and acts that are events."""

import time

import numpy as np
import pytest

from experiments.plan import plan
from experiments.references import simulated
from sim.spec import ParameterError
from sim.world.interventions import Intervention, contacts_of
from viz.live import LiveRun
from viz.scene import joined, stage


def small(**more):
    return plan("factory", changes={"agents": 16}, until=60, **more)


def until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def live():
    made = []

    def make(asked=None, **more):
        made.append(LiveRun(asked or small(), **more))
        assert made[-1].ready(60)
        return made[-1]

    yield make
    for run in made:
        run.close()


def test_playing_pausing_and_stepping_leave_the_log_of_an_undisturbed_run(live):
    run = live(speed=200.0)
    run.play()
    until(lambda: run.moment.now > 5)
    run.pause()
    until(lambda: not run.moment.playing)
    here = run.moment.now
    time.sleep(0.15)
    assert run.moment.now == here
    run.step(3.0)
    until(lambda: run.moment.now >= here + 3.0)
    assert run.moment.now == pytest.approx(here + 3.0)
    run.speed = float("inf")
    run.play()
    until(lambda: run.moment.now >= 60)
    assert not run.moment.playing
    assert run.log().events.equals(simulated(small()).events)


def test_a_step_never_goes_beyond_the_end(live):
    run = live()
    run.step(1000.0)
    until(lambda: run.moment.now >= 60)
    run.step(1.0)
    time.sleep(0.1)
    assert run.moment.now == 60


def test_steering_is_recorded_as_an_act_of_a_person(live):
    run = live()
    run.step(5.0)
    until(lambda: run.moment.now >= 5)
    run.steer(Intervention(0.0, "mute", 3))
    run.steer(Intervention(0.0, "set", name="keep", value=0.5))
    until(lambda: len(run.acts) == 2)
    until(lambda: run.events().filter(origin="human").height == 2)
    assert [a.time for a in run.acts] == [5.0, 5.0]
    assert run.events().filter(origin="human")["kind"].cast(str).to_list() == ["mute", "set"]
    run.step(20.0)
    until(lambda: run.moment.now >= 25)
    later = run.events()
    own = later.filter((later["time"] > 5) & (later["source"] == 3) & (later["origin"] == "rule"))
    assert own.height <= 1  # the service it was at


def test_a_newcomer_and_a_closed_channel_are_repeated_by_a_run_with_the_same_acts(live):
    run = live()
    run.step(5.0)
    until(lambda: run.moment.now >= 5)
    run.steer(Intervention(0.0, "add", 3))
    until(lambda: len(run.engine.world.agents) == 17)
    near = contacts_of(run.engine, 16)
    run.steer(Intervention(0.0, "cut", 16, other=near[0]))
    until(lambda: len(run.acts) == 2)
    run.speed = float("inf")
    run.play()
    until(lambda: run.moment.now >= 60)
    log = run.log()
    assert log.agents.height == 17
    assert log.events.equals(simulated(small(interventions=tuple(run.acts))).events)
    at = joined(stage(simulated(small())), log)
    assert at.n == 17
    assert np.array_equal(at.places[:16], stage(simulated(small())).places)
    assert np.abs(at.places[16] - at.places[near].mean(axis=0)).max() < 0.1
    run.play()
    until(lambda: run.moment.now > 60)
    assert run.moment.until == 120


def test_what_cannot_be_steered_is_refused_in_a_sentence_and_the_run_goes_on(live):
    run = live()
    with pytest.raises(ParameterError, match="Did you mean 'keep'"):
        run.steer(Intervention(0.0, "set", name="kepe", value=0.5))
    with pytest.raises(ParameterError, match="keep"):
        run.steer(Intervention(0.0, "set", name="keep", value=7))
    with pytest.raises(ParameterError, match=r"acts at reset only; these act now: .*keep"):
        run.steer(Intervention(0.0, "set", name="agents", value=30))
    run.step(1.0)
    until(lambda: run.moment.now >= 1)
    assert run.moment.error == ""


def test_a_world_that_cannot_be_built_says_why(live):
    run = live(plan("factory", changes={"agents": 3}, until=5))
    until(lambda: run.moment.error)
    assert "3 agents cannot hold 2 experts" in run.moment.error
    run.play()
    time.sleep(0.05)
    assert run.moment.now == 0


def test_pause_acts_within_a_tenth_of_a_second(live):
    run = live(plan("factory", changes={"agents": 2000}, until=1e6), speed=float("inf"))
    run.play()
    until(lambda: run.moment.events > 1000)
    asked = time.monotonic()
    run.pause()
    until(lambda: not run.moment.playing)
    assert time.monotonic() - asked < 1.0  # 0.1 s on a quiet machine; benchmarks/page.py measures it


def test_a_pause_that_comes_while_a_frame_is_told_is_told_as_well(live):
    told = []

    def changed():
        if runs:
            told.append(runs[0].moment.playing)
        if len(told) == 4:
            runs[0].pause()

    runs = []
    run = live(speed=20.0, changed=changed)
    runs.append(run)
    run.play()
    until(lambda: not run.moment.playing and len(told) > 4, seconds=5.0)
    assert told[-1] is False
