"""Handoffs: the learned in-tree is found per stream, pipelines are, random routing is not."""

from dataclasses import replace

import networkx as nx
import numpy as np
import polars as pl
import pytest

from sim.detectors.engine import detect
from sim.detectors.report import LEVELS
from sim.detectors.to_topology import to_topology


@pytest.fixture(scope="module")
def learned(planted):
    """S2: one expert per type on a 4-regular graph, path reinforcement with forgetting."""
    graph = nx.random_regular_graph(4, 30, seed=2)
    log, experts = planted.factory(7, n=30, types=3, items=4000, graph=graph)
    return log, experts, graph, detect(log, detectors=["handoffs"])


def test_each_stream_of_a_learned_factory_is_a_hierarchy_ending_at_its_expert(learned):
    _, experts, _, report = learned
    found = {s.about: s for s in report.discovered}
    assert set(found) == {f"task type {t}" for t in range(3)}
    for task, expert in enumerate(experts[:, 0]):
        one = found[f"task type {task}"]
        assert one.kind == "hierarchy"
        assert one.roles["finisher"] == (expert,)
        assert one.nulls == ("NT", "N4")
        assert one.relabelling
        assert one.predefined is None


def test_levels_of_the_in_tree_are_the_distances_to_the_expert(learned):
    _, experts, graph, report = learned
    rank = []
    for structure in report.discovered:
        task = int(structure.about.rsplit(" ", 1)[1])
        distance = nx.single_source_shortest_path_length(graph, int(experts[task, 0]))
        for role, agents in structure.roles.items():
            level = int(role.rsplit(" ", 1)[1]) if role.startswith("relay ") else 0 if role == "finisher" else None
            rank += [(distance[a], level) for a in agents if level is not None]
    true, seen = np.array(rank).T
    assert np.corrcoef(true, seen)[0, 1] > 0.7
    assert (seen >= true).all()  # nobody can be nearer than the graph allows


def test_the_union_of_the_streams_is_no_hierarchy(learned):
    rows = [r for r in learned[3].ledger if r.about == "all work" and r.p is not None]
    assert rows
    assert all(r.verdict == "not beaten" for r in rows)


def test_random_early_and_learned_late_is_dated(planted):
    graph = nx.random_regular_graph(4, 20, seed=5)
    early, _ = planted.factory(1, learn=False, n=20, types=2, items=260, graph=graph)
    late, _ = planted.factory(2, learn=True, n=20, types=2, items=2600, graph=graph)
    start = early.events.height
    joined = pl.concat([early.events, late.events.with_columns(pl.col("time") + start, pl.col("item") + 10_000)])
    report = detect(replace(late, events=joined.drop("seq")), detectors=["handoffs"])
    assert report.discovered
    for structure in report.discovered:
        born, died = structure.windows
        assert 0.6 * start < born < start + 0.35 * late.events.height
        assert died == joined.height - 1
        assert not structure.timeline["present"][0]


@pytest.mark.parametrize("types", [1, 3])
@pytest.mark.parametrize("known", [True, False])
def test_random_routing_is_not_discovered(planted, types, known):
    for seed in range(5):
        log, _ = planted.factory(100 + seed, learn=False, n=20, types=types, items=250, known=known)
        assert not detect(log, detectors=["handoffs"]).discovered


def test_random_persistent_routes_are_not_ordered(planted):
    """Each agent keeps to two random receivers for ever: repeated, but no pipeline and no hierarchy."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, 30, (30, 2))
        source = rng.integers(0, 30, 1500)
        target = chosen[source, rng.integers(0, 2, 1500)]
        ok = source != target
        log = planted.as_log({"source": source[ok], "target": target[ok], "kind": ["handoff"] * int(ok.sum())})
        assert not detect(log, detectors=["handoffs"]).discovered


def test_a_pipeline_with_skips_is_found_with_its_stages_in_order(planted):
    log, stage = planted.pipeline_log(3, items=400)
    (found,) = detect(log, detectors=["handoffs"]).discovered
    assert found.kind == "pipeline"
    assert found.nulls == ("N1", "NR", "N4")
    assert [{int(stage[a]) for a in agents} for agents in found.roles.values()] == [{0}, {1}, {2}, {3}, {4}]
    assert next(iter(found.roles)) == "intake"
    assert sum(found.entries.values()) == 400
    assert sum(found.exits.values()) == 400


def test_a_pipeline_with_forced_contacts_is_predefined(planted):
    log, stage = planted.pipeline_log(3, items=400, skip=0.0, back=0.0)
    pairs = [(a, b) for a in range(30) for b in range(30) if stage[b] == stage[a] + 1]
    contacts = pl.DataFrame({"source": [a for a, _ in pairs], "target": [b for _, b in pairs]})
    report = detect(replace(log, contacts=contacts), detectors=["handoffs"])
    assert not report.discovered
    (found,) = report.structures
    assert found.kind == "pipeline"
    assert "the initial channels already run in this order" in found.predefined


def chain(planted, **more):
    route = planted.Route()
    for item in range(300):
        route.add("arrive", 0, None, item, None)
        for stage in range(4):
            route.add("handoff", stage, stage + 1, item, None)
        route.add("deliver", 4, None, item, None)
    return route.log(**more)


def test_a_chain_of_single_agents_is_shown_but_not_claimed(planted):
    report = detect(chain(planted), detectors=["handoffs"])
    (found,) = report.structures
    assert (found.kind, found.level) == ("pipeline", "observed")
    assert list(found.roles.values()) == [(0,), (1,), (2,), (3,), (4,)]
    assert [r.verdict for r in report.ledger if r.null == "N1"] == ["not beaten"]
    contacts = pl.DataFrame({"source": [0, 1, 2, 3], "target": [1, 2, 3, 4]})
    (forced,) = detect(chain(planted, contacts=contacts), detectors=["handoffs"]).structures
    assert "leave the givers no choice" in forced.predefined


def test_returns_do_not_cancel_the_direction(planted):
    """Every second handoff comes back as a reject: replies are flows, but do not count against the order."""
    log, _ = planted.pipeline_log(4, items=400)
    back = log.events.filter((pl.col("kind") == "handoff") & (pl.col("seq") % 2 == 0))
    back = back.with_columns(
        source=pl.col("target"), target=pl.col("source"), kind=pl.lit("reject"), time=pl.col("time") + 0.5
    )
    report = detect(replace(log, events=pl.concat([log.events, back])), detectors=["handoffs"])
    (found,) = report.discovered
    assert set(found.flows["kind"].to_list()) == {"handoff", "reject"}


def test_a_structure_becomes_a_topology(learned):
    log, _, _, report = learned
    structure = report.discovered[0]
    topology = to_topology(structure, log)
    sizes = {role.label: role.multiplicity for role in topology.roles}
    assert {r: len(a) for r, a in structure.roles.items()}.items() <= sizes.items()
    assert topology.provenance.detector == "handoffs"
    assert LEVELS.index(structure.level) >= LEVELS.index("stable")
    inward = {e.source for e in topology.edges if e.target == "finisher"}
    assert "relay_1" in inward


def test_large_logs_are_thinned_and_say_so(planted, monkeypatch):
    from sim.detectors import handoffs

    monkeypatch.setattr(handoffs, "MOST_ROWS", 1000)
    log, _ = planted.factory(1, n=20, types=2, items=700)
    report = detect(log, detectors=["handoffs"])
    (capped,) = [r for r in report.ledger if r.verdict == "capped"]
    assert "handoffs" in capped.reason
    assert report.structures
