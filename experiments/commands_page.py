"""The page docs/command-line.md, made from the commands so that it cannot go stale."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from experiments.cli import COMMANDS

PAGE = Path(__file__).parent.parent / "docs" / "command-line.md"
_INTRO = """# Command line

Made from `experiments/commands` by `python -m experiments.commands_page`.

Every command has `--json` (one JSON document on stdout) and `--help` (with an example). Progress goes to stderr. An
error is one sentence on stderr; `swarmscope --debug COMMAND ...` shows the traceback too.

| exit status | meaning |
|---|---|
| 0 | done as asked |
| 1 | tried and failed: a run that broke, a file that cannot be read or written |
| 2 | asked wrongly: unknown name, value out of range, folder in the way |
| 130 | interrupted; what is there is readable |

| command | does |
|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    rows = "".join(f"| [`{name}`](#{name}) | {_summary(module)} |\n" for name, module in COMMANDS.items())
    return _INTRO + rows + "".join(_part(name, module) for name, module in COMMANDS.items())


def _summary(module: ModuleType) -> str:
    return str(module.HELP).split("\n\n", maxsplit=1)[0].strip()


def _part(name: str, module: ModuleType) -> str:
    example = str(module.HELP).split("Example:")[1].strip()
    made = f"\n## {name}\n\n{_summary(module)}\n\n    {example}\n\n| option | default | meaning |\n|---|---|---|\n"
    return made + "".join(_row(*entry) for entry in _parameters(module.command))


def _parameters(command: Callable[..., None]) -> list[tuple[str, str, str]]:
    """(how it is written, default, help) of every parameter of a command."""
    hints = get_type_hints(command, include_extras=True)
    found = []
    for name, parameter in inspect.signature(command).parameters.items():
        if get_origin(hints[name]) is not Annotated:
            continue
        info = get_args(hints[name])[1]
        found.append((_written(name, info, hints[name]), _default(parameter.default), str(info.help)))
    return found


def _written(name: str, info: Any, hint: Any) -> str:
    metavar = info.metavar or name.upper()
    if type(info).__name__ == "ArgumentInfo":
        return str(metavar)
    # In the annotated form the first name of an option stands where its default stood.
    names = [n for n in (info.default, *(info.param_decls or ())) if isinstance(n, str) and n.startswith("--")]
    long = names[0] if names else f"--{name.replace('_', '-')}"
    return long if get_args(hint)[0] is bool else f"{long} {metavar}"


def _default(value: object) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return "" if value is None or value is False else f"`{value}`"


def _row(written: str, default: str, text: str) -> str:
    return f"| `{written}` | {default} | {text} |\n".replace("|  |", "| |")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
