"""The command line: the app, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import sys
import traceback
from types import ModuleType
from typing import Annotated

import typer

from experiments.commands import (
    calibrate,
    card,
    detect,
    diff,
    distil,
    export,
    import_,
    run,
    scenarios,
    serve_mock,
    sweep,
    ui,
)
from experiments.errors import exit_code, sentence

INTERRUPTED = 130
app = typer.Typer(
    name="swarmscope",
    help="Watch organisation appear among agents that only follow local rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; works with all commands.")
    ] = False,
) -> None:
    """Watch organisation appear among agents that only follow local rules."""


# One line for each command.
COMMANDS: dict[str, ModuleType] = {
    "scenarios": scenarios,
    "run": run,
    "detect": detect,
    "diff": diff,
    "export": export,
    "import": import_,
    "sweep": sweep,
    "calibrate": calibrate,
    "card": card,
    "distil": distil,
    "serve-mock": serve_mock,
    "ui": ui,
}
for _name, _module in COMMANDS.items():
    app.command(_name, help=_module.HELP)(_module.command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 bad usage, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    sys.exit(call([word for word in given if word != "--debug"], debug=debug))


def call(arguments: list[str], *, debug: bool = False) -> int:
    """Run the command line and return the exit code."""
    try:
        # In the other mode the library decides about errors itself.
        code = app(arguments, prog_name="swarmscope", standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, Exception) as error:
        if debug:
            traceback.print_exception(error)
        return _told(error)


def _told(error: BaseException) -> int:
    """Print an error as one sentence on stderr; return the exit code."""
    show = getattr(error, "format_message", None)
    if show is not None:
        typer.echo(f"swarmscope: {' '.join(show().split())} See 'swarmscope --help'.", err=True)
        return int(getattr(error, "exit_code", 2))
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        typer.echo("swarmscope: interrupted; nothing was written.", err=True)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return 1
    typer.echo(f"swarmscope: {sentence(error)}", err=True)
    return exit_code(error)


if __name__ == "__main__":
    main()
