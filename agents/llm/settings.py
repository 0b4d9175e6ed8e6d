"""Settings of language-model minds: everything a run is told about how models are asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from agents.llm.budget import Budget
from agents.llm.cassette import MODES, RECORD, REPLAY
from agents.llm.provider import Model, shown_url
from sim.spec import ParameterError

MEMORY, WINDOW = 5, 0.25
STRUCTURED = ("schema", "words")


@dataclass(frozen=True)
class Asking:
    """How language-model minds are asked in one run.

    Attributes:
        model: ``provider/model`` for minds that name none of their own.
        base_url: Address of the server, for all models of the run; each provider's own when None.
        temperature: None leaves it to the provider.
        max_tokens: Longest answer.
        timeout: Seconds after which a call has failed.
        retries: How often a failed call or an unreadable reply is tried again.
        structured: ``schema`` or ``words``, see ``agents.llm.provider.Model``.
        thoughts: Ask for free thoughts before the choice.
        concurrency: Most calls under way at once.
        samples: 0 gives every decision a sample of its own, K > 0 lets equal views share K of them.
        memory: How many outcomes an agent remembers.
        window: Windows of event time in which decisions are asked together, in model time; 0 asks one moment at a time.
        cassette: File in which replies are kept.
        cassette_mode: record, replay or replay-or-live.
        budget: Limits of the run.
        audit: How many isolated twins are asked after the run about the model's prior; 0 for no audit.
    """

    model: str | None = None
    base_url: str | None = None
    temperature: float | None = None
    max_tokens: int = 200
    timeout: float = 60.0
    retries: int = 3
    structured: str = "schema"
    thoughts: bool = False
    concurrency: int = 32
    samples: int = 0
    memory: int = MEMORY
    window: float = WINDOW
    cassette: str | None = None
    cassette_mode: str = RECORD
    budget: Budget = field(default_factory=Budget)
    audit: int = 0

    def checked(self) -> Asking:
        """The settings themselves; ParameterError naming option, range and value where one is out of range."""
        for option, value, low in (
            ("--timeout", self.timeout, 0.001), ("--concurrency", self.concurrency, 1), ("--retries", self.retries, 0),
            ("--max-tokens", self.max_tokens, 1), ("--samples", self.samples, 0), ("--memory", self.memory, 1),
            ("--window", self.window, 0), ("--audit", self.audit, 0), ("--budget-calls", self.budget.calls, 0),
            ("--budget-tokens", self.budget.tokens, 0), ("--budget-money", self.budget.money, 0),
            ("--temperature", self.temperature, 0),
        ):  # fmt: skip
            if value is not None and not low <= value < float("inf"):
                raise ParameterError(f"{option}: expected a number of at least {low:g}, got {value}.")
        if self.structured not in STRUCTURED:
            raise ParameterError(f"--structured: expected {' or '.join(STRUCTURED)}, got '{self.structured}'.")
        if self.cassette_mode not in MODES:
            raise ParameterError(f"--cassette-mode: expected one of {', '.join(MODES)}, got '{self.cassette_mode}'.")
        if self.cassette is None and self.cassette_mode != RECORD:
            raise ParameterError(f"--cassette-mode {self.cassette_mode}: name the cassette with --cassette FILE.")
        if self.base_url is not None and urlsplit(self.base_url).scheme not in {"http", "https"}:
            raise ParameterError(f"--base-url: expected http://... or https://..., got '{shown_url(self.base_url)}'.")
        if self.base_url is not None and shown_url(self.base_url) != self.base_url:
            raise ParameterError(
                f"--base-url: expected an address without user, password or query, as '{shown_url(self.base_url)}'; a key "
                "belongs into the environment."
            )
        return self

    def of(self, model: str) -> Model:
        """How ``model`` is asked."""
        return Model(
            model, base_url=self.base_url, temperature=self.temperature, max_tokens=self.max_tokens,
            timeout=self.timeout, retries=self.retries, structured=self.structured, thoughts=self.thoughts,
        )  # fmt: skip

    @property
    def replays(self) -> bool:
        """True when no model is ever called."""
        return self.cassette is not None and self.cassette_mode == REPLAY

    def decides(self) -> dict[str, Any]:
        """What of the settings decides the log: not how fast, how often tried or how much paid."""
        return {
            "temperature": self.temperature, "max_tokens": self.max_tokens, "structured": self.structured,
            "thoughts": self.thoughts, "samples": self.samples, "memory": self.memory, "window": self.window,
            "base_url": None if self.replays or self.base_url is None else shown_url(self.base_url),
            "replay": self.replays,
        }  # fmt: skip

    def words(self) -> list[str]:
        """The command-line words that say the same, without defaults."""
        plain, made = Asking(), list[str]()
        budget = {f"budget_{k}": getattr(self.budget, k) for k in ("calls", "tokens", "money")}
        own = {k: v for k, v in vars(self).items() if k != "budget" and v != getattr(plain, k)}
        for name, value in {**own, **{k: v for k, v in budget.items() if v is not None}}.items():
            option = f"--{name.replace('_', '-')}"
            shown = shown_url(value) if name == "base_url" else str(value)
            made += [option] if value is True else [option, shown]
        return made

    def in_vain(self) -> str:
        """The first of the settings that says nothing where no model is asked, as it is typed; empty where there is none."""
        words = replace(self, memory=MEMORY, window=WINDOW, audit=0).words()
        valued = len(words) > 1 and not words[1].startswith("--")
        return " ".join(words[: 1 + valued])

    def changed(self, **changes: Any) -> Asking:
        """The settings with those ``changes`` that are not None; ``budget_calls`` and the like go to the budget."""
        given = {k: v for k, v in changes.items() if v is not None}
        limits = {k.removeprefix("budget_"): given.pop(k) for k in list(given) if k.startswith("budget_")}
        return replace(self, **given, budget=replace(self.budget, **limits))
