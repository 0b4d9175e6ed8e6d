"""Claims of sweeps: whether a folder may be worked on as this sweep, and what in it is not whole."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.errors import FolderInTheWay, UsageProblem
from experiments.executor import LOCK, locked
from experiments.fingerprint import versions
from experiments.folder import SCHEMA_VERSION, is_complete, read_json, write_json
from experiments.sweeps import results
from experiments.sweeps.results import MANIFEST, load
from experiments.sweeps.runs import KEPT, Codes
from experiments.sweeps.spec import Spec, differences


def seal(spec: Spec, codes: Codes) -> str:
    """Eight digits over the specification and the code."""
    from experiments.fingerprint import log_hash

    return log_hash({"spec": spec.hash, "code": codes.as_dict()})


def claim(folder: Path, spec: Spec, codes: Codes, *, resume: bool) -> dict[str, Any]:
    """The manifest of the sweep in ``folder``, written when there is none; refuses what must not be mixed or replaced."""
    path = folder / MANIFEST
    if folder.exists() and not folder.is_dir():
        raise FolderInTheWay(f"{folder}: expected a folder or nothing, found a file; choose another --out.")
    if not path.exists():
        if folder.exists() and any(p.name not in (LOCK,) for p in folder.iterdir()):
            raise FolderInTheWay(f"{folder}: the folder holds files that are no sweep; choose another --out.")
        return _new(path, spec, codes)
    found = read_json(path)
    _same(folder, found, spec, codes)
    if found.get("status") != "complete" and not resume:
        made = results.counts(folder)
        raise UsageProblem(
            f"{folder}: this sweep was begun and {made.done:,} of {found.get('runs', 0):,} runs are in its tables; go on "
            "with it by --resume, or choose another --out."
        )
    return found


def _new(path: Path, spec: Spec, codes: Codes) -> dict[str, Any]:
    made = {
        "schema_version": SCHEMA_VERSION, "what": "sweep", "scenario": spec.scenario, "hash": spec.hash,
        "spec": spec.as_dict(), "code": codes.as_dict(), "versions": versions(), "runs": spec.runs, "done": 0,
        "failed": 0, "status": "begun", "wall_time_s": 0.0,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, _jsonable(made))
    return made


def _jsonable(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _same(folder: Path, found: Mapping[str, Any], spec: Spec, codes: Codes) -> None:
    """Refuse to mix the results of two specifications, or of two versions of the code."""
    version = found.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise UsageProblem(
            f"{folder}: expected schema version up to {SCHEMA_VERSION}, got {version!r}; update swarmscope."
        )
    changed = differences(found.get("spec", {}), _jsonable(spec.as_dict()))
    if changed:
        raise UsageProblem(
            f"{folder}: the specification changed since this sweep was begun ({'; '.join(changed[:4])}); put it back, or "
            "choose another --out."
        )
    changed = differences(found.get("code", {}), codes.as_dict())
    if changed:
        raise UsageProblem(
            f"{folder}: the source code changed since this sweep was begun ({'; '.join(changed[:4])}), and results of two "
            "versions are never mixed; choose another --out."
        )


def repair(folder: Path) -> tuple[str, ...]:
    """Set damaged parts aside, and run folders that are not whole; returns sentences on them."""
    with locked(folder):
        return (*results.set_aside(folder), *kept_whole(folder))


def kept_whole(folder: Path) -> list[str]:
    """Run folders on request that are damaged make their runs count as missing."""
    runs = load(folder)
    if "folder" not in runs.collect_schema().names() or not (folder / KEPT).exists():
        return []
    told, lost = [], []
    rows = runs.select("key", "folder").drop_nulls().collect()
    for key, name in rows.iter_rows():
        place = folder / KEPT / name
        why = _trouble(place)
        if why:
            lost.append(key)
            told.append(f"{place} was damaged ({why}); its run is made again")
            if place.exists():
                (folder / results.DAMAGED).mkdir(exist_ok=True)
                place.rename(folder / results.DAMAGED / f"{name}-{time.time_ns():x}")
    if lost:
        results.drop(folder, lost)
    return told


def _trouble(place: Path) -> str:
    """What is wrong with a run folder; empty when nothing is."""
    if not place.exists():
        return "it is gone"
    try:
        if not is_complete(place):
            return "it is not complete"
    except (UsageProblem, ValueError) as error:
        return str(error)
    events = place / "events.parquet"
    return results.damage(events) if events.exists() else ""
