"""The solvable factory against SimPy and Ciw on the same network, its full log, and a million agents; one run, one table.

Rates are services per second of CPU time of this process; the engines take turns, and a ratio compares slices of the same
round. Run it with ``uv run --isolated --group bench python -m benchmarks.factory``: Ciw installs a package called ``tests``,
which must not come into the environment that runs ours.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import ciw
import numpy as np
import simpy

from sim.record.store import EventWriter
from sim.spec import scenarios
from sim.world.engine import Engine, LogPlan, rule_module

MIX = (0.5, 0.3, 0.2)
ATTEMPT = 0.9


def factory(agents, *, log="counters", **changes):
    """The solvable factory with one skill an agent on a 4-regular graph; drift off unless given."""
    scenario = scenarios.get("factory")
    values = scenario.values("solvable", {"agents": agents, "skills": "one", "drift": 0.0, **changes})
    return Engine(
        scenario,
        values=values,
        seed=1,
        rule=rule_module("frozen", scenario),
        rule_name="frozen",
        plan=LogPlan.parse(log),
    )


def network(engine):
    """Neighbours and skill of every agent, and the total arrival rate."""
    world = engine.world
    rows = [world.neighbour[a:b].tolist() for a, b in zip(world.start[:-1], world.start[1:], strict=True)]
    return rows, world.proficiency[:, :3].argmax(axis=1).tolist(), float(world.physics[0].rate)


def advance_engine(engine, span, sink=None):
    """Services and CPU seconds of ``span`` units of time."""
    before, start = engine.meter("services"), time.process_time()
    engine.advance(engine.now + span, sink)
    return engine.meter("services") - before, time.process_time() - start


class SimpyFactory:
    """The same factory as a SimPy user writes it: a resource an agent, a process an item."""

    def __init__(self, neighbours, skills, rate):
        self.env = simpy.Environment()
        self.servers = [simpy.Resource(self.env, 1) for _ in neighbours]
        self.neighbours, self.skills, self.rate = neighbours, skills, rate
        self.random = random.Random(1)
        self.served = self.delivered = 0
        self.env.process(self.arrivals())

    def arrivals(self):
        """Items come in as a Poisson stream."""
        draw, agents = self.random, len(self.servers)
        while True:
            yield self.env.timeout(draw.expovariate(self.rate))
            self.env.process(self.item(draw.randrange(agents), draw.choices((0, 1, 2), MIX)[0]))

    def item(self, agent, task):
        """The life of an item."""
        draw = self.random
        while True:
            with self.servers[agent].request() as turn:
                yield turn
                yield self.env.timeout(draw.expovariate(1.0))
            self.served += 1
            if self.skills[agent] == task and draw.random() < ATTEMPT:
                self.delivered += 1
                return
            agent = draw.choice(self.neighbours[agent])

    def advance(self, span):
        """Services and CPU seconds of ``span`` units of time."""
        before, start = self.served, time.process_time()
        self.env.run(self.env.now + span)
        return self.served - before, time.process_time() - start


def ciw_services(neighbours, skills, rate, span):
    """Services and CPU seconds of the same network in Ciw: a class for each type of task, a routing matrix for each class."""
    agents = len(neighbours)
    names = [f"type {s}" for s in range(3)]
    routing = {}
    for s, name in enumerate(names):
        matrix = [[0.0] * agents for _ in range(agents)]
        for i, row in enumerate(neighbours):
            passes = 1.0 - ATTEMPT * (skills[i] == s)
            for j in row:
                matrix[i][j] += passes / len(row)
        routing[name] = matrix
    made = ciw.create_network(
        arrival_distributions={
            name: [ciw.dists.Exponential(rate * MIX[s] / agents)] * agents for s, name in enumerate(names)
        },
        service_distributions={name: [ciw.dists.Exponential(1.0)] * agents for name in names},
        number_of_servers=[1] * agents,
        routing=routing,
    )
    ciw.seed(1)
    simulation = ciw.Simulation(made)
    start = time.process_time()
    simulation.simulate_until_max_time(span)
    spent = time.process_time() - start
    return len(simulation.get_all_records()), spent


def rates_of(slices):
    """Median million services per CPU second of (services, seconds) pairs."""
    return statistics.median(services / seconds / 1e6 for services, seconds in slices)


def compare(name, ours, theirs, target):
    """One line of the table."""
    ratios = [(a / b) / (c / d) for (a, b), (c, d) in zip(ours, theirs, strict=True)]
    print(
        f"{name:34s} {rates_of(ours):8.2f} {rates_of(theirs):9.4f} {statistics.median(ratios):8.0f}x"
        f"  ({min(ratios):.0f} to {max(ratios):.0f}; target {target}x)"
    )


def against_simpy(rounds, agents=10_000):
    engine = factory(agents)
    theirs = SimpyFactory(*network(engine))
    # Queues fill up first: both engines are measured at their working level.
    engine.advance(40.0)
    theirs.advance(8.0)
    pairs = [(advance_engine(engine, 20.0), theirs.advance(2.0)) for _ in range(rounds)]
    compare(f"SimPy {simpy.__version__}, {agents} agents", *zip(*pairs, strict=True), 50)


def against_ciw(rounds, agents=100):
    engine = factory(agents)
    plan = network(engine)
    engine.advance(200.0)
    pairs = [(advance_engine(engine, 4000.0), ciw_services(*plan, 60.0)) for _ in range(rounds)]
    compare(f"Ciw {ciw.__version__}, {agents} agents", *zip(*pairs, strict=True), 200)


class Timed:
    """An event writer that adds up its own CPU time."""

    def __init__(self):
        self.writer, self.spent, self.rows = EventWriter(None), 0.0, 0

    def append(self, columns):
        """Take a chunk."""
        start = time.process_time()
        self.writer.append(columns)
        self.spent += time.process_time() - start
        self.rows += len(columns["seq"])


def full_log(rounds, agents):
    """Services per CPU second with 16-dimensional drift and every event drained to a table."""
    engine = factory(agents, log="full", drift=0.3)
    engine.advance(40.0, Timed())
    slices, kernels, drains = [], [], []
    for _ in range(rounds):
        sink = Timed()
        services, seconds = advance_engine(engine, 400_000 / agents, sink)
        slices.append((services, seconds))
        kernels.append((seconds - sink.spent) / services * 1e9)
        drains.append(sink.spent / sink.rows * 1e9)
    print(
        f"{f'full log, drift, {agents} agents':34s} {rates_of(slices):8.2f}   kernel {statistics.median(kernels):.0f} ns "
        f"a service, drain {statistics.median(drains):.0f} ns an event (target 1.5 M in all)"
    )


def bare(rounds, agents, **changes):
    engine = factory(agents, **changes)
    engine.advance(20.0)
    slices = [advance_engine(engine, 1_000_000 / agents) for _ in range(rounds)]
    what = "drift" if changes else "no drift"
    print(f"{f'no log, {what}, {agents} agents':34s} {rates_of(slices):8.2f}")


BESIDE_ITEMS = ("items", "vector", "origin", "hops")


def a_million(agents=1_000_000):
    start = time.process_time()
    engine = factory(agents)
    built = time.process_time() - start
    engine.advance(1.0)
    slices = [advance_engine(engine, 0.5) for _ in range(3)]
    world = engine.world
    held = {n: getattr(world, n).nbytes for n in world._fields if n not in BESIDE_ITEMS}
    held |= {f"minds.{n}": column.nbytes for n, column in vars(engine.minds).items()}
    each = sum(held.values()) / agents
    print(
        f"{f'{agents} agents':34s} {rates_of(slices):8.2f}   built in {built:.0f} s, {each:.0f} bytes an agent beside items"
    )
    print("    " + ", ".join(f"{n} {b / agents:.0f}" for n, b in held.items() if b / agents >= 0.5) + " (target 200)")
    assert each <= 200
    assert np.isfinite(engine.meter("latency"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    factory(100).advance(1.0)
    print(f"{'':34s} {'ours':>8s} {'theirs':>9s} {'ratio':>9s}   (million services per CPU second)")
    against_simpy(rounds)
    against_ciw(rounds)
    for agents in (1000, 10_000):
        bare(rounds, agents)
        bare(rounds, agents, drift=0.3)
        full_log(rounds, agents)
    a_million()


if __name__ == "__main__":
    main()
