"""swarmscope calibrate: the error rates and the power of the detectors, measured on worlds with a known truth."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands._show import Json, below_home, emit, names, progress

if TYPE_CHECKING:
    from experiments.jobs import Progress

HELP = """Measure false alarms on null worlds and power on planted ones, and write a table and a figure per detector.

Example: swarmscope calibrate --worlds 200 --detectors teams --out calibration
"""


def command(
    *,
    worlds: Annotated[int, typer.Option(help="Null worlds of each kind.")] = 1000,
    repeats: Annotated[int, typer.Option(help="Planted worlds for each kind, strength and number of events.")] = 40,
    detectors: Annotated[str | None, typer.Option(help="Detectors, separated by commas; all if left out.")] = None,
    only: Annotated[str | None, typer.Option(help="Control worlds, separated by commas; all if left out.")] = None,
    alpha: Annotated[float, typer.Option(help="Level of the tests.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Takes other worlds for another seed.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one for each core.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in a folder that holds results; only what is missing is done.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for results, table and figures.")] = Path("calibration"),
    page: Annotated[
        Path | None, typer.Option(help="Another folder for the table and the figures, such as docs.")
    ] = None,
    gather: Annotated[
        bool, typer.Option("--gather", help="Run nothing: write the page from the results in the folder so far.")
    ] = False,
    as_json: Json = False,
) -> None:
    """See HELP."""
    with progress() as say:
        say(0, 0, "preparing worlds")
        from experiments.calibrate import Study, calibrate, gathered
        from experiments.report.calibration import write

        study = Study(worlds, repeats, names(detectors), names(only), alpha, seed)
        made = (
            gathered(study.checked(), folder=out)
            if gather
            else calibrate(
                study,
                folder=out,
                workers=workers,
                resume=resume,
                progress=lambda p: say(p.done, p.total, _said(p)),
            )
        )
        paths = write(made, folder=page or out, command=_command(study))
    if as_json:
        tables = {name: getattr(made, name).to_dicts() for name in ("tests", "claims", "power", "costs", "times")}
        emit({"folder": str(out), **tables, "failed": list(made.failed)})
        return
    for row in made.claims.to_dicts() if made.claims.height else ():
        if row["detector"] == "all of them":
            typer.echo(
                f"{row['world']}: something discovered in {row['discovered']} of {row['worlds']} worlds without structure "
                f"({row['rate']:.1%}, interval {row['low']:.1%} to {row['high']:.1%})"
            )
    if made.failed:
        typer.echo(
            f"{len(made.failed)} jobs failed; the first said: {made.failed[0].strip().splitlines()[-1]}", err=True
        )
    typer.echo(f"Table: {below_home(paths[0])}")


def _said(at: Progress) -> str:
    left = "" if at.seconds_left is None else f", about {at.seconds_left / 60.0:.0f} min left"
    return f"{at.done} of {at.total} jobs, {at.failed} failed{left}"


def _command(study: object) -> str:
    from experiments.calibrate import Study

    assert isinstance(study, Study)
    words = ["swarmscope", "calibrate", "--worlds", str(study.worlds), "--repeats", str(study.repeats)]
    words += ["--detectors", ",".join(study.detectors)] if study.detectors is not None else []
    words += ["--only", ",".join(study.only)] if study.only is not None else []
    words += ["--alpha", f"{study.alpha:g}"] if study.alpha != 0.05 else []
    words += ["--seed", str(study.seed)] if study.seed else []
    return shlex.join(words)
