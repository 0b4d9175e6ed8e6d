"""Drawings: well-formed and harmless whatever the texts, inside their frame, labels clear of nodes, blind to ids."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from sim.topology.ink import COLOUR_OF, SHAPE_OF, edge_of, outline, text_width, wrapped
from sim.topology.layout import force
from sim.topology.schema import FUNCTIONS
from sim.topology.svg import draw_agents, draw_roles
from tests.topology.cases import (
    DISCOVERED,
    FIXTURES,
    HUB,
    LONG,
    NASTY,
    PIPELINE,
    REWORK,
    renamed,
    texts,
    topologies,
    with_text,
)

SVG = "{http://www.w3.org/2000/svg}"
TAGS = {SVG + t for t in ("svg", "title", "desc", "g", "path", "text", "rect", "circle")}


def harmless(svg):
    """The parsed drawing, after checking that nothing in it can run or fetch."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag in TAGS
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert "href" not in name
            assert "url(" not in value
    assert "<!" not in svg
    return root


def frame(root):
    x, y, w, h = map(float, root.get("viewBox").split())
    return x, y, x + w, y + h


def path_box(path):
    # The drawing writes absolute coordinates only; control points enclose a curve.
    numbers = [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?", path)]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


def node_boxes(root):
    return {
        g.get("data-role"): path_box(g.find(SVG + "path").get("d")) for g in root.iter(SVG + "g") if g.get("data-role")
    }


def label_boxes(root):
    made = []
    for rect in root.findall(SVG + "rect"):
        if rect.get("rx"):
            x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            made.append((x, y, x + w, y + h))
    return made


def shared(a, b):
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies(most_roles=7, most_edges=14))
def test_any_topology_draws_one_node_for_each_role(topology):
    svg = draw_roles(topology, theme="light", hide_below=0)
    root = harmless(svg)
    assert [g.get("data-role") for g in root.iter(SVG + "g") if g.get("data-role")] == topology.role_ids()
    assert {g.get("data-edge") for g in root.iter(SVG + "g") if g.get("data-edge")} == {e.id for e in topology.edges}
    left, top, right, bottom = frame(root)
    for box in [*node_boxes(root).values(), *label_boxes(root)]:
        assert left <= box[0]
        assert box[2] <= right
        assert top <= box[1]
        assert box[3] <= bottom
    boxes = list(node_boxes(root).values())
    assert all(shared(a, b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])
    assert draw_roles(topology, theme="light", hide_below=0) == svg


@pytest.mark.parametrize("theme", ["page", "light", "dark"])
@pytest.mark.parametrize("text", NASTY)
def test_hostile_texts_stay_texts(text, theme):
    root = harmless(draw_roles(with_text(text), theme=theme))
    assert len(node_boxes(root)) == len(REWORK.roles)


@pytest.mark.parametrize("topology", [t for t in FIXTURES if t is not HUB], ids=lambda t: t.name)
def test_labels_are_clear_of_nodes_and_of_each_other(topology):
    root = harmless(draw_roles(topology, theme="light"))
    labels, nodes = label_boxes(root), list(node_boxes(root).values())
    assert len(labels) >= sum(e.weight is not None and e.weight >= 0.02 for e in topology.edges)
    for i, label in enumerate(labels):
        assert all(shared(label, node) == 0 for node in nodes)
        assert all(shared(label, other) < 20 for other in labels[:i])


def test_labels_of_a_hub_are_clear_of_nodes():
    root = harmless(draw_roles(HUB, theme="light"))
    assert all(shared(label, node) == 0 for label in label_boxes(root) for node in node_boxes(root).values())


@pytest.mark.parametrize("topology", FIXTURES, ids=lambda t: t.name)
def test_arrows_end_at_their_target(topology):
    root = harmless(draw_roles(topology, theme="light", hide_below=0))
    nodes = node_boxes(root)
    heads = {
        g.get("data-edge"): g.findall(SVG + "path")[1].get("d") for g in root.iter(SVG + "g") if g.get("data-edge")
    }
    for edge in topology.edges:
        x, y = map(float, heads[edge.id][1:].split("L")[0].split())
        left, top, right, bottom = nodes[edge.target]
        assert left - 0.1 <= x <= right + 0.1
        assert top - 0.1 <= y <= bottom + 0.1


def test_other_ids_change_nothing_but_the_ids():
    old = {r.id: f"zzfirst_{i}" for i, r in enumerate(REWORK.roles)}
    new = {r.id: f"zzother_{i}" for i, r in enumerate(REWORK.roles)}
    assert draw_roles(renamed(REWORK, old)).replace("zzfirst_", "zzother_") == draw_roles(renamed(REWORK, new))


def test_it_says_what_it_shows():
    root = harmless(draw_roles(REWORK))
    words = {"".join(t.itertext()) for t in root.iter(SVG + "text")}
    assert {"intake", "build", "× 12", "rework 35 %", "approve 65 %", "90 %", "quality control"} <= words
    assert root.get("role") == "img"
    assert root.find(SVG + "title").text == "rework loop"
    assert "build (12)" in root.find(SVG + "desc").text


def test_weak_arrows_are_left_out_and_counted():
    def drawn(svg):
        return {g.get("data-edge") for g in harmless(svg).iter(SVG + "g") if g.get("data-edge")}

    assert "e0" in drawn(draw_roles(REWORK, hide_below=0.1))
    svg = draw_roles(REWORK, hide_below=0.11)
    assert drawn(svg) == {"e1", "e2", "e3", "e4", "e5"}
    assert "1 arrow is below 11 % and not drawn." in svg


def test_width_follows_the_rate():
    edges = tuple(e.model_copy(update={"rate": r}) for e, r in zip(PIPELINE.edges, [1000.0, 500.0], strict=True))
    root = harmless(draw_roles(PIPELINE.model_copy(update={"edges": edges})))
    widths = {
        g.get("data-edge"): float(g.find(SVG + "path").get("stroke-width"))
        for g in root.iter(SVG + "g")
        if g.get("data-edge")
    }
    assert widths["e0"] == 2 * widths["e1"]


def test_many_layers_run_downwards():
    across, down = node_boxes(harmless(draw_roles(PIPELINE))), node_boxes(harmless(draw_roles(LONG)))
    assert across["intake"][2] < across["build"][0] < across["join"][0]
    assert all(down[f"s{i}"][3] < down[f"s{i + 1}"][1] for i in range(8))


def test_functions_differ_in_shape_and_in_colour():
    assert len(set(SHAPE_OF.values())) == len(set(COLOUR_OF.values())) == len(FUNCTIONS)
    outlines = {tuple(outline(s, 120, 58)) for s in SHAPE_OF.values() if s != "barred"}
    assert len(outlines) == len(FUNCTIONS) - 1


@pytest.mark.parametrize("shape", [*SHAPE_OF.values(), "pill"])
def test_outlines_end_on_the_box(shape):
    points = outline(shape, 120, 58)
    xs, ys = zip(*points, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == pytest.approx((-60, 60, -29, 29), abs=0.01)
    assert edge_of(points, axis=1, at=0.0, sign=1) == pytest.approx(29)
    assert 40 < edge_of(points, axis=0, at=20.0, sign=1) <= 60
    assert -60 <= edge_of(points, axis=0, at=20.0, sign=-1) < -40


@given(text=texts)
def test_wrapped_texts_fit(text):
    lines = wrapped(text, width=90, size=14, lines=2)
    assert len(lines) <= 2
    assert all(text_width(line, 14) <= 90 for line in lines)


def test_an_unknown_theme_is_refused():
    with pytest.raises(ValueError, match="one of page, light, dark, got 'blue'"):
        draw_roles(REWORK, theme="blue")


def network(n=60):
    rng = np.random.default_rng(5)
    edges = rng.integers(0, n, (3 * n, 2))
    return force(n, edges, iterations=40), edges


@pytest.mark.parametrize("theme", ["page", "light", "dark"])
def test_agents_are_drawn_inside_the_frame(theme):
    positions, edges = network()
    svg = draw_agents(
        positions,
        edges,
        groups=[i % 9 for i in range(60)],
        group_names={g: f"team {g}" for g in range(9)},
        labels={i: NASTY[i % len(NASTY)] for i in range(60)},
        theme=theme,
    )
    root = harmless(svg)
    assert [int(g.get("data-agent")) for g in root.iter(SVG + "g") if g.get("data-agent")] == list(range(60))
    left, top, right, bottom = frame(root)
    for g in root.iter(SVG + "g"):
        mark = g.find(SVG + "path")
        if g.get("data-agent") and mark is not None:
            box = path_box(mark.get("d"))
            assert left <= box[0]
            assert box[2] <= right
            assert top <= box[1]
            assert box[3] <= bottom
    loops = int((edges[:, 0] == edges[:, 1]).sum())
    assert f"{loops} connections of an agent with itself" in svg or loops == 0
    assert "team 8 (6)" in svg


def test_labels_without_room_are_counted():
    # There is room right, left, below and above of one place.
    svg = draw_agents([(0.5, 0.5)] * 6, [(4, 5)], labels={i: f"agent {i}" for i in range(6)})
    shown = {"".join(t.itertext()) for t in harmless(svg).findall(SVG + "text")}
    assert shown == {"agent 4", "agent 5", "agent 0", "agent 1", "2 labels are left out for want of room."}


@pytest.mark.parametrize("n", [0, 1, 2])
def test_tiny_networks(n):
    harmless(draw_agents(force(n, []), []))


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"edges": [(0, 5)]}, "row numbers from 0 to 1, got 0 to 5"),
        ({"edges": [], "groups": [1]}, "expected 2 numbers"),
        ({"edges": [], "labels": {7: "x"}}, "row numbers from 0 to 1, got 7 to 7"),
    ],
)
def test_agents_that_do_not_exist_are_refused(kwargs, told):
    with pytest.raises(ValueError, match=told):
        draw_agents([(0, 0), (1, 1)], **kwargs)


def test_the_discovered_fixture_shows_the_world_outside():
    words = {"".join(t.itertext()) for t in harmless(draw_roles(DISCOVERED)).iter(SVG + "text")}
    assert {"outside", "done"} <= words
