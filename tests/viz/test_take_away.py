"""Taking away: a topology's file is handed over, and what its format does not carry is said beside the buttons."""

import time

import ipyvuetify
import pytest
import solara

from tests.topology.cases import REWORK
from viz.panels import takeaway
from viz.session import Session
from viz.takeaway import written


@pytest.mark.parametrize(("name", "most"), [("json", 8), ("mermaid", 99), ("mermaid", 1)])
def test_what_a_format_does_not_carry_is_said_once_it_is_taken(monkeypatch, name, most):
    monkeypatch.setattr(takeaway, "MOST_LOST", most)
    session, topology = Session(), REWORK.model_dump(mode="json")
    text, lost = written(topology, as_format=name)
    _box, shown = solara.render(takeaway.Topologies(session, "teams-1", topology), handle_error=False)

    def told():
        return [widget.children[0] for widget in shown.find(ipyvuetify.Html, tag="p").widgets]

    assert told() == []
    shown.find(ipyvuetify.Btn, children=[name]).widget.click()
    end = time.monotonic() + 30
    while not (told() and session.file.value[1]) and time.monotonic() < end:
        time.sleep(0.005)
    assert session.file.value[1].decode() == text
    said = told()
    shown.close()
    assert said[0] == (f"In {name} this is lost:" if lost else f"In {name} nothing is lost.")
    assert said[1 : 1 + most] == lost[:most]
    assert len(said) == 1 + min(most, len(lost)) + (len(lost) > most)
    assert bool(lost) == (name == "mermaid")
