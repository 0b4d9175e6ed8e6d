"""swarmscope import: a foreign trace becomes a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands._show import Json, below_home, emit, names, pairs, progress

HELP = """Read a trace of your own agents and leave it as a run folder; columns that are missing are told.

Example: swarmscope import trace.jsonl --as canonical --columns time=ts,source=from --out runs/mine
"""


def command(
    path: Annotated[Path, typer.Argument(metavar="TRACE", help="The trace: a file or a folder.")],
    *,
    form: Annotated[str, typer.Option("--as", metavar="FORMAT", help="Format of the trace.")] = "canonical",
    columns: Annotated[
        str | None, typer.Option(metavar="NAME=COLUMN,...", help="Which column of the trace is which of the schema.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder to make.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run folder that is in the way.")] = False,
    as_json: Json = False,
) -> None:
    """See HELP."""
    mapping = pairs(list(names(columns) or ()), option="--columns")
    with progress() as say:
        say(0, 0, f"reading {path.name}")
        from experiments.imports import import_trace

        made = import_trace(path, form=form, columns=mapping or None, out=out, force=force)
    if as_json:
        emit({"folder": str(made.folder), "manifest": made.manifest})
        return
    runs = len(made.log.runs)
    typer.echo(f"{made.log.events.height:,} events of {runs:,} run{'s' if runs > 1 else ''}: {below_home(made.folder)}")
    if made.log.missing:
        typer.echo(f"Columns without any value: {', '.join(made.log.missing)}.")
    for note in made.manifest["notes"]:
        typer.echo(f"Note: {note}")
    typer.echo(f"Analyse it with: swarmscope detect {below_home(made.folder)}")
