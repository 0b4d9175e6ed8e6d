"""The contract between detectors and the engine: candidates, claims, and what a detector has to declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from sim.detectors.kinds import KINDS
from sim.detectors.nulls import NULLS
from sim.detectors.window import Bools, Floats, Ints, Window
from sim.registry import Registry


class DetectorError(ValueError):
    """A detector that is declared in a way the engine cannot test."""


@dataclass(frozen=True)
class Candidate:
    """A proposed structure in a window: what was seen, before any test.

    Attributes:
        about: What it is about in words, e.g. ``task type 3``; empty when the run has one candidate of this kind.
        key: What identifies it inside its detector, e.g. the task number; the same key in another window is compared.
        members: Agent numbers, in no particular order.
        parts: Sets that tracking follows through windows: groups of agents, or main links as (giver, receiver).
        detail: Whatever the detector needs again (labels, levels), opaque to the engine.
        dismissed: Why a first look found nothing worth a test; its claims then stand in the ledger with p = 1.
    """

    about: str
    key: int
    members: tuple[int, ...]
    parts: tuple[frozenset[Any], ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    dismissed: str = ""


@dataclass(frozen=True)
class Claim:
    """One statement that can be wrong: a statistic, and the null model that matches it.

    Attributes:
        name: The statement in words, as printed in the ledger.
        null: Name of the null model the statistic has to beat.
        sample: ``(window, candidates) -> sample`` of the type the null takes; None when the window has no such data.
        statistic: ``(sample, candidates) -> array``, one number per candidate; larger speaks for the claim.
        unit: Unit of the statistic.
        applies: Which candidates the claim is made for.
        exact: ``(sample, candidates) -> p`` where the distribution under the null is known; surrogates of ``null`` then
            only show the chance level. For claims that combine hundreds of comparisons, which surrogates are too few for.
    """

    name: str
    null: str
    sample: Callable[[Window, Sequence[Candidate]], Any]
    statistic: Callable[[Any, Sequence[Candidate]], Floats]
    unit: str = ""
    applies: Callable[[Candidate], bool] = lambda _candidate: True
    exact: Callable[[Any, Sequence[Candidate]], Floats] | None = None


@dataclass(frozen=True)
class Portrait:
    """What a structure is made of, read off the events of the windows in which it stood.

    Attributes:
        members: Agent numbers.
        roles: Role name to agent numbers; every member has one role.
        rows: The rows of the window that are the structure's flows.
        facts: Numbers and words for the sentence.
    """

    members: Ints
    roles: Mapping[str, Ints]
    rows: Bools
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Words:
    """A structure in words: the claim, the part of the sentence that says what it is, and what would refute it."""

    claim: str
    finding: str
    refuted_by: str


@dataclass(frozen=True)
class Minimum:
    """Below these numbers the answer is "insufficient data", never a p-value."""

    agents: int
    events: int
    per_window: int


@dataclass(frozen=True)
class Pool:
    """Several runs with agents of the same names, one vector per run, for a claim that holds run after run.

    Attributes:
        kind: Kind of structure claimed.
        claim: The claim, as in the ledger.
        names: Agent ids, shape (agents,).
        values: Shape (runs, agents); the claim is that the same agent has the largest mean.
        unit: Unit of the values.
        says: ``(agent, its mean) -> words``.
    """

    kind: str
    claim: str
    names: tuple[Any, ...]
    values: Floats
    unit: str
    says: Callable[[Any, float], str]


@dataclass(frozen=True)
class Detector:
    """A detector as data: it proposes, measures and describes; the engine tests, corrects and grants levels.

    Attributes:
        name: Registered name.
        kinds: Kinds of structure it can return, of ``kinds.KINDS``.
        needs: Columns of the log without which nothing can be said.
        minimum: Numbers of agents, of its own events, and of its own events per window.
        uses: ``window -> rows`` it reads; minimum numbers count these.
        refuses: ``window -> reason`` why the question does not arise in this window, or an empty string.
        propose: ``(window, note) -> candidates``; ``note`` takes a sentence on whatever was left out (a cap).
        claims: What can be claimed, each with its null.
        refine: ``(window, candidate) -> candidate`` for work worth doing only once a claim was beaten.
        concludes: ``(candidate, beaten claims) -> (kind, claims it rests on)`` or None: which structure follows.
        obvious: ``candidate -> (kind, claims it speaks to)`` or None: what is plain to see where no null can be beaten,
            such as a chain of single agents; never more than *observed*.
        frames: ``(parts, candidate, whole window) -> (values, group, nominal)`` of ``nulls.Frames``: does it last?
        retained: ``(candidate, damaged window) -> share`` of the structure left, 0 to 1, for robustness.
        portrait: ``(window, candidate, kind) -> Portrait``.
        words: ``(candidate, kind, portrait) -> Words``.
        standing: ``(window, candidate) -> reason`` why it stood before the first event, or an empty string.
        removals: Ways of removing members that a robust structure must survive.
        pooled: ``runs with the same agents -> Pool``, for a claim about all of them together, run by run.
        followed: ``window -> sets`` that tracking follows from window to window, where a quick proposal is too rough.
        unit: What a bootstrap redraws: ``event`` or ``item``.
    """

    name: str
    kinds: tuple[str, ...]
    needs: tuple[str, ...]
    minimum: Minimum
    uses: Callable[[Window], Bools]
    propose: Callable[[Window, Callable[[str], None]], Sequence[Candidate]]
    claims: tuple[Claim, ...]
    concludes: Callable[[Candidate, frozenset[str]], tuple[str, tuple[str, ...]] | None]
    frames: Callable[[Sequence[Window], Candidate, Window], tuple[NDArray[Any], Ints, bool]]
    retained: Callable[[Candidate, Window], float]
    portrait: Callable[[Window, Candidate, str], Portrait]
    words: Callable[[Candidate, str, Portrait], Words]
    standing: Callable[[Window, Candidate], str]
    refuses: Callable[[Window], str] = lambda _window: ""
    obvious: Callable[[Candidate], tuple[str, tuple[str, ...]] | None] = lambda _candidate: None
    refine: Callable[[Window, Candidate], Candidate] = lambda _window, candidate: candidate
    pooled: Callable[[Sequence[Window]], Pool] | None = None
    followed: Callable[[Window], Sequence[frozenset[Any]]] | None = None
    removals: tuple[str, ...] = ("top", "random")
    unit: str = "event"

    def __post_init__(self) -> None:
        if not self.claims:
            raise DetectorError(f"detector '{self.name}': expected at least one claim with a null model, got none.")
        for claim in self.claims:
            if claim.null not in NULLS:
                raise DetectorError(
                    f"detector '{self.name}', claim '{claim.name}': expected the name of a null model "
                    f"({', '.join(sorted(NULLS))}), got {claim.null!r}. A claim without a null cannot be tested."
                )
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise DetectorError(
                f"detector '{self.name}': expected kinds of the list in sim/detectors/kinds.py, got {', '.join(unknown)}; "
                "add them there with a sentence on what they are."
            )
        if len({claim.name for claim in self.claims}) < len(self.claims):
            raise DetectorError(
                f"detector '{self.name}': two claims share a name; the ledger could not tell them apart."
            )


detectors: Registry[Detector] = Registry("detector", package="sim.detectors")
