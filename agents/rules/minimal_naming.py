"""Minimal naming: say a word you know; who knows it keeps only that word, who does not adds it (Baronchelli et al. 2006).

The inventory stands in ``words``: its first entry counts the words known, the others are their numbers. A speaker that
knows no word invents one, or draws one from the pool where the scenario gives a pool.
"""

from __future__ import annotations

from typing import Any

from sim.world.view import ACTOR, among, either, invent, pick_below

WORDS = "Say a word you know; if the other knows it too, both keep only that word, else the other learns it."
WHICH, NEW = 1, 2
NOW_FULL = -1.0

PARAMETERS: tuple[str, ...] = ()
# One place for the count, the others for words: whole stretches.
STATE: dict[str, tuple[str, tuple[str, ...], float]] = {"words": ("i4", ("capacity",), 0)}


def choose(view: Any, state: Any, draws: Any, rule: Any) -> tuple[int, float]:
    """A word of the inventory, each alike; a new one when it is empty; a committed agent always says word 0."""
    if view.committed == 1:
        return 0, 1.0
    known = state.words[0]
    if known == 0:
        if view.pool > 0:
            return pick_below(draws, NEW, view.pool), 1.0
        return invent(draws, NEW), 1.0
    return state.words[1 + pick_below(draws, WHICH, known)], 1.0


def learn(view: Any, state: Any, outcome: Any, part: int, rule: Any) -> float:
    """Keep only the word on success, add it when it is new; replies 1 when the word was known, else 0.

    The speaker hears whether it succeeded, and remembers a word it has just invented. A memory with no room for yet
    another word replies NOW_FULL instead of 0: the engine makes room before the next game.
    """
    word = outcome.word
    if view.committed == 1:
        return 1.0 if word == 0 else 0.0
    words = state.words
    known = words[0]
    if part == ACTOR:
        only = either(known == 0, 1, outcome.success)
        words[0] = either(only, 1, known)
        words[1] = either(only, word, words[1])
        return 1.0
    found = among(words, 1, known, word)
    place = either(found, 1, known + 1)
    words[0] = place
    words[place] = word
    if place + 1 >= words.shape[0] and place != view.pool:
        return NOW_FULL
    return found * 1.0
