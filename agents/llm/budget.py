"""Budget: limits on calls, tokens and money, checked before a call is made."""

from __future__ import annotations

import asyncio
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
    money are reserved as the prompt's estimated tokens and the longest answer allowed. A call of which nobody says what it
    took, counts as what was reserved for it.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.calls, self.tokens, self.money = 0, 0, 0.0
        self.unsaid = 0
        self._open, self._tokens_open, self._money_open = 0, 0, 0.0
        self._waiting: list[asyncio.Future[None]] = []

    def reserve(self, tokens: int, money: float | None) -> None:
        """Take room for one call; BudgetReached where there is none. ``money`` is None for an unknown price."""
        refusal = self._refusal(tokens + self._tokens_open, (money or 0.0) + self._money_open)
        if refusal is not None:
            raise BudgetReached(refusal)
        self.calls += 1
        self._open += 1
        self._tokens_open += tokens
        self._money_open += money or 0.0

    async def room(self, tokens: int, money: float | None) -> None:
        """Take room as ``reserve`` does, but wait for it while calls under way may give some back; in one event loop only."""
        while (
            self._open
            and self._refusal(tokens + self._tokens_open, (money or 0.0) + self._money_open) is not None
            and self._refusal(tokens, money or 0.0) is None
        ):
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self.reserve(tokens, money)

    def settle(self, tokens: int, money: float | None, *, used: int | None, paid: float | None) -> None:
        """A call ended: give back what was reserved (``tokens``, ``money``) and book what it took (``used``, ``paid``).

        None is what nobody says: the reserved amount is booked.
        """
        self._open -= 1
        # Nothing under way holds nothing, whatever floating point makes of it.
        self._tokens_open = self._tokens_open - tokens if self._open else 0
        self._money_open = self._money_open - (money or 0.0) if self._open else 0.0
        self.tokens += tokens if used is None else used
        self.unsaid += tokens if used is None else 0
        self.money += (money if paid is None else paid) or 0.0
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)

    def _refusal(self, tokens: int, money: float) -> str | None:
        """Why there is no room for ``tokens`` and ``money`` beside what was spent; None where there is."""
        limit = self.budget
        unsaid = f", {self.unsaid:,} of them reserved for calls whose use nobody reported" if self.unsaid else ""
        if limit.calls is not None and self.calls + 1 > limit.calls:
            return f"the budget of {limit.calls:,} calls is used up"
        if limit.tokens is not None and self.tokens + tokens > limit.tokens:
            return (
                f"the budget of {limit.tokens:,} tokens leaves no room for another call ({self.tokens:,} used{unsaid})"
            )
        if limit.money is not None and self.money + money > limit.money:
            return f"the budget of ${limit.money:g} leaves no room for another call (${self.money:.4g} used)"
        return None
