"""The keys widget: nothing to see; the page's keyboard, its memory of the theme, and copying to the clipboard."""

from __future__ import annotations

import anywidget
import traitlets

from viz.widgets.graph import HERE


class KeysWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A pressed key clicks the element whose ``data-key`` names it (``space``, ``ArrowRight``, ``r``, ``?``).

    Traits: ``theme`` (to remember; light or dark), ``copied`` (a number, a line end, and the text to copy, so that the
    same text can be copied twice), ``saved`` (a number, a name and a MIME type, one a line: save ``file`` under that
    name). From the browser: ``first``, the theme to begin with. Both ways: ``part``, what is open over the page (the key
    Escape closes it).
    """

    _esm = HERE / "keys.js"

    theme = traitlets.Unicode("").tag(sync=True)
    file = traitlets.Bytes(b"").tag(sync=True)
    saved = traitlets.Unicode("").tag(sync=True)
    part = traitlets.Unicode("").tag(sync=True)
    copied = traitlets.Unicode("").tag(sync=True)
    first = traitlets.Unicode("").tag(sync=True)
