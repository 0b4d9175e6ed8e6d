"""Warming: what the first page would otherwise wait for is done before it opens."""

from __future__ import annotations

import gc

from experiments.plan import engine_of, plan
from sim.instruments.reading import instruments
from sim.topology import exporters
from viz.analyst import Analyst
from viz.scene import stage


def warm(first: str, analyst: Analyst) -> None:
    """Link the kernel of the scenario that the page opens with, lay its picture out once, and start the analyst.

    What panels would import when they first have something to say is imported now. All that is there is then left out of
    what Python's collector walks through: a walk would stop everything for more than a tenth of a second.
    """
    engine = engine_of(plan(first))
    engine.advance(0.5)
    stage(engine.beside())
    analyst.begin()
    instruments.names()
    exporters.names()
    gc.collect()
    gc.freeze()
