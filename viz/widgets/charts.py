"""The charts widget: line charts on one axis of time with the moment shown, each also a table."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from viz.widgets.graph import HERE


class ChartsWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """Traits to the browser: ``title`` (what is looked at, for charts that are taken away), ``lines`` (dicts of ``name,
    title, unit, about`` and ``points`` as (time, value or None)), ``end``, ``now``, ``acts`` (dicts of ``time``). Both ways:
    ``cursor``, the moment looked at, -1 for the present.
    """

    _esm = HERE / "charts.js"
    _css = HERE / "charts.css"

    title = traitlets.Unicode("").tag(sync=True)
    lines: Any = traitlets.List().tag(sync=True)
    acts: Any = traitlets.List().tag(sync=True)
    end = traitlets.Float(1.0).tag(sync=True)
    now = traitlets.Float(0.0).tag(sync=True)
    cursor = traitlets.Float(-1.0).tag(sync=True)
