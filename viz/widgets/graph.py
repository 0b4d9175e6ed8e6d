"""The graph widget: up to about a thousand agents as marks with arrows between them, drawn on a canvas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray

HERE = Path(__file__).parent


def packed(values: Sequence[float] | NDArray[Any]) -> bytes:
    """Numbers as 32-bit floats in the byte order that browsers read."""
    return np.asarray(values, dtype="<f4").tobytes()


class GraphWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """Agents and links. What stays (places, names, links) goes over once; what moves goes over as bytes.

    Traits to the browser: ``places`` (x, y in 0..1 per agent, packed), ``names``, ``links`` (giver, receiver per link,
    packed), ``traffic`` (one number per link, packed: width), ``loads`` (one per agent, packed: size), ``colours`` (per
    agent, packed: 0 for plain, else number of colour and shape from 1), ``palette``, ``lit`` (agents that stand out),
    ``removed`` and ``severed`` (agents drawn as taken out, and as cut off), ``closed`` (pairs of agents whose channel is drawn
    as closed, one after the other), ``absent`` (agents that are not drawn), ``since`` (words on the span of the counts),
    ``caption`` (what a screen reader says), ``height`` in pixels. Both ways: ``selected``, an agent or -1.
    """

    _esm = HERE / "graph.js"
    _css = HERE / "graph.css"

    places = traitlets.Bytes(b"").tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    links = traitlets.Bytes(b"").tag(sync=True)
    traffic = traitlets.Bytes(b"").tag(sync=True)
    loads = traitlets.Bytes(b"").tag(sync=True)
    colours = traitlets.Bytes(b"").tag(sync=True)
    palette = traitlets.List(traitlets.Unicode()).tag(sync=True)
    lit = traitlets.List(traitlets.Int()).tag(sync=True)
    severed = traitlets.List(traitlets.Int()).tag(sync=True)
    closed = traitlets.List(traitlets.Int()).tag(sync=True)
    absent = traitlets.List(traitlets.Int()).tag(sync=True)
    removed = traitlets.List(traitlets.Int()).tag(sync=True)
    since = traitlets.Unicode("").tag(sync=True)
    caption = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
