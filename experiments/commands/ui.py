"""swarmscope ui: the page in a browser, served on this machine only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.commands._show import Json, emit, names, pairs, progress
from experiments.errors import UsageProblem

HELP = """Open the page: watch a scenario organise itself, understand it, steer it, take it away.

With --json its address is printed as one document before it is served.

Example: swarmscope ui trace.csv --columns time=ts,source=from,target=to
"""
# The server of the page: nothing is sent anywhere, no banner, and the run of a closed tab ends within a minute. A change
# walks through the parts of the page that it reaches, and not through all (a fifth of the work in each picture). Memory that
# tables and arrays let go of is given back at once, and not kept for each thread that ever asked for some.
SETTINGS = {
    "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "False",
    "SOLARA_THEME_SHOW_BANNER": "False",
    "SOLARA_KERNEL_CULL_TIMEOUT": "60s",
    "REACTON_FAST": "1",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0",
    "MALLOC_ARENA_MAX": "2",
}
ROOT = Path(__file__).resolve().parents[2]


def command(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A run folder or a trace to look at instead of a new run.")
    ] = None,
    *,
    columns: Annotated[
        str | None, typer.Option(metavar="NAME=COLUMN,...", help="Which column of the trace is which of the schema.")
    ] = None,
    form: Annotated[str, typer.Option("--as", metavar="FORMAT", help="Format of the trace.")] = "canonical",
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines reach only what is not loopback.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser.")] = True,
    as_json: Json = False,
) -> None:
    """See HELP."""
    if not 1 <= port <= 65535:
        raise UsageProblem(f"--port: expected 1 to 65535, got {port}.")
    environment = {**SETTINGS, **os.environ}
    mapping = pairs(list(names(columns) or ()), option="--columns")
    if run is not None:
        _can_be_read(run, mapping, form)
        environment["SWARMSCOPE_RUN"] = str(run.resolve())
        environment["SWARMSCOPE_READING"] = json.dumps({"columns": mapping, "form": form})
    elif mapping:
        raise UsageProblem("--columns: expected a trace to read them from; name it, as in 'swarmscope ui trace.csv'.")
    environment["SWARMSCOPE_RUNS"] = str(Path("runs").resolve())
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    _free(host, port)
    words = [sys.executable, "-m", "solara", "run", str(ROOT / "viz" / "app.py"), "--production", "--host", host]
    words += ["--port", str(port), "--theme-variant", "light", "--open" if open_browser else "--no-open"]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if as_json:
        told = {"url": url, "host": host, "port": port, "run": None if run is None else str(run.resolve())}
        emit(told)
        sys.stdout.flush()
        os.dup2(2, 1)  # what the server says itself is no part of the document
    typer.echo(f"The page is at {url} (Ctrl-C ends it).", err=True)
    if os.name == "posix":  # the server takes our place, so that a signal to us is a signal to it
        os.execve(words[0], words, environment)
    done = subprocess.run(words, env=environment, check=False)
    if done.returncode not in {0, -2, 130}:
        raise typer.Exit(1)


def _can_be_read(run: Path, columns: dict[str, str], form: str) -> None:
    """Read once what the page will read, so that what is no log is refused here, as ``swarmscope detect`` refuses it."""
    from experiments.readable import any_log
    from sim.record.importers import importers

    importers.get(form)
    with progress() as say:
        say(0, 0, f"reading {run}")
        any_log(run, columns=columns or None, form=form)


def _free(host: str, port: int) -> None:
    """UsageProblem when nobody can listen at the address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageProblem(
                f"--port: {host}:{port} cannot be used ({error.strerror}); choose another port."
            ) from None
