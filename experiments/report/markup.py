"""Markup: escaped text, tables and folded parts as HTML strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.topology.ink import xml as esc

__all__ = ["Raw", "esc", "folded", "lines", "note", "section", "table"]


@dataclass(frozen=True)
class Raw:
    """Text that is HTML already; everything else is escaped."""

    html: str


Cell = str | Raw
# A cell of more letters is read as a sentence.
SENTENCE = 40


def _html(cell: Cell) -> str:
    return cell.html if isinstance(cell, Raw) else esc(cell)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, caption: str = "", numeric: Sequence[int] = ()
) -> str:
    """A table with column headers; the first cell of each row is its header; ``numeric`` columns are set right."""
    right = set(numeric)
    # Columns of sentences: a narrow page would otherwise give them the width of a word.
    prose = {i for row in rows for i, cell in enumerate(row) if i and isinstance(cell, str) and len(cell) > SENTENCE}
    top = "".join(f'<th scope="col"{_css(i in right)}>{esc(head)}</th>' for i, head in enumerate(heads))
    body = []
    for row in rows:
        cells = [f'<th scope="row">{_html(row[0])}</th>']
        cells += [f"<td{_css(i in right, i in prose)}>{_html(cell)}</td>" for i, cell in enumerate(row) if i]
        body.append(f"<tr>{''.join(cells)}</tr>")
    said = f"<caption>{esc(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{esc(caption or heads[0])}"><table>{said}'
        f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _css(right: bool, prose: bool = False) -> str:
    return ' class="number"' if right else ' class="prose"' if prose else ""


def folded(summary: str, body: str) -> str:
    """A part that opens when its summary is pressed; works without scripts."""
    return f"<details><summary>{esc(summary)}</summary>{body}</details>"


def note(text: str) -> str:
    """A quiet line below or above a picture."""
    return f'<p class="quiet">{esc(text)}</p>'


def lines(texts: Sequence[str]) -> str:
    """Sentences as a list; nothing for none."""
    return f"<ul>{''.join(f'<li>{esc(text)}</li>' for text in texts)}</ul>" if texts else ""


def section(name: str, heading: str, *parts: str) -> str:
    """A part of the page with a heading; nothing when all its parts are empty."""
    body = "".join(parts)
    return (
        f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{esc(heading)}</h2>{body}</section>'
        if body
        else ""
    )
