"""A rehearsed prompt audit: the audit of a run put to nobody, so that its calls and tokens are known before the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from agents.llm.budget import Account, Budget
from agents.llm.calls import Calls
from agents.llm.ledger import spent
from agents.llm.mind import LlmMind
from agents.llm.provider import Model, Provider, Said
from experiments.prompt_audit import audit
from sim.spec import Scenario

if TYPE_CHECKING:
    from agents.llm.prompt import Frame, Prompt

# Answer tokens at a guess: a choice, free thoughts before it, a sentence on where a prompt comes from.
CHOICE_TOKENS, THOUGHT_TOKENS, OPEN_TOKENS = 8, 120, 40


def rehearsed(mind: LlmMind, scenario: Scenario, decisions: pl.DataFrame, *, samples: int) -> dict[str, Any]:
    """What the audit of a run with such ``decisions`` takes, as ``agents.llm.ledger.spent``; nothing is asked."""
    twin = Guessing(scenario, model=mind.model, account=Account(Budget()), frame=mind.frame)
    try:
        audit(twin, scenario, decisions, samples=samples)
    finally:
        twin.let_go()
    return spent(twin.ledger.table())


class Guessing(LlmMind):
    """A mind whose model is called by nobody: some option is chosen, tokens are counted."""

    def __init__(self, scenario: Scenario, **how: Any) -> None:
        super().__init__(scenario, **how)
        limit = self.calls.limiter.most
        self.calls = _GuessedCalls(self.model, frame=self.frame, account=self.account, concurrency=limit)


class _GuessedCalls(Calls):
    def __init__(self, model: Model, *, frame: Frame, account: Account, concurrency: int) -> None:
        super().__init__(model, frame=frame, account=account, concurrency=concurrency)
        self.provider = _Nobody(model)


class _Nobody(Provider):
    """Answers at once, without a call."""

    def check(self, *, money: float | None = None, key: bool = True) -> None:
        """Nothing is missing."""

    async def ask(self, prompt: Prompt, *, seed: int) -> Said:
        """One of the options by the seed, or for an open question that it is unknown."""
        ids = list(prompt.ids)
        text = json.dumps({"choice": ids[seed % len(ids)]}) if ids else "unknown"
        out = min(self.model.max_tokens, answer_tokens(thoughts=self.model.thoughts) if ids else OPEN_TOKENS)
        return Said(text, False, self.model.name, self.count(prompt), out, 0, 0.0)

    async def close(self) -> None:
        """Nothing is open."""


def answer_tokens(*, thoughts: bool) -> int:
    """Tokens of one choice, at a guess."""
    return CHOICE_TOKENS + (THOUGHT_TOKENS if thoughts else 0)
