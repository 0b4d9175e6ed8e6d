"""Questions: one agent's view in words and numbers, with its options and its memory, and no trace of who the agent is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sim.spec import Choice
from sim.world.oracle import scramble

# A feature of this name is a neighbour's slot; whoever is shown the question sees a number drawn anew each time instead.
SLOT, NEIGHBOUR = "slot", "neighbour"
_ENCODE = json.JSONEncoder().encode


@dataclass(frozen=True)
class Question:
    """What a mind is asked.

    Attributes:
        scenario: Name of the scenario (selects the frame; not shown).
        fields: The view's scalar fields by name, without neighbour slots or arrays.
        words: What each field means, by name.
        options: The options in the scenario's own order; ``{3}`` in words stands for the neighbour in slot 3.
        memory: What the agent remembers, oldest first; bounded by the memory's length; ``{3}`` as in options.
        width: How many neighbour slots there are.
        sample: Which of the samples of this view is wanted; equal views with unlike samples are asked apart.
    """

    scenario: str
    fields: Mapping[str, float]
    words: Mapping[str, str]
    options: tuple[Choice, ...]
    memory: tuple[str, ...] = ()
    width: int = 0
    sample: int = 0

    @cached_property
    def view_hash(self) -> str:
        """32 hexadecimal digits over everything that is shown but the sample: equal views have equal hashes."""
        options = [(o.words, *o.features.items()) for o in self.options]
        text = _ENCODE((self.scenario, self.fields, self.words, options, self.memory, self.width))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def at(self, sample: int) -> Question:
        """The same view in another sample."""
        # A third of the price of ``dataclasses.replace``, once for every decision that is asked for.
        made = object.__new__(Question)
        made.__dict__.update(self.__dict__, view_hash=self.view_hash, sample=sample)
        return made

    @property
    def shown(self) -> Shown:
        """The order and the names in which this view and sample are shown."""
        base = int(self.view_hash[:16], 16) ^ scramble(self.sample)
        order = sorted(range(len(self.options)), key=lambda i: scramble(base + 1 + i))
        slots = sorted(range(self.width), key=lambda i: scramble(base - 1 - i))
        number = {slot: place + 1 for place, slot in enumerate(slots)}
        return Shown(tuple(order), tuple(number[slot] for slot in range(self.width)))


@dataclass(frozen=True)
class Shown:
    """``order[place]`` is the option shown at a place; ``number[slot]`` is what the neighbour in a slot is called."""

    order: tuple[int, ...]
    number: tuple[int, ...]


def letters(count: int) -> list[str]:
    """``count`` neutral option ids: a..z, then aa, ab, ..."""
    made = []
    for n in range(count):
        text, rest = "", n
        while True:
            text = chr(97 + rest % 26) + text
            rest = rest // 26 - 1
            if rest < 0:
                break
        made.append(text)
    return made
