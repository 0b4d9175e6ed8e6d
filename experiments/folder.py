"""Run folders: whole or absent, with a manifest that says what is in them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.errors import FolderInTheWay, UsageProblem
from experiments.interrupts import undisturbed
from experiments.leftovers import OLD, PART, hidden, sweep
from sim.record.store import first_line, whole_file, writing

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
REPORT = "report.json"
PAGE = "report.html"
TOPOLOGY = "topology.json"
TOPOLOGIES = "topologies.json"


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a temporary sibling that becomes ``folder`` when the block ends well and is removed otherwise.

    What stood at ``folder`` before is replaced only then; see ``clear_way`` for whether it may be. What killed processes
    left beside it is removed.
    """
    temporary = hidden(folder, PART)
    try:
        with writing(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            sweep(folder.parent)
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
        yield temporary
        with writing(folder), undisturbed():
            _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def renewed(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield a temporary folder whose files take the places of the files ``names`` of ``folder``, all or none of them.

    One of ``names`` that the block does not write is removed from ``folder``.
    """
    temporary = hidden(folder / "renewed", PART)
    try:
        with writing(folder):
            sweep(folder)
            temporary.mkdir()
        yield temporary
        with writing(folder), undisturbed():
            for name in names:
                if (temporary / name).exists():
                    os.replace(temporary / name, folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    old = hidden(folder, OLD)
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


def clear_way(folder: Path, *, force: bool) -> None:
    """Refuse a ``folder`` that holds anything, unless ``force``; never replace what Swarmscope did not make."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FolderInTheWay(f"{folder}: expected a folder or nothing, found a file; choose another --out.")
    if not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).exists():
        raise FolderInTheWay(
            f"{folder}: the folder holds files that Swarmscope did not write, and they are never replaced; "
            "choose another --out."
        )
    if not force:
        status = read_manifest(folder).get("status", "unknown")
        raise FolderInTheWay(
            f"{folder}: a different run is in the way (status {status}); use --force to replace it or choose another --out."
        )


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write ``data`` as JSON; whole or absent. OSError with one sentence where that fails."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 ``text``; whole or absent. OSError with one sentence where that fails."""
    with whole_file(path) as temporary:
        # A lone surrogate in a label fits into no file.
        temporary.write_bytes(text.encode("utf-8", "replace"))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; UsageProblem with one sentence where there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{path}: expected a JSON file, but it cannot be read ({first_line(error)}).") from None
    if not isinstance(data, dict):
        raise UsageProblem(f"{path}: expected a JSON object, got {type(data).__name__}.")
    return data


def is_run(folder: Path) -> bool:
    """True for a folder that Swarmscope wrote."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder; UsageProblem when there is none or it is of a newer version."""
    if not is_run(folder):
        what = "no such folder" if not folder.exists() else f"there is no {MANIFEST} in it"
        raise UsageProblem(f"{folder}: expected a run folder, but {what}; give a folder that 'swarmscope run' wrote.")
    manifest = read_json(folder / MANIFEST)
    version = manifest.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise UsageProblem(
            f"{folder / MANIFEST}: expected schema version up to {SCHEMA_VERSION}, got {version!r}; update swarmscope."
        )
    return manifest


def is_complete(folder: Path) -> bool:
    """True for the folder of a run that ended well."""
    return is_run(folder) and read_manifest(folder).get("status") == "complete"
