"""Knock-outs: mute one agent, run the same draws again, and see whose behaviour changes; the truth about influence.

Draws are keyed by agent, so muting one leaves the draws of all others as they were: whatever else changes, changes
because of it. What changes within a short time of the muting changes directly; in the long run what depends on those who
depend on it changes too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import UsageProblem

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.record.log import Log

    Rerun = Callable[[int, Any, float], Log]

Floats = NDArray[np.float64]
ACTS = (
    "time",
    "kind",
    "target",
    "artefact",
    "value",
)  # what an agent does; numbers of rows and items shift by themselves


@dataclass(frozen=True)
class Knockouts:
    """What muting each agent changed.

    Attributes:
        agents: Agent ids, length n.
        changed: Share of what each agent did that was other than without the muting, [muted, other], shape (n, n); mean
            over trials; 0 on the diagonal. Range [0, 1]. Chance level: 0, since nothing else was changed.
        trials: Seeds and times of muting that it is a mean over.
    """

    agents: tuple[Any, ...]
    changed: Floats
    trials: int

    def depends(self, *, least: float = 0.5) -> NDArray[np.bool_]:
        """Pairs [muted, other] of which the other's acts changed in at least a share ``least``, shape (n, n)."""
        return self.changed >= least


def knockouts(
    rerun: Rerun, *, agents: Sequence[Any], seeds: Sequence[int], times: Sequence[float], horizon: float | None = None
) -> Knockouts:
    """Mute every agent once for each seed and time, with paired draws.

    Args:
        rerun: ``(seed, agent or None, time) -> log``: the run with that agent muted from that time on, or undisturbed.
        agents: Ids of the agents to mute and to look at, as in the log.
        seeds: Seeds of the runs.
        times: Times of muting, in the log's time.
        horizon: How long after the muting behaviour is compared; to the end when None.

    Raises:
        UsageProblem: Without agents, seeds or times, or for a horizon that is not positive.
    """
    if not (agents and seeds and times) or (horizon is not None and not horizon > 0):
        raise UsageProblem(
            f"knock-outs: expected agents, seeds, times and a positive horizon, got {len(agents)} agents, {len(seeds)} "
            f"seeds, {len(times)} times and horizon {horizon}."
        )
    changed = np.zeros((len(agents), len(agents)))
    for seed in seeds:
        whole = rerun(seed, None, 0.0)
        for time in times:
            end = np.inf if horizon is None else time + horizon
            before = [acts(whole, agent, start=time, end=end) for agent in agents]
            for k, muted in enumerate(agents):
                log = rerun(seed, muted, time)
                after = [acts(log, agent, start=time, end=end) for agent in agents]
                changed[k] += [difference(a, b) for a, b in zip(before, after, strict=True)]
    trials = len(seeds) * len(times)
    np.fill_diagonal(changed, 0.0)
    return Knockouts(tuple(agents), changed / trials, trials)


def acts(log: Log, agent: Any, *, start: float, end: float) -> Counter[tuple[Any, ...]]:
    """What an agent did after ``start`` and no later than ``end``: each act (time, kind, target, artefact, value) counted."""
    import polars as pl

    events = log.events
    mine = events.filter((pl.col("source") == agent) & (pl.col("time") > start) & (pl.col("time") <= end))
    columns = [c for c in ACTS if c in events.columns]
    return Counter(mine.select(pl.col(c).cast(pl.String) if c == "kind" else pl.col(c) for c in columns).rows())


def difference(a: Counter[Any], b: Counter[Any]) -> float:
    """Share of the acts of the busier of two records that the other lacks; 0 when they are equal, 1 when nothing is."""
    most = max(a.total(), b.total())
    return 1.0 - (a & b).total() / most if most else 0.0


def of_plan(asked: Plan) -> Rerun:
    """Reruns of a scenario, agents named by row."""
    from experiments.references import simulated
    from sim.world.interventions import Intervention

    def rerun(seed: int, agent: Any, time: float) -> Log:
        muted = () if agent is None else (Intervention(time=time, action="mute", agent=int(agent)),)
        return simulated(replace(asked, seed=seed, interventions=muted))

    return rerun


def precision(truth: NDArray[np.bool_], score: Floats) -> float:
    """Average precision, the area under the curve of precision against recall, over ordered pairs of different agents.

    Formula: mean over true pairs of the share of true pairs among those that score at least as much. Range: (0, 1]. Chance
    level: the share of true pairs. Reference: Davis & Goadrich 2006, ICML, 233.

    Raises:
        UsageProblem: When no pair is true.
    """
    off = ~np.eye(len(truth), dtype=bool)
    true, value = truth[off], score[off]
    if not true.any():
        raise UsageProblem("average precision: expected at least one pair that depends, got none.")
    return float(np.mean([true[value >= v].mean() for v in value[true]]))


def claimed(log: Log, agents: Sequence[Any]) -> Floats:
    """How sure the influence detector is of each pair, -log10 p, [from, to], shape (agents, agents); 0 where not asked.

    Raises:
        UsageProblem: When the log has no series that influence can be looked for in.
    """
    from sim.detectors.foretelling import first_ready, foretold
    from sim.detectors.window import read

    window = read(log.genuine()).windows[0]
    ready = first_ready(window)
    found = ready if isinstance(ready, str) else foretold(window, ready)
    if isinstance(found, str):
        raise UsageProblem(f"influence: expected a log in which it can be looked for, got one with {found}.")
    place = {agent: k for k, agent in enumerate(agents)}
    score = np.zeros((len(agents), len(agents)))
    at = np.array([place[window.agents[a]] for a in found.agents])
    score[np.ix_(at, at)] = -np.log10(np.maximum(found.p, 1e-300))
    np.fill_diagonal(score, 0.0)
    return score
