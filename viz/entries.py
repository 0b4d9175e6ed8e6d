"""Entries: a slider and a line of text that hand over a value when it is done, and not on the way there.

What is on the way is the entry's own. A value that the page writes back while the next one is under way would undo it,
so an entry only takes another value from outside when it is drawn as another entry (a key).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import solara


@solara.component
def Slider(
    label: str, value: float, change: Callable[[float], bool], *, low: float, high: float, parts: int = 100
) -> None:
    """A slider over [low, high]; ``change`` is called when it is let go or moved by a key."""
    own, set_own = solara.use_state(value)
    made = solara.v.Slider(
        v_model=own,
        on_v_model=set_own,
        min=low,
        max=high,
        step=(high - low) / parts,
        label=label,
        dense=True,
        hide_details=True,
        thumb_label=True,
    )
    solara.v.use_event(made, "change", lambda _widget, _event, data: change(round(float(data), 9)))


@solara.component
def Field(label: str, value: str, change: Callable[[str], bool]) -> None:
    """A line of text; ``change`` is called at enter or when the field is left. What is refused stays, to be mended."""
    own, set_own = solara.use_state(value)
    told = solara.use_ref(value)
    made = solara.v.TextField(v_model=own, on_v_model=set_own, label=label, dense=True, hide_details=True)

    def done(_widget: Any, _event: Any, data: Any) -> None:
        # The event brings the text along: what the widget holds may be behind it while the page is busy.
        text = str("" if data is None else data).strip()
        if text != told.current:
            told.current = text
            change(text)

    solara.v.use_event(made, "change", done)
