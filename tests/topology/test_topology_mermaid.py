"""The Mermaid writer, read by a small tokenizer: every line is one known form, and labels stay inside their quotes."""

import re

import pytest
from hypothesis import HealthCheck, given, settings

from sim.topology.exporters import export
from sim.topology.formats.mermaid import SHAPES, label
from sim.topology.schema import Group, Topology, boundary_roles
from tests.topology.cases import DISCOVERED, FIXTURES, NASTY, REWORK, texts, topologies, with_text

# Inside quotes: letters, digits and spaces; numeric entities; line breaks; the sign for a lost character.
INSIDE = r"((?:[^\W_]| |#\d+;|<br/>|\ufffd|×)*)"
NODE = re.compile(
    rf' +r_([a-z0-9_]+)(\(\[|\{{\{{|\[\[|\(\(|\[/|\[|\{{|\()"{INSIDE}"(\]\)|\}}\}}|\]\]|\)\)|\\\]|\]|\}}|\))'
)
EDGE = re.compile(
    r'  r_([a-z0-9_]+) (?:-->|-\.->|==>)(?:\|"([a-z]+(?: [a-z]+)?(?: [0-9.]+)?|[0-9.]+)"\|)? r_([a-z0-9_]+)'
)
SUBGRAPH = re.compile(rf' +subgraph g_([a-z0-9_]+)\["{INSIDE}"\]')
FIXED = re.compile(
    r'---|title: "(?:[^"\\%#<>{}&`;\x00-\x1f\x7f-\U0010ffff]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*"'
    r"|flowchart LR|%% Numbers on [^{}#]*"
    r"| +end|  classDef [a-z_]+ stroke:#[0-9A-F]{6},stroke-width:2px|  class r_[a-z0-9_,]+ [a-z_]+"
)


def decoded(inside):
    plain = inside.replace("<br/>", "\n")
    return re.sub(r"#(\d+);", lambda m: chr(int(m[1])), plain)


def tokens(text):
    """Nodes (id, brackets, label), edges (source, target) and subgraphs (id, label); fails on any other line."""
    nodes, edges, groups = [], [], []
    for line in text.removesuffix("\n").split("\n"):
        if m := NODE.fullmatch(line):
            nodes.append((m[1], (m[2], m[4]), decoded(m[3])))
        elif m := EDGE.fullmatch(line):
            edges.append((m[1], m[3]))
        elif m := SUBGRAPH.fullmatch(line):
            groups.append((m[1], decoded(m[2])))
        else:
            assert FIXED.fullmatch(line), line
    return nodes, edges, groups


def lost(text):
    """What becomes of characters that no picture shows."""
    return re.sub("[\x00-\x09\x0b-\x1f\x7f-\x9f]", "\ufffd", text)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies())
def test_every_line_is_a_known_form_and_carries_what_the_topology_says(topology):
    text, _ = export(topology, as_format="mermaid")
    nodes, edges, groups = tokens(text)
    expected = {r.id: lost(r.text) + (f" ×{r.multiplicity}" if r.multiplicity > 1 else "") for r in topology.roles}
    assert {i: shown for i, _, shown in nodes} == expected
    assert len(nodes) == len(topology.roles)
    outside = boundary_roles(topology)
    shapes = {r.id: ("((", "))") if r.id in outside else SHAPES[r.function] for r in topology.roles}
    assert {i: brackets for i, brackets, _ in nodes} == shapes
    assert edges == [(e.source, e.target) for e in topology.edges]
    assert {i for i, _ in groups} <= {g.id for g in topology.groups}


@pytest.mark.parametrize("text", NASTY)
def test_hostile_texts_stay_in_their_quotes(text):
    nodes, edges, groups = tokens(export(with_text(text), as_format="mermaid")[0])
    assert len(nodes) == len(REWORK.roles)
    assert len(edges) == len(REWORK.edges)
    assert groups == [("team", lost(text).strip() or "team")] or groups == [("team", lost(text.strip()) or "team")]


@given(text=texts)
def test_a_label_reads_back(text):
    assert decoded(label(text)) == lost(text)
    assert not re.search(r'["\\`\[\](){}|%&]', label(text))


def test_the_tokenizer_refuses_a_label_that_breaks_out():
    text, _ = export(REWORK, as_format="mermaid")
    for evil in ('review"] --> r_evil["x', "review\n  r_evil", "review%%{init}%%", "a-b"):
        with pytest.raises(AssertionError):
            tokens(text.replace('"review ×4"', f'"{evil}"'))


def test_weights_are_rounded_and_said_to_be():
    topology = DISCOVERED
    _, report = export(topology, as_format="mermaid")
    inexact = sum(e.weight is not None and round(e.weight, 3) != e.weight for e in topology.edges)
    assert report.lost_weights == (f"{inexact} weights are rounded to three decimals.",)
    assert report.mode == "picture"


def test_what_is_not_written_is_named():
    _, report = export(with_text("x"), as_format="mermaid")
    told = " ".join(report.lost_attributes)
    for field in ("prompt", "tools", "condition", "provenance", "metrics", "notes"):
        assert field in told


def test_groups_are_nested_and_each_role_is_drawn_once():
    groups = (
        Group(id="all", label="All", members=("intake",)),
        Group(id="makers", label="Makers", members=("build", "review"), parent="all"),
        Group(id="also", members=("review", "join")),
        Group(id="empty"),
    )
    text, report = export(REWORK.model_copy(update={"groups": groups}), as_format="mermaid")
    lines = text.split("\n")
    nodes, _, drawn = tokens(text)
    assert len(nodes) == 4
    assert [i for i, _ in drawn] == ["all", "makers", "also"]
    assert lines.index('  subgraph g_all["All"]') < lines.index('    subgraph g_makers["Makers"]')
    told = " ".join(report.lost_attributes)
    assert "Role 'review' is in 2 groups" in told
    assert "Group 'empty'" in told


def test_all_fixtures_have_known_lines():
    for topology in FIXTURES:
        tokens(export(topology, as_format="mermaid")[0])
    assert isinstance(DISCOVERED, Topology)
