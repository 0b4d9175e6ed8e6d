"""Paths: at which times did what one agent did have a way on record to another, by messages or through artefacts?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from sim.detectors.window import NONE, Bools, Floats, Ints, Window


@dataclass(frozen=True)
class Arcs:
    """Steps that something known to one place takes to another, in time: arrays of shape (arcs,).

    Attributes:
        places: Number of places: agents first, artefacts after them.
        giver: The place it comes from.
        taker: The place it goes to.
        time: When.
        parent: The arc that this one reacts to, -2 for one that is none of these, NONE where nothing is said.
    """

    places: int
    giver: Ints
    taker: Ints
    time: Floats
    parent: Ints


def arcs(window: Window, *, artefacts: bool) -> Arcs:
    """Messages and handoffs from source to target; with ``artefacts``, writing and reading too."""
    told = (window.of_class("initiates") | window.of_class("transfers") | window.of_class("replies")) & (
        window.target != NONE
    )
    touched = window.artefact != NONE if artefacts else np.zeros(window.rows, dtype=bool)
    writes, reads = window.of_class("writes") & touched, window.of_class("reads") & touched
    thing = window.artefact + window.n
    rows = np.concatenate([np.flatnonzero(m) for m in (told, reads, writes)])
    giver = np.concatenate([window.source[told], thing[reads], window.source[writes]])
    taker = np.concatenate([window.target[told], window.source[reads], thing[writes]])
    order = np.argsort(rows, kind="stable")
    at = rows[order]
    places = window.n + (int(window.artefact.max(initial=NONE)) + 1 if artefacts else 0)
    return Arcs(places, giver[order], taker[order], window.time[at], _parents(window.seq[at], window.parent[at]))


def _parents(seq: Ints, parent: Ints) -> Ints:
    """Place of each arc's parent among the arcs."""
    if len(seq) == 0:
        return parent
    order = np.argsort(seq, kind="stable")
    place = np.minimum(np.searchsorted(seq, parent, sorter=order), len(seq) - 1)
    found = np.where(seq[order[place]] == parent, order[place], -2)
    return np.where(parent == NONE, NONE, found)


def reached(arcs_: Arcs, pairs: Ints, since: Floats, until: Floats) -> Bools:
    """Whether there was a way from giver to taker between ``since`` and ``until``, both included.

    A way is a chain of arcs that follow each other in time; an arc whose parent is on record carries on only what that
    parent brought.

    Args:
        arcs_: What happened.
        pairs: Giver and taker, shape (pairs, 2).
        since: Start of each stretch, shape (stretches,).
        until: End of each stretch, shape (stretches,).

    Returns:
        Shape (pairs, stretches).
    """
    low = np.searchsorted(arcs_.time, since, side="left")
    high = np.searchsorted(arcs_.time, until, side="right")
    found = np.zeros((len(pairs), len(since)), dtype=np.bool_)
    for giver in np.unique(pairs[:, 0]) if len(pairs) else ():
        mine = np.flatnonzero(pairs[:, 0] == giver)
        found[mine] = _spread_fast(
            arcs_.places, arcs_.giver, arcs_.taker, arcs_.parent, int(giver), pairs[mine, 1], low, high
        )
    return found


def _spread(  # noqa: PLR0917
    places: int, giver: Ints, taker: Ints, parent: Ints, start: int, ends: Ints, low: Ints, high: Ints
) -> Bools:
    """Whether what ``start`` knew came to each of ``ends`` within arcs low to high, shape (ends, stretches)."""
    found = np.zeros((len(ends), len(low)), dtype=np.bool_)
    informed = np.full(places, -1)  # the stretch in which a place last heard of it
    carried = np.full(len(giver), -1)
    for k in range(len(low)):
        informed[start] = k
        for a in range(low[k], high[k]):
            if informed[giver[a]] != k:
                continue
            if giver[a] != start and parent[a] != -1 and (parent[a] == -2 or carried[parent[a]] != k):
                continue
            carried[a] = k
            informed[taker[a]] = k
        for e in range(len(ends)):
            found[e, k] = informed[ends[e]] == k
    return found


_spread_fast = njit(cache=True)(_spread)
