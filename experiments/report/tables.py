"""Tables of the report: structures, functions, identities, instruments, the ledger, and how to reproduce a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.analysis import Analysis
from experiments.report.charts import bars
from experiments.report.markup import Raw, esc, folded, lines, note, table
from experiments.report.pictures import roles_picture
from experiments.report.words import LEVEL_WORDS, LEVELS, duration, listed, many, measured, number, p_value, size
from sim.detectors.nulls import NULLS
from sim.detectors.report import Structure
from sim.instruments.reading import instruments

MOST_CARDS = 40
MOST_GRAPHS = 12
MOST_LEDGER = 400
SHOWN_AGENTS = 12


def badge(structure: Structure) -> str:
    """The claim level as words and as a row of filled and empty dots."""
    place = LEVELS.index(structure.level) + 1
    dots = "●" * place + "○" * (len(LEVELS) - place)
    made = (
        f'<span class="badge level-{structure.level}"><span aria-hidden="true">{dots}</span> {structure.level}</span>'
    )
    return made + (' <span class="badge predefined">◆ predefined</span>' if structure.predefined else "")


def structures(analysis: Analysis) -> str:
    """One card for each structure, best first."""
    ranked = analysis.ranked
    if not ranked:
        return ""
    cards = [_card(analysis, s, graph=0 < i < MOST_GRAPHS) for i, s in enumerate(ranked[:MOST_CARDS])]
    more = len(ranked) - len(cards)
    rest = note(f"{many(more, 'further structure')} in report.json.") if more > 0 else ""
    ladder = "; ".join(f"{level}: {LEVEL_WORDS[level]}" for level in LEVELS)
    return (
        note(f"Claim levels, from weak to strong. {ladder}. One log alone reaches at most robust.")
        + "".join(cards)
        + rest
    )


def _card(analysis: Analysis, s: Structure, *, graph: bool) -> str:
    heading = f"{s.id}: {s.kind}" + (f", {s.about}" if s.about else "") + (f", run {s.run}" if s.run else "")
    rows = [(name, Raw(text)) for name, text in _facts(s)]
    picture = roles_picture(analysis, s) if graph else ""
    return (
        f'<article class="card"><h3>{esc(heading)} {badge(s)}</h3><p>{esc(s.sentence)}</p>'
        f"{folded('Evidence', table(['what', 'value'], rows))}"
        f"{folded('Roles and their agents', _roles(s))}{folded('Role graph', picture) if picture else ''}</article>"
    )


def _facts(s: Structure) -> list[tuple[str, str]]:
    made = [
        ("claim", esc(s.claim)),
        ("score", esc(f"{number(s.score)} {s.unit}")),
        ("95 % interval", esc(f"{number(s.interval[0])} to {number(s.interval[1])}") if s.interval else "–"),
        ("score by chance", esc(number(s.chance))),
        ("p, and q after correction for all tests", esc(f"{p_value(s.p)}, {p_value(s.q)}")),
        ("null models survived", "<br>".join(esc(null_words(name)) for name in s.nulls) or "none"),
        ("stood", esc(f"from {number(s.windows[0])} to {number(s.windows[1])}, {number(s.lifetime)} in all")),
        ("half-life", esc(s.half_life_said)),
        ("there from the start", esc(s.predefined or "no: not in the initial contacts, the inputs or the labels")),
        ("same when agents are renumbered", {True: "yes", False: "no", None: "not tested"}[s.relabelling]),
    ]
    made += [(f"left over {name}", f"{100 * share:.0f} %") for name, share in s.resilience.items()]
    return [*made, ("what would refute it", esc(s.refuted_by))]


def null_words(name: str) -> str:
    """A null model in words."""
    null = NULLS.get(name)
    return name if null is None else f"{name}: keeps {null.keeps}, destroys {null.destroys}; beaten means {null.shows}"


def _roles(s: Structure) -> str:
    rows = []
    for role, agents in s.roles.items():
        shown = ", ".join(str(a) for a in agents[:SHOWN_AGENTS])
        more = f" and {len(agents) - SHOWN_AGENTS} more" if len(agents) > SHOWN_AGENTS else ""
        rows.append([role, str(len(agents)), shown + more])
    return table(["role", "agents", "who"], rows, numeric=[1])


def functions(analysis: Analysis) -> str:
    """Who performs the functions every organisation needs, or that nobody does."""
    cards = []
    for name, found in analysis.functions.items():
        heading = name.replace("_", " ").capitalize()
        if found["missing"]:
            body = _missing(found, visible=analysis.log.has("target", "item"))
        else:
            who = found["who"]
            assert isinstance(who, Mapping)
            effective = f"as if {number(found['effective_agents'])} agents did it in equal shares"
            body = f"<p>{esc(found['sentence'])}</p>{bars(list(who.items())[:5], title=heading)}" + note(
                f"{number(found['events'])} events, {effective}; concentration (Gini) {number(found['concentration'])}, "
                f"0 = everybody alike. Counted: {found['rests_on']}."
            )
        cards.append(f'<article class="card function"><h3>{esc(heading)}</h3>{body}</article>')
    return f'<div class="cards">{"".join(cards)}</div>'


def _missing(found: Mapping[str, Any], *, visible: bool) -> str:
    """Nobody does it, or nobody could be seen doing it: a log without items or targets does not tell."""
    if visible:
        return f'<p class="missing">missing</p>{note(str(found["sentence"]))}'
    why = f"This log names no items or no targets, so it would not show who does it ({found['rests_on']})."
    return f'<p class="unseen">cannot be seen</p>{note(why)}'


def identities(analysis: Analysis) -> str:
    """The identities that hold in every sound log."""
    held = {True: "✓\u00a0holds", False: "✗\u00a0FAILS"}
    rows = [
        [i.name, number(i.expected), number(i.measured), number(i.tolerance), held[i.holds], i.note]
        for i in analysis.identities
        if i.holds is not None
    ]
    other = [f"{i.name}: {i.note.removeprefix('does not apply: ')}" for i in analysis.identities if i.holds is None]
    heads = ["identity", "expected", "measured", "tolerance", "", "rests on"]
    made = note("Whatever the rules, these must hold. One that fails is a fault of the program, never a finding.")
    made += table(heads, rows, numeric=[1, 2, 3]) if rows else ""
    return made + (
        folded(f"{many(len(other), 'further identity')} that this log cannot show", lines(other)) if other else ""
    )


def readings(analysis: Analysis) -> str:
    """All instruments with units, intervals, chance levels and notes."""
    rows: list[list[str | Raw]] = []
    for name, reading in analysis.instruments.items():
        if reading["value"] is None:
            continue
        unit = reading["unit"]
        low, high = reading["low"], reading["high"]
        interval = f"{_bare(low, unit)} to {_bare(high, unit)}" if low is not None and high is not None else "–"
        chance = reading["by"].get("chance")
        better = {"high": "higher is better", "low": "lower is better"}.get(instruments.get(name).better, "")
        parts = Raw(_parts(reading["by"]))
        about = Raw(f'{esc(name.replace("_", " "))}<br><span class="quiet">{esc(instruments.get(name).summary)}</span>')
        told = "; ".join(part for part in (reading["note"], better) if part)
        rows.append(
            [about, measured(reading["value"], unit), interval, _bare(chance, unit), number(reading["n"]), told, parts]
        )
    heads = ["instrument", "value", "95 % interval", "chance", "n", "note", "parts"]
    return table(heads, rows, numeric=[1, 2, 3, 4]) if rows else ""


def _bare(value: float | None, unit: str) -> str:
    return measured(value, unit) if unit == "share" else number(value)


def _parts(by: Mapping[str, float]) -> str:
    if not by:
        return ""
    rows = [[name, number(value)] for name, value in by.items()]
    return folded(many(len(by), "part"), table(["part", "value"], rows, numeric=[1]))


def can_say(analysis: Analysis, manifest: Mapping[str, Any]) -> str:
    """Where decisions came from, what the log kept, and what therefore cannot be said."""
    facts = analysis.report.log
    origins = [[origin, number(count)] for origin, count in analysis.report.decisions.items()]
    notes = list(dict.fromkeys(manifest.get("notes") or analysis.report.notes))
    absent = [
        f"{name.replace('_', ' ')}: {r['note'].removeprefix('n/a: ')}"
        for name, r in analysis.instruments.items()
        if r["value"] is None
    ]
    missing = facts["missing_columns"]
    made = f"<p>The log kept: <b>{esc(str(manifest.get('log') or facts['kept']))}</b>. "
    made += f"Columns without any value: {esc(listed(missing)) if missing else 'none'}.</p>"
    made += lines(notes)
    made += table(["decisions by origin", "events"], origins, numeric=[1]) if origins else ""
    return made + (f"<h3>Measures this log does not define</h3>{lines(absent)}" if absent else "")


def ledger(analysis: Analysis) -> str:
    """Everything that was tested or refused, folded in."""
    rows = analysis.report.ledger
    counts = Counter(row.verdict for row in rows)
    told = ", ".join(f"{n:,} {verdict}" for verdict, n in counts.most_common())
    order = {"beaten": 0, "not beaten": 1, "capped": 2}
    shown = sorted(rows, key=lambda r: (order.get(r.verdict, 3), r.q if r.q is not None else 2.0))[:MOST_LEDGER]
    body = [
        [r.detector, _claim(r.claim_tested, r.about, r.run), r.null, number(r.score), number(r.chance), p_value(r.p),
         p_value(r.q), r.verdict, r.reason]
        for r in shown
    ]  # fmt: skip
    heads = ["detector", "claim tested", "null", "score", "chance", "p", "q", "verdict", "reason"]
    more = note(f"The other {len(rows) - len(shown):,} rows are in report.json.") if len(rows) > len(shown) else ""
    intro = note("Every claim that was tested, also those that failed: without them the p-values mean nothing.")
    return intro + folded(
        f"{many(len(rows), 'row')}: {told or 'nothing'}", table(heads, body, numeric=[3, 4, 5, 6]) + more
    )


def _claim(claim: str, about: str, run: str) -> str:
    return "; ".join(part for part in (claim, about, f"run {run}" if run else "") if part)


def reproduce(analysis: Analysis, manifest: Mapping[str, Any]) -> str:
    """The command that makes this again, versions, and the parameters with the changed ones marked."""
    made = f'<pre class="command">{esc(manifest.get("command", ""))}</pre>'
    if manifest.get("interventions"):
        made += note("The interventions of this run come from a script and are listed in manifest.json.")
    versions = manifest.get("versions") or {}
    rows = [[name, str(text)] for name, text in versions.items()]
    rows += [
        ["computing time", duration(manifest.get("wall_time_s"))],
        ["peak memory", size(manifest.get("peak_memory_bytes"))],
    ]
    rows += [["analysis", f"level {analysis.settings.alpha:g}, seed {analysis.settings.seed}"]]
    made += folded("Versions, time and memory", table(["what", "value"], rows))
    parameters: Mapping[str, Any] = manifest.get("parameters") or {}
    changed = set(manifest.get("changed") or ())
    preset = _preset_values(manifest)
    listing = [[name, _value(value), _mark(name, changed, preset)] for name, value in parameters.items()]
    return made + (
        folded(many(len(listing), "parameter"), table(["parameter", "value", ""], listing)) if listing else ""
    )


def _preset_values(manifest: Mapping[str, Any]) -> set[str]:
    """Names of the parameters that the preset sets; empty when the scenario is not known here."""
    from sim.registry import UnknownNameError
    from sim.spec import scenarios

    try:
        presets = scenarios.get(str(manifest.get("scenario"))).presets
    except UnknownNameError:
        return set()
    return set(presets.get(str(manifest.get("preset")), {}))


def _mark(name: str, changed: set[str], preset: set[str]) -> str:
    return "◀ changed for this run" if name in changed else "set by the preset" if name in preset else ""


def _value(value: object) -> str:
    return "(empty)" if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def tiles(pairs: Sequence[tuple[str, str]]) -> str:
    """Numbers at a glance."""
    return "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in pairs)
