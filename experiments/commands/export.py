"""swarmscope export: a topology in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands._show import Json, below_home, emit

HELP = """Write the topology of a run, or a topology file, in another format; what is lost is told on stderr.

Example: swarmscope export runs/factory-0-1a2b3c4d --as mermaid --out team.mmd
"""


def command(
    path: Annotated[Path, typer.Argument(metavar="RUN_OR_TOPOLOGY", help="A run folder or a topology file.")],
    as_format: Annotated[str, typer.Option("--as", metavar="FORMAT", help="json, mermaid, graphml ...")],
    structure: Annotated[
        str | None, typer.Option(metavar="ID", help="Structure of the run; its best one if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; printed if left out.")] = None,
    as_json: Json = False,
) -> None:
    """See HELP."""
    from experiments.export import export
    from experiments.folder import write_text
    from sim.record.store import writing

    text, report = export(path, as_format=as_format, structure=structure)
    if out is not None:
        with writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    if as_json:
        emit({"format": as_format, "out": None if out is None else str(out), "text": text, "lost": report.as_dict()})
        return
    for sentence in report.sentences():
        typer.echo(sentence, err=True)
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        lost = "nothing is lost" if report.empty else f"{len(report.sentences())} things are lost"
        typer.echo(f"Wrote {below_home(out)} ({as_format}; {lost}).")
