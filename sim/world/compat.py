"""Differences between the supported Mesa releases (3.3.1 on Python 3.11, 3.5 on 3.12 and later), in one place."""

from __future__ import annotations

from typing import Any

import mesa


def forget(model: mesa.Model) -> None:
    """Let a finished model be freed: Mesa 3.3 keeps every model that ever had an agent in a class-level table."""
    numbers: Any = getattr(mesa.Agent, "_ids", None)
    if isinstance(numbers, dict):
        numbers.pop(model, None)


def whole_seed(rng: Any, seed: Any) -> int:
    """One Python integer from Mesa's two ways of passing a seed; Mesa 3.5 refuses numpy integers."""
    given = rng if rng is not None else seed
    return 0 if given is None else int(given)
