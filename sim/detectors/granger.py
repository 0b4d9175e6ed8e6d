"""Conditional Granger causality: does one agent's past help to foretell another, given everything else on record?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import fdtrc, ndtri, stdtr
from scipy.stats import rankdata

from sim.detectors.nulls import Series
from sim.detectors.series import Sampled
from sim.detectors.tails import heavy_tails, peak_of, scored, skew_of, skewed_tails
from sim.detectors.window import Bools, Floats, Ints

LEAST_TIMES = 80  # times with a past; below, the distribution of F is not to be trusted for discrete series
PER_REGRESSOR = 3  # times for each regressor
MOST_OWN, MOST_LAG = 6, 3
SLOW = 3  # slow waves taken out of every series, so that a common trend is nobody's influence
LONGER = 0.005  # p from which a longer lag than BIC chose counts
RARE = 10  # values other than the most common one, below which a series says nothing
PEAKED = 1.0  # product of two peaks, from which the skew of the products of two series is read off the products
DISTINCT = 0.5  # share of different values from which a series is no set of options
LEAST_FREE = 20  # times without a path from which a link can be looked for in them alone
ALIKE = 1e-5  # share of a regressor that the others leave unexplained, below which it is one of them


@dataclass(frozen=True)
class Lagged(Series):
    """Series whose neighbouring columns may be apart in the record.

    Attributes:
        follows: True where the column before is the time before, shape (times,).
        weight: How often each time counts as a response, shape (times,); other than 1 when times were redrawn.
    """

    follows: Bools
    weight: Floats


@dataclass(frozen=True)
class Order:
    """Lags of a model: ``others`` for the pasts of the others, ``own`` (agents,) for each agent's own and the shared."""

    others: int
    own: Ints


@dataclass(frozen=True)
class Fit:
    """A fitted model; pairs are [from, to], shape (agents, agents), with p = 1 on the diagonal.

    Attributes:
        order: Lags used.
        p: p-value of each ordered pair (F test).
        last: p-value of the coefficient at the longest lag alone.
        effect: Coefficients in units of standard deviations, shape (lags, agents, agents).
        residual: What is left of each agent's series, shape (agents, rows).
        rows: Columns of the sample that the residuals belong to, shape (rows,).
        freedom: Degrees of freedom of the residuals (smallest).
        bic: Bayesian information criterion of the whole model.
        collinear: Some agent's past is determined by that of the others; nothing can be told apart.
    """

    order: Order
    p: Floats
    last: Floats
    effect: Floats
    residual: Floats
    rows: Ints
    freedom: int
    bic: float
    collinear: bool


def usable(sampled: Sampled) -> tuple[Lagged, Ints]:
    """The sample of agents whose series say something, and their numbers; others are left out.

    A series that has fewer than RARE values other than its most common one is nearly a constant. Of angles the turns
    between times are taken: a hand that goes round and round foretells every other.
    """
    values, follows = sampled.series.values, sampled.follows
    if _angles(values):
        turned = np.angle(np.exp(1j * (values - np.roll(values, 1, axis=1))))
        values, follows = np.where(follows, turned, 0.0), follows & np.append(False, follows[:-1])
    spread = values.max(axis=1, initial=-np.inf) - values.min(axis=1, initial=np.inf)
    often = np.array([np.unique(v, return_counts=True)[1].max() for v in values])
    kept = (values.shape[1] - often >= RARE) & (spread > 1e-6 * np.abs(values).max(axis=1, initial=0.0))
    sample = Lagged(values[kept], sampled.series.shared, follows, np.ones(values.shape[1]))
    return sample, sampled.agents[kept]


def _angles(values: Floats) -> bool:
    """Values that fill a full circle, and jump from one end of it to the other."""
    low, high = float(values.min()), float(values.max())
    circle = (low >= -np.pi - 1e-9 and high <= np.pi + 1e-9) or (low >= 0 and high <= 2.0 * np.pi + 1e-9)
    return circle and high - low > 1.9 * np.pi and len(np.unique(values)) > DISTINCT * values.size


def needed(agents: int, *, shared: int, lag: int = 1, own: int = 1) -> int:
    """Times needed for a model: PER_REGRESSOR for each regressor, and LEAST_TIMES at least."""
    return max(LEAST_TIMES, PER_REGRESSOR * (1 + SLOW + shared * (own + 1) + own + (agents - 1) * lag))


def _scaled(values: Floats) -> Floats:
    spread = values.std(axis=1, keepdims=True)
    return np.asarray((values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0))


class _Own:
    """What each agent's series owes to its own past, the shared signals and slow waves, for up to ``most`` lags."""

    def __init__(self, sample: Lagged, most: int) -> None:
        times = sample.values.shape[1]
        self.values, self.weight, self.most = _scaled(sample.values), sample.weight, most
        self.gapless = _unbroken(sample.follows, most)
        wave = np.cos(np.pi * np.outer(np.arange(SLOW + 1), (np.arange(times) + 0.5) / times))
        signals = _scaled(sample.shared)
        self.common = wave
        self.heard = np.stack([np.roll(signals, k, axis=1) for k in range(most + 1)])

    def columns(self, agent: int, own: int) -> Floats:
        """Regressors of one agent, shape (regressors, times)."""
        heard = self.heard[: own + 1].reshape(-1, self.values.shape[1])
        past = np.stack([np.roll(self.values[agent], k) for k in range(1, own + 1)])
        return np.concatenate([self.common, heard, past])

    def unexplained(self, agent: int, own: int) -> Floats:
        """What is left of an agent's series; NaN at times whose past is not on record."""
        rows = self.gapless & (self.weight > 0)
        table, root = self.columns(agent, own)[:, rows], np.sqrt(self.weight[rows])
        beta = np.linalg.lstsq((table * root).T, self.values[agent, rows] * root, rcond=None)[0]
        left = np.full(self.values.shape[1], np.nan)
        left[rows] = self.values[agent, rows] - beta @ table
        return left

    def orders(self) -> Ints:
        """Lags of each agent's own past, by Akaike's criterion.

        The cautious criterion: memory of an agent's own that is left out would be taken for memory of another's.
        """
        rows = self.gapless & (self.weight > 0)
        total = float(self.weight[rows].sum())
        found = np.ones(len(self.values), dtype=np.int64)
        for agent in range(len(self.values)):
            score = []
            for own in range(1, self.most + 1):
                left = float(self.weight[rows] @ self.unexplained(agent, own)[rows] ** 2)
                score.append(total * np.log(max(left, 1e-12) / total) + 2.0 * len(self.columns(agent, own)))
            found[agent] = 1 + int(np.argmin(score))
        return found


def _unbroken(follows: Bools, lags: int) -> Bools:
    """Times whose ``lags`` times before are all on record, shape (times,)."""
    found = np.ones(len(follows), dtype=bool)
    for back in range(lags):
        found &= np.roll(follows, back)
    found[:lags] = False
    return found


def _tamed(news: Floats, values: Floats) -> Floats:
    """News as normal scores, so that no single outlier decides; left alone where the values are a few options."""
    if len(np.unique(values)) < DISTINCT * len(values):
        return news
    known = np.isfinite(news)
    scores = np.full(len(news), np.nan)
    scores[known] = ndtri((rankdata(news[known]) - 0.5) / known.sum())
    return scores


@dataclass(frozen=True)
class Model:
    """The regressors of every agent's model over the usable times.

    Attributes:
        order: Lags used.
        rows: Usable times, shape (rows,).
        weight: How often each counts, shape (rows,).
        own: Regressors that are not the others', agent by agent, shape (regressors, rows) each.
        news: What was new in each agent's series lag by lag, shape (agents, lags, rows).
        response: Shape (agents, rows).
    """

    order: Order
    rows: Ints
    weight: Floats
    own: tuple[Floats, ...]
    news: Floats
    response: Floats

    def table(self, agent: int) -> tuple[Floats, Ints]:
        """Regressors of one agent, shape (regressors, rows), the lags of each other agent last; and the others."""
        others = np.delete(np.arange(len(self.news)), agent)
        return np.concatenate([self.own[agent], self.news[others].reshape(-1, len(self.rows))]), others


def prepared(sample: Lagged, order: Order) -> Model:
    """The regressors for given lags."""
    own = _Own(sample, int(order.own.max(initial=1)))
    agents = range(len(sample.values))
    news = np.array([_tamed(own.unexplained(a, int(order.own[a])), sample.values[a]) for a in agents])
    shifted = np.stack([np.roll(news, k, axis=1) for k in range(1, order.others + 1)], axis=1)
    known = np.isfinite(shifted).all(axis=(0, 1)) & _unbroken(sample.follows, order.others)
    rows = np.flatnonzero(own.gapless & known & (sample.weight > 0))
    return Model(
        order=order,
        rows=rows,
        weight=sample.weight[rows],
        own=tuple(own.columns(a, int(order.own[a]))[:, rows] for a in agents),
        news=shifted[:, :, rows],
        response=own.values[:, rows],
    )


def fit(model: Model) -> Fit:
    """Fit the model of every agent and test every ordered pair.

    Definition: a Granger-causes b if what was new in the past of a lowers the error of foretelling b from b's own past,
    the news of all others, the signals that all could observe (now and before), a constant and SLOW slow waves. News is
    what an agent's own past and the signals did not foretell; it has no memory, so that two wanderers of long memory do
    not look related. Formula: ordinary least squares; F of the lags of a taken out together, or the Pearson type III
    or t-tail of the coefficients (times the number of lags) where one is larger: rare events are skewed and peaked. Range
    of p: [0, 1]. Chance level: uniform. Failure modes: a driver that nobody recorded; influence faster than the sampling,
    which shows as correlated residuals instead; influence without a linear part (parity) is not seen; strong chains of
    agents with long memories leak a little into pairs two steps apart. Reference: Geweke 1984, J. Am. Stat. Assoc. 79:907.
    """
    order, n, rows = model.order, len(model.response), len(model.rows)
    p, last = np.ones((n, n)), np.ones((n, n))
    effect, residual = np.zeros((order.others, n, n)), np.zeros((n, rows))
    total, bic, freedom = float(model.weight.sum()), 0.0, rows
    news_skew = np.array([skew_of(one[0], model.weight) for one in model.news])
    news_peak = np.array([peak_of(one[0], model.weight) for one in model.news])
    first = np.array([scored(one[0], model.weight) for one in model.news])
    for agent in range(n):
        table, others = model.table(agent)
        heavy = table * model.weight
        inverse = _inverse(heavy @ table.T)
        if inverse is None:
            return Fit(order, np.ones((n, n)), np.ones((n, n)), effect, residual, model.rows, 0, np.inf, collinear=True)
        beta = inverse @ (heavy @ model.response[agent])
        residual[agent] = model.response[agent] - beta @ table
        left = float(model.weight @ residual[agent] ** 2)
        free = int(total) - len(table)
        freedom = min(freedom, free)
        variance = left / max(free, 1)
        joint, t, effect[:, others, agent] = _tested(beta, inverse, (len(others), order.others), variance, free)
        skew = np.abs(skew_of(residual[agent], model.weight) * news_skew[others])
        peak = peak_of(residual[agent], model.weight) * news_peak[others]
        # Who is told now this and now that deviates now downwards, now upwards: no skew in all, and much in each product.
        joined = np.abs((first[others] * scored(residual[agent], model.weight)) ** 3 @ model.weight) / total
        skew = np.where(peak > PEAKED, np.maximum(skew, joined), skew)
        tails = np.maximum(skewed_tails(t, free, skew), heavy_tails(t, free, peak))
        p[others, agent] = np.maximum(joint, np.minimum(1.0, order.others * tails.min(axis=0)))
        last[others, agent] = 2.0 * stdtr(max(free, 1), -np.abs(t[-1]))
        bic += total * np.log(max(left, 1e-300) / total) + np.log(total) * len(table)
    return Fit(order, p, last, effect, residual, model.rows, freedom, bic, collinear=False)


def _inverse(products: Floats) -> Floats | None:
    """Inverse of the products of regressors; None when one of them is determined by the others."""
    size = np.sqrt(np.diag(products))
    if not (size > 0).all():
        return None
    try:
        inverse = np.linalg.inv(products / np.outer(size, size))
    except np.linalg.LinAlgError:
        return None
    unexplained = np.diag(inverse)
    if not (np.isfinite(unexplained).all() and (unexplained > 0).all() and unexplained.max() < 1.0 / ALIKE):
        return None
    return np.asarray(inverse / np.outer(size, size))


def _tested(
    beta: Floats, inverse: Floats, order: tuple[int, int], variance: float, freedom: int
) -> tuple[Floats, Floats, Floats]:
    """For the last ``order`` = (others, lags) coefficients: p of each other's lags together; t, and they, (lags, others)."""
    others, lags = order
    first = len(beta) - others * lags
    own = beta[first:].reshape(others, lags)
    blocks = inverse[first:, first:].reshape(others, lags, others, lags)[np.arange(others), :, np.arange(others), :]
    weighted = np.linalg.solve(blocks, own[:, :, None])[:, :, 0]
    spread = max(variance, 1e-300)
    ratio = (own * weighted).sum(axis=1) / (lags * spread)
    t = own / np.sqrt(np.diagonal(blocks, axis1=1, axis2=2) * spread)
    joint = fdtrc(lags, freedom, np.maximum(ratio, 0.0)) if freedom > 0 else np.ones(others)
    return joint, t.T, own.T


def chosen(sample: Lagged) -> tuple[Model, Fit] | None:
    """The model with lags chosen from the data; None where there are too few times for any.

    Own lags by Akaike's criterion. Lags of others by the Bayesian one, or longer where the coefficients of a longer lag
    alone are plain (Simes p at most LONGER, shared among the lags tried): few links among many pairs do not move a
    criterion that counts all pairs.
    """
    agents, shared = len(sample.values), len(sample.shared)

    def enough(times: int, lag: int, own: int) -> bool:
        return times >= needed(agents, shared=shared, lag=lag, own=own)

    most = next((k for k in range(MOST_OWN, 0, -1) if enough(len(sample.weight) - 2 * k, 1, k)), 0)
    if agents < 2 or most == 0:
        return None
    own = _Own(sample, most).orders()
    tried = []
    for lag in range(1, MOST_LAG + 1):
        model = prepared(sample, Order(lag, np.maximum(own, lag)))
        if not enough(len(model.rows), lag, int(model.order.own.max())):
            break
        tried.append((model, fit(model)))
        if tried[0][1].collinear:
            break
    if not tried:
        return None
    best = int(np.argmin([f.bic for _, f in tried]))
    plain = [k for k in range(1, len(tried)) if simes(tried[k][1].last) <= LONGER / (MOST_LAG - 1)]
    return tried[max([best, *plain])]


def pairs(p: Floats) -> Floats:
    """The p-values of all ordered pairs of different agents, shape (agents * (agents - 1),)."""
    return np.asarray(p[~np.eye(len(p), dtype=bool)])


def simes(p: Floats) -> float:
    """P that any pair depends: the smallest of p_(k) m / k over the m ordered pairs (Simes 1986, Biometrika 73:751)."""
    ordered = np.sort(pairs(p))
    return float(min((ordered * len(ordered) / np.arange(1, len(ordered) + 1)).min(initial=1.0), 1.0))


def links(p: Floats, *, rate: float) -> Bools:
    """Pairs kept at a false discovery rate (Benjamini and Hochberg 1995), shape (agents, agents); [from, to]."""
    ordered = np.sort(pairs(p))
    below = np.flatnonzero(ordered <= rate * np.arange(1, len(ordered) + 1) / len(ordered))
    limit = ordered[below[-1]] if len(below) else -1.0
    return np.asarray((p <= limit) & ~np.eye(len(p), dtype=bool))


def partial_products(model: Model, found: Fit, agent: int) -> tuple[Floats, Ints]:
    """What each time adds to the partial correlations of an agent with the news of the others.

    Returns:
        Shape (others x lags, rows), in units in which a pair that does not depend has mean 0 and variance 1 at each
        time; and the numbers of the others.
    """
    table, others = model.table(agent)
    inverse = _inverse(table @ table.T)
    if inverse is None:
        return np.zeros((len(others) * model.order.others, len(model.rows))), others
    first = len(table) - len(others) * model.order.others
    news = (inverse[first:] @ table) / np.diag(inverse)[first:, None]
    beta = found.effect[:, others, agent].T.ravel()
    answer = found.residual[agent] + beta[:, None] * news
    scale = found.residual[agent].std() * news.std(axis=1, keepdims=True)
    return np.asarray(answer * news / np.where(scale > 0, scale, 1.0)), others


def apart(model: Model, link: tuple[int, int], marked: Bools) -> float:
    """P that a link holds at the times not ``marked`` (shape (rows,)) alone; 1 where these are too few to tell."""
    giver, taker = link
    free = ~marked
    if free.sum() < LEAST_FREE:
        return 1.0
    rest = np.delete(np.arange(len(model.news)), [giver, taker])
    own, news = model.own[taker], model.news[giver]
    table = np.concatenate([own, model.news[rest].reshape(-1, len(free)), news * marked, news * free])
    table = table[np.abs(table).sum(axis=1) > 0]
    inverse = _inverse(table @ table.T)
    freedom = len(free) - len(table)
    if inverse is None or freedom < 1:
        return 1.0
    beta = inverse @ (table @ model.response[taker])
    left = model.response[taker] - beta @ table
    return float(_tested(beta, inverse, (1, len(news)), float(left @ left) / freedom, freedom)[0][0])


def redrawn_by(sample: Lagged, count: Floats) -> Lagged:
    """The sample with times drawn anew, each ``count`` times, shape (times,): their pasts stay with them."""
    return replace(sample, weight=count)
