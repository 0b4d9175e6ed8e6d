"""Detect: analyses a log again, or a trace for the first time, and leaves the report in a folder."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.analysis import Analysis, Channel, Progress, Settings, analyse
from experiments.errors import FolderInTheWay, UsageProblem
from experiments.fingerprint import log_hash, versions
from experiments.folder import (
    MANIFEST,
    PAGE,
    REPORT,
    SCHEMA_VERSION,
    TOPOLOGIES,
    TOPOLOGY,
    is_run,
    read_manifest,
    renewed,
    staged,
    write_json,
)
from experiments.interrupts import to_the_end
from experiments.memory import peak_memory
from experiments.readable import any_log, check_log, is_log, read_readable
from experiments.references import reference
from experiments.reports import summary, write_report
from sim.detectors.report import LEVELS

OUT = Path("runs")
# What a detection writes; the manifest last, for it says how the others were made.
ANALYSED = (REPORT, TOPOLOGY, TOPOLOGIES, PAGE, MANIFEST)
TABLES = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class Detection:
    """An analysed log and the folder that holds its report."""

    folder: Path
    manifest: Mapping[str, Any]
    analysis: Analysis


def detect(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    replicate: int = 0,
    knock_out: bool = False,
    out: Path | str | None = None,
    progress: Progress | None = None,
) -> Detection:
    """Analyse a run folder or a trace.

    Args:
        path: A run folder, or what ``sim.record.importers.canonical`` reads.
        columns: Schema name to the name in the trace, e.g. ``{"time": "ts"}``; not for run folders.
        settings: Detectors, level and seed.
        replicate: How many fresh seeds to run beside a run folder, and as many isolated twins and runs with the mechanism
            off, to see what recurs.
        knock_out: Also mute members of what is found, in paired reruns of the run and the fresh seeds.
        out: Folder for the report. By default a run folder gets its own report replaced, and the report of a trace goes
            to ``runs/detect-<name>-<hash8>``.
        progress: Called with (done, total, what) while working.

    Raises:
        UsageProblem: For a path that is not there, or an output folder that must not be replaced.
        ImportFailure: For a trace that cannot be read.
        OSError: When the folder cannot be written.
    """
    source = Path(path)
    check_log(source, columns)
    chosen = (settings or Settings()).checked()
    if is_log(source):
        place = None if out is None else Path(out)
        return detect_again(
            source, settings=chosen, replicate=replicate, knock_out=knock_out, out=place, progress=progress
        )
    if replicate or knock_out:
        raise UsageProblem(f"{source}: a trace cannot be run again; leave --replicate and --knock-out out.")
    return _detect_trace(source, columns, chosen, None if out is None else Path(out), progress)


def detect_again(
    folder: Path,
    *,
    settings: Settings,
    replicate: int = 0,
    knock_out: bool = False,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Detection:
    """Analyse the log of a run folder; its report is replaced, or written to ``out`` when that is given."""
    if knock_out and not replicate:
        raise UsageProblem(
            f"{folder}: --knock-out mutes members in paired reruns of several seeds; add --replicate SEEDS, e.g. 5."
        )
    manifest = read_manifest(folder)
    elsewhere = out is not None and out.resolve() != folder.resolve()
    if out is not None and elsewhere:
        _check_way(out)
    log = read_readable(folder)
    interventions = manifest.get("interventions") or []
    changed = [i.get("name", "") for i in interventions if i.get("action") == "set"]
    channel = Channel.of(manifest.get("parameters") or {}, changed=changed)
    notes: list[str] = []
    known = reference(folder, seeds=replicate, progress=progress, note=notes.append) if replicate else None
    analysis = analyse(log, settings=settings, channel=channel, reference=known, progress=progress)
    if knock_out:
        analysis = _knocked_out(analysis, folder, replicate, notes, progress)
    analysis = replace(analysis, report=replace(analysis.report, notes=(*analysis.report.notes, *notes)))
    made = {**manifest, **summary(analysis)}
    if out is None or not elsewhere:
        with to_the_end(f"the report in {folder} is renewed."), renewed(folder, ANALYSED) as place:
            _write(analysis, made, place)
        return Detection(folder, made, analysis)
    made |= {"what": "detection", "source": str(folder), "command": _command(folder, None, settings)}
    with to_the_end(f"the report is in {out}."), staged(out) as place:
        _write(analysis, made, place)
    return Detection(out, made, analysis)


def _knocked_out(analysis: Analysis, folder: Path, seeds: int, notes: list[str], progress: Progress | None) -> Analysis:
    """The analysis with its structures judged by what muting their members changes."""
    from experiments.causes import promoted
    from experiments.references import again
    from sim.detectors.engine import detect as search

    alpha, seed = analysis.settings.alpha, analysis.settings.seed
    structures, said = promoted(
        analysis.report.structures,
        again(read_manifest(folder)),
        lambda log, like: search(log, detectors=[like.detector], alpha=alpha, seed=seed).structures,
        seeds=seeds,
        alpha=alpha,
        progress=progress,
    )
    notes += said
    ranked = sorted(structures, key=lambda s: -LEVELS.index(s.level))
    return replace(analysis, report=replace(analysis.report, structures=tuple(ranked)))


def _detect_trace(
    source: Path, columns: Mapping[str, str] | None, settings: Settings, out: Path | None, progress: Progress | None
) -> Detection:
    started = time.perf_counter()
    say = progress or (lambda _done, _total, _what: None)
    say(0, 0, f"reading {source.name}")
    seal = log_hash(
        {"content": content_hash(source), "columns": dict(columns or {}), "settings": settings.as_dict()},
    )
    folder = out or OUT / f"detect-{stem(source)}-{seal}"
    _check_way(folder)
    log = any_log(source, columns=columns)
    with ExitStack() as end, staged(folder) as place:
        analysis = analyse(log, settings=settings, progress=progress)
        end.enter_context(to_the_end(f"the report is in {folder}."))
        made = {
            "schema_version": SCHEMA_VERSION,
            "what": "detection",
            "source": str(source),
            "columns": dict(columns or {}),
            "hash": seal,
            "versions": versions(),
            "command": _command(source, columns, settings),
            "status": "complete",
            "error": "",
            "events": log.events.height,
            "events_kept": log.events.height,
            "log": log.kept,
            "wall_time_s": round(time.perf_counter() - started, 3),
            "peak_memory_bytes": peak_memory(),
            **summary(analysis),
        }
        _write(analysis, made, place)
    return Detection(folder, made, analysis)


def _check_way(folder: Path) -> None:
    """Only the report of another detection, or nothing, may be replaced by a report without a log."""
    if folder.exists() and not folder.is_dir():
        raise FolderInTheWay(f"{folder}: expected a folder or nothing, found a file; choose another --out.")
    if folder.exists() and any(folder.iterdir()):
        if not is_run(folder) or read_manifest(folder).get("what") != "detection":
            raise FolderInTheWay(
                f"{folder}: the folder holds something else than the report of a detection, which is never replaced; "
                "choose another --out."
            )


def _write(analysis: Analysis, manifest: Mapping[str, Any], place: Path) -> None:
    write_report(analysis, manifest, place)
    write_json(place / MANIFEST, manifest)


def content_hash(source: Path) -> str:
    """A hash of the bytes of a trace: of the file, or of all tables in the folder with their names."""
    tables = [source] if source.is_file() else sorted(p for p in source.iterdir() if p.suffix in TABLES and p.is_file())
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table.name.encode())
        with table.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def stem(source: Path) -> str:
    """A name for the folder of a trace."""
    name = source.resolve().stem if source.is_file() else source.resolve().name
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)[:60]
    return kept or "log"


def _command(source: Path, columns: Mapping[str, str] | None, settings: Settings) -> str:
    words = ["swarmscope", "detect", str(source)]
    words += ["--columns", ",".join(f"{k}={v}" for k, v in columns.items())] if columns else []
    words += ["--detectors", ",".join(settings.detectors)] if settings.detectors is not None else []
    words += ["--alpha", f"{settings.alpha:g}"] if settings.alpha != 0.05 else []
    words += ["--seed", str(settings.seed)] if settings.seed else []
    return shlex.join(words)
