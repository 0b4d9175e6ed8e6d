"""Controls: worlds with a known truth, structures planted at a known strength and look-alikes without them.

Purpose and patterns: a detector has to find what was planted, and in the look-alikes nothing but what they declare to hold
(bidders and those who call for bids play two roles, whoever wins). What is planted here was written by a script, so nothing
in these worlds emerges: they test the instrument, not a theory.

Entities, state variables and scales: agents, and a script of events drawn beforehand by the control world
(``scenarios/worlds``). The script is stretched over the model time ``duration``.

Process overview and scheduling: event time; the script's next event happens at its time, and the agent it names acts.

Design concepts: emergence (none: planted or absent), interaction (as scripted), sensing (one's own next line of the
script), stochasticity (the script is drawn from the seed), collectives (planted), observation (the events of the script,
and its states where the world has any).

Initialisation: the script is drawn for ``world``, ``strength``, ``agents`` and ``events``.

Input data: none.

Submodels: the generators of ``scenarios/worlds``; the rule ``script``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scenarios.worlds.world import worlds
from sim.record.events import KIND_CODES
from sim.spec import Field, Param, ParameterError, Scenario, Value, scenarios
from sim.world.books import OWN_SUM, PENDING, ROUND
from sim.world.buffer import emit
from sim.world.clock import MOMENT, schedule
from sim.world.contract import decide

if TYPE_CHECKING:
    import polars as pl

    from sim.record.log import Log

LINE = [
    ("time", "f8"), ("kind", "i8"), ("source", "i8"), ("target", "i8"), ("piece", "i8"), ("parent", "i8"),
    ("artefact", "i8"), ("task", "i8"), ("value", "f8"), ("seq", "i8"),
]  # fmt: skip

# The worlds that listings show as presets; all of them can be had with the parameter ``world``.
SHOWN = (
    "random mixing", "uneven activity", "teams", "rotating groups", "hub", "core", "reporting tree", "item pipeline",
    "station ring", "two-way ring", "ring of teams", "price market", "auctions by lot", "hidden influence",
    "influence and demand",
)  # fmt: skip

PARAMETERS = (
    Param("agents", 0, "How many agents there are; 0 takes the world's own number.", low=0, high=4000),
    Param("world", "random mixing", "Which control world.", choices=tuple(worlds.names())),
    Param(
        "strength",
        -1.0,
        "How much is planted: 0 nothing, 1 nothing else; -1 takes the world's own.",
        low=-1.0,
        high=1.0,
    ),
    Param("events", 0, "About how many events; 0 takes the world's own number.", low=0, high=10_000_000),
    Param("duration", 1000.0, "Model time over which the script is stretched.", low=1e-6),
)
PRESETS: dict[str, dict[str, Value]] = {name: {"world": name} for name in SHOWN if name in worlds.names()}


class World(NamedTuple):
    """Agents, the script, and the clock that holds the script's next line."""

    agents: Any
    script: Any
    clock: Any
    count: Any
    sums: Any


class ScriptView(NamedTuple):
    """What an agent senses: whom its next line names (-1 nobody), and the amount."""

    partner: Any
    amount: Any


def build(setup: Any) -> Any:
    """The scripted world."""
    from sim.world.loops import advance_events
    from sim.world.population import Built, new_agents

    chosen = worlds.get(str(setup["world"]))
    n = int(setup["agents"]) or chosen.agents
    strength = float(setup["strength"])
    if -1.0 < strength < 0.0:
        raise ParameterError(f"parameter 'strength' expects 0 to 1, or -1 for the world's own, got {strength}.")
    log = chosen.log(
        setup.seed & 0xFFFFFFFF,
        agents=n,
        events=int(setup["events"]) or None,
        strength=None if strength < 0 else strength,
    )
    row_of = setup.row_of(n)
    script = lines(log, row_of=row_of, duration=float(setup["duration"]))
    clock = np.zeros(2, MOMENT).view(np.recarray)
    count = np.zeros(16, np.int64)
    if len(script):
        clock[0].time, clock[0].subject, count[PENDING] = script[0].time, script[0].source, 1
    world = World(new_agents(setup, agents=n, extra=[]), script, clock, count, np.zeros(16))
    return Built(
        world=world,
        loop=advance_events,
        physics={"sense": sense, "happen": happen, "apply": apply, "tell": tell, "waiting": waiting, "short": short},
        dims={"one": 1},
        rule_values={},
        contacts=None,
        meters={"scripted events": acted},
        joins="its agents follow a script that was drawn beforehand and names no newcomer",
        states=_states(log, row_of=row_of, duration=float(setup["duration"])),
        reach=_reach(log, row_of=row_of),
    )


def lines(log: Log, *, row_of: np.ndarray, duration: float) -> Any:
    """The events of a control world as lines of a script, agents by row, times stretched over ``duration``."""
    events = log.events
    made = np.zeros(events.height, LINE).view(np.recarray)
    unknown = sorted(set(map(str, events["kind"].unique())) - set(KIND_CODES))
    if unknown:
        raise ParameterError(f"control world: expected kinds of the event schema, got {', '.join(unknown)}.")
    made["kind"] = [KIND_CODES[str(k)] for k in events["kind"]]
    made["time"] = _stretched(events["time"].to_numpy(), events, duration)
    place = np.append(row_of, -1)
    for name in ("source", "target"):
        made[name] = place[_whole(events, name)]
    made["piece"] = _whole(events, "item")  # records have a method of the name item
    for name in ("parent", "artefact", "task"):
        made[name] = _whole(events, name)
    made["value"] = events["value"].fill_null(np.nan).to_numpy() if "value" in events.columns else 1.0
    return made


def _whole(events: pl.DataFrame, name: str) -> np.ndarray:
    if name not in events.columns or events[name].null_count() == events.height:
        return np.full(events.height, -1)
    return events[name].fill_null(-1).to_numpy().astype(np.int64)


def _stretched(times: np.ndarray, events: pl.DataFrame, duration: float) -> np.ndarray:
    """Times from just above 0 to ``duration``."""
    if events.height == 0:
        return np.asarray(times, dtype=np.float64)
    first, last = float(events["time"][0]), float(events["time"][-1])
    step = (last - first) / events.height if last > first else 1.0
    return np.asarray((times - first + step) / (last - first + step) * duration)


def _states(log: Log, *, row_of: np.ndarray, duration: float) -> pl.DataFrame | None:
    if log.states is None:
        return None
    import polars as pl

    place = np.append(row_of, -1)
    agent = place[log.states["agent"].fill_null(-1).to_numpy().astype(np.int64)]
    return log.states.with_columns(
        time=pl.Series(_stretched(log.states["time"].to_numpy(), log.events, duration)),
        agent=pl.Series([None if a < 0 else int(a) for a in agent], dtype=pl.Int64),
    )


def _reach(log: Log, *, row_of: np.ndarray) -> pl.DataFrame | None:
    """Who could be turned to, agents by row; None where the control world leaves it open."""
    if log.contacts is None:
        return None
    import polars as pl

    ends = {name: row_of[log.contacts[name].to_numpy().astype(np.int64)] for name in ("source", "target")}
    return log.contacts.with_columns(**{name: pl.Series(rows) for name, rows in ends.items()})


def sense(world: Any, agent: int) -> Any:
    """The view of an agent whose line has come."""
    line = world.script[min(world.count[ROUND], world.script.shape[0] - 1)]
    return ScriptView(line.target, line.value)


def happen(world: Any, minds: Any, rule: Any, log: Any, subject: int, time: float) -> None:
    """The line's agent acts, and the next line is due."""
    if world.agents[subject].muted == 0:
        decide(world, minds, rule, log, subject, time)
    else:
        world.script[world.count[ROUND]].seq = -1
    number = world.count[ROUND] + 1
    world.count[ROUND] = number
    if number < world.script.shape[0]:
        schedule(world, world.script[number].time, world.script[number].source)


def apply(world: Any, minds: Any, rule: Any, log: Any, agent: int, option: int, amount: float, time: float) -> None:
    """Leave the line's event; its parent is the event that the parent's line left."""
    line = world.script[world.count[ROUND]]
    parent = line.parent
    if parent >= 0:
        parent = world.script[parent].seq
    line.seq = emit(
        log, time, line.kind, agent, option, line.piece, parent, line.artefact, line.task, amount, 0.0, np.nan,
        np.uint64(0), np.nan,
    )  # fmt: skip
    world.sums[OWN_SUM] += 1.0


def tell(world: Any, minds: Any, rule: Any, log: Any) -> None:
    """Nothing is ever still to be told."""


def waiting(world: Any) -> bool:
    """Nothing is ever still to be told."""
    return False


def short(world: Any) -> bool:
    """There is always room."""
    return False


def acted(world: Any, log: Any) -> float:
    """Events of the script so far."""
    del log
    return float(world.sums[OWN_SUM])


def _words(name: str) -> str:
    """A world's summary as a few words."""
    summary = worlds.get(name).summary.rstrip(".")
    return summary[0].lower() + summary[1:]


scenarios.add("controls")(
    Scenario(
        name="controls",
        summary="Structures planted at a known strength, and look-alikes: what a detector has to tell apart.",
        semantics="event time",
        parameters=PARAMETERS,
        presets=PRESETS,
        default="random mixing",
        until=1000.0,
        rules=("script",),
        view=(
            Field("partner", "whom your next line names, or -1 for nobody"),
            Field("amount", "the amount that your next line names"),
        ),
        build=build,
        preset_words={name: _words(name) for name in PRESETS},
        notice=(
            "What was planted is found with its members; in the look-alikes nothing is called discovered but what they "
            "declare to hold: a two-way ring is no ring, and yet its agents play roles.",
        ),
        tries=("Lower strength until the structure is lost, and see whether the report says so.",),
        odd=__doc__ or "",
    )
)
