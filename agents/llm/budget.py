"""Budget: limits on calls, tokens and money, checked before a call is made."""

from __future__ import annotations

from dataclasses import dataclass


class BudgetReached(RuntimeError):
    """The next call would pass a limit; the run stops as interrupted, with everything recorded."""


@dataclass(frozen=True)
class Budget:
    """Limits of one run; None sets no limit. ``money`` is in US dollars, as in the price map."""

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None


class Account:
    """What a run has spent, and what calls under way may still spend.

    A call is granted only if the limit holds even when every call under way costs what was reserved for it; tokens and
    money are reserved as the prompt's estimated tokens and the longest answer allowed.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.calls, self.tokens, self.money = 0, 0, 0.0
        self._tokens_open, self._money_open = 0, 0.0

    def reserve(self, tokens: int, money: float | None) -> None:
        """Take room for one call; BudgetReached where there is none. ``money`` is None for an unknown price."""
        limit = self.budget
        if limit.calls is not None and self.calls + 1 > limit.calls:
            raise BudgetReached(f"the budget of {limit.calls:,} calls is used up")
        if limit.tokens is not None and self.tokens + self._tokens_open + tokens > limit.tokens:
            raise BudgetReached(
                f"the budget of {limit.tokens:,} tokens leaves no room for another call ({self.tokens:,} used)"
            )
        if limit.money is not None and self.money + self._money_open + (money or 0.0) > limit.money:
            raise BudgetReached(
                f"the budget of ${limit.money:g} leaves no room for another call (${self.money:.4g} used)"
            )
        self.calls += 1
        self._tokens_open += tokens
        self._money_open += money or 0.0

    def settle(self, tokens: int, money: float | None, *, used: int, paid: float | None) -> None:
        """A call ended: give back what was reserved (``tokens``, ``money``) and book what it took (``used``, ``paid``)."""
        self._tokens_open -= tokens
        self._money_open -= money or 0.0
        self.tokens += used
        self.money += paid or 0.0
