"""A lens: which views count as one class, so that decisions of unlike agents at unlike times can be counted together.

A class is what a view's fields say (exactly, or in bins where a field takes many values) and what is remembered, without
its order: for every option or neighbour how often it was heard of, in which part, and with what success. Neighbours and
invented words have no names of their own: they are told apart only by what is remembered of them and, where neighbours were
asked for a number, by its bin; a choice among those who are alike in this is a draw. ``agents.table_kernel`` computes the
same keys inside compiled kernels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sim.world.oracle import scramble
from sim.world.view import VERBS, slot_of

# How option codes are made: ``named`` codes mean the same for everybody; ``open`` ones are invented; ``slot`` is a
# neighbour's slot; ``verb`` is a verb and, where it needs one, a slot (sim.world.view).
NAMED, OPEN, SLOT, VERB = "named", "open", "slot", "verb"
SALT = 0x2545F4914F6CDD1D
# Sets the tokens of labels apart from those of what is remembered of them: sums of equal tokens would be equal.
NAMES = 1 << 62
# Sets numbers that neighbours told apart from what is remembered of them; a name in a lens takes so many places.
TOLD, TOLD_PLACES = 1 << 61, 64
# Longest memory, and most neighbours who told a number, that a key can hold without overflow.
LONGEST, MOST_TOLD = 32, 64
MOST_EXACT, BINS = 8, 4
KEEP = ("part", "value", "about")

# What a choice takes: an option by its code, somebody of whom this is remembered, a word nobody has used.
CODE, MEMBER, NEW = 0, 1, 2


# Fields of a view by name: a number, or one for each neighbour slot.
Fields = Mapping[str, "float | Sequence[float]"]


class LensError(ValueError):
    """Decisions that no class can be made of."""


@dataclass(frozen=True)
class FieldBins:
    """One field of the view: ``values`` it can take exactly, or ``edges`` between bins (open at both ends)."""

    name: str
    values: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()

    def place(self, value: float) -> int:
        """The bin of ``value``; -1 for a value that was never seen of a field that is told exactly."""
        if self.edges:
            return bisect_right(self.edges, value)
        return next((i for i, known in enumerate(self.values) if known == value), -1)

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.edges) + 1 if self.edges else len(self.values)


@dataclass(frozen=True)
class Lens:
    """What a class is made of.

    Attributes:
        fields: Fields of the view and their bins.
        coding: How option codes are made: ``named``, ``open``, ``slot`` or ``verb``.
        last: How many of the latest things remembered count.
        keep: What counts of each: ``part`` (who one was in it), ``value`` (whether it went well), ``about``.
        told: Fields that hold a number for each neighbour slot, -1 where none was told, and their bins (by ``edges``).
    """

    fields: tuple[FieldBins, ...]
    coding: str
    last: int
    keep: tuple[str, ...] = KEEP
    told: tuple[FieldBins, ...] = ()

    def label(self, code: int) -> int:
        """Whom or what a remembered code is about: the slot (-1 for what concerned no neighbour), or the code itself."""
        return slot_of(code) if self.coding == VERB else code

    def entry(self, heard: Sequence[float]) -> int:
        """The part of a pattern that one thing remembered (part, code, value, about) makes."""
        part, code, value, about = heard
        made = int(part) if "part" in self.keep else 0
        made += 4 * int("value" in self.keep and value > 0.0)
        made += 8 * (int(code) % VERBS if self.coding == VERB else 0)
        return token(made + 128 * (int(about) + 1 if "about" in self.keep else 0))

    def patterns(self, memory: Sequence[Sequence[float]], fields: Fields | None = None) -> dict[int, int]:
        """What is known of each label, as a number: what is remembered, and what it told when asked.

        Labels of whom nothing is known are absent (0).
        """
        made: dict[int, int] = {}
        for heard in list(memory)[-self.last :] if self.last else ():
            label = self.label(int(heard[1]))
            made[label] = made.get(label, 0) + self.entry(heard)
        for number, field in enumerate(self.told):
            numbers = cast("Sequence[float]", (fields or {})[field.name])
            answers = {slot: value for slot, value in enumerate(numbers) if value >= 0.0}
            if len(answers) > MOST_TOLD:
                raise LensError(f"a class holds the numbers of at most {MOST_TOLD} neighbours, got {len(answers)}.")
            for slot, value in answers.items():
                said = token(TOLD + TOLD_PLACES * number + bisect_right(field.edges, value))
                made[slot] = made.get(slot, 0) + said
        return made

    def key(self, fields: Fields, memory: Sequence[Sequence[float]]) -> int:
        """The class of a view: a whole number below 2**63; 0 when a field has a value never seen."""
        mixed = 0
        for field in self.fields:
            place = field.place(float(cast("float", fields[field.name])))
            if place < 0:
                return 0
            mixed = mixed * field.size + place
        named = self.coding == NAMED
        return token(mixed) + sum(
            token(token(label + NAMES) + pattern) if named else token(pattern)
            for label, pattern in self.patterns(memory, fields).items()
        )

    def taken(self, code: int, patterns: Mapping[int, int], *, new: bool, slot: bool) -> tuple[int, int, int]:
        """An option as (what it takes, code or verb, pattern): equal for options that the lens cannot tell apart."""
        if new:
            return NEW, 0, 0
        if self.coding == NAMED or (self.coding == VERB and not slot):
            return CODE, code, 0
        verb = code % VERBS if self.coding == VERB else 0
        return MEMBER, verb, patterns.get(self.label(code), 0)

    def to_json(self) -> dict[str, Any]:
        """The lens as data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lens:
        """Read what ``to_json`` wrote."""
        fields, told = (
            tuple(FieldBins(f["name"], tuple(f["values"]), tuple(f["edges"])) for f in data.get(name, ()))
            for name in ("fields", "told")
        )
        return cls(fields, str(data["coding"]), int(data["last"]), tuple(data["keep"]), told)


def token(x: int) -> int:
    """56 bits without visible pattern from a whole number."""
    return scramble(x ^ SALT) >> 8


def coding_of(options: Sequence[tuple[int, Mapping[str, float]]]) -> str:
    """How the codes of ``options`` (code, features) are made; LensError when by none of the known ways."""
    slots = [(code, int(f["slot"])) for code, f in options if "slot" in f]
    if not slots:
        return OPEN if any("new" in f for _, f in options) else NAMED
    if all("verb" not in f and code == f.get("slot") for code, f in options):
        return SLOT
    if all(code == int(f["verb"]) + VERBS * int(f.get("slot", 0)) for code, f in options if "verb" in f):
        return VERB
    raise LensError(f"expected option codes that are slots or verbs with slots, got {options[:3]}.")


def bins_of(name: str, values: Sequence[float]) -> FieldBins:
    """Exact values where there are few, else bins of about equal content."""
    distinct = sorted({float(v) for v in values})
    if len(distinct) <= MOST_EXACT:
        return FieldBins(name, values=tuple(distinct))
    ordered = sorted(float(v) for v in values)
    cuts = {ordered[len(ordered) * k // BINS] for k in range(1, BINS)}
    return FieldBins(name, edges=tuple(sorted(cuts)))


def told_bins(name: str, values: Sequence[float]) -> FieldBins:
    """Bins, open at both ends, of numbers that neighbours tell: one for each where there are few.

    Else each takes its share of what the bins below it left, with all that equals its last: most queues are short.
    """
    rest = sorted(float(v) for v in values)
    distinct = sorted(set(rest))
    if len(distinct) <= BINS:
        return FieldBins(name, edges=tuple(distinct[1:]))
    cuts = []
    for left in range(BINS, 1, -1):
        rest = rest[bisect_right(rest, rest[(len(rest) - 1) // left]) :]
        if not rest:
            break
        cuts.append(rest[0])
    return FieldBins(name, edges=tuple(cuts))
