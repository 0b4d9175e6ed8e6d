"""The engine: runs every detector on every run of a log and grants claim levels.

Detectors propose and score. Only the engine draws surrogates, corrects for multiple testing, follows structures through
windows and writes the ledger, so no detector can skip a null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from zlib import crc32

import numpy as np
from threadpoolctl import threadpool_limits

from sim.detectors import facts, pooling, presence, replication
from sim.detectors.audit import rivals
from sim.detectors.core import Candidate, Claim, Detector
from sim.detectors.core import detectors as registry
from sim.detectors.findings import Finding, structure
from sim.detectors.nulls import NULLS, Frames
from sim.detectors.relations import related
from sim.detectors.replication import Reference
from sim.detectors.report import LEVELS, Report, Row, Structure
from sim.detectors.surrogates import LEAST, Surrogates, Test, compare, q_values
from sim.detectors.tracking import persistence
from sim.detectors.turns import CLAIM as CHANGED
from sim.detectors.turns import MOST_RUNS, Turn, turns
from sim.detectors.turns import NAME as CHANGE_POINTS
from sim.detectors.window import Window, read
from sim.record.log import Log

Progress = Callable[[int, int, str], None]
Tested = tuple[Claim, Test, int]  # a claim, its outcome, and the candidate's place in the outcome
LASTS = "it lasts from window to window"
GRIDS = ((5, 8, 12), (4, 6, 9), (3, 5, 7), (3, 4, 5))
AGREEMENT = 2  # of the three window lengths


@dataclass(frozen=True)
class Plan:
    """One detector on one run with the candidates it proposed, before any test."""

    detector: Detector
    window: Window
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]

    @cached_property
    def present(self) -> presence.Present | None:
        """The contacts by who was there; None where agents stay all the time."""
        return presence.present(self.window)

    @property
    def tests(self) -> int:
        """Number of tests the ledger will count: every claim that applies, and that the candidate lasts."""
        claims = sum(claim.applies(c) for claim in self.detector.claims for c in self.candidates)
        return claims + len(self.candidates)


@dataclass(frozen=True)
class Settings:
    """What a detection was asked for, and the number of surrogates that follows from it."""

    alpha: float
    seed: int
    most: int
    stop: int
    grid: tuple[int, ...] | None

    def rng(self, *words: str) -> np.random.Generator:
        """A generator keyed by the seed and words, so that no result depends on what else is tested."""
        return np.random.default_rng([self.seed, crc32("/".join(words).encode())])


def detect(
    log: Log,
    *,
    windows: int | Sequence[int] | None = None,
    detectors: Sequence[str] | None = None,
    nulls: Surrogates | None = None,
    alpha: float = 0.05,
    seed: int = 0,
    reference: Reference | Sequence[Log] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Decide which coordination structures formed in ``log`` and lasted.

    Args:
        log: One or several runs; each run is analysed apart. Censored decisions are left out and counted.
        windows: Numbers of windows: three counts, or one from which the two others follow; by default chosen from the
            amount of data.
        detectors: Names of the detectors to run; all when None.
        nulls: How many surrogates to draw; by default enough for the number of tests, at most 1999.
        alpha: Level of the tests and of the false discovery rate, in (0, 0.5].
        seed: Seed of all surrogates; the same log and seed give the same report.
        reference: Logs of further runs: fresh seeds, isolated twins, mechanism off, knock-outs; a plain sequence of logs
            means fresh seeds. They promote to *replicated* and *causal* (``replication.judged``).
        progress: Called with (done, total, what) while working.

    Returns:
        Structures with evidence, and the ledger of everything tested.

    Raises:
        ValueError: For an alpha, seed or window count out of range.
        UnknownNameError: For an unknown detector.
    """
    grid = _grid(windows)
    if not 0.0 < alpha <= 0.5:
        raise ValueError(f"detect: alpha must lie in (0, 0.5], got {alpha!r}.")
    if seed < 0:
        raise ValueError(f"detect: seed must be a whole number of at least 0, got {seed!r}.")
    chosen = [registry.get(name) for name in (registry.names() if detectors is None else detectors)]
    again = partial(detect, windows=windows, nulls=nulls, alpha=alpha, seed=seed)
    with threadpool_limits(limits=1, user_api="blas"):
        return _report(
            log, chosen, again, Settings(alpha, seed, 0, 0, grid), limits=nulls or Surrogates(),
            turning=detectors is None, reference=reference, say=progress or (lambda _done, _total, _what: None),
        )  # fmt: skip


def _report(
    log: Log, chosen: Sequence[Detector], again: Callable[..., Report], settings: Settings, *, limits: Surrogates,
    turning: bool, reference: Reference | Sequence[Log] | None, say: Progress,
) -> Report:  # fmt: skip
    """The report of ``detect``; ``again`` detects in a reference log, ``turning`` asks when the organisation changed."""
    alpha = settings.alpha
    reading = read(log.genuine())
    plans, refused = _plan(reading.windows, chosen, log, say)
    most = limits.chosen(sum(plan.tests for plan in plans), alpha=alpha)
    settings = replace(settings, most=most, stop=limits.stop)
    found: list[Finding] = []
    for done, plan in enumerate(plans):
        say(done, len(plans), f"testing {plan.detector.name} {plan.window.run}".strip())
        found += _examine(plan, settings)
    together = pooling.tests(reading.windows, chosen, log, most=settings.most, alpha=alpha, rng=settings.rng)
    found = _correct(found)
    # Claims on all runs together are few, and planned whatever the runs show: a family of their own.
    pooled_rows = list(_corrected([outcome.row for outcome in together]))
    pooled = pooling.structures(together, pooled_rows, alpha=alpha)
    made = _structures(found, log, settings, say)
    made += pooled
    made = replication.within(made, log, runs=len(reading.windows))
    if reference:
        known = reference if isinstance(reference, Reference) else Reference(fresh=reference)
        asked = sorted({s.detector for s in made})
        made = replication.judged(
            made, known, lambda other: again(other, detectors=asked).structures if asked else (), alpha=alpha
        )
    made = related(rivals(made, log))
    turned, turn_rows = _turns(reading.windows, settings) if turning else ([], [])
    say(len(plans), len(plans), "done")
    ledger = [row for finding in found for row in finding.rows] + pooled_rows + turn_rows
    ledger += refused + facts.broken(registry)
    return Report(
        structures=tuple(_ordered(made)),
        ledger=tuple(ledger),
        decisions=facts.decisions(log),
        log=facts.table(log, reading.windows),
        notes=(
            *(turn.sentence for turn in turned),
            *facts.notes(log, reading),
            *facts.power(sum(p.tests for p in plans), most, alpha),
        ),
        turns=tuple(turned),
    )


def _turns(windows: Sequence[Window], settings: Settings) -> tuple[list[Turn], list[Row]]:
    """When each run's organisation changed; one question per run, asked whatever the detectors find."""
    if len(windows) > MOST_RUNS:
        why = f"more than {MOST_RUNS} runs: ask it of one run at a time"
        return [], [Row(CHANGE_POINTS, CHANGED, "NAR", None, None, "not tested", why)]
    found: list[Turn] = []
    rows = []
    for window in windows:
        some, row = turns(window, alpha=settings.alpha / max(len(windows), 1), seed=settings.seed)
        found += some
        rows.append(row)
    q = q_values([row.p for row in rows if row.p is not None])
    return found, [replace(row, q=q.pop(0)) if row.p is not None else row for row in rows]


def _grid(windows: int | Sequence[int] | None) -> tuple[int, ...] | None:
    if windows is None:
        return None
    counts = (
        (max(3, round(windows / 1.6)), windows, round(windows * 1.5)) if isinstance(windows, int) else tuple(windows)
    )
    if len(counts) != 3 or min(counts) < 3:
        raise ValueError(f"detect: windows must be three counts of at least 3, or one of at least 3; got {windows!r}.")
    return counts


def _plan(
    windows: Sequence[Window], chosen: Sequence[Detector], log: Log, say: Progress
) -> tuple[list[Plan], list[Row]]:
    """Candidates of every detector in every run; what cannot be tested goes to the ledger, alike reasons in one row."""
    plans: list[Plan] = []
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for k, window in enumerate(windows):
        for detector in chosen:
            say(k, len(windows), f"looking for {detector.name} {window.run}".strip())
            why = _insufficient(detector, window, log)
            if why:
                reasons.setdefault((detector.name, "insufficient data", why), []).append(window.run)
                continue
            notes: list[str] = []
            candidates = tuple(detector.propose(window, notes.append))
            for note in notes:
                reasons.setdefault((detector.name, "capped", note), []).append(window.run)
            if candidates:
                plans.append(Plan(detector, window, candidates, tuple(notes)))
            else:
                reasons.setdefault((detector.name, "not tested", "no candidate was seen"), []).append(window.run)
    return plans, [_refusal(*key, runs, len(windows)) for key, runs in reasons.items()]


def _insufficient(detector: Detector, window: Window, log: Log) -> str:
    missing = [column for column in detector.needs if column not in log.events.columns]
    if missing:
        return f"the log has no column {', '.join(missing)}"
    refusal = detector.refuses(window)
    if refusal:
        return refusal
    used = int(detector.uses(window).sum())
    least = detector.minimum
    if used < least.events:
        return f"fewer than {least.events} events it can use"
    if window.n < least.agents:
        return f"fewer than {least.agents} agents"
    return ""


def _refusal(detector: str, verdict: str, reason: str, runs: Sequence[str], total: int) -> Row:
    where = runs[0] if len(runs) == 1 else ""
    counted = reason if total == 1 else f"{reason} ({len(runs):,} of {total:,} runs)"
    return Row(detector, "all its claims", "", None, None, verdict, counted, run=where)


def _examine(plan: Plan, settings: Settings) -> list[Finding]:
    """Test every claim of a plan; whether a candidate lasts is tested only where the claims lead somewhere."""
    tests: list[dict[str, Tested]] = [{} for _ in plan.candidates]
    groups: dict[tuple[str, object, object], list[Claim]] = {}
    for claim in plan.detector.claims:
        groups.setdefault((claim.null, claim.sample, claim.exact), []).append(claim)
    for claims in groups.values():
        for (number, k), (outcome, place) in _run(plan, claims, settings).items():
            tested = plan.detector.claims[number]
            tests[k][tested.name] = (tested, outcome, place)
    return [_finding(plan, c, t, settings) for c, t in zip(plan.candidates, tests, strict=True)]


def _run(plan: Plan, claims: Sequence[Claim], settings: Settings) -> dict[tuple[int, int], tuple[Test, int]]:
    """Test claims that share a null and a sample on the same surrogates: (claim, candidate) -> (test, place in it)."""
    sides = [[k for k, c in enumerate(plan.candidates) if claim.applies(c) and not c.dismissed] for claim in claims]
    used = [plan.candidates[k] for k in sorted({k for side in sides for k in side})]
    sample = claims[0].sample(plan.window, used) if used else None
    if sample is None:
        return {}
    asked = [(claim, [plan.candidates[k] for k in side]) for claim, side in zip(claims, sides, strict=True) if side]
    test = compare(
        sample,
        lambda s: np.concatenate([claim.statistic(s, candidates) for claim, candidates in asked]),
        NULLS[claims[0].null],
        most=settings.most if claims[0].exact is None else LEAST,
        stop=settings.stop,
        rng=settings.rng(plan.detector.name, plan.window.run, claims[0].name),
    )
    if claims[0].exact is not None:
        known = np.concatenate([claims[0].exact(sample, candidates) for _claim, candidates in asked])
        test = replace(test, p=np.where(test.frozen, 1.0, known))
    number = {claim.name: n for n, claim in enumerate(plan.detector.claims)}
    flat = [(number[claim.name], k) for claim, side in zip(claims, sides, strict=True) for k in side]
    return {pair: (test, place) for place, pair in enumerate(flat)}


def _finding(plan: Plan, candidate: Candidate, tests: dict[str, Tested], settings: Settings) -> Finding:
    if candidate.dismissed:
        return _dismissed(plan, candidate)
    rows = [_row(plan, candidate, tested, settings) for tested in tests.values()]
    beaten = frozenset(r.claim_tested for r in rows if r.p is not None and r.p <= settings.alpha)
    outcome = plan.detector.concludes(candidate, beaten)
    shared = _shared(plan, candidate, outcome[1], settings) if outcome else None
    if shared is not None:
        rows.append(shared)
        outcome = outcome if shared.verdict == "beaten" else None
    candidate = plan.detector.refine(plan.window, candidate) if outcome else candidate
    outcome = None if candidate.dismissed else outcome
    lasting, frames = _lasting(plan, candidate, settings) if outcome else (None, None)
    if lasting is None:
        lasting = _untested(plan, candidate, "not tested", candidate.dismissed or "no claim before it was beaten")
    outcome = outcome or plan.detector.obvious(candidate)
    return Finding(plan.detector, plan.window, candidate, tuple(rows), lasting, outcome, frames)


def _shared(plan: Plan, candidate: Candidate, rests: Sequence[str], settings: Settings) -> Row | None:
    """Where agents come and go: whether all that the outcome rests on shows beyond who was there together; None elsewhere."""
    claims = presence.asked([claim for claim in plan.detector.claims if claim.name in rests])
    sample = plan.present if claims else None
    if sample is None:
        return None
    test = compare(
        sample,
        presence.statistic(claims, candidate),
        NULLS[presence.NULL],
        most=settings.most,
        stop=settings.stop,
        rng=settings.rng(plan.detector.name, plan.window.run, candidate.about, presence.CLAIM),
    )
    k = int(np.argmax(test.p))
    reason = (
        f"agents come and go; {claims[k].name}: {test.score[k]:.3g} against {test.chance[k]:.3g} among those present, "
    )
    reason += f"{int(test.drawn[k]):,} surrogates"
    return _entered(
        plan, candidate, (test, k), claim=presence.CLAIM, null=presence.NULL, reason=reason, alpha=settings.alpha
    )


def _dismissed(plan: Plan, candidate: Candidate) -> Finding:
    """A candidate that a first look ruled out: its claims count in the correction with p = 1."""
    lasting = _untested(plan, candidate, "not tested", "no claim before it was beaten")
    rows = tuple(
        replace(lasting, claim_tested=c.name, null=c.null, p=1.0, verdict="not beaten", reason=candidate.dismissed)
        for c in plan.detector.claims
        if c.applies(candidate)
    )
    return Finding(plan.detector, plan.window, candidate, rows, lasting, None, None)


def _row(plan: Plan, candidate: Candidate, tested: Tested, settings: Settings) -> Row:
    claim, test, k = tested
    drawn = int(test.drawn[k])
    if test.frozen[k]:
        reason = f"{claim.null} leaves no other arrangement of this graph, so it cannot be beaten"
    else:
        how = f"{drawn:,} surrogates" if claim.exact is None else "p from its known distribution"
        reason = f"{test.score[k]:.3g} against {test.chance[k]:.3g} by chance, {how}"
    if claim.exact is None and drawn <= LEAST and settings.most <= LEAST:
        reason += "; 19 surrogates support no more than observed"
    return _entered(plan, candidate, (test, k), claim=claim.name, null=claim.null, reason=reason, alpha=settings.alpha)


def _entered(
    plan: Plan, candidate: Candidate, outcome: tuple[Test, int], *, claim: str, null: str, reason: str, alpha: float
) -> Row:
    """The ledger's row of a claim that was tested; ``outcome`` is the test and the place in it."""
    test, k = outcome
    p = float(test.p[k])
    return Row(
        plan.detector.name,
        claim,
        null,
        p,
        None,
        "beaten" if p <= alpha else "not beaten",
        reason,
        run=plan.window.run,
        about=candidate.about,
        score=float(test.score[k]),
        chance=float(test.chance[k]),
        surrogates=int(test.drawn[k]),
    )


def _untested(plan: Plan, candidate: Candidate, verdict: str, reason: str) -> Row:
    return Row(plan.detector.name, LASTS, "N4", None, None, verdict, reason, run=plan.window.run, about=candidate.about)


def _lasting(plan: Plan, candidate: Candidate, settings: Settings) -> tuple[Row, Frames | None]:
    """Test persistence with three window lengths; p that two agree is 3/2 of the second smallest (Rüschendorf 1982)."""
    uses = plan.detector.uses(plan.window)
    grid = settings.grid or _fitting(int(uses.sum()), plan.detector.minimum.per_window)
    if not grid:
        least = plan.detector.minimum.per_window * GRIDS[-1][-1]
        return _untested(
            plan, candidate, "insufficient data", f"windows need {least} events, there are {uses.sum()}"
        ), None
    tests: dict[int, Test] = {}
    middle = None
    for count in (grid[1], grid[0], grid[2]):
        if all(t.p[0] <= 1.0 / (1.0 + settings.most) for t in tests.values()) and len(tests) == AGREEMENT:
            break  # the least p there can be, twice: a third length could not change the second smallest
        parts = plan.window.parts(count, of=uses)
        frames = Frames(*plan.detector.frames(parts, candidate, plan.window))
        middle = middle or frames
        tests[count] = compare(
            frames,
            lambda f: np.array([persistence(f)]),
            NULLS["N4"],
            most=settings.most,
            stop=settings.stop,
            rng=settings.rng(plan.detector.name, plan.window.run, candidate.about, LASTS, str(count)),
        )
    p = min(1.0, len(grid) / AGREEMENT * sorted(float(t.p[0]) for t in tests.values())[AGREEMENT - 1])
    centre = tests[grid[1]]
    lengths = ", ".join(f"{c} windows p = {float(tests[c].p[0]):.2g}" for c in sorted(tests))
    row = replace(
        _untested(plan, candidate, "beaten" if p <= settings.alpha else "not beaten", lengths),
        p=p,
        score=float(centre.score[0]),
        chance=float(centre.chance[0]),
        surrogates=int(centre.drawn[0]),
    )
    return row, middle


def _fitting(events: int, per_window: int) -> tuple[int, ...] | None:
    """The finest grid of window counts in which every window holds enough events; None when there is none."""
    return next((grid for grid in GRIDS if events // grid[-1] >= per_window), None)


def _correct(found: Sequence[Finding]) -> list[Finding]:
    """Give every tested row its q-value over all runs; planned tests not carried out count as p = 1."""
    rows = _corrected([row for finding in found for row in finding.rows])
    return [replace(finding, claims=tuple(next(rows) for _ in finding.claims), lasting=next(rows)) for finding in found]


def _corrected(rows: Sequence[Row]) -> Iterator[Row]:
    q = iter(q_values([row.p for row in rows if row.p is not None], tests=len(rows)))
    return iter([row if row.p is None else replace(row, q=next(q)) for row in rows])


def _structures(found: Sequence[Finding], log: Log, settings: Settings, say: Progress) -> list[Structure]:
    made: list[Structure] = []
    alone = len({f.window.run for f in found}) == 1
    reached = [f for f in found if f.outcome is not None]
    for k, finding in enumerate(reached):
        say(k, len(reached), f"describing {finding.candidate.about or finding.detector.name}")
        rng = settings.rng(finding.detector.name, finding.window.run, finding.candidate.about, "describe")
        one = structure(finding, log, alpha=settings.alpha, most=settings.most, rng=rng, number=len(made) + 1)
        # Among many runs some are beaten by luck; what did not survive correction then stays in the ledger only.
        if alone or one.level != "observed":
            made.append(one)
    return made


def _ordered(made: Sequence[Structure]) -> list[Structure]:
    """Highest level first, emergent before predefined, then largest."""
    return sorted(made, key=lambda s: (-LEVELS.index(s.level), s.predefined is not None, -len(s.members), s.id))
