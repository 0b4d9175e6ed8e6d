"""The page of a run: one self-contained HTML file, pictures first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.analysis import Analysis


def render(analysis: Analysis, manifest: Mapping[str, Any]) -> str:
    """The page."""
    return "<!doctype html><title>x</title>"
