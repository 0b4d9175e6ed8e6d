"""Running worlds for a reason: runs, sweeps, calibration, reports and the command line.

``experiments.sweep(...)`` and ``experiments.load(folder)`` are found here; nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.sweeps.results import load as load
    from experiments.sweeps.sweep import sweep as sweep

_HOMES = {"sweep": "experiments.sweeps.sweep", "load": "experiments.sweeps.results"}


def __getattr__(name: str) -> Any:
    """``sweep`` and ``load``, imported when asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
