"""Same scenario, parameters, seed and rule: the same log, bit for bit, whatever else differs."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from scenarios import factory_build as build
from sim.world.books import PENDING
from sim.world.buffer import sampled
from sim.world.clock import MOMENT
from sim.world.engine import LogPlan
from sim.world.interventions import Intervention
from sim.world.work import HOP_ROOM, ROOM, new_hops, new_items
from tests.world.worlds import KIND, Rows, engine, log_of, play, same

RULES = ("trust", "frozen", "table")
# Everything at once: parts, looks, reviews, refusals, escalations, benches, practice, loss and drift.
RICH = {
    "agents": 12, "types": 2, "skills": "all", "start_skill": 0.5, "parts": 2, "load": 0.9, "review": 1.0, "refuse": 1,
    "patience": 3, "look": 2, "defect": 0.3, "bench": 8.0, "max_hops": 40, "stages": 2, "practice": 0.05,
    "handoff_loss": 0.05, "drift": 0.3, "dimension": 5,
}  # fmt: skip
UNTIL = 120.0


def rich(rule="trust", *, until=UNTIL, steps=50_000, changes=None, **options):
    return log_of(rule=rule, until=until, steps=steps, changes={**RICH, **(changes or {})}, **options)


@pytest.fixture(scope="module", params=RULES)
def rule(request):
    return request.param


@pytest.fixture(scope="module")
def whole(rule):
    log = rich(rule)
    assert len(log["seq"]) > 500
    return log


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_slices_do_not_matter(rule, whole, steps):
    same(whole, rich(rule, steps=steps))


@pytest.mark.parametrize("rows", [65, 100, 4096])
def test_buffers_do_not_matter(rule, whole, rows):
    same(whole, rich(rule, buffer_rows=rows))


def test_pauses_do_not_matter(rule, whole):
    made, sink = engine(rule=rule, changes=RICH), Rows()
    for until in (0.0, 3.3, 3.3, 50.0, 50.0001, UNTIL):
        made.advance(until, sink)
        assert made.now == until
    same(whole, sink.table())


def test_another_seed_gives_another_log(rule, whole):
    other = rich(rule, seed=2)
    assert not np.intersect1d(whole["time"], other["time"]).size


def test_another_process_with_another_hash_seed():
    code = (
        "from tests.scenarios.test_factory_same_log import rich, digest; "
        "print(digest(rich(steps=999, buffer_rows=500)))"
    )
    where = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=where, check=True)
    assert done.stdout.strip() == digest(rich())


def digest(log):
    return hashlib.sha256(b"".join(log[name].tobytes() for name in sorted(log))).hexdigest()


def test_interpreted_and_compiled_agree_bit_for_bit(rule, whole):
    short = rich(rule, until=UNTIL / 4, compiled=False)
    assert len(short["seq"]) > 100
    same(short, {name: column[: len(short["seq"])] for name, column in whole.items()})


# What is logged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["counters", "sample:0.3", "window:20:60.5"])
def test_a_reduced_log_holds_exactly_the_matching_rows(rule, whole, plan):
    made = engine(rule=rule, changes=RICH, plan=LogPlan.parse(plan))
    log = play(made, UNTIL)
    if plan == "counters":
        assert log == {}
    else:
        keep = (whole["time"] >= 20) & (whole["time"] < 60.5)
        if plan.startswith("sample"):
            subject = np.where(whole["item"] >= 0, whole["item"], whole["source"])
            keep = np.array([sampled(int(n), 0.3) for n in subject])
            assert 0.1 < keep.mean() < 0.6
        same(log, {name: column[keep] for name, column in whole.items()})
    assert made.events == len(whole["seq"])
    assert made.cost == pytest.approx(whole["cost"].sum(), rel=1e-12)
    assert (made.kind_counts() == np.bincount(whole["kind"], minlength=len(made.kind_counts()))).all()


def test_the_sampled_share_is_the_share_asked_for():
    kept = np.mean([sampled(n, 0.1) for n in range(50_000)])
    assert abs(kept - 0.1) < 5 * np.sqrt(0.09 / 50_000)


def test_a_run_without_a_sink_is_the_same_run(rule, whole):
    made = engine(rule=rule, changes=RICH)
    made.advance(UNTIL)
    assert made.events == len(whole["seq"])
    assert made.cost == pytest.approx(whole["cost"].sum(), rel=1e-12)
    later = play(made, UNTIL + 20)
    log = rich(rule, until=UNTIL + 20)
    same(later, {name: column[len(whole["seq"]) :] for name, column in log.items()})


# Rows, pools, other agents --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", ["regular", "star"])
def test_relabelling_rows_permutes_the_log_and_changes_nothing_else(rule, graph):
    changes = {"graph": graph}
    straight, rows = rich(rule, changes=changes), np.random.default_rng(5).permutation(12)
    turned = rich(rule, changes=changes, rows=rows)
    label = np.append(np.argsort(rows), -1).astype(np.int32)
    assert not (turned["source"] == straight["source"]).all()
    same(straight, {**turned, "source": label[turned["source"]], "target": label[turned["target"]]})


def test_relabelling_does_not_change_the_rate_by_rounding():
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(48)
        assert engine().world.physics[0].rate == engine(rows=rows).world.physics[0].rate


def test_tiny_pools_grow_and_give_the_same_log(rule, whole, monkeypatch):
    made_by_build, grown = build._world, []

    def tiny(*arguments):
        world = made_by_build(*arguments)
        world.count[ROOM], world.count[HOP_ROOM] = 1, 1
        pending = int(world.count[PENDING])
        clock = np.zeros(pending, MOMENT).view(np.recarray)
        clock[:] = world.clock[:pending]
        vectors = {name: getattr(world, name)[:1] for name in ("vector", "origin")}
        return world._replace(items=new_items(1), hops=new_hops(1), clock=clock, **vectors)

    monkeypatch.setattr(build, "_world", tiny)
    made = engine(rule=rule, changes=RICH)
    grow = made.built.grow
    made.built = replace(made.built, grow=lambda world: grown.append(len(world.items)) or grow(world))
    same(whole, play(made, UNTIL))
    assert len(set(grown)) >= 5, "the pools never had to grow"


def by_others(log, agent, before):
    """Rows of everybody but ``agent``, each parent named by its time, kind and item instead of by a number."""
    place = {int(seq): i for i, seq in enumerate(log["seq"])}
    keep = np.flatnonzero((log["source"] != agent) & (log["time"] >= before))
    named = [
        tuple(log[c][place[int(p)]].item() for c in ("time", "kind", "item", "source")) if p >= 0 else None
        for p in log["parent"][keep]
    ]
    columns = [c for c in log if c not in ("seq", "parent")]
    return {c: log[c][keep] for c in columns}, named


def test_muting_an_agent_with_nobody_downstream_changes_no_other_row():
    """Integration is the end of the review loop: silence it half-way, and the others do as they did."""
    silent = (Intervention(100.0, "mute", agent=3),)
    plain, muted = log_of("review_loop", until=800), log_of("review_loop", until=800, interventions=silent)
    assert ((plain["source"] == 3) & (plain["time"] > 110)).sum() > 100
    assert ((muted["source"] == 3) & (muted["time"] > 110)).sum() == 0
    (one, parents), (other, others) = by_others(plain, 3, 0.0), by_others(muted, 3, 0.0)
    same(one, other)
    assert parents == others


def test_muting_an_agent_in_the_middle_changes_what_comes_after_it():
    """The check above can fail: silence the worker, and the reviewer behind it does something else."""
    silent = (Intervention(100.0, "mute", agent=1),)
    plain, muted = log_of("review_loop", until=800), log_of("review_loop", until=800, interventions=silent)
    (one, _), (other, _) = by_others(plain, 1, 0.0), by_others(muted, 1, 0.0)
    assert len(one["time"]) > len(other["time"])
    assert one["time"][one["time"] < 100].tobytes() == other["time"][other["time"] < 100].tobytes()


def test_a_muted_agent_takes_up_its_queue_when_it_may():
    both = (Intervention(100.0, "mute", agent=3), Intervention(300.0, "unmute", agent=3))
    made = engine("review_loop", interventions=both)
    log = play(made, 800)
    mine = log["time"][(log["source"] == 3) & (log["kind"] == KIND["deliver"])]
    assert ((mine > 110) & (mine <= 300)).sum() == 0
    assert ((mine > 300) & (mine < 310)).sum() > 3
    assert made.meter("in_system") < 60


def test_interventions_do_not_depend_on_slices():
    change = (Intervention(20.0, "set", name="keep", value=0.5), Intervention(40.0, "mute", agent=2))
    one, other = (rich(steps=steps, interventions=change) for steps in (50_000, 3))
    same(one, other)
    assert set(one["kind"]) >= {KIND["set"], KIND["mute"]}
    plain = rich()
    before = plain["time"] < 20.0
    same({c: v[before] for c, v in plain.items()}, {c: v[: before.sum()] for c, v in one.items()})
    assert (
        len(one["time"]) != len(plain["time"])
        or (one["time"][before.sum() + 1 :] != plain["time"][before.sum() :]).any()
    )
