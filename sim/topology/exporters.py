"""Exporters: the registry of topology writers, and the report of what each one could not carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

from sim.registry import Registry
from sim.topology.schema import Edge, Group, Provenance, Role, Topology


@dataclass(frozen=True)
class ExportReport:
    """What became of a topology in a format; every list holds sentences, and `empty` means nothing was lost.

    ``mode`` says what the written weights mean ("data": numbers kept as data; "picture": drawn only).
    """

    target: str
    target_version: str = ""
    mode: str = "data"
    dropped_edges: tuple[str, ...] = ()
    merged_edges: tuple[str, ...] = ()
    lost_weights: tuple[str, ...] = ()
    lost_attributes: tuple[str, ...] = ()
    renamed_roles: tuple[str, ...] = ()
    approximated_joins_splits: tuple[str, ...] = ()
    added_caps: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """True if and only if reading the written text back gives an equal topology."""
        return not self.sentences()

    def sentences(self) -> list[str]:
        """Everything lost or changed, in the order of the fields."""
        lists = (getattr(self, f.name) for f in fields(self) if f.name not in {"target", "target_version", "mode"})
        return [sentence for part in lists for sentence in part]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON."""
        made = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in made.items()} | {"empty": self.empty}


@dataclass(frozen=True)
class Exporter:
    """One format: name, file extension, writer, reader (None where nothing reads it back), and one line of words."""

    name: str
    extension: str
    write: Callable[[Topology], tuple[str, ExportReport]]
    read: Callable[[str], Topology] | None
    words: str


exporters: Registry[Exporter] = Registry("exporter", package="sim.topology.formats")


def get(name: str) -> Exporter:
    """The exporter called ``name``; UnknownNameError with a suggestion otherwise."""
    return exporters.get(name)


def names() -> list[str]:
    """Names of all exporters, sorted."""
    return exporters.names()


def export(topology: Topology, *, as_format: str) -> tuple[str, ExportReport]:
    """Write ``topology`` in a registered format: the text, and the report of what the text does not carry."""
    return exporters.get(as_format).write(topology)


def unsaid(topology: Topology, *, role: Iterable[str], edge: Iterable[str], group: Iterable[str]) -> list[str]:
    """Sentences for all filled-in fields that a format does not write.

    Args:
        topology: The topology that is written.
        role: Names of the role fields that the format does carry.
        edge: The same for edges.
        group: The same for groups.
    """
    parts: tuple[tuple[str, type[Role | Edge | Group], tuple[Role | Edge | Group, ...], set[str]], ...] = (
        ("roles", Role, topology.roles, set(role)),
        ("edges", Edge, topology.edges, set(edge)),
        ("groups", Group, topology.groups, set(group)),
    )
    made = []
    for what, model, members, kept in parts:
        for name, info in model.model_fields.items():
            filled = sum(getattr(m, name) != info.default for m in members)
            if name not in kept and filled:
                made.append(f"The field '{name}' of {filled} of {len(members)} {what} is not written.")
    if topology.provenance != Provenance():
        made.append("The provenance is not written.")
    made += [f"The topology's {name} are not written." for name in ("metrics", "notes") if getattr(topology, name)]
    return made
