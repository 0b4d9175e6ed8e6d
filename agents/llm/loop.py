"""The loop: one event loop in a thread of its own, in which all model calls of a process are made."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any


class Loop:
    """One event loop for all minds of a process, in a thread of its own: it works under notebooks, pages and other loops.

    LiteLLM keeps objects that belong to the loop that made them, so there is one as long as anybody asks, and no other.
    """

    _lock = threading.Lock()
    _only: Loop | None = None

    def __init__(self) -> None:
        self.users = 0
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model calls", daemon=True)
        self._thread.start()

    @classmethod
    def borrow(cls) -> Loop:
        """The loop, made where there is none (in this process: a forked child has no thread)."""
        with cls._lock:
            if cls._only is None or cls._only.pid != os.getpid():
                cls._only = cls()
            cls._only.users += 1
            return cls._only

    def submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def give_back(self, last: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """One user less; after the last one everything under way is cancelled, ``last`` is run, and the thread ends."""
        with Loop._lock:
            self.users -= 1
            if self.users > 0:
                return
            Loop._only = None

        async def end() -> None:
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await last()

        try:
            self.submit(end()).result(timeout=5.0)
        except TimeoutError:
            pass  # a client that does not let go dies with the thread
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)
            if not self._thread.is_alive():
                self._loop.close()
