"""Statistics: intervals that cover, tests that keep their level, transitions and exponents that are known beforehand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import UsageProblem
from experiments.sweeps import axes as ax
from experiments.sweeps.phases import diagram
from experiments.sweeps.sensitivity import sensitivity
from experiments.sweeps.spec import Spec
from experiments.sweeps.statistics import (
    comparisons,
    corrected,
    difference,
    holm,
    interval,
    measure_columns,
    sign_flip,
    summary,
)
from experiments.sweeps.transitions import collapse, crossing, isotonic, locate, scaling


def table(axes, seeds, value):
    """Runs with the columns of results: one row for each point and seed, ``y`` from value(point, seed)."""
    rows = [
        {"key": f"{i}-{s}", "point": i, "seed": s, "status": "complete", **point, "y": value(point, s)}
        for i, point in enumerate(axes)
        for s in range(seeds)
    ]
    return pl.LazyFrame(rows, infer_schema_length=None)


def test_intervals_cover_the_mean_as_often_as_they_say_even_for_few_seeds():
    """800 samples of 8 from a normal law: 95 % within 4 standard errors of 0.8 points; error probability below 1e-4."""
    rng = np.random.default_rng(1)
    hits = sum(low <= 0.0 <= high for _, low, high in (interval(rng.normal(size=8), seed=k) for k in range(800)))
    assert abs(hits / 800 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 800)


def test_a_single_value_has_no_interval_and_none_has_no_mean():
    assert interval([3.0])[0] == 3.0
    assert np.isnan(interval([3.0])[1])
    assert np.isnan(interval([])[0])


def test_the_summary_is_the_mean_over_seeds_and_leaves_failed_runs_out():
    runs = table([{"x": 1.0}, {"x": 2.0}], 6, lambda p, s: p["x"] * 10 + s)
    failed = pl.LazyFrame([{"key": "f", "point": 0, "seed": 9, "status": "failed", "x": 1.0, "y": 1e9}])
    made = summary(pl.concat([runs, failed], how="diagonal_relaxed"), axes=["x"])
    assert made["n"].to_list() == [6, 6]
    assert made["mean"].to_list() == [12.5, 22.5]
    assert made["sd"].to_list() == pytest.approx([np.std(range(6), ddof=1)] * 2)
    assert (made["low"] < made["mean"]).all()
    assert (made["mean"] < made["high"]).all()
    assert measure_columns(runs, axes=["x"]) == ["y"]
    with pytest.raises(UsageProblem, match="no run has a value in column 'z'"):
        summary(runs, axes=["x"], measures=["z"])


def test_pairs_see_through_what_the_seeds_have_in_common():
    rng = np.random.default_rng(3)
    common = rng.normal(0, 100, 12)
    made = difference(common, common + 1 + rng.normal(0, 0.5, 12))
    assert made.low > 0
    assert made.p < 0.01
    assert made.effect > 1
    assert made.superiority > 0.9
    assert difference(common, common).p == 1.0
    assert np.isnan(difference(common, common + 1).effect)


def test_sign_flips_are_exact_for_few_pairs_and_keep_their_level_for_many():
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == 2 / 8
    rng = np.random.default_rng(5)
    level = np.mean([sign_flip(rng.normal(size=16), seed=k) <= 0.05 for k in range(400)])
    assert abs(level - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 400)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_never_lower_a_p_value_and_keep_the_order(p):
    for adjusted in (holm(p), corrected(p, "bh")):
        assert all(a >= b - 1e-12 for a, b in zip(adjusted, p, strict=True))
        order = np.argsort(p, kind="stable")
        assert np.all(np.diff(np.array(adjusted)[order]) >= -1e-12)
    assert holm([0.01, 0.04]) == [0.02, 0.04]


def test_comparisons_are_made_at_equal_other_axes_and_corrected_together():
    rng = np.random.default_rng(2)
    points = [{"m": m, "x": x} for m in ("a", "b") for x in (0.0, 1.0, 2.0)]
    noise = rng.normal(size=20)
    made = comparisons(table(points, 10, lambda p, s: p["x"] * (p["m"] == "a") + noise[s]), axis="x", axes=["m", "x"])
    assert made.height == 4
    moved = made.filter(pl.col("q") <= 0.05)
    assert set(moved["m"]) == {"a"}
    assert set(moved["difference"].round(9)) == {1.0, 2.0}
    with pytest.raises(UsageProblem, match="base: expected a value"):
        comparisons(table(points, 3, lambda p, s: 0.0), axis="x", axes=["m", "x"], base=7.0)


@settings(max_examples=50)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12))
def test_isotonic_means_rise_keep_the_total_and_leave_rising_ones_alone(values):
    made = isotonic(np.array(values, dtype=float))
    assert np.all(np.diff(made) >= 0)
    assert made.sum() == pytest.approx(sum(values))
    assert np.array_equal(isotonic(np.sort(np.array(values, dtype=float))), np.sort(values))


def tipping(x, at, seeds, rng, width=0.05):
    return 1 / (1 + np.exp(-(x - at) / width)) + rng.normal(0, 0.15, (seeds, len(x)))


def test_a_transition_is_located_and_its_interval_covers_it():
    """200 planted transitions, 12 seeds: the 95 % interval holds the truth in at least 89 % (4 standard errors of 1.5
    points), and no transition is located in noise more often than at twice the level.
    """
    x = np.linspace(0, 1, 11)
    found, hits = 0, 0
    for k in range(200):
        rng = np.random.default_rng(k)
        made = locate(x, tipping(x, 0.43, 12, rng), level=0.5, seed=k)
        found += made.location is not None
        hits += made.low is not None and made.low <= 0.43 <= made.high
    assert found == 200
    assert hits / 200 > 0.89
    rng = np.random.default_rng(9)
    none = [locate(x, rng.normal(size=(12, 11)), seed=k).location is None for k in range(100)]
    assert np.mean(none) > 0.87


def test_a_falling_curve_and_a_level_out_of_reach():
    x = np.linspace(0, 1, 5)
    values = np.tile([1.0, 0.9, 0.5, 0.1, 0.0], (4, 1)) + np.random.default_rng(0).normal(0, 0.01, (4, 5))
    assert locate(x, values, level=0.5).location == pytest.approx(0.5, abs=0.02)
    assert locate(x, values, level=2.0).note == "the curve does not reach the level at both ends"
    assert "2 values" in locate(x[:1], values[:, :1]).note
    assert crossing(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.25, rising=True) == 0.25


def test_an_exponent_comes_back_with_its_interval_and_a_bend_shows_in_the_local_ones():
    rng = np.random.default_rng(4)
    samples = {n: 2.0 * n**1.5 * rng.lognormal(0, 0.2, 24) for n in (50, 100, 200, 400)}
    made = scaling(samples)
    assert made.low < 1.5 < made.high
    assert made.exponent == pytest.approx(1.5, abs=0.1)
    bent = scaling({n: (n + n**2 / 100) * rng.lognormal(0, 0.01, 24) for n in (10, 100, 1000)})
    assert bent.local[0][2] < 1.4 < 1.7 < bent.local[1][2]
    with pytest.raises(UsageProblem, match="at least 3 sizes"):
        scaling({1.0: [1, 2], 2.0: [2, 3]})


def test_curves_of_several_sizes_collapse_at_the_planted_location_and_exponent():
    rng = np.random.default_rng(7)
    # Fine enough for the steepest curve: what is interpolated is a chord.
    x = np.linspace(0.2, 0.6, 41)
    curves = {
        n: (x, 1 / (1 + np.exp(-3 * (x - 0.4) * n**0.5)) + rng.normal(0, 0.02, (16, 41))) for n in (16.0, 64.0, 256.0)
    }
    made = collapse(curves)
    assert made.location == pytest.approx(0.4, abs=0.02)
    assert made.low < 0.4 < made.high
    assert made.stretch == pytest.approx(0.5, abs=0.08)
    assert 0.5 < made.quality < 1.6


def test_the_phase_diagram_says_what_holds_where_and_where_it_ends():
    rng = np.random.default_rng(11)
    xs, ys = [round(0.1 * i, 1) for i in range(11)], ["low", "high"]
    rows = []
    for i, (y, x) in enumerate((y, x) for y in ys for x in xs):
        for s in range(20):
            p = 1 / (1 + np.exp(-(x - {"low": 0.3, "high": 0.7}[y]) / 0.04))
            phase = "ring" if rng.random() < p else "nothing"
            rows.append({"point": i, "seed": s, "status": "complete", "x": x, "y": y, "phase": phase})
    made = diagram(pl.LazyFrame(rows), x="x", y="y", axes=["x", "y"])
    assert set(made.phases) == {"ring", "nothing"}
    assert made.cells.height == 22
    ends = {line.y: line for line in made.lines}
    assert (ends["low"].before, ends["low"].after) == ("nothing", "ring")
    for y, truth in (("low", 0.3), ("high", 0.7)):
        assert ends[y].at.location == pytest.approx(truth, abs=0.05)
        assert ends[y].at.low <= ends[y].at.location <= ends[y].at.high
    cell = made.cells.filter((pl.col("x") == 1.0) & (pl.col("y") == "low")).row(0, named=True)
    assert cell["phase"] == "ring"
    assert cell["holds"]
    assert cell["share_ring"] + cell["share_nothing"] == 1.0
    with pytest.raises(UsageProblem, match="holds no numbers"):
        diagram(pl.LazyFrame(rows), x="y")


@pytest.mark.parametrize("kind", ["saltelli", "morris"])
def test_sensitivity_finds_the_axis_that_matters(kind):
    """y = 4 a + b: first-order shares 16/17 and 1/17 by hand; c does nothing."""
    how = ax.Sampling(kind, 128 if kind == "saltelli" else 20, seed=3)
    axes = tuple(ax.Axis(name, low=0.0, high=1.0) for name in "abc")
    spec = Spec("naming", axes=axes, sampling=how, seeds=(0, 1))
    spec.__dict__["points"] = ax.points(axes, how, lambda _name, value: value)
    made = sensitivity(table(spec.points, 2, lambda p, s: 4 * p["a"] + p["b"] + s), spec, measures=["y"])
    by = {row["axis"]: row for row in made.to_dicts()}
    if kind == "saltelli":
        assert by["a"]["first"] == pytest.approx(16 / 17, abs=0.06)
        assert by["b"]["total"] == pytest.approx(1 / 17, abs=0.03)
        assert abs(by["c"]["total"]) < 0.01
    else:
        assert by["a"]["mu_star"] == pytest.approx(4.0)
        assert by["b"]["mu"] == pytest.approx(1.0)
        assert by["c"]["sigma"] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(UsageProblem, match="expected a sweep sampled"):
        sensitivity(table(spec.points, 1, lambda p, s: 0.0), Spec("naming"))
