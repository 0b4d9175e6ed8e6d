"""Archetypes: a few answers of a model for each class of views stand for all agents in that class, variance kept.

The first decisions of a class are asked of the model, each for itself; once ``samples`` answers are there, later agents
draw from them by their own draws, so that agents in equal states do not act alike. A small share, drawn by key, is asked
directly all the same: whether those answers scatter as the class's do is the check of the class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from agents.lens import NAMED, FieldBins, Lens, coding_of
from agents.recorded import fields_of, offered, sensed_of
from agents.table_mind import Taken, drawn, taken_of
from sim.record.log import Log
from sim.spec import Scenario
from sim.world.batches import Asker
from sim.world.due import CENSORED, Answer, Due
from sim.world.oracle import unit
from sim.world.view import NO_CHOICE

CHECK = 95
SAMPLES, CHECKED = 30, 0.05
# Bins of numbers that neighbours tell: classes are made before there is anything to make bins of.
TOLD_EDGES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
Kind = tuple[int, int, int]


@dataclass
class Archetype:
    """One class: the answers that stand for it, how many agents drew from them, and the direct calls that check it."""

    answers: Counter[Kind] = field(default_factory=Counter)
    amounts: dict[Kind, float] = field(default_factory=dict)
    under_way: int = 0
    drawn: int = 0
    direct: Counter[Kind] = field(default_factory=Counter)

    @property
    def n(self) -> int:
        """How many answers there are."""
        return sum(self.answers.values())

    def options(self) -> list[Taken]:
        """The answers as a class of a table."""
        n = self.n
        return [Taken(*kind, "", self.amounts[kind], c, c / n, 0.0, 1.0) for kind, c in sorted(self.answers.items())]


class Archetypes:
    """Asks ``mind`` a few times for each class and lets everybody else draw."""

    def __init__(self, mind: Asker, scenario: Scenario, *, samples: int = SAMPLES, checked: float = CHECKED) -> None:
        self.mind, self.scenario, self.samples, self.checked = mind, scenario, samples, checked
        self.classes: dict[str, Archetype] = {}
        self.decisions = self.asked = 0

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """The model's answers for new classes, draws for known ones; who is too many in a new class waits and then draws."""
        made: list[Answer] = [CENSORED] * len(dues)
        directly: list[tuple[int, Archetype, bool]] = []
        later: list[tuple[int, Archetype]] = []
        for place, due in enumerate(dues):
            found = self._class(due)
            self.decisions += 1
            check = unit(int(due.draws.stream), int(due.draws.count), CHECK) < self.checked
            if found.n + found.under_way < self.samples:
                found.under_way += 1
                directly.append((place, found, False))
            elif check:
                directly.append((place, found, True))
            else:
                later.append((place, found))
        self.asked += len(directly)
        # What a due senses may change once its answer is applied.
        lenses = {place: self._lens(dues[place]) for place, _ in later}
        kinds = [self._kinds(dues[place]) for place, _, _ in directly]
        whole: Future[list[Answer]] = Future()

        def draw() -> None:
            for place, found in later:
                if found.n:
                    found.drawn += 1
                    made[place] = drawn(lenses[place], found.options(), dues[place]) or CENSORED
            whole.set_result(made)

        def finish(done: Future[list[Answer]]) -> None:
            if done.cancelled():
                whole.cancel()
            elif (error := done.exception()) is not None:
                whole.set_exception(error)
            else:
                for (place, found, checks), answer, taken in zip(directly, done.result(), kinds, strict=True):
                    made[place] = answer
                    self._count(found, answer, taken, checks=checks)
                draw()

        if directly:
            self.mind.ask([dues[place] for place, _, _ in directly]).add_done_callback(finish)
        else:
            draw()
        return whole

    def close(self) -> None:
        """Close the model."""
        self.mind.close()

    def beside(self, log: Log) -> Log:
        """The model's tables, with a note on the classes and their check."""
        made = self.mind.beside(log)
        return replace(made, notes=(*made.notes, self.sentence()))

    def sentence(self) -> str:
        """How many classes and samples stand for how many decisions, and whether direct calls scatter alike."""
        n, drawn_ = len(self.classes), sum(c.drawn for c in self.classes.values())
        sizes = sorted((c.drawn + c.n for c in self.classes.values()), reverse=True)
        told = (
            f"Archetypes: {n:,} classes of views; {self.asked:,} of {self.decisions:,} decisions were asked, {drawn_:,} drawn "
            f"from at most {self.samples} answers of their class; the largest class holds {sizes[0] if sizes else 0:,}."
        )
        checked = self.check()
        if checked is None:
            return f"{told} Too few direct calls to check the variance within classes."
        p, calls = checked
        verdict = "scatter as the classes do" if p >= 0.01 else "do not scatter as the classes do"
        return f"{told} {calls:,} direct calls {verdict} (p = {p:.2g}, chi-square)."

    def check(self) -> tuple[float, int] | None:
        """The p-value that direct calls and stored answers come from one distribution, over all classes; and the calls."""
        from scipy.stats import chi2

        total, degrees, calls = 0.0, 0, 0
        for c in self.classes.values():
            m, n = sum(c.direct.values()), c.n
            if m < 5 or n < 5:
                continue
            calls += m
            kinds = set(c.answers) | set(c.direct)
            for k in kinds:
                both = c.answers[k] + c.direct[k]
                for seen, size in ((c.answers[k], n), (c.direct[k], m)):
                    expected = both * size / (n + m)
                    total += (seen - expected) ** 2 / expected
            degrees += len(kinds) - 1
        return None if calls == 0 else (float(chi2.sf(total, degrees)) if degrees else 1.0, calls)

    def _count(self, found: Archetype, answer: Answer, taken: dict[int, tuple[Kind, float]], *, checks: bool) -> None:
        found.under_way -= not checks
        if answer.option == NO_CHOICE or answer.option not in taken:
            return
        kind, amount = taken[answer.option]
        (found.direct if checks else found.answers)[kind] += 1
        found.amounts[kind] = amount

    def _class(self, due: Due) -> Archetype:
        """The class of a view: its fields as they are, and what is remembered and was told without its order."""
        lens = self._lens(due)
        patterns = lens.patterns(due.memory, sensed_of(due))
        remembered = sorted(patterns.items() if lens.coding == NAMED else ((0, p) for p in patterns.values()))
        name = repr((sorted(fields_of(due).items()), remembered))
        return self.classes.setdefault(name, Archetype())

    def _lens(self, due: Due) -> Lens:
        options = [(code, features) for code, _, features, _ in offered(self.scenario, due)]
        told = tuple(FieldBins(n, edges=TOLD_EDGES) for n, value in sensed_of(due).items() if isinstance(value, list))
        return Lens((FieldBins("none", values=(0.0,)),), coding_of(options), len(due.memory), told=told)

    def _kinds(self, due: Due) -> dict[int, tuple[Kind, float]]:
        lens = self._lens(due)
        patterns = lens.patterns(due.memory, sensed_of(due))
        return {
            code: (taken_of(lens, patterns, code, features), amount)
            for code, amount, features, _ in offered(self.scenario, due)
        }
