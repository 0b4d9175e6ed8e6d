"""How much memory this process took at most."""

from __future__ import annotations

import os
import sys


def peak_memory() -> int | None:
    """Most memory this process ever held, in bytes; None where the system does not tell."""
    if os.name != "posix":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
