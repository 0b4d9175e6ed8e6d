"""The field widget: a large population as a square of cells, the busier the stronger."""

from __future__ import annotations

import anywidget
import traitlets

from viz.widgets.graph import HERE


class FieldWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A square of ``side`` x ``side`` cells in rows.

    Traits to the browser: ``level`` (a byte a cell: 0 quiet to 254 busiest, 255 empty), ``marks`` (a byte a cell: 0
    plain, 1 dimmed, from 2 the number of a colour), ``palette``, ``agents`` (how many there are), ``tip``, ``caption``,
    ``height``. From the browser: ``picked``, the cell that was clicked, or -1.
    """

    _esm = HERE / "field.js"
    _css = HERE / "graph.css"

    side = traitlets.Int(0).tag(sync=True)
    level = traitlets.Bytes(b"").tag(sync=True)
    marks = traitlets.Bytes(b"").tag(sync=True)
    palette = traitlets.List(traitlets.Unicode()).tag(sync=True)
    agents = traitlets.Int(0).tag(sync=True)
    tip = traitlets.Unicode("").tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)
    picked = traitlets.Int(-1).tag(sync=True)
