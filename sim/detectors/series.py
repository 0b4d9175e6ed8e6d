"""Series: what agents said or how they stood at common times, and the signals that all of them could observe.

The rule for readings: nothing is imputed for an agent. Common times are the times of the readings where agents are read
together, else stretches of equal length, of which an agent's last reading counts. An agent with a reading at fewer than
OFTEN of the best-read agent's times is left out; a time at which a remaining agent has no reading is left out for all,
and ``follows`` marks where the time before is missing, so that a lag never bridges a gap.

A shared signal is different: it stands until it is posted anew, so its last value is carried on. That can only remove
findings, since signals are used to explain agreement away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim.detectors.nulls import Series
from sim.detectors.window import NONE, Bools, Floats, Ints, Window

OFTEN = 0.8  # share of the best-read agent's times at which an agent has to be read
COMPLETE = 0.5  # share of common times that have to be whole; below, readings are gathered in stretches
SHARED = 0.5  # share of the acting agents that read an artefact, from which it is a shared input
LEAST_TIMES = 8
PER_STRETCH, MOST_STRETCHES = 3.0, 400


@dataclass(frozen=True)
class Sampled:
    """Agents' series over common times.

    Attributes:
        series: Values, shape (agents, times), and shared signals, shape (signals, times).
        agents: Agent numbers, shape (agents,).
        times: The common times, shape (times,), rising; the end of the stretch where readings were gathered.
        follows: True where the time before is the one before in the record too, shape (times,); False at the first.
        signals: Names of the shared signals.
        unknown: Shared inputs of which the log does not say what they held: agreement may be their doing.
        left_out: Sentences on agents and times that were left out.
        gathered: Readings stand for stretches, not for one time.
    """

    series: Series
    agents: Ints
    times: Floats
    follows: Bools
    signals: tuple[str, ...]
    unknown: tuple[str, ...]
    left_out: tuple[str, ...]
    gathered: bool = False


@dataclass(frozen=True)
class Shared:
    """A signal that everybody could observe: times not decreasing and values, shape (readings,)."""

    name: str
    time: Floats
    value: Floats

    def at(self, times: Floats) -> Floats:
        """The value that stood at each of ``times``; before the first reading, the first."""
        place = np.searchsorted(self.time, times, side="right") - 1
        return np.asarray(self.value[np.maximum(place, 0)])


def of_states(window: Window, variable: str) -> Sampled | None:
    """Series of a state variable; None when fewer than two agents or LEAST_TIMES times are left.

    The environment's readings of every variable, this one included, are signals.
    """
    if variable not in window.states:
        return None
    readings = window.states[variable]
    own = readings.agent != NONE
    return sampled(window, readings.agent[own], readings.time[own], readings.value[own])


def of_decisions(window: Window, rows: Bools | None = None) -> Sampled | None:
    """Series of the values of ``rows`` (default: all events of class *decides*); None as for ``of_states``.

    ``visit`` is left out by default: its value numbers the visitor's own contacts, and means another thing for each.
    """
    chosen = (window.of_class("decides") & ~window.of_kind("visit")) if rows is None else rows
    chosen = chosen & np.isfinite(window.value)
    return sampled(window, window.source[chosen], window.time[chosen], window.value[chosen])


def sampled(window: Window, agent: Ints, time: Floats, value: Floats) -> Sampled | None:
    """Series from readings sorted by time, arrays of shape (readings,), by the rule of this module."""
    if len(time) == 0:
        return None
    for tick, end, gathered in _clocks(agent, time):
        table, kept, whole = _table(window.n, agent, tick, value, len(end))
        if whole.sum() >= max(LEAST_TIMES, COMPLETE * len(end)) and len(kept) >= 2:
            made = _made(window, table, kept, whole, end=end, read=len(np.unique(agent)))
            return replace(made, gathered=gathered)
    return None


def of_values(window: Window) -> Sampled | None:
    """Series of the values of the commonest kind of event that is no decision and has values; None as for ``of_states``."""
    known = np.isfinite(window.value) & ~window.of_class("decides")
    if not known.any():
        return None
    kind = np.bincount(window.kind[known]).argmax()
    return of_decisions(window, known & (window.kind == kind))


def of_activity(window: Window) -> Sampled | None:
    """Series of how many events each agent left in stretches of equal length; None as for ``of_states``.

    Stretches hold PER_STRETCH events of a middling agent on average, and there are MOST_STRETCHES at most. Agents with
    less than a quarter of the events of a middling one are left out.
    """
    count = np.bincount(window.source, minlength=window.n) if window.rows else np.zeros(0, dtype=np.int64)
    middling = float(np.median(count[count > 0])) if (count > 0).any() else 0.0
    kept = np.flatnonzero(count >= max(middling / 4.0, 1.0))
    stretches = min(MOST_STRETCHES, int(middling / PER_STRETCH))
    start, end = window.span
    if len(kept) < 2 or stretches < LEAST_TIMES or end <= start:
        return None
    edges = start + (end - start) * np.arange(1, stretches + 1) / stretches
    tick = np.minimum(np.searchsorted(edges, window.time, side="left"), stretches - 1)
    table = np.zeros((window.n, stretches))
    np.add.at(table, (window.source, tick), 1.0)
    whole = np.ones(stretches, dtype=bool)
    made = _made(window, table, kept, whole, end=edges, read=int((count > 0).sum()))
    return replace(made, gathered=True)


def _clocks(agent: Ints, time: Floats) -> list[tuple[Ints, Floats, bool]]:
    """Ways to gather readings, the finest first: (number of each reading's common time, the common times, gathered)."""
    exact, tick = np.unique(time, return_inverse=True)
    _, counts = np.unique(agent, return_counts=True)
    ways = [(tick, exact, False)] if len(exact) <= 2 * counts.max() else []
    start, end = float(time[0]), float(time[-1])
    stretches = int(counts.max())
    while end > start and stretches >= LEAST_TIMES:
        edges = start + (end - start) * np.arange(1, stretches + 1) / stretches
        ways.append((np.minimum(np.searchsorted(edges, time, side="left"), stretches - 1), edges, True))
        stretches = int(stretches / 1.5)
    return ways


def _table(n: int, agent: Ints, tick: Ints, value: Floats, ticks: int) -> tuple[Floats, Ints, Bools]:
    """Last readings, shape (agents, times), NaN where there is none; the agents read often; the times they all have."""
    table = np.full((n, ticks), np.nan)
    table[agent, tick] = value  # readings are sorted by time: the last one stays
    read = np.isfinite(table).sum(axis=1)
    kept = np.flatnonzero(read >= max(OFTEN * read.max(), 1.0))
    return table, kept, np.asarray(np.isfinite(table[kept]).all(axis=0))


def _made(window: Window, table: Floats, kept: Ints, whole: Bools, *, end: Floats, read: int) -> Sampled:
    at = np.flatnonzero(whole)
    known, unknown = shared_inputs(window)
    signals = [s for s in known if len(np.unique(s.at(end[at]))) > 1]
    said = []
    if len(kept) < read:
        said.append(f"{read - len(kept)} of {read} agents were read too rarely and are left out.")
    if len(at) < len(whole):
        said.append(f"{len(whole) - len(at)} of {len(whole)} times lack a reading and are left out.")
    values = np.array([s.at(end[at]) for s in signals]).reshape(len(signals), len(at))
    return Sampled(
        series=Series(table[np.ix_(kept, at)], values),
        agents=kept,
        times=end[at],
        follows=np.append(False, np.diff(at) == 1),
        signals=tuple(s.name for s in signals),
        unknown=unknown,
        left_out=tuple(said),
    )


def shared_inputs(window: Window) -> tuple[tuple[Shared, ...], tuple[str, ...]]:
    """Signals that all could observe, and names of shared inputs of unknown content.

    Signals are the states of the environment (agent null), and artefacts that at least SHARED of the acting agents read
    and none of them writes. What agents write is their own doing and no outside cause.
    """
    found = []
    for name, readings in window.states.items():
        outside = readings.agent == NONE
        if outside.any():
            found.append(Shared(f"state {name}", readings.time[outside], readings.value[outside]))
    reads = window.of_class("reads") & (window.artefact != NONE)
    if not reads.any():
        return tuple(found), ()
    written = np.unique(window.artefact[window.of_class("writes") & (window.artefact != NONE)])
    pairs = np.unique(np.column_stack([window.artefact[reads], window.source[reads]]), axis=0)
    artefact, readers = np.unique(pairs[:, 0], return_counts=True)
    wide = artefact[(readers >= SHARED * len(np.unique(window.source))) & ~np.isin(artefact, written)]
    unknown = []
    for one in wide.tolist():
        rows = np.flatnonzero(reads & (window.artefact == one))
        rows = rows[np.isfinite(window.value[rows])]
        if len(rows):
            found.append(Shared(f"artefact {window.artefacts[one]}", window.time[rows], window.value[rows]))
        else:
            unknown.append(f"artefact {window.artefacts[one]}")
    return tuple(found), tuple(unknown)
