"""swarmscope run: one scenario, one seed, one run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

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
    mind: Annotated[
        str,
        typer.Option(
            help="rule, another rule's name, llm, archetypes, table=FILE, or a mixture: llm:0.3,rule, llm@0-4,rule."
        ),
    ] = "rule",
    model: Annotated[str | None, typer.Option(help="Language model, as provider/model.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Address of the model's server, as http://127.0.0.1:8400/v1.")
    ] = None,
    cassette: Annotated[str | None, typer.Option(help="File that keeps the model's replies.")] = None,
    cassette_mode: Annotated[
        str | None,
        typer.Option(
            help="record: ask what is not in the file; replay: never ask; replay-or-live: a key only if needed."
        ),
    ] = None,
    budget_calls: Annotated[int | None, typer.Option(help="Most calls to models.")] = None,
    budget_tokens: Annotated[int | None, typer.Option(help="Most tokens.")] = None,
    budget_money: Annotated[float | None, typer.Option(help="Most money, in US dollars.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Most calls under way at once (32).")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds until a call has failed (60).")] = None,
    retries: Annotated[
        int | None, typer.Option(help="How often a failed call or unreadable reply is tried again (3).")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature; the provider's own if left out.")] = None,
    structured: Annotated[
        str | None, typer.Option(help="schema: structured output; words: only the prompt says the form.")
    ] = None,
    thoughts: Annotated[
        bool, typer.Option("--thoughts", help="Let models think in words first; kept as payloads.")
    ] = False,
    samples: Annotated[
        int | None, typer.Option(help="Equal views share this many samples; 0 (the default) shares none.")
    ] = None,
    memory: Annotated[int | None, typer.Option(help="Outcomes that an agent with a model remembers (5).")] = None,
    window: Annotated[
        float | None,
        typer.Option(help="Event time: model time in which decisions are asked together (0.25); 0 is exact."),
    ] = None,
    audit: Annotated[
        int, typer.Option(help="Isolated twins asked after the run about a model's prior; 0 for no prompt audit.")
    ] = 20,
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
        retries=retries, temperature=temperature, structured=structured, thoughts=thoughts or None, samples=samples,
        memory=memory, window=window, audit=audit,
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
