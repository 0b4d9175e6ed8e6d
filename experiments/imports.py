"""Import: a foreign trace becomes a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.detect import content_hash, stem
from experiments.errors import UsageProblem
from experiments.fingerprint import log_hash, versions
from experiments.folder import MANIFEST, SCHEMA_VERSION, clear_way, staged, write_json
from sim.record.importers import importers
from sim.record.log import Log
from sim.record.store import write_log

OUT = Path("runs")


@dataclass(frozen=True)
class Imported:
    """A trace that became a run folder."""

    folder: Path
    manifest: Mapping[str, Any]
    log: Log


def import_trace(
    path: Path | str,
    *,
    form: str = "canonical",
    columns: Mapping[str, str] | None = None,
    out: Path | str | None = None,
    force: bool = False,
) -> Imported:
    """Read a trace and leave it as a run folder that ``detect`` analyses.

    Args:
        path: The trace.
        form: Name of an importer.
        columns: Schema name to the name in the trace.
        out: The folder; ``runs/import-<name>-<hash8>`` when None.
        force: Replace a run folder that is in the way.

    Raises:
        UsageProblem, UnknownNameError: For what was asked wrongly.
        ImportFailure: For a trace that cannot be read.
        OSError: When the folder cannot be written.
    """
    reader = importers.get(form)
    source = Path(path)
    if not source.exists():
        raise UsageProblem(f"{source}: expected a trace, found nothing there; check the path.")
    seal = log_hash({"content": content_hash(source), "columns": dict(columns or {}), "form": form})
    folder = OUT / f"import-{stem(source)}-{seal}" if out is None else Path(out)
    clear_way(folder, force=force or out is None)
    log = reader.read(source, columns=columns)
    words = ["swarmscope", "import", str(source), "--as", form]
    words += ["--columns", ",".join(f"{k}={v}" for k, v in columns.items())] if columns else []
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "what": "import",
        "source": str(source),
        "format": form,
        "columns": dict(columns or {}),
        "hash": seal,
        "versions": versions(),
        "command": shlex.join(words),
        "status": "complete",
        "error": "",
        "events": log.events.height,
        "events_kept": log.events.height,
        "log": log.kept,
        "missing_columns": list(log.missing),
        "notes": [*log.notes, *log.predefined],
    }
    with staged(folder) as place:
        write_log(log, place)
        write_json(place / MANIFEST, manifest)
    return Imported(folder, manifest, log)
