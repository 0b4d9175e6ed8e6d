"""The time axis that all pictures of the page share: where it ends, and its round numbers."""

from __future__ import annotations

from math import floor, log10

STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def horizon(now: float, until: float) -> float:
    """Where the axis ends at a moment: the next round number, so that it grows in few steps; never beyond ``until``."""
    if now <= 0:
        return min(10.0, until) if until > 0 else 1.0
    power = 10.0 ** floor(log10(now))
    following = next(m * power for m in STEPS if m * power >= now * (1 - 1e-9))
    # Also on a round number there is room ahead.
    if following <= now * 1.02:
        following = next(m * power for m in (*STEPS, 15.0) if m * power > now * 1.02)
    return min(following, until) if until > 0 else following
