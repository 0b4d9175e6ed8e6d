"""Trust network: agents visit each other in proportion to weight, and visits make weight while old ones fade.

Purpose and patterns: who keeps company with whom, from equals, by reinforcement alone (Skyrms and Pemantle 2000). With
forgetting the population falls into pairs and stars (Liggett and Rolles 2004); with very slow forgetting what looks like
structure is transient for a very long time.

Entities, state variables and scales: agents with one weight for every other agent; everybody can reach everybody. Time 1
is one round.

Process overview and scheduling: synchronous. All choose one other on the weights at the start of the round; then all
weights fade by ``keep``; then each visit adds to the visitor's weight for the host, and in the variant ``both`` to the
host's weight for the visitor.

Design concepts: emergence (pairs, stars), adaptation (weights), interaction (visits), sensing (own weights only),
stochasticity (choices keyed by agent and decision), collectives (none given), observation (one ``visit`` event a visit).

Initialisation: all weights 1.

Input data: none.

Submodels: see ``agents.rules.visit_reinforcement``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.record.events import KIND_CODES
from sim.spec import Choice, Field, Heard, Param, Scenario, Value, scenarios
from sim.world.books import OWN_SUM
from sim.world.buffer import emit
from sim.world.contract import learn
from sim.world.view import ACTOR, BYSTANDER, PARTNER

VISIT = KIND_CODES["visit"]

PARAMETERS = (
    Param("agents", 10, "How many agents there are.", low=2, high=4000),
    Param("keep", 0.9, "What is left of a weight after a round; 1 forgets nothing.", low=0.0, high=1.0, live=True),
    Param("both", True, "A visit counts for the host as well as for the visitor."),
    Param("reinforcement", 1.0, "What a visit adds; 0 switches the mechanism off.", low=0.0, live=True),
)
PRESETS: dict[str, dict[str, Value]] = {
    "pairs": {"keep": 0.9},
    "stars": {"keep": 0.5},
    "transient": {"keep": 0.99},
    "urns": {"keep": 1.0, "both": False},
    "off": {"keep": 1.0, "reinforcement": 0.0},
}


class World(NamedTuple):
    """Agents; everybody's neighbours by key; ``back[e]`` is the slot of i in the row of j for the contact e from i to j."""

    agents: Any
    start: Any
    neighbour: Any
    back: Any
    physics: Any
    count: Any
    sums: Any


class TrustView(NamedTuple):
    """What an agent senses: how many others it could visit."""

    width: Any


class Outcome(NamedTuple):
    """The slot of the other party of a visit; -1 at the end of a round."""

    slot: Any


def build(setup: Any) -> Any:
    """The world of the trust network."""
    from sim.world.channels import neighbour_table
    from sim.world.loops import advance_rounds
    from sim.world.population import Built, new_agents

    n = int(setup["agents"])
    agents = new_agents(setup, agents=n, extra=[("order", "i8"), ("option", "i8"), ("amount", "f8"), ("width", "i8")])
    agents["order"] = np.argsort(agents["key"])
    others = np.array([(i, j) for i in range(n) for j in range(n) if i != j])
    start, neighbour = neighbour_table(others, keys=agents["key"])
    agents["width"] = n - 1
    back = back_of(neighbour, agents=n)
    physics = np.zeros(1, [("both", "i8")]).view(np.recarray)
    physics["both"] = int(bool(setup["both"]))
    world = World(agents, start, neighbour, back, physics, np.zeros(16, np.int64), np.zeros(16))
    return Built(
        world=world,
        loop=advance_rounds,
        physics={"sense": sense, "settle": settle, "apply": apply, "note": note},
        dims={"slots": n - 1},
        rule_values={"keep": float(setup["keep"]), "reinforcement": float(setup["reinforcement"])},
        contacts=None,
        meters={"visits": visits},
        severs=severs,
        joins=joins,
    )


def back_of(neighbour: np.ndarray, *, agents: int) -> np.ndarray:
    """For every contact from i to j, the slot of i in the row of j."""
    source = np.repeat(np.arange(agents), agents - 1)
    place = np.empty((agents, agents), np.int64)
    place[source, neighbour] = np.tile(np.arange(agents - 1), agents)
    return place[neighbour, source]


def joins(world: Any, minds: Any, beside: int) -> Any:
    """A newcomer can visit everybody and be visited by everybody."""
    return world._replace(back=np.zeros(len(world.neighbour), np.int64))


def severs(world: Any, moved: Any, shut: Any) -> None:
    """Cut off, an agent neither visits nor is visited, and what it knows of others does not fade."""
    world.back[:] = back_of(world.neighbour, agents=len(world.agents))


def sense(world: Any, agent: int) -> Any:
    """The view of an agent."""
    return TrustView(world.agents[agent].width)


def note(outcome: Any) -> tuple[int, float, int]:
    """What a mind with a memory keeps of a visit: the slot of the other; nothing at the end of a round."""
    return outcome.slot, 1.0, -1


def options(view: Any, memory: Any, draws: Any) -> list[Choice]:
    """Everybody else can be visited."""
    return [Choice(slot, f"visit neighbour {{{slot}}}", features={"slot": slot}) for slot in range(view.width)]


def told(heard: Heard, view: Any) -> str:
    """One visit, as visitor or host."""
    if heard.part == ACTOR:
        return f"You visited neighbour {{{heard.code}}}."
    return f"Neighbour {{{heard.code}}} visited you."


def settle(world: Any, minds: Any, rule: Any, log: Any, agent: int, time: float) -> None:
    """Between choice and consequence everybody forgets a little."""
    learn(sense(world, agent), minds[agent], Outcome(-1), BYSTANDER, rule[0])


def apply(world: Any, minds: Any, rule: Any, log: Any, agent: int, option: int, amount: float, time: float) -> None:
    """A visit: the visitor learns, and in the variant ``both`` the host too."""
    if world.agents[agent].width == 0:
        return  # nobody can be visited
    contact = world.start[agent] + option
    host = world.neighbour[contact]
    learn(sense(world, agent), minds[agent], Outcome(option), ACTOR, rule[0])
    if world.physics[0].both == 1:
        learn(sense(world, host), minds[host], Outcome(world.back[contact]), PARTNER, rule[0])
    world.sums[OWN_SUM] += amount
    emit(log, time, VISIT, agent, host, -1, -1, -1, -1, float(option), 0.0, np.nan, np.uint64(0), np.nan)


def visits(world: Any, log: Any) -> float:
    """Visits so far."""
    del log
    return float(world.sums[OWN_SUM])


scenarios.add("trust_network")(
    Scenario(
        name="trust_network",
        summary="Visits reinforce visits; with forgetting, equals fall into pairs and stars.",
        semantics="synchronous",
        parameters=PARAMETERS,
        presets=PRESETS,
        default="pairs",
        until=2000.0,
        rules=("visit_reinforcement",),
        view=(Field("width", "how many others you could visit"),),
        build=build,
        preset_words={
            "pairs": "slow forgetting: pairs, and now and then a star of three",
            "stars": "fast forgetting: pairs and more stars",
            "transient": "very slow forgetting: nothing has settled yet",
            "urns": "no forgetting, only the visitor learns: independent urns",
            "off": "no reinforcement: flat shares, nothing to find",
        },
        notice=(
            "Once a pair has formed neither of the two visits anybody else.",
            "With keep 0.99 there are friends all the time, but never the same for long.",
        ),
        tries=("Set both to false: friendship is no longer mutual.",),
        off={"reinforcement": 0.0},
        options=options,
        told=told,
        odd=__doc__ or "",
    )
)
