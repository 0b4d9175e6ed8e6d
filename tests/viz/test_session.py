"""A session without a browser: what its controls say is what its world has."""

import time

import ipyvuetify
import pytest
import solara

from sim.spec import scenarios
from viz.links import Choice, query_of
from viz.panels.header import reseed
from viz.panels.parameters import Parameters
from viz.session import Session
from viz.steering import change

PRESET = scenarios.get("factory").default


def until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def session():
    made = Session(Choice("factory", PRESET, 3, {"agents": 16}))
    made.start(play=False)
    yield made
    made.close()


def stepped(session, moment):
    """Let the world reach ``moment``."""
    session.run.ready(60)
    session.step(moment - session.moment.now)
    until(lambda: session.moment.now >= moment)


def acted(session, name, value):
    """Set a live parameter by hand."""
    many = len(session.acts)
    assert change(session, name, value)
    until(lambda: len(session.acts) > many)


def resumed(session, moment):
    edition = session.edition.value
    session.resume(moment)
    assert session.run.ready(60)
    until(lambda: session.moment.now >= moment)
    assert session.edition.value > edition, "entries would go on showing what the world no longer has"


def test_after_a_resume_the_controls_show_what_the_new_world_has_and_an_act_can_be_repeated(session):
    stepped(session, 2.0)
    acted(session, "keep", 0.5)
    stepped(session, 4.0)
    acted(session, "message_cost", 2.0)
    assert session.choice.value.changes == {"agents": 16, "keep": 0.5, "message_cost": 2.0}
    resumed(session, 3.0)
    assert session.choice.value.changes == {"agents": 16, "keep": 0.5}
    assert [a.name for a in session.acts] == ["keep"]
    assert session.parent.value.startswith("Resumed at time 3, with 1 act by hand, from: swarmscope run factory")
    session.scrub(1.0)
    events = session.log().events
    assert session.so_far[0] == events.filter(events["time"] <= 1.0).height < session.moment.events
    acted(session, "message_cost", 2.0)
    assert [(a.name, a.time) for a in session.acts] == [("keep", 2.0), ("message_cost", 3.0)]
    resumed(session, 1.0)  # before an act that this run has from the one it resumed
    assert session.choice.value == Choice("factory", PRESET, 3, {"agents": 16})
    assert session.acts == []
    assert query_of(session.choice.value).endswith("seed=3&p.agents=16")
    assert "--set agents=16 --until" in session.run.plan.command()


def test_a_seed_and_an_agent_that_are_refused_are_forgotten_once_the_entry_is_as_it_was(session):
    run = session.run
    assert not reseed(session, "x")
    assert "expected a whole number from 0, got 'x'" in session.trouble.value
    assert reseed(session, "3")
    assert session.trouble.value == ""
    assert session.run is run
    assert not session.find("nobody")
    assert "got 'nobody'" in session.trouble.value
    assert session.find("")
    assert session.trouble.value == ""


def test_parameters_are_not_all_behind_a_fold():
    session = Session(Choice("naming", "minimal"))
    _box, shown = solara.render(Parameters(session), handle_error=False)
    titles = [widget.children[0] for widget in shown.find(ipyvuetify.Html, tag="h3").widgets]
    folds = len(shown.find(ipyvuetify.ExpansionPanels).widgets)
    shown.close()
    assert (titles, folds) == (["Act at reset"], 0)
