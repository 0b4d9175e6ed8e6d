"""Words of the report: numbers with units for people, and the findings as sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import floor, isfinite, log10
from typing import Any

LEVELS = ("observed", "significant", "stable", "robust", "replicated", "causal")
LEVEL_WORDS = {
    "observed": "seen, and no test speaks for it",
    "significant": "beyond chance, but not shown to last",
    "stable": "beyond chance, and lasting from window to window",
    "robust": "lasting, and still there when windows, agents or links are taken away",
    "replicated": "found again in most of the other runs",
    "causal": "gone when its cause is switched off",
}
PLURALS = {
    "hierarchy": "hierarchies",
    "further identity": "further identities",
    "roles": "sets of roles",
    "teams": "sets of teams",
    "mesh": "meshes",
    "matrix": "matrices",
}
SINGULARS = {"roles": "set of roles", "teams": "set of teams"}
# Sentences printed by the command line; the page has all of them.
SPOKEN = 12


def number(value: object, digits: int = 3) -> str:
    """A number to ``digits`` significant places, large ones with separators; a dash for none."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if not isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if isinstance(value, int) or (abs(value) >= 1e4 and abs(value) < 1e15):
        return f"{round(value):,}"
    size = floor(log10(abs(value)))
    if size < -4 or size >= 15:
        return f"{value:.{digits - 1}e}"
    text = f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def measured(value: object, unit: str) -> str:
    """A number with its unit; shares as per cent."""
    if value is None:
        return "–"
    if unit == "share" and isinstance(value, int | float):
        return f"{number(100 * value)} %"
    if unit[:1].isdigit():  # a formula, as 1 - cosine
        return f"{number(value)} ({unit})"
    return f"{number(value)} {unit}".strip()


def p_value(value: float | None) -> str:
    """A p- or q-value."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def many(count: int, word: str) -> str:
    """A count with its noun."""
    plural = PLURALS.get(word, word if word.endswith("s") else word + "s")
    return f"{count:,} {SINGULARS.get(word, word) if count == 1 else plural}"


def listed(parts: Sequence[str]) -> str:
    """Parts as 'a, b and c'."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{number(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(count: float | None) -> str:
    """Bytes as a person says them."""
    return "–" if count is None else f"{count / 1e6:,.0f} MB"


def is_discovered(structure: Mapping[str, Any]) -> bool:
    """True for a structure of report.json that is stable or better, not predefined, and no part of another."""
    standing = structure["predefined"] is None and structure.get("part_of") is None
    return LEVELS.index(structure["level"]) >= LEVELS.index("stable") and standing


def headline(report: Mapping[str, Any], *, alpha: float = 0.05) -> tuple[str, str]:
    """What organised itself, in one sentence, and a second one on how sure that is or why there is nothing.

    A structure with a ``rival``, another cause that the log cannot exclude, counts as having lasted, no more.

    Args:
        report: report.json.
        alpha: Level of the tests, for the count of claims that stand after correction.
    """
    found = [s for s in report["structures"] if is_discovered(s)]
    if found:
        return _found(found, report), _sure(found)
    given = [s for s in report["structures"] if s["predefined"] is not None]
    why = _why_nothing(report, alpha)
    if given:
        was, they = ("were", "they") if len(given) > 1 else ("was", "it")
        start = f"{_counted(given)} {was} found, but {they} stood before the first event"
        return f"{start}; nothing that organised itself and lasted was found.", why
    return "Nothing that organised itself and lasted was found.", why


def _found(found: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    """What organised itself, and apart from it what lasted for a reason that the log does not settle."""
    sure, open_ = [s for s in found if not s.get("rival")], [s for s in found if s.get("rival")]
    if not open_:
        return f"{_organised(sure)}{_where(sure, report)}."
    rivals = listed(sorted({s["rival"] for s in open_}))
    lasted = f"agreement that lasted: {listed(_counts(open_))}{_where(open_, report)}"
    if not sure:
        return f"{lasted[0].upper()}{lasted[1:]}; {rivals} is not excluded."
    return f"{_organised(sure)}{_where(sure, report)}; {lasted}, for which {rivals} is not excluded."


def _where(found: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> str:
    runs = {s["run"] for s in found}
    if report["log"]["runs"] > 1 and runs != {""}:
        return f" in {many(len(runs), 'run')}"
    return f" among {many(report['log']['agents'], 'agent')}"


def _organised(found: Sequence[Mapping[str, Any]]) -> str:
    return f"{_counted(found)} organised themselves" if len(found) > 1 else _alone(found[0])


def _alone(structure: Mapping[str, Any]) -> str:
    name = _name(structure["kind"])
    words = "an" if name[0] in "aeiou" else "a"
    kind = {"teams": "Teams", "roles": "Roles"}.get(name, f"{words.capitalize()} {name}")
    return f"{kind} organised {'themselves' if name in ('teams', 'roles') else 'itself'}"


def _several(count: int, name: str) -> str:
    """A count of things of one name."""
    head, _, rest = name.partition(" ")
    plural = {"structure": "structures", "dependency": "dependencies"}.get(head)
    return f"{count:,} {plural} {rest}" if plural and count > 1 else many(count, name)


def _name(kind: str) -> str:
    """A kind as the name of one thing."""
    family, _, pattern = kind.partition(":")
    if family == "unclassified":
        return f"structure without a name ({pattern})" if pattern else "structure without a name"
    return {"influence": "dependency by influence", "synergy": "synergetic team"}.get(kind, kind)


def _counted(structures: Iterable[Mapping[str, Any]]) -> str:
    text = listed(_counts(structures))
    return text[0].upper() + text[1:]


def _counts(structures: Iterable[Mapping[str, Any]]) -> list[str]:
    return [_several(n, _name(kind)) for kind, n in Counter(s["kind"] for s in structures).most_common()]


def _sure(found: Sequence[Mapping[str, Any]]) -> str:
    levels = Counter(s["level"] for s in found)
    best = max(levels, key=LEVELS.index)
    told = listed([f"{n:,} {level}" for level, n in sorted(levels.items(), key=lambda x: -LEVELS.index(x[0]))])
    how = "Nobody assigned a role; it is read off who did what."
    if all(s.get("rival") for s in found):
        how = "That they do as those they heard is tested; why this option won is not, for nobody was asked alone."
    if len(levels) == 1:
        return f"Claim level: {best if len(found) == 1 else told} ({LEVEL_WORDS[best]}). {how}"
    return f"Claim levels: {told} ({best}: {LEVEL_WORDS[best]}). {how}"


def _why_nothing(report: Mapping[str, Any], alpha: float) -> str:
    if report["log"]["events"] == 0:
        return "The log holds no events, so nothing can be said."
    made = []
    seen = [s for s in report["structures"] if s["predefined"] is None]
    weak, bare = [s for s in seen if s["p"] <= alpha], [s for s in seen if s["p"] > alpha]
    if weak:
        made.append(f"{_counted(weak)} went beyond chance only in part, or did not last")
    if bare:
        made.append(f"{_counted(bare)} {'was' if len(bare) == 1 else 'were'} seen and not beyond chance")
    tested = [row for row in report["ledger"] if row["p"] is not None]
    if tested:
        alone = sum(row["verdict"] == "beaten" for row in tested)
        after = sum(row["q"] is not None and row["q"] <= alpha for row in tested)
        were = "was" if len(tested) == 1 else "were"
        made.append(
            f"{many(len(tested), 'claim')} {were} tested; {alone:,} beat chance taken alone, {after:,} after correction "
            "for the number of tests"
        )
    scarce = sum(row["verdict"] == "insufficient data" for row in report["ledger"])
    if scarce:
        made.append(f"{many(scarce, 'question')} had too little data to be asked")
    text = "; ".join(made) or "no detector had anything to test"
    return text[0].upper() + text[1:] + "."


def spoken(report: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """What the command line prints of a report: the headline, the structures, what the log cannot show."""
    lines = [*headline(report, alpha=(manifest.get("analysis") or {}).get("alpha", 0.05))]
    shown = sorted(report["structures"], key=lambda s: (not is_discovered(s), -LEVELS.index(s["level"])))
    lines += [f"  - {s['sentence']}" for s in shown[:SPOKEN]]
    if len(shown) > SPOKEN:
        lines.append(f"  - and {many(len(shown) - SPOKEN, 'further structure')}; see the report")
    lines += [f"Note: {note}" for note in manifest.get("notes", ())]
    broken = [i for i in report["identities"] if i["holds"] is False]
    lines += [
        f"Fault: the identity '{i['name']}' does not hold (expected {number(i['expected'])}, "
        f"measured {number(i['measured'])}); that is a fault of the program, not a finding"
        for i in broken
    ]
    return lines
