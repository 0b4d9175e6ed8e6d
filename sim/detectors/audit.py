"""The predefinition audit: did a structure stand before the first event, or may its cause have stood there?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sim.detectors.core import Portrait
from sim.detectors.measures import agreement_beyond_chance
from sim.detectors.report import Structure
from sim.detectors.window import NONE, Window
from sim.record.events import kinds_of
from sim.record.log import Log

if TYPE_CHECKING:
    from sim.detectors.findings import Finding

COMMON_PRIOR = "a common prior"
LEAST_FIRST = 2  # first decisions before anything was heard, from which they say something
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


def rivals(structures: Sequence[Structure], log: Log) -> list[Structure]:
    """The structures, each with the other cause that the log cannot exclude.

    A convention may come of a prior that all agents brought along. Isolated twins exclude it, whether they ran beside the
    log (``replication.judged``) or answered after the run (``Log.meta["twins"]``: how many were asked). First decisions,
    taken before anything was heard, do so only where rules alone decided: of a model they are one answer an agent, too few
    to show a slight lean, and nobody was asked again.
    """
    kinds = {s.kind for s in structures}
    ruled = _ruled(log) if "convention" in kinds else frozenset()
    return [replace(s, rival=COMMON_PRIOR) if _open(s, log, ruled) else s for s in structures]


def _open(structure: Structure, log: Log, ruled: frozenset[str]) -> bool:
    if structure.kind != "convention" or structure.predefined is not None:
        return False
    asked = bool(log.meta.get("twins")) or int(structure.facts.get("of_runs_twins", 0)) > 0
    first = int(structure.facts.get("heard nothing", 0)) >= LEAST_FIRST
    return not (asked or (first and structure.run in ruled))


def _ruled(log: Log) -> frozenset[str]:
    """Runs whose decisions are known to be all by rules; ``""`` stands for the one run of a log without the column."""
    events = log.events
    if "origin" not in events.columns:
        return frozenset()
    run = pl.col("run").cast(pl.String).fill_null("") if "run" in events.columns else pl.lit("")
    rows = events.lazy().filter(pl.col("kind").cast(pl.String).is_in(kinds_of("decides")))
    by = pl.col("origin").cast(pl.String)
    known = rows.group_by(run.alias("run")).agg(by.is_in(["rule", "censored"]).fill_null(False).all().alias("ruled"))
    return frozenset(known.filter("ruled").collect()["run"].to_list())
