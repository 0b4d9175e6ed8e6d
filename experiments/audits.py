"""Audits of a run: one for each language model that decided in it, within the run's own budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.asked import model_behind
from experiments.prompt_audit import Audit, audit

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.world.engine import Engine


def audits(engine: Engine, asked: Plan, *, samples: int) -> list[Audit]:
    """The audits; others like the minds that ran are asked, and the rows of their calls go to the run's ledger."""
    assert engine.batches is not None
    made = []
    for recorder in engine.batches.mixture.askers:
        mind = model_behind(recorder)
        if mind is None:
            continue
        twin = mind.twin()
        try:
            made.append(audit(twin, asked.scenario, recorder.frame(), samples=samples))  # type: ignore[attr-defined]
        finally:
            twin.let_go()
            mind.ledger.audited(twin.ledger, time=engine.now)
    return made
