"""Parts of the page that are plain functions: tape, scene, axis, links, files, one agent, acts and their effects."""

import time
from itertools import pairwise
from math import inf

import numpy as np
import polars as pl
import pytest
import solara

from experiments.errors import UsageProblem
from experiments.plan import plan
from experiments.references import simulated
from sim.record.log import Log
from sim.spec import ParameterError, scenarios
from sim.world.interventions import Intervention
from viz.acts import effects, said
from viz.axis import horizon
from viz.files import RUNS, inside
from viz.individual import individual
from viz.links import Choice, choice_of, query_of
from viz.panels.acts import change
from viz.scene import Stage, _hilbert, scene, stage
from viz.spelled import spell
from viz.tape import Packed, Tape, tape_of


@pytest.fixture(scope="module")
def log():
    return simulated(plan("factory", changes={"agents": 16}, until=80))


@pytest.mark.parametrize("loose", [None, 60])
def test_a_tape_cuts_by_time_whatever_the_pieces_packed_or_not(log, loose):
    events = log.events
    tape = Tape(most=events.height, loose=loose)
    for start in range(0, events.height, 37):
        tape.add(events.slice(start, 37))
    while tape._packing:
        time.sleep(0.01)
    assert any(isinstance(piece, Packed) for piece in tape._now()) == (loose is not None)
    assert tape.frame().equals(events)
    assert tape.tail(500).equals(events.tail(500))
    edges = [0.0, 7.5, 31.0, 80.0]
    expected = [events.filter(pl.col("time") >= a, pl.col("time") < b).height for a, b in pairwise(edges)]
    assert tape.counted(edges).tolist() == expected
    for moment in (-1.0, 31.0, 79.0, 1e9):
        later = events.filter(pl.col("time") > moment)
        assert tape.after(moment) == (later.height, pytest.approx(later["cost"].sum()))
    assert individual(tape.own(3, 40.0), 3) == individual(events.filter(pl.col("time") <= 40.0), 3)
    for start, end in ((-1.0, 5.0), (10.0, 20.0), (79.0, 1e9), (30.0, 30.0), (1e6, 2e6)):
        expected = events.filter((pl.col("time") > start) & (pl.col("time") <= end))
        assert tape.between(start, end).equals(expected)
        assert tape.between(start, end, most=7).equals(expected.tail(7))


def test_a_full_tape_loses_the_oldest_and_says_so(log):
    tape = Tape(most=200)
    for start in range(0, log.events.height, 50):
        tape.add(log.events.slice(start, 50))
    kept = tape.frame()
    assert 200 <= kept.height < 600
    assert tape.lost
    assert kept.equals(log.events.tail(kept.height))


def test_a_copy_of_a_tape_is_not_joined_by_later_events(log):
    tape = tape_of(log.events.head(100))
    copied = tape.copy()
    tape.add(log.events.slice(100, 100))
    assert copied.frame().height == 100


def test_traffic_and_activity_are_the_counts_of_the_log(log):
    at, tape = stage(log), tape_of(log.events)
    seen = scene(tape, at, end=60.0, length=25.0)
    rows = log.events.filter((pl.col("time") > 35.0) & (pl.col("time") <= 60.0))
    for k, (a, b) in enumerate(at.links.tolist()):
        assert seen.traffic[k] == rows.filter((pl.col("source") == a) & (pl.col("target") == b)).height
    assert seen.activity.tolist() == [rows.filter(pl.col("source") == a).height for a in range(16)]


def test_ids_that_are_words_are_counted_alike():
    events = pl.DataFrame(
        {"time": [1.0, 2.0, 3.0], "kind": ["ask"] * 3, "source": ["b", "a", "b"], "target": ["a", None, "a"]}
    )
    at = stage(Log(events=events))
    assert at.ids == ("a", "b")
    seen = scene(tape_of(events), at, end=3.0)
    assert seen.activity.tolist() == [1.0, 2.0]
    assert seen.traffic.tolist() == [2.0]
    assert at.links.tolist() == [[1, 0]]


def test_neighbours_on_the_curve_are_neighbours_in_the_square():
    x, y = _hilbert(np.arange(256), 4)
    assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == 256
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()


def test_many_agents_stand_in_cells_and_none_is_left_out():
    n = 3000
    table = pl.DataFrame({"id": np.arange(n)})
    events = pl.DataFrame({"time": [1.0], "kind": ["ask"], "source": [5], "target": [6]})
    at = stage(Log(events=events, agents=table))
    assert isinstance(at, Stage)
    assert at.side > 0
    assert len(at.cell) == n
    assert at.cell.max() < at.side**2
    assert np.bincount(at.cell, minlength=at.side**2).min() >= 2
    assert 5 in at.agents_in(int(at.cell[5]))


@pytest.mark.parametrize(
    ("now", "until"), [(0.0, 1200.0), (9.9, 1200.0), (10.0, 1200.0), (777.0, 1200.0), (1200.0, 1200.0)]
)
def test_the_axis_ends_at_or_after_now_and_never_after_the_run(now, until):
    assert now <= horizon(now, until) <= until


def test_the_axis_grows_in_few_steps():
    assert len({horizon(t, 1e9) for t in np.linspace(1, 10_000, 5000)}) < 40


def test_a_link_comes_back_as_it_went():
    choice = Choice("factory", "overload", 7, {"refuse": 2, "feedback": False, "load": 0.1})
    assert choice_of(query_of(choice), fallback="naming") == choice
    assert choice_of("", fallback="naming") == Choice("naming", scenarios.get("naming").default)


@pytest.mark.parametrize(
    "query", ["?scenario=nothing", "?preset=x", "?p.agents=-1", "?p.none=1", "?seed=-1", "?seed=1e3"]
)
def test_a_link_with_wrong_values_is_refused(query):
    with pytest.raises((LookupError, ParameterError, ValueError)):
        choice_of(query, fallback="factory")


def test_paths_out_of_the_folder_of_runs_are_refused(tmp_path, monkeypatch):
    home = tmp_path / "runs"
    (home / "one").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (home / "door").symlink_to(tmp_path / "secret")
    monkeypatch.setenv(RUNS, str(home))
    assert inside("one") == home / "one"
    for name in ("..", "../secret", str(tmp_path / "secret"), "door", "one/../../secret", "", "."):
        with pytest.raises(UsageProblem):
            inside(name)


def test_an_agent_is_what_the_log_says_of_it(log):
    seen = individual(log.events, 3)
    rows = log.events.filter((pl.col("source") == 3) | (pl.col("target") == 3))
    assert seen.events == rows.height
    assert seen.cost == pytest.approx(log.events.filter(pl.col("source") == 3)["cost"].sum())
    assert len(seen.last) == 10
    assert [t for t, _ in seen.last] == rows["time"].tail(10).to_list()[::-1]
    first, count = seen.given[0]
    assert count == log.events.filter((pl.col("source") == 3) & (pl.col("target") == int(first))).height


def test_items_that_agents_hold_are_the_items_in_the_system(log):
    held = [individual(log.events, a).holds for a in range(16)]
    assert sum(held) == log.meta["in_flight"]


def test_an_effect_compares_equal_stretches_up_to_the_next_act(log):
    acts = [Intervention(30.0, "mute", 1), Intervention(36.0, "set", name="keep", value=0.5)]
    first, second = effects(log, acts, now=80.0)
    assert first.span == pytest.approx(6.0)
    rows = {name: (a, b) for name, _, a, b in first.rows}
    count = log.events.filter((pl.col("time") > 24) & (pl.col("time") <= 30)).height
    assert rows["events"][0] == pytest.approx(count / 6)
    assert said(second.act) == "keep set to 0.5"
    assert [change(*pair) for pair in ((2.0, 3.0), (-2.0, -3.0))] == ["+50 %", "-50 %"]
    assert {
        change(*pair) for pair in ((0.0, 1.0), (None, 1.0), (1.0, None), (1.0, inf), (inf, inf), (1e-308, 1e9))
    } == {"–"}
    late = effects(log, [Intervention(79.99, "mute", 1)], now=80.0)[0]
    assert late.rows == ()
    assert "are needed" in late.note


def test_browsers_have_nothing_to_warn_of_in_the_navigator_of_pages(monkeypatch):
    monkeypatch.setattr(solara, "Navigator", solara.Navigator)
    spell()
    text = solara.Navigator.widget().template
    assert "module.exports = {" in getattr(text, "template", text)
