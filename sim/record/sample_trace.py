"""A small made-up trace: five people write the pages of a field guide and review each other's work, by local rules."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

AGENTS = ("Ada", "Bruno", "Chidi", "Dana", "Emre")
# Chance that a page written by each of them has a flaw; nobody in the story knows these numbers.
FLAWS = (0.1, 0.5, 0.3, 0.6, 0.4)
PAGES = 27
_START = datetime.fromisoformat("2026-03-02T09:00:00")


@dataclass
class _Story:
    """The state of the telling: what each has learnt about the others, and the rows so far."""

    draws: np.random.Generator
    writers: np.ndarray = field(default_factory=lambda: np.ones((5, 5)))
    readers: np.ndarray = field(default_factory=lambda: np.ones((5, 5)))
    rows: list[dict[str, object]] = field(default_factory=list)

    def pick(self, trust: np.ndarray, agent: int, but: tuple[int, ...] = ()) -> int:
        """A colleague, more likely one who was trusted before."""
        weights = trust[agent].copy()
        weights[[agent, *but]] = 0
        return int(self.draws.choice(5, p=weights / weights.sum()))

    def tell(self, minutes: float, kind: str, source: int, item: str, **more: object) -> int:
        """Add a row; its position is what later rows name as parent."""
        at = (_START + timedelta(seconds=round(60 * minutes))).isoformat()
        row = {"time": at, "kind": kind, "source": AGENTS[source], "item": item, "origin": "human", **more}
        self.rows.append({key: value for key, value in row.items() if value is not None})
        return len(self.rows) - 1


def sample_trace(seed: int = 7) -> str:
    """The trace as JSON Lines: about 200 events with string ids and ISO times, the same text for the same seed.

    A page arrives at anybody, who writes it or hands it to somebody trusted; the writer asks for a review; the reviewer
    sends flawed pages back and delivers the others, and says so. Trust grows with every page that passes.
    """
    story = _Story(np.random.default_rng(seed))
    for page in range(PAGES):
        _page(story, f"page-{page + 1:02d}", 22.0 * page + float(story.draws.uniform(0, 9)))
    order = sorted(range(len(story.rows)), key=lambda row: (story.rows[row]["time"], row))
    place = {row: seq for seq, row in enumerate(order)}
    lines = []
    for seq, row in enumerate(order):
        told = {"seq": seq, **story.rows[row]}
        if "parent" in told:
            told["parent"] = place[int(str(told["parent"]))]
        lines.append(json.dumps(told))
    return "\n".join(lines) + "\n"


def _page(story: _Story, item: str, now: float) -> None:
    draws = story.draws
    first = writer = int(draws.integers(5))
    last = story.tell(now, "arrive", first, item)
    if draws.random() < 0.75:
        writer = story.pick(story.writers, first)
        now += float(draws.uniform(1, 4))
        last = story.tell(now, "handoff", first, item, target=AGENTS[writer], parent=last, cost=1.0)
    reviewer = story.pick(story.readers, writer, but=(first,) if first != writer else ())
    passed = False
    for attempt in range(3):
        spent = round(float(draws.uniform(5, 20)), 1)
        now += spent
        story.tell(now, "work", writer, item, parent=last, cost=5.0, duration=round(60 * spent))
        now += 0.5
        last = story.tell(now, "review", writer, item, target=AGENTS[reviewer], parent=last, cost=1.0)
        now += float(draws.uniform(2, 6))
        passed = attempt == 2 or draws.random() > FLAWS[writer] * 0.7**attempt
        if passed:
            break
        last = story.tell(now, "rework", reviewer, item, target=AGENTS[writer], parent=last, cost=2.0)
    quality = round(float(draws.uniform(0.8, 1.0)) - 0.1 * (attempt == 2), 2)
    done = story.tell(now, "deliver", reviewer, item, parent=last, cost=2.0, value=quality)
    story.tell(now + 0.5, "approve", reviewer, item, target=AGENTS[writer], parent=done, value=quality)
    story.writers[first, writer] += 3.0 * (attempt == 0)
    story.readers[writer, reviewer] += 2.0
