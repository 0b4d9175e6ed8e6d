"""From a structure to a topology: its roles with their multiplicity, and what flows between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sim.detectors.report import Structure
from sim.record.log import Log
from sim.topology import reduce
from sim.topology.reduce import EDGE_OF_EVENT
from sim.topology.schema import Function, Provenance, Topology

# What a role was seen to do, in the words of the topology schema.
FUNCTION_OF: Mapping[str, Function] = {
    "intake": "intake",
    "relay": "routing",
    "worker": "work",
    "reviewer": "quality_control",
    "integrator": "integration",
    "finisher": "work",
}


def to_topology(structure: Structure, log: Log) -> Topology:
    """Reduce ``structure``, found in ``log``, to a topology of roles.

    Items that agents outside the structure pass in or take out are counted as entering and leaving. An event kind that
    the topology schema does not know is kept as an ``info`` edge: it tells that two roles were in contact.
    """
    done = cast(Mapping[str, str], structure.facts.get("functions", {}))
    kinds = {kind: EDGE_OF_EVENT.get(kind, "info") for kind in structure.flows["kind"].unique().to_list()}
    return reduce.to_topology(
        structure.roles,
        structure.flows,
        name=structure.id,
        entries=structure.entries or None,
        exits=structure.exits or None,
        functions={role: FUNCTION_OF.get(what, "other") for role, what in done.items()},
        kinds=kinds,
        strangers="outside",
        provenance=_provenance(structure, log),
        metrics={"score": structure.score, "chance": structure.chance, "p": structure.p},
        notes=structure.sentence,
    )


def _provenance(structure: Structure, log: Log) -> Provenance:
    scenario, seed = log.meta.get("scenario"), log.meta.get("seed")
    recurs, runs = structure.facts.get("recurs"), structure.facts.get("of_runs")
    return Provenance(
        scenario=str(scenario) if scenario is not None else None,
        seed=seed if isinstance(seed, int) else None,
        detector=structure.detector,
        window=structure.windows,
        support=(int(recurs), int(runs)) if recurs is not None and runs else None,
        stability=structure.interval,
        evidence="simulated" if scenario is not None else "log",
    )
