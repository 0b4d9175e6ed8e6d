"""The prompt audit in the report of a run: what the prompt and the model's prior explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.report.markup import esc, lines, note, table
from experiments.report.words import number


def prompt_audits(manifest: Mapping[str, Any]) -> str:
    """The section's body; empty for a run without language models."""
    return "".join(_one(made) for made in manifest.get("audits", ()))


def _one(made: Mapping[str, Any]) -> str:
    rows = [
        [
            str(c["name"]), number(c["value"]), "" if c["low"] is None else f"{number(c['low'])} to {number(c['high'])}",
            "" if c["chance"] is None else number(c["chance"]), f"{c['n']:,}",
            ("✓ " if c["fine"] else "✗ ") + str(c["verdict"]),
        ]
        for c in made["checks"]
    ]  # fmt: skip
    heads = ("check", "value", "95 % interval", "without effect", "answers", "verdict")
    refused = f'<p class="warning">Not called emergent: {esc(made["explained"])}.</p>' if made["explained"] else ""
    hits = [f"“{h['words']}” {h['does']}: {h['line']}" for h in made["hits"]]
    words = "The prompts hold no word that hands out a role, suggests a hierarchy or names what is hoped for."
    cut = note(f"Not everything was asked: {made['cut']}.") if made["cut"] else ""
    return (
        f"<p>{esc(made['model'])}: {made['calls']:,} calls were made for this audit; they count in the budget.</p>"
        + refused
        + cut
        + (table(heads, rows, numeric=(1, 3, 4)) if rows else "")
        + (f"<p>Words in the prompts that say too much:</p>{lines(hits)}" if hits else note(words))
    )
