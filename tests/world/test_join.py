"""Joining: a newcomer comes into a running world beside an agent, and the run stays as exact as any."""

import numpy as np
import pytest

from sim.spec import ParameterError, scenarios
from sim.world.engine import Engine, rule_module
from sim.world.interventions import Intervention, perform
from tests.world.test_cut import CUT, WORLDS, log_of, made_of, shared
from tests.world.worlds import KIND, Rows, same

BESIDE = 3
# Two newcomers, the second beside the first; one agent is cut off meanwhile, one channel closed.
LATER = 50.0


def acts_of(name, label=None):
    """Acts on labels as acts on rows."""
    n = len(made_of(name, acts=()).world.agents)
    row = (lambda a: a) if label is None else (lambda a: int(label[a]) if a < n else a)
    first = [Intervention(CUT, "add", row(BESIDE)), Intervention(30.0, "cut", row(BESIDE))]
    return (*first, Intervention(40.0, "add", n), Intervention(LATER, "join", row(BESIDE)))


@pytest.fixture(scope="module", params=WORLDS)
def joined(request):
    return request.param, log_of(request.param, acts=acts_of(request.param))


def test_newcomers_take_part_from_the_moment_they_join(joined):
    name, log = joined
    n = len(made_of(name, acts=()).world.agents)
    acts = log["kind"] == KIND["join"]
    assert log["source"][acts].tolist() == [n, n + 1]
    assert log["time"][acts].tolist() == [CUT, 40.0]
    for newcomer, since in ((n, CUT), (n + 1, 40.0)):
        assert shared(log, newcomer, 0, since) == 0
        assert shared(log, newcomer, since, np.inf) > 0
    assert (np.diff(log["time"]) >= 0).all()
    plain = log_of(name, acts=())
    before = plain["time"] <= CUT
    same({c: v[before] for c, v in plain.items()}, {c: v[: before.sum()] for c, v in log.items()})


def test_slices_buffers_and_the_interpreter_do_not_matter(joined):
    name, log = joined
    same(log, log_of(name, acts=acts_of(name), steps=7, buffer_rows=150))
    same(log, log_of(name, acts=acts_of(name), compiled=False))


def test_relabelling_rows_does_not_matter(joined):
    name, log = joined
    n = len(made_of(name, acts=()).world.agents)
    rows = np.random.default_rng(2).permutation(n)
    label = np.concatenate([np.argsort(rows), [n, n + 1, -1]]).astype(np.int32)
    turned = log_of(name, acts=acts_of(name, rows), rows=rows)
    same(log, {**turned, "source": label[turned["source"]], "target": label[turned["target"]]})


def test_an_act_between_slices_is_repeated_from_its_time(joined):
    name, _ = joined
    made, rows = made_of(name, acts=()), Rows()
    for reached in made.slices(WORLDS[name][2], rows, steps=7):
        if reached >= CUT:
            break
    made.complete(rows)
    act = Intervention(made.now, "add", BESIDE)
    perform(act, made)
    made.advance(WORLDS[name][2], rows)
    same(log_of(name, acts=(act,)), rows.table())


@pytest.mark.parametrize("name", ["factory", "trust_network", "placebo"])
def test_contacts_are_in_the_order_of_keys_and_minds_keep_what_they_know_of_them(name):
    made = made_of(name, acts=())
    made.advance(CUT)
    key, n = made.world.agents["key"], len(made.world.agents)
    known = [{int(key[o]): v for o, v in zip(*slots, strict=True)} for slots in (seen(made, row) for row in range(n))]
    perform(Intervention(CUT, "add", BESIDE), made)
    agents, key = made.world.agents, made.world.agents["key"]
    assert np.array_equal(agents["width"], np.diff(made.world.start))
    assert agents["width"][n] > 1
    start = next(rule.STATE[c][2] for rule in made.rules for c in made.slotted())
    for row in range(n):
        others, values = seen(made, row)
        assert (np.diff(key[others].astype(float)) > 0).all()
        if name != "placebo":
            known[row][int(key[n])] = np.full_like(values[0], start)
        for other, value in zip(others, values, strict=True):
            if int(key[other]) in known[row]:
                assert np.array_equal(value, known[row][int(key[other])])
    told = made.beside()
    assert told.agents["key"].to_list() == key.tolist()
    assert (name == "factory") == (told.contacts is not None and n in told.contacts["source"])


def seen(made, row):
    """Contacts of a row, and what its mind holds on each."""
    others = made.world.neighbour[made.world.start[row] : made.world.start[row + 1]]
    ((column, axis),) = made.slotted().values()
    return others, np.moveaxis(column, axis, 1)[row, : len(others)].copy()


def test_work_goes_on_arriving_where_it_did():
    plain, joined = log_of("factory", acts=()), log_of("factory", acts=acts_of("factory"))
    arrived = [log["kind"] == KIND["arrive"] for log in (plain, joined)]
    for column in ("time", "source", "item"):
        assert np.array_equal(plain[column][arrived[0]], joined[column][arrived[1]])


@pytest.mark.parametrize(
    ("name", "preset", "reason"),
    [("controls", None, "follow a script"), ("factory", "review_loop", "has a place for each")],
)
def test_worlds_that_nobody_can_join_say_why(name, preset, reason):
    scenario = scenarios.get(name)
    rule = scenario.rule_for(preset)
    made = Engine(
        scenario, values=scenario.values(preset), seed=1, rule=rule_module(rule, scenario), rule_name=rule,
        interventions=(Intervention(5.0, "add", 0),),
    )  # fmt: skip
    with pytest.raises(ParameterError, match=f"scenario '{name}': no agent can be added, for its .*{reason}"):
        made.advance(10.0)


@pytest.mark.parametrize("name", ["factory", "trust_network", "placebo"])
def test_one_channel_can_be_closed_and_opened_again(name):
    made = made_of(name, acts=())
    made.advance(CUT)
    other = int(made.world.neighbour[made.world.start[BESIDE]])
    acts = (Intervention(CUT, "cut", BESIDE, other=other), Intervention(LATER, "join", other, other=BESIDE))
    log = log_of(name, acts=acts)
    between = ((log["source"] == BESIDE) & (log["target"] == other)) | (
        (log["target"] == BESIDE) & (log["source"] == other)
    )
    told = log["kind"] == KIND["cut"]
    assert log["value"][told].tolist() == [1.0, 0.0]
    apart = (log["time"] > CUT) & (log["time"] < LATER)
    assert (between & (log["time"] < CUT)).sum() > 0
    assert (between & apart).sum() == 0
    assert (between & (log["time"] > LATER)).sum() > 0
    assert shared(log, BESIDE, CUT, LATER) > 0
    same(log, log_of(name, acts=acts, steps=7, compiled=False))


def test_where_everybody_meets_everybody_there_is_no_channel_of_two():
    with pytest.raises(ParameterError, match="no channel of their own between agents 3 and 4"):
        log_of("naming", acts=(Intervention(CUT, "cut", BESIDE, other=4),))


@pytest.mark.parametrize("preset", ["broadcast", "autocorrelated"])
def test_where_agents_have_no_channels_a_newcomer_has_none_and_acts_all_the_same(preset):
    scenario, rows = scenarios.get("placebo"), Rows()
    rule = scenario.rule_for(preset)
    made = Engine(
        scenario, values=scenario.values(preset, {"agents": 12}), seed=1, rule=rule_module(rule, scenario), rule_name=rule,
        interventions=(Intervention(5.0, "add", BESIDE),),
    )  # fmt: skip
    made.advance(15.0, rows)
    log = rows.table()
    assert made.world.start.tolist() == [0] * 14
    assert set(log["source"][log["time"] > 6.0].tolist()) == set(range(13))
