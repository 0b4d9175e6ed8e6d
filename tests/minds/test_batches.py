"""A compiled rule asked in batches gives the compiled log, whatever the batches, slices and buffers."""

from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from agents.asked_rule import AskedRule
from sim.record.store import EventWriter
from sim.spec import scenarios
from sim.world.batches import Mixture, Seat
from sim.world.draws import unit
from sim.world.due import CENSORED
from sim.world.engine import Engine, rule_module
from sim.world.interventions import Intervention

CASES = [
    ("trust_network", "pairs", {}, 12.0), ("placebo", "broadcast", {}, 12.0), ("placebo", "ties", {}, 6.0),
    ("naming", "minimal", {"agents": 30}, 20.0), ("naming", "pool", {"agents": 20}, 20.0),
    ("naming", "committed", {"agents": 20}, 20.0), ("factory", "learning", {"agents": 24}, 25.0),
    ("factory", "overload", {"agents": 24}, 8.0), pytest.param("factory", "solvable", {}, 25.0, marks=pytest.mark.slow),
    pytest.param("factory", "review_loop", {}, 25.0, marks=pytest.mark.slow),
]  # fmt: skip


def play(
    name, preset, changes, until, *, share=None, window=0.0, steps=50_000, buffer_rows=1 << 16, seed=3, lossy=None,
    seats=(), interventions=(), rows=None,
):  # fmt: skip
    """Log and engine of a run in which a share of the agents is asked; None for none, compiled as ever."""
    scenario = scenarios.get(name)
    values = scenario.values(preset, changes)
    rule_name = scenario.rule_for(preset)
    rule = rule_module(rule_name, scenario)
    mixture = None
    if share is not None or seats:
        probe = Engine(scenario, values=values, seed=seed, rule=rule, rule_name=rule_name)
        n = len(probe.world.agents)
        asked = None if seats else np.where(np.arange(n) < share * n, 0, -1)
        parameters = SimpleNamespace(**{p: float(probe.rule[p][0]) for p in rule.PARAMETERS})
        asker = AskedRule(rule, parameters)
        mixture = Mixture(
            rules=(rule,), ruled=np.zeros(n, int), asked=asked, window=window, seats=seats, until=until,
            askers=(asker if lossy is None else Lossy(asker, lossy),),
        )  # fmt: skip
    engine = Engine(
        scenario, values=values, seed=seed, rule=rule, rule_name=rule_name, mixture=mixture, buffer_rows=buffer_rows,
        interventions=interventions, rows=rows,
    )  # fmt: skip
    writer = EventWriter(None)
    engine.advance(until, writer, steps=steps)
    return writer.frame(), engine


@pytest.mark.parametrize(("name", "preset", "changes", "until"), CASES)
def test_a_rule_that_is_asked_gives_the_compiled_log(name, preset, changes, until):
    compiled, _ = play(name, preset, changes, until)
    assert compiled.height > 40
    for share in (1.0, 0.4):
        asked, _ = play(name, preset, changes, until, share=share)
        assert asked.equals(compiled), share
    small, _ = play(name, preset, changes, until, share=1.0, steps=7, buffer_rows=150)
    assert small.equals(compiled)


class Lossy:
    """A rule of which a share of the decisions cannot be had, drawn by key."""

    def __init__(self, inner, share):
        self.inner, self.share = inner, share

    def ask(self, dues):
        answers = self.inner.ask(dues).result()
        lost = [unit(d.draws.stream, d.draws.count, 95) < self.share for d in dues]
        done = Future()
        done.set_result([CENSORED if gone else answer for gone, answer in zip(lost, answers, strict=True)])
        return done

    def close(self):
        pass

    def beside(self, log):
        return log


MUTES = (Intervention(3.3, "mute", 2), Intervention(3.4, "mute", 5), Intervention(6.05, "unmute", 2))


@pytest.mark.parametrize(("name", "preset", "changes", "until"), CASES[:1] + CASES[3:7])
def test_interventions_meet_asked_agents_like_any_other(name, preset, changes, until):
    compiled, _ = play(name, preset, changes, until, interventions=MUTES)
    plain, _ = play(name, preset, changes, until)
    asked, _ = play(name, preset, changes, until, interventions=MUTES, share=1.0)
    assert asked.equals(compiled)
    assert not plain.equals(compiled)


@pytest.mark.parametrize(("name", "preset", "changes", "until"), CASES[:8])
def test_a_decision_that_cannot_be_had_is_recorded_once_and_does_nothing_else(name, preset, changes, until):
    events, engine = play(name, preset, changes, until, share=1.0, lossy=0.3)
    names = events["kind"].cast(str)
    lost = events.filter(pl.col("origin").cast(str) == "censored")
    assert set(lost["kind"].cast(str)) == {"undecided"}
    assert lost.height == int((names == "undecided").sum()) > 10
    free, _ = play(name, preset, changes, until, share=1.0, lossy=0.0)
    assert "undecided" not in set(free["kind"].cast(str))
    if name == "factory":
        asked = int(engine.world.agents["decisions"].sum())
        assert lost.height == pytest.approx(0.3 * asked, abs=5 * (0.21 * asked) ** 0.5)  # five standard errors: 6e-7
        arrived, gone = int((names == "arrive").sum()), int(names.is_in(["deliver", "drop"]).sum())
        assert engine.meter("in_system") == arrived - gone
        # The item stays with its holder, and the next that is heard of it comes from there.
        later = events.filter(pl.col("item").is_not_null()).sort("item", "seq")
        after = later.with_columns(pl.col("source").shift(-1).over("item").alias("next"))
        stay = after.filter((pl.col("kind").cast(str) == "undecided") & pl.col("next").is_not_null())
        assert stay.height > 5
        assert (stay["next"] == stay["source"]).all()


def test_undecided_games_and_rounds_teach_nobody():
    _, engine = play("naming", "pool", {"agents": 20}, 20.0, share=1.0, lossy=1.0)
    assert engine.meter("successes") == 0
    _, engine = play("trust_network", "pairs", {}, 5.0, share=1.0, lossy=1.0)
    assert np.allclose(engine.minds["weights"], 0.9**5)


@pytest.mark.parametrize(("name", "preset", "changes", "until"), [CASES[0], CASES[3], CASES[6]])
def test_relabelling_rows_permutes_a_mixed_population(name, preset, changes, until):
    seats = (Seat(0, 0, share=0.5), Seat(0, -1))
    straight, engine = play(name, preset, changes, until, seats=seats, lossy=0.2)
    order = np.random.default_rng(4).permutation(len(engine.world.agents))
    turned, other = play(name, preset, changes, until, seats=seats, lossy=0.2, rows=order)
    number_of_row = np.argsort(order)
    back = [number_of_row[int(r)] for r in turned["source"]]
    assert straight["source"].to_list() == back
    rest = [c for c in straight.columns if c not in {"source", "target"}]
    assert straight.select(rest).equals(turned.select(rest))
    assert 0 < int(engine.minds["asked"].sum()) == int(other.minds["asked"].sum()) < len(order)


def test_a_tiny_window_is_no_window_and_a_wide_one_delays():
    name, preset, changes, until = CASES[6]
    compiled, _ = play(name, preset, changes, until)
    tiny, _ = play(name, preset, changes, until, share=1.0, window=1e-7)
    assert tiny.equals(compiled)
    wide, _ = play(name, preset, changes, until, share=1.0, window=1.0)
    again, _ = play(name, preset, changes, until, share=1.0, window=1.0, steps=3, buffer_rows=200)
    assert wide.equals(again)
    assert not wide.equals(compiled)
    assert wide["time"].is_sorted()


@pytest.mark.slow
def test_windows_converge_to_the_compiled_result_as_they_shrink():
    """Mean latency of 24 paired seeds: the excess over the compiled run falls with the window, to below its error."""
    changes = {"agents": 24, "load": 0.5}

    def latencies(window):
        share = None if window is None else 1.0
        runs = (play("factory", "solvable", {**changes, "agents": 30}, 60.0, share=share, window=window or 0.0, seed=s)
                for s in range(24))  # fmt: skip
        return np.array([engine.meter("latency") for _, engine in runs])

    exact = latencies(None)
    excess = [latencies(window) - exact for window in (1.0, 0.25, 0.01)]
    means = [float(e.mean()) for e in excess]
    errors = [float(e.std(ddof=1) / len(e) ** 0.5) for e in excess]
    assert means[0] > means[1] > means[2] - errors[2]
    assert means[0] > 4 * errors[0]
    assert abs(means[2]) < 4 * max(errors[2], 0.01)  # four standard errors: 6e-5
