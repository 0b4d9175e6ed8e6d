"""Limiter: how many calls are under way at once; one more after each success, half as many when the provider complains."""

from __future__ import annotations

import asyncio
from collections import deque

FIRST = 16


class Limiter:
    """Additive increase, multiplicative decrease, up to ``most`` calls at once; to be used in one event loop.

    Until the first complaint the limit grows by one with each success (it doubles in the time of one answer), afterwards
    by one in the time of one answer. A provider that says when to come back holds up everybody until then.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(min(most, FIRST))
        self.busy = 0
        self._slow = False
        self._until = 0.0
        self._last_cut = -1.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place."""
        loop = asyncio.get_running_loop()
        while True:
            rest = self._until - loop.time()
            if rest > 0:
                await asyncio.sleep(rest)
            elif self.busy < self.limit:
                self.busy += 1
                return
            else:
                place: asyncio.Future[None] = loop.create_future()
                self._waiting.append(place)
                await place

    def leave(self) -> None:
        """Give the place back."""
        self.busy -= 1
        self._wake()

    def succeeded(self) -> None:
        """An answer came."""
        self.limit = min(self.most, self.limit + (1.0 / self.limit if self._slow else 1.0))

    def complained(self, *, come_back: float | None) -> None:
        """The provider is overloaded; ``come_back`` is how many seconds it asks for. Complaints of one wave count once."""
        now = asyncio.get_running_loop().time()
        if come_back is not None:
            self._until = max(self._until, now + come_back)
        if now - self._last_cut > 0.5:
            self.limit = max(1.0, self.limit / 2)
            self._last_cut = now
        self._slow = True

    def _wake(self) -> None:
        free = int(self.limit) - self.busy
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
