"""Team graphs drawn by people: the importer on small records, then every exporter and drawing on all 45 real ones."""

import json
from xml.etree import ElementTree

import pytest

from sim.topology.executable import problems
from sim.topology.exporters import export, exporters
from sim.topology.schema import TopologyError, boundary_roles, from_json, to_json
from sim.topology.svg import draw_roles
from sim.topology.team_graphs import from_team_graph, load_team_graphs
from tests.topology.cases import REAL_GRAPHS


def node(name, kind="agent"):
    return {"id": name, "type": kind, "role": f"You are {name}."}


def link(source, target, **more):
    return {
        "source": source,
        "target": target,
        "trigger": True,
        "condition": None,
        "carry_data": True,
        "fan": None,
    } | more


RECORD = {
    "name": "small",
    "description": None,
    "start": ["Planner", "User"],
    "end": [],
    "nodes": [node("Planner"), node("planner"), node("User", "human"), node("Loop", "loop_counter"), node("Last")],
    "edges": [
        link("Planner", "planner", condition={"type": "keyword", "config": {"any": ["GO", "ON"], "none": ["STOP"]}}),
        link("Planner", "planner", condition={"type": "function", "config": {"name": "true"}}, fan="map"),
        link("planner", "Loop", trigger=False),
        link("planner", "Last", carry_data=False, condition={"type": "function", "config": {"name": "code_pass"}}),
        link("User", "Loop"),
        link("Loop", "Last"),
    ],
}


def test_a_record_becomes_a_topology():
    t = from_team_graph(RECORD)
    assert t.role_ids() == ["entry", "planner", "planner_2", "user", "loop", "last"]
    assert [(r.function, r.split, r.is_human) for r in t.roles[1:]] == [
        ("work", "inclusive", False),
        ("work", "inclusive", False),
        ("work", "exclusive", True),
        ("other", "exclusive", False),
        ("work", "exclusive", False),
    ]
    assert [(e.kind, e.condition, e.carries) for e in t.edges[:4]] == [
        ("handoff", "any: GO, ON; none: STOP", "full"),
        ("handoff", None, "full"),
        ("info", None, "full"),
        ("handoff", "code_pass", None),
    ]
    assert boundary_roles(t) == {"entry"}
    assert [e.target for e in t.edges if e.source == "entry"] == ["planner", "user"]
    assert t.exits == ("last",)
    assert "'planner'" in t.notes
    assert "1 edges split" in t.notes


def test_a_single_start_is_the_entry_and_named_ends_are_the_exits():
    t = from_team_graph({**RECORD, "start": ["User"], "end": ["Loop"]})
    assert (t.entry, t.exits) == ("user", ("loop",))


@pytest.mark.parametrize("line", ["{", "[]", '{"name": "x"}', json.dumps({**RECORD, "start": ["nobody"]})])
def test_the_line_at_fault_is_named(tmp_path, line):
    path = tmp_path / "graphs.jsonl"
    path.write_text(json.dumps(RECORD) + "\n\n" + line + "\n", encoding="utf-8")
    with pytest.raises(TopologyError, match="line 3"):
        list(load_team_graphs(path))


@pytest.fixture(scope="module")
def real():
    if not REAL_GRAPHS.exists():
        pytest.skip(f"no team graphs at {REAL_GRAPHS}")
    return list(load_team_graphs(REAL_GRAPHS))


@pytest.mark.realdata
def test_all_real_graphs_become_topologies(real):
    records = [json.loads(line) for line in REAL_GRAPHS.read_text(encoding="utf-8").splitlines()]
    assert len(real) == len(records) == 45
    for topology, record in zip(real, records, strict=True):
        agents = [r for r in topology.roles if r.id not in boundary_roles(topology)]
        assert [r.label for r in agents] == [n["id"] for n in record["nodes"]]
        drawn = [e for e in topology.edges if e.id.startswith("e")]
        label = {r.id: r.label for r in topology.roles}
        assert [(label[e.source], label[e.target]) for e in drawn] == [
            (e["source"], e["target"]) for e in record["edges"]
        ]
        assert any("no edge with a cap" in p for p in problems(topology)) <= record["cyclic"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", exporters.names())
def test_every_exporter_is_honest_about_real_graphs(real, name):
    read = exporters.get(name).read
    for topology in real:
        text, report = export(topology, as_format=name)
        assert report.empty == (read is not None and read(text) == topology)


@pytest.mark.realdata
def test_all_real_graphs_are_drawn(real):
    for topology in real:
        assert from_json(to_json(topology)) == topology
        root = ElementTree.fromstring(draw_roles(topology))
        roles = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("data-role")]
        assert len(roles) == len(topology.roles)
