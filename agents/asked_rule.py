"""A compiled rule that is asked like a language model: the same functions, interpreted, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from sim.record.log import Log
from sim.world.due import Answer, Due


class AskedRule:
    """Answers by a rule's ``choose``; its agents learn by the same rule in the kernel."""

    def __init__(self, rule: Any, values: Any) -> None:
        """``rule`` is a rule module, ``values`` its parameters by attribute."""
        self.rule, self.values = rule, values

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """All answers at once."""
        done: Future[list[Answer]] = Future()
        done.set_result([self._answer(due) for due in dues])
        return done

    def close(self) -> None:
        """Nothing is under way."""

    def beside(self, log: Log) -> Log:
        """Nothing is added."""
        return log

    def _answer(self, due: Due) -> Answer:
        option, amount = self.rule.choose(due.view, due.state, due.draws, self.values)
        return Answer(int(option), float(amount))
