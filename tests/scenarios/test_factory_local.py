"""Locality of the factory: whatever is scrambled outside an agent's declared channels, it senses, chooses and learns alike.

The declared channels are: its own row and columns, how many neighbours it has, the item in its hands, and what it heard
where it asked. Everything else is overwritten with noise at many moments of a run of the interpreted kernel.
"""

import inspect

import numpy as np
import pytest

from agents.rules import trust
from scenarios.factory_world import ARRIVALS, FactoryView, Outcome
from sim.world.linker import link
from sim.world.view import ACTOR, Draws
from sim.world.work import NOBODY
from tests.scenarios.test_factory_same_log import RICH
from tests.world.worlds import engine


def call(kernel, name, **given):
    """A function of a linked kernel, with its spread arguments taken from ``world``, ``minds`` and the rest."""
    arguments = []
    for argument in inspect.signature(getattr(kernel, name)).parameters:
        whole, _, column = argument.partition("_")
        if argument == "state_row":
            arguments.append(given["agent"])
        elif whole in ("world", "state") and column:
            arguments.append(getattr(given[whole], column) if whole == "world" else given["minds"][column])
        else:
            arguments.append(given[argument])
    return getattr(kernel, name)(*arguments)


def noise(rng, like):
    """An array of the same shape and type full of random bits (whole numbers that are rows of agents too)."""
    made = np.empty_like(like)
    for name in like.dtype.names or [None]:
        column = like[name] if name else like
        if column.dtype.kind == "f":
            drawn = rng.normal(size=column.shape) * 100
        else:
            drawn = rng.integers(0, 12, column.shape)
        if name:
            made[name] = drawn
        else:
            made[...] = drawn
    return made


def scrambled(rng, made, agent):
    """World and minds with everything overwritten that ``agent`` has no channel to."""
    world, minds = made.world, {name: column.copy() for name, column in made.minds.__dict__.items()}
    changed = {}
    for name in world._fields:
        if name not in ("physics", "asked", "unasked"):
            changed[name] = noise(rng, getattr(world, name))
    row = world.agents[agent].serving
    changed["agents"][agent] = world.agents[agent]
    changed["proficiency"][agent] = world.proficiency[agent]
    changed["start"][agent : agent + 2] = world.start[agent : agent + 2]
    if row != NOBODY:
        changed["items"][row] = world.items[row]
    for column in minds.values():
        own = column[agent].copy()
        column[...] = noise(rng, column)
        column[agent] = own
    return world._replace(**changed), minds


def flat(view):
    """A view as bytes."""
    return tuple(np.asarray(field, float).tobytes() for field in view)


def decision(kernel, world, minds, rule, agent):
    """View and choice of an agent as if its service ended now."""
    view = call(kernel, "sense", world=world, agent=agent)
    me = world.agents[agent]
    choice = call(
        kernel, "choose", view=view, minds=minds, agent=agent, draws=Draws(me.stream, me.decisions), rule=rule[0]
    )
    return flat(view), choice


def learned(kernel, world, minds, rule, agent, outcome):
    """The agent's columns after an outcome, and what changed in those of the others."""
    after = {name: column.copy() for name, column in minds.items()}
    view = call(kernel, "recall", world=world, agent=agent, task=outcome.task)
    call(kernel, "learn", view=view, minds=after, agent=agent, outcome=outcome, part=ACTOR, rule=rule[0])
    others = [n for n in range(len(world.agents)) if n != agent]
    for name, column in after.items():
        assert column[others].tobytes() == minds[name][others].tobytes(), "learning wrote into another mind"
    return flat(view), {name: column[agent].tobytes() for name, column in after.items()}


def leaks(made, *, moments, seed=11):
    """How many decisions and lessons differed after scrambling, and how many were looked at."""
    rng, kernel, rule = np.random.default_rng(seed), made.kernel, made.rule
    decided = wrong = taught = 0
    minds_now = dict(made.minds.__dict__)
    slots = int(np.diff(made.world.start).max())
    for moment, _ in enumerate(made.slices(1e9, None, steps=3)):
        assert (made.world.asked == -1.0).all(), "what somebody heard is still in the air"
        made.world.asked[:] = np.where(rng.random(len(made.world.asked)) < 0.5, -1.0, rng.integers(0, 9))
        busy = np.flatnonzero(made.world.agents["serving"] >= 0)
        for agent in busy[:4]:
            other_world, other_minds = scrambled(rng, made, agent)
            one = decision(kernel, made.world, minds_now, rule, agent)
            wrong += one != decision(kernel, other_world, other_minds, rule, agent)
            outcome = Outcome(int(rng.integers(2)), int(rng.integers(8 * slots)), float(rng.random()), 1.0)
            lesson = learned(kernel, made.world, minds_now, rule, agent, outcome)
            others_heard = other_world._replace(asked=noise(rng, made.world.asked))
            wrong += lesson != learned(kernel, others_heard, other_minds, rule, agent, outcome)
            decided, taught = decided + 1, taught + 1
        made.world.asked[:] = -1.0
        if moment == moments:
            return wrong, decided


CASES = {"plain": {"look": 0, "parts": 1, "stages": 1}, "all at once": {}, "star": {"graph": "star", "look": 3}}


@pytest.mark.parametrize("rule", ["trust", "frozen", "table"])
@pytest.mark.parametrize("case", CASES)
def test_scrambling_the_rest_of_the_world_changes_no_decision_and_no_lesson(rule, case):
    made = engine(rule=rule, changes={**RICH, **CASES[case]}, compiled=False)
    wrong, decided = leaks(made, moments=150)
    assert decided > 200
    assert wrong == 0


# A scenario that leaks: the same test must see it. ---------------------------------------------------------------------


def peek_at_a_queue(world, agent):
    """A view in which the own queue is replaced by a neighbour's, without asking."""
    row = world.agents[agent].serving
    task = world.items[row].task
    other = world.neighbour[world.start[agent]]
    return FactoryView(
        task,
        world.items[row].stage,
        world.proficiency[agent, task],
        1,
        0,
        1,
        -1,
        world.agents[other].length,
        1,
        world.unasked,
    )


def peek_at_all_items(world, agent):
    """A view that counts the arrivals of the whole factory."""
    row = world.agents[agent].serving
    task = world.items[row].task
    return FactoryView(task, 0, world.proficiency[agent, task], 1, 0, 1, -1, world.count[ARRIVALS], 1, world.unasked)


@pytest.mark.parametrize("leak", [peek_at_a_queue, peek_at_all_items])
def test_a_leak_is_found(leak):
    made = engine(changes=RICH, compiled=False)
    bindings = {"choose": trust.choose, "learn": trust.learn, **made.built.physics, "sense": leak}
    made.kernel = link({"advance": made.built.loop}, bindings=bindings, compiled=False)
    wrong, decided = leaks(made, moments=60)
    assert wrong > decided / 4
