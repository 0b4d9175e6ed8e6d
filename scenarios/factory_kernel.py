"""The physics of the factory: arrivals, service, what each choice does to an item, and how outcomes travel back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.record.events import KIND_CODES
from sim.world.books import NOW, OWN_SUM, PENDING
from sim.world.buffer import emit
from sim.world.clock import schedule
from sim.world.contract import decide, learn
from sim.world.draws import below, exponential, stream, unit
from sim.world.prefetch import prefetch
from sim.world.view import (
    ACTOR,
    DO,
    DRAFT,
    DROP,
    ESCALATE,
    HAND,
    HOLD,
    OPEN,
    PART,
    REJECT,
    REVIEW,
    VERBS,
    WHOLE,
)
from sim.world.work import (
    FLAW,
    HOP_ROOM,
    INSPECT,
    NOBODY,
    OWN_COUNT_WORK,
    ROOM,
    bit_count,
    dequeue,
    draw_origin,
    drift,
    enqueue,
    free_item,
    item_stream,
    lose,
    normalise,
    pop_hop,
    push_hop,
    similarity,
    take_item,
)

ARRIVE, WORK, HANDOFF = KIND_CODES["arrive"], KIND_CODES["work"], KIND_CODES["handoff"]
REVIEWED, REWORK, REJECTED = KIND_CODES["review"], KIND_CODES["rework"], KIND_CODES["reject"]
ESCALATED, DELIVER, DROPPED = KIND_CODES["escalate"], KIND_CODES["deliver"], KIND_CODES["drop"]
HELD, ASSEMBLE, APPROVE = KIND_CODES["hold"], KIND_CODES["assemble"], KIND_CODES["approve"]
FAIL, ASK = KIND_CODES["fail"], KIND_CODES["ask"]

# Purposes of an agent's draws that belong to the physics; rules use purposes below 100.
SERVICE, GLANCE = 100, 101
# Purposes of an arrival's draws, and what sets its stream apart.
ARRIVAL = 0xA551
GAP, TYPE, ENTRY = 1, 2, 3

# Places in World.count: the first of the items whose outcome is still to be told, and the arrivals so far.
TOLD, ARRIVALS = OWN_COUNT_WORK, OWN_COUNT_WORK + 1
# Places in World.sums.
IN_SYSTEM, DELIVERED, LOST, LATENCY, KEPT, COSINE, QUALITY, HOPS, SERVICES = range(OWN_SUM, OWN_SUM + 9)

PARTS_MAX = 16


PHYSICS = np.dtype(
    [
        ("seed", "u8"), ("types", "i8"), ("stages", "i8"), ("parts", "i8"), ("bits", "i8"), ("rate", "f8"),
        ("service_rate", "f8"), ("defect", "f8"), ("catch", "f8"), ("false_alarm", "f8"), ("loss_rate", "f8"),
        ("noise", "f8"), ("service_cost", "f8"), ("message_cost", "f8"), ("look", "i8"), ("feedback", "i8"),
        ("reward_share", "f8"), ("practice", "f8"), ("bench", "f8"), ("max_hops", "i8"), ("trails", "i8"),
        ("vectors", "i8"),
    ]
)  # fmt: skip


class World(NamedTuple):
    """Everything there is.

    ``proficiency`` is (agents, types + 1), its last column for assembly. The neighbours of agent i are
    ``neighbour[start[i]:start[i + 1]]``, in the order of their keys. ``vector`` and
    ``origin`` (items, dimension) are unit vectors. ``entries`` are the agents where items arrive, ``mix`` the cumulated
    shares of task types. ``asked`` is what the agent now deciding heard from its neighbours, -1 where it did not ask;
    ``unasked`` is -1 throughout.
    """

    agents: Any
    proficiency: Any
    start: Any
    neighbour: Any
    items: Any
    vector: Any
    origin: Any
    hops: Any
    clock: Any
    physics: Any
    entries: Any
    mix: Any
    asked: Any
    unasked: Any
    count: Any
    sums: Any


class FactoryView(NamedTuple):
    """What the holder of an item senses after serving it; the words for each field are in ``scenarios.factory``."""

    task: Any
    stage: Any
    proficiency: Any
    last: Any
    hops: Any
    came: Any
    found: Any
    waiting: Any
    width: Any
    asked: Any


class Outcome(NamedTuple):
    """What a party hears about an item it passed: its task then, the option taken, the reward, 1 or 0 for good or bad."""

    task: Any
    option: Any
    reward: Any
    good: Any


def sense(world: Any, agent: int) -> Any:
    """The view of ``agent`` on the item it has just served."""
    row = np.int64(world.agents[agent].serving)
    items = world.items
    found = -1
    if items[row].inspect == 1:
        name = item_stream(world.physics[0].seed, items[row].number)
        threshold = world.physics[0].catch if items[row].flawed == 1 else world.physics[0].false_alarm
        found = 1 if unit(name, np.int64(items[row].hops), INSPECT) < threshold else 0
    task = np.int64(items[row].task)
    return FactoryView(
        task,
        np.int64(items[row].stage),
        world.proficiency[agent, task],
        1 if items[row].done + 1 >= world.physics[0].stages else 0,
        np.int64(items[row].hops),
        1 if items[row].trail != NOBODY else 0,
        found,
        np.int64(world.agents[agent].length),
        world.start[agent + 1] - world.start[agent],
        world.asked,
    )


def recall(world: Any, agent: int, task: int) -> Any:
    """The view of ``agent`` when it hears of an outcome: itself as it is now, and the task it is about."""
    width = world.start[agent + 1] - world.start[agent]
    waiting = np.int64(world.agents[agent].length)
    return FactoryView(task, OPEN, world.proficiency[agent, task], 0, 0, 0, -1, waiting, width, world.unasked)


def short(world: Any) -> bool:
    """True when items, hop records or the clock have too little room for one more step."""
    room = world.clock.shape[0] - world.count[PENDING]
    return world.count[ROOM] < PARTS_MAX + 2 or world.count[HOP_ROOM] < 4 or room < 8


def waiting(world: Any) -> bool:
    """True while an outcome is still to be told to somebody."""
    return world.count[TOLD] != NOBODY


def happen(world: Any, minds: Any, rule: Any, log: Any, subject: int, time: float) -> None:
    """An arrival (subject N), the end of a service (subject below N), or the end of a part's patience (above N)."""
    agents = world.agents.shape[0]
    foresee(world)
    if subject < agents:
        world.agents[subject].served += 1
        world.sums[SERVICES] += 1.0
        if world.physics[0].look > 0:
            glance(world, log, subject, time)
        decide(world, minds, rule, log, subject, time)
        if world.physics[0].look > 0:
            forget_answers(world, subject)
        if world.agents[subject].serving == NOBODY and world.agents[subject].length > 0:
            begin(world, subject, time)
    elif subject == agents:
        arrive(world, log, time)
    else:
        row = subject - agents - 1
        if world.items[row].alarm == time and world.items[row].stage == PART:
            leave_bench(world, row)
            receive(world, np.int64(world.items[row].holder), row, time)


def foresee(world: Any) -> None:
    """Prefetch what the next moments will touch; changes nothing."""
    agents = world.agents.shape[0]
    for place in range(1, min(5, world.count[PENDING])):
        soon = world.clock[place].subject
        if soon < agents:
            prefetch(world.agents, soon)
    following = world.clock[0].subject
    if world.count[PENDING] > 0 and following < agents:
        row = np.int64(world.agents[following].serving)
        prefetch(world.proficiency, following)
        prefetch(world.start, following)
        if row != NOBODY:
            prefetch(world.items, row)
            prefetch(world.vector, row)
            prefetch(world.origin, row)


def glance(world: Any, log: Any, agent: int, time: float) -> None:
    """Ask ``look`` randomly chosen neighbours for the length of their queues."""
    first = world.start[agent]
    width = world.start[agent + 1] - first
    if width == 0:
        return
    count = world.agents[agent].decisions
    for n in range(world.physics[0].look):
        slot = below(world.agents[agent].stream, count * 64 + n, GLANCE, width)
        other = np.int64(world.neighbour[first + slot])
        length = float(world.agents[other].length) + (1.0 if world.agents[other].serving != NOBODY else 0.0)
        world.asked[slot] = length
        emit(log, time, ASK, agent, other, -1, -1, -1, -1, length, 0.0, np.nan, np.uint64(0), np.nan)


def forget_answers(world: Any, agent: int) -> None:
    """What one agent heard is not there when the next one decides."""
    for slot in range(world.start[agent + 1] - world.start[agent]):
        world.asked[slot] = -1.0


def arrive(world: Any, log: Any, time: float) -> None:
    """One item arrives at an entry agent; its parts arrive with it; the next arrival is scheduled."""
    physics = world.physics[0]
    name = stream(np.uint64(physics.seed) ^ np.uint64(ARRIVAL), np.uint64(world.count[ARRIVALS]))
    world.count[ARRIVALS] += 1
    schedule(world, time + exponential(name, 1, GAP, physics.rate), world.agents.shape[0])
    u = unit(name, 0, TYPE)
    task = 0
    while task < physics.types - 1 and u >= world.mix[task]:
        task += 1
    agent = np.int64(world.entries[below(name, 0, ENTRY, world.entries.shape[0])])
    row = new_item(world, agent, task, time)
    world.sums[IN_SYSTEM] += 1.0
    seq = emit_item(world, log, time, ARRIVE, agent, -1, row, -1, np.nan, 0.0, np.nan)
    world.items[row].cause = seq
    if physics.parts == 1:
        receive(world, agent, row, time)
        return
    world.items[row].stage = WHOLE
    world.items[row].siblings = physics.parts
    for n in range(physics.parts):
        part = new_item(world, agent, (task + n) % physics.types, time)
        world.items[part].whole = row
        for j in range(world.vector.shape[1]):
            world.vector[part, j] = world.vector[row, j]
            world.origin[part, j] = world.origin[row, j]
        world.sums[IN_SYSTEM] += 1.0
        world.items[part].cause = emit_item(world, log, time, ARRIVE, agent, -1, part, seq, np.nan, 0.0, np.nan)
        receive(world, agent, part, time)


def new_item(world: Any, agent: int, task: int, time: float) -> int:
    """A fresh item with all requirements present and a random direction."""
    items = world.items
    row = take_item(world)
    items[row].task = task
    items[row].first = task
    items[row].stage = OPEN
    items[row].done = 0
    items[row].flawed = 0
    items[row].inspect = 0
    bits = world.physics[0].bits
    items[row].requirements = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits)
    if world.physics[0].vectors == 1:
        draw_origin(world, row, item_stream(world.physics[0].seed, items[row].number))
    items[row].holder = agent
    items[row].hops = 0
    items[row].entered = time
    items[row].trail = NOBODY
    items[row].cause = -1
    items[row].whole = NOBODY
    items[row].siblings = 0
    items[row].alarm = -1.0
    return row


def emit_item(
    world: Any, log: Any, time: float, kind: int, source: int, target: int, row: int, parent: int, value: float,
    cost: float, duration: float,
) -> int:  # fmt: skip
    """Record an event about the item in ``row`` as it is now."""
    items = world.items
    alike = similarity(world, row) if world.physics[0].vectors == 1 else 1.0
    number = items[row].number
    bits = items[row].requirements
    return emit(
        log,
        time,
        kind,
        source,
        target,
        number,
        parent,
        -1,
        np.int64(items[row].task),
        value,
        cost,
        duration,
        bits,
        alike,
    )


def receive(world: Any, agent: int, row: int, time: float) -> None:
    """The item joins the agent's queue; an idle agent begins at once."""
    enqueue(world, agent, row)
    if world.agents[agent].serving == NOBODY:
        begin(world, agent, time)


def begin(world: Any, agent: int, time: float) -> None:
    """Begin the service of the next item, unless the agent is muted."""
    if world.agents[agent].muted == 1:
        return
    row = dequeue(world, agent)
    world.agents[agent].serving = row
    world.items[row].began = time
    name = world.agents[agent].stream
    span = exponential(name, world.agents[agent].decisions, SERVICE, world.physics[0].service_rate)
    schedule(world, time + span, agent)


def wake(world: Any, agent: int, time: float) -> None:
    """Let an agent that was muted take up its queue again."""
    if world.agents[agent].serving == NOBODY and world.agents[agent].length > 0:
        begin(world, agent, time)


def apply(world: Any, minds: Any, rule: Any, log: Any, agent: int, option: int, amount: float, time: float) -> None:
    """What the holder's choice does; a choice that is not open to it leaves the item in its own queue."""
    items = world.items
    row = np.int64(world.agents[agent].serving)
    world.agents[agent].serving = NOBODY
    verb = option % VERBS
    slot = option // VERBS
    first = world.start[agent]
    reach = slot < world.start[agent + 1] - first
    stage = items[row].stage
    tired = world.physics[0].max_hops > 0 and items[row].hops >= world.physics[0].max_hops
    if verb == DROP or (tired and verb != DO):
        leave(world, minds, rule, log, agent, row, DROPPED, time)
    elif verb == DO and stage != PART:
        finish(world, minds, rule, log, agent, row, time)
    elif verb == REVIEW and reach and stage == OPEN and items[row].done + 1 >= world.physics[0].stages:
        labour(world, agent, row)
        report_work(world, log, agent, row, time)
        items[row].stage = DRAFT
        transfer(world, log, agent, np.int64(world.neighbour[first + slot]), row, REVIEWED, option, time)
    elif (verb == HAND or verb == ESCALATE) and reach:
        kind = HANDOFF if verb == HAND else ESCALATED
        transfer(world, log, agent, np.int64(world.neighbour[first + slot]), row, kind, option, time)
    elif verb == REJECT and items[row].trail != NOBODY:
        give_back(world, minds, rule, log, agent, row, time)
    elif (verb == HOLD or verb == DO) and stage == PART:
        wait_for_siblings(world, minds, rule, log, agent, row, time)
    else:
        enqueue(world, agent, row)


def labour(world: Any, agent: int, row: int) -> None:
    """One stage of work by ``agent``: poor proficiency and bad luck leave a hidden flaw; practice makes better."""
    items = world.items
    task = np.int64(items[row].task)
    skill = world.proficiency[agent, task]
    name = item_stream(world.physics[0].seed, items[row].number)
    if unit(name, items[row].hops * 64 + items[row].done, FLAW) >= skill * (1.0 - world.physics[0].defect):
        items[row].flawed = 1
    items[row].done += 1
    practice = world.physics[0].practice
    if practice <= 0.0:
        return
    for other in range(world.physics[0].types):
        now = world.proficiency[agent, other]
        if other == task:
            world.proficiency[agent, other] = now + practice * (1.0 - now)
        else:
            world.proficiency[agent, other] = now - now * practice / (2.0 * world.physics[0].types)


def report_work(world: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Record a stage of work that leaves the item with its holder, or goes before a review."""
    items = world.items
    span = time - items[row].began
    skill = world.proficiency[agent, items[row].task]
    cost = world.physics[0].service_cost
    items[row].cause = emit_item(world, log, time, WORK, agent, -1, row, items[row].cause, skill, cost, span)
    items[row].began = time


def finish(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Do the next stage, or sign off a draft; the last stage of a whole item delivers it."""
    items = world.items
    if items[row].stage == DRAFT:
        leave(world, minds, rule, log, agent, row, DELIVER, time)
        return
    labour(world, agent, row)
    final = items[row].done >= world.physics[0].stages
    if final and items[row].whole == NOBODY:
        leave(world, minds, rule, log, agent, row, DELIVER, time)
        return
    report_work(world, log, agent, row, time)
    if final:
        items[row].stage = PART
        items[row].task = world.physics[0].types
    else:
        items[row].task = (items[row].first + items[row].done) % world.physics[0].types
    enqueue(world, agent, row)


def transfer(world: Any, log: Any, agent: int, target: int, row: int, kind: int, option: int, time: float) -> None:
    """The item travels: requirements may be lost, its meaning drifts, its new holder queues it."""
    items = world.items
    physics = world.physics[0]
    hop = np.int64(items[row].hops)
    if physics.trails == 1:
        push_hop(world, row, agent, option, np.int64(items[row].task))
    name = item_stream(physics.seed, items[row].number)
    items[row].requirements = lose(items[row].requirements, physics.bits, name, hop, physics.loss_rate)
    if physics.noise > 0.0:
        drift(world, row, name, hop + 1, physics.noise)
    items[row].hops = hop + 1
    items[row].inspect = 1 if kind == REVIEWED else 0
    worked = kind == REVIEWED
    cost = physics.message_cost + (0.0 if worked else physics.service_cost)
    span = 0.0 if worked else time - items[row].began
    cause = items[row].cause
    items[row].cause = emit_item(world, log, time, kind, agent, target, row, cause, float(hop), cost, span)
    receive(world, target, row, time)


def give_back(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Return the item to whoever sent it: a draft for rework, an open item refused; the sender takes note."""
    items = world.items
    place = np.int64(items[row].trail)
    sender = np.int64(world.hops[place].agent)
    option = np.int64(world.hops[place].option)
    task = np.int64(world.hops[place].task)
    kind = REJECTED
    if items[row].stage == DRAFT:
        kind = REWORK
        items[row].stage = OPEN
        items[row].done -= 1
        items[row].flawed = 0
        items[row].task = (items[row].first + items[row].done) % world.physics[0].types
    transfer(world, log, agent, sender, row, kind, option, time)
    pop_hop(world, row)
    pop_hop(world, row)
    if world.physics[0].feedback == 1:
        learn(recall(world, sender, task), minds[sender], Outcome(task, option, 0.0, 0.0), ACTOR, rule[0])


def leave(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, kind: int, time: float) -> None:
    """The item goes out of the system, delivered or dropped, and its outcome starts its way back."""
    items = world.items
    physics = world.physics[0]
    kept = bit_count(items[row].requirements) / physics.bits
    quality = kept * (1.0 - items[row].flawed) if kind == DELIVER else 0.0
    span = time - items[row].began
    # The service in which a whole was assembled is charged to the part that completed it.
    cost = 0.0 if items[row].stage == WHOLE else physics.service_cost
    seq = emit_item(world, log, time, kind, agent, -1, row, items[row].cause, quality, cost, span)
    world.sums[IN_SYSTEM] -= 1.0
    world.sums[HOPS] += items[row].hops
    if kind == DELIVER:
        world.sums[DELIVERED] += 1.0
        world.sums[LATENCY] += time - items[row].entered
        world.sums[KEPT] += kept
        world.sums[QUALITY] += quality
        world.sums[COSINE] += similarity(world, row) if physics.vectors == 1 else 1.0
    else:
        world.sums[LOST] += 1.0
    good = 1 if kind == DELIVER and items[row].flawed == 0 else 0
    if items[row].stage == WHOLE:
        free_item(world, row)
        return
    settle_account(world, minds, rule, agent, row, good, seq)
    if items[row].whole != NOBODY:
        spoil(world, log, agent, np.int64(items[row].whole), seq, time)


def settle_account(world: Any, minds: Any, rule: Any, agent: int, row: int, good: int, seq: int) -> None:
    """Let the last holder learn at once and put the item on the list of outcomes to tell; without feedback forget it."""
    items = world.items
    if world.physics[0].feedback == 0:
        while items[row].trail != NOBODY:
            pop_hop(world, row)
        free_item(world, row)
        return
    task = np.int64(items[row].task)
    option = HOLD if items[row].stage == PART else DO
    outcome = Outcome(task, option, float(good), float(good))
    learn(recall(world, agent, task), minds[agent], outcome, ACTOR, rule[0])
    items[row].flawed = 1 - good
    items[row].holder = agent
    items[row].cause = seq
    items[row].alarm = 0.0
    items[row].link = world.count[TOLD]
    world.count[TOLD] = row


def tell(world: Any, minds: Any, rule: Any, log: Any) -> None:
    """Tell the outcome of one item one hop further back; who hears it learns. Forget the item at the end of its trail."""
    items = world.items
    row = world.count[TOLD]
    place = np.int64(items[row].trail)
    if place == NOBODY:
        world.count[TOLD] = items[row].link
        free_item(world, row)
        return
    teller = np.int64(items[row].holder)
    target = np.int64(world.hops[place].agent)
    option = np.int64(world.hops[place].option)
    task = np.int64(world.hops[place].task)
    pop_hop(world, row)
    items[row].alarm += 1.0
    distance = items[row].alarm
    share = world.physics[0].reward_share
    good = 1.0 - items[row].flawed
    reward = good * ((1.0 - share) * (1.0 if distance == 1.0 else 0.0) + share / distance)
    kind = APPROVE if good > 0.0 else FAIL
    now = world.sums[NOW]
    number = items[row].number
    cause = items[row].cause
    items[row].cause = emit(
        log, now, kind, teller, target, number, cause, -1, task, reward, 0.0, np.nan, np.uint64(0), np.nan
    )
    items[row].holder = target
    learn(recall(world, target, task), minds[target], Outcome(task, option, reward, good), ACTOR, rule[0])


def wait_for_siblings(world: Any, minds: Any, rule: Any, log: Any, agent: int, row: int, time: float) -> None:
    """Put a finished part on the agent's bench; when all its siblings lie there too, assemble and deliver the whole."""
    items = world.items
    whole = np.int64(items[row].whole)
    if items[whole].stage != WHOLE:
        leave(world, minds, rule, log, agent, row, DROPPED, time)
        return
    span = time - items[row].began
    items[row].cause = emit_item(
        world, log, time, HELD, agent, -1, row, items[row].cause, np.nan, world.physics[0].service_cost, span
    )
    items[row].holder = agent
    items[row].link = items[whole].trail
    items[whole].trail = row
    here = 0
    part = row
    while part != NOBODY:
        if items[part].holder == agent:
            here += 1
        part = np.int64(items[part].link)
    if here == items[whole].siblings:
        assemble(world, minds, rule, log, agent, whole, time)
        return
    items[row].alarm = time + world.physics[0].bench
    schedule(world, items[row].alarm, world.agents.shape[0] + 1 + row)


def leave_bench(world: Any, row: int) -> None:
    """Take a part off the list of its whole's benched parts: its holder has waited long enough."""
    items = world.items
    whole = np.int64(items[row].whole)
    items[row].alarm = -1.0
    if items[whole].stage != WHOLE:
        return
    part = np.int64(items[whole].trail)
    if part == row:
        items[whole].trail = items[row].link
        return
    while items[part].link != row:
        part = np.int64(items[part].link)
    items[part].link = items[row].link


def assemble(world: Any, minds: Any, rule: Any, log: Any, agent: int, whole: int, time: float) -> None:
    """Join the parts: what all of them kept, the mean of their meanings, flawed if one of them is; then deliver."""
    items = world.items
    part = np.int64(items[whole].trail)
    items[whole].trail = NOBODY
    items[whole].flawed = 0
    items[whole].began = time
    dimension = world.vector.shape[1]
    for j in range(dimension):
        world.vector[whole, j] = 0.0
    seq = items[part].cause
    ends = part
    while part != NOBODY:
        items[whole].requirements = items[whole].requirements & items[part].requirements
        items[whole].flawed = max(items[whole].flawed, items[part].flawed)
        items[whole].hops += items[part].hops
        for j in range(dimension):
            world.vector[whole, j] += world.vector[part, j]
        items[part].alarm = -1.0
        world.sums[IN_SYSTEM] -= 1.0
        part = np.int64(items[part].link)
    if world.physics[0].vectors == 1:
        normalise(world, whole)
    seq = emit_item(world, log, time, ASSEMBLE, agent, -1, whole, seq, np.nan, 0.0, 0.0)
    items[whole].cause = seq
    good = 1 - items[whole].flawed
    part = ends
    while part != NOBODY:
        following = np.int64(items[part].link)
        items[part].whole = NOBODY
        settle_account(world, minds, rule, agent, part, good, seq)
        part = following
    leave(world, minds, rule, log, agent, whole, DELIVER, time)


def spoil(world: Any, log: Any, agent: int, whole: int, seq: int, time: float) -> None:
    """A part was lost: its whole cannot be delivered any more, and is dropped with the last of its parts."""
    items = world.items
    items[whole].stage = OPEN
    items[whole].siblings -= 1
    if items[whole].siblings == 0:
        emit_item(world, log, time, DROPPED, agent, -1, whole, seq, 0.0, 0.0, np.nan)
        world.sums[IN_SYSTEM] -= 1.0
        world.sums[LOST] += 1.0
        free_item(world, whole)
