"""The page of a run: one self-contained HTML file that a person reads, pictures first."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from experiments.analysis import Analysis
from experiments.report import pictures, tables
from experiments.report.audit import prompt_audits
from experiments.report.markup import esc, note, section
from experiments.report.words import headline, many, measured, number


def render(analysis: Analysis, manifest: Mapping[str, Any]) -> str:
    """The page as one HTML text without scripts, network or other files.

    Args:
        analysis: What was found.
        manifest: Where it comes from: scenario or source, seed, command, versions; every entry may be missing.
    """
    title, subtitle = headline(analysis.to_json(), alpha=analysis.settings.alpha)
    time_words = _time_words(analysis)
    style = files("experiments.report").joinpath("style.css").read_text(encoding="utf-8")
    parts = [
        _head(analysis, manifest, title, subtitle),
        section("organisation", "The organisation", _organisation(analysis)),
        section("timeline", "When it stood", pictures.timeline_picture(analysis, time_words)),
        section("measures", "How the work went", pictures.charts(analysis, manifest, time_words)),
        section("structures", "What was found", tables.structures(analysis)),
        section("functions", "Who does what every organisation needs", tables.functions(analysis)),
        section("log", "What this log can and cannot show", tables.can_say(analysis, manifest)),
        section("audit", "What the prompt and the model's prior explain", prompt_audits(manifest)),
        section("identities", "Does the account add up?", tables.identities(analysis)),
        section("instruments", "All measures", tables.readings(analysis)),
        section("ledger", "Everything that was tested", tables.ledger(analysis)),
        section("reproduce", "How to make this again", tables.reproduce(analysis, manifest)),
    ]
    name = esc(_subject(manifest))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}: {esc(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _subject(manifest: Mapping[str, Any]) -> str:
    if manifest.get("scenario"):
        return f"{manifest['scenario']}, preset {manifest.get('preset')}, seed {manifest.get('seed')}"
    return str(manifest.get("source", "log"))


def _time_words(analysis: Analysis) -> str:
    unit = analysis.log.meta.get("time_unit")
    return f"time ({unit})" if isinstance(unit, str) and unit else "time"


def _head(analysis: Analysis, manifest: Mapping[str, Any], title: str, subtitle: str) -> str:
    facts = analysis.report.log
    status = str(manifest.get("status", "complete"))
    error = manifest.get("error", "")
    warning = (
        ""
        if status == "complete"
        else f'<p class="warning">This run is {esc(status)}{esc(f": {error}" if error else ".")}</p>'
    )
    broken = [i.name for i in analysis.identities if i.holds is False]
    if broken:
        warning += f'<p class="warning">An identity does not hold, so some number below is wrong: {esc("; ".join(broken))}.</p>'
    pairs = [
        ("agents" if facts["runs"] < 2 else "agents in all runs", number(facts["agents"])),
        ("events", number(facts["events"])),
        ("time", f"{number(facts['start'])} to {number(facts['end'])}"),
    ]
    pairs += [("runs", number(facts["runs"]))] if facts["runs"] > 1 else []
    for name in ("quality", "latency", "cost_per_item", "handoffs_per_item"):
        reading = analysis.instruments.get(name)
        if reading is not None and reading["value"] is not None:
            # The name says already what it is counted for.
            pairs.append((name.replace("_", " "), measured(reading["value"], reading["unit"].split(" per ")[0])))
    return (
        f'<header><p class="quiet">Swarmscope report: {esc(_subject(manifest))}</p><h1>{esc(title)}</h1>'
        f'<p class="lead">{esc(subtitle)}</p>{warning}<dl class="tiles">{tables.tiles(pairs)}</dl></header>'
    )


def _organisation(analysis: Analysis) -> str:
    best = analysis.best
    agents = pictures.agents_picture(analysis, best)
    if best is None:
        return agents and note("No structure is claimed. These are the contacts as they were.") + agents
    words = f"Of {many(len(analysis.ranked), 'structure')}, {best.id} has the highest claim, then the most agents."
    pictured = pictures.roles_picture(analysis, best)
    return (
        f"<p>{tables.badge(best)} {esc(words if len(analysis.ranked) > 1 else '')}</p><p>{esc(best.sentence)}</p>"
        f"{pictured}{agents}"
    )
