"""The timeline widget: one axis of time to drag on, with structures, changes and acts along it."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from viz.widgets.graph import HERE


class TimelineWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """Time from 0 to ``end``.

    Traits to the browser: ``end``, ``now``, ``lanes`` (dicts of ``id, label, words, colour``, ``cells`` as (start, end,
    strength, present) and ``changes`` as (time, kind)), ``acts`` (dicts of ``time, words``). Both ways: ``cursor`` (the
    moment looked at, -1 for the present), ``chosen`` (id of a structure or empty). From the browser: ``hovered``.
    """

    _esm = HERE / "timeline.js"
    _css = HERE / "timeline.css"

    end = traitlets.Float(1.0).tag(sync=True)
    now = traitlets.Float(0.0).tag(sync=True)
    cursor = traitlets.Float(-1.0).tag(sync=True)
    lanes: Any = traitlets.List().tag(sync=True)
    acts: Any = traitlets.List().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    hovered = traitlets.Unicode("").tag(sync=True)
