"""The worked examples run as they are printed, and find what they are about."""

import pytest

from experiments.examples import a_sweep, factory_load, naming_sizes, trust_phases

pytestmark = pytest.mark.slow


def test_loss_changes_what_is_kept_and_nothing_else(tmp_path):
    changes = a_sweep.main(tmp_path / "s")
    moved = set(changes.filter(changes["difference"] != 0)["measure"])
    assert {"quality", "kept", "handoff_loss_measured"} <= moved
    assert not moved & {"latency", "throughput", "handoffs_per_item", "cost", "delivered"}


def test_pairs_and_stars_where_agents_forget_and_nothing_that_lasts_where_they_do_not(tmp_path):
    drawn = trust_phases.main(tmp_path / "s")
    leads = dict(drawn.cells.select("keep", "phase").iter_rows())
    assert leads[0.9] == "pairs"
    assert leads[0.5] == "pairs and stars"
    assert leads[0.99] == "transient"
    last = drawn.lines[-1]
    assert last.after == "transient"
    assert 0.85 < last.at.low <= last.at.location <= last.at.high < 0.95
    assert "<svg" in (tmp_path / "s" / "sweep.html").read_text()


def test_agreement_takes_longer_in_larger_groups_by_less_than_the_law_of_very_large_ones(tmp_path):
    """Simulated elsewhere over 100 to 5000: 1.34; the sizes here are smaller."""
    made = naming_sizes.main(tmp_path / "s")
    assert 1.2 < made.low < made.high < 1.5


def test_routes_dissolve_near_capacity(tmp_path):
    at = factory_load.main(tmp_path / "s")
    assert 0.8 < at.low <= at.location <= at.high < 1.5
