"""Words of the report: numbers with units for people, and the findings as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def spoken(report: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    return [s["sentence"] for s in report["structures"]]
