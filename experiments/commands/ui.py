"""swarmscope ui: the page in a browser, served on this machine only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.errors import UsageProblem

HELP = """Open the page: watch a scenario organise itself, understand it, steer it, take it away.

Example: swarmscope ui --port 8765
"""
ROOT = Path(__file__).resolve().parents[2]


def command(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A run folder or a trace to look at instead of a new run.")
    ] = None,
    *,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines reach only what is not loopback.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser.")] = True,
) -> None:
    """See HELP."""
    if not 1 <= port <= 65535:
        raise UsageProblem(f"--port: expected 1 to 65535, got {port}.")
    environment = dict(os.environ)
    if run is not None:
        if not run.exists():
            raise UsageProblem(f"{run}: expected a run folder or a trace, found nothing there; check the path.")
        environment["SWARMSCOPE_RUN"] = str(run.resolve())
    words = [sys.executable, "-m", "solara", "run", str(ROOT / "viz" / "app.py"), "--production", "--host", host]
    words += ["--port", str(port), "--open" if open_browser else "--no-open"]
    typer.echo(f"The page is at http://{host}:{port} (Ctrl-C ends it).", err=True)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(words, env=environment, check=False)
    if done.returncode not in {0, -2, 130}:
        raise typer.Exit(1)
