"""swarmscope detect: what organised itself in a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands._show import Json, emit, names, pairs, progress

HELP = """Decide which structures formed in a run or in a trace of your own, and write a report.

Example: swarmscope detect trace.csv --columns time=ts,source=from,target=to --out report
Example: swarmscope detect runs/factory-1-0123abcd --replicate 5 --knock-out
"""


def command(
    path: Annotated[Path, typer.Argument(metavar="LOG_OR_RUN", help="A run folder, or an event table or its folder.")],
    *,
    columns: Annotated[
        str | None, typer.Option(metavar="NAME=COLUMN,...", help="Which column of the trace is which of the schema.")
    ] = None,
    detectors: Annotated[str | None, typer.Option(help="Detectors, separated by commas; all if left out.")] = None,
    alpha: Annotated[float, typer.Option(help="Level of the tests and of the false discovery rate.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of the surrogates.")] = 0,
    replicate: Annotated[
        int,
        typer.Option(
            metavar="SEEDS", help="Also run so many fresh seeds, isolated twins, and runs with the mechanism off."
        ),
    ] = 0,
    knock_out: Annotated[
        bool,
        typer.Option("--knock-out", help="With --replicate: also mute members of what is found, in paired reruns."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report; a run gets its own report replaced if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """See HELP."""
    mapping = pairs(list(names(columns) or ()), option="--columns")
    with progress() as say:
        say(0, 0, f"reading {path}")
        from experiments.analysis import Settings
        from experiments.detect import detect

        settings = Settings(names(detectors), alpha, seed)
        made = detect(
            path, columns=mapping or None, settings=settings, replicate=replicate, knock_out=knock_out, out=out,
            progress=say,
        )  # fmt: skip
    from experiments.commands.run import machine, show

    if as_json:
        emit(machine(made.folder, made.manifest))
    else:
        show(made.folder)
