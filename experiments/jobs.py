"""Jobs: pieces of work as data, how one is done here and now, and results that are whole or absent."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

RESULTS = "results"
SUFFIX = ".json"


@dataclass(frozen=True)
class Job:
    """A piece of work as data: ``function`` is ``module:name``, called with ``arguments``, and returns JSON values.

    ``name`` tells equal jobs from others where the caller knows better than the hash of the arguments.
    """

    function: str
    arguments: Mapping[str, Any]
    name: str = ""

    @cached_property
    def key(self) -> str:
        """Its name, or sixteen digits of the hash of what the job is; the same job has the same result."""
        if self.name:
            return self.name
        text = json.dumps([self.function, dict(self.arguments)], sort_keys=True, default=str)
        return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its value, or the traceback of its last attempt."""

    job: Job
    value: Any = None
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Progress:
    """How far a set of jobs is: counts, failures, and jobs per second since the start."""

    done: int
    total: int
    failed: int
    rate: float

    @property
    def seconds_left(self) -> float | None:
        """Expected time to the end, or None while nothing is done."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


# Called in the worker with (folder, job, value, seconds); what it returns goes to the parent as the job's value.
Writer = Callable[[Path, Job, Any, float], Any]


def stored(folder: Path, jobs: Sequence[Job]) -> dict[str, Outcome]:
    """Results of ``jobs`` that are in ``folder``, by key; a file that cannot be read counts as missing."""
    found = {}
    for job in jobs:
        path = folder / RESULTS / (job.key + SUFFIX)
        try:
            data = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(data, dict) and {"value", "seconds"} <= set(data):
            found[job.key] = Outcome(job, data["value"], "", float(data["seconds"]))
    return found


def reporter(before: int, total: int, progress: Callable[[Progress], None] | None) -> Callable[[Outcome], None]:
    """A function that counts outcomes and tells ``progress``; ``before`` of ``total`` are done already."""
    seen = {"done": before, "failed": 0}
    first: list[float] = []

    def report(outcome: Outcome) -> None:
        seen["done"] += 1
        seen["failed"] += bool(outcome.error)
        # The first result carries the start of the processes and the compilation, which do not come again.
        first.append(time.monotonic()) if not first else None
        passed = max(time.monotonic() - first[0], 1e-9)
        since = seen["done"] - before - 1
        if progress:
            progress(Progress(seen["done"], total, seen["failed"], since / passed))

    return report


class Here:
    """Does jobs in this process, one after the other: for debuggers, and where starting processes costs more."""

    def __init__(self, folder: Path, *, writer: str, retries: int = 1) -> None:
        """Args: as for ``Pool``."""
        self.folder, self.retries = folder, retries
        self.write: Writer = named(writer)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Outcomes in order."""
        for job in jobs:
            for _ in range(1 + self.retries):
                message = done(job, self.folder, self.write)
                if "error" not in message:
                    break
            if "disk" in message:
                raise OSError(message["disk"])
            yield Outcome(job, message.get("value"), message.get("error", ""), message.get("seconds", 0.0))


def named(function: str) -> Any:
    """What ``module:name`` stands for."""
    module, name = function.split(":")
    return getattr(import_module(module), name)


def done(job: Job, folder: Path, write: Writer) -> dict[str, Any]:
    """The message on a job that was done and written, or tried."""
    message = attempt(job)
    if "error" in message:
        return message
    try:
        return {**message, "value": write(folder, job, message["value"], message["seconds"])}
    except OSError as error:
        return {"disk": unwritten(folder, error)}
    except (TypeError, ValueError):
        return {"error": f"{job.function} returned what JSON cannot hold.\n{traceback.format_exc(limit=5)}"}


def attempt(job: Job) -> dict[str, Any]:
    """Do a job here and now: its ``value`` and ``seconds``, or its ``error`` as a traceback."""
    started = time.perf_counter()
    try:
        value = named(job.function)(**job.arguments)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # a run that was stopped, and said so
            raise KeyboardInterrupt from error
        return {"error": traceback.format_exc(limit=20)}
    return {"value": value, "seconds": time.perf_counter() - started}


def unwritten(folder: Path, error: OSError) -> str:
    """What to say when a result could not be written."""
    return f"{folder}: a result could not be written ({error.strerror or error}); those before it are kept."


def write_result(folder: Path, job: Job, value: Any, seconds: float) -> Any:
    """Write a result under a temporary name and rename it; returns the value."""
    path = folder / RESULTS / (job.key + SUFFIX)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(json.dumps({"job": [job.function, dict(job.arguments)], "value": value, "seconds": seconds}))
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return value
