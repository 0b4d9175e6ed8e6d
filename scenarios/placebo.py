"""Placebo: worlds in which agents do a lot and nothing may be called discovered.

Purpose and patterns: a detector that finds organisation here is wrong. ``broadcast``: isolated agents follow a signal that
all of them hear, so that everybody agrees with everybody and nobody coordinates. ``autocorrelated``: isolated agents whose
own past looks like a trend. ``ties``: everybody has fixed favourite partners drawn at random, so that contacts repeat for
ever without any group.

Entities, state variables and scales: agents; a broadcast of 0 or 1 that changes now and then; fixed likings. Time 1 is
one round.

Process overview and scheduling: synchronous; every agent decides once a round.

Design concepts: emergence (none), interaction (none, or contacts that nobody answers), sensing (the broadcast),
stochasticity (broadcast keyed by round, the rest by agent), collectives (none), observation (``decide`` or ``message``
events; each ``decide`` is about the broadcast that all heard, read as artefact 0).

Initialisation: likings are drawn log-normal with spread ``favour``.

Input data: none.

Submodels: see the rules ``listen``, ``wander`` and ``habit``.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sim.record.events import KIND_CODES
from sim.spec import Choice, Field, Heard, Param, Scenario, Value, scenarios
from sim.world.books import OWN_SUM, ROUND
from sim.world.buffer import emit
from sim.world.contract import learn
from sim.world.draws import stream, unit
from sim.world.view import ACTOR

DECIDE, MESSAGE, READ = KIND_CODES["decide"], KIND_CODES["message"], KIND_CODES["read"]
SIGNAL = 0xB10C
FLIP, SIDE = 1, 2
KINDS = ("broadcast", "autocorrelated", "ties")

PARAMETERS = (
    Param("agents", 20, "How many agents there are.", low=2, high=4000),
    Param("kind", "broadcast", "Which placebo.", choices=KINDS),
    Param("follow", 0.9, "Probability of following the broadcast.", low=0.0, high=1.0, live=True),
    Param("change", 0.1, "Probability that the broadcast is drawn anew in a round.", low=0.0, high=1.0),
    Param("persistence", 0.95, "How much of its level an agent keeps in a round.", low=0.0, high=0.999, live=True),
    Param("favour", 1.5, "Spread of likings: standard deviation of their logarithm.", low=0.0, high=10.0),
)
PRESETS: dict[str, dict[str, Value]] = {
    "broadcast": {"kind": "broadcast"},
    "autocorrelated": {"kind": "autocorrelated"},
    "ties": {"kind": "ties", "agents": 40},
}


class World(NamedTuple):
    """Agents; everybody's neighbours by key; the broadcast of the round in ``sums``."""

    agents: Any
    start: Any
    neighbour: Any
    physics: Any
    count: Any
    sums: Any


class PlaceboView(NamedTuple):
    """What an agent senses: the broadcast (0 or 1), and how many others it could contact."""

    signal: Any
    width: Any


class Outcome(NamedTuple):
    """The agent's own choice and its amount."""

    option: Any
    amount: Any


def build(setup: Any) -> Any:
    """The placebo world."""
    from sim.world.channels import neighbour_table
    from sim.world.loops import advance_rounds
    from sim.world.population import Built, new_agents

    n = int(setup["agents"])
    agents = new_agents(setup, agents=n, extra=[("order", "i8"), ("option", "i8"), ("amount", "f8"), ("width", "i8")])
    agents["order"] = np.argsort(agents["key"])
    tied = setup["kind"] == "ties"
    others = np.array([(i, j) for i in range(n) for j in range(n) if i != j and tied], np.int64).reshape(-1, 2)
    start, neighbour = neighbour_table(others, keys=agents["key"])
    agents["width"] = np.diff(start)
    physics = np.zeros(1, [("seed", "u8"), ("kind", "i8"), ("change", "f8")]).view(np.recarray)
    physics[0] = (setup.seed & 0xFFFFFFFFFFFFFFFF, KINDS.index(str(setup["kind"])), float(setup["change"]))
    starts = {}
    if "habit" in setup.rules:
        if not tied:
            from sim.spec import ParameterError

            raise ParameterError("rule 'habit' contacts others; in scenario 'placebo' it needs kind=ties.")
        numbers = np.argsort(setup.row_of(n))
        likings = np.random.default_rng([setup.seed & 0xFFFFFFFF, 0x11CE]).lognormal(
            0.0, float(setup["favour"]), (n, n)
        )
        rows = [likings[numbers[i], numbers[neighbour[start[i] : start[i + 1]]]] for i in range(n)]
        starts["liking"] = np.array(rows)
    world = World(agents, start, neighbour, physics, np.zeros(16, np.int64), np.zeros(16))
    return Built(
        world=world,
        loop=advance_rounds,
        physics={"sense": sense, "settle": settle, "apply": apply, "note": note},
        dims={"slots": max(1, n - 1 if tied else 1), "one": 1},
        rule_values={"follow": float(setup["follow"]), "persistence": float(setup["persistence"])},
        contacts=None,
        meters={"decisions": decisions},
        starts=starts,
        severs=severs if tied else None,
        joins=partial(joins, seed=setup.seed, favour=float(setup["favour"])),
    )


def severs(world: Any, moved: Any, shut: Any) -> None:
    """Cut off, an agent neither contacts nor is contacted; nothing else follows."""


def joins(world: Any, minds: Any, beside: int, *, seed: int, favour: float) -> Any:
    """A newcomer has likings drawn like those of all others, and others have such likings of it."""
    n = len(world.agents) - 1
    if hasattr(minds, "liking") and len(world.neighbour):
        drawn = np.random.default_rng([seed & 0xFFFFFFFF, 0x11CE, n]).lognormal(0.0, favour, (2, n))
        rank = np.argsort(np.argsort(world.agents["key"][:n]))
        own = world.neighbour[world.start[n] :]
        minds["liking"][n, : len(own)] = drawn[0, rank[own]]
        minds["liking"][own, np.diff(world.start)[own] - 1] = drawn[1, rank[own]]
    return world


def signal_at(world: Any, number: int) -> int:
    """The broadcast of round ``number``: drawn in the latest round at which it changed."""
    base = np.uint64(world.physics[0].seed) ^ np.uint64(SIGNAL)
    back = number
    while back > 0 and unit(stream(base, np.uint64(back)), 0, FLIP) >= world.physics[0].change:
        back -= 1
    return 1 if unit(stream(base, np.uint64(back)), 0, SIDE) < 0.5 else 0


def sense(world: Any, agent: int) -> Any:
    """The view of an agent."""
    signal = signal_at(world, world.count[ROUND]) if world.physics[0].kind == 0 else 0
    return PlaceboView(signal, world.agents[agent].width)


def note(outcome: Any) -> tuple[int, float, int]:
    """What a mind with a memory keeps: its own choice."""
    return outcome.option, outcome.amount, -1


def options(view: Any, memory: Any, draws: Any) -> list[Choice]:
    """One of the others to contact, or, where nobody can be contacted, one of two signs."""
    if view.width > 0:
        return [Choice(slot, f"contact neighbour {{{slot}}}", features={"slot": slot}) for slot in range(view.width)]
    return [Choice(sign, f"show the sign {sign}", amount=float(sign), features={"sign": sign}) for sign in (0, 1)]


def told(heard: Heard, view: Any) -> str:
    """One's own past choice."""
    if view.width > 0:
        return f"You contacted neighbour {{{heard.code}}}."
    return f"You showed the sign {heard.code}."


def settle(world: Any, minds: Any, rule: Any, log: Any, agent: int, time: float) -> None:
    """Nothing happens between choice and consequence."""


def apply(world: Any, minds: Any, rule: Any, log: Any, agent: int, option: int, amount: float, time: float) -> None:
    """Record the decision, or the contact that nobody answers."""
    view = sense(world, agent)
    if world.physics[0].kind == 2 and view.width == 0:
        return  # nobody can be contacted
    learn(view, minds[agent], Outcome(option, amount), ACTOR, rule[0])
    world.sums[OWN_SUM] += 1.0
    if world.physics[0].kind == 2:
        target = world.neighbour[world.start[agent] + option]
        emit(log, time, MESSAGE, agent, target, -1, -1, -1, -1, 1.0, 0.0, np.nan, np.uint64(0), np.nan)
        return
    cause = -1
    if world.physics[0].kind == 0:
        heard = float(view.signal)
        cause = emit(log, time, READ, agent, -1, -1, -1, 0, -1, heard, 0.0, np.nan, np.uint64(0), np.nan)
    emit(log, time, DECIDE, agent, -1, -1, cause, -1, -1, amount, 0.0, np.nan, np.uint64(0), np.nan)


def decisions(world: Any, log: Any) -> float:
    """Decisions so far."""
    del log
    return float(world.sums[OWN_SUM])


scenarios.add("placebo")(
    Scenario(
        name="placebo",
        summary="Busy worlds without coordination: nothing here may be called discovered.",
        semantics="synchronous",
        parameters=PARAMETERS,
        presets=PRESETS,
        default="broadcast",
        until=400.0,
        rules=("listen", "wander", "habit"),
        view=(
            Field("signal", "what the broadcast says, 0 or 1"),
            Field("width", "how many others you could contact"),
        ),
        build=build,
        preset_words={
            "broadcast": "isolated agents obey one signal",
            "autocorrelated": "isolated agents with long memories of themselves",
            "ties": "random favourites for ever, but no groups",
        },
        options=options,
        told=told,
        preset_rules={"autocorrelated": "wander", "ties": "habit"},
        notice=("Agreement, trends and repeated contacts are all here; coordination is not.",),
        tries=("Raise favour: ties get stronger, and still there are no teams.",),
        odd=__doc__ or "",
    )
)
