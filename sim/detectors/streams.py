"""A stream of handoffs: the work of one task type as links between agents, with the roles read off behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.detectors.core import Portrait
from sim.detectors.measures import flow_hierarchy, order, trophic_levels
from sim.detectors.window import NONE, Bools, Floats, Ints, Window
from sim.record.events import KINDS

LEAST_SENT = 3  # handoffs from which an agent's main receiver is taken seriously
FINISHES = 0.5  # share of an agent's items that it finishes, from which it is a finisher
LEAST_EXITS = 0.02  # share of all items finished, below which finishing is incidental
ONE_STEP, ENTRY = 0.7, 0.6  # shares of flow to the next stage, and of entries at the first, that make a pipeline
HARDLY_A_CHOICE = 1.2  # contacts per giver
ALL = -1


@dataclass(frozen=True)
class Stream:
    """Links of one stream, each once: giver, taker and count of handoffs, shape (links,)."""

    n: int
    giver: Ints
    taker: Ints
    count: Floats


# Agents that hand on or receive but from whom no finisher is ever reached.
UNSETTLED = "unsettled"


def forward(window: Window) -> Bools:
    """Rows that pass an item on to another agent and do not merely answer (returns and rework cancel direction)."""
    passes = window.of_class("transfers") & ~window.of_class("replies")
    return np.asarray(passes & (window.target >= 0) & (window.source != window.target))


def declared(window: Window) -> bool:
    """False when no event of a declared kind starts a contact, so that every contact of an unknown kind has to count."""
    return bool(_starts(window).any())


def initiated(window: Window) -> Bools:
    """Rows by which an agent starts something with another without passing an item on.

    In a log none of whose kinds is declared to start anything, all contacts of undeclared kinds: replies among them
    cannot be told apart then.
    """
    starts = _starts(window)
    if starts.any():
        return starts
    strange = np.array([kind not in KINDS for kind in window.kinds], dtype=bool)
    contact = (window.target >= 0) & (window.source != window.target)
    return np.asarray(contact & strange[window.kind]) if window.rows else contact


def _starts(window: Window) -> Bools:
    starts = window.of_class("initiates") & ~window.of_class("transfers") & ~window.of_class("replies")
    return np.asarray(starts & (window.target >= 0) & (window.source != window.target))


def of(window: Window, key: int) -> Stream:
    """The stream of one task type, or of all work for ALL."""
    rows = forward(window) & ((window.task == key) | (key == ALL))
    pair, count = np.unique(window.source[rows] * window.n + window.target[rows], return_counts=True)
    giver, taker = np.divmod(pair, max(window.n, 1))
    return Stream(window.n, giver, taker, count.astype(np.float64))


def main_links(stream: Stream) -> set[tuple[int, int]]:
    """Each agent's most frequent receiver, for agents with at least LEAST_SENT handoffs."""
    receiver = _main_receiver(stream)
    return {(int(i), int(receiver[i])) for i in np.flatnonzero(receiver >= 0)}


def _main_receiver(stream: Stream) -> Ints:
    sent = np.bincount(stream.giver, weights=stream.count, minlength=stream.n)
    found = np.full(stream.n, NONE, dtype=np.int64)
    by_count = np.argsort(stream.count, kind="stable")  # the largest is written last
    found[stream.giver[by_count]] = stream.taker[by_count]
    found[sent < LEAST_SENT] = NONE
    return found


def _of_stream(window: Window, kind_class: str, key: int) -> Floats:
    rows = window.of_class(kind_class) & ((window.task == key) | (key == ALL))
    return np.bincount(window.source[rows], minlength=window.n).astype(np.float64)


def finishers(window: Window, stream: Stream, key: int) -> Ints:
    """Agents who finish most of what they hold: items leave there, or come in and are not passed on."""
    sent = np.bincount(stream.giver, weights=stream.count, minlength=stream.n)
    taken = np.bincount(stream.taker, weights=stream.count, minlength=stream.n)
    left = _of_stream(window, "leaves", key)
    if left.sum() == 0:
        left = np.maximum(taken - sent, 0.0)
    held = left + sent
    return np.flatnonzero((held > 0) & (left >= FINISHES * held) & (left >= LEAST_EXITS * left.sum()))


def steps_to_finish(window: Window, stream: Stream, key: int) -> Ints:
    """Steps along main receivers to a finisher, per agent; NONE where that way never ends."""
    receiver = _main_receiver(stream)
    steps = np.full(stream.n, NONE, dtype=np.int64)
    front = finishers(window, stream, key)
    distance = 0
    while len(front):
        steps[front] = distance
        distance += 1
        front = np.flatnonzero((steps == NONE) & (receiver >= 0) & np.isin(receiver, front))
    return steps


def shape(window: Window, stream: Stream, key: int) -> str:
    """``pipeline`` or ``hierarchy``.

    A pipeline: work enters at a first stage, the one farthest from the finishers, and moves mostly one stage at a time
    through three or more. A hierarchy: work comes in anywhere and is drawn together towards the finishers.
    """
    steps = steps_to_finish(window, stream, key)
    known = (steps[stream.giver] >= 0) & (steps[stream.taker] >= 0)
    if steps.max(initial=0) < 2 or not known.any():
        return "hierarchy"
    climbs = steps[stream.giver] - steps[stream.taker]
    one_step = stream.count[known & (climbs == 1)].sum() / stream.count.sum()
    entered = _entered(window, stream, key)
    first = entered[steps == steps.max()].sum() / max(entered.sum(), 1.0)
    return "pipeline" if one_step >= ONE_STEP and first >= ENTRY else "hierarchy"


def _entered(window: Window, stream: Stream, key: int) -> Floats:
    """Items that entered at each agent; what it gave more than it took where the log has no entries."""
    entered = _of_stream(window, "enters", key)
    if entered.sum() > 0:
        return entered
    taken = np.bincount(stream.taker, weights=stream.count, minlength=stream.n)
    sent = np.bincount(stream.giver, weights=stream.count, minlength=stream.n)
    return np.asarray(np.maximum(sent - taken, 0.0), dtype=np.float64)


def portrait(window: Window, key: int) -> Portrait:
    """Members, roles, flows and facts of a stream in the stretch of events given."""
    stream = of(window, key)
    members = np.unique(np.concatenate([stream.giver, stream.taker]))
    ends = finishers(window, stream, key)
    roles, functions = _roles(window, stream, key, members)
    rows = window.of_class("transfers") & (window.target >= 0) & ((window.task == key) | (key == ALL))
    tasks = None if key == ALL else (key,)
    facts: dict[str, Any] = {
        "finishers": [window.agents[a] for a in ends],
        "chain": _chain(roles),
        "functions": functions,
        "flow_hierarchy": flow_hierarchy(stream.n, stream.giver, stream.taker, stream.count),
        "coherence": order(stream.n, stream.giver, stream.taker, stream.count),
        "handoffs": int(stream.count.sum()),
        "tasks": tasks,
    }
    return Portrait(members, roles, rows & np.isin(window.source, members) & np.isin(window.target, members), facts)


def _chain(roles: Mapping[str, Ints]) -> str:
    """The stages in order with how many agents each has; those who belong to none come last, apart."""
    settled = " → ".join(f"{name} ({len(agents)})" for name, agents in roles.items() if name != UNSETTLED)
    return settled + (f", besides {len(roles[UNSETTLED])} unsettled" if UNSETTLED in roles else "")


def _roles(window: Window, stream: Stream, key: int, members: Ints) -> tuple[dict[str, Ints], dict[str, str]]:
    """Agents equally far from the end share a role, named after what they mostly do; the first stage comes first."""
    does, level = _doings(window, stream, key), steps_to_finish(window, stream, key)
    groups = [members[level[members] == k] for k in sorted(set(level[members].tolist()) - {NONE}, reverse=True)]
    adrift = members[level[members] == NONE]
    named = [_function(group, does, last=k == len(groups) - 1) for k, group in enumerate(groups)]
    roles: dict[str, Ints] = {}
    for k, (group, function) in enumerate(zip(groups, named, strict=True)):
        repeated = named.count(function) > 1
        roles[f"{function} {len(groups) - 1 - k}" if repeated else function] = group
    functions = dict(zip(roles, named, strict=True))
    if len(adrift):
        roles[UNSETTLED] = adrift
    return roles, functions


def _doings(window: Window, stream: Stream, key: int) -> Mapping[str, Floats]:
    """Events per agent by what they are: shape (n,) each."""
    mine = (window.task == key) | (key == ALL)
    to = np.bincount(window.target[window.of_kind("review") & mine & (window.target >= 0)], minlength=window.n)
    return {
        "sent": np.bincount(stream.giver, weights=stream.count, minlength=window.n).astype(np.float64),
        "taken": np.bincount(stream.taker, weights=stream.count, minlength=window.n).astype(np.float64),
        "enters": _entered(window, stream, key),
        "asked": to.astype(np.float64),
        "works": np.bincount(window.source[window.of_kind("work") & mine], minlength=window.n).astype(np.float64),
        "joins": np.bincount(window.source[window.of_kind("assemble") & mine], minlength=window.n).astype(np.float64),
    }


def _function(group: Ints, does: Mapping[str, Floats], *, last: bool) -> str:
    """What a group mostly does: intake, review, integrate, finish, work or relay."""
    total = {name: float(values[group].sum()) for name, values in does.items()}
    if total["asked"] > 0.5 * max(total["taken"], 1.0):
        return "reviewer"
    if total["joins"] > 0.5 * max(total["sent"], 1.0):
        return "integrator"
    if last:
        return "finisher"
    if total["enters"] > ENTRY * does["enters"].sum() and total["taken"] < 0.5 * total["enters"]:
        return "intake"
    return "worker" if total["works"] > 0.5 * max(total["sent"], 1.0) else "relay"


def forced(window: Window, key: int) -> str:
    """A sentence when the initial channels leave no choice, or already run in the order found; empty otherwise."""
    if window.channels is None:
        return ""
    stream = of(window, key)
    givers = np.unique(stream.giver)
    degree = np.bincount(window.channels[:, 0], minlength=window.n)[givers]
    if degree.mean() <= HARDLY_A_CHOICE:
        return f"the initial contacts leave the givers no choice ({degree.mean():.1f} contacts each)"
    found = trophic_levels(window.n, stream.giver, stream.taker, stream.count)
    return drawn_alike(window, found, np.unique(np.concatenate([stream.giver, stream.taker])))


def drawn_alike(window: Window, levels: Floats, members: Ints) -> str:
    """A sentence when the initial channels have an order of their own and it is that of ``levels``, shape (n,)."""
    if window.channels is None:
        return ""
    from_, to = window.channels[:, 0], window.channels[:, 1]
    ones = np.ones(len(from_))
    if order(window.n, from_, to, ones) < 0.5:
        return ""
    drawn = trophic_levels(window.n, from_, to, ones)
    if len(members) < 3 or drawn[members].std() == 0 or levels[members].std() == 0:
        return ""
    alike = float(np.corrcoef(drawn[members], levels[members])[0, 1])
    return f"the initial channels already run in this order (correlation of levels {alike:.2f})" if alike >= 0.8 else ""
