"""The schema: what it refuses, what it keeps, and what stands against executing it."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.topology.executable import problems
from sim.topology.schema import (
    Edge,
    Group,
    Role,
    Topology,
    TopologyError,
    boundary_roles,
    from_json,
    json_schema_text,
    load,
    save,
    slug,
    slugs,
    to_json,
)
from tests.topology.cases import DISCOVERED, FIXTURES, HUB, NASTY, PIPELINE, REWORK, make, texts, topologies

ROOT = Path(__file__).resolve().parents[2]
AB = [("a", "work", 1), ("b", "work", 1), ("c", "work", 1)]


def test_the_checked_in_json_schema_is_the_generated_one():
    assert (ROOT / "docs" / "topology.schema.json").read_text(encoding="utf-8") == json_schema_text()


@settings(max_examples=60, deadline=None)
@given(topology=topologies())
def test_json_round_trip_is_exact(topology):
    assert from_json(to_json(topology)) == topology
    assert Topology.model_validate(json.loads(to_json(topology))) == topology


def test_save_and_load(tmp_path):
    save(REWORK, tmp_path / "topology.json")
    assert load(tmp_path / "topology.json") == REWORK
    assert [p.name for p in tmp_path.iterdir()] == ["topology.json"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"{}", "roles: Field required"),
        (to_json(PIPELINE).replace('"schema_version": 1', '"schema_version": 2').encode(), "schema_version"),
        (to_json(PIPELINE).replace('"multiplicity": 12', '"multiplicity": 0').encode(), "greater than or equal to 1"),
        (to_json(PIPELINE).replace('"multiplicity": 12', '"multiplicty": 12').encode(), "roles.1.multiplicty"),
        (to_json(PIPELINE).replace('"weight": 1.0', '"weight": NaN').encode(), "weight"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path, content, told):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(TopologyError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"entry": "x"}, "entry: no role has the id 'x'"),
        ({"exits": ("x",)}, "exits: no role has the id 'x'"),
        ({"exits": ()}, "exits"),
        ({"exits": ("join", "join")}, "exit id 'join' occurs 2 times"),
        ({"roles": (*PIPELINE.roles, Role(id="build"))}, "role id 'build' occurs 2 times"),
        ({"edges": (Edge(id="e", source="build", target="x"),)}, "edge 'e' target: no role has the id 'x'"),
        ({"edges": (*PIPELINE.edges, PIPELINE.edges[0])}, "edge id 'e0' occurs 2 times"),
        ({"groups": (Group(id="g", members=("x",)),)}, "group 'g' members: no role has the id 'x'"),
        ({"groups": (Group(id="g", parent="h"),)}, "group 'g' parent: no group has the id 'h'"),
        ({"groups": (Group(id="g", parent="h"), Group(id="h", parent="g"))}, "its own ancestor"),
        ({"metrics": {"x": float("nan")}}, "finite"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(change, told):
    with pytest.raises(ValidationError, match=told):
        Topology(**{**dict(PIPELINE), **change})


def test_lone_surrogates_are_refused():
    with pytest.raises(ValidationError):
        Role(id="a", label="\ud800")


@pytest.mark.parametrize("bad", ["", "A", "1a", "a b", "a-b", "a\n", "é", "a" * 65])
def test_ids_are_slugs(bad):
    with pytest.raises(ValidationError):
        Role(id=bad)


def split(weights, kind="exclusive", info=None):
    roles = (Role(id="a", split=kind), Role(id="b"), Role(id="c"))
    edges = [Edge(id=f"e{i}", source="a", target="bc"[i], weight=w) for i, w in enumerate(weights)]
    edges += [] if info is None else [Edge(id="i", source="a", target="b", kind="info", weight=info)]
    return Topology(name="t", roles=roles, edges=tuple(edges), entry="a", exits=("b", "c"))


def test_exclusive_splits_sum_to_one():
    split([0.3, 0.7])
    split([0.3, 0.7 + 9e-10])
    split([None, None])
    split([0.3, 0.7], info=0.9)
    split([0.9, 0.9], kind="inclusive")
    for weights in ([0.3, 0.6], [0.3, 0.7 + 2e-9], [0.5, 0.6]):
        with pytest.raises(ValidationError, match="sum to"):
            split(weights)
    with pytest.raises(ValidationError, match="1 of 2 edges"):
        split([1.0, None])


def test_an_observed_loop_is_valid_but_not_executable():
    assert problems(PIPELINE) == []
    told = problems(REWORK)
    assert any("intake -> intake" in s and "cap" in s for s in told)
    assert any("build -> review -> build" in s and "cap" in s for s in told)
    assert len(told) == 2


def test_a_capped_loop_with_a_way_out_is_executable():
    edges = tuple(
        e.model_copy(update={"max_visits": 3}) if e.kind == "rework" or e.source == e.target else e
        for e in REWORK.edges
    )
    assert problems(REWORK.model_copy(update={"edges": edges})) == []


def test_a_cap_without_a_way_out_is_a_problem():
    t = make("trap", AB, [("a", "b", "handoff", 1.0), ("b", "a", "rework", 1.0)], "a", ["c"])
    edges = tuple(e.model_copy(update={"max_visits": 2}) if e.kind == "rework" else e for e in t.edges)
    told = problems(t.model_copy(update={"edges": edges}))
    assert any("cap of edge 'e1'" in s for s in told)
    assert any("'c' is not reached" in s for s in told)
    assert any("'a' cannot reach an exit" in s for s in told)


def test_edges_that_are_never_taken_and_info_reach_nothing():
    t = make("n", AB, [("a", "b", "handoff", 1.0), ("a", "c", "handoff", 0.0), ("b", "c", "info", None)], "a", ["b"])
    assert problems(t) == [
        "Role 'c' is not reached from the entry 'a'.",
        "Role 'c' cannot reach an exit (b).",
    ]


def test_a_reviewer_without_a_say_is_ceremonial():
    rows = [("a", "b", "review", 1.0), ("b", "c", "approve", 1.0)]
    t = make("r", AB, rows, "a", ["c"])
    assert any(s.startswith("Ceremonial reviewer: role 'b'") for s in problems(t))
    strong = tuple(r.model_copy(update={"decision_rights": ("reject",)}) if r.id == "b" else r for r in t.roles)
    assert problems(t.model_copy(update={"roles": strong})) == []


def test_labels_that_collide_as_slugs_are_named():
    roles = tuple(
        r.model_copy(update={"label": label})
        for r, label in zip(PIPELINE.roles, ["QA Team", "qa-team", "x"], strict=True)
    )
    assert any("'qa_team'" in s for s in problems(PIPELINE.model_copy(update={"roles": roles})))


@given(label=texts)
def test_any_label_becomes_a_slug(label):
    assert Role(id=slug(label)).id == slug(label)
    assert slug(slug(label)) == slug(label)


def test_slugs_are_unique_and_collisions_are_told():
    ids, told = slugs(["QA Team", "qa-team", "中文", "", "qa_team_2"], taken=["entry"])
    assert ids == ["qa_team", "qa_team_2", "role", "role_2", "qa_team_2_2"]
    assert len(told) == 3
    assert "'qa-team'" in told[0]


@given(labels=st.lists(texts, max_size=8))
def test_slugs_never_repeat(labels):
    ids, told = slugs(labels)
    assert len(set(ids)) == len(labels)
    assert len(told) == sum(i != slug(label) for i, label in zip(ids, labels, strict=True))


def test_boundary_roles_are_told_from_roles_of_agents():
    assert boundary_roles(DISCOVERED) == {"entry", "done"}
    assert all(boundary_roles(t) == frozenset() for t in FIXTURES if t is not DISCOVERED)


def test_role_lookup():
    assert HUB.role("w3").label == "w3"
    with pytest.raises(KeyError, match="no role 'x'"):
        HUB.role("x")


def test_text_falls_back_to_the_id():
    assert Role(id="a", label="  ").text == "a"
    assert all(Role(id="a", label=t).text.strip() for t in NASTY)
