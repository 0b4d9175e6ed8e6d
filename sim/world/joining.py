"""Joining: a newcomer comes into a running world beside an agent that is there, as one more row of every column.

Nothing is kept ready for it: arrays grow between two slices, where kernels hold none of them, so a world in which nobody
joins is the world it always was. The newcomer's key and draws follow from the seed and its number alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.spec import ParameterError
from sim.world.books import FROM, ROUND, SINCE
from sim.world.channels import WIDTH_LIMIT, reroute, with_newcomer
from sim.world.population import Minds, named


def refusal(engine: Any, beside: int) -> str:
    """Why nobody can join beside row ``beside``, as a sentence; empty where somebody can."""
    name, built = engine.scenario.name, engine.built
    if isinstance(built.joins, str):
        return f"scenario '{name}': no agent can be added, for {built.joins}."
    if engine.batches is not None:
        return (
            f"scenario '{name}': agents can be added only where compiled rules decide, for a mind with a memory knows its "
            "contacts by their places."
        )
    if hasattr(engine.world, "neighbour") and len(_others(engine.world, beside)) > WIDTH_LIMIT:
        return f"scenario '{name}': agent {beside} has more than {WIDTH_LIMIT - 1} contacts, the limit; choose another."
    return ""


def join(engine: Any, beside: int, *, time: float) -> int:
    """Let a newcomer in at ``time`` and return its row, the last one.

    It reaches, and is reached by, the agent in row ``beside`` and all whom that one has channels with. Its mind starts as
    its rule has it; what it can do is up to the scenario (``Built.joins``), as a rule what the agent beside it can.
    """
    reason = refusal(engine, beside)
    if reason:
        raise ParameterError(reason)
    world, built = engine.world, engine.built
    agents, row = _one_more(world.agents, engine.seed), len(world.agents)
    # In sequential worlds a sweep is as many updates as there are agents: from now on they are one more.
    world.sums[SINCE], world.count[FROM] = time, world.count[ROUND]
    minds = {name: np.concatenate([column, column[:1]]) for name, column in vars(engine.minds).items()}
    starts = {name: start for rule in engine.rules for name, (_, _, start) in rule.STATE.items()}
    for name, column in minds.items():
        column[row] = starts[name]
    world = world._replace(agents=agents)
    if hasattr(world, "neighbour"):
        # Where agents have no channels to each other, a newcomer has none either.
        others = _others(world, beside) if built.severs is not None else np.zeros(0, np.int64)
        world = _linked(engine, world, minds, starts, others=others)
    if "order" in (agents.dtype.names or ()):
        agents["order"] = np.argsort(agents["key"])
    engine.minds = Minds(minds)
    engine.world = built.world = built.joins(world, engine.minds, beside)
    if built.bound is not None:
        built.bound = np.append(built.bound, built.bound[beside])
    engine.arrange()
    if hasattr(world, "neighbour") and built.severs is not None:
        moved = reroute(engine.world, engine.slotted(), row, closed=engine.closed)
        built.severs(engine.world, moved, frozenset())
    return row


def _one_more(agents: Any, seed: int) -> Any:
    """The population's columns with an empty row behind them, which has a key and a stream."""
    made = np.zeros(len(agents) + 1, agents.dtype).view(np.recarray)
    made[:-1] = agents
    made["key"][-1:], made["stream"][-1:] = named(seed, np.array([len(agents)]))
    return made


def _others(world: Any, beside: int) -> np.ndarray:
    """The agent ``beside`` and all it has channels with, open or closed."""
    return np.append(world.neighbour[world.start[beside] : world.start[beside + 1]], beside)


def _linked(engine: Any, world: Any, minds: dict[str, np.ndarray], starts: dict[str, float], *, others: Any) -> Any:
    """The world with channels between its last row and ``others``, each the last of its row; columns have room for them."""
    before = int(np.diff(world.start).max(initial=0))
    start, neighbour = with_newcomer(world.start, world.neighbour, others)
    engine.built.contacts = _contacts(engine.built.contacts, len(world.agents) - 1, others)
    more = int(np.diff(start).max(initial=0)) - before
    last = np.diff(start)[others] - 1
    for name, axis in engine.slots_of().items():
        column = minds[name]
        # New places stand behind those of contacts: a rule may use the very last place for itself.
        column = np.insert(column, [before] * more, starts[name], axis=axis) if more else column
        np.moveaxis(column, axis, 1)[others, last] = starts[name]
        minds[name] = column
    return world._replace(start=start, neighbour=neighbour)


def _contacts(contacts: Any, row: int, others: np.ndarray) -> Any:
    if contacts is None:
        return None
    both = np.append(others, np.full(len(others), row)), np.append(np.full(len(others), row), others)
    return tuple(np.append(old, new) for old, new in zip(contacts, both, strict=True))
