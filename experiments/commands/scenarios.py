"""swarmscope scenarios: what can be run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands._show import Json, emit

HELP = """List the scenarios, or show one with its presets, parameters and rules.

Example: swarmscope scenarios factory
"""


def command(
    scenario: Annotated[str | None, typer.Argument(help="Show this scenario in full.")] = None, as_json: Json = False
) -> None:
    """See HELP."""
    from sim.spec import scenarios

    chosen = scenarios.items() if scenario is None else [(scenario, scenarios.get(scenario))]
    if as_json:
        emit([_data(one) for _, one in chosen])
        return
    if scenario is not None:
        _full(chosen[0][1])
        return
    width = max((len(name) for name, _ in chosen), default=0)
    for name, one in chosen:
        typer.echo(f"{name:{width}}  {one.summary}")
    for module, error in scenarios.broken.items():
        typer.echo(f"{module} does not import: {error}", err=True)


def _data(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "summary": one.summary,
        "semantics": one.semantics,
        "until": one.until,
        "default_preset": one.default,
        "presets": {name: dict(values) for name, values in one.presets.items()},
        "rules": list(one.rules),
        "parameters": [
            {"name": p.name, "default": p.default, "low": p.low, "high": p.high, "unit": p.unit,
             "choices": list(p.choices), "live": p.live, "help": p.help}
            for p in one.parameters
        ],
    }  # fmt: skip


def _full(one: Any) -> None:
    typer.echo(f"{one.name}: {one.summary}\n\nPresets (rule):")
    width = max(len(name) for name in one.presets)
    for name in one.presets:
        mark = "*" if name == one.default else " "
        typer.echo(f" {mark} {name:{width}}  {one.preset_words.get(name, '')} ({one.rule_for(name)})")
    typer.echo(f"\nRules: {', '.join(one.rules)}\n\nParameters:")
    width = max((len(p.name) for p in one.parameters), default=0)
    for p in one.parameters:
        default = str(p.default).lower() if isinstance(p.default, bool) else p.default
        shown = f"'{default}'" if default == "" else default
        typer.echo(f"   {p.name:{width}}  {p.help} Expects {p.expects()}; default {shown}.")
    for heading, lines in (("Notice", one.notice), ("Try", one.tries)):
        if lines:
            typer.echo(f"\n{heading}:")
            for line in lines:
                typer.echo(f" - {line}")
