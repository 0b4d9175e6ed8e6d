"""Event logs with a known truth: planted structures, and look-alikes in which there is nothing to find."""

from __future__ import annotations

import networkx as nx
import numpy as np
import polars as pl

from sim.record.log import Log


def as_log(columns, *, contacts=None, agents=None, **more):
    """A log of schema version 1 from a dict of lists; time defaults to the row, kind to `message`."""
    rows = len(columns["source"])
    filled = {
        "seq": np.arange(rows, dtype=np.uint64),
        "time": np.arange(rows, dtype=np.float64),
        "kind": ["message"] * rows,
        "origin": ["rule"] * rows,
        **columns,
    }
    return Log(pl.DataFrame(filled, strict=False), contacts=contacts, agents=agents, **more)


def pairs_log(source, target, **more):
    return as_log({"source": np.asarray(source), "target": np.asarray(target)}, **more)


# Contacts ------------------------------------------------------------------------------------------------------------


def random_mixing(seed, *, n=40, events=1200, activity=None):
    """Everybody meets anybody; `activity` weights agents as senders and receivers alike."""
    rng = np.random.default_rng(seed)
    p = None if activity is None else np.asarray(activity) / np.sum(activity)
    source = rng.choice(n, events, p=p)
    target = rng.choice(n, events, p=p)
    ok = source != target
    return pairs_log(source[ok], target[ok])


def activity_imbalance(seed, *, n=40, events=1200):
    """Heavy-tailed activity and nothing else."""
    return random_mixing(seed, n=n, events=events, activity=np.random.default_rng([seed, 1]).pareto(1.5, n) + 0.2)


def persistent_ties(seed, *, n=40, ties=4, events=1600):
    """A random graph of ties that never change; each event is on one of them."""
    rng = np.random.default_rng(seed)
    edges = np.array(nx.gnm_random_graph(n, n * ties // 2, seed=int(rng.integers(2**31))).edges())
    drawn = edges[rng.integers(0, len(edges), events)]
    flip = rng.random(events) < 0.5
    return pairs_log(np.where(flip, drawn[:, 0], drawn[:, 1]), np.where(flip, drawn[:, 1], drawn[:, 0]))


def isolated_broadcasts(seed, *, n=20, events=1000):
    """Agents that act alone, in bursts, under one shared signal; nobody addresses anybody."""
    rng = np.random.default_rng(seed)
    source = np.repeat(rng.integers(0, n, events // 4), 4)
    return as_log({"source": source, "kind": ["decide"] * len(source), "target": [None] * len(source)})


def teams_log(seed, *, n=40, groups=4, events=1600, mixing=0.3, turn=0, labels=None, contacts=None):
    """Planted groups; `turn` > 0 draws them anew that many times (rotating groups)."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.arange(n) % groups)
    source, target = [], []
    for k in range(events):
        if turn and k % (events // turn) == 0:
            group = rng.permutation(group)
        a = int(rng.integers(n))
        own = np.flatnonzero((group == group[a]) & (np.arange(n) != a))
        other = np.flatnonzero(group != group[a])
        source.append(a)
        target.append(int(rng.choice(other if rng.random() < mixing else own)))
    agents = None
    if labels:
        agents = pl.DataFrame({"id": np.arange(n), "key": np.arange(n), "label": [f"team {g}" for g in group]})
    if contacts:
        inside = [(a, b) for a in range(n) for b in range(n) if a != b and group[a] == group[b]]
        contacts = pl.DataFrame({"source": [a for a, _ in inside], "target": [b for _, b in inside]})
    return pairs_log(source, target, agents=agents, contacts=contacts or None if contacts is None else contacts), group


# Handoffs ------------------------------------------------------------------------------------------------------------


class Route:
    """Collects the events of items that travel."""

    def __init__(self):
        self.rows = {name: [] for name in ("kind", "source", "target", "item", "task")}

    def add(self, kind, source, target, item, task):
        for name, value in zip(self.rows, (kind, source, target, item, task), strict=True):
            self.rows[name].append(value)

    def log(self, **more):
        return as_log(self.rows, **more)


def _contacts(graph):
    both = [(a, b) for a, b in graph.edges()] + [(b, a) for a, b in graph.edges()]
    return pl.DataFrame({"source": [a for a, _ in both], "target": [b for _, b in both]})


def factory(seed, *, learn=True, n=30, types=3, items=2500, keep=0.99, known=True, graph=None, skilled=1):
    """Learned (path reinforcement with forgetting, science S2) or random routing to `skilled` experts per type."""
    rng = np.random.default_rng(seed)
    graph = graph or nx.random_regular_graph(4, n, seed=int(rng.integers(2**31)))
    near = [sorted(graph.neighbors(a)) for a in range(n)]
    experts = rng.permutation(n)[: types * skilled].reshape(types, skilled)
    weight = [[np.ones(len(near[a])) for a in range(n)] for _ in range(types)]
    route = Route()
    for item in range(items):
        task, here, path = int(rng.integers(types)), int(rng.integers(n)), []
        route.add("arrive", here, None, item, task)
        while here not in experts[task] and len(path) < 2000:
            w = weight[task][here]
            slot = int(np.searchsorted(np.cumsum(w), rng.random() * w.sum()))
            path.append((here, slot))
            route.add("handoff", here, near[here][slot], item, task)
            here = near[here][slot]
        route.add("deliver", here, None, item, task)
        if learn:
            for x, (agent, slot) in enumerate(path):
                row = weight[task][agent]
                np.maximum(row * keep, 0.001, out=row)
                row[slot] += 1.0 / (len(path) - x)
    return route.log(contacts=_contacts(graph) if known else None), experts


def pipeline_log(seed, *, stages=5, width=6, items=600, skip=0.1, back=0.05, task=None):
    """Items pass `stages` stages of `width` agents each; some skip a stage, some go back one."""
    rng = np.random.default_rng(seed)
    route = Route()
    for item in range(items):
        stage, here = 0, int(rng.integers(width))
        route.add("arrive", here, None, item, task)
        while stage < stages - 1:
            move = 2 if rng.random() < skip else -1 if rng.random() < back and stage else 1
            stage = min(stage + move, stages - 1)
            there = stage * width + int(rng.integers(width))
            if there != here:
                route.add("handoff", here, there, item, task)
            here = there
        route.add("deliver", here, None, item, task)
    return route.log(), np.arange(stages * width) // width


# Work without handoffs -----------------------------------------------------------------------------------------------


def board_log(seed, *, n=5, rounds=60, lead=0.0, phi=0.8, kind="write"):
    """Agents write to a shared board; each one's pace is an AR(1) series, agent 0 takes an extra share `lead`."""
    rng = np.random.default_rng(seed)
    pace = np.zeros(n)
    source = []
    for _ in range(rounds):
        pace = phi * pace + np.sqrt(1 - phi * phi) * rng.normal(size=n)
        share = np.exp(0.5 * pace)
        share = (1 - lead) * share / share.sum() + lead * (np.arange(n) == 0)
        source += list(np.repeat(np.arange(n), rng.multinomial(12, share)))
    return as_log({"source": source, "kind": [kind] * len(source), "target": [None] * len(source)})


# Changes that must change nothing ------------------------------------------------------------------------------------


def relabelled(log, seed):
    """Agents renamed at random and rows shuffled; the truth is the same."""
    rng = np.random.default_rng(seed)
    ids = sorted(set(log.events["source"].to_list()) | set(log.events["target"].drop_nulls().to_list()))
    names = rng.permutation(len(ids)) + 1000
    name = dict(zip(ids, (int(x) for x in names), strict=True))

    def rename(frame, *columns):
        return (
            frame
            if frame is None
            else frame.with_columns(pl.col(c).replace_strict(name, default=None) for c in columns)
        )

    from dataclasses import replace

    events = rename(log.events, "source", "target").sample(fraction=1.0, shuffle=True, seed=seed)
    return replace(log, events=events, contacts=rename(log.contacts, "source", "target")), name
