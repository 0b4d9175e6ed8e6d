"""Builds the factory: graph, skills, columns, first arrival, and the meters that data collection reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scenarios import factory_flow as flow
from scenarios import factory_kernel as kernel
from scenarios import factory_outcomes as outcomes
from scenarios import factory_world as columns
from scenarios.factory_joins import joins
from scenarios.factory_severs import severs
from scenarios.factory_start import FLOW_GRAPH, mix_of, proficiency_of
from scenarios.factory_theory import rate_for_load
from sim.spec import ParameterError
from sim.world.books import PENDING
from sim.world.channels import both_ways, contact_columns, graph_edges, neighbour_table
from sim.world.clock import MOMENT
from sim.world.draws import exponential
from sim.world.loops import advance_events
from sim.world.population import Built, Setup, new_agents, streams
from sim.world.work import FREE, HOP_FREE, HOP_ROOM, NOBODY, QUEUE, ROOM, grown, new_hops, new_items

# The gap before arrival 0 is drawn from a number that no arrival has.
FIRST_ARRIVAL = 2**64 - 1
# Task rows of a rule: every type, assembly.
EXTRA_TASKS = 1
# The fixed edges of the review loop: intake 0, work 1, review 2, integrate 3.
FLOW_PAIRS = np.array([[0, 1], [1, 2], [2, 1], [2, 3]])
PHYSICS: dict[str, Callable[..., Any]] = {
    "sense": columns.sense, "apply": kernel.apply, "happen": kernel.happen, "tell": outcomes.tell,
    "waiting": kernel.waiting, "short": kernel.short, "wake": flow.wake, "void": kernel.void,
    "decider": kernel.decider, "inquire": kernel.inquire, "forget_answers": kernel.forget_answers, "note": columns.note,
}  # fmt: skip


def build_factory(setup: Setup) -> Built:
    """The world of the factory from its parameters."""
    agents = new_agents(setup, agents=int(setup["agents"]), extra=[("served", "i4"), *QUEUE, ("width", "i4")])
    agents["serving"] = NOBODY
    proficiency = _proficiency(setup)
    row_of = setup.row_of(len(agents))
    pairs = _pairs(setup)
    start, neighbour = neighbour_table(row_of[pairs], keys=agents["key"])
    start, neighbour = start.astype(np.int32), neighbour.astype(np.int32)
    agents["width"] = np.diff(start)
    entries = _entries(setup, agents, row_of)
    mix = mix_of(setup.values)
    rate = float(setup["rate"]) or _rate(
        setup, pairs, agents["key"][row_of], proficiency[row_of], np.argsort(row_of)[entries], mix
    )
    world = _world(setup, agents, proficiency, start, neighbour, entries, mix, rate)
    width = int(np.diff(start).max(initial=0))
    dims = {"tasks": int(setup["types"]) + EXTRA_TASKS, "slots": width + 1, "two": 2, "three": 3}
    names = ("attempt", "keep", "review", "refuse", "patience", "heed")
    fixed = setup["graph"] == FLOW_GRAPH
    return Built(
        world=world,
        loop=advance_events,
        physics=PHYSICS,
        dims=dims,
        rule_values={name: float(setup[name]) for name in names},
        contacts=contact_columns(start, neighbour),
        meters=METERS,
        starts=_table(start, neighbour, row_of, width) if "table" in setup.rules else {},
        grow=grow,
        live=_live(world),
        severs=severs,
        joins=f"its graph '{FLOW_GRAPH}' has a place for each of its four agents" if fixed else joins,
        predefined=("the channels admit one route only: intake, work, review, integration",) if fixed else (),
    )


def _proficiency(setup: Setup) -> np.ndarray:
    """Proficiency by row, (agents, types + 1)."""
    skill = proficiency_of(setup.values, seed=setup.seed)
    if not skill.any(axis=0).all():
        raise ParameterError(
            f"scenario 'factory': no agent has skill {int(np.argmin(skill.any(axis=0)))}; see 'skills'."
        )
    # Anybody can put finished parts together.
    made = np.ones((len(skill), skill.shape[1] + EXTRA_TASKS))
    made[setup.row_of(len(skill)), : skill.shape[1]] = skill
    return made


def _pairs(setup: Setup) -> np.ndarray:
    if setup["graph"] == FLOW_GRAPH:
        if int(setup["agents"]) != 4:
            raise ParameterError(f"graph '{FLOW_GRAPH}' has 4 agents, got agents={setup['agents']}.")
        return FLOW_PAIRS
    return both_ways(
        graph_edges(
            str(setup["graph"]), agents=int(setup["agents"]), degree=int(setup["degree"]), seed=int(setup["graph_seed"])
        )
    )


def _entries(setup: Setup, agents: Any, row_of: np.ndarray) -> np.ndarray:
    """Rows where items arrive, by key."""
    if setup["graph"] == FLOW_GRAPH:
        return np.array([row_of[0]], np.int32)
    return np.argsort(agents["key"]).astype(np.int32)


def _rate(setup: Setup, pairs: np.ndarray, keys: Any, proficiency: Any, entries: Any, mix: Any) -> float:
    """Arrivals for the wanted load; all arguments by agent number, for another order of the rows rounds differently."""
    entry = np.bincount(entries, minlength=len(keys)) / len(entries)
    start, neighbour = neighbour_table(pairs, keys=keys)
    skill = np.ascontiguousarray(proficiency[:, : int(setup["types"])])
    return rate_for_load(
        float(setup["load"]), start=start, neighbour=neighbour, proficiency=skill, entry=entry, mix=mix,
        attempt=float(setup["attempt"]), stages=int(setup["stages"]), service_rate=float(setup["service_rate"]),
    ) / int(setup["parts"])  # fmt: skip


def _world(
    setup: Setup, agents: Any, proficiency: Any, start: Any, neighbour: Any, entries: Any, mix: Any, rate: float
) -> Any:
    n = len(agents)
    rows = max(64, n + n // 4)
    vectors = float(setup["drift"]) > 0
    dimension = int(setup["dimension"]) if vectors else 1
    hops = max(64, 2 * n) if _trails(setup) else 8
    clock = np.zeros(n + 64, MOMENT).view(np.recarray)
    count = np.zeros(32, np.int64)
    count[ROOM], count[HOP_ROOM], count[columns.TOLD] = rows, hops, NOBODY
    if rate > 0:
        first = streams(setup.seed ^ columns.ARRIVAL, np.array([FIRST_ARRIVAL], np.uint64))[0]
        clock[0].time, clock[0].subject = exponential(first, 1, columns.GAP, rate), n
        count[PENDING] = 1
    asked = np.full(int(np.diff(start).max(initial=0)) + 1, -1.0)
    return columns.World(
        agents=agents, proficiency=proficiency.astype(np.float32), start=start, neighbour=neighbour, items=new_items(rows),
        vector=np.zeros((rows, dimension), np.float32), origin=np.zeros((rows, dimension), np.float32),
        hops=new_hops(hops), clock=clock, physics=_physics(setup, rate, vectors=vectors), entries=entries,
        mix=np.cumsum(mix), asked=asked, unasked=asked.copy(), count=count, sums=np.zeros(32),
    )  # fmt: skip


def _trails(setup: Setup) -> bool:
    return bool(setup["feedback"]) or set(setup.rules) != {"frozen"}


def _physics(setup: Setup, rate: float, *, vectors: bool) -> Any:
    made = np.zeros(1, columns.PHYSICS).view(np.recarray)
    for name in columns.PHYSICS.names or ():
        if name in setup.values:
            made[name] = float(setup[name])
    made["seed"] = setup.seed & 0xFFFFFFFFFFFFFFFF
    made["bits"] = int(setup["requirements"])
    made["rate"] = rate
    made["loss_rate"] = loss_rate(float(setup["handoff_loss"]))
    made["noise"] = float(setup["drift"])
    made["trails"] = int(_trails(setup))
    made["vectors"] = int(vectors)
    return made


def loss_rate(loss: float) -> float:
    """log(1 - loss), -inf for a loss of 1."""
    return float(np.log1p(-loss)) if loss < 1 else float("-inf")


def _live(world: Any) -> dict[str, Callable[[Any], None]]:
    """Parameters that act on the running world; those of the rule are set by the engine."""

    def setter(name: str) -> Callable[[Any], None]:
        def put(value: Any) -> None:
            world.physics[name] = float(value)

        return put

    made = {name: setter(name) for name in (
        "practice", "reward_share", "defect", "catch", "false_alarm", "service_cost", "message_cost",
    )}  # fmt: skip

    def lose(value: Any) -> None:
        world.physics["loss_rate"] = loss_rate(float(value))

    return {**made, "handoff_loss": lose}


def _table(start: Any, neighbour: Any, row_of: np.ndarray, width: int) -> dict[str, np.ndarray]:
    """Shares of the table rule: the review loop's fixed ones, or on other graphs all neighbours and doing it alike."""
    n = len(start) - 1
    shares, alone = np.zeros((n, width + 1, 2)), np.zeros((n, 3))
    if n != 4 or len(neighbour) != len(FLOW_PAIRS):
        for i in range(n):
            shares[i, : start[i + 1] - start[i], 0] = 1.0
        alone[:, 0] = 1.0
        return {"shares": shares, "alone": alone}

    def slot(i: int, j: int) -> int:
        return int(np.flatnonzero(neighbour[start[i] : start[i + 1]] == j)[0])

    intake, work, review, integrate = row_of
    shares[intake, slot(intake, work), 0] = 1.0
    shares[work, slot(work, review), 1] = 1.0
    shares[review, slot(review, integrate), 0] = 0.70
    alone[review] = (0.0, 0.25, 0.05)
    alone[integrate, 0] = 1.0
    return {"shares": shares, "alone": alone}


def grow(world: Any) -> Any:
    """The same world with twice the room wherever little is left."""
    count = world.count
    if count[ROOM] < columns.PARTS_MAX + 2:
        more = {
            name: np.concatenate([a, np.zeros_like(a)])
            for name, a in (("vector", world.vector), ("origin", world.origin))
        }
        world = world._replace(items=grown(world.items, count, FREE, ROOM, "link"), **more)
    if count[HOP_ROOM] < 4:
        world = world._replace(hops=grown(world.hops, count, HOP_FREE, HOP_ROOM, "before"))
    if len(world.clock) - count[PENDING] < 8:
        made = np.zeros(2 * len(world.clock), MOMENT).view(np.recarray)
        made[: len(world.clock)] = world.clock
        world = world._replace(clock=made)
    return world


def _mean(place: int) -> Callable[[Any, Any], float]:
    def meter(world: Any, log: Any) -> float:
        del log
        delivered = world.sums[columns.DELIVERED]
        return float(world.sums[place] / delivered) if delivered else float("nan")

    return meter


def _sum(place: int) -> Callable[[Any, Any], float]:
    return lambda world, log: float(world.sums[place])


METERS: dict[str, Callable[[Any, Any], float]] = {
    "in_system": _sum(columns.IN_SYSTEM),
    "delivered": _sum(columns.DELIVERED),
    "lost": _sum(columns.LOST),
    "services": _sum(columns.SERVICES),
    "latency": _mean(columns.LATENCY),
    "kept": _mean(columns.KEPT),
    "cosine": _mean(columns.COSINE),
    "quality": _mean(columns.QUALITY),
}
