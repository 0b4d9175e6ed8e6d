"""Prompt audit: what of a run's outcome the prompt and the model's prior explain, before anybody calls it emergent.

Isolated twins answer views of the run with an empty memory: the same policy, the interaction cut. Their choices are the solo
prior. Where the outcome of the run is what twins choose oftener than chance, the prior explains it and it is not called
emergent. From the same answers come the effects of order and, with words exchanged, of labels. The model is asked what it
takes the experiment to be, and the prompts are searched for words that hand out roles or name what is hoped for. At last
views of the run are asked again in other forms and with neighbours under other numbers (``experiments.prompt_forms``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from agents.table_mind import Z, wilson
from experiments.checks import Check
from experiments.mind_probes import order_shown, swapped
from experiments.prompt_forms import evenly, form_checks, views_of
from experiments.prompt_lint import Hit, lint
from sim.spec import Scenario
from sim.world.batches import Asker
from sim.world.due import Answer, Due
from sim.world.view import NO_CHOICE

if TYPE_CHECKING:
    from agents.llm.mind import LlmMind

TWINS = "isolated twins"
RECOGNISED = 5
PATTERN = (
    "naming game", "convention", "consensus", "coordination", "cooperation", "emergen", "self-organi", "social dynamics",
    "agent-based", "multi-agent", "division of labo", "task allocation", "game theor",
)  # fmt: skip
RECOGNITION = "recognition.txt"


@dataclass(frozen=True)
class Audit:
    """The audit of one model in one run.

    Attributes:
        model: Who was asked.
        checks: See ``Check``.
        hits: Words of the prompts that say too much.
        explained: Why the outcome is no emergence, as a sentence; empty when the prior does not explain it.
        asked: Calls, tokens and cost of the audit (``agents.llm.ledger.spent``); they count in the run's budget.
        cut: Why some of it is missing; empty when nothing is.
    """

    model: str
    checks: tuple[Check, ...]
    hits: tuple[Hit, ...]
    explained: str
    asked: Mapping[str, Any]
    cut: str = ""

    @property
    def twins(self) -> int:
        """Answers of isolated twins that say whether the prior explains the outcome; 0 where they were not asked."""
        return sum(check.n for check in self.checks if check.name == TWINS)

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {**asdict(self), "calls": self.asked["calls"]}


@dataclass
class _Parts:
    checks: list[Check] = field(default_factory=list)
    explained: str = ""
    cut: str = ""


def audit(
    mind: LlmMind, scenario: Scenario, decisions: pl.DataFrame, *, samples: int, prompts: Sequence[str] = ()
) -> Audit:
    """Audit the prompts and the prior of ``mind`` on the views of a run.

    Args:
        mind: A mind like the run's, not yet closed; its account is the run's.
        scenario: The run's scenario.
        decisions: The run's recorded decisions.
        samples: How many isolated twins are asked, and how many again with words exchanged.
        prompts: More texts to search, beside the prompts of the twins.
    """
    from agents.llm.budget import BudgetReached
    from agents.llm.cassette import CassetteProblem
    from agents.llm.ledger import spent
    from agents.llm.prompt import render
    from agents.llm.provider import ProviderProblem

    dues = twins(scenario, decisions, samples=samples)
    texts = [*prompts]
    for due in dues[:20]:
        texts.append(render(mind.question(due, due.offered(scenario)), frame=mind.frame).messages[0]["content"])
    made = _Parts()
    try:
        if dues:
            answers = mind.ask(dues).result()
            made.checks.append(order_check(mind, scenario, dues, answers))
            prior, made.explained = prior_check(scenario, dues, answers, decisions)
            made.checks += prior
            made.checks += label_check(mind, scenario, dues, answers)
        else:
            made.cut = "no recorded view leaves a choice to somebody who remembers nothing, so the prior could not be asked for"
        made.checks += form_checks(mind, scenario, decisions, samples=samples)
        if texts:
            made.checks.append(recognition_check(mind, texts[0]))
    except (BudgetReached, CassetteProblem, ProviderProblem) as error:
        made.cut = str(error)
    asked = spent(mind.ledger.table())
    hits = {(h.family, h.words): h for text in texts for h in lint(_plain(text))}
    return Audit(mind.model.name, tuple(made.checks), tuple(hits.values()), made.explained, asked, made.cut)


def twins(scenario: Scenario, decisions: pl.DataFrame, *, samples: int) -> list[Due]:
    """Views of recorded decisions, evenly taken from the run, with empty memories and draws of their own."""
    views = views_of(scenario, evenly(decisions, samples), salt=0xA0D17, remembering=False)
    return [due for _, due in zip(range(samples), views, strict=False)]


def _plain(text: str) -> str:
    """A prompt without the view as data, which says the same again."""
    head, _, rest = text.partition("<view>")
    return head + rest.partition("</view>")[2]


def order_check(mind: Asker, scenario: Scenario, dues: Sequence[Due], answers: Sequence[Answer]) -> Check:
    """How much oftener than by chance the option listed first is taken."""
    hits, chance, n = 0, 0.0, 0
    for due, answer in zip(dues, answers, strict=True):
        choices = due.offered(scenario)
        order = order_shown(mind, due, choices)
        if answer.option == NO_CHOICE or order is None:
            continue
        n, chance, hits = n + 1, chance + 1 / len(choices), hits + (choices[order[0]].code == answer.option)
    if n == 0:
        return Check("option order", None, None, None, None, 0, "no answer came", fine=False)
    low, high = wilson(hits, n)
    even = chance / n
    fine = low <= even <= high
    said = "no effect was seen" if fine else "the place in the list moves the choice; it is shuffled for every question"
    return Check("option order", hits / n, low, high, even, n, said, fine)


def prior_check(
    scenario: Scenario, dues: Sequence[Due], answers: Sequence[Answer], decisions: pl.DataFrame
) -> tuple[list[Check], str]:
    """Whether isolated twins lean to what won in the run; and the sentence that refuses emergence, if they do."""
    genuine = decisions.filter(pl.col("option").is_not_null())
    choices = [due.offered(scenario) for due in dues]
    named = not any(
        "slot" in c.features or "verb" in c.features or "new" in c.features for listed in choices for c in listed
    )
    taken = [a.option for a in answers if a.option != NO_CHOICE]
    if not named or genuine.height == 0 or not taken:
        said = "options have no names that all agents share, so no prior for one of them can win"
        return [Check(TWINS, None, None, None, None, len(taken), said, fine=True)], ""
    late = genuine.filter(pl.col("time") >= float(genuine["time"].max()) * 2 / 3)  # type: ignore[arg-type]
    winner = int(late["option"].value_counts().sort("count", "option", descending=[True, False])["option"][0])
    won = float((late["option"] == winner).mean())  # type: ignore[arg-type]
    chance = float(np.mean([1 / len(listed) for listed in choices]))
    words = next((c.words for listed in choices for c in listed if c.code == winner), f"option {winner}")
    low, high = wilson(taken.count(winner), len(taken))
    share = taken.count(winner) / len(taken)
    leans = low > chance and Counter(taken).most_common(1)[0][0] == winner
    said = f"“{words}” holds {won:.0%} of the last third of the run; isolated twins choose it {share:.0%} of the time"
    said += ": the prior explains it" if leans else ": no prior for it was seen"
    why = (
        f"isolated twins of the agents, with nothing to remember, choose “{words}” {share:.0%} of the time ({low:.0%} to "
        f"{high:.0%}, by chance {chance:.0%}): the model's prior explains it"
    )
    return [Check(TWINS, share, low, high, chance, len(taken), said, fine=not leans)], why if leans else ""


def label_check(mind: LlmMind, scenario: Scenario, dues: Sequence[Due], answers: Sequence[Answer]) -> list[Check]:
    """How far choices move when the words of the first two options are exchanged: the outcome has to move along."""
    pair = next((tuple(c.code for c in due.offered(scenario))[:2] for due in dues), ())
    first = dues[0].offered(scenario)
    if len(pair) < 2 or any("slot" in c.features for c in first[:2]):
        said = "neighbours are numbered anew for every question; see neighbours' names"
        return [Check("labels", None, None, None, None, 0, said, fine=True)]
    mind.scenario = swapped(scenario, (pair[0], pair[1]))
    try:
        turned = mind.ask(dues).result()
    finally:
        mind.scenario = scenario
    shares = []
    for said_ in (answers, turned):
        codes = [a.option for a in said_ if a.option in pair]
        shares.append((sum(c == pair[0] for c in codes) / max(1, len(codes)), max(1, len(codes))))
    (a, n), (b, m) = shares
    se = math.sqrt(max(a * (1 - a), 0.25 / n) / n + max(b * (1 - b), 0.25 / m) / m)
    fine = abs(a - b) <= Z * se
    said = "no effect was seen" if fine else "the words themselves draw choices: a label is a prior"
    return [Check("labels", a - b, a - b - Z * se, a - b + Z * se, 0.0, n + m, said, fine)]


def recognition_check(mind: LlmMind, text: str) -> Check:
    """The share of answers that name the experiment; questions that were not answered are told of."""
    from agents.llm.open_question import ask_openly
    from agents.llm.prompt import FRAMES, read_frame

    answers = ask_openly(mind, _plain(text), frame=read_frame(FRAMES / RECOGNITION), times=RECOGNISED)
    said = [a.thoughts.lower() for a in answers if a.choice >= 0]
    lost = [a.status for a in answers if a.choice < 0]
    untold = (
        f"; {len(lost)} of {len(answers)} questions were not answered ({', '.join(sorted(set(lost)))})" if lost else ""
    )
    if not said:
        return Check("recognised", None, None, None, None, 0, f"no answer came{untold}", fine=False)
    named, n = sum(any(word in words for word in PATTERN) for words in said), len(said)
    low, high = wilson(named, n)
    verdict = "it does not name the experiment" if named == 0 else f"it names the experiment in {named} of {n} answers"
    return Check("recognised", named / n, low, high, 0.0, n, verdict + untold, fine=named == 0)
