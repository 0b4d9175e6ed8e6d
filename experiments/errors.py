"""Errors of experiments and the exit status each of them means."""

from __future__ import annotations


class UsageProblem(ValueError):
    """What was asked for cannot be done as asked; the message says what was expected, what came and what to do."""


class FolderInTheWay(UsageProblem):
    """An output folder holds something that must not be replaced without being told to."""


class RunFailed(RuntimeError):
    """A run that began and could not be finished; its folder, where there is one, says failed."""


class Interrupted(Exception):
    """Ctrl-C; the message says what was kept and where."""


def exit_code(error: BaseException) -> int:
    """2 for bad usage, 1 for what was tried and failed, 130 for an interruption."""
    from sim.registry import UnknownNameError
    from sim.spec import ParameterError

    if isinstance(error, Interrupted | KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, UsageProblem | UnknownNameError | ParameterError) else 1


def sentence(error: BaseException) -> str:
    """The error as one line; a kind of error that carries no sentence of its own is named."""
    text = " ".join(str(error).split()) or type(error).__name__
    told = isinstance(error, UsageProblem | RunFailed | Interrupted | ValueError | LookupError | OSError)
    # str() of a plain KeyError is only the key; those of ours are sentences in quotes.
    if isinstance(error, KeyError):
        text = str(error.args[0]) if error.args else text
    return text if told else f"{type(error).__name__}: {text}"
