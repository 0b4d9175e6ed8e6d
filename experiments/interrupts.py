"""Ctrl-C between two slices: a press is remembered until a run can stop without losing, doubling or halving anything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from experiments.errors import Interrupted


class Brake:
    """While entered, the first Ctrl-C only sets ``pressed``; a second one interrupts at once.

    In a thread other than the main one signals cannot be caught, and Ctrl-C acts as it always does; in a process that was
    started to ignore it, a worker or a job in the background, it stays ignored.
    """

    def __init__(self) -> None:
        self.pressed = False
        self.hard = False
        self._before: object = None
        self._active = False

    def __enter__(self) -> Brake:
        ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        if threading.current_thread() is threading.main_thread() and not ignored:
            self._before = signal.signal(signal.SIGINT, self._press)
            self._active = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            # A handler that was not set from Python cannot be put back.
            known = callable(self._before) or isinstance(self._before, signal.Handlers)
            signal.signal(signal.SIGINT, self._before if known else signal.default_int_handler)  # type: ignore[arg-type]
            self._active = False

    def check(self) -> None:
        """Raise KeyboardInterrupt when Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt

    def _press(self, _number: int, _frame: FrameType | None) -> None:
        if self.pressed:
            self.hard = True
            raise KeyboardInterrupt
        self.pressed = True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C waits until the block has ended, and acts then."""
    brake = Brake()
    with brake:
        yield
    brake.check()


@contextmanager
def to_the_end(done: str) -> Iterator[None]:
    """Ctrl-C waits until the block has ended; then Interrupted says that it was too late to stop, and what is ``done``."""
    brake = Brake()
    with brake:
        yield
    if brake.pressed:
        raise Interrupted(f"interrupted, too late to stop: {done}")
