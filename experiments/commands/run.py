"""swarmscope run: one scenario, one seed, one run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands import _asking as how
from experiments.commands._show import Json, below_home, emit, names, pairs, progress

HELP = """Run a scenario and write a run folder with its log, report and topology.

Example: swarmscope run factory --preset learning --set agents=60 --seed 1
"""


def command(
    scenario: Annotated[str, typer.Argument(help="Name of a scenario; see 'swarmscope scenarios'.")],
    *,
    preset: Annotated[str | None, typer.Option(help="Preset of the scenario; its default one if left out.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; may be repeated.")
    ] = None,
    until: Annotated[float | None, typer.Option(help="Model time at which the run ends.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    mind: how.Mind = "rule",
    model: how.Model = None,
    base_url: how.BaseUrl = None,
    cassette: how.Cassette = None,
    cassette_mode: how.CassetteMode = None,
    budget_calls: how.BudgetCalls = None,
    budget_tokens: how.BudgetTokens = None,
    budget_money: how.BudgetMoney = None,
    concurrency: how.Concurrency = None,
    timeout: how.Timeout = None,
    retries: how.Retries = None,
    temperature: how.Temperature = None,
    max_tokens: how.MaxTokens = None,
    structured: how.Structured = None,
    thoughts: how.Thoughts = False,
    samples: how.Samples = None,
    memory: how.Memory = None,
    window: how.Window = None,
    audit: how.Audit = 20,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the run would ask and cost; ask and write nothing.")
    ] = False,
    log: Annotated[str, typer.Option(help="What to keep: full, window:START:END, sample:SHARE or counters.")] = "full",
    detectors: Annotated[str | None, typer.Option(help="Detectors, separated by commas; all if left out.")] = None,
    alpha: Annotated[float, typer.Option(help="Level of the tests and of the false discovery rate.")] = 0.05,
    out: Annotated[Path, typer.Option(help="Folder in which the run folder is made.")] = Path("runs"),
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is in the way.")] = False,
    as_json: Json = False,
) -> None:
    """See HELP."""
    from agents.llm.settings import Asking

    changed = pairs(changes, option="--set")
    asking = Asking().changed(
        model=model, base_url=base_url, cassette=cassette, cassette_mode=cassette_mode, budget_calls=budget_calls,
        budget_tokens=budget_tokens, budget_money=budget_money, concurrency=concurrency, timeout=timeout,
        retries=retries, temperature=temperature, max_tokens=max_tokens, structured=structured,
        thoughts=thoughts or None, samples=samples, memory=memory, window=window, audit=audit,
    )  # fmt: skip
    if dry_run:
        from experiments.estimate import estimate

        made = estimate(scenario, preset=preset, changes=changed, until=until, seed=seed, mind=mind, asking=asking)
        emit(made.as_dict()) if as_json else typer.echo(made.sentence())
        return
    with progress() as say:
        say(0, 0, f"preparing {scenario}")
        from experiments.run import run

        result = run(
            scenario, preset=preset, changes=changed, until=until, seed=seed, mind=mind, asking=asking, log=log, out=out,
            force=force, progress=say, detectors=names(detectors), alpha=alpha,
        )  # fmt: skip
    if as_json:
        emit(machine(result.folder, result.manifest, reused=result.reused))
        return
    if result.reused:
        typer.echo(f"An identical finished run is there already and was reused: {below_home(result.folder)}")
    show(result.folder)


def machine(folder: Path, manifest: Any, *, reused: bool = False) -> dict[str, Any]:
    """A run for --json: where it is, its manifest and its report."""
    from experiments.folder import REPORT, read_json

    return {"folder": str(folder), "reused": reused, "manifest": manifest, "report": read_json(folder / REPORT)}


def show(folder: Path) -> None:
    """Print what was found, in sentences, and where the report is."""
    from experiments.folder import PAGE, REPORT, read_json, read_manifest
    from experiments.report.words import spoken

    for line in spoken(read_json(folder / REPORT), read_manifest(folder)):
        typer.echo(line)
    typer.echo(f"Report: {below_home(folder / PAGE)}")
