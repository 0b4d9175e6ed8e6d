"""Diff: what differs between two runs: parameters, structures, instruments."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from pathlib import Path
from typing import Any

from experiments.errors import UsageProblem
from experiments.folder import REPORT, read_json, read_manifest

# Entries of a manifest that decide what a run does, beside its parameters.
DECIDING = ("scenario", "preset", "rule", "seed", "until", "log", "interventions", "code", "source", "status")


def diff(first: Path | str, second: Path | str) -> dict[str, Any]:
    """Compare two run folders.

    Args:
        first: A folder that ``run`` or ``detect`` wrote.
        second: Another one.

    Returns:
        ``parameters``, ``structures`` and ``instruments``, each a list of rows with ``name``, ``first``, ``second``;
        structures also say ``what`` differs; instruments also whether their 95 % intervals ``overlap`` (None without).
        Empty lists where nothing differs; ``same`` when all are.
    """
    manifests = [read_manifest(Path(first)), read_manifest(Path(second))]
    reports = [_report(Path(first)), _report(Path(second))]
    made: dict[str, Any] = {
        "first": str(first),
        "second": str(second),
        "parameters": _parameters(*manifests),
        "structures": _structures(*reports),
        "instruments": _instruments(*reports),
    }
    made["same"] = not (made["parameters"] or made["structures"] or made["instruments"])
    return made


def _report(folder: Path) -> dict[str, Any]:
    if not (folder / REPORT).exists():
        raise UsageProblem(
            f"{folder}: expected a report, but there is none; make it with 'swarmscope detect {folder}'."
        )
    return read_json(folder / REPORT)


def _row(name: str, first: object, second: object) -> dict[str, Any]:
    return {"name": name, "first": first, "second": second}


def _parameters(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [_row(name, a.get(name), b.get(name)) for name in DECIDING if a.get(name) != b.get(name)]
    values = [m.get("parameters") or {} for m in (a, b)]
    names = list(dict.fromkeys([*values[0], *values[1]]))
    return rows + [
        _row(name, values[0].get(name), values[1].get(name))
        for name in names
        if values[0].get(name) != values[1].get(name)
    ]


def _structures(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Structures by what they claim: ids only count, so they do not tell which is which."""
    sides = [_by_claim(report) for report in (a, b)]
    rows = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        pair = [side.get(key) for side in sides]
        words = " ".join(part for part in (key[0], "–", key[1], f"({key[2]})" if key[2] else "") if part)
        if pair[0] is None or pair[1] is None:
            rows.append({**_row(words, _level(pair[0]), _level(pair[1])), "what": "only in one"})
            continue
        if pair[0]["level"] != pair[1]["level"]:
            rows.append({**_row(words, pair[0]["level"], pair[1]["level"]), "what": "claim level"})
        elif pair[0]["roles"] != pair[1]["roles"]:
            sizes = [", ".join(f"{r} {len(m)}" for r, m in s["roles"].items()) for s in pair if s is not None]
            rows.append({**_row(words, sizes[0], sizes[1]), "what": "roles or who holds them"})
    return rows


def _by_claim(report: Mapping[str, Any]) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    made: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for structure in report["structures"]:
        made.setdefault((structure["kind"], structure["claim"], structure["run"]), structure)
    return made


def _level(structure: Mapping[str, Any] | None) -> str | None:
    return None if structure is None else str(structure["level"])


def _instruments(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name in sorted({*a["instruments"], *b["instruments"]}):
        pair = [report["instruments"].get(name) or {} for report in (a, b)]
        values = [one.get("value") for one in pair]
        if _equal(*values):
            continue
        unit = pair[0].get("unit") or pair[1].get("unit") or ""
        rows.append({**_row(name, values[0], values[1]), "unit": unit, "overlap": _overlap(*pair)})
    return rows


def _equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return isclose(a, b, rel_tol=1e-12)


def _overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool | None:
    bounds = [one.get(name) for one in (a, b) for name in ("low", "high")]
    known = [float(bound) for bound in bounds if bound is not None]
    return known[0] <= known[3] and known[2] <= known[1] if len(known) == 4 else None
