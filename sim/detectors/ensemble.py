"""Groups by an ensemble: many quick partitions, the likeliest of them settled by sampling a block model.

No single optimum of modularity can be trusted: optima are many, depend on the resolution, and miss small or blurred
groups. Here partitions over resolutions and seeds are only starts. Each is judged by the evidence for a block model with
degrees, in which every group has its own density and the rates between groups scatter about a common one, and the best
are settled: agents are moved at random in proportion to how well they fit, and each gets the group it fitted best on
average. Sampling beats every optimum where groups are blurred, and the evidence chooses the resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import gammaln

from sim.detectors.canonical import canonical
from sim.detectors.groups import LEAST_TEAM, louvain, numbered, weights
from sim.detectors.nulls import Links
from sim.detectors.window import NONE, Floats, Ints, summed

RESOLUTIONS = (0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
SEEDS = 3
SWEEPS, BURN_IN = 60, 20
STATED = 0.5  # of the entropy of labels is charged: that there are groups at all is tested against N1, not here
ONE_CONTACT = float(np.log(2.0))  # weight of a single contact
MELTED = 0.6  # mean fit below which sampled agents belong nowhere in particular
STATES = 4  # sampled states whose evidence is averaged
PRIOR_WEIGHT = 20.0  # link ends of the mean group that each group's inside share starts from
ALOOF = 0.95  # largest rate between groups; an agent in no group has 1
SCATTER = np.geomspace(0.1, 300.0, 24)  # shapes tried for the scatter of rates between groups
LARGE = 50_000  # links from which one seed and the two likeliest starts have to do
LARGEST_TABLE = 40_000_000  # agents times groups of a start that is still settled (160 MB)


@dataclass(frozen=True)
class Grouping:
    """Groups of agents.

    Attributes:
        labels: Group of each agent, numbered from 0, NONE for agents without contacts or in no group; shape (n,).
        share: How surely each agent belongs there: its mean fit among the groups it has contacts in, 0 to 1; shape (n,).
        evidence: Log evidence of the groups, in nats; only differences on the same links mean anything.
        resolution: Resolution of the quick partition it started from.
    """

    labels: Ints
    share: Floats
    evidence: float
    resolution: float


def observations(links: Links) -> Floats:
    """Log-compressed contacts scaled so that they vary like counts: the number of observations a link stands for.

    Formula: w / phi with w = log(1 + contacts) and phi = sum (w - m)^2 / sum m over all pairs, m = s_i s_j / sum s expected
    from strengths alone: the dispersion by which w would have to be divided to vary like Poisson counts (quasi-likelihood,
    McCullagh & Nelder 1989, ch. 9). At least log 2, so that one contact is one observation at most; groups that are there
    make phi larger, which is cautious. Contacts of people come in bursts and have phi of 1 to 2, those drawn one by one
    less than log 2.
    """
    weight = weights(links)
    if len(weight) == 0:
        return weight
    strength = _strength(links, weight)
    total = strength.sum()
    expected = strength[links.source] * strength[links.target] / total
    everywhere = ((strength**2).sum() ** 2 - (strength**4).sum()) / (2.0 * total**2)  # m^2 over all pairs
    spread = (weight**2 - 2.0 * weight * expected).sum() + everywhere
    mean = (total**2 - (strength**2).sum()) / (2.0 * total)
    return np.asarray(weight / max(spread / max(mean, 1e-12), ONE_CONTACT), dtype=np.float64)


def _strength(links: Links, weight: Floats) -> Floats:
    """Weight of the links of each agent, shape (n,)."""
    return summed(links.source, weight, links.n) + summed(links.target, weight, links.n)


@dataclass(frozen=True)
class _Rates:
    """Rates of a block model, relative to what strengths alone would give; an agent without a group has rate 1.

    Attributes:
        inside: Of each group with itself, shape (groups,).
        outside: Between groups, at most ALOOF.
        strength: Link ends of each group, shape (groups,).
        total: Link ends of the graph.
    """

    inside: Floats
    outside: float
    strength: Floats
    total: float

    @property
    def pull(self) -> Floats:
        """Log rate by which a contact in each group, and at last in any group for none, speaks for it."""
        return np.log(np.append(self.inside, 1.0) / self.outside)

    @property
    def push(self) -> Floats:
        """What a link end costs in each group, and at last in none."""
        per_group = (self.inside - self.outside) * self.strength
        return np.append(per_group, (1.0 - self.outside) * self.strength.sum()) / self.total


def _rates(links: Links, weight: Floats, strength: Floats, labels: Ints, groups: int) -> _Rates:
    """Rates fitted to ``labels`` (NONE: no group); the inside share of a small group is drawn towards that of all."""
    a, b = labels[links.source], labels[links.target]
    same, known = (a == b) & (a >= 0), labels >= 0
    within = summed(a[same], weight[same], groups)
    across = weight[(a >= 0) & (b >= 0) & (a != b)].sum()
    per_group, total = summed(labels[known], strength[known], groups), strength.sum()
    mean = 2.0 * within.sum() / max(per_group.sum(), 1e-9)
    share = (2.0 * within + PRIOR_WEIGHT * mean) / (per_group + PRIOR_WEIGHT)
    inside = np.where(per_group > 0, share * total / np.maximum(per_group, 1e-9), 1.0)
    room = (per_group.sum() ** 2 - (per_group**2).sum()) / (2.0 * total)
    outside = min(max(across, 1.0) / max(room, 1e-9), ALOOF)
    return _Rates(np.maximum(inside, 1e-9), outside, per_group, float(total))


def _sample(  # noqa: PLR0917
    starts: Ints,
    ends: Ints,
    weight: Floats,
    strength: Floats,
    labels: Ints,
    order: Ints,
    uniform: Floats,
    pull: Floats,
    push: Floats,
    prior: Floats,
    fit: NDArray[np.float32],
) -> float:
    """One sweep: each agent draws a group among those it has contacts in, or none, in proportion to its likelihood.

    ``pull`` and ``push`` are those of ``_Rates``, ``push`` infinite where everybody has to have a group; ``prior`` is the
    log of how many agents are in none and, shared among groups alike, in any; ``fit`` (agents, groups and none) collects
    the probabilities, unless it has no rows; in ``labels`` the last number stands for none.
    Returns the entropy of the draws in nats.
    """
    none = len(pull) - 1
    entropy = 0.0
    near = np.zeros(len(pull))
    seen = np.empty(len(pull), dtype=np.int64)
    chance = np.empty(len(pull))
    for at in range(len(order)):
        i = order[at]
        count, grouped = 0, 0.0
        for k in range(starts[i], starts[i + 1]):
            group = labels[ends[k]]
            if group == none:
                continue
            if near[group] == 0.0:
                seen[count] = group
                count += 1
            near[group] += weight[k]
            grouped += weight[k]
        if push[none] < np.inf:
            seen[count] = none
            near[none] = grouped
            count += 1
        if count == 0:
            continue
        most = -np.inf
        for k in range(count):
            chance[k] = prior[seen[k]] + pull[seen[k]] * near[seen[k]] - push[seen[k]] * strength[i]
            most = max(most, chance[k])
            near[seen[k]] = 0.0
        total = 0.0
        for k in range(count):
            chance[k] = np.exp(chance[k] - most)
            total += chance[k]
        left, chosen = uniform[at], -1
        for k in range(count):
            chance[k] /= total
            left -= chance[k]
            if chosen < 0 and left < 0.0:
                chosen = k
            if len(fit) > 0 and chance[k] > 0.0:
                fit[i, seen[k]] += chance[k]
                entropy -= chance[k] * np.log(chance[k])
        labels[i] = seen[chosen if chosen >= 0 else count - 1]
    return entropy


_sample_fast = njit(cache=True)(_sample)


def settled(links: Links, start: Grouping, *, apart: bool = False, seed: int = 0, sweeps: int = SWEEPS) -> Grouping:
    """Sample the block model from ``start`` on, and give each agent the group that fitted it best on average.

    With ``apart`` an agent may also be in no group, which fits those best that meet everybody alike.

    The mean of probabilities over sweeps, not the last state or the single best partition, is what is most often right
    for each agent (Decelle, Krzakala, Moore, Zdeborova 2011, Phys. Rev. E 84:066106). The evidence is that of sampled
    states plus the entropy of the draws, so that blurred groups are not charged for the labels they leave open. The
    number of groups can fall but not rise. Where few contacts leave agents belonging nowhere, the start is returned.
    """
    weight = observations(links)
    groups = int(start.labels.max(initial=NONE)) + 1
    if len(weight) == 0 or groups == 0:
        return start
    labels = np.where(start.labels < 0, groups, start.labels)
    starts, ends, both = neighbours(links, weight)
    strength = _strength(links, weight)
    fit, unheard = np.zeros((links.n, groups + 1), dtype=np.float32), np.zeros((0, groups + 1), dtype=np.float32)
    rng = np.random.default_rng(seed)
    kept = sweeps - BURN_IN * sweeps // SWEEPS
    entropy, states = 0.0, []
    for left in range(sweeps, 0, -1):
        rates = _rates(links, weight, strength, np.where(labels == groups, NONE, labels), groups)
        push = rates.push if apart else np.append(rates.push[:-1], np.inf)
        order, uniform = rng.permutation(links.n), rng.random(links.n)
        into = fit if left <= kept else unheard
        alone = int((labels == groups).sum())
        prior = np.full(groups + 1, np.log((links.n - alone + 1.0) / groups))
        prior[-1] = np.log(alone + 1.0)
        entropy += _sample_fast(starts, ends, both, strength, labels, order, uniform, rates.pull, push, prior, into)
        if left <= kept and left % (kept // STATES) == 0:
            states.append(evidence(links, np.where(labels == groups, NONE, labels)))
    best = fit.argmax(axis=1)
    best = np.where((strength > 0) & (best < groups), best, NONE)
    share = fit.max(axis=1).astype(np.float64) / kept
    if share[strength > 0].mean() < MELTED:
        return start
    return Grouping(numbered(best), share, float(np.mean(states)) + entropy / kept, start.resolution)


def neighbours(links: Links, weight: Floats) -> tuple[Ints, Ints, Floats]:
    """Lists of neighbours: those of agent i are ``ends[starts[i]:starts[i + 1]]``, with the weight of each link."""
    source, ends = np.concatenate([links.source, links.target]), np.concatenate([links.target, links.source])
    order = np.argsort(source, kind="stable")
    starts = np.searchsorted(source[order], np.arange(links.n + 1))
    return starts, ends[order], np.concatenate([weight, weight])[order]


def evidence(links: Links, labels: Ints) -> float:
    """Log evidence of groups under a block model with degrees, in nats.

    Definition: log-likelihood of the links (as ``observations``), each group with its own rate inside, rates between
    groups gamma-distributed about a common mean and integrated out, minus half the cost of stating the labels (entropy)
    and of each group's rate (BIC). Formula: sum_r (e_rr log w_r - w_r m_rr) + sum_{r<s} log NB(e_rs; w_out m_rs, shape) +
    sum_r n_r log(n_r / n) / 2 - (K / 2) log E, m = expected from strengths. Range: real; differences count. Low: groups that do
    not explain who meets whom; high: groups that do. Chance level and null: none; the test is on modularity (N1), this
    chooses among groupings. Fooled by: heterogeneity inside groups in strongly repeated contacts, which invites a finer
    partition. References: Karrer & Newman 2011 (likelihood); Zhang & Peixoto 2020, Phys. Rev. Research 2:043271
    (assortative groups of unequal density).
    """
    weight = observations(links)
    groups = int(labels.max(initial=NONE)) + 1
    strength = _strength(links, weight)
    if strength.sum() <= 0:
        return 0.0
    rates = _rates(links, weight, strength, labels, groups)
    a, b = labels[links.source], labels[links.target]
    low, high = np.minimum(a, b), np.maximum(a, b)
    met, place = np.unique((low * groups + high)[low >= 0], return_inverse=True)
    seen = np.bincount(place, weight[low >= 0], len(met))
    inner = met // max(groups, 1) == met % max(groups, 1)
    within = (seen[inner] * np.log(rates.inside[met[inner] % max(groups, 1)])).sum()
    within -= (rates.inside * rates.strength**2).sum() / (2.0 * rates.total)
    within -= (rates.total**2 - rates.strength.sum() ** 2) / (2.0 * rates.total)  # links of agents in no group, rate 1
    size = np.bincount(labels[strength > 0] + 1)
    size = size[size > 0]
    stated = -STATED * (size * np.log(size / size.sum())).sum() + groups * np.log(max(weight.sum(), 2.0)) / 2.0
    return float(within + _between(rates, seen[~inner], met[~inner]) - stated)


def _between(rates: _Rates, seen: Floats, pair: Ints) -> float:
    """Log evidence of the links between groups: Poisson, or negative binomial with the likeliest scatter."""
    groups, grouped = len(rates.strength), rates.strength.sum()
    low, high = np.divmod(pair, groups)
    expected = rates.outside * rates.strength[low] * rates.strength[high] / rates.total
    everywhere = rates.outside * (grouped**2 - (rates.strength**2).sum()) / (2.0 * rates.total)
    spoken = float((seen * np.log(rates.outside)).sum())
    best = float(spoken - everywhere)
    if groups > 1000:  # the pairs not met would fill a table of a million
        return best
    first, second = np.triu_indices(groups, 1)
    all_expected = rates.outside * rates.strength[first] * rates.strength[second] / rates.total
    for shape in SCATTER:
        # Pairs that met: Gamma(shape + e) / Gamma(shape) (1 + m/shape)^-(shape + e) / shape^e; the others: e = 0.
        value = spoken - shape * np.log1p(all_expected / shape).sum()
        value += float((gammaln(shape + seen) - gammaln(shape) - seen * np.log(shape + expected)).sum())
        best = max(best, float(value))
    return best


def ensemble(links: Links, *, apart: bool = False, seed: int = 0) -> Grouping:
    """The groups of a graph by the best evidence over resolutions and seeds, settled by sampling.

    At each resolution the likeliest seed is settled; the likeliest outcome wins. Groupings without two teams are taken
    only when there are no others. The same groups whatever agents are called. Accuracy is measured in
    tests/detectors/test_team_accuracy.py.
    """
    links, place = canonical(links)
    found = _likeliest(links, apart=apart, seed=seed)
    return replace(found, labels=found.labels[place], share=found.share[place])


def _likeliest(links: Links, *, apart: bool, seed: int) -> Grouping:
    seeds = SEEDS if len(links.source) <= LARGE else 1
    best = []
    for resolution in RESOLUTIONS:
        again = [started(links, resolution=resolution, seed=seed * SEEDS + k) for k in range(seeds)]
        best.append(min(again, key=_order))
    fitting = [s for s in best if links.n * (int(s.labels.max(initial=0)) + 1) <= LARGEST_TABLE]
    finalists = {s.labels.tobytes(): s for s in sorted(fitting or best, key=_order)}
    if not fitting:
        return next(iter(finalists.values()))
    most = len(finalists) if len(links.source) <= LARGE else 2
    return min((settled(links, start, apart=apart, seed=seed) for start in list(finalists.values())[:most]), key=_order)


def started(links: Links, *, resolution: float, seed: int = 0) -> Grouping:
    """A quick partition with its evidence, from which ``settled`` may start."""
    labels = louvain(links, resolution=resolution, seed=seed)
    return Grouping(labels, np.where(labels >= 0, 1.0, 0.0), evidence(links, labels), resolution)


def _order(grouping: Grouping) -> tuple[bool, float]:
    return (_trivial(grouping.labels), -grouping.evidence)


def _trivial(labels: Ints) -> bool:
    """Fewer than two groups that are large enough for a team."""
    return int((np.bincount(labels[labels >= 0]) >= LEAST_TEAM).sum()) < 2
