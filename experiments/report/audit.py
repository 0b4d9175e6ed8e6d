"""The prompt audit in the report of a run: what the prompt and the model's prior explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.report.markup import Cell, Raw, esc, lines, note, table
from experiments.report.words import number

# What the value of a check is, by the check's name.
MEANT = {
    "option order": "share of choices of the option listed first",
    "isolated twins": "share of twins, with nothing to remember, that choose what won in the run",
    "labels": "how far the share of an option moves when two exchange their words",
    "recognised": "share of answers that name the experiment",
    "format": "distance of choices between two forms of the prompt, 0 to 1",
    "neighbours' names": "share of choices of the neighbour with the lowest number",
    "most met neighbour": "share of choices of the neighbour met most",
}


def prompt_audits(manifest: Mapping[str, Any]) -> str:
    """The section's body; empty for a run without language models."""
    return "".join(_one(made) for made in manifest.get("audits", ()))


def _one(made: Mapping[str, Any]) -> str:
    rows: list[list[Cell]] = [
        [
            _named(str(c["name"])), f"{_mark(c)} {c['verdict']}", number(c["value"]),
            "" if c["low"] is None else f"{number(c['low'])} to {number(c['high'])}",
            "" if c["chance"] is None else number(c["chance"]), f"{c['n']:,}",
        ]
        for c in made["checks"]
    ]  # fmt: skip
    heads = ("check", "verdict", "value", "95 % interval", "without effect", "answers")
    refused = f'<p class="warning">Not called emergent: {esc(made["explained"])}.</p>' if made["explained"] else ""
    hits = [f"“{h['words']}” {h['does']}: {h['line']}" for h in made["hits"]]
    words = "The prompts hold no word that hands out a role, suggests a hierarchy or names what is hoped for."
    cut = note(f"Not everything was asked: {made['cut']}.") if made["cut"] else ""
    return (
        f"<p>{esc(made['model'])}: {made['calls']:,} calls{_spent(made)} were made for this audit; they count in the "
        "budget.</p>"
        + refused
        + cut
        + (table(heads, rows, numeric=(2, 4, 5)) if rows else "")
        + (f"<p>Words in the prompts that say too much:</p>{lines(hits)}" if hits else note(words))
    )


def _spent(made: Mapping[str, Any]) -> str:
    """Tokens and cost of an audit; runs of before they were kept tell of none."""
    asked = made.get("asked")
    if not asked or not asked["calls"]:
        return ""
    cost = "at an unknown cost" if asked["cost"] == "unknown" else f"for ${asked['cost']:.4g}"
    return f" ({asked['tokens_in']:,} tokens in, {asked['tokens_out']:,} out, {cost})"


def _named(check: str) -> Raw:
    said = MEANT.get(check, "")
    return Raw(esc(check) + (f'<br><span class="quiet">{esc(said)}</span>' if said else ""))


def _mark(check: Mapping[str, Any]) -> str:
    """What was not measured is neither fine nor wrong."""
    return "✗" if not check["fine"] else "–" if check["value"] is None else "✓"
