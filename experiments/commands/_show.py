"""What commands share: progress on stderr, results on stdout, the options that several of them have."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.errors import UsageProblem

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Say = Callable[[float, float, str], None]


def emit(data: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


def pairs(texts: list[str] | None, *, option: str) -> dict[str, str]:
    """``name=value`` texts as a mapping; UsageProblem for one without '='."""
    made = {}
    for text in texts or []:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageProblem(f"{option}: expected name=value, got '{text}'.")
        made[name.strip()] = value.strip()
    return made


def names(text: str | None) -> tuple[str, ...] | None:
    """A list separated by commas; None when it is not given."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def below_home(path: Path) -> str:
    """A path as it is shown: relative to the working folder where it lies in it."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except ValueError:
        return str(path)


@contextmanager
def progress() -> Iterator[Say]:
    """Yield a function (done, total, what) that keeps a bar on stderr; without a terminal, one line for each stage."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _bar(bar)


def _bar(bar: Bar) -> Say:
    task = bar.add_task("starting", total=None)

    def say(done: float, total: float, what: str) -> None:
        bar.update(task, completed=done, total=total or None, description=what[:70])

    return say


class _Lines:
    """Says each new stage once, at most one every two seconds, so that logs of batch jobs stay short."""

    def __init__(self) -> None:
        self.last = ""
        self.at = float("-inf")

    def __call__(self, done: float, total: float, what: str) -> None:
        now = time.monotonic()
        is_new = what != self.last and (now - self.at >= 2.0 or what.startswith("compiling"))
        if is_new or now - self.at >= 10.0:
            share = f" ({done / total:.0%})" if total and done else ""
            typer.echo(f"{what}{share} ...", err=True)
            self.last, self.at = what, now
