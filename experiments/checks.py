"""Check: one thing that an audit looked at, with its figure, what would be without effect, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check: value with 95 % bounds, what chance or no effect would give, answers it rests on, and a verdict in words."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    chance: float | None
    n: int
    verdict: str
    fine: bool
