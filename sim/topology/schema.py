"""The topology schema, version 1: roles, typed weighted edges, groups and where they come from."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from math import fsum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

SCHEMA_VERSION = 1
SPLIT_TOLERANCE = 1e-9

Function = Literal["intake", "routing", "work", "quality_control", "integration", "monitoring", "escalation", "other"]
EdgeKind = Literal["handoff", "review", "rework", "approve", "escalate", "delegate_return", "info", "veto"]
Right = Literal["approve", "reject", "reassign", "escalate"]
FUNCTIONS: tuple[Function, ...] = get_args(Function)
EDGE_KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)

# The two roles that stand for the world around an organisation carry these labels (see `boundary_roles`).
OUTSIDE_LABEL = "outside"
DONE_LABEL = "done"

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
EdgeId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=200)]


def _writable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"expected a text, got a lone surrogate at character {error.start}") from None
    return text


# Free text; a lone surrogate (half of a broken UTF-16 pair) fits in no file.
Text = Annotated[str, AfterValidator(_writable)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]


class TopologyError(ValueError):
    """A topology that is not one: the message names the place, what was expected and what came."""


class _Part(BaseModel):
    # An unknown field is an error: a misspelt one would otherwise be lost without a word.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ServiceTime(_Part):
    """Time a role spends on one item: mean in seconds (or model time) and the name of its distribution."""

    mean_s: Amount
    dist: Text = "exponential"


class RoleCost(_Part):
    """What one visit of a role costs: tokens read and written, and the price in the run's unit."""

    tokens_in: Amount = 0.0
    tokens_out: Amount = 0.0
    price: Amount = 0.0


class Role(_Part):
    """What ``multiplicity`` agents do alike. ``label`` is free text and never becomes code; ``id`` is a slug.

    ``join``: an arriving branch starts the role alone (any), together with all branches (all), or with k of them.
    ``split``: one outgoing edge (exclusive), those whose condition holds (inclusive), or every one (all).
    ``capacity`` is in items served at the same time.
    """

    id: Slug
    label: Text = ""
    function: Function = "other"
    multiplicity: Annotated[int, Field(ge=1)] = 1
    prompt: Text | None = None
    tools: tuple[Text, ...] = ()
    capacity: Annotated[int, Field(ge=1)] | None = None
    service_time: ServiceTime | None = None
    cost: RoleCost | None = None
    decision_rights: tuple[Right, ...] = ()
    join: Literal["any", "all"] | Annotated[int, Field(ge=1)] = "any"
    split: Literal["exclusive", "inclusive", "all"] = "exclusive"
    is_human: bool = False

    @property
    def text(self) -> str:
        """What a reader is shown: the label, or the id where there is none."""
        return self.label.strip() or self.id


class Edge(_Part):
    """One typed connection between two roles.

    ``weight`` is the probability within the source's split group, ``rate`` is in events per 1,000 items, ``count`` the
    events seen, ``ci_low`` and ``ci_high`` the 95 % interval of the weight. ``carries`` says what travels and
    ``retention`` which share of an item's facts survives. ``max_visits`` caps how often one item may take the edge.
    ``info`` edges move no work: they are outside splits, reachability and cycles.
    """

    id: EdgeId
    source: Slug
    target: Slug
    kind: EdgeKind = "handoff"
    weight: Share | None = None
    rate: Amount | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    ci_low: Share | None = None
    ci_high: Share | None = None
    condition: Text | None = None
    carries: Literal["full", "summary", "artifact", "reference"] | None = None
    retention: Share | None = None
    delay_s: Amount | None = None
    max_visits: Annotated[int, Field(ge=1)] | None = None
    evidence: Literal["explicit", "transfer_tool", "link", "parent_child", "temporal"] | None = None

    @property
    def is_control(self) -> bool:
        """Whether work moves along this edge; false for ``info``."""
        return self.kind != "info"


class Group(_Part):
    """A team or circle: its member roles, and the group that it is a part of."""

    id: Slug
    label: Text = ""
    members: tuple[Slug, ...] = ()
    parent: Slug | None = None


class Provenance(_Part):
    """Where a topology comes from and how well it is supported; everything is optional.

    ``support`` is (runs in which it was seen, runs looked at); ``window`` is in model time; ``stability`` is a
    bootstrap interval.
    """

    scenario: Text | None = None
    seed: int | None = None
    parameter_hash: Text | None = None
    run_hash: Text | None = None
    detector: Text | None = None
    detector_version: Text | None = None
    window: tuple[float, float] | None = None
    support: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    stability: tuple[float, float] | None = None
    evidence: Literal["simulated", "otel", "ocel", "log"] | None = None
    evidence_counts: dict[Text, int] = Field(default_factory=dict)
    p_value: Share | None = None
    null: Text | None = None


class Topology(_Part):
    """An organisation as data: who (roles), to whom (edges), where items come in and go out.

    Validation refuses what cannot be read in one way only (repeated ids, unknown endpoints, exclusive splits that do
    not sum to 1). Whether the topology could be *executed* is another question, see `executable.problems`: what was
    observed in a population may loop without a cap.
    """

    schema_version: Literal[1] = 1
    name: Text
    kind: Text = "discovered"
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    edges: tuple[Edge, ...] = ()
    entry: Slug
    exits: Annotated[tuple[Slug, ...], Field(min_length=1)]
    groups: tuple[Group, ...] = ()
    provenance: Provenance = Field(default_factory=Provenance)
    metrics: dict[Text, float] = Field(default_factory=dict)
    notes: Text = ""

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        faults = [*_repeated(self), *_unknown(self), *_split_faults(self), *_group_cycles(self)]
        if faults:
            raise ValueError(" ".join(faults))
        return self

    def role(self, role_id: str) -> Role:
        """The role with this id; KeyError otherwise."""
        for role in self.roles:
            if role.id == role_id:
                return role
        raise KeyError(f"topology '{self.name}': no role '{role_id}'.")

    def role_ids(self) -> list[str]:
        """Ids of the roles in order."""
        return [r.id for r in self.roles]


def _repeated(topology: Topology) -> list[str]:
    faults = []
    for what, ids in (
        ("role", topology.role_ids()),
        ("edge", [e.id for e in topology.edges]),
        ("group", [g.id for g in topology.groups]),
        ("exit", list(topology.exits)),
    ):
        twice = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
        faults += [f"{what} id '{i}' occurs {ids.count(i)} times, expected once." for i in twice]
    return faults


def _unknown(topology: Topology) -> list[str]:
    roles, groups = set(topology.role_ids()), {g.id for g in topology.groups}
    named = [("entry", topology.entry), *(("exits", x) for x in topology.exits)]
    for edge in topology.edges:
        named += [(f"edge '{edge.id}' source", edge.source), (f"edge '{edge.id}' target", edge.target)]
    for group in topology.groups:
        named += [(f"group '{group.id}' members", m) for m in group.members]
    faults = [f"{place}: no role has the id '{role}'." for place, role in named if role not in roles]
    parents = [(g.id, g.parent) for g in topology.groups if g.parent is not None and g.parent not in groups]
    return faults + [f"group '{g}' parent: no group has the id '{p}'." for g, p in parents]


def split_group(topology: Topology, role_id: str) -> list[Edge]:
    """The control edges that leave a role: the alternatives among which its ``split`` decides."""
    return [e for e in topology.edges if e.source == role_id and e.is_control]


def _split_faults(topology: Topology) -> list[str]:
    leaving: dict[str, list[Edge]] = {}
    for edge in topology.edges:
        if edge.is_control:
            leaving.setdefault(edge.source, []).append(edge)
    faults = []
    for role in topology.roles:
        weights = [e.weight for e in leaving.get(role.id, [])]
        known = [w for w in weights if w is not None]
        if role.split != "exclusive" or not known:
            continue
        if len(known) < len(weights):
            faults.append(
                f"role '{role.id}': {len(known)} of {len(weights)} edges of its exclusive split have a weight."
            )
        elif abs(fsum(known) - 1) > SPLIT_TOLERANCE:
            faults.append(f"role '{role.id}': weights of its exclusive split sum to {fsum(known):.12g}, expected 1.")
    return faults


def _group_cycles(topology: Topology) -> list[str]:
    parent = {g.id: g.parent for g in topology.groups}
    faults = []
    for start, above in parent.items():
        seen, at = {start}, above
        while at is not None and at in parent and at not in seen:
            seen.add(at)
            at = parent[at]
        if at == start:
            faults.append(f"group '{start}' is its own ancestor.")
    return faults


def boundary_roles(topology: Topology) -> frozenset[str]:
    """Ids of the roles that stand for the world outside: no agents, no work, only where items come from and go.

    The entry is one when it is labelled "outside" and nothing leads into it, an exit when it is labelled "done" and
    nothing leads out of it. `sim.topology.reduce.to_topology` makes them.
    """
    labels = {r.id: r.label for r in topology.roles}
    left = {e.source for e in topology.edges}
    entered = {e.target for e in topology.edges}
    done = {x for x in topology.exits if labels[x] == DONE_LABEL and x not in left}
    outside = {topology.entry} if labels[topology.entry] == OUTSIDE_LABEL and topology.entry not in entered else set()
    return frozenset(done | outside)


def slug(label: str) -> str:
    """A label as an id ``[a-z][a-z0-9_]*`` of at most 48 characters; "role" where nothing of it can be kept."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:48].rstrip("_")
    return made if made[:1].isalpha() else f"role_{made}".rstrip("_")


def slugs(labels: Iterable[str], *, taken: Iterable[str] = ()) -> tuple[list[str], list[str]]:
    """Slug every label to a unique id, in order; a collision gets the suffix _2, _3 ... and a sentence.

    Returns:
        The ids, one for each label, and the collisions as sentences (empty when every slug was free).
    """
    used, made, collisions = set(taken), [], []
    for label in labels:
        base, number = slug(label), 1
        chosen = base
        while chosen in used:
            number += 1
            chosen = f"{base}_{number}"
        if number > 1:
            collisions.append(f"The id '{base}' of {label!r} was taken; it became '{chosen}'.")
        used.add(chosen)
        made.append(chosen)
    return made, collisions


def to_json(topology: Topology) -> str:
    """The topology as JSON text (UTF-8, two-space indent); reading it back gives an equal topology."""
    return topology.model_dump_json(indent=2, exclude_none=True) + "\n"


def from_json(text: str, *, place: str = "topology") -> Topology:
    """Read a topology from JSON; TopologyError names every field that is not as expected."""
    try:
        return Topology.model_validate_json(text)
    except ValidationError as error:
        raise TopologyError(f"{place}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """A validation error in one line: where, what was expected, what came; at most five faults."""
    faults = []
    for fault in error.errors(include_url=False)[:5]:
        where = ".".join(str(part) for part in fault["loc"])
        came = "" if fault["type"] in {"missing", "value_error"} else f" (got {str(fault['input'])[:60]!r})"
        faults.append((f"{where}: " if where else "") + fault["msg"].removeprefix("Value error, ") + came)
    more = error.error_count() - len(faults)
    return "; ".join(faults) + (f"; and {more} more." if more > 0 else "")


def load(path: Path | str) -> Topology:
    """Read a topology from a JSON file; TopologyError for what is not one, OSError where the file cannot be read."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TopologyError(f"{file}: expected a JSON topology in UTF-8, got other bytes at {error.start}.") from error
    return from_json(text, place=str(file))


def save(topology: Topology, path: Path | str) -> None:
    """Write a topology as JSON; the file is whole or absent."""
    file = Path(path)
    half = file.with_name(file.name + ".part")
    half.write_text(to_json(topology), encoding="utf-8")
    half.replace(file)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of version 1, as checked in at docs/topology.schema.json."""
    made = Topology.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "Swarmscope topology, version 1",
    }


def json_schema_text() -> str:
    """The JSON Schema as the text of the checked-in file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
