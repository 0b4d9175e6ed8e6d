"""Probes: views of a scenario put to a mind outside any run, with a memory that says exactly what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from sim.record.log import Log
from sim.spec import Choice, Heard, ParameterError, Scenario, Value
from sim.world.batches import Asker
from sim.world.due import Answer, Due
from sim.world.engine import Engine, rule_module
from sim.world.oracle import scramble
from sim.world.view import PARTNER, Draws

MOST_VIEWS = 8
LOOK_UNTIL = 6.0
SLOT, NEW, VERB = "slot", "new", "verb"


class Looker:
    """Answers anything by lot and keeps the first few unlike views with a choice in them.

    Where words are invented there is no choice without a memory: the views in which all one can do is to invent are kept
    apart, and so are the words that were offered to who had heard them.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.views: dict[str, Due] = {}
        self.bare: dict[str, Due] = {}
        self.words: dict[int, None] = {}

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """A draw for each."""
        assert self.scenario.options is not None
        done: Future[list[Answer]] = Future()
        made = []
        for due in dues:
            choices = self.scenario.options(due.view, due.memory, due.draws)
            place = scramble(int(due.draws.stream) + int(due.draws.count)) % len(choices)
            made.append(Answer(choices[place].code, choices[place].amount))
            name = str({n: v for n, v in vars(due.view).items() if not isinstance(v, np.ndarray)})
            alone = self.scenario.options(due.view, (), due.draws)
            if len(alone) > 1 and len(self.views) < MOST_VIEWS:
                self.views.setdefault(name, replace(due, state=None, memory=()))
            elif all(NEW in c.features for c in alone) and len(self.bare) < MOST_VIEWS:
                self.bare.setdefault(name, replace(due, state=None, memory=()))
                self.words.update(dict.fromkeys(_plain(choices)))
        done.set_result(made)
        return done

    def close(self) -> None:
        """Nothing is under way."""

    def beside(self, log: Log) -> Log:
        """Nothing is added."""
        return log


@dataclass(frozen=True)
class Stage:
    """Where probes come from: a scenario, views seen in it, and the pair of options that are weighed against each other.

    Attributes:
        scenario: The scenario.
        views: Dues without a memory, from a short run in which everybody chose by lot.
        pair: Codes of the two options, for every view the same.
        named: True when options have names of their own, False when neighbours are numbered anew each time.
        engine: The engine the views come from, for rules' parameters and columns.
        invented: True when the pair are words that agents made up: only who has heard one can take it.
    """

    scenario: Scenario
    views: tuple[Due, ...]
    pair: tuple[int, int]
    named: bool
    engine: Engine
    invented: bool = False

    def probe(self, number: int, *, heard: Sequence[int] = (), seed: int = 0) -> Due:
        """Probe ``number``: a view, draws of its own, and a memory of others taking the options ``heard``, oldest first."""
        due = self.views[number % len(self.views)]
        draws = Draws(np.uint64(scramble(scramble(seed) + number + 1)), np.int64(0))
        about = int(getattr(due.view, "task", -1))
        memory = tuple(Heard(PARTNER, code, 1.0, about) for code in heard)
        return replace(due, draws=draws, memory=memory, state=None, agent=number, time=0.0)

    def even(self, number: int, *, acts: int, seed: int = 0) -> Due:
        """Probe ``number`` under the least pressure there is: alone, or where words are invented, having heard both alike.

        ``acts`` is the size of that memory; an odd one is rounded down, for half of it tells of each word.
        """
        half = max(1, acts // 2)
        heard = self.shuffled(half, 2 * half, number, seed=seed) if self.invented else ()
        return self.probe(number, heard=heard, seed=seed)

    def choices(self, due: Due) -> Sequence[Choice]:
        """What can be chosen in a probe."""
        assert self.scenario.options is not None
        return self.scenario.options(due.view, due.memory, due.draws)

    def shuffled(self, first: int, many: int, number: int, *, seed: int) -> list[int]:
        """A memory of ``many`` acts, ``first`` of which took the pair's first option, in an order drawn by key."""
        acts = [self.pair[0]] * first + [self.pair[1]] * (many - first)
        return [acts[i] for i in sorted(range(many), key=lambda i: scramble(scramble(seed ^ number) + i))]


def stage(
    scenario: Scenario, *, preset: str | None = None, changes: Mapping[str, object] | None = None, seed: int = 0
) -> Stage:
    """Look at a scenario: which views occur and which two options can be weighed against each other.

    Where words are invented these are the first two that somebody heard. ParameterError when the scenario leaves nothing to
    decide, or never offers two options of one kind.
    """
    from sim.world.batches import Mixture

    if scenario.options is None:
        raise ParameterError(f"scenario '{scenario.name}' leaves nothing to decide; no mind can be asked about it.")
    values: dict[str, Value] = scenario.values(preset, changes)
    name = scenario.rule_for(preset)
    rule = rule_module(name, scenario)
    looker = Looker(scenario)
    n = int(values["agents"])
    mixture = Mixture((rule,), np.full(n, -1), np.zeros(n, np.int64), (looker,))
    engine = Engine(scenario, values=values, seed=seed, rule=rule, rule_name=name, mixture=mixture, compiled=False)
    for _ in engine.slices(LOOK_UNTIL, None, steps=200):
        enough = len(looker.views) > 0 or len(looker.words) > 1
        if len(looker.views) >= MOST_VIEWS or (enough and engine.now > LOOK_UNTIL / 2):
            break
    found: dict[tuple[int, int], list[Due]] = {}
    named = True
    for due in looker.views.values():
        pair = _pair(scenario.options(due.view, (), due.draws))
        if pair is not None:
            found.setdefault(pair[:2], []).append(due)
            named = pair[2]
    if not found and len(looker.words) > 1:
        first, second, *_ = looker.words
        return Stage(scenario, tuple(looker.bare.values()), (first, second), named=True, engine=engine, invented=True)
    if not found:
        raise ParameterError(
            f"scenario '{scenario.name}': no view offers two options that can be weighed against each other; choose "
            "parameters in which one does (with more agents, neighbours or words)."
        )
    pair2, views = max(found.items(), key=lambda item: len(item[1]))
    return Stage(scenario, tuple(views), pair2, named, engine)


def _pair(choices: Sequence[Choice]) -> tuple[int, int, bool] | None:
    """Two options of one kind: the first two names, or the same thing done with two neighbours."""
    plain = _plain(choices)
    if len(plain) > 1:
        return plain[0], plain[1], True
    for verb in dict.fromkeys(c.features.get(VERB, -1) for c in choices if SLOT in c.features):
        same = [c.code for c in choices if SLOT in c.features and c.features.get(VERB, -1) == verb]
        if len(same) > 1:
            return same[0], same[1], False
    return None


def _plain(choices: Sequence[Choice]) -> list[int]:
    """Codes of the options that have names of their own."""
    return [c.code for c in choices if not c.features.keys() & {SLOT, NEW, VERB}]


def swapped(scenario: Scenario, pair: tuple[int, int]) -> Scenario:
    """The scenario with the words of two options exchanged, in what can be chosen and in what is remembered."""
    other = {pair[0]: pair[1], pair[1]: pair[0]}

    def options(view: Any, memory: Any, draws: Any) -> list[Choice]:
        assert scenario.options is not None
        made = list(scenario.options(view, memory, draws))
        words = {c.code: c.words for c in made}
        return [replace(c, words=words.get(other.get(c.code, c.code), c.words)) for c in made]

    def told(heard: Heard, view: Any) -> str:
        assert scenario.told is not None
        return scenario.told(heard._replace(code=other.get(heard.code, heard.code)), view)

    return replace(scenario, options=options, told=told)


class RuleMind:
    """A compiled rule put to probes: interpreted, its columns as they are after learning what the memory tells."""

    def __init__(self, rule: Any, stage: Stage) -> None:
        self.rule, self.stage = rule, stage
        built = stage.engine.built
        self.values = SimpleNamespace(**{p: float(built.rule_values[p]) for p in rule.PARAMETERS})

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
        dims, columns = self.stage.engine.built.dims, {}
        for name, (kind, lengths, start) in self.rule.STATE.items():
            columns[name] = np.full([dims[d] for d in lengths], start, kind)
        state = SimpleNamespace(**columns)
        for heard in due.memory:
            self.rule.learn(due.view, state, _outcome(heard), heard.part, self.values)
        option, amount = self.rule.choose(due.view, state, due.draws, self.values)
        return Answer(int(option), float(amount))


def _outcome(heard: Heard) -> SimpleNamespace:
    """A thing remembered as the outcome it was: under every name that scenarios give to it."""
    good = int(heard.value > 0.0)
    return SimpleNamespace(
        word=heard.code, slot=heard.code % (1 << 31), option=heard.code, success=good, good=good, reward=float(good),
        amount=heard.value, task=max(0, heard.about),
    )  # fmt: skip


def order_shown(mind: Any, due: Due, choices: Sequence[Choice]) -> Sequence[int] | None:
    """Which option a mind that reads was shown at each place; None for minds that see no order."""
    if hasattr(mind, "order"):
        return list(mind.order(due, len(choices)))
    if hasattr(mind, "question"):
        return list(mind.question(due, choices).shown.order)
    return None


Maker = Callable[[Scenario], Asker]
