"""Replication and cause: levels that need more than one log."""

import pytest
from scipy.stats import fisher_exact

from sim.detectors.engine import detect
from sim.detectors.replication import Reference, fisher


@pytest.fixture(scope="module")
def world(planted):
    """A log with teams, further logs with teams, and logs of the same agents mixing at random."""
    log = planted.teams_log(1, events=600, mixing=0.1)[0]
    fresh = [planted.teams_log(s, events=600, mixing=0.1)[0] for s in range(2, 7)]
    return log, fresh, [planted.random_mixing(s, events=600) for s in range(6)]


def levels(log, **reference):
    (one,) = detect(log, detectors=["teams"], reference=Reference(**reference)).structures
    return one


def test_what_goes_when_the_mechanism_is_switched_off_is_causal(world):
    log, fresh, nothing = world
    one = levels(log, fresh=fresh, off=nothing)
    assert one.level == "causal"
    assert one.facts["p_off"] == pytest.approx(fisher_exact([[6, 0], [0, 6]], alternative="greater").pvalue)
    assert "with the mechanism switched off it recurs in 0 of 6 runs" in one.sentence
    assert "level causal," in one.sentence
    assert one.sentence.endswith(".")


def test_too_few_runs_without_the_mechanism_show_no_cause(world):
    log, fresh, nothing = world
    assert levels(log, fresh=fresh[:2], off=nothing[:2]).level == "replicated"


def test_what_isolated_twins_show_as_well_is_no_coordination(world):
    log, fresh, _nothing = world
    one = levels(log, fresh=fresh[:3], twins=fresh[:3])
    assert one.level == "significant"
    assert not one.discovered
    assert "something else than coordination" in one.sentence


def test_a_role_that_is_refilled_after_a_knock_out_keeps_its_level(world):
    log, fresh, _nothing = world
    assert levels(log, fresh=fresh[:3], knockouts=fresh[:3]).level == "replicated"


def test_without_fresh_seeds_nothing_is_replicated_or_causal(world):
    log, _fresh, nothing = world
    assert levels(log, off=nothing).level == "robust"


@pytest.mark.parametrize("table", [(6, 6, 0, 6), (3, 5, 1, 4), (1, 1, 0, 8), (0, 4, 2, 3), (2, 2, 2, 2)])
def test_the_exact_test_is_that_of_fisher(table):
    hits, runs, others, of = table
    expected = fisher_exact([[hits, runs - hits], [others, of - others]], alternative="greater").pvalue
    assert fisher(*table) == pytest.approx(expected)
