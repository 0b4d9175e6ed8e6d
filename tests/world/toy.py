"""A scenario of a few lines whose kernel compiles fast: every agent in turn adds its choice to a sum."""

import sys
from typing import Any, NamedTuple

import numpy as np

from sim.record.events import KIND_CODES
from sim.spec import Param, Scenario
from sim.world.buffer import emit
from sim.world.contract import decide
from sim.world.loops import advance_sequence
from sim.world.population import Built, Setup, new_agents

DECIDE = KIND_CODES["decide"]


class World(NamedTuple):
    agents: Any
    weight: Any
    count: Any
    sums: Any


class View(NamedTuple):
    weight: Any


def sense(world, agent):
    return View(world.weight[agent, 0])


def apply(world, minds, rule, log, agent, option, amount, time):
    world.sums[5] += amount
    emit(log, time, DECIDE, agent, -1, -1, -1, -1, -1, amount, 0.0, np.nan, np.uint64(0), np.nan)


def turn(world, minds, rule, log, number, time):
    decide(world, minds, rule, log, number % world.agents.shape[0], time)


def short(world):
    return False


def foresee(world, minds, number):
    pass


def build(setup: Setup) -> Built:
    agents = new_agents(setup, agents=int(setup["agents"]), extra=[])
    world = World(agents, np.ones((len(agents), 2)), np.zeros(16, np.int64), np.zeros(16))
    return Built(
        world=world, loop=advance_sequence,
        physics={"sense": sense, "apply": apply, "turn": turn, "short": short, "foresee": foresee},
        dims={"width": int(setup["width"])}, rule_values={}, contacts=None, meters={},
    )  # fmt: skip


TOY = Scenario(
    name="toy", summary="toy", semantics="sequential random", default="toy", until=10.0, rules=("toy",), view=(),
    parameters=(Param("agents", 3, "agents", low=1), Param("width", 2, "columns of a mind", low=1)),
    presets={"toy": {}}, build=build,
)  # fmt: skip


def result(rule, **changes):
    """The sum after ten sweeps under a rule module."""
    from sim.world.engine import Engine

    made = Engine(TOY, values=TOY.values("toy", changes), seed=1, rule=rule, rule_name="toy")
    made.advance(10.0)
    return float(made.world.sums[5])


if __name__ == "__main__":
    import importlib

    sys.path.insert(0, sys.argv[1])
    print(result(importlib.import_module("edited_rule")))
