"""One structure is claimed once: a pipeline is a pipeline, not teams, roles and a ladder besides."""

from dataclasses import replace

import numpy as np
import pytest

from scenarios.worlds.world import worlds
from sim.detectors import stages, streams
from sim.detectors.engine import detect
from sim.detectors.kinds import KINDS, family
from sim.detectors.nulls import Links
from sim.detectors.relations import related
from sim.detectors.window import read


def blocks(image, size=8, each=3):
    """Contacts between classes of ``size`` agents as ``image`` says, and one more between any two."""
    image = np.array(image)
    label = np.repeat(np.arange(len(image)), size)
    flow = each * image[label][:, label] + 1
    np.fill_diagonal(flow, 0)
    giver, taker = np.nonzero(flow)
    return Links(len(label), giver, taker, flow[giver, taker], directed=True), label


ROW, ROUND = np.eye(5, k=1, dtype=int), np.roll(np.eye(5, dtype=int), 1, axis=1)


def test_classes_in_a_row_are_a_pipeline_in_whatever_order_they_are_numbered():
    order = np.array([3, 0, 4, 2, 1])
    links, label = blocks(ROW[order][:, order])
    found = stages.row(links, label)
    assert found.pipeline
    assert np.array_equal(found.place, order)


@pytest.mark.parametrize(
    "image", [ROUND, np.eye(5, dtype=int), ROW + ROW.T, np.ones((5, 5), dtype=int), [[0, 1], [0, 0]]]
)
def test_rings_groups_two_way_rows_meshes_and_two_sides_are_none(image):
    assert not stages.row(*blocks(image)).pipeline


def test_a_pipeline_of_contacts_is_one_discovery():
    """Measured on 8 seeds: a pipeline in 8, where it was called roles in all before; teams beside it in 1, before in 4 of 6."""
    report = detect(worlds.get("stages of contact").log(501), detectors=["roles", "hierarchy", "teams"])
    (found,) = report.discovered
    assert found.kind == "pipeline"
    assert list(found.roles) == [f"stage {k + 1}" for k in range(5)]
    assert "contacts run through 5 stages" in found.sentence.lower()
    views = [s for s in report.structures if s.part_of]
    assert all(s.part_of == found.id and not s.discovered for s in views)
    assert all("another view of" in s.sentence for s in views)


def test_stretches_of_a_pipeline_of_items_are_no_teams_and_teams_are():
    """Measured on 8 seeds: a pipeline in 8, teams beside it in none, before in 4 of 6; teams in 6 of 6 worlds of teams."""
    report = detect(worlds.get("item pipeline").log(500), detectors=["teams", "handoffs"])
    assert [s.kind for s in report.discovered] == ["pipeline"]
    (kept,) = detect(worlds.get("teams").log(500), detectors=["teams"]).discovered
    assert kept.kind == "teams"


def test_a_shape_of_the_same_agents_is_how_teams_are_arranged():
    """The relation alone, so that it does not hang on which graph happens to be like a federation."""
    (teams,) = detect(worlds.get("teams").log(500), detectors=["teams"]).discovered
    shape = replace(teams, id="federation-2", kind="federation", detector="shapes")
    one, other = related([teams, shape])
    assert one.discovered
    assert one.sentence.endswith("; the teams are arranged as a federation (federation-2).")
    assert (other.part_of, other.discovered) == (teams.id, False)
    ring = replace(shape, id="ring of teams-2", kind="ring of teams")
    parts, whole = related([teams, ring])
    assert (parts.part_of, parts.discovered, whole.discovered) == (ring.id, False, True)
    weak = replace(ring, level="observed")
    assert [s.part_of for s in related([teams, weak])] == [None, None]
    elsewhere = replace(ring, run="another")
    assert [s.part_of for s in related([teams, elsewhere])] == [None, None]
    assert family("unclassified:U-0007") in KINDS


def stage_order(log):
    """Kendall's tau between the steps read off the handoffs and the true stages, over pairs of different stages."""
    (window,) = read(log).windows
    stream = streams.of(window, streams.ALL)
    steps = streams.steps_to_finish(window, stream, streams.ALL)
    true = np.array(log.meta["truth"]["groups"])[[int(a) for a in window.agents]]
    a, b = np.triu_indices(len(true), 1)
    apart = true[a] != true[b]
    return float(np.mean(np.sign(true[b] - true[a])[apart] * np.sign(steps[a] - steps[b])[apart]))


def test_stages_come_in_their_true_order_with_a_tenth_skipped():
    """20 seeds; the target is a mean of 0.95 (detectors.md 12, row 6). Measured: 1.0 in each, so no error is allowed for."""
    tau = [stage_order(worlds.get("item pipeline").log(700 + seed)) for seed in range(20)]
    assert np.mean(tau) >= 0.95
