"""Layouts: inside the frame, deterministic, blind to ids, in the order of the flow, and without jumps."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.topology.layout import crossings, flow_depth, force, layer_of, layered
from sim.topology.schema import boundary_roles
from tests.topology.cases import DISCOVERED, HUB, LONG, PIPELINE, REWORK, make, renamed, topologies

FRAME = 1 + 1e-9


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies(most_roles=7, most_edges=16))
def test_any_topology_fits_the_frame_and_no_two_roles_share_a_place(topology):
    made = layered(topology)
    assert set(made.positions) == set(topology.role_ids())
    points = [*made.positions.values(), *(p for way in made.routes.values() for p in way)]
    assert all(0 <= c <= FRAME for p in points for c in p)
    members = {}
    for role, layer in made.layer.items():
        members.setdefault(layer, []).append(made.positions[role][1] * made.height)
    for ys in members.values():
        assert all(b - a > 1 - 1e-6 for a, b in pairwise(sorted(ys)))
    assert set(members) == set(range(len(members)))
    assert layered(topology) == made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies(most_roles=6), seed=st.integers(0, 9))
def test_other_ids_give_the_same_places(topology, seed):
    order = np.random.default_rng(seed).permutation(len(topology.roles))
    names = {r.id: f"x{order[i]}" for i, r in enumerate(topology.roles)}
    first, other = layered(topology), layered(renamed(topology, names))
    assert {names[r]: p for r, p in first.positions.items()} == other.positions
    assert first.routes == other.routes


def test_depth_is_the_mean_number_of_hops():
    assert [round(d, 12) for d in flow_depth(PIPELINE).values()] == pytest.approx([0, 1, 2], abs=1e-6)
    # Two ways to c, of one and of two hops; the longer one is damped by 0.9.
    rows = [("a", "b", "handoff", 0.5), ("a", "c", "handoff", 0.5), ("b", "c", "handoff", 1.0)]
    t = make("t", [("a", "work", 1), ("b", "work", 1), ("c", "work", 1)], rows, "a", ["c"])
    assert flow_depth(t)["c"] == pytest.approx((0.45 * 1 + 0.405 * 2) / (0.45 + 0.405), abs=1e-6)


def test_layers_follow_the_flow_in_spite_of_loops():
    assert layer_of(REWORK) == {"intake": 0, "build": 1, "review": 2, "join": 3}
    assert list(layer_of(LONG).values()) == list(range(9))
    assert layer_of(HUB) == {"hub": 0} | {f"w{i}": 1 for i in range(6)}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies(most_roles=6))
def test_the_entry_is_in_the_first_layer(topology):
    assert layer_of(topology)[topology.entry] == 0


def test_done_stands_last():
    layers = layer_of(DISCOVERED)
    assert boundary_roles(DISCOVERED) == {"entry", "done"}
    assert (layers["entry"], layers["done"]) == (0, max(layers.values()))
    assert layered(DISCOVERED).positions["done"][0] == 1.0
    # Most of the work is done at once, long before the last role sees any.
    pairs = [("a", "done", 0.9), ("a", "b", 0.1), ("b", "c", 1.0), ("c", "done", 1.0)]
    roles = [(r, "work", 1) for r in ("a", "b", "c", "done")]
    early = make("early", roles, [(a, b, "handoff", w) for a, b, w in pairs], "a", ["done"])
    assert layer_of(early) == {"a": 0, "b": 1, "c": 2, "done": 3}


def test_the_main_flow_is_straight_and_the_way_back_gives_way():
    places = layered(LONG)
    ys = [places.positions[f"s{i}"][1] * places.height for i in range(9)]
    assert max(ys) - min(ys) < 0.25
    assert all(y * places.height - max(ys) > 0.5 or min(ys) - y * places.height > 0.5 for _, y in places.routes["e8"])


def test_crossings_are_counted_and_removed():
    assert crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]) == 1
    assert crossings([["a", "b"], ["c", "d"]], [("a", "c"), ("b", "d")]) == 0
    pairs = [("s", "a", 0.5), ("s", "b", 0.5), ("a", "d", 1.0), ("b", "c", 1.0)]
    rows = [(a, b, "handoff", w) for a, b, w in pairs]
    roles = [(r, "work", 1) for r in "sabcd"]
    y = {r: p[1] for r, p in layered(make("x", roles, rows, "s", ["c", "d"])).positions.items()}
    assert (y["a"] - y["b"]) * (y["d"] - y["c"]) > 0


def test_earlier_positions_decide_the_order_within_a_layer():
    upside_down = {r: (x, 1 - y) for r, (x, y) in layered(HUB).positions.items()}
    again = layered(HUB, previous=upside_down)
    assert sorted(again.positions, key=lambda r: again.positions[r][1]) == sorted(
        upside_down, key=lambda r: upside_down[r][1]
    )
    assert layered(HUB, previous=again.positions).positions == again.positions


def planted(seed, n=40, groups=4):
    rng = np.random.default_rng(seed)
    group = np.arange(n) % groups
    chance = np.where(group[:, None] == group[None, :], 0.4, 0.02)
    return group, np.argwhere(rng.random((n, n)) < chance)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 25),
    edges=st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), max_size=40),
    seed=st.integers(0, 5),
)
def test_forces_stay_in_the_frame_and_repeat(n, edges, seed):
    pairs = [e for e in edges if max(e) < n]
    made = force(n, pairs, seed=seed, iterations=30)
    assert made.shape == (n, 2)
    assert np.isfinite(made).all()
    assert (made >= 0).all()
    assert (made <= 1).all()
    assert (made == force(n, pairs, seed=seed, iterations=30)).all()


def test_groups_come_to_lie_together():
    """Within-group distances are below between-group ones in every one of 20 planted graphs."""
    for seed in range(20):
        group, edges = planted(seed)
        at = force(len(group), edges, seed=seed)
        distance = np.hypot(*(at[:, None, :] - at[None, :, :]).transpose(2, 0, 1))
        same = group[:, None] == group[None, :]
        assert distance[same].mean() < 0.75 * distance[~same].mean()


def test_nobody_jumps():
    group, edges = planted(1)
    before = force(len(group), edges)
    after = force(len(group), edges[::2], previous=before)
    moved = np.hypot(*(after - before).T)
    assert moved.max() <= 0.05 + 1e-9
    assert moved.max() > 0.005
    assert np.hypot(*(force(len(group), edges[::2], previous=before, max_move=0.01) - before).T).max() <= 0.01 + 1e-9


def test_newcomers_find_a_place():
    group, edges = planted(2)
    before = force(len(group), edges)
    before[7] = np.nan
    after = force(len(group), edges, previous=before)
    assert np.isfinite(after).all()
    assert np.nanmax(np.hypot(*(after - before).T)) <= 0.05 + 1e-9


def test_the_seed_turns_the_picture():
    group, edges = planted(3)
    assert not np.allclose(force(len(group), edges, seed=0), force(len(group), edges, seed=1))


def test_edges_beyond_the_agents_are_refused():
    with pytest.raises(ValueError, match="row numbers from 0 to 2, got 0 to 3"):
        force(3, [(0, 3)])
