"""Prompts: a question inside a versioned frame, what form the answer has to have, and how a reply is read."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agents.llm.views import NEIGHBOUR, SLOT, Question, letters

FRAMES = Path(__file__).parent / "prompts"
OPEN, CLOSE = "<view>", "</view>"
_PLACE = re.compile(r"\{(\d+)\}")
_FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)
THOUGHTS = "thoughts"
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


class Unreadable(ValueError):
    """A reply that is no answer to its question."""


@dataclass(frozen=True)
class Frame:
    """A frame's text with its version and the hash of both."""

    name: str
    version: str
    text: str

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits over version and text."""
        return hashlib.sha256(f"{self.version}\0{self.text}".encode()).hexdigest()[:12]

    @property
    def seal(self) -> str:
        """Name, version and hash: what a cassette and a manifest call this frame."""
        return f"{self.name} v{self.version} {self.hash}"


@dataclass(frozen=True)
class Prompt:
    """What is sent, and which option each shown id stands for (index into the question's options).

    An open question has no ids: any words are an answer.
    """

    messages: list[dict[str, str]]
    schema: dict[str, Any]
    ids: dict[str, int]


@dataclass(frozen=True)
class Reply:
    """A reply that was understood: the index of the option, and the free thoughts that came with it."""

    option: int
    thoughts: str = ""


@cache
def frame_for(scenario: str) -> Frame:
    """The frame of a scenario: its own where there is one, else the common one."""
    own = FRAMES / f"frame-{scenario}.txt"
    return read_frame(own if own.exists() else FRAMES / "frame.txt")


def read_frame(path: Path) -> Frame:
    """A frame file: a line ``version: V``, a line ``---``, and the text."""
    head, mark, text = path.read_text(encoding="utf-8").partition("\n---\n")
    if not mark or not head.startswith("version:"):
        raise ValueError(f"{path}: expected a line 'version: ...', then '---', then the text.")
    return Frame(path.stem, head.removeprefix("version:").strip(), text.strip() + "\n")


def render(question: Question, *, frame: Frame | None = None, thoughts: bool = False) -> Prompt:
    """The prompt of a question.

    Args:
        question: What is asked.
        frame: Another frame than the scenario's.
        thoughts: Ask for free thoughts before the choice.
    """
    frame = frame or frame_for(question.scenario)
    shown = question.shown
    ids = letters(len(question.options))
    placed = [(ids[place], question.options[index]) for place, index in enumerate(shown.order)]
    named = {id_: _named(option.words, shown.number) for id_, option in placed}
    memory = [_named(line, shown.number) for line in question.memory]
    data = {
        # The scenario's name may say what the experiment is about.
        "scenario": _digest(question.scenario),
        "fields": dict(question.fields),
        "options": [{"id": i, "words": named[i], **_features(o.features, shown.number)} for i, o in placed],
        "memory": memory,
    }
    text = frame.text.format(
        fields="\n".join(f"- {words}: {question.fields[name]:g}" for name, words in question.words.items())
        or "- nothing",
        memory="\n".join(f"- {line}" for line in memory) or "- nothing yet",
        options="\n".join(f"({i}) {words}" for i, words in named.items()),
        view=f"{OPEN}{_ENCODE(data)}{CLOSE}",
        answer=_asked(thoughts=thoughts),
    )
    schema = schema_of(tuple(ids), thoughts=thoughts)
    return Prompt(
        [{"role": "user", "content": text}], schema, {ids[place]: index for place, index in enumerate(shown.order)}
    )


@cache
def _digest(scenario: str) -> str:
    return hashlib.sha256(scenario.encode()).hexdigest()[:6]


def _named(words: str, number: tuple[int, ...]) -> str:
    return _PLACE.sub(lambda match: str(number[int(match.group(1))]), words) if "{" in words else words


def _features(features: Any, number: tuple[int, ...]) -> dict[str, float]:
    return {(NEIGHBOUR if k == SLOT else k): (number[int(v)] if k == SLOT else v) for k, v in features.items()}


def _asked(*, thoughts: bool) -> str:
    before = f'"{THOUGHTS}": "what speaks for and against", ' if thoughts else ""
    return f'Answer with a JSON object and nothing else: {{{before}"choice": "the letter of your choice"}}.'


@cache
def schema_of(ids: tuple[str, ...], *, thoughts: bool = False) -> dict[str, Any]:
    """The response format that allows one of ``ids`` as the choice."""
    choice: dict[str, Any] = {"type": "string", "enum": list(ids)}
    properties = {THOUGHTS: {"type": "string"}, "choice": choice} if thoughts else {"choice": choice}
    body = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": body}}


def read_reply(text: str | None, ids: dict[str, int]) -> Reply:
    """Read a reply strictly: a JSON object whose ``choice`` is one of the ids shown; Unreadable otherwise."""
    body = (text or "").strip()
    fenced = _FENCE.match(body)
    try:
        made = json.loads(fenced.group(1) if fenced else body)
    except ValueError:
        raise Unreadable("the reply is not JSON") from None
    if not isinstance(made, dict) or not isinstance(made.get("choice"), str):
        raise Unreadable("the reply has no 'choice'")
    if made["choice"] not in ids:
        raise Unreadable("the reply chooses an option that was not shown")
    thoughts = made.get(THOUGHTS, "")
    return Reply(ids[made["choice"]], thoughts if isinstance(thoughts, str) else "")
