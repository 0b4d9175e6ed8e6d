"""The exact theory of the factory with memoryless rules: a product-form network of queues and absorbing chains.

Symbols: Q (agents, agents) holds the probability that an agent with an item of the type passes it to each neighbour
after service, (1 - attempt * proficiency) * a uniform row; do = attempt * proficiency is the probability that it does
the work. Jackson (1957) and Kelly (1979) give rates and delays; hops, kept requirements and cosine follow from the
absorbing chain that an item walks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags, identity
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import MatrixRankWarning, cg, spsolve
from threadpoolctl import threadpool_limits

from sim.spec import ParameterError

DENSE_LIMIT = 4000
ROUNDS = 20_000
SMALL = 1e-12
PRECISION = 1e-13  # of the residual of conjugate gradients
NEVER = "factory: some work can never be done by anybody it can reach; give more agents skills."


@dataclass(frozen=True)
class TypeTheory:
    """Expectations for one task type; all per item unless said otherwise.

    Attributes:
        visits: Services at each agent, (agents,).
        handoffs: Mean number of hand-offs.
        latency: Mean time in the system; infinite when an agent is overloaded.
        kept: Mean share of requirements still there at delivery.
        cosine: Mean cosine to the original at delivery.
    """

    visits: np.ndarray
    handoffs: float
    latency: float
    kept: float
    cosine: float


def chain_visits(passes: csr_matrix, entry: np.ndarray) -> np.ndarray:
    """Expected visits v = (I - Q^T)^-1 entry of an absorbing walk, (agents,).

    Solved directly up to 4,000 agents, beyond by conjugate gradients where contacts go both ways; ParameterError when the
    walk has states from which it never ends.
    """
    n = len(entry)
    if n <= DENSE_LIMIT or not _balanced(passes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MatrixRankWarning)
            made = np.asarray(spsolve(csr_matrix(identity(n) - passes.T), entry))
        if not np.isfinite(made).all() or (made < -1e-9).any() or made.sum() > 1e9:
            raise ParameterError(NEVER)
        return made
    return _balanced_visits(passes, entry)


def _scale(passes: csr_matrix) -> np.ndarray:
    """Square root of the probability with which each agent passes to any one neighbour, (agents,)."""
    return np.sqrt(passes.max(axis=1).toarray().ravel())


def _inverse(scale: np.ndarray) -> np.ndarray:
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _balanced(passes: csr_matrix) -> bool:
    """Whether contacts go both ways, so that the walk is a symmetric matrix between two diagonal ones."""
    scale = _scale(passes)
    even = diags(_inverse(scale)) @ passes @ diags(scale)
    return abs(even - even.T).max() < SMALL


def _balanced_visits(passes: csr_matrix, entry: np.ndarray) -> np.ndarray:
    """``chain_visits`` of a balanced walk by conjugate gradients, whose rounds grow with the root of the hops only.

    With r the scale, Q^T = B diag(r) and S = diag(r) B symmetric, so that v = entry + B (I - S)^-1 diag(r) entry.
    """
    scale = _scale(passes)
    onward = csr_matrix(passes.T @ diags(_inverse(scale)))
    ends = 1.0 - np.asarray(passes.sum(axis=1)).ravel() > SMALL
    _, part = connected_components(passes + passes.T, directed=False)
    if (np.bincount(part, weights=ends) == 0).any():
        raise ParameterError(NEVER)
    left = csr_matrix(identity(len(entry)) - diags(scale) @ onward)
    # On several threads sums would depend on their number, and so the arrivals and the log; and they take ten times longer.
    with threadpool_limits(limits=1, user_api="blas"):
        found, unfinished = cg(left, scale * entry, rtol=PRECISION, atol=0.0, maxiter=ROUNDS)
    if unfinished:
        raise ParameterError(NEVER)
    return np.asarray(entry + onward @ found)


def passing(start: np.ndarray, neighbour: np.ndarray, do: np.ndarray) -> csr_matrix:
    """Q for one type: agent i passes with probability 1 - do[i], to each neighbour alike; who has none keeps the item."""
    width = np.diff(start)
    n = len(width)
    rows = np.repeat(np.arange(n), width)
    q = csr_matrix((np.repeat((1.0 - do) / np.maximum(width, 1), width), (rows, neighbour)), shape=(n, n))
    alone = np.where(width == 0, 1.0 - do, 0.0)
    return csr_matrix(q + diags(alone))


def stage_factors(q: csr_matrix, do: np.ndarray, entry: np.ndarray, *, z: float) -> np.ndarray:
    """Where, and with which weight z^hand-offs, a stage of work ends: do * (I - z Q^T)^-1 entry, (agents,)."""
    return do * chain_visits(csr_matrix(q * z), entry)


def solve(
    *, start: np.ndarray, neighbour: np.ndarray, proficiency: np.ndarray, entry: np.ndarray, rates: np.ndarray,
    attempt: float, stages: int = 1, service_rate: float = 1.0, loss: float = 0.0, cosine_factor: float = 1.0,
) -> list[TypeTheory]:  # fmt: skip
    """Expectations for every task type.

    Args:
        start: Neighbour table, (agents + 1,).
        neighbour: Neighbour table, (contacts,).
        proficiency: (agents, types) in [0, 1].
        entry: Where items enter, (agents,), sums to 1.
        rates: Arrivals of each type in a unit of time, (types,).
        attempt: Probability that a fully able agent does the work.
        stages: Stages an item needs; stage j of type s needs skill (s + j) mod types.
        service_rate: Services an agent completes in a unit of time.
        loss: Probability that a hand-off loses a requirement.
        cosine_factor: Expected one-hop cosine (``sim.instruments.closed_forms.one_hop_cosine``).
    """
    chains = _chains(start, neighbour, proficiency, attempt)
    per_type = [_walk(chains, s, stages, entry) for s in range(len(chains))]
    loads = sum(rate * visits for rate, visits in zip(rates, per_type, strict=True))
    slack = service_rate - np.asarray(loads)
    made = []
    for s, visits in enumerate(per_type):
        latency = float((visits / slack).sum()) if (slack > 0).all() else float("inf")
        handoffs = float(visits.sum()) - stages
        kept = _generating(chains, s, stages, entry, z=1.0 - loss)
        cosine = _generating(chains, s, stages, entry, z=cosine_factor)
        made.append(TypeTheory(visits, handoffs, latency, kept, cosine))
    return made


def _chains(
    start: np.ndarray, neighbour: np.ndarray, proficiency: np.ndarray, attempt: float
) -> list[tuple[csr_matrix, np.ndarray]]:
    """``(Q, do)`` of every skill."""
    able = attempt * np.asarray(proficiency, dtype=np.float64).T
    return [(passing(start, neighbour, do), do) for do in able]


def _walk(chains: list[tuple[csr_matrix, np.ndarray]], first: int, stages: int, entry: np.ndarray) -> np.ndarray:
    visits = np.zeros(len(entry))
    here = entry
    for stage in range(stages):
        q, do = chains[(first + stage) % len(chains)]
        seen = chain_visits(q, here)
        visits += seen
        here = do * seen
    return visits


def _generating(
    chains: list[tuple[csr_matrix, np.ndarray]], first: int, stages: int, entry: np.ndarray, *, z: float
) -> float:
    here = entry
    for stage in range(stages):
        q, do = chains[(first + stage) % len(chains)]
        here = stage_factors(q, do, here, z=z)
    return float(here.sum())


def hop_distribution(
    *, start: np.ndarray, neighbour: np.ndarray, do: np.ndarray, entry: np.ndarray, hops: int
) -> np.ndarray:
    """P(K = k) for k = 0..hops hand-offs of a single-stage item: entry Q^k do, (hops + 1,)."""
    turn = passing(start, neighbour, do).T.tocsr()
    made, here = [], entry
    for _ in range(hops + 1):
        made.append(float(here @ do))
        here = turn @ here
    return np.array(made)


def rate_for_load(
    load: float, *, start: np.ndarray, neighbour: np.ndarray, proficiency: np.ndarray, entry: np.ndarray,
    mix: np.ndarray, attempt: float, stages: int, service_rate: float,
) -> float:  # fmt: skip
    """The arrival rate of the whole factory at which the busiest agent has utilisation ``load`` under random passing."""
    chains = _chains(start, neighbour, proficiency, attempt)
    visits = sum(share * _walk(chains, s, stages, entry) for s, share in enumerate(mix))
    return float(load * service_rate / np.max(visits))
