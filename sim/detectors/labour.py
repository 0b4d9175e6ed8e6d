"""Division of labour: agents that keep to tasks of their own, from the beginning of the record to its end.

The usual index, what the agent tells about the task (Gorelick et al. 2004), is read with two corrections. It is biased
upward where agents were seen at few events, so ``division`` is always given beside its mean over tasks exchanged at
random. And it is high whenever agents stay with a task for a while, though they may take up any other next; so the claim
is not that work is divided but that each agent's preferences *stay*: those of the first quarter of the record are those
of its last quarter. What there is to do at a time, for everybody alike, is taken off before.

Work that is handed on with a task type is left to ``handoffs``, which reads roles off the way of each type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors import streams
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.measures import shared_information
from sim.detectors.nulls import Null, add
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

PER_AGENT = 8  # pieces of work per agent below which no preference can be told
END = 0.25  # share of the record at either end that is compared; the half between lets moods pass
BLOCK = 60  # neighbouring pieces of work that share what there is to do
LEAST_OF_TASK = 20
MOST_TASKS = 200
PREFERS = 1.5  # standard deviations above the common mix, from which an agent prefers a task
DRAWS = 40
UNDECIDED = "any task"
KEPT = "agents keep to tasks of their own from the beginning of the record to its end"


@dataclass(frozen=True)
class Ends:
    """How far each agent's tasks at either end of the record differ from what there was to do, shape (agents, tasks).

    Each row is in standard deviations: counts less expected ones, over the root of the expected ones.

    Attributes:
        early: Of the first quarter.
        late: Of the last quarter.
        room: Pieces of work that agents did at either end, as the sum of roots of products; what agreement is out of.
        tasks: Number of tasks.
    """

    early: Floats
    late: Floats
    room: float
    tasks: int


def exchange_agents(sample: Ends, rng: np.random.Generator) -> Ends:
    """NW: give the tasks of the last quarter to the agents in random order."""
    return replace(sample, late=sample.late[rng.permutation(len(sample.late))])


add(
    Null(
        "NW",
        "how agents' tasks differed from what there was to do, in the first and the last quarter of the record",
        "that they are the same agents",
        "agents keep to tasks of their own",
        Ends,
        exchange_agents,
    )
)


def division(agent: Ints, task: Ints) -> float:
    """How much the agent tells about the task: the index of division of labour, biased.

    Definition: mutual information of agent and task over the entropy of tasks. Formula: I(agent; task) / H(task). Range:
    [0, 1]. Low: anybody does anything; high: each agent has one task. Chance level: (agents - 1)(tasks - 1) / (2 events
    H), e.g. 0.48 for 50 agents, 5 tasks, 3 events each; so subtract ``division_by_chance``. Null: tasks permuted. Fooled
    by: long bouts on one task, and agents who were there when there was nothing else to do. Reference: Gorelick,
    Bertram, Killeen, Fewell 2004, Am. Nat. 164:677.

    Args:
        agent: Who did each piece of work, shape (pieces,).
        task: Which task it was, shape (pieces,), values >= 0.
    """
    count = np.bincount(task)
    share = count[count > 0] / max(len(task), 1)
    entropy = float(-(share * np.log(share)).sum())
    if entropy == 0.0:
        return 0.0
    owners = np.bincount(agent)
    held = owners[owners > 0] / len(agent)
    both = entropy - float((held * np.log(held)).sum())
    return shared_information(agent, task) * both / (2.0 * entropy)


def division_by_chance(agent: Ints, task: Ints, rng: np.random.Generator) -> float:
    """Mean of ``division`` over DRAWS permutations of the tasks: its bias, to be subtracted."""
    return float(np.mean([division(agent, rng.permutation(task)) for _ in range(DRAWS)]))


def agreement(sample: Ends) -> float:
    """How far agents' tasks at the end are those of the beginning: an index of division of labour without bias.

    Definition: product of each agent's standardised deviations at both ends, summed, over what it is when everybody has
    one task of its own. Formula: sum_at x_at y_at / (sum_a root(n_a m_a) (tasks - 1)). Range: about [-1, 1]. Low: none
    keeps a preference; high: each agent keeps to one task. Chance level: 0, whatever the numbers of events. Null: NW.
    Fooled by: preferences that last longer than half the record and end all the same.
    """
    return float((sample.early * sample.late).sum() / max(sample.room * (sample.tasks - 1), 1e-12))


def _uses(window: Window) -> Bools:
    """Work on a known task that is not handed on by the same event, each item once for each agent."""
    rows = window.of_class("works") & ~window.of_class("transfers") & (window.task >= 0)
    known = np.flatnonzero(rows & (window.item >= 0))
    again = np.ones(len(known), dtype=bool)
    width = int(window.item.max(initial=0)) + 1
    again[np.unique(window.source[known] * width + window.item[known], return_index=True)[1]] = False
    rows[known[again]] = False
    return np.asarray(rows)


def _refuses(window: Window) -> str:
    rows = _uses(window)
    if not rows.any():
        return "no event is work on a task of a known type"
    if int((streams.forward(window) & (window.task >= 0)).sum()) > rows.sum() / 2:
        return "work is handed on with a task type; the detector of handoffs reports who does what"
    if rows.sum() < PER_AGENT * len(np.unique(window.source[rows])):
        return f"fewer than {PER_AGENT} pieces of work per agent"
    count = np.bincount(window.task[rows])
    if (count >= LEAST_OF_TASK).sum() < 2:
        return f"fewer than two types of task with {LEAST_OF_TASK} pieces of work"
    return f"more than {MOST_TASKS} types of task" if len(count) > MOST_TASKS else ""


def _counted(window: Window) -> tuple[Floats, Floats]:
    """Pieces of work by agent and task, and those expected from what there was to do at the time, (agents, tasks)."""
    rows = np.flatnonzero(_uses(window))
    n, tasks = window.n, len(window.tasks)
    agent, task = window.source[rows], window.task[rows]
    block = np.arange(len(rows)) * max(1, len(rows) // BLOCK) // max(len(rows), 1)
    size = np.bincount(block)
    mix = np.bincount(block * tasks + task, minlength=len(size) * tasks).reshape(-1, tasks) / size[:, None]
    seen = np.bincount(agent * tasks + task, minlength=n * tasks).reshape(n, tasks).astype(np.float64)
    there = np.bincount(agent * len(size) + block, minlength=n * len(size)).reshape(n, len(size))
    return seen, there @ mix


def _deviations(window: Window) -> tuple[Floats, Ints]:
    """Standardised deviations by agent and task, and pieces of work by agent."""
    seen, expected = _counted(window)
    return np.asarray((seen - expected) / np.sqrt(np.maximum(expected, 0.2))), seen.sum(axis=1).astype(np.int64)


def _propose(window: Window, _note: Callable[[str], None]) -> list[Candidate]:
    ends = _ends(window, ())
    score = agreement(ends)
    deviation, worked = _deviations(window)
    favourite = np.where(deviation.max(axis=1) >= PREFERS, deviation.argmax(axis=1), NONE)
    favourite = np.where(worked > 0, favourite, NONE)
    members = np.flatnonzero(worked > 0)
    parts = tuple(frozenset(np.flatnonzero(favourite == t).tolist()) for t in np.unique(favourite[favourite >= 0]))
    dismissed = "" if score > 0.0 else "agents' tasks at the end are no more those of the beginning than others'"
    detail = {"favourite": favourite, "score": score}
    return [Candidate("", 0, tuple(int(a) for a in members), parts, detail, dismissed)]


def _ends(window: Window, _candidates: Sequence[Candidate]) -> Ends:
    rows = _uses(window)
    place = np.cumsum(rows) - 1
    total = int(rows.sum())
    early, first = _deviations(window.take(rows & (place < END * total)))
    late, last = _deviations(window.take(rows & (place >= (1.0 - END) * total)))
    both = (first > 0) & (last > 0)
    room = float(np.sqrt(first[both] * last[both]).sum())
    return Ends(early[both], late[both], room, len(np.unique(window.task[rows])))


def _agreement(sample: Ends, candidates: Sequence[Candidate]) -> Floats:
    return np.full(len(candidates), agreement(sample))


def _concludes(_candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    return ("roles", (KEPT,)) if KEPT in beaten else None


def _frames(parts: Sequence[Window], _candidate: Candidate, whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    """Deviations of agents by task and window; agents may change places within a task."""
    tasks = len(whole.tasks)
    values = np.stack([_deviations(part)[0].ravel() for part in parts])
    return values, np.tile(np.arange(tasks), whole.n), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    score = float(candidate.detail["score"])
    if _refuses(damaged) or score <= 0.0:
        return 0.0
    return float(np.clip(agreement(_ends(damaged, ())) / score, 0.0, 1.0))


def _portrait(window: Window, candidate: Candidate, _kind: str) -> Portrait:
    favourite = candidate.detail["favourite"]
    members = np.array(candidate.members, dtype=np.int64)
    roles = {
        f"task {window.tasks[t]}" if t >= 0 else UNDECIDED: members[favourite[members] == t]
        for t in sorted(set(favourite[members].tolist()), reverse=True)
    }
    rows = np.flatnonzero(_uses(window))
    agent, task = window.source[rows], window.task[rows]
    chance = division_by_chance(agent, task, np.random.default_rng(len(rows))) if len(rows) else 0.0
    facts = {
        "division": division(agent, task) if len(rows) else 0.0,
        "division by chance": chance,
        "tasks": None,
        "sizes": {name: len(agents) for name, agents in roles.items()},
    }
    return Portrait(members, roles, _uses(window), facts)


def _words(_candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    facts = portrait.facts
    sizes = ", ".join(f"{name} ({size})" for name, size in facts["sizes"].items())
    more = facts["division"] - facts["division by chance"]
    return Words(
        "labour is divided",
        f"agents keep to tasks of their own: {sizes}; who works tells {more:.0%} of what the task is beyond the "
        f"{facts['division by chance']:.0%} that chance gives",
        "agents' tasks at the end of the record that are those of the beginning no more than other agents' are",
    )


labour = detectors.add("labour")(
    Detector(
        name="labour",
        kinds=("roles",),
        needs=("task",),
        minimum=Minimum(agents=6, events=200, per_window=60),
        uses=_uses,
        refuses=_refuses,
        propose=_propose,
        claims=(Claim(KEPT, "NW", _ends, _agreement, "agreement"),),
        concludes=_concludes,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=lambda _window, _candidate: "",
    )
)
