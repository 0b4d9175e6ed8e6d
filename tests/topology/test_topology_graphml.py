"""The GraphML writer: exact round trip, hostile texts, foreign files refused, and networkx reads what we wrote."""

import io

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings

from sim.topology.exporters import export
from sim.topology.formats.graphml import read
from sim.topology.schema import TopologyError
from tests.topology.cases import FIXTURES, NASTY, PARALLEL, REWORK, topologies, with_text


def through_networkx(topology):
    text, _ = export(topology, as_format="graphml")
    return nx.read_graphml(io.BytesIO(text.encode("utf-8")), force_multigraph=True)


@pytest.mark.parametrize("topology", FIXTURES, ids=lambda t: t.name)
def test_networkx_reads_the_same_graph(topology):
    graph = through_networkx(topology)
    assert graph.is_directed()
    assert list(graph.nodes) == [r.id for r in topology.roles]
    ours = sorted((e.source, e.target, e.id, e.kind, e.weight, e.count) for e in topology.edges)
    theirs = sorted(
        (a, b, k, d["kind"], d.get("weight"), d.get("count")) for a, b, k, d in graph.edges(keys=True, data=True)
    )
    assert theirs == ours
    assert [graph.nodes[r.id]["multiplicity"] for r in topology.roles] == [r.multiplicity for r in topology.roles]


def test_parallel_edges_of_different_kinds_survive():
    assert len(PARALLEL.edges) == 5
    assert through_networkx(PARALLEL).number_of_edges("a", "b") == 4
    assert read(export(PARALLEL, as_format="graphml")[0]) == PARALLEL


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies())
def test_networkx_sees_every_label_and_nothing_else(topology):
    graph = through_networkx(topology)
    assert set(graph.nodes) == set(topology.role_ids())
    assert graph.number_of_edges() == len(topology.edges)
    if export(topology, as_format="graphml")[1].empty:
        assert all(graph.nodes[r.id].get("label", "") == r.label for r in topology.roles)


@pytest.mark.parametrize("text", NASTY)
def test_hostile_texts(text):
    topology = with_text(text)
    written, report = export(topology, as_format="graphml")
    again = read(written)
    assert len(again.roles) == len(topology.roles)
    forbidden = any((c < " " and c not in "\t\n\r") or c in "\ufffe\uffff" for c in text)
    assert report.empty == (not forbidden)
    assert (again == topology) == (not forbidden)


def test_characters_that_xml_forbids_are_named():
    _, report = export(with_text("a\x00b"), as_format="graphml")
    assert "role 'build': label: 1 characters that XML cannot hold were replaced." in report.lost_attributes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no xml", "does not parse"),
        ("<a/>", "found none"),
        (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed"/></graphml>',
            "schema_version",
        ),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (export(REWORK, as_format="graphml")[0].replace(">0.35<", ">a third<"), "weight"),
        (export(REWORK, as_format="graphml")[0].replace(">0.35<", ">0.5<"), "sum to"),
        (export(REWORK, as_format="graphml")[0].replace('target="join"', 'target="x"'), "no role"),
        (
            export(REWORK, as_format="graphml")[0]
            .replace(">long<", ">x<")
            .replace('<data key="d0">1', '<data key="d0">9'),
            "schema_version",
        ),
    ],
)
def test_what_is_no_topology_is_refused_with_a_reason(text, told):
    with pytest.raises(TopologyError, match=told):
        read(text)


def test_a_graph_of_somebody_else_is_refused():
    out = io.BytesIO()
    nx.write_graphml(nx.path_graph(3, create_using=nx.DiGraph), out)
    with pytest.raises(TopologyError, match="holds a graph, no topology"):
        read(out.getvalue().decode())
