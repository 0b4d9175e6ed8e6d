"""Spelled: a word in Solara's own navigator that browsers warn of at every opening, put right before pages open."""

from __future__ import annotations

from pathlib import Path

import solara
import traitlets
from solara.widgets import Navigator

WRONG, RIGHT = "modules.export =", "module.exports ="


def spell() -> None:
    """Let pages have a navigator with the word put right; nothing changes where it is right already."""
    text = Path(Navigator.template_file).read_text(encoding="utf-8") if Navigator.template_file else ""
    if WRONG in text:
        solara.Navigator = type(solara.Navigator)(_spelled(text.replace(WRONG, RIGHT)))


def _spelled(text: str) -> type:
    class Spelled(Navigator):  # type: ignore[misc]
        template_file = None

        @traitlets.default("template")
        def _text(self) -> str:
            return text

    return Spelled
