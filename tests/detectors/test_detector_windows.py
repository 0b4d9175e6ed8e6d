"""Windows: what detectors are given of a log, cut in time together with its states."""

from itertools import pairwise

import numpy as np
import polars as pl

from sim.detectors.nulls import NULLS, Series
from sim.detectors.window import NONE, read
from sim.record.log import Log


def log(*, states=None, **columns):
    rows = 40
    events = {"time": np.arange(rows) / 2, "kind": ["decide"] * rows, "source": np.arange(rows) % 4, **columns}
    return Log(pl.DataFrame(events, strict=False), states=states)


def states(rows):
    return pl.DataFrame(
        rows, schema={"time": pl.Float64, "agent": pl.Int64, "variable": pl.String, "value": pl.Float64}, orient="row"
    )


def test_values_artefacts_and_parents_are_read_where_the_log_has_them():
    window = read(
        log(value=[1.0, None] * 20, artefact=[7, None] * 20, seq=range(100, 140), parent=[None, 100] * 20)
    ).windows[0]
    assert window.value[0] == 1.0
    assert np.isnan(window.value[1])
    assert window.artefact[:2].tolist() == [0, NONE]
    assert window.seq[:2].tolist() == [100, 101]
    assert window.parent[:2].tolist() == [NONE, 100]


def test_without_these_columns_nothing_is_invented():
    window = read(log()).windows[0]
    assert np.isnan(window.value).all()
    assert (window.parent == NONE).all()
    assert (window.artefact == NONE).all()
    assert window.seq.tolist() == list(range(40))
    assert window.states == {}


def test_states_of_known_agents_and_of_the_environment_are_read_in_order_of_time():
    table = states(
        [
            (3.0, 1, "mood", 0.3),
            (1.0, 0, "mood", 0.1),
            (2.0, None, "price", 9.0),
            (2.0, 77, "mood", 0.2),
            (None, 0, "mood", 1.0),
            (4.0, 0, "mood", float("nan")),
        ]
    )
    window = read(log(states=table)).windows[0]
    assert window.states["mood"].value.tolist() == [0.1, 0.3]
    assert window.states["mood"].agent.tolist() == [0, 1]
    assert window.states["price"].agent.tolist() == [NONE]


def test_parts_share_out_all_states_once():
    table = states([(t / 10 - 5, t % 4, "mood", float(t)) for t in range(400)])
    window = read(log(states=table)).windows[0]
    parts = window.parts(3)
    assert np.concatenate([p.states["mood"].value for p in parts]).tolist() == window.states["mood"].value.tolist()
    assert all(p.states["mood"].time.max() < q.time[0] for p, q in pairwise(parts))


def test_removed_agents_leave_no_states_and_renumbered_ones_keep_theirs():
    table = states([(float(t), t % 4, "mood", float(t % 4)) for t in range(20)])
    window = read(log(states=table)).windows[0]
    assert set(window.without(np.array([2])).states["mood"].value) == {0.0, 1.0, 3.0}
    numbers = np.array([3, 1, 0, 2])
    again = window.renumbered(numbers)
    assert (again.states["mood"].agent == numbers[window.states["mood"].agent]).all()


def test_circular_shift_keeps_each_series_and_the_shared_signals():
    rng = np.random.default_rng(1)
    sample = Series(rng.normal(size=(5, 30)), rng.normal(size=(1, 30)))
    drawn = NULLS["NC"].draw(sample, rng)
    assert np.array_equal(drawn.shared, sample.shared)
    for before, after in zip(sample.values, drawn.values, strict=True):
        turns = [np.array_equal(np.roll(before, k), after) for k in range(30)]
        assert sum(turns) == 1
