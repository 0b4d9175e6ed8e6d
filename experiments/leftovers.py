"""Leftovers: the hidden folders of processes that were killed, told from those of processes that still work.

A hidden folder carries its owner in its name: the host, the process id, and the moment the process started, for ids are
used again. Where it cannot be known that the owner is gone, the folder stays.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
from contextlib import suppress
from pathlib import Path

PART, OLD = "part", "old"
HIDDEN = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)\.(?P<what>part|old)")
# What stands for the start of a process where the system does not tell.
UNKNOWN = 0


def hidden(folder: Path, what: str) -> Path:
    """The hidden sibling of ``folder`` that belongs to this process: ``part`` is being made, ``old`` is being replaced."""
    pid = os.getpid()
    return folder.with_name(f".{folder.name}.{_host()}-{pid}-{_start(pid) or UNKNOWN}.{what}")


def sweep(parent: Path) -> None:
    """Remove from ``parent`` what killed processes left; a folder that one was about to replace comes back."""
    for path in parent.glob(".*"):
        found = HIDDEN.fullmatch(path.name)
        if found is None or path.is_symlink() or not path.is_dir():
            continue
        if found["host"] != _host() or living(int(found["pid"]), int(found["start"])):
            continue
        # Another process may sweep here too, and what it has done already is no error.
        target = path.with_name(found["name"])
        if found["what"] == OLD and not target.exists():
            with suppress(OSError):
                path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def living(pid: int, start: int) -> bool:
    """False when process ``pid`` of this host, started at ``start``, is surely gone."""
    if os.name != "posix":
        # Asking by signal 0 would end the process there.
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    now = _start(pid)
    return now is None or start in (UNKNOWN, now)


def _start(pid: int) -> int | None:
    """Start of a process in ticks since the machine started, -1 for one that ended but is still listed; None unknown."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return -1 if words[0] in "ZX" else int(words[19])
    except (OSError, IndexError, ValueError):
        return None


def _host() -> str:
    """Where process ids mean the same: the machine, and on Linux the space of process ids, for containers have their own."""
    words = [platform.node()]
    with suppress(OSError):
        words.append(os.readlink("/proc/self/ns/pid"))
    with suppress(OSError):
        words.append(Path("/etc/machine-id").read_text())
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:8]
