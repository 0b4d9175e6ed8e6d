"""Prompt forms: views of a run asked again in another form, and with neighbours under other numbers: do choices follow that?

A mind whose choices change with headings, or that goes to whoever is called 1, makes structure out of the prompt. Views are
taken evenly from the run, with the memories the agents had.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from agents.table_mind import wilson
from experiments.checks import Check
from sim.spec import Choice, Heard, Scenario
from sim.world.due import Answer, Due
from sim.world.oracle import scramble
from sim.world.view import NO_CHOICE, Draws, slot_of

if TYPE_CHECKING:
    from agents.llm.mind import LlmMind

FORMS = ("form-headed.txt", "form-reversed.txt")
SHUFFLES, LEVEL = 2000, 0.05


def views_of(scenario: Scenario, decisions: pl.DataFrame, *, salt: int, remembering: bool) -> Iterator[Due]:
    """Recorded views that leave a choice, with draws of their own; with the memories of the time, or with none."""
    arrays = [f.name for f in scenario.view if f.per_option]
    for number, row in enumerate(decisions.iter_rows(named=True)):
        fields = json.loads(row["fields"])
        lists = {name: np.array(value) for name, value in fields.items() if isinstance(value, list)}
        whole = {n: int(value) if value == int(value) else value for n, value in fields.items() if n not in lists}
        # Runs recorded before arrays were kept tell of nobody.
        unasked = {name: np.full(int(whole.get("width", 0)), -1.0) for name in arrays}
        view = SimpleNamespace(**whole, **unasked | lists)
        memory = tuple(Heard(int(p), int(c), v, int(a)) for p, c, v, a in json.loads(row["memory"]))
        draws = Draws(np.uint64(scramble(salt + number)), np.int64(0))
        due = Due(number, 0.0, view, None, draws, memory if remembering else ())
        if len(due.offered(scenario)) > 1:
            yield due


def evenly(decisions: pl.DataFrame, samples: int) -> pl.DataFrame:
    """About four times as many decisions as are needed, from the whole of the run."""
    return decisions.gather_every(max(1, decisions.height // max(1, 4 * samples)))


def form_checks(mind: LlmMind, scenario: Scenario, decisions: pl.DataFrame, *, samples: int) -> list[Check]:
    """Ask ``samples`` views as the run did and as many times in another form; see ``format_check`` and ``names_check``.

    Raises:
        BudgetReached, CassetteProblem, ProviderProblem: When it cannot be asked.
    """
    from agents.llm.prompt import FRAMES, read_frame

    few = evenly(decisions, samples)
    dues = [due for _, due in zip(range(samples), views_of(scenario, few, salt=0xF0F0, remembering=True), strict=False)]
    if not dues:
        return []
    plain = mind.ask(dues).result()
    other: list[Answer] = []
    for number, name in enumerate(FORMS):
        twin = mind.twin(frame=read_frame(FRAMES / name))
        try:
            other += twin.ask(dues[number :: len(FORMS)]).result()
        finally:
            twin.let_go()
            mind.ledger.take(twin.ledger)
    turned = [due for number in range(len(FORMS)) for due in dues[number :: len(FORMS)]]
    first = {due.agent: answer for due, answer in zip(dues, plain, strict=True)}
    made = [format_check(scenario, turned, [first[due.agent] for due in turned], other)]
    numbers = [mind.question(due, due.offered(scenario)).shown.number for due in dues]
    return [*made, *names_check(scenario, dues, plain, numbers)]


def format_check(
    scenario: Scenario, dues: Sequence[Due], plain: Sequence[Answer], other: Sequence[Answer], *, seed: int = 0
) -> Check:
    """How far the choices on the same views are distributed otherwise when the prompt has another form.

    The value is the total variation distance between the two distributions: 0 alike, 1 nothing in common. Its null exchanges
    the two answers to a view at random; ``chance`` is the distance's mean under it. An effect is told of at 5 %.
    """
    pairs = [(_taken(scenario, due, a), _taken(scenario, due, b)) for due, a, b in zip(dues, plain, other, strict=True)]
    pairs = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not pairs:
        return Check("format", None, None, None, None, 0, "no answer came", fine=False)
    kinds: dict[Hashable, int] = {}
    coded = np.array([[kinds.setdefault(kind, len(kinds)) for kind in pair] for pair in pairs])
    steps = np.zeros((len(pairs), len(kinds)))
    np.add.at(steps, (np.arange(len(pairs)), coded[:, 0]), 1.0)
    np.add.at(steps, (np.arange(len(pairs)), coded[:, 1]), -1.0)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (SHUFFLES, len(pairs)))
    found = float(np.abs(steps.sum(0)).sum()) / 2 / len(pairs)
    null = np.abs(signs @ steps).sum(1) / 2 / len(pairs)
    p = (1 + int((null >= found - 1e-9).sum())) / (1 + SHUFFLES)
    fine = p > LEVEL
    said = "no effect of the prompt's form was seen" if fine else "the form of the prompt moves the choice"
    return Check("format", found, None, None, float(null.mean()), 2 * len(pairs), f"{said} (p = {p:.2g})", fine)


def _taken(scenario: Scenario, due: Due, answer: Answer) -> Hashable | None:
    """What was chosen, in words that mean the same in every view; None for a decision that could not be had."""
    chosen = next((c for c in due.offered(scenario) if c.code == answer.option), None)
    if answer.option == NO_CHOICE or chosen is None:
        return None
    if "new" in chosen.features:
        return "new"
    if "slot" not in chosen.features:
        return chosen.code
    known = any(_slot(heard.code, chosen) == chosen.features["slot"] for heard in due.memory)
    return (chosen.features.get("verb", -1), known)


def _slot(code: int, like: Choice) -> int:
    """The neighbour that a remembered code is about, coded as ``like`` is."""
    return slot_of(code) if "verb" in like.features else code


def names_check(
    scenario: Scenario, dues: Sequence[Due], answers: Sequence[Answer], numbers: Sequence[Sequence[int]]
) -> list[Check]:
    """Whether a neighbour is chosen for what it is called, and whether for what is remembered of it.

    ``numbers`` says for each view what the neighbour in a slot was called there, drawn anew for every question. A hub made
    by names is whoever has the lowest number: its share is compared with that of a neighbour picked at random. Nothing
    comes back where options have names that all agents share.
    """
    lowest, known = _Share(), _Share()
    for due, answer, number in zip(dues, answers, numbers, strict=True):
        near = [c for c in due.offered(scenario) if "slot" in c.features]
        chosen = next((c for c in near if c.code == answer.option), None)
        slots = sorted({int(c.features["slot"]) for c in near})
        if chosen is None or answer.option == NO_CHOICE or len(slots) < 2:
            continue
        slot = int(chosen.features["slot"])
        lowest.add(slot == min(slots, key=lambda s: number[s]), 1 / len(slots))
        met = Counter(s for s in (_slot(heard.code, chosen) for heard in due.memory) if s in slots)
        if met:
            most = [s for s in slots if met[s] == max(met.values())]
            known.add(slot in most, len(most) / len(slots))
    if not any("slot" in c.features for due in dues for c in due.offered(scenario)):
        return []
    even = lowest.even()
    said = "hubs cannot come from names: the neighbour with the lowest number is chosen as often as others"
    if not even:
        said = "the number a neighbour is called by draws choices; it is drawn anew for every question, or it would make hubs"
    told = "how often the neighbour met most is chosen: what draws contacts together is behaviour, not a name"
    return [lowest.check("neighbours' names", said, fine=even), known.check("most met neighbour", told, fine=True)]


class _Share:
    """A share of answers and what it would be by chance."""

    def __init__(self) -> None:
        self.hits, self.n, self.chance = 0, 0, 0.0

    def add(self, hit: Any, chance: float) -> None:
        self.hits, self.n, self.chance = self.hits + bool(hit), self.n + 1, self.chance + chance

    def even(self) -> bool:
        low, high = wilson(self.hits, self.n)
        return self.n == 0 or low <= self.chance / self.n <= high

    def check(self, name: str, verdict: str, *, fine: bool) -> Check:
        if self.n == 0:
            return Check(name, None, None, None, None, 0, "no such choice came up", fine=True)
        low, high = wilson(self.hits, self.n)
        return Check(name, self.hits / self.n, low, high, self.chance / self.n, self.n, verdict, fine)
