"""A registry: named extension points found by importing every module of a folder."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownNameError(LookupError):
    """A name that no member of the registry carries; the message suggests the nearest one."""


def suggest(name: str, known: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """Return ' Did you mean 'x'?' for the nearest known name, or an empty string."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


class Registry(Generic[T]):
    """Members of one kind (scenario, rule, detector, instrument, exporter, importer) by name.

    Members register with ``@registry.add("name")`` or ``registry.add("name")(thing)``; the modules of ``package`` are
    imported at first use. A module that fails to import is kept in ``broken`` and hides only itself.
    """

    def __init__(self, kind: str, *, package: str) -> None:
        self.kind = kind
        self.package = package
        self.broken: dict[str, Exception] = {}
        self._members: dict[str, T] = {}
        self._loaded = False
        # Reentrant, for a module may ask its own registry while it is imported.
        self._loading = threading.RLock()

    def add(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its argument under ``name``; a second owner of a name is refused."""

        def register(member: T) -> T:
            if name in self._members:
                raise ValueError(f"{self.kind} '{name}': the name is taken by {self._members[name]!r}; choose another.")
            self._members[name] = member
            return member

        return register

    def load(self) -> None:
        """Import every module of the registry's folder once; a second thread waits until all are there."""
        with self._loading:
            if self._loaded:
                return
            self._loaded = True
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                try:
                    importlib.import_module(f"{self.package}.{module.name}")
                except Exception as error:  # one broken file must not hide the others
                    self.broken[f"{self.package}.{module.name}"] = error

    def names(self) -> list[str]:
        """All member names, sorted."""
        self.load()
        return sorted(self._members)

    def get(self, name: str) -> T:
        """The member called ``name``; UnknownNameError with a suggestion otherwise."""
        self.load()
        if name in self._members:
            return self._members[name]
        for module, error in self.broken.items():
            if module.rsplit(".", 1)[-1] == name:
                raise UnknownNameError(f"{self.kind} '{name}': its module {module} does not import: {error}") from error
        raise UnknownNameError(
            f"unknown {self.kind} '{name}'.{suggest(name, list(self._members))} Known: {', '.join(self.names())}."
        )

    def items(self) -> list[tuple[str, T]]:
        """All (name, member) pairs, sorted by name."""
        return [(name, self._members[name]) for name in self.names()]
