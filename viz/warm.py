"""Warming: what the first page would otherwise wait for is done before it opens."""

from __future__ import annotations

from experiments.plan import engine_of, plan
from viz.analyst import Analyst
from viz.scene import stage


def warm(first: str, analyst: Analyst) -> None:
    """Link the kernel of the scenario that the page opens with, lay its picture out once, and start the analyst."""
    engine = engine_of(plan(first))
    engine.advance(0.5)
    stage(engine.beside())
    analyst.begin()
