"""swarmscope diff: what differs between two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands._show import Json, emit

HELP = """Compare two run folders: parameters, structures and instruments that differ.

Example: swarmscope diff runs/factory-0-1a2b3c4d runs/factory-1-5e6f7a8b
"""


def command(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another run folder.")],
    as_json: Json = False,
) -> None:
    """See HELP."""
    from experiments.diff import diff

    made = diff(first, second)
    if as_json:
        emit(made)
        return
    from experiments.report.words import measured, number

    if made["same"]:
        typer.echo("Nothing differs.")
        return
    for heading in ("parameters", "structures"):
        _block(heading, made[heading], number)
    rows = [
        {**row, "first": measured(row["first"], row["unit"]), "second": measured(row["second"], row["unit"])}
        for row in made["instruments"]
    ]
    _block("instruments", rows, str)


def _block(heading: str, rows: Sequence[Mapping[str, Any]], form: Any) -> None:
    typer.echo(f"{heading}:" if rows else f"{heading}: no difference")
    overlap = {True: " (95 % intervals overlap)", False: " (95 % intervals apart)"}
    for row in rows:
        what = f" [{row['what']}]" if "what" in row else overlap.get(row.get("overlap"), "")  # type: ignore[arg-type]
        typer.echo(f"  {row['name']}: {form(row['first'])} | {form(row['second'])}{what}")
