"""Channels: who can reach whom, as a sparse neighbour table, and the graphs that scenarios start from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from sim.spec import ParameterError

GRAPHS = ("regular", "ring", "star", "complete", "line", "small_world", "scale_free", "grid")
# networkx pairs stubs one by one: beyond this size random cycles are used instead.
PAIRING_LIMIT = 20_000
WIDTH_LIMIT = 4096


def graph_edges(kind: str, *, agents: int, degree: int, seed: int, rewiring: float = 0.1) -> np.ndarray:
    """Undirected edges (m, 2) of a graph on 0..agents-1.

    Args:
        kind: One of ``GRAPHS``. ``regular``: random with equal degrees (above 20,000 agents a union of random cycles,
            in which a few agents may have a neighbour less); ``small_world``: ring lattice, rewired (Watts and
            Strogatz 1998); ``scale_free``: preferential attachment of degree / 2 links (Barabasi and Albert 1999);
            ``grid``: square lattice with wrap-around; ``star``: agent 0 in the middle.
        agents: Number of nodes, at least 1.
        degree: Mean degree where the kind has one.
        seed: Decides the instance of a random graph.
        rewiring: Share of rewired links of ``small_world``, in [0, 1].
    """
    i = np.arange(agents)
    if agents == 1:
        return np.zeros((0, 2), np.int64)
    if kind in {"ring", "line"}:
        edges = np.stack([i, (i + 1) % agents], 1)
        return edges[:-1] if kind == "line" or agents == 2 else edges
    if kind == "star":
        return np.stack([np.zeros(agents - 1, np.int64), i[1:]], 1)
    if kind == "complete":
        _refuse_wide(kind, agents - 1)
        return np.stack(np.triu_indices(agents, 1), 1)
    if kind == "grid":
        side = round(agents**0.5)
        if side * side != agents or side < 3:
            raise ParameterError(f"graph 'grid': the number of agents must be a square of at least 9, got {agents}.")
        right = (i // side) * side + (i + 1) % side
        return np.concatenate([np.stack([i, right], 1), np.stack([i, (i + side) % agents], 1)])
    return _random_edges(kind, agents=agents, degree=degree, seed=seed, rewiring=rewiring)


def _random_edges(kind: str, *, agents: int, degree: int, seed: int, rewiring: float) -> np.ndarray:
    import networkx as nx

    if degree >= agents or degree < 2 or (kind == "regular" and degree * agents % 2 == 1):
        raise ParameterError(
            f"graph '{kind}': degree must be from 2 to {agents - 1} with an even degree x agents, got degree {degree} "
            f"for {agents} agents."
        )
    if kind == "regular" and agents > PAIRING_LIMIT:
        rng = np.random.default_rng(seed)
        cycles = [rng.permutation(agents) for _ in range(degree // 2)]
        edges = np.concatenate([np.stack([c, np.roll(c, -1)], 1) for c in cycles])
        return np.unique(np.sort(edges, 1), axis=0)
    if kind == "regular":
        graph = nx.random_regular_graph(degree, agents, seed=seed)
    elif kind == "small_world":
        graph = nx.connected_watts_strogatz_graph(agents, degree, rewiring, tries=200, seed=seed)
    elif kind == "scale_free":
        graph = nx.barabasi_albert_graph(agents, max(1, degree // 2), seed=seed)
    else:
        raise ParameterError(f"unknown graph '{kind}'. Known: {', '.join(GRAPHS)}.")
    return np.array(sorted(graph.edges()), np.int64).reshape(-1, 2)


def neighbour_table(pairs: np.ndarray, *, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The table of directed contacts: ``start`` (n + 1,) and ``neighbour`` (m,), each row ordered by the others' keys.

    Args:
        pairs: (m, 2) rows of (who, can reach whom); row numbers of the population.
        keys: (n,) uint64 keys of the agents.
    """
    order = np.lexsort((keys[pairs[:, 1]], pairs[:, 0]))
    counts = np.bincount(pairs[:, 0], minlength=len(keys))
    _refuse_wide("given", int(counts.max(initial=0)))
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), pairs[order, 1].astype(np.int64)


def both_ways(edges: np.ndarray) -> np.ndarray:
    """Directed pairs of undirected ``edges``."""
    return np.concatenate([edges, edges[:, ::-1]])


def _refuse_wide(kind: str, width: int) -> None:
    if width > WIDTH_LIMIT:
        raise ParameterError(
            f"graph '{kind}': an agent would have {width} neighbours, the limit is {WIDTH_LIMIT}; "
            "use fewer agents or another graph."
        )


def pair(a: int, b: int) -> tuple[int, int]:
    """Two rows, lower first."""
    return (a, b) if a < b else (b, a)


def contact_columns(start: Any, neighbour: Any) -> tuple[np.ndarray, np.ndarray]:
    """The table as two columns (source, target)."""
    return np.repeat(np.arange(len(start) - 1), np.diff(start)), np.asarray(neighbour)


def with_newcomer(start: Any, neighbour: Any, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The table with one more row, in contact with the rows ``others`` in both directions.

    Each new contact stands last in its row, and the newcomer's in the order of ``others``.
    """
    row = len(start) - 1
    counts = np.append(np.diff(start), len(others))
    counts[others] += 1
    source = np.concatenate([np.repeat(np.arange(row), np.diff(start)), others, np.full(len(others), row)])
    target = np.concatenate([neighbour, np.full(len(others), row), others])
    made = np.concatenate([[0], np.cumsum(counts)]).astype(start.dtype)
    return made, target[np.argsort(source, kind="stable")].astype(neighbour.dtype)


def reroute(
    world: Any, columns: Mapping[str, tuple[np.ndarray, int]], agent: int, *, closed: Collection[tuple[int, int]] = ()
) -> list[tuple[int, np.ndarray]]:
    """Bring all rows of contacts that ``agent`` stands in into line with who is cut off now.

    Contacts in use stand first, ordered by key, and are ``agents.width`` many; those cut off stand behind them, also by
    key. What a mind knows of a contact moves along, so that it is there again when the contact is.

    Args:
        world: Has ``agents`` (with ``severed`` and ``width``), ``start`` and ``neighbour``.
        columns: The minds' columns that have a dimension of contacts, each with the number of that axis; by name.
        agent: Row of the agent that was cut off or linked again.
        closed: Pairs of rows, lower first, whose one channel is closed.

    Returns:
        For every row that changed, its number and the old place of each of its contacts, in their new order.
    """
    agents, start, neighbour = world.agents, world.start, world.neighbour
    near = np.searchsorted(start, np.flatnonzero(neighbour == agent), side="right") - 1
    moved = []
    for row in np.unique(np.append(near, agent)):
        others = neighbour[start[row] : start[row + 1]]
        shut = (agents["severed"][others] == 1) | (agents["severed"][row] == 1)
        if closed:
            shut |= np.array([pair(int(row), int(other)) in closed for other in others], bool)
        order = np.lexsort((agents["key"][others], shut))
        agents["width"][row] = np.count_nonzero(~shut)
        if (order == np.arange(len(order))).all():
            continue
        neighbour[start[row] : start[row + 1]] = others[order]
        for column, axis in columns.values():
            slots = np.moveaxis(column, axis, 1)
            slots[row, : len(order)] = slots[row, order]
        moved.append((int(row), order))
    return moved
