"""The Mesa model: data collection, batch runs, row views, a stock page, and no leak."""

import gc
import weakref

import mesa
import numpy as np
import pytest

from sim.spec import ParameterError, scenarios
from sim.world.compat import forget
from sim.world.model import model_class

SMALL = {"agents": 12, "degree": 4, "experts": 1}


@pytest.fixture(scope="module")
def factory():
    return model_class(scenarios.get("factory"))


def test_a_step_is_one_unit_of_time_and_collects_whole_array_figures(factory):
    model = factory(**SMALL, rng=5)
    for _ in range(20):
        model.step()
    table = model.datacollector.get_model_vars_dataframe()
    assert model.engine.now == 20.0
    assert len(table) == 21
    assert table["delivered"].iloc[-1] == model.engine.meter("delivered") > 0
    assert table["delivered"].is_monotonic_increasing


def test_seed_and_rng_name_the_same_run_and_numpy_integers_are_accepted(factory):
    figures = []
    for keywords in ({"rng": 7}, {"seed": 7}, {"rng": np.int64(7)}):
        model = factory(**SMALL, **keywords)
        model.step()
        model.step()
        figures.append((model.engine.events, model.engine.cost))
    assert figures[0] == figures[1] == figures[2]


@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_is_a_mesa_model(name):
    model = model_class(scenarios.get(name))(rng=1)
    model.step()
    assert isinstance(model, mesa.Model)
    assert len(model.agents) > 0
    assert model.engine.now == 1.0


def test_batch_run_sweeps_a_parameter(factory):
    import sys

    old = sys.version_info < (3, 12)
    more = {"iterations": 1} if old else {"rng": [3]}
    parameters = {**SMALL, "attempt": [0.5, 0.9]} | ({"rng": 3} if old else {})
    rows = mesa.batch_run(factory, parameters, max_steps=5, number_processes=1, display_progress=False, **more)
    by_attempt = {row["attempt"]: row["delivered"] for row in rows}
    assert set(by_attempt) == {0.5, 0.9}


def test_row_views_read_the_columns_and_rows_are_promoted_on_demand(factory):
    model = factory(agents=300, degree=4, rng=2)
    for _ in range(30):
        model.step()
    assert len(model.agents) == 200
    view = model.view(250)
    assert len(model.agents) == 201
    assert view.decisions == model.engine.world.agents["decisions"][250]
    assert model.agents.agg("decisions", sum) == sum(a.decisions for a in model.agents)
    with pytest.raises(AttributeError, match="the population has"):
        view.colour  # noqa: B018
    with pytest.raises(IndexError, match="expected 0 to 299"):
        model.view(300)


def test_unknown_parameters_are_named(factory):
    with pytest.raises(ParameterError, match="Did you mean 'degree'"):
        factory(degre=4)


def test_a_finished_model_is_freed(factory):
    model = factory(**SMALL, rng=1)
    model.step()
    forget(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_stock_solara_page_renders(factory):
    pytest.importorskip("altair", reason="mesa.visualization needs altair")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import solara
        from mesa.visualization import SolaraViz, make_plot_component

        model = factory(**SMALL, rng=1)
        page = SolaraViz(
            model,
            components=[make_plot_component("in_system")],
            model_params={"agents": 12, "degree": 4, "experts": 1},
            name="Factory",
        )
        box, context = solara.render(page, handle_error=False)
        try:
            assert "Factory" in str(box) or box.children
        finally:
            context.close()
