"""Panel: help, the keys, the words of the page, and what each part shows."""

from __future__ import annotations

import solara

from experiments.report.words import LEVEL_WORDS
from viz.panels.panel import Panel, of_band, panels
from viz.parts import words
from viz.session import Session

KEYS = (
    ("Space", "play or pause"),
    ("→", "one step of time"),
    ("←", "look back a little; → or Now returns"),
    ("R", "reset with the same parameters and seed"),
    ("N", "new seed"),
    ("G", "gallery of scenarios"),
    ("T", "light or dark"),
    ("[ and ]", "in the picture: the agent before, the next agent; Esc for none"),
    ("Esc", "close scenarios or help"),
    ("?", "this help"),
)
MEANINGS = (
    ("structure", "a coordination pattern that was detected, with members, roles, evidence and a claim level"),
    ("score, chance", "how strongly the pattern shows, and how strongly it would show if nobody coordinated"),
    ("q", "the share of false findings to expect among findings at least as clear as this one"),
)


@solara.component
def Help(session: Session) -> None:
    """Keys, words and parts as lists."""
    spec = session.spec
    with solara.Div(classes=["columns"]):
        listing("What to notice", [("", line) for line in spec.notice] + [("try", line) for line in spec.tries])
        listing("Keys", KEYS)
        listing("Words", (*MEANINGS, *((f"level: {level}", said) for level, said in LEVEL_WORDS.items())))
        listing(
            "Parts of the page",
            [(p.title, p.about) for b in ("world", "structures", "steering") for p in of_band(b) if p.title],
        )


def listing(title: str, rows: object) -> None:
    """A heading and pairs below it."""
    with solara.Div():
        words(title, tag="h3")
        for name, said in rows:  # type: ignore[attr-defined]
            with solara.Div(classes=["pair"]):
                if name:
                    words(name, tag="b")
                words(said, tag="span")


panels.add("help")(
    Panel("help", "top", "Help", "Keys and words.", Help, order=30, shown=lambda session: session.part.value == "help")
)
