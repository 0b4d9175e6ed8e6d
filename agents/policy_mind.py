"""A policy mind: a known policy of the mock provider asked in this process, without prompts, calls or a server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from agents.llm.mock_policies import Policy
from agents.llm.mock_view import Draw, Option, View
from agents.recorded import fields_of
from sim.record.log import Log
from sim.spec import Scenario
from sim.world.due import Answer, Due
from sim.world.oracle import bits, scramble

ANSWER, ORDER = 93, 94
_PLACE = re.compile(r"\{(\d+)\}")


class PolicyMind:
    """Answers as ``policy`` does on the same words a prompt would show; options are shuffled by the decision's draws."""

    def __init__(self, scenario: Scenario, policy: Policy) -> None:
        if scenario.options is None or scenario.told is None:
            raise ValueError(f"scenario '{scenario.name}' has no options in words; nothing can be asked about it.")
        self.scenario, self.policy = scenario, policy

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

    def order(self, due: Due, many: int) -> list[int]:
        """Which of ``many`` options stands at each place."""
        base = int(bits(int(due.draws.stream), int(due.draws.count), ORDER))
        return sorted(range(many), key=lambda i: scramble(base + i))

    def _answer(self, due: Due) -> Answer:
        choices = due.offered(self.scenario)
        order = self.order(due, len(choices))
        view = seen(self.scenario, due, [choices[i] for i in order])
        draw = Draw(int(bits(int(due.draws.stream), int(due.draws.count), ANSWER)))
        place, amount = self.policy.pick(view, draw, self.policy.arguments)
        choice = choices[order[place]]
        return Answer(choice.code, choice.amount if amount is None else amount, "rule")


def seen(scenario: Scenario, due: Due, choices: Sequence[object]) -> View:
    """A view in words, its options in the order given; neighbours are called by their slots."""
    assert scenario.told is not None
    listed = tuple(
        Option(letter(place), _named(c.words), _told(c.features))  # type: ignore[attr-defined]
        for place, c in enumerate(choices)
    )
    memory = tuple(_named(scenario.told(heard, due.view)) for heard in due.memory)
    return View(scenario.name, fields_of(due), listed, memory)


def letter(place: int) -> str:
    """a, b, ..., z, then aa, ab, ..."""
    text, rest = "", place
    while rest >= 0:
        text, rest = chr(97 + rest % 26) + text, rest // 26 - 1
    return text


def _told(features: Mapping[str, float]) -> dict[str, float]:
    """Features as prompts tell them: the neighbour's number instead of its slot."""
    return {("neighbour" if name == "slot" else name): (v + 1 if name == "slot" else v) for name, v in features.items()}


def _named(words: str) -> str:
    return _PLACE.sub(lambda match: str(int(match.group(1)) + 1), words)
