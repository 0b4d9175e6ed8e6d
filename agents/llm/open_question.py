"""An open question: put to a mind's model in a frame of its own, answered in words, through its cassette, budget and ledger."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agents.llm.calls import Calls, Pending
from agents.llm.cassette import REPLAY, CassetteProblem, Stored
from agents.llm.loop import Loop
from agents.llm.prompt import Frame, Prompt
from agents.llm.views import Question
from sim.world.due import Due
from sim.world.view import Draws

if TYPE_CHECKING:
    from agents.llm.mind import LlmMind


def ask_openly(mind: LlmMind, text: str, *, frame: Frame, times: int) -> list[Stored]:
    """Ask about ``text`` so many ``times``, each a sample of its own; rows go to the ledger of ``mind``.

    Args:
        mind: Whose model, account and cassette are used.
        text: What stands at ``{prompt}`` in the frame.
        frame: The question.
        times: How many answers are wanted.

    Returns:
        The answers in the order of their samples: words in ``thoughts``; a ``choice`` of -1 is an answer that did not come.

    Raises:
        BudgetReached, CassetteProblem, ProviderProblem: When it cannot be asked.
    """
    model = replace(mind.model, structured="words", thoughts=False)
    calls = type(mind.calls)(model, frame=frame, account=mind.account, concurrency=mind.calls.limiter.most)
    asked = _pending(text, calls, times)
    known = mind.cassette.find([p.key for p in asked]) if mind.cassette is not None else {}
    live = [p for p in asked if p.key not in known]
    there = [p for p in asked if p.key in known]
    calls.ledger.replayed(
        time=[0.0 for _ in there], agent=[p.due.agent for p in there], request=[p.key for p in there],
        sample=[p.sample for p in there], status=[known[p.key].status for p in there],
        origin=["censored" if known[p.key].choice < 0 else "cassette" for p in there],
    )  # fmt: skip
    made: dict[int, Stored] = {}
    try:
        if live:
            made = _asked(mind, calls, live)
    finally:
        mind.ledger.take(calls.ledger)
    return [known[p.key] if p.key in known else made[p.place] for p in asked]


def _pending(text: str, calls: Calls, times: int) -> list[Pending]:
    """The samples of the question; what names a request is what decides its answer."""
    words = calls.frame.text.format(prompt=text)
    view = Question(scenario="", fields={}, words={"text": words}, options=())
    prompt = Prompt([{"role": "user", "content": words}], {}, {})
    how = [calls.model.name, calls.model.temperature, calls.model.max_tokens, calls.seal, view.view_hash]
    made = []
    for k in range(times):
        key = hashlib.blake2b(json.dumps([*how, k]).encode(), digest_size=16).hexdigest()
        due = Due(k, 0.0, None, None, Draws(np.uint64(k), np.int64(0)))
        made.append(Pending(k, due, view, k, key, prompt))
    return made


def _asked(mind: LlmMind, calls: Calls, live: list[Pending]) -> dict[int, Stored]:
    """The answers that are in no cassette, by place."""
    if mind.cassette is not None and mind.cassette.mode == REPLAY:
        raise CassetteProblem(
            f"{mind.cassette.path}: it holds no reply to request {live[0].key} ({calls.frame.name}, sample {live[0].sample}); "
            "go on with --cassette-mode replay-or-live."
        )
    calls.check()
    loop = Loop.borrow()
    try:
        made: dict[int, Stored] = loop.submit(calls.batch(live, cassette=mind.cassette)).result()
    finally:
        loop.give_back(calls.provider.close)
    return made
