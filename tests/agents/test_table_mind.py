"""Table minds: what is counted, that the compiled table is the asked one bit for bit, and that nothing gets a default."""

import importlib.util
import json
from bisect import bisect_right
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agents.lens import VERB, FieldBins, Lens
from agents.recorded import Recorder
from agents.table_mind import AskedTable, distil, read_table, wilson
from sim.spec import ParameterError, scenarios
from sim.world.due import Answer
from sim.world.view import DO, ESCALATE, HAND, HOLD, REJECT, REVIEW, VERBS, option_of, uniform

_spec = importlib.util.spec_from_file_location("minds_for_tests", Path(__file__).with_name("minds.py"))
minds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(minds)

COARSE = {"last": 1, "ignore": ("proficiency", "hops", "waiting")}
CASES = [
    ("naming", "pool", {"agents": 30}, 30.0, "mock/majority:1.5", {}),
    ("naming", "minimal", {"agents": 16}, 25.0, "mock/rule", {}),
    ("trust_network", "pairs", {"agents": 8}, 60.0, "mock/rule", {}),
    ("placebo", "broadcast", {}, 40.0, "mock/rule", {"last": 0}),
    ("factory", "learning", {"agents": 24}, 40.0, "mock/uniform", {"last": 1, "ignore": ("proficiency", "hops")}),
    ("factory", "learning", {"agents": 24, "look": 2}, 40.0, "mock/uniform", COARSE),
]


def made(name, preset, changes, until, model, how, seed=1):
    recorder = minds.recorder(name, model)
    minds.played(name, preset, changes, until=until, asker=recorder, seed=seed)
    return distil(recorder.frame(), scenario=name, **how)


# A kernel with a table in it is nobody else's, and takes longer to compile than all the rest: one of them compiles here.
FIRST, *OTHERS = CASES
SLOW = [pytest.param(case, marks=pytest.mark.slow, id=f"{case[0]}-{place}") for place, case in enumerate(OTHERS)]


@pytest.mark.parametrize("case", OTHERS, ids=[f"{c[0]}-{place}" for place, c in enumerate(OTHERS)])
def test_the_interpreted_table_gives_the_log_of_the_asked_table(case):
    name, preset, changes, until, *_ = case
    table = made(*case)
    until = min(until, 10.0)
    how = {"memory": table.memory, "seed": 2, "compiled": False}
    asked, _ = minds.played(name, preset, changes, until=until, asker=AskedTable(table), **how)
    plain, _ = minds.played(name, preset, changes, until=until, table=table, **how)
    assert plain.height > 20
    assert plain.equals(asked)


@pytest.mark.parametrize("case", [pytest.param(FIRST, id="naming-pool"), *SLOW])
def test_the_compiled_table_gives_the_log_of_the_asked_table(case, tmp_path):
    name, preset, changes, until, *_ = case
    table = made(*case)
    path = tmp_path / "table.json"
    from experiments.folder import write_json

    write_json(path, table.to_json())
    assert read_table(path) == table
    asked, _ = minds.played(name, preset, changes, until=until, asker=AskedTable(table), memory=table.memory, seed=2)
    compiled, _ = minds.played(name, preset, changes, until=until, table=table, seed=2)
    assert compiled.height > 100
    assert compiled.equals(asked)
    plain, _ = minds.played(name, preset, changes, until=min(until, 5.0), table=table, seed=2, compiled=False)
    assert plain.equals(compiled.filter(pl.col("time") <= min(until, 5.0)))
    assert {"table"} <= set(compiled["origin"].cast(pl.String).unique())


def test_counts_are_the_decisions_and_shares_the_policy():
    """majority:1.5 with pool 2: shares of classes with 25 samples or more within 4 standard errors of tanh.

    20 seeds; about 60 shares are compared, so the error probability is below 60 x 6e-5.
    """
    from math import tanh

    recorder = minds.recorder("naming", "mock/majority:1.5")
    for seed in range(20):
        minds.played("naming", "pool", {"agents": 20}, until=10.0, asker=recorder, seed=seed)
    frame = recorder.frame()
    table = distil(frame, scenario="naming")
    assert table.decisions == frame.height == sum(c.n for c in table.classes)
    checked = 0
    for c in (c for c in table.classes if c.n >= 25):
        heard = [int(m[1]) for m in c.memory]
        for option in c.options:
            m = (2 * sum(w == option.code for w in heard) - len(heard)) / max(1, len(heard))
            p = 0.5 * (1 + tanh(1.5 * m))
            assert abs(option.share - p) <= 4 * (p * (1 - p) / c.n) ** 0.5 + 1e-12
            assert option.low <= option.share <= option.high
            checked += 1
    assert checked > 40


def test_a_class_without_samples_is_censored_and_never_given_a_default():
    table = made("naming", "pool", {"agents": 30}, 2.0, "mock/majority:1.5", {})
    events, _ = minds.played("naming", "pool", {"agents": 30}, until=20.0, table=table, seed=5)
    lost = events.filter(pl.col("origin").cast(pl.String) == "censored")
    assert 0 < lost.height < events.height
    assert set(lost["kind"].cast(pl.String)) == {"undecided"}
    with_model = minds.recorder("naming", "mock/majority:1.5")
    events, _ = minds.played(
        "naming",
        "pool",
        {"agents": 30},
        until=20.0,
        asker=AskedTable(table, model=with_model),
        memory=table.memory,
        seed=5,
    )
    assert with_model.frame().height > 0
    assert "censored" not in set(events["origin"].cast(pl.String))


def test_a_lens_can_be_coarser():
    fine = made("naming", "pool", {"agents": 30}, 20.0, "mock/majority:1.5", {})
    coarse = made("naming", "pool", {"agents": 30}, 20.0, "mock/majority:1.5", {"ignore": ("part", "value"), "last": 3})
    assert len(coarse.classes) < len(fine.classes)
    assert coarse.decisions == fine.decisions
    assert coarse.thin_share < fine.thin_share


@pytest.mark.parametrize(
    ("how", "says"),
    [({"ignore": ("parts",)}, "no 'parts' to ignore. Did you mean 'part'"), ({}, "without a genuine one")],
)
def test_bad_requests_are_refused(how, says):
    recorder = minds.recorder("naming", "mock/uniform")
    if how:
        minds.played("naming", "pool", {"agents": 10}, until=2.0, asker=recorder)
    with pytest.raises(ParameterError, match=says):
        distil(recorder.frame(), scenario="naming", **how)


def test_an_unreadable_table_is_one_sentence(tmp_path):
    (tmp_path / "t.json").write_text('{"what": "manifest", "schema_version": 1}')
    with pytest.raises(ParameterError, match="expected a table mind"):
        read_table(tmp_path / "t.json")


def test_wilson_bounds():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(50, 100)
    assert np.isclose(low, 0.4038, atol=1e-4)
    assert np.isclose(high, 0.5962, atol=1e-4)


class Sparing:
    """Half of the time takes the first option, else hands work to the neighbour that told the shortest queue."""

    def __init__(self, scenario):
        self.scenario = scenario

    def ask(self, dues):
        done = Future()
        done.set_result([self.answer(due) for due in dues])
        return done

    def answer(self, due):
        first, *others = due.offered(self.scenario)
        told = [c for c in others if "asked" in c.features and c.features["verb"] == HAND]
        if not told or uniform(due.draws, 5) < 0.5:
            return Answer(first.code)
        return Answer(min(told, key=lambda c: c.features["asked"]).code)


def test_a_table_goes_by_what_neighbours_told():
    """A mind that always spares the busier of two is a table that does, wherever their numbers lie in unlike bins."""
    scenario = scenarios.get("factory")
    of_mind = Recorder(Sparing(scenario), scenario)
    changes = {"agents": 24, "look": 2, "load": 6.0}
    minds.played("factory", "learning", changes, until=30.0, asker=of_mind, seed=1)
    coarse = ("proficiency", "hops", "waiting", "task", "came")
    table = distil(of_mind.frame(), scenario="factory", last=0, ignore=coarse)
    (bins,) = table.lens.told
    assert (bins.name, len(bins.edges)) == ("asked", 3)
    of_table = Recorder(AskedTable(table), scenario)
    minds.played("factory", "learning", changes, until=30.0, asker=of_table, memory=table.memory, seed=2)
    unlike = 0
    for row in of_table.frame().filter(pl.col("option") % VERBS == HAND).iter_rows(named=True):
        places = [bisect_right(bins.edges, v) if v >= 0 else None for v in json.loads(row["fields"])["asked"]]
        known = [place for place in places if place is not None]
        assert places[row["option"] // VERBS] == min(known)
        unlike += len(set(known)) > 1
    assert unlike > 50
    blind = distil(of_mind.frame(), scenario="factory", last=0, ignore=(*coarse, "asked"))
    assert blind.lens.told == ()
    assert len(blind.classes) < len(table.classes)


def test_what_was_done_alone_says_nothing_of_any_neighbour():
    """Own work has the code of a verb without a slot; the neighbour in slot 0 is as unknown after it as all others."""
    lens = Lens((FieldBins("none", values=(0.0,)),), VERB, last=4)
    for verb in (DO, REJECT, HOLD):
        alone = lens.patterns([(0, verb, 1.0, 2)])
        kinds = [lens.taken(option_of(HAND, slot), alone, new=False, slot=True) for slot in range(3)]
        assert len(set(kinds)) == 1
        assert lens.key({"none": 0.0}, [(0, verb, 1.0, 2)]) != lens.key({"none": 0.0}, [])
    for verb in (HAND, REVIEW, ESCALATE):
        handed = lens.patterns([(0, option_of(verb, 0), 1.0, 2)])
        kinds = [lens.taken(option_of(HAND, slot), handed, new=False, slot=True) for slot in range(3)]
        assert kinds[0] != kinds[1] == kinds[2]


def test_numbers_that_were_not_recorded_with_the_view_are_refused():
    recorder = minds.recorder("factory", "mock/uniform")
    minds.played("factory", "learning", {"agents": 24, "look": 2}, until=15.0, asker=recorder)
    frame = recorder.frame()
    old = [json.dumps({n: v for n, v in json.loads(text).items() if n != "asked"}) for text in frame["fields"]]
    with pytest.raises(ParameterError, match="'asked', which was not recorded with the view"):
        distil(frame.with_columns(pl.Series("fields", old)), scenario="factory")
