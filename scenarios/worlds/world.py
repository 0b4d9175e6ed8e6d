"""A control world: a generator of event logs in which the truth is known, planted at some strength or absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.record.log import Log
from sim.registry import Registry

TRUTH = "truth"  # key in Log.meta; detectors never look there


@dataclass(frozen=True)
class World:
    """A control world.

    Attributes:
        name: Registered name, e.g. ``ring`` or ``random ties``.
        summary: What is in it, in one sentence.
        plants: Kind of structure that a detector should find at strength 1; None for a world in which there is nothing.
        make: ``(rng, agents, events, strength) -> Log``; ``Log.meta["truth"]`` holds the truth for scoring.
        agents: Default number of agents.
        events: Default number of events, about.
        detectors: Names of the detectors that it is meant to try; the others must live with it too.
        tempts: For a look-alike, the kind that a careless detector would claim.
        exact: The null of the tested claims holds exactly here, so p-values have to be uniform, not only cautious.
        holds: Kinds that are rightly found here besides what is planted: two groups that contact each other by turns are
            no ring, but they do play two roles. Finding them is no false alarm.
        rejects: Claims of which the null is false here without any structure: uneven activity does direct contacts. Beating
            them is no false alarm, and the calibration shows them apart.
    """

    name: str
    summary: str
    plants: str | None
    make: Callable[[np.random.Generator, int, int, float], Log]
    agents: int = 40
    events: int = 2000
    detectors: tuple[str, ...] = ()
    tempts: str = ""
    exact: bool = False
    holds: tuple[str, ...] = ()
    rejects: tuple[str, ...] = ()

    def log(
        self, seed: int, *, agents: int | None = None, events: int | None = None, strength: float | None = None
    ) -> Log:
        """The log of this world for a seed; ``strength`` runs from 0 (nothing planted) to 1 (nothing else).

        Raises:
            ValueError: For fewer than two agents, fewer than one event, or a strength outside [0, 1].
        """
        n, rows = self.agents if agents is None else agents, self.events if events is None else events
        power = (1.0 if self.plants else 0.0) if strength is None else strength
        if n < 2 or rows < 1 or not 0.0 <= power <= 1.0:
            raise ValueError(
                f"world '{self.name}': expected at least 2 agents, 1 event and a strength from 0 to 1, got {n} agents, "
                f"{rows} events, strength {power}."
            )
        return self.make(np.random.default_rng([seed, *self.name.encode()]), n, rows, power)


worlds: Registry[World] = Registry("control world", package="scenarios.worlds")


def as_log(columns: Mapping[str, Any], *, truth: Mapping[str, Any] | None = None, **tables: Any) -> Log:
    """A log from columns of equal length: seq and time default to the row, kind to ``message``, origin to ``rule``."""
    rows = len(columns["source"])
    filled = {
        "seq": np.arange(rows, dtype=np.uint64),
        "time": np.arange(rows, dtype=np.float64),
        "kind": ["message"] * rows,
        "origin": ["rule"] * rows,
        **columns,
    }
    return Log(pl.DataFrame(filled, strict=False), meta={TRUTH: dict(truth or {})}, **tables)


def contacts_log(source: NDArray[np.int64], target: NDArray[np.int64], **more: Any) -> Log:
    """A log of messages from source to target, one for each row; self-contacts are left out."""
    kept = source != target
    return as_log({"source": source[kept], "target": target[kept]}, **more)
