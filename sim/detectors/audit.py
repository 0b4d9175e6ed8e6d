"""The predefinition audit: did a structure stand before the first event?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sim.detectors.core import Portrait
from sim.detectors.measures import agreement_beyond_chance
from sim.detectors.window import NONE, Window
from sim.record.log import Log

if TYPE_CHECKING:
    from sim.detectors.findings import Finding

SAID_BY_LABELS = 0.6  # agreement beyond chance from which labels are the roles


def predefined(finding: Finding, kind: str, log: Log, portrait: Portrait) -> str | None:
    """Why the structure is predefined, as a sentence, or None.

    Looked at in this order: what the log states (``Log.predefined`` for all runs; ``Log.meta["predefined_runs"]`` as
    run -> sentence, or run -> {kind: sentence}), the labels of the agents, and what the detector recovers from the
    initial contacts alone.
    """
    stated = stated_for(log, finding.window.run, kind)
    return (
        stated
        or labelled(finding.window, portrait)
        or finding.detector.standing(finding.window, finding.candidate)
        or None
    )


def stated_for(log: Log, run: str, kind: str) -> str:
    """What the log says stood before the first event, as far as it concerns this run and kind."""
    runs = log.meta.get("predefined_runs")
    said = runs.get(run) if isinstance(runs, Mapping) else None
    if isinstance(said, Mapping):
        said = said.get(kind)
    return " ".join([*([str(said)] if said else []), *log.predefined])


def labelled(window: Window, portrait: Portrait) -> str:
    """A sentence when labels give the roles away: fewer labels than agents, and they agree with the roles."""
    if not window.labels or len(portrait.roles) < 2:
        return ""
    role = np.full(window.n, NONE, dtype=np.int64)
    for number, agents in enumerate(portrait.roles.values()):
        role[agents] = number
    known = [k for k in range(window.n) if role[k] >= 0 and window.labels[k] is not None]
    names = [str(window.labels[k]) for k in known]
    distinct = sorted(set(names))
    if not 1 < len(distinct) < len(known):
        return ""
    label = np.array([distinct.index(name) for name in names], dtype=np.int64)
    if agreement_beyond_chance(role[known], label) < SAID_BY_LABELS:
        return ""
    return f"the agents' labels ({', '.join(distinct[:4])}) already say who plays which role"
