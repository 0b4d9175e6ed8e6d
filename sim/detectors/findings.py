"""A finding becomes a structure: level, life, robustness, predefinition, roles, sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from sim.detectors import audit, presence
from sim.detectors.core import Candidate, Detector, Portrait, Words
from sim.detectors.nulls import Frames
from sim.detectors.report import Row, Structure, time_said
from sim.detectors.surrogates import LEAST
from sim.detectors.tracking import Life, changes, jaccard, life
from sim.detectors.window import Ints, Window
from sim.record.log import Log

RETAINED = 0.5  # share of a structure that must be left after damage for it to be robust
TOP_SHARE, RANDOM_SHARE = 0.1, 0.2
RANDOM_DRAWS, BOOTSTRAPS = 5, 20
SAME_ROLES = 0.8  # mean Jaccard of roles before and after relabelling
NAMED = 4  # agents named in a sentence


@dataclass(frozen=True)
class Finding:
    """A tested candidate: its ledger rows, what follows from them, and its frames for the claim that it lasts.

    ``outcome`` is (kind, claims it rests on) or None.
    """

    detector: Detector
    window: Window
    candidate: Candidate
    claims: tuple[Row, ...]
    lasting: Row
    outcome: tuple[str, tuple[str, ...]] | None
    frames: Frames | None

    @property
    def rows(self) -> tuple[Row, ...]:
        """Ledger rows: the claims, then that it lasts."""
        return (*self.claims, self.lasting)


def structure(
    finding: Finding, log: Log, *, alpha: float, most: int, rng: np.random.Generator, number: int
) -> Structure:
    """The structure that a finding with an outcome supports after correction."""
    kind, rests, level = _settle(finding, alpha=alpha, most=most)
    lived = life(finding.frames, rng=rng) if finding.frames is not None else None
    stretch, span = _stretch(finding, lived)
    portrait = finding.detector.portrait(stretch, finding.candidate, kind)
    damage: dict[str, float] = {}
    if level == "stable":
        damage = resilience(finding, rng)
        level = "robust" if min(damage.values()) >= RETAINED else level
    predefined = audit.predefined(finding, kind, log, portrait)
    words = finding.detector.words(finding.candidate, kind, portrait)
    rows = {row.claim_tested: row for row in finding.claims}
    main = rows[rests[0]]
    met = [row.null for row in finding.claims if row.null == presence.NULL]
    beaten = [*[rows[name].null for name in rests], *met] if level != "observed" else []
    beaten += ["N4"] if level in ("stable", "robust") else []
    unit = next(c.unit for c in finding.detector.claims if c.name == main.claim_tested)
    made = Structure(
        id=f"{kind}-{number}",
        kind=kind,
        claim=words.claim,
        level=level,
        run=finding.window.run,
        about=finding.candidate.about,
        detector=finding.detector.name,
        members=_ids(finding.window, portrait.members),
        roles={role: _ids(finding.window, agents) for role, agents in portrait.roles.items()},
        score=float(main.score or 0.0),
        unit=unit,
        interval=_interval(finding, main, rng) if level != "observed" else None,
        chance=float(main.chance or 0.0),
        p=max(rows[name].p or 0.0 for name in rests),
        q=max(rows[name].q or 0.0 for name in rests),
        nulls=tuple(dict.fromkeys(beaten)),
        windows=span,
        lifetime=span[1] - span[0],
        half_life=_half_life(finding, lived),
        predefined=predefined,
        relabelling=relabelling(finding, kind, rng) if level != "observed" else None,
        resilience=damage,
        sentence="",
        refuted_by=words.refuted_by,
        flows=_flows(stretch, portrait),
        entries=_counts(stretch, portrait, "enters"),
        exits=_counts(stretch, portrait, "leaves"),
        timeline=_timeline(finding, lived),
        changes=_changes(finding, lived),
        facts=portrait.facts,
    )
    return _worded(made, words)


def _settle(finding: Finding, *, alpha: float, most: int) -> tuple[str, tuple[str, ...], str]:
    """Kind, the claims it rests on and the level up to *stable*, from corrected rows."""
    assert finding.outcome is not None
    kept = frozenset(r.claim_tested for r in finding.claims if r.q is not None and r.q <= alpha)
    outcome = finding.detector.concludes(finding.candidate, kept) if most > LEAST else None
    if any(row.null == presence.NULL and row.claim_tested not in kept for row in finding.claims):
        outcome = None
    if outcome is None:
        return (*finding.outcome, "observed")
    lasts = finding.lasting.q is not None and finding.lasting.q <= alpha
    return (*outcome, "stable" if lasts else "significant")


def _parts(finding: Finding) -> list[Window]:
    count = 0 if finding.frames is None else len(finding.frames.values)
    return finding.window.parts(count, of=finding.detector.uses(finding.window)) if count else []


def _stretch(finding: Finding, lived: Life | None) -> tuple[Window, tuple[float, float]]:
    """The events of the longest stretch in which the structure stood, and its times; the whole run when unknown."""
    if lived is None or lived.first < 0:
        return finding.window, finding.window.span
    parts = _parts(finding)
    start = parts[lived.first].span[0]
    # The last event of a window is followed by a gap that belongs to it.
    end = parts[lived.last + 1].span[0] if lived.last + 1 < len(parts) else finding.window.span[1]
    inside = (finding.window.time >= start) & (finding.window.time <= end)
    return finding.window.take(inside), (start, end)


def _half_life(finding: Finding, lived: Life | None) -> float | None:
    if lived is None or lived.half_life is None or finding.frames is None:
        return None
    start, end = finding.window.span
    return lived.half_life * (end - start) / len(finding.frames.values)


def resilience(finding: Finding, rng: np.random.Generator) -> dict[str, float]:
    """Share of the structure left after removing its busiest members, random members, and redrawing its events.

    The last is the 5 % quantile over redraws. Members are removed from the record, not from the world: what the others
    would have done without them only an experiment can tell.
    """
    detector, window, candidate = finding.detector, finding.window, finding.candidate
    members = np.array(candidate.members, dtype=np.int64)
    uses = detector.uses(window)
    load = np.bincount(window.source[uses], minlength=window.n) + np.bincount(
        window.target[uses & (window.target >= 0)], minlength=window.n
    )
    left: dict[str, float] = {}
    if "top" in detector.removals:
        top = members[np.argsort(-load[members], kind="stable")][: max(1, round(TOP_SHARE * len(members)))]
        left["without the busiest"] = detector.retained(candidate, window.without(top))
    if "random" in detector.removals:
        size = max(1, round(RANDOM_SHARE * len(members)))
        draws = [rng.choice(members, size, replace=False) for _ in range(RANDOM_DRAWS)]
        left["without random members"] = float(
            np.mean([detector.retained(candidate, window.without(d)) for d in draws])
        )
    redrawn = [detector.retained(candidate, _redraw(finding, rng)) for _ in range(BOOTSTRAPS)]
    left["events redrawn"] = float(np.quantile(redrawn, 0.05))
    return left


def _redraw(finding: Finding, rng: np.random.Generator) -> Window:
    """A bootstrap of the window: events, or whole items, drawn with replacement; their order in time is kept."""
    window = finding.window
    if finding.detector.unit == "item" and window.item.max(initial=-1) > 0:
        item = np.where(window.item >= 0, window.item, window.item.max() + 1 + np.arange(window.rows))
        _, number = np.unique(item, return_inverse=True)
        total = int(number.max()) + 1
        times = rng.multinomial(total, np.full(total, 1.0 / total))
        return window.take(np.repeat(np.arange(window.rows), times[number]))
    return window.take(np.sort(rng.integers(0, window.rows, window.rows)))


def _interval(finding: Finding, main: Row, rng: np.random.Generator) -> tuple[float, float] | None:
    """Normal 95 % interval of the score with its bootstrap deviation; redrawing shifts most scores, so no quantiles."""
    claim = next(c for c in finding.detector.claims if c.name == main.claim_tested)
    values = []
    for _ in range(BOOTSTRAPS):
        sample = claim.sample(_redraw(finding, rng), [finding.candidate])
        if sample is not None:
            values.append(float(claim.statistic(sample, [finding.candidate])[0]))
    if len(values) < BOOTSTRAPS or main.score is None:
        return None
    half = 1.96 * float(np.std(values, ddof=1))
    return (main.score - half, main.score + half)


def relabelling(finding: Finding, kind: str, rng: np.random.Generator) -> bool:
    """True when the detector sees the same roles after agents are numbered at random (mean Jaccard at least 0.8)."""
    numbers = rng.permutation(finding.window.n)
    window = finding.window.renumbered(numbers)
    again = next((c for c in finding.detector.propose(window, _unheard) if c.key == finding.candidate.key), None)
    if again is None:
        return False
    again = finding.detector.refine(window, again)
    back = np.argsort(numbers)
    before = finding.detector.portrait(finding.window, finding.candidate, kind).roles
    after = finding.detector.portrait(window, again, kind).roles
    first = [frozenset(agents.tolist()) for agents in before.values()]
    second = [frozenset(back[agents].tolist()) for agents in after.values()]
    return float(np.mean([max(jaccard(a, b) for b in second) for a in first])) >= SAME_ROLES


def _unheard(_note: str) -> None:
    """Notes of a proposal that is only compared, not reported."""


def _ids(window: Window, agents: Ints) -> tuple[Any, ...]:
    return tuple(window.agents[a] for a in agents)


def _flows(window: Window, portrait: Portrait) -> pl.DataFrame:
    """Counts of the structure's events by giver, receiver, kind and task."""
    rows = np.flatnonzero(portrait.rows)
    frame = pl.DataFrame(
        {
            "source": window.source[rows],
            "target": window.target[rows],
            "kind": window.kind[rows],
            "task": window.task[rows],
        }
    )
    counted = frame.group_by("source", "target", "kind", "task", maintain_order=True).len("count")
    name = {-1: None, **dict(enumerate(window.tasks))}
    return pl.DataFrame(
        {
            "source": [window.agents[a] for a in counted["source"]],
            "target": [window.agents[a] for a in counted["target"]],
            "kind": pl.Series([window.kinds[k] for k in counted["kind"]], dtype=pl.String),
            "task": [name[t] for t in counted["task"]],
            "count": counted["count"].cast(pl.Int64),
        }
    )


def _counts(window: Window, portrait: Portrait, kind_class: str) -> dict[Any, int]:
    """Items of the structure's tasks that entered or left, by agent."""
    rows = window.of_class(kind_class)
    tasks = portrait.facts.get("tasks")
    if tasks is not None:
        rows = rows & np.isin(window.task, np.array(tasks))
    counts = np.bincount(window.source[rows], minlength=window.n)
    member = np.zeros(window.n, dtype=bool)
    member[portrait.members] = True
    return {window.agents[a]: int(counts[a]) for a in np.flatnonzero((counts > 0) & member)}


def _timeline(finding: Finding, lived: Life | None) -> pl.DataFrame:
    parts = _parts(finding) if lived is not None else []
    return pl.DataFrame(
        {
            "start": [p.span[0] for p in parts],
            "end": [p.span[1] for p in parts],
            "agreement": [float(a) for a in lived.agreement] if lived is not None else [],
            "present": [bool(b) for b in lived.present] if lived is not None else [],
        },
        schema={"start": pl.Float64, "end": pl.Float64, "agreement": pl.Float64, "present": pl.Boolean},
    )


def _changes(finding: Finding, lived: Life | None) -> tuple[Any, ...]:
    if lived is None:
        return ()
    return tuple(changes([_sets(finding, part) for part in _parts(finding)]))


def _sets(finding: Finding, part: Window) -> Sequence[frozenset[Any]]:
    """The structure's parts in one window."""
    if finding.detector.followed is not None:
        return finding.detector.followed(part)
    proposed = finding.detector.propose(part, _unheard)
    same = next((c for c in proposed if c.key == finding.candidate.key), None)
    return () if same is None else same.parts


def _survived(made: Structure) -> str:
    """Which nulls it beat, and whether it is the same after relabelling."""
    beat = f", beyond {', '.join(made.nulls)}" if made.nulls else ""
    same = {True: ", the same when agents are renumbered", False: ", not the same when agents are renumbered", None: ""}
    return beat + same[made.relabelling]


def _worded(made: Structure, words: Words) -> Structure:
    """The structure with its sentence."""
    few = ", ".join(str(a) for a in made.members[:NAMED]) + (", ..." if len(made.members) > NAMED else "")
    unit = f" {made.unit}" if made.unit else ""
    lived = f"lifetime {time_said(made.lifetime)}, half-life {made.half_life_said}"
    text = (
        f"{words.finding} ({len(made.members)} agents: {few}); score {made.score:.3g}{unit} against {made.chance:.3g} "
        f"by chance (p = {made.p:.2g}, q = {made.q:.2g}), level {made.level}, seen from {time_said(made.windows[0])} to "
        f"{time_said(made.windows[1])} ({lived}){_survived(made)}; "
        f"it would be refuted by {words.refuted_by.rstrip('.')}"
    )
    if made.predefined:
        text += f"; predefined, not emergent: {made.predefined.rstrip('.')}"
    # A sentence that begins with an agent's name keeps it as it is.
    named = text.split(maxsplit=1)[0].strip("(),;:") in {str(a) for a in made.members}
    return replace(made, sentence=(text[0] if named else text[0].upper()) + text[1:] + ".")
