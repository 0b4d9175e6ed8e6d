"""Cost of detection on a large log: 10^6 events, 10^4 agents, 50 windows.

    uv run python -m benchmarks.detectors

Tier A: what a live view needs of the whole log and of each new window, without surrogates. Graph: five measures at 10^6
links. Tier B: every detector on the whole log with 19 surrogates. Peak memory is that of the process so far.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from sim.detectors import graph
from sim.detectors.engine import detect
from sim.detectors.features import quick
from sim.detectors.groups import partition
from sim.detectors.nulls import Links
from sim.detectors.surrogates import LEAST, Surrogates
from sim.detectors.teams import links_of
from sim.detectors.window import Window, read
from sim.record.log import Log

EVENTS, AGENTS, WINDOWS, GROUPS = 1_000_000, 10_000, 50, 200
LINKS = 1_000_000


def large(events: int, agents: int, groups: int, *, seed: int = 0) -> Log:
    """Messages among heavy-tailed agents in teams, and items handed on, a fifth of the events."""
    rng = np.random.default_rng(seed)
    activity = np.minimum(1.0 + rng.pareto(1.5, agents), 50.0)
    group = rng.permutation(np.arange(agents) % groups)
    source = rng.choice(agents, events, p=activity / activity.sum())
    anybody = rng.choice(agents, events, p=activity / activity.sum())
    order = np.argsort(group, kind="stable")
    size, first = np.bincount(group), np.searchsorted(group[order], np.arange(groups))
    inside = order[first[group[source]] + (rng.random(events) * size[group[source]]).astype(np.int64)]
    target = np.where(rng.random(events) < 0.7, inside, anybody)
    target = np.where(target == source, (source + 1) % agents, target)
    handed = rng.random(events) < 0.2
    return Log(
        pl.DataFrame(
            {
                "seq": np.arange(events, dtype=np.uint64),
                "time": np.sort(rng.random(events)) * 1000.0,
                "kind": np.where(handed, "handoff", "message"),
                "source": source,
                "target": target,
                "item": pl.Series(np.where(handed, rng.integers(0, max(events // 20, 1), events), -1)).replace(
                    -1, None
                ),
                "origin": ["rule"] * events,
            }
        )
    )


def live(window: Window) -> dict[str, float]:
    """Tier A of one window: features, order, degrees, teams, hand-offs."""
    rows = (window.target >= 0) & (window.target != window.source)
    pair, count = np.unique(window.source[rows] * window.n + window.target[rows], return_counts=True)
    source, target = np.divmod(pair, window.n)
    made = quick(Links(window.n, source, target, count, directed=True))
    teams = partition(links_of(window))
    handed = window.of_class("transfers")
    passed = np.unique(window.source[handed] * window.n + window.target[handed], return_counts=True)[1]
    out, into = graph.degrees(graph.directed(window.n, source, target, count.astype(np.float64)))
    return made | {
        "teams": float(teams.max() + 1), "handoff links": float(len(passed)), "out": float(out.max()), "in": float(into.max()),
    }  # fmt: skip


def random_links(links: int, agents: int, seed: int = 0) -> tuple[Any, Any]:
    """So many different directed pairs, with unequal degrees."""
    rng = np.random.default_rng(seed)
    weight = np.minimum(1.0 + rng.pareto(2.0, agents), 30.0)
    chance = weight / weight.sum()
    pairs = np.zeros(0, dtype=np.int64)
    while len(pairs) < links:
        a, b = rng.choice(agents, (2, links), p=chance)
        pairs = np.unique(np.concatenate([pairs, (a * agents + b)[a != b]]))
    return np.divmod(rng.permutation(pairs)[:links], agents)


def timed(what: str, do: Callable[[], Any], target: str = "") -> Any:
    """Do it, and print how long it took and the peak memory so far."""
    started, worked = time.perf_counter(), time.process_time()
    made = do()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    print(f"| {what} | {cpu:.2f} s | {seconds:.2f} s | {target} | {peak:.0f} MiB |", flush=True)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--links", type=int, default=LINKS)
    parser.add_argument("--parts", default="a,graph,b", help="which of a, graph, b")
    asked = parser.parse_args(arguments)
    parts = set(asked.parts.split(","))
    live(read(large(2000, 100, 10)).windows[0])  # compiles the kernels
    print("| what | CPU time | time | target | peak memory |\n|---|---|---|---|---|")
    log = large(asked.events, asked.agents, GROUPS) if parts & {"a", "b"} else None
    if log is not None and "a" in parts:
        whole = timed("A: read the log", lambda: read(log).windows[0])
        cut = timed(f"A: cut into {WINDOWS} windows", lambda: whole.parts(WINDOWS))
        timed("A: one window", lambda: live(cut[0]), "0.5 s")
        timed(f"A: {WINDOWS} windows", lambda: [live(part) for part in cut], "30 s with the rest of A")
        timed("A: the whole log as one window", lambda: live(whole))
    if "graph" in parts:
        _graph(asked.links, asked.agents)
    if log is not None and "b" in parts:
        timed(
            f"B: detection with {LEAST} surrogates",
            lambda: detect(log, nulls=Surrogates(most=LEAST), progress=_progress),
            "300 s",
        )
    return 0


def _progress(done: float, total: float, what: str) -> None:
    print(f"{time.process_time():.1f} s {done:.0f}/{total:.0f} {what}", file=sys.stderr)


def _graph(links: int, agents: int) -> None:
    source, target = random_links(links, agents)
    small = graph.directed(50, *random_links(300, 50))
    rng = np.random.default_rng(0)
    measures: dict[str, Callable[[graph.Graph], Any]] = {
        "degrees": graph.degrees,
        "centralisation": graph.centralisation,
        "strong share": graph.strong_share,
        "core numbers": graph.core_numbers,
        "betweenness, 16 sources": lambda g: graph.betweenness(g, rng=rng, sources=16),
    }
    for measure in measures.values():
        measure(small)
    made = timed(f"graph of {links:,} links", lambda: graph.directed(agents, source, target))

    def five() -> None:
        for name, measure in measures.items():
            timed(name, lambda measure=measure: measure(made))  # type: ignore[misc]

    timed("the five together", five, "3 s")
    timed("betweenness, 64 sources", lambda: graph.betweenness(made, rng=rng, sources=64))
    timed("constraint", lambda: graph.constraint(made))
    timed("closure and triads", lambda: graph.closure(made))


if __name__ == "__main__":
    sys.exit(main())
