"""How unequally a total is spread over its holders: Gini coefficient and effective number."""

from __future__ import annotations

import numpy as np


def gini(amounts: np.ndarray) -> float:
    """The Gini coefficient of ``amounts`` >= 0, shape (n,): 0 when all are equal, (n-1)/n when one has everything.

    G = sum_i (2 i - n - 1) x_(i) / (n sum x), with x sorted upwards and i from 1. NaN without a total.
    """
    total = float(np.sum(amounts))
    if len(amounts) == 0 or total <= 0:
        return float("nan")
    n = len(amounts)
    rank = 2 * np.arange(1, n + 1) - n - 1
    return float(max(0.0, np.sum(rank * np.sort(amounts)) / (n * total)))


def effective_number(amounts: np.ndarray) -> float:
    """Exponential of the entropy of the shares of ``amounts``, shape (n,): 1 when one has all, n when all are equal."""
    total = float(np.sum(amounts))
    if total <= 0:
        return 0.0
    shares = amounts / total
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))
