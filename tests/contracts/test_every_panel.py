"""Every panel: registered from a file of its own, in a band, with a sentence, and drawn for any session without breaking."""

import pytest
import solara

from viz.panels.panel import BANDS, panels
from viz.session import Session


def test_all_panels_load_and_say_what_they_show():
    assert panels.names()
    assert panels.broken == {}
    for name, panel in panels.items():
        assert panel.name == name
        assert panel.band in BANDS
        assert panel.about.endswith(".")


@pytest.mark.parametrize("name", panels.names())
def test_a_panel_draws_before_anything_runs(name):
    """A session that was not begun: there is no run, no log, no finding."""
    session = Session()
    problems = []

    @solara.component
    def Alone():
        problem, _forget = solara.use_exception()
        if problem is not None:
            problems.append(problem)
            solara.Text("broken")
            return
        panels.get(name).shown(session)
        with solara.Div():
            panels.get(name).component(session)

    _box, context = solara.render(Alone(), handle_error=False)
    context.close()
    assert problems == []
