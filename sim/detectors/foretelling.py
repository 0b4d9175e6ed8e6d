"""Foretelling: whose past helps to foretell whom in a window, less what messages and common drivers may explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc, ndtr

from sim.detectors.granger import (
    Fit,
    Lagged,
    Model,
    apart,
    chosen,
    fit,
    links,
    needed,
    pairs,
    prepared,
    redrawn_by,
    simes,
    usable,
)
from sim.detectors.nulls import Null, add
from sim.detectors.paths import Arcs, arcs, reached
from sim.detectors.series import Sampled, of_activity, of_decisions, of_states, of_values
from sim.detectors.window import Bools, Floats, Ints, Window

RATE = 0.05  # false discovery rate among the pairs of a run
MOST_AGENTS, MOST_TIMES = 60, 1000  # a model of n agents costs n^4
ALIKE, ALIKE_TOO = 0.01, 0.2  # p of what is new in two agents at once, below which a common driver is possible
COMMON = 0.001  # p of all that is new at once, below which ALIKE_TOO holds

DECISIONS, VALUES, ACTIVITY = "values of decisions", "values of events", "activity"


@dataclass(frozen=True)
class Foreseen:
    """The p-values of all ordered pairs, shape (pairs,): the sample of the null NI."""

    p: Floats


def foresee_nothing(sample: Foreseen, rng: np.random.Generator) -> Foreseen:
    """NI: p-values of pairs that do not depend on each other are uniform, so they are drawn anew."""
    return Foreseen(rng.random(len(sample.p)))


add(
    Null(
        "NI",
        "what agents owe to their own past, to signals on record and to all others",
        "that one agent's past helps to foretell another",
        "influence that nothing else on record explains",
        Foreseen,
        foresee_nothing,
    )
)


@dataclass(frozen=True)
class Foretold:
    """What the past of agents says about others; pairs are [from, to], shape (agents, agents), by place in ``agents``.

    Attributes:
        name: Which series: a state variable, DECISIONS, VALUES or ACTIVITY.
        agents: Agent numbers, shape (agents,).
        times: Times of the sample, shape (times,).
        model: The regressors.
        fit: The fitted model.
        p: p-value of influence: 1 where messages or a common driver may be behind it.
        link: Pairs kept at RATE.
        told: Pairs that depend, and only at times when a message was on its way.
        through: Links that hold only at times when an artefact led from one to the other.
        confounded: Pairs that depend and whose news at the same time is alike.
        common: p-value of no common news at all.
        unknown: Shared inputs of unknown content.
        left_out: Sentences on what was left out.
    """

    name: str
    agents: Ints
    times: Floats
    model: Model
    fit: Fit
    p: Floats
    link: Bools
    told: Bools
    through: Bools
    confounded: Bools
    common: float
    unknown: tuple[str, ...]
    left_out: tuple[str, ...]


def sources(window: Window) -> Iterator[tuple[str, Sampled | None]]:
    """Series that agents may have: states, then what they decided, then other values, then how busy they were."""
    for name in sorted(window.states):
        yield name, of_states(window, name)
    yield DECISIONS, of_decisions(window)
    yield VALUES, of_values(window)
    yield ACTIVITY, of_activity(window)


@dataclass(frozen=True)
class Ready:
    """Series long enough for a model: the sample, the agents and times it is of, and what it is called."""

    name: str
    sample: Lagged
    agents: Ints
    times: Floats
    gathered: bool
    unknown: tuple[str, ...]
    left_out: tuple[str, ...]


def first_ready(window: Window) -> Ready | str:
    """The first series that are long enough: chosen by what they are, never by what they show; or why there are none."""
    why = ""
    for name, found in sources(window):
        made = None if found is None else ready(name, found)
        if isinstance(made, Ready):
            return made
        why = why or made or ""
    return why or "no states, values or activity of at least two agents at common times"


def of_name(window: Window, name: str) -> Ready | None:
    """The series of one name, if they are long enough."""
    found = next((s for n, s in sources(window) if n == name), None)
    made = None if found is None else ready(name, found)
    return made if isinstance(made, Ready) else None


def ready(name: str, found: Sampled) -> Ready | str:
    """The sample, or in words why it says too little; only the last MOST_TIMES times are used."""
    said = list(found.left_out)
    if len(found.times) > MOST_TIMES:
        said.append(f"only the last {MOST_TIMES} of {len(found.times)} times are used")
        found = _last(found)
    sample, agents = usable(found)
    if len(agents) < len(found.agents):
        said.append(f"{len(found.agents) - len(agents)} agents hardly ever change and are left out.")
    if len(agents) < 2:
        return f"fewer than 2 agents whose {name} changes often enough"
    if len(agents) > MOST_AGENTS:
        return f"more than {MOST_AGENTS} agents with {name}: a model of all given all others is too large"
    least = needed(len(agents), shared=len(sample.shared)) + 2
    if sample.values.shape[1] < least:
        return f"fewer than {least} common times for {len(agents)} agents in {name}"
    return Ready(name, sample, agents, found.times, found.gathered, found.unknown, tuple(said))


def _last(found: Sampled) -> Sampled:
    series = replace(
        found.series, values=found.series.values[:, -MOST_TIMES:], shared=found.series.shared[:, -MOST_TIMES:]
    )
    return replace(found, series=series, times=found.times[-MOST_TIMES:], follows=found.follows[-MOST_TIMES:])


def foretold(window: Window, found: Ready) -> Foretold | str:
    """Fit the model, and set apart what messages, artefacts and common drivers may explain; or why it cannot be done.

    Definition: a influences b when the past of a helps to foretell b given b's own past, the past of all others and every
    signal on record (``granger.fit``), at times when no message led from a to b too (``paths.reached``), and when nothing
    that is new in a and in b at the same time is alike.
    Range of p: [0, 1]; low where an agent is foretold. Chance level: uniform. Null: NI.
    Fooled by: a driver off the record that reaches a some readings before b; news of both is then not alike at once.
    """
    made = chosen(found.sample)
    if made is None:
        return "too few times in a row for a model"
    model, fitted = made
    if fitted.collinear:
        return f"the {found.name} of some agents is determined by that of the others, so they cannot be told apart"
    alike, common = alike_at_once(fitted)
    depends = (fitted.p <= RATE) & ~np.eye(len(found.agents), dtype=bool)
    beyond = _beyond(model, fitted.p, depends, _marked(arcs(window, artefacts=False), found, model, depends))
    p = np.where(depends & alike, 1.0, beyond)
    link = links(p, rate=RATE)
    with_artefacts = _marked(arcs(window, artefacts=True), found, model, link)
    hidden = _beyond(model, fitted.p, link, with_artefacts)
    kept = links(fitted.p, rate=RATE)
    return Foretold(
        name=found.name,
        agents=found.agents,
        times=found.times,
        model=model,
        fit=fitted,
        p=p,
        link=link,
        told=kept & (beyond > RATE),
        through=link & (hidden > RATE),
        confounded=kept & alike,
        common=common,
        unknown=found.unknown,
        left_out=found.left_out,
    )


def alike_at_once(fitted: Fit) -> tuple[Bools, float]:
    """Pairs whose residuals go together at the same time, shape (agents, agents), and p that none at all do.

    A driver that is not on record, or influence faster than the readings, leaves news in both agents at once. Formula:
    Fisher's z of the correlation of residuals, z = atanh(r) sqrt(T - 3) with T the degrees of freedom; together, their
    squares are chi-squared. A pair is alike at p of at most ALIKE, or ALIKE_TOO where all together are plain.
    """
    n = len(fitted.residual)
    r = np.corrcoef(fitted.residual)
    z = np.arctanh(np.clip(r, -0.999999, 0.999999)) * np.sqrt(max(fitted.freedom - 3, 1))
    upper = np.triu_indices(n, 1)
    common = float(chdtrc(len(upper[0]), float((z[upper] ** 2).sum())))
    p = 2.0 * ndtr(-np.abs(z))
    return np.asarray((p <= (ALIKE_TOO if common <= COMMON else ALIKE)) & ~np.eye(n, dtype=bool)), common


def _marked(told: Arcs, found: Ready, model: Model, asked: Bools) -> Bools:
    """Rows of the model at which something on record led from giver to taker, shape (asked pairs, rows)."""
    lag = model.order.others
    first = np.maximum(model.rows - lag, 0)
    since = found.times[first]
    if found.gathered:  # a reading stands for the whole stretch that it ends
        since = np.where(first > 0, np.nextafter(found.times[np.maximum(first - 1, 0)], np.inf), -np.inf)
    ends = np.argwhere(asked)
    return reached(told, found.agents[ends], since, found.times[model.rows])


def _beyond(model: Model, p: Floats, asked: Bools, marked: Bools) -> Floats:
    """The larger of p and the p at unmarked times alone, for the pairs asked; p for all others."""
    found = p.copy()
    for (giver, taker), rows in zip(np.argwhere(asked).tolist(), marked, strict=True):
        if rows.any():
            found[giver, taker] = max(p[giver, taker], apart(model, (giver, taker), rows))
    return found


def strongest(found: Foretold) -> tuple[Ints, Floats]:
    """Lag (from 1) of the strongest coefficient of each pair and that coefficient in standard deviations."""
    lag = np.abs(found.fit.effect).argmax(axis=0)
    return lag + 1, np.take_along_axis(found.fit.effect, lag[None], axis=0)[0]


def confirmed(found: Foretold, again: Ready) -> float:
    """Share of the links between agents still there that a model of the same lags shows again, same in sign, at RATE."""
    place = {int(a): k for k, a in enumerate(again.agents)}
    order = replace(
        found.model.order,
        own=np.array(
            [found.model.order.own[np.flatnonzero(found.agents == a)[0]] for a in again.agents], dtype=np.int64
        )
        if set(again.agents.tolist()) <= set(found.agents.tolist())
        else np.full(len(again.agents), int(found.model.order.own.max())),
    )
    ends = [
        (i, j) for i, j in np.argwhere(found.link).tolist() if found.agents[i] in place and found.agents[j] in place
    ]
    if not ends or len(again.sample.weight) < needed(len(place), shared=len(again.sample.shared)):
        return 0.0
    fitted = fit(prepared(again.sample, order))
    if fitted.collinear:
        return 0.0
    lag, effect = strongest(found)
    hits = 0
    for i, j in ends:
        a, b = place[int(found.agents[i])], place[int(found.agents[j])]
        hits += fitted.p[a, b] <= RATE and fitted.effect[lag[i, j] - 1, a, b] * effect[i, j] > 0
    return hits / len(ends)


def redrawn_times(found: Ready, window: Window, damaged: Window) -> Ready:
    """The series with times redrawn as often as the damaged record holds the rows that stand for them."""
    times = len(found.sample.weight)
    rows = np.minimum((np.arange(times) + 0.5) / times * window.rows, window.rows - 1).astype(np.int64)
    order = np.sort(damaged.seq)
    count = np.searchsorted(order, window.seq[rows], "right") - np.searchsorted(order, window.seq[rows], "left")
    return replace(found, sample=redrawn_by(found.sample, count.astype(np.float64)))


def together(found: Foretold) -> float:
    """P that no agent's past helps to foretell any other (Simes)."""
    return simes(found.p)


def pair_values(found: Foretold) -> Floats:
    """The p-values of all ordered pairs, shape (pairs,)."""
    return pairs(found.p)
