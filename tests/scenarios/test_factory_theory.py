"""The factory against its exact theory: the solver against published values and a dense one, the simulation against both.

Simulated means are taken over 24 seeds, over items that arrived between 10 % and 80 % of the run (the rest of the run lets
them finish), and must lie within 4 standard errors between seeds: for one comparison an error probability of 6e-4 (t with
23 degrees of freedom). What a standard error must at most be is asserted too, so that a pass means something.
"""

import math

import networkx as nx
import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from scenarios import factory_theory
from scenarios.factory_theory import chain_visits, hop_distribution, passing, rate_for_load, solve
from sim.instruments.closed_forms import one_hop_cosine
from sim.spec import ParameterError
from tests.world.worlds import KIND, engine, play

SEEDS = 24
MIX = np.array([0.5, 0.3, 0.2])
# Total arrival rate, then for each type: latency, hand-offs, kept, cosine (30 agents, busiest at 0.70).
EXACT = {
    "regular": (4.4425, [(9.0268, 2.6602, 0.8850, 0.9055), (11.6362, 3.7382, 0.8460, 0.8724),
                         (7.6120, 2.2347, 0.9005, 0.9186)]),
    "ring": (2.2672, [(7.2913, 2.9249, 0.8802, 0.9007), (20.8151, 7.9715, 0.7648, 0.7964),
                      (7.6284, 3.4549, 0.8680, 0.8895)]),
    "star": (0.4292, [(9.5777, 3.8919, 0.8403, 0.8675), (3.9475, 0.9095, 0.9551, 0.9640),
                      (9.5777, 3.8919, 0.8403, 0.8675)]),
    "complete": (6.3338, [(9.8269, 1.9727, 0.9101, 0.9268), (13.4697, 3.0750, 0.8666, 0.8904),
                          (9.8248, 1.9727, 0.9101, 0.9268)]),
}  # fmt: skip
GRAPHS = list(EXACT)


def theory(made):
    """The package's expectations for the world of an engine, by type."""
    world = made.world
    rate = float(world.physics[0].rate)
    return rate, solve(
        start=world.start, neighbour=world.neighbour, proficiency=world.proficiency[:, :3], entry=np.full(30, 1 / 30),
        rates=rate * MIX, attempt=0.9, loss=0.05, cosine_factor=one_hop_cosine(0.3, 16),
    )  # fmt: skip


def dense(graph):
    """The same from scratch: an adjacency matrix, one inverse for each type, nothing shared with the package."""
    g = {
        "regular": lambda: nx.random_regular_graph(4, 30, seed=3),
        "ring": lambda: nx.cycle_graph(30),
        "star": lambda: nx.star_graph(29),
        "complete": lambda: nx.complete_graph(30),
    }[graph]()
    a = nx.to_numpy_array(g, nodelist=range(30))
    skills = np.array([1, 1, 2, 2, 0, 0, 2, 2, 0, 0, 2, 1, 0, 2, 0, 1, 1, 1, 0, 0, 2, 2, 2, 1, 2, 0, 1, 2, 0, 0])
    walk = a / a.sum(axis=1, keepdims=True)
    pi = np.full(30, 1 / 30)
    passes = [(1 - 0.9 * (skills == s))[:, None] * walk for s in range(3)]
    visits = np.array([pi @ np.linalg.inv(np.eye(30) - q) for q in passes])
    rate = 0.7 / (MIX @ visits).max()
    load = rate * MIX @ visits

    def generating(q, z):
        return float(pi @ np.linalg.inv(np.eye(30) - z * q) @ (1 - q.sum(axis=1)))

    def histogram(q, hops):
        return np.array([float(pi @ np.linalg.matrix_power(q, k) @ (1 - q.sum(axis=1))) for k in range(hops + 1)])

    factor = one_hop_cosine(0.3, 16)
    rows = [
        ((v / (1 - load)).sum(), v.sum() - 1, generating(q, 0.95), generating(q, factor))
        for v, q in zip(visits, passes, strict=True)
    ]
    return rate, rows, load, [histogram(q, 12) for q in passes]


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_theory_gives_the_exact_table(graph):
    rate, expected = EXACT[graph]
    found, types = theory(engine("solvable", changes={"graph": graph}))
    assert found == pytest.approx(rate, abs=5.1e-5)
    for each, row in zip(types, expected, strict=True):
        assert (each.latency, each.handoffs, each.kept, each.cosine) == pytest.approx(row, abs=5.1e-5)


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_theory_equals_a_dense_solver(graph):
    made = engine("solvable", changes={"graph": graph})
    rate, types = theory(made)
    expected_rate, rows, load, histograms = dense(graph)
    assert rate == pytest.approx(expected_rate, rel=1e-12)
    assert sum(rate * m * t.visits for m, t in zip(MIX, types, strict=True)) == pytest.approx(load, rel=1e-10)
    for s, (each, row) in enumerate(zip(types, rows, strict=True)):
        assert (each.latency, each.handoffs, each.kept, each.cosine) == pytest.approx(row, rel=1e-10)
        world = made.world
        hops = hop_distribution(
            start=world.start,
            neighbour=world.neighbour,
            do=0.9 * world.proficiency[:, s].astype(np.float64),
            entry=np.full(30, 1 / 30),
            hops=12,
        )
        assert hops == pytest.approx(histograms[s], rel=1e-10)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("z", [1.0, 0.95])
def test_large_factories_are_solved_as_small_ones(graph, z, monkeypatch):
    world = engine("solvable", changes={"graph": graph}).world
    do = 0.9 * world.proficiency[:, 1].astype(np.float64)
    passes = z * passing(world.start, world.neighbour, do)
    entry = np.random.default_rng(1).dirichlet(np.ones(30))
    direct = chain_visits(passes, entry)
    monkeypatch.setattr(factory_theory, "DENSE_LIMIT", 0)
    assert chain_visits(passes, entry) == pytest.approx(direct, rel=1e-10)


def test_the_load_of_a_large_factory_is_that_of_any_number_of_threads():
    """The arrivals follow from it, and so the log; from some 10,000 agents on a sum is shared between threads."""
    agents = 20_000
    ring = (np.arange(agents)[:, None] + [-1, 1]) % agents
    do = np.random.default_rng(2).uniform(0.2, 0.9, agents)
    passes = passing(2 * np.arange(agents + 1), ring.ravel(), do)
    entry = np.random.default_rng(3).dirichlet(np.ones(agents))
    made = {}
    for threads in (1, 4):
        with threadpool_limits(limits=threads, user_api="blas"):
            made[threads] = chain_visits(passes, entry)
    assert np.array_equal(made[1], made[4])


def test_work_out_of_reach_is_refused_however_large_the_factory(monkeypatch):
    start, neighbour = np.array([0, 1, 2, 3, 4]), np.array([1, 0, 3, 2])
    passes = passing(start, neighbour, np.array([0.9, 0.0, 0.0, 0.0]))
    for limit in (0, 4000):
        monkeypatch.setattr(factory_theory, "DENSE_LIMIT", limit)
        with pytest.raises(ParameterError, match="can never be done"):
            chain_visits(passes, np.full(4, 0.25))


# Simulation -----------------------------------------------------------------------------------------------------------

HOPS = 6


def measured(made, until):
    """One run: by type the means of latency, hand-offs, kept and cosine and the shares of 0..5 hand-offs; and the
    arrivals in a unit of time at every agent."""
    log = play(made, until)
    came, done = log["kind"] == KIND["arrive"], log["kind"] == KIND["deliver"]
    items = int(came.sum())
    entered, left = np.empty(items), np.full(items, np.nan)
    task, bits, cosine = np.empty(items, int), np.zeros(items, np.uint64), np.empty(items)
    entered[log["item"][came]], task[log["item"][came]] = log["time"][came], log["task"][came]
    left[log["item"][done]], cosine[log["item"][done]] = log["time"][done], log["similarity"][done]
    bits[log["item"][done]] = log["requirements"][done]
    moved = log["kind"] == KIND["handoff"]
    hops = np.bincount(log["item"][moved], minlength=items)
    use = (entered > 0.1 * until) & (entered < 0.8 * until)
    assert not np.isnan(left[use]).any(), "an item of the sample is unfinished: the run is too short"
    kept = np.unpackbits(bits.view(np.uint8).reshape(items, 8), axis=1).sum(axis=1) / 32
    rows = []
    for s in range(3):
        mine = use & (task == s)
        shares = np.bincount(np.minimum(hops[mine], HOPS), minlength=HOPS + 1)[:HOPS] / mine.sum()
        rows.append([(left - entered)[mine].mean(), hops[mine].mean(), kept[mine].mean(), cosine[mine].mean(), *shares])
    span = (log["time"] > 0.1 * until) & (log["time"] < 0.8 * until)
    at = np.concatenate([log["source"][came & span], log["target"][moved & span]])
    return np.array(rows), np.bincount(at, minlength=30) / (0.7 * until)


def z_scores(samples, expected):
    """Distance of the mean over seeds from ``expected`` in standard errors, and the standard errors."""
    samples = np.asarray(samples)
    error = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    return np.abs(samples.mean(axis=0) - expected) / error, error


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_simulation_agrees_with_the_theory(graph):
    """Standard errors reached: latency 3 %, hand-offs 1 %, kept and cosine 0.15 %, shares 0.005, busiest agent 1.2 %."""
    rate, rows, load, histograms = dense(graph)
    expected = np.array([[*row, *h[:HOPS]] for row, h in zip(rows, histograms, strict=True)])
    runs = [
        measured(engine("solvable", changes={"graph": graph}, seed=seed), until=16_000 / rate) for seed in range(SEEDS)
    ]
    z, error = z_scores([run[0] for run in runs], expected)
    assert z.max() < 4.0, z
    relative = error / expected
    assert relative[:, 0].max() < 0.03
    assert relative[:, 1].max() < 0.01
    assert relative[:, 2:4].max() < 0.0015
    assert error[:, 4:].max() < 0.005
    busiest = int(np.argmax(load))
    z, error = z_scores([run[1] for run in runs], load)
    assert z[busiest] < 4.0
    assert error[busiest] / load[busiest] < 0.012
    # Over all 30 agents the largest of 30 such distances stays below 5 (error probability 2e-3).
    assert z.max() < 5.0, z


def test_fidelity_does_not_depend_on_load_but_latency_does():
    """Frozen hand-offs take no notice of queues: at a lighter load items fare alike and are faster."""
    low, high = (
        np.array(
            [measured(engine("solvable", changes={"load": load}, seed=s), until=500 / load)[0] for s in range(SEEDS)]
        )
        for load in (0.2, 0.7)
    )
    difference = low.mean(axis=0) - high.mean(axis=0)
    error = np.sqrt((low.var(axis=0, ddof=1) + high.var(axis=0, ddof=1)) / SEEDS)
    assert (np.abs(difference) / error)[:, 1:].max() < 4.0
    assert (-difference[:, 0] / error[:, 0]).min() > 20.0


def test_services_are_exponential_with_mean_one_and_fill_the_busiest_agent():
    """Durations in the log: exponential (KS, error probability 1e-4); busy time of the busiest agent 0.70 of the run."""
    busy = []
    for seed in range(SEEDS):
        made = engine("solvable", seed=seed)
        log = play(made, 2000)
        worked = log["duration"] > 0
        assert worked.sum() == made.meter("services")
        assert stats.kstest(log["duration"][worked], "expon").pvalue > 1e-4
        busiest = int(np.argmax(dense("regular")[2]))
        late = worked & (log["source"] == busiest) & (log["time"] > 200)
        busy.append([log["duration"][late].sum() / 1800])
    z, error = z_scores(busy, [0.7])
    assert error < 0.01
    assert z < 4.0


def sojourns(log):
    """Times inside of all items that left, delivered or dropped, having come in the middle of the run."""
    came, gone = log["kind"] == KIND["arrive"], np.isin(log["kind"], [KIND["deliver"], KIND["drop"]])
    entered, left = np.empty(came.sum()), np.full(came.sum(), np.nan)
    entered[log["item"][came]], left[log["item"][gone]] = log["time"][came], log["time"][gone]
    end = log["time"][-1]
    use = (entered > 0.1 * end) & (entered < 0.8 * end)
    assert not np.isnan(left[use]).any()
    return (left - entered)[use]


def test_the_review_loop_is_a_jackson_network():
    """Intake, work, review (25 % back, 70 % on, 5 % out), integration at rate 0.4: mean sojourn of all entrants 8.8703."""
    work = 1 / (1 - 0.25)
    rates = 0.4 * np.array([1.0, work, work, 0.7 * work])
    expected = (rates / (1 - rates)).sum() / 0.4
    assert expected == pytest.approx(8.8703, abs=5e-5)
    logs = [play(engine("review_loop", seed=seed), 20_000) for seed in range(SEEDS)]
    z, error = z_scores([[sojourns(log).mean()] for log in logs], [expected])
    assert error < 0.06
    assert z < 4.0
    visits = [
        [np.sum(log["kind"] == KIND["work"]) / np.sum(log["kind"] == KIND["arrive"]) for _ in (0,)] for log in logs
    ]
    z, error = z_scores(visits, [work])
    assert error < 0.004
    assert z < 4.0


@pytest.mark.parametrize(("defect", "catch", "false_alarm"), [(0.2, 0.8, 0.05), (0.5, 0.6, 0.0), (0.1, 0.9, 0.3)])
def test_redo_until_passed(defect, catch, false_alarm):
    """Heeding reviews: q = ec + (1 - e)f, passes 1/(1 - q), flaws that escape e(1 - c)/(1 - q)."""
    q = defect * catch + (1 - defect) * false_alarm
    passes, escaped = 1 / (1 - q), defect * (1 - catch) / (1 - q)
    if (defect, catch, false_alarm) == (0.2, 0.8, 0.05):
        assert (passes, escaped) == pytest.approx((1.25, 0.05))
    changes = {"heed": True, "defect": defect, "catch": catch, "false_alarm": false_alarm, "rate": 0.3}
    samples = []
    for seed in range(SEEDS):
        log = play(engine("review_loop", changes=changes, seed=seed), 4000)
        gone = log["item"][np.isin(log["kind"], [KIND["deliver"], KIND["drop"]])]
        worked = log["item"][log["kind"] == KIND["work"]]
        quality = log["value"][log["kind"] == KIND["deliver"]]
        samples.append((np.isin(worked, gone).sum() / len(gone), np.mean(quality == 0.0)))
        assert set(np.unique(quality)) <= {0.0, 1.0}
    z, error = z_scores(samples, (passes, escaped))
    assert (error < (0.01, 0.004)).all(), error
    assert z.max() < 4.0, z


def test_a_pipeline_and_a_single_queue():
    """One stage after the other on one agent: M/M/1 with W = 1/(mu - lambda); 5 stages at 0.8: docs/factory.md, F14."""
    changes = {
        "agents": 1, "graph": "complete", "types": 1, "mix": "", "skills": "0", "rate": 0.8, "attempt": 1.0, "drift": 0.0,
    }  # fmt: skip
    means = [[sojourns(play(engine("solvable", changes=changes, seed=seed), 20_000)).mean()] for seed in range(SEEDS)]
    z, error = z_scores(means, [5.0])
    assert error < 0.1
    assert z < 4.0


# Errors and limits ----------------------------------------------------------------------------------------------------


def test_controls_without_loss_without_drift_and_without_passing():
    log = play(engine("solvable", changes={"handoff_loss": 0.0, "drift": 0.0}), 200)
    done = log["kind"] == KIND["deliver"]
    assert (log["value"][done] == 1.0).all()
    assert (log["similarity"][done] == 1.0).all()
    able = {"skills": "all", "start_skill": 1.0, "attempt": 1.0}
    assert KIND["handoff"] not in play(engine("solvable", changes=able), 200)["kind"]


def test_series_and_direct_solution_agree():
    """The direct solution is the sum of the series entry + Q^T entry + ..., computed apart."""
    made = engine("solvable").world
    q = passing(made.start, made.neighbour, 0.9 * made.proficiency[:, 0])
    entry = np.full(30, 1 / 30)
    direct = chain_visits(q, entry)
    series = entry.copy()
    step = entry
    for _ in range(2000):
        step = q.T @ step
        series += step
    assert direct == pytest.approx(series, rel=1e-9)


def test_work_that_nobody_can_do_is_an_error():
    with pytest.raises(ParameterError, match="never be done"):
        rate_for_load(
            0.5, start=np.array([0, 1, 2]), neighbour=np.array([1, 0]), proficiency=np.zeros((2, 1)),
            entry=np.array([0.5, 0.5]), mix=np.ones(1), attempt=0.9, stages=1, service_rate=1.0,
        )  # fmt: skip


def test_an_agent_without_neighbours_that_cannot_do_the_work_is_an_error():
    with pytest.raises(ParameterError):
        engine("solvable", changes={"agents": 1, "graph": "complete", "types": 1, "mix": "", "skills": "all",
                                    "start_skill": 0.0})  # fmt: skip
