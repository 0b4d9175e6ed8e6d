"""Fingerprints: the hash of everything that decides a log, and the versions a manifest names."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

# The source files of these decide what a log holds; everything else only reads it.
DECIDING = ("scenarios", "agents", "sim.world", "sim.spec", "sim.record.events")
PACKAGES = ("swarmscope", "mesa", "numpy", "numba", "polars")


def log_hash(parts: Mapping[str, object]) -> str:
    """Eight hexadecimal digits over ``parts`` (values that fit into JSON), the same in every process."""
    text = json.dumps(parts, sort_keys=True, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def code_version(roots: Sequence[str]) -> str:
    """Twelve hexadecimal digits over the sources of ``roots`` (module names) and of every module of ``DECIDING`` that
    they import, directly or not, also inside functions.
    """
    sources: dict[str, bytes] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        path = _path_of(name)
        if name in sources or path is None:
            continue
        sources[name] = path.read_bytes()
        waiting += [found for found in _imports(sources[name]) if _decides(found)]
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()[:12]


def _decides(name: str) -> bool:
    return any(name == part or name.startswith(part + ".") for part in DECIDING)


def _path_of(name: str) -> Path | None:
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None


def _imports(source: bytes) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def versions() -> dict[str, str]:
    """Versions of Python, Swarmscope and the packages that computed a run; ``unknown`` for one without metadata."""
    made = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            made[name] = version(name)
        except PackageNotFoundError:
            made[name] = "unknown"
    return made
