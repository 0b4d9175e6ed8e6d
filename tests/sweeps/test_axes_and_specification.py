"""Axes and specifications: what they mean, and every wrong one refused with a sentence before anything runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import UsageProblem
from experiments.sweeps import axes as ax
from experiments.sweeps.axes import Axis, Sampling, count, points, shares
from experiments.sweeps.spec import read_spec, specify
from sim.registry import UnknownNameError
from sim.spec import ParameterError


def same(_name, value):
    return value


def test_the_smallest_specification_reads(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('scenario = "factory"\nseeds = 12\nuntil = 200\n\n[axes]\nhandoff_loss = [0.0, 0.1]\n')
    spec = read_spec(path)
    assert spec.runs == 24
    assert spec.points == [{"handoff_loss": 0.0}, {"handoff_loss": 0.1}]
    assert spec.seeds == tuple(range(12))
    assert spec.until == 200.0


def test_grids_are_even_exact_and_end_where_they_say():
    tenths = ax.axis("x", {"low": 0, "high": 1, "steps": 11}, float)
    assert tenths.values == tuple(round(i / 10, 10) for i in range(11))
    powers = ax.axis("x", {"low": 1, "high": 1000, "steps": 4, "scale": "log"}, float)
    assert powers.values == (1.0, 10.0, 100.0, 1000.0)
    whole = ax.axis("x", {"low": 1, "high": 4, "steps": 4}, int, whole=True)
    assert whole.values == (1, 2, 3, 4)


def test_the_grid_crosses_all_axes_and_the_last_is_the_fastest():
    made = points([Axis("a", (1, 2)), Axis("b", ("x", "y", "z"))], None, same)
    assert [tuple(p.values()) for p in made] == [(1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(ax.SAMPLINGS), power=st.integers(1, 4), dimensions=st.integers(2, 4), seed=st.integers(0, 9)
)
def test_a_design_has_the_announced_size_stays_in_the_cube_and_follows_its_seed(kind, power, dimensions, seed):
    how = Sampling(kind, 2**power, seed)
    made = shares(dimensions, how)
    assert made.shape == (how.size(dimensions), dimensions)
    assert ((made >= 0) & (made <= 1)).all()
    assert np.array_equal(made, shares(dimensions, how))


def test_a_latin_hypercube_has_one_point_in_every_stratum_of_every_axis():
    made = shares(3, Sampling("latin_hypercube", 50, 1))
    for column in made.T:
        assert sorted((column * 50).astype(int)) == list(range(50))


def test_ranges_are_crossed_with_lists_and_counted_without_being_made():
    axes = [Axis("m", ("p", "q")), Axis("x", low=1.0, high=100.0, scale="log"), Axis("y", low=0, high=9, whole=True)]
    how = Sampling("sobol", 8)
    made = points(axes, how, same)
    assert len(made) == count(axes, how) == 16
    assert all(1 <= p["x"] <= 100 and p["y"] == int(p["y"]) for p in made)
    assert [p["x"] for p in made[:8]] == [p["x"] for p in made[8:]]
    assert count([Axis("z", tuple(range(1000)))] * 3, None) == 10**9


FACTORY = {"scenario": "factory"}
WRONG = [
    ({"axes": {"handof_loss": [0, 1]}}, UsageProblem, "no parameter 'handof_loss'.* Did you mean 'handoff_loss'"),
    ({"axes": {"handoff_loss": []}}, UsageProblem, "empty list; there would be nothing to run"),
    ({"axes": {"handoff_loss": [0.1, 0.1]}}, UsageProblem, "0.1 is given more than once"),
    ({"axes": {"handoff_loss": [0.1, 2]}}, ParameterError, "'handoff_loss' expects a number from 0 to 1, got 2"),
    ({"axes": {"handoff_loss": 0.1}}, UsageProblem, r"a single value belongs into \[fixed\]"),
    ({"axes": {"handoff_loss": {"low": 0.1}}}, UsageProblem, "high is missing"),
    ({"axes": {"handoff_loss": {"low": 0.5, "high": 0.1, "steps": 3}}}, UsageProblem, "low below high"),
    ({"axes": {"handoff_loss": {"low": 0.0, "high": 0.1, "scale": "log"}}}, UsageProblem, "expects low above 0"),
    ({"axes": {"handoff_loss": {"low": 0.1, "high": 0.2, "step": 3}}}, UsageProblem, "Did you mean 'steps'"),
    ({"axes": {"handoff_loss": {"low": 0.1, "high": 0.2}}}, UsageProblem, r"a table \[sampling\]"),
    ({"axes": {"handoff_loss": [0.1]}, "fixed": {"handoff_loss": 0.2}}, UsageProblem, "leave one of the two out"),
    ({"axes": {"handoff_loss": {"low": 0, "high": 1, "steps": 100_000}}, "seeds": 10_000}, UsageProblem, "1,000,000,000 runs"),
    ({"seeds": 0}, UsageProblem, "expected at least 1, got 0"),
    ({"seeds": [1, 1]}, UsageProblem, "more than once"),
    ({"seeds": "many"}, UsageProblem, "got 'many'"),
    ({"seed": 3}, UsageProblem, "unknown entry 'seed'. Did you mean 'seeds'"),
    ({"fixed": {"agent": 3}}, ParameterError, "Did you mean 'agents'"),
    ({"minds": ["trust", "nonsense"]}, ParameterError, "cannot be decided by 'nonsense'"),
    ({"minds": ["trust", "frozen"], "mind": "trust"}, UsageProblem, "either mind or minds"),
    ({"until": -3}, UsageProblem, "above 0, got -3"),
    ({"measures": ["instrument"]}, UsageProblem, "Did you mean 'instruments'"),
    ({"measures": ["nowhere:f"]}, UsageProblem, "cannot be found"),
    ({"instruments": ["qualty"]}, UnknownNameError, "Did you mean 'quality'"),
    ({"detectors": ["team"]}, UnknownNameError, "Did you mean 'teams'"),
    ({"keep": ["logs"]}, UsageProblem, "events, reports"),
    ({"sampling": "sobol"}, UsageProblem, "to sample, got none"),
    ({"run": {"cassete": "x"}}, UsageProblem, "Did you mean .cassette"),
    ({"stop": {"measure": "quality"}}, UsageProblem, "expected measure and width"),
    ({"scenario": "factry"}, UnknownNameError, "Did you mean 'factory'"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "kind", "words"), WRONG)
def test_what_cannot_be_done_is_refused_with_a_sentence(wrong, kind, words):
    with pytest.raises(kind, match=words):
        specify(**{**FACTORY, **wrong})


def test_a_sobol_sampling_of_another_size_than_a_power_of_two_names_the_next_one():
    with pytest.raises(UsageProblem, match="take 128"):
        specify(**FACTORY, axes={"handoff_loss": {"low": 0, "high": 1}}, sampling={"kind": "sobol", "samples": 100})


def test_minds_and_times_are_axes_like_parameters():
    spec = specify(**FACTORY, minds=["trust", "frozen"], axes={"until": [5, 10], "handoff_loss": [0.0]})
    assert [p["mind"] for p in spec.points] == ["trust", "trust", "frozen", "frozen"]
    arguments = spec.plan_arguments(spec.points[3])
    assert arguments["mind"] == "frozen"
    assert arguments["until"] == 10.0
    assert arguments["changes"] == {"handoff_loss": 0.0}


def test_how_models_are_asked_is_for_points_where_one_decides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = {"model": "openai/mock", "base_url": "http://127.0.0.1:9/v1", "cassette": "tape.db"}
    spec = specify(scenario="trust_network", minds=["rule", "llm"], run=run, axes={"temperature": [0.0, 1.0]})
    asked = [spec.plan_arguments(point) for point in spec.points]
    assert [a["mind"] for a in asked] == ["rule", "rule", "llm", "llm"]
    assert not {"model", "cassette", "temperature"} & set(asked[0])
    assert asked[3]["model"] == "openai/mock"
    assert asked[3]["temperature"] == 1.0
    assert list(tmp_path.iterdir()) == [], "checking a specification makes no cassette"
    with pytest.raises(UsageProblem, match="no language model decides"):
        specify(scenario="trust_network", run=run)


def test_files_that_are_no_specification_are_refused(tmp_path):
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_spec(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("scenario = \n")
    with pytest.raises(UsageProblem, match="in TOML"):
        read_spec(tmp_path / "bad.toml")
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(UsageProblem, match="expected scenario"):
        read_spec(tmp_path / "empty.toml")
