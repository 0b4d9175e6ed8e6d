"""Audits of a run: one for each language model that decided in it, within the run's own budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.llm.mind import LlmMind
from experiments.prompt_audit import Audit, audit

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.world.engine import Engine


def audits(engine: Engine, asked: Plan, *, samples: int) -> list[Audit]:
    """The audits; the minds that ran are left as they are, others like them are asked."""
    assert engine.batches is not None
    made = []
    for recorder in engine.batches.mixture.askers:
        mind = _model(recorder)
        if mind is None:
            continue
        twin = LlmMind(
            asked.scenario, model=mind.model, account=mind.account, cassette=mind.cassette, frame=mind.frame,
            concurrency=asked.asking.concurrency,
        )  # fmt: skip
        try:
            made.append(audit(twin, asked.scenario, recorder.frame(), samples=samples))  # type: ignore[attr-defined]
        finally:
            twin.let_go()
    return made


def _model(mind: object) -> LlmMind | None:
    """The language model behind a recorder, archetypes or a table."""
    while mind is not None and not isinstance(mind, LlmMind):
        mind = vars(mind).get("mind") or vars(mind).get("model")
    return mind
