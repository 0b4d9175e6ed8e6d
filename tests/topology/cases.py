"""Topologies for tests: small designs, hostile texts, and a Hypothesis strategy over the whole schema."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from sim.topology.reduce import to_topology
from sim.topology.schema import EDGE_KINDS, FUNCTIONS, Edge, Group, Provenance, Role, RoleCost, ServiceTime, Topology

REAL_GRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "team_graphs" / "graphs.jsonl"

NASTY = [
    'say "hello"',
    "it's",
    "two\nlines\r\nand\ttabs",
    "back\\slash \\n \\u0041",
    "\"\"\"triple\"\"\" '''quotes'''",
    "# a comment #quot; #35;",
    "{braces} {{double}} ${shell} {% jinja %}",
    "A[box] --> B((disc)) |pipe| ;; %%{init: {'theme':'dark'}}%%",
    "end",
    "1. a list\n- another",
    "`**markdown**` _it_",
    "&lt;&amp;&#10; & < > ]]> <!-- -->",
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "__import__('os').system('true')",
    'x"]\n  evil["injected"]\n  r_a --> evil',
    '</data></node><node id="evil"/>',
    "style a fill:#f00; classDef b fill:#35;",
    "ünïcode 中文 العربية 🏭\u2028\u2029\u00a0",
    "control \x00\x01\x0b\x1f\x7f\x85 \ufffe\uffff",
    " ",
    "",
]


def make(name, roles, edges, entry, exits, **more):
    """A topology from (id, function, multiplicity) and (source, target, kind, weight) rows."""
    return Topology(
        name=name,
        kind="fixture",
        roles=tuple(Role(id=i, label=i.replace("_", " "), function=f, multiplicity=m) for i, f, m in roles),
        edges=tuple(
            Edge(id=f"e{i}", source=a, target=b, kind=kind, weight=w) for i, (a, b, kind, w) in enumerate(edges)
        ),
        entry=entry,
        exits=tuple(exits),
        **more,
    )


PIPELINE = make(
    "pipeline",
    [("intake", "intake", 1), ("build", "work", 12), ("join", "integration", 2)],
    [("intake", "build", "handoff", 1.0), ("build", "join", "handoff", 1.0)],
    "intake",
    ["join"],
)
REWORK = make(
    "rework loop",
    [("intake", "intake", 3), ("build", "work", 12), ("review", "quality_control", 4), ("join", "integration", 2)],
    [
        ("intake", "intake", "handoff", 0.1),
        ("intake", "build", "handoff", 0.9),
        ("build", "review", "review", 1.0),
        ("review", "build", "rework", 0.35),
        ("review", "join", "approve", 0.65),
        ("join", "intake", "info", None),
    ],
    "intake",
    ["join"],
)
HUB = make(
    "hub and spokes",
    [("hub", "routing", 1), *((f"w{i}", "work", 1) for i in range(6))],
    [
        *(("hub", f"w{i}", "handoff", 1 / 6) for i in range(6)),
        *((f"w{i}", "hub", "delegate_return", 1.0) for i in range(6)),
    ],
    "hub",
    ["hub"],
)
PARALLEL = make(
    "parallel edges of different kinds",
    [("a", "work", 2), ("b", "work", 3)],
    [
        ("a", "b", "handoff", 0.5),
        ("a", "b", "review", 0.25),
        ("a", "b", "escalate", 0.25),
        ("a", "b", "info", None),
        ("b", "a", "rework", 1.0),
    ],
    "a",
    ["b"],
)
SINGLE = make("single", [("only", "work", 1)], [], "only", ["only"])
LONG = make(
    "long pipeline",
    [(f"s{i}", "work", i + 1) for i in range(9)],
    [
        *((f"s{i}", f"s{i + 1}", "handoff", 1.0 if i != 5 else 0.7) for i in range(8)),
        ("s5", "s1", "rework", 0.3),
    ],
    "s0",
    ["s8"],
)
DISCOVERED = to_topology(
    {"takes task A": [0, 1, 2], "takes task B": [3, 4], "takes task C": [5, 6, 7, 8]},
    {
        "source": [0, 1, 3, 4, 5, 6, 5],
        "target": [3, 5, 6, 0, 3, 7, 4],
        "kind": ["handoff", "handoff", "handoff", "rework", "handoff", "handoff", "message"],
        "count": [40, 60, 80, 12, 9, 5, 33],
    },
    name="discovered by hand",
    entries={0: 50, 3: 30, 5: 40},
    exits={4: 50, 7: 70},
)
FIXTURES = [PIPELINE, REWORK, HUB, PARALLEL, SINGLE, LONG, DISCOVERED]


def with_text(text):
    """The rework loop with one text in every free-text field."""
    roles = tuple(
        r.model_copy(update={"label": f"{text}{r.id}", "prompt": text, "tools": (text,)}) for r in REWORK.roles
    )
    edges = tuple(e.model_copy(update={"condition": text}) for e in REWORK.edges)
    groups = (Group(id="team", label=text, members=("build", "review")),)
    return Topology.model_validate(
        {
            **dict(REWORK),
            "name": text,
            "roles": roles,
            "edges": edges,
            "groups": groups,
            "notes": text,
            "provenance": Provenance(scenario=text),
            "metrics": {text: 1.5},
        }
    )


def renamed(topology, names):
    """The same topology with other role ids."""
    return Topology(
        **{
            **dict(topology),
            "roles": tuple(r.model_copy(update={"id": names[r.id]}) for r in topology.roles),
            "edges": tuple(
                e.model_copy(update={"source": names[e.source], "target": names[e.target]}) for e in topology.edges
            ),
            "entry": names[topology.entry],
            "exits": tuple(names[x] for x in topology.exits),
            "groups": tuple(
                g.model_copy(update={"members": tuple(names[m] for m in g.members)}) for g in topology.groups
            ),
        }
    )


def maybe(strategy):
    return st.none() | strategy


# No lone surrogates: no JSON text in UTF-8 can hold one, and the schema refuses them.
texts = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
shares = st.floats(0, 1)
amounts = st.floats(0, 1e12)


def _roles(role_id):
    return st.builds(
        Role,
        id=st.just(role_id),
        label=texts,
        function=st.sampled_from(FUNCTIONS),
        multiplicity=st.integers(1, 10**7),
        prompt=maybe(texts),
        tools=st.lists(texts, max_size=2).map(tuple),
        capacity=maybe(st.integers(1, 99)),
        service_time=maybe(st.builds(ServiceTime, mean_s=amounts, dist=texts)),
        cost=maybe(st.builds(RoleCost, tokens_in=amounts, tokens_out=amounts, price=amounts)),
        decision_rights=st.lists(st.sampled_from(["approve", "reject", "escalate"]), unique=True).map(tuple),
        join=st.sampled_from(["any", "all", 1, 3]),
        split=st.sampled_from(["exclusive", "inclusive", "all"]),
        is_human=st.booleans(),
    )


def _edges(number, ids):
    return st.builds(
        Edge,
        id=st.just(f"e{number}"),
        source=st.sampled_from(ids),
        target=st.sampled_from(ids),
        kind=st.sampled_from(EDGE_KINDS),
        weight=maybe(shares),
        rate=maybe(amounts),
        count=maybe(st.integers(0, 2**53)),
        ci_low=maybe(shares),
        ci_high=maybe(shares),
        condition=maybe(texts),
        carries=maybe(st.sampled_from(["full", "summary", "artifact", "reference"])),
        retention=maybe(shares),
        delay_s=maybe(amounts),
        max_visits=maybe(st.integers(1, 9)),
        evidence=maybe(st.sampled_from(["explicit", "link", "temporal"])),
    )


def _settled(roles, edges):
    """Edges whose exclusive splits sum to 1: equal weights where all were given one, none otherwise."""
    exclusive = {r.id for r in roles if r.split == "exclusive"}
    made = []
    for edge in edges:
        group = [e for e in edges if e.source == edge.source and e.is_control]
        weight = edge.weight
        if edge.is_control and edge.source in exclusive:
            weight = 1 / len(group) if all(e.weight is not None for e in group) else None
        made.append(edge.model_copy(update={"weight": weight}))
    return tuple(made)


@st.composite
def topologies(draw, *, most_roles=5, most_edges=9):
    """Any valid topology of a few roles, with hostile texts in all free-text fields."""
    ids = [f"r{i}" for i in range(draw(st.integers(1, most_roles)))]
    roles = tuple(draw(_roles(i)) for i in ids)
    edges = [draw(_edges(i, ids)) for i in range(draw(st.integers(0, most_edges)))]
    groups = [
        Group(
            id=f"g{i}",
            label=draw(texts),
            members=tuple(draw(st.lists(st.sampled_from(ids), unique=True))),
            parent=f"g{i - 1}" if i and draw(st.booleans()) else None,
        )
        for i in range(draw(st.integers(0, 2)))
    ]
    return Topology(
        name=draw(texts),
        kind=draw(texts),
        roles=roles,
        edges=_settled(roles, edges),
        entry=draw(st.sampled_from(ids)),
        exits=tuple(draw(st.lists(st.sampled_from(ids), min_size=1, unique=True))),
        groups=tuple(groups),
        provenance=Provenance(
            scenario=draw(maybe(texts)),
            seed=draw(maybe(st.integers(-(2**63), 2**64))),
            window=draw(maybe(st.tuples(amounts, amounts))),
            support=draw(maybe(st.tuples(st.integers(0, 9), st.integers(1, 9)))),
            evidence_counts=draw(st.dictionaries(texts, st.integers(-9, 9), max_size=2)),
        ),
        metrics=draw(st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=2)),
        notes=draw(texts),
    )
