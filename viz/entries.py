"""Entries: a slider and a line of text that hand over a value when it is done, and not on the way there.

What is on the way is the browser's own. A value that the page writes back while the next one is under way would undo it, so
an entry only takes another value from outside when it is drawn as another entry (a key).
"""

from __future__ import annotations

from collections.abc import Callable

import solara


@solara.component_vue("widgets/entry_slider.vue")
def _Slider(
    *, label: str, value: float, low: float, high: float, step: float, event_done: Callable[[float], object]
) -> None:
    """The knob, in the browser."""


@solara.component_vue("widgets/entry_text.vue")
def _Text(*, label: str, value: str, event_done: Callable[[str | None], object]) -> None:
    """The line, in the browser."""


@solara.component
def Slider(
    label: str, value: float, change: Callable[[float], bool], *, low: float, high: float, parts: int = 100
) -> None:
    """A slider over [low, high]; ``change`` is called when it is let go or moved by a key."""
    first = solara.use_memo(lambda: value, [])
    step = (high - low) / parts
    _Slider(label=label, value=first, low=low, high=high, step=step, event_done=lambda at: change(round(float(at), 9)))


@solara.component
def Field(label: str, value: str, change: Callable[[str], bool]) -> None:
    """A line of text; ``change`` is called at enter or when the field is left. What is refused stays, to be mended."""
    first = solara.use_memo(lambda: value, [])
    told = solara.use_ref(value)

    def done(text: str | None) -> None:
        text = (text or "").strip()
        if text != told.current:
            told.current = text
            change(text)

    _Text(label=label, value=first, event_done=done)
