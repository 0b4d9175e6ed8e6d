"""Pictures of the scenarios for the gallery: one SVG file a scenario, drawn from a short run by ``python -m viz.pictures``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sim.topology.ink import xml

FOLDER = Path(__file__).parent


@cache
def picture_of(scenario: str) -> str:
    """The picture of a scenario as SVG text; a plain one with its name where none was drawn yet."""
    file = FOLDER / f"{scenario}.svg"
    if scenario.isidentifier() and file.is_file():
        return file.read_text(encoding="utf-8")
    return (
        '<svg viewBox="0 0 240 150"><circle cx="120" cy="64" r="34" fill="none" stroke="currentColor" stroke-opacity=".4" '
        f'stroke-dasharray="4 5" stroke-width="3"/><text x="120" y="128" text-anchor="middle">{xml(scenario)}</text></svg>'
    )
