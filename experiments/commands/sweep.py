"""swarmscope sweep: many runs over axes and seeds, on this machine or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands._show import Json, below_home, emit, progress
from experiments.errors import UsageProblem

if TYPE_CHECKING:
    from experiments.jobs import Progress
    from experiments.sweeps.estimate import Estimate
    from experiments.sweeps.sweep import Sweep

HELP = """Run a specification: a scenario over axes, seeds and minds, with statistics and a phase diagram in one page.

Example: swarmscope sweep study.toml --out study
"""


def command(
    spec: Annotated[Path, typer.Argument(help="Specification in TOML; see docs/sweeps.md.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many runs, how long, how much disk and money.")
    ] = False,
    engine: Annotated[str, typer.Option(help="local (processes of this machine) or dask (a cluster).")] = "local",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler; a cluster on this machine if left out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; by default one for each core, 0 for none but this one.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a sweep: run exactly what is missing.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: run those that failed once more.")
    ] = False,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Do the i-th of n parts, for array jobs sharing one folder.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep; sweeps/SCENARIO-HASH if left out.")] = None,
    as_json: Json = False,
) -> None:
    """See HELP."""
    if retry_failed and not resume:
        raise UsageProblem("--retry-failed: expected --resume beside it.")
    with progress() as say:
        say(0, 0, f"reading {spec.name}")
        from experiments.sweeps.spec import read_spec

        asked = read_spec(spec)
        if dry_run:
            from experiments.sweeps.estimate import estimate

            made = estimate(asked, workers=workers, say=say)
        else:
            from experiments.sweeps.sweep import sweep

            say(0, asked.runs, f"starting {asked.runs:,} runs")
            done = sweep(
                spec=asked, out=out, engine=engine, scheduler=scheduler, workers=workers, resume=resume,
                retry_failed=retry_failed, shard=shard, progress=lambda p: say(p.done, p.total, _said(p)),
            )  # fmt: skip
    if dry_run:
        emit(vars(made)) if as_json else _tell_estimate(made)
        return
    if as_json:
        emit({"folder": str(done.folder), "reused": done.reused, "repaired": list(done.repaired), **done.manifest})
    else:
        _tell(done)
    if done.manifest.get("failed"):
        raise typer.Exit(1)


def _said(p: Progress) -> str:
    from experiments.report.words import duration

    if p.seconds_left is None:
        return f"{p.done:,} of {p.total:,} runs, {p.failed:,} failed"
    left = f", {duration(p.seconds_left)} left"
    rate = f"{p.rate:.1f} a second" if p.rate >= 1 else f"{60 * p.rate:.1f} a minute"
    return f"{p.done:,} of {p.total:,} runs, {p.failed:,} failed, {rate}{left}"


def _tell_estimate(made: Estimate) -> None:
    for line in made.sentences():
        typer.echo(line)


def _tell(done: Sweep) -> None:
    from experiments.report.sweep import PAGE

    manifest = done.manifest
    if done.reused:
        typer.echo(f"This sweep is finished already: {below_home(done.folder)}")
    for line in done.repaired:
        typer.echo(f"{line}.", err=True)
    typer.echo(
        f"{manifest['done']:,} of {manifest['runs']:,} runs are done, {manifest['failed']:,} of them failed: "
        f"{below_home(done.folder)}"
    )
    if manifest["failed"]:
        typer.echo("Their tracebacks are in the column 'error' of the runs, and in the page.", err=True)
    page = done.folder / PAGE
    typer.echo(f"Report: {below_home(page)}" if page.exists() else "The report is made when all runs are there.")
