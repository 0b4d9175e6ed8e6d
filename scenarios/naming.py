"""Naming: pairs of agents agree, or fail to agree, on a word for one thing, until a whole population shares it.

Purpose and patterns: the minimal naming game on a complete graph (Baronchelli et al. 2006): words multiply, then one
spreads; consensus after about N^1.5 games. With a committed minority (Xie et al. 2011) a population that shares word 1
tips to word 0 when the committed are more than about a tenth.

Entities, state variables and scales: agents with an inventory of words; one thing to name. Time 1 is N games.

Process overview and scheduling: sequential random. In each game a random ordered pair is drawn; the speaker says a word;
if the hearer knows it both keep only that word, else the hearer adds it.

Design concepts: emergence (a shared convention), interaction (pairs), sensing (the word heard, whether it succeeded),
stochasticity (pairs keyed by game, words by agent), collectives (none), observation (one ``play`` event a game).

Initialisation: empty inventories, or with ``shared`` everybody knows word 1.

Input data: none.

Submodels: see ``agents.rules.minimal_naming``.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from sim.record.events import KIND_CODES
from sim.spec import Choice, Field, Heard, Param, ParameterError, Scenario, Value, scenarios
from sim.world.books import OWN_COUNT, ROUND
from sim.world.buffer import COUNTERS, DECIDED_BY, MODE, emit
from sim.world.contract import choose, learn, origin
from sim.world.draws import bits, scramble, stream
from sim.world.loops import RING
from sim.world.prefetch import CACHE_LINE, prefetch, prefetch_next
from sim.world.search import STRETCH
from sim.world.view import ACTOR, COINED, NO_CHOICE, PARTNER, Draws, invent, pick_below

PLAY, UNDECIDED = KIND_CODES["play"], KIND_CODES["undecided"]
PAIR = 1
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
# Places in World.count: what is full (bits MEMORY, TABLE), how many words were invented, and how many games succeeded.
TIGHT, COINED_SO_FAR, SUCCESSES = OWN_COUNT, OWN_COUNT + 1, OWN_COUNT + 2
MEMORY, TABLE = 1, 2
# Places of a memory at first, one of them for the count: with an agent's record they fill two cache lines, 11 words of them
# in the first. Later memories fill four, eight ... lines.
FIRST_WIDTH = 25
# What sets the stream of games apart, and 64 bits.
GAMES, MASK = 0x6A3E, 0xFFFFFFFFFFFFFFFF

PARAMETERS = (
    Param("agents", 200, "How many agents there are.", low=2, high=10_000_000),
    Param("words", 0, "Size of a common pool of words; 0 lets speakers invent new ones.", low=0, high=1_000_000),
    Param("committed", 0.0, "Share of agents that always say word 0.", low=0.0, high=1.0),
    Param("shared", False, "Everybody starts with word 1 of the pool instead of with an empty memory."),
    Param(
        "capacity",
        0,
        "Words an agent can remember, counted in eights; 0 picks enough for the size.",
        low=0,
        high=1_000_000,
    ),
)
PRESETS: dict[str, dict[str, Value]] = {
    "minimal": {},
    "pool": {"words": 2, "agents": 100},
    "committed": {"agents": 200, "words": 2, "committed": 0.12, "shared": True},
}


class World(NamedTuple):
    """Agents, their key order, the pairs of coming games, the words invented so far (payload ids), the pool and the books."""

    agents: Any
    order: Any
    pairs: Any
    coined: Any
    physics: Any
    count: Any
    sums: Any


class NamingView(NamedTuple):
    """What a player senses: whether it is committed, and the size of the common pool of words (0: invent)."""

    committed: Any
    pool: Any


class Outcome(NamedTuple):
    """The word of the game, and 1 when it succeeded (known to the speaker only)."""

    word: Any
    success: Any


def build(setup: Any) -> Any:
    """The world of the naming game."""
    from sim.world.loops import advance_sequence
    from sim.world.population import Built, new_agents

    n, words, share = int(setup["agents"]), int(setup["words"]), float(setup["committed"])
    if (share > 0 or setup["shared"]) and words < 2:
        raise ParameterError(
            "scenario 'naming': 'committed' and 'shared' need a pool of at least 2 words; set words=2."
        )
    agents = new_agents(setup, agents=n, extra=[("committed", "i1")], in_key_order=True)
    row_of = setup.row_of(n)
    physics = np.zeros(1, [("games", "u8"), ("pool", "i8"), ("turned", "i8")]).view(np.recarray)
    physics[0] = (stream(np.uint64((setup.seed & MASK) ^ GAMES), np.uint64(0)), words, setup.rows is not None)
    # The busiest inventory of a run stays below 4 sqrt(N) + 16 words in the minimal game; rooms grow up to there.
    capacity = int(setup["capacity"]) or (words if words else int(4 * n**0.5) + 16)
    width = min(width_for(capacity), FIRST_WIDTH)
    starts = {}
    agents["committed"][row_of[: round(share * n)]] = 1
    if setup["shared"]:
        inventory = np.zeros((n, width), np.int32)
        inventory[:, :2] = 1
        starts["words"] = inventory
    # A player of the minimal game invents at most once; others may do so more often, and the table grows.
    coined = np.zeros(n, np.int64)
    pairs = np.zeros((RING + 1, 2), np.uint64)
    books = np.zeros(16, np.int64), np.zeros(16)
    world = World(agents, row_of.astype(np.int32), pairs, coined, physics, *books)
    return Built(
        world=world,
        loop=advance_sequence,
        physics=PHYSICS,
        dims={"capacity": width},
        rule_values={},
        contacts=None,
        meters={"games": games, "successes": successes},
        starts=starts,
        bound=agents["committed"] == 1,
        grow=more_words,
        grow_minds=lambda world, minds: more_room(world, minds, capacity),
        side_by_side=True,
        severs=severs,
        joins=partial(joins, shared=bool(setup["shared"])),
        capacity=f"an agent knows more than {width_for(capacity) - 1} words; raise parameter 'capacity'",
    )


def width_for(capacity: int) -> int:
    """Places of a memory of ``capacity`` words or a few more: one for the count, and whole stretches to search."""
    return 1 + STRETCH * -(-capacity // STRETCH)


def sense(world: Any, agent: int) -> Any:
    """The view of a player."""
    return NamingView(world.agents[agent].committed, world.physics[0].pool)


def short(world: Any) -> bool:
    """True when somebody's memory or the table of words is full and has to grow before the next game."""
    return world.count[TIGHT] != 0


def more_words(world: Any) -> Any:
    """A table of twice as many invented words, when it is full."""
    if not world.count[TIGHT] & TABLE:
        return world
    world.count[TIGHT] &= MEMORY
    return world._replace(coined=np.concatenate([world.coined, np.zeros_like(world.coined)]))


def more_room(world: Any, minds: Any, capacity: int) -> Any:
    """Memories of twice the cache lines, up to ``capacity`` words, when one is full; None when they have that already."""
    if not world.count[TIGHT] & MEMORY:
        return minds
    width, most = minds["words"].shape[1], width_for(capacity)
    pool = int(world.physics["pool"][0])
    if width >= most and not 0 < pool <= capacity:
        return None
    world.count[TIGHT] = 0
    if width >= most:
        return minds
    from sim.world.population import Minds

    made = np.zeros((len(minds["words"]), min(most, 2 * width + 7)), np.int32)
    made[:, :width] = minds["words"]
    return Minds({**vars(minds), "words": made})


def pair_of(world: Any, number: int) -> tuple[int, int]:
    """Speaker and hearer of game ``number``, drawn by key.

    The halves of one draw, scaled to the two ranges: no agent is favoured by more than N / 2**32.
    """
    word = bits(world.physics[0].games, number, PAIR)
    n = np.uint64(world.agents.shape[0])
    a = np.int64(((word >> HALF) * n) >> HALF)
    b = np.int64(((word & LOW) * (n - np.uint64(1))) >> HALF)
    b += b >= a
    if world.physics[0].turned == 1:
        return np.int64(world.order[a]), np.int64(world.order[b])
    return a, b


def foresee(world: Any, minds: Any, number: int) -> None:
    """Note both players of a game to come, and prefetch them."""
    speaker, hearer = pair_of(world, number)
    world.pairs[number & RING, 0] = speaker
    world.pairs[number & RING, 1] = hearer
    # Behind the key, which no game reads; a hearer's memory is searched to its end, which may lie in a second line.
    prefetch(world.agents.stream, speaker)
    prefetch(world.agents.stream, hearer)
    if world.agents.strides[0] > CACHE_LINE:
        prefetch_next(world.agents.stream, hearer)


def number_of(world: Any, option: int) -> int:
    """The number under which memories hold the word ``option``: one that was just invented gets the next."""
    if option < COINED:
        return option
    number = world.count[COINED_SO_FAR]
    world.coined[number] = option
    number += 1
    world.count[COINED_SO_FAR] = number
    if number == world.coined.shape[0]:
        world.count[TIGHT] |= TABLE
    return number - 1


def payload_of(world: Any, word: int) -> int:
    """The payload id of word number ``word``: an invented one's stands in the table, a pool's is its number."""
    return world.coined[word] if world.physics[0].pool == 0 else word


def absent(world: Any, player: int) -> bool:
    """True for a player who takes part in no game: taken out, or cut off."""
    return (world.agents[player].muted | world.agents[player].severed) == 1


def severs(world: Any, moved: Any, shut: Any) -> None:
    """Cut off, an agent meets nobody: the games it is drawn for are not played; nothing else follows."""


def joins(world: Any, minds: Any, beside: int, *, shared: bool) -> Any:
    """A newcomer is committed where the agent beside it is, and knows what all knew at the start.

    Pairs are drawn by place in the order of keys, in which rows no longer stand.
    """
    world.agents["committed"][-1] = world.agents["committed"][beside]
    minds["words"][-1, :2] = int(shared)
    world.physics["turned"] = 1
    return world._replace(order=np.argsort(world.agents["key"]).astype(np.int32))


def parties(world: Any, number: int) -> tuple[int, int]:
    """Who decides in game ``number``, or -1, and who else may be changed by it."""
    speaker, hearer = pair_of(world, number)
    if absent(world, speaker) or absent(world, hearer):
        return -1, -1
    return speaker, hearer


def decider(world: Any, number: int) -> int:
    """Who decides in game ``number``; -1 where it is not played."""
    speaker, _ = parties(world, number)
    return speaker


def turn(world: Any, minds: Any, rule: Any, log: Any, number: int, time: float) -> None:
    """One game between the pair foreseen: speak, hear, and let both learn."""
    speaker, hearer = world.pairs[number & RING, 0], world.pairs[number & RING, 1]
    if absent(world, speaker) | absent(world, hearer):
        return
    me = world.agents[speaker]
    view = sense(world, speaker)
    option, _ = choose(view, minds[speaker], Draws(me.stream, me.decisions), rule[0])
    me.decisions += 1
    log.count[DECIDED_BY] = origin(minds[speaker])
    who, whom = np.int64(speaker), np.int64(hearer)
    if option == NO_CHOICE:
        # The game is void.
        emit(log, time, UNDECIDED, who, whom, -1, -1, -1, -1, np.nan, 0.0, np.nan, np.uint64(0), np.nan)
        log.count[DECIDED_BY] = 0
        return
    word = number_of(world, option)
    reply = learn(sense(world, hearer), minds[hearer], Outcome(word, 0), PARTNER, rule[0])
    success = 1 if reply > 0.0 else 0
    answer = learn(view, minds[speaker], Outcome(word, success), ACTOR, rule[0])
    if reply < 0.0 or answer < 0.0:
        world.count[TIGHT] |= MEMORY
    world.count[SUCCESSES] += success
    payload = -1 if log.keep[MODE] == COUNTERS else payload_of(world, word)
    emit(log, time, PLAY, who, whom, -1, -1, payload, -1, float(success), 0.0, np.nan, np.uint64(0), np.nan)
    log.count[DECIDED_BY] = 0


# Pools up to this size are offered whole to minds that read; of larger ones what is remembered and one more.
SHOWN_POOL = 26
NEW = 2
SOUNDS = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


def note(outcome: Any) -> tuple[int, float, int]:
    """What a mind with a memory keeps of a game: the word and whether it succeeded."""
    return outcome.word, float(outcome.success), -1


@lru_cache(maxsize=1 << 16)
def spoken(word: int) -> str:
    """A word as it sounds: the same for everybody, without meaning or order."""
    mixed = int(scramble(np.uint64(word)))
    return "".join(SOUNDS[(mixed >> shift) % len(SOUNDS)] for shift in (0, 16, 32))


def options(view: Any, memory: Any, draws: Any) -> list[Choice]:
    """The words remembered, or the whole pool where it is small; and a word that nobody else has thought of."""
    known: dict[int, list[float]] = {}
    for heard in memory:
        known.setdefault(heard.code, []).append(heard.value)
    if 0 < view.pool <= SHOWN_POOL:
        known = {word: known.get(word, []) for word in range(view.pool)}
    made = [
        Choice(word, f"say '{spoken(word)}'", features={"times": len(went), "worked": sum(went)})
        for word, went in sorted(known.items())
    ]
    if view.pool == 0:
        made.append(Choice(int(invent(draws, NEW)), "say a word that nobody has used yet", features={"new": 1}))
    elif view.pool > SHOWN_POOL:
        word = int(pick_below(draws, NEW, view.pool))
        made.append(Choice(word, "say another word of those there are", features={"new": 1}))
    return made


def told(heard: Heard, view: Any) -> str:
    """One game, as the speaker or the hearer remembers it."""
    word = spoken(heard.code)
    if heard.part == ACTOR:
        return f"You said '{word}', and the other {'knew it' if heard.value > 0 else 'did not know it'}."
    return f"Another said '{word}' to you."


PHYSICS = {
    "turn": turn, "foresee": foresee, "sense": sense, "short": short, "decider": decider, "parties": parties, "note": note,
}  # fmt: skip


def games(world: Any, log: Any) -> float:
    """Games played."""
    del log
    return float(world.count[ROUND])


def successes(world: Any, log: Any) -> float:
    """Games that succeeded."""
    del log
    return float(world.count[SUCCESSES])


scenarios.add("naming")(
    Scenario(
        name="naming",
        summary="Pairs name one thing; a shared convention appears, or a committed minority overturns one.",
        semantics="sequential random",
        parameters=PARAMETERS,
        presets=PRESETS,
        default="minimal",
        until=150.0,
        rules=("minimal_naming",),
        view=(
            Field("committed", "1 when you always say the same word"),
            Field("pool", "how many words there are to choose from, 0 when you may invent one"),
        ),
        build=build,
        preset_words={
            "minimal": "words are invented; one of them wins",
            "pool": "two words compete from the start",
            "committed": "twelve in a hundred never change their mind",
        },
        notice=(
            "Words pile up first: at the peak there are about half as many different words as agents.",
            "Success stays rare for long and then rises steeply.",
        ),
        options=options,
        told=told,
        tries=("Set committed to 0.06 and to 0.12: the first never tips.",),
        odd=__doc__ or "",
    )
)
