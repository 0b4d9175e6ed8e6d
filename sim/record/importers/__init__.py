"""Importers: foreign traces become logs; one file per format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sim.registry import Registry

if TYPE_CHECKING:
    from sim.record.log import Log


class ImportFailure(ValueError):
    """A trace that cannot be read as an event log; the message says what was expected, what came and what to do."""


@dataclass(frozen=True)
class Importer:
    """One format.

    Attributes:
        name: Registered name, the value of ``swarmscope import --as``.
        summary: One line for listings.
        read: ``read(path, columns=None) -> Log``; raises ImportFailure and nothing else for what the file holds.
    """

    name: str
    summary: str
    read: Callable[..., Log]


importers: Registry[Importer] = Registry("importer", package="sim.record.importers")


def read(path: Path | str, *, columns: Mapping[str, str] | None = None, form: str = "canonical") -> Log:
    """Read the trace at ``path`` with the importer called ``form``; see ``sim.record.importers.canonical.read``."""
    return importers.get(form).read(Path(path), columns=columns)
