"""Factories for the tests: build an engine, run it, and look at every column of its log and its world."""

from __future__ import annotations

import numpy as np

from sim.record.events import KIND_CODES
from sim.spec import scenarios
from sim.world.engine import Engine, rule_module

KIND = KIND_CODES
TRANSFERS = [KIND[name] for name in ("handoff", "review", "rework", "reject", "escalate")]


class Rows:
    """A sink that keeps everything."""

    def __init__(self):
        self.chunks = []

    def append(self, columns):
        self.chunks.append(columns)

    def table(self):
        """Column name to one array of all rows."""
        return {name: np.concatenate([c[name] for c in self.chunks]) for name in self.chunks[0]} if self.chunks else {}


def engine(preset=None, *, rule=None, seed=1, changes=None, **options):
    """An engine of the factory; ``options`` go to Engine, ``changes`` to the parameters."""
    scenario = scenarios.get("factory")
    name = rule or scenario.rule_for(preset)
    values = scenario.values(preset, changes or {})
    return Engine(scenario, values=values, seed=seed, rule=rule_module(name, scenario), rule_name=name, **options)


def play(made, until, **options):
    """Advance to ``until`` and return the log's columns."""
    rows = Rows()
    made.advance(until, rows, **options)
    return rows.table()


def log_of(preset=None, *, until, steps=50_000, **options):
    """The log's columns of one run."""
    return play(engine(preset, **options), until, steps=steps)


def same(one, other, *, without=()):
    """AssertionError naming the first column in which two logs differ by a single bit."""
    assert set(one) == set(other)
    for name in one:
        if name not in without:
            assert one[name].shape == other[name].shape, name
            assert one[name].tobytes() == other[name].tobytes(), name


def chain(first, link, length=None):
    """The rows of a linked list, to its end or, where its length is kept elsewhere, that many."""
    found = []
    while length != len(found) and first >= 0:
        found.append(int(first))
        first = link[first]
        assert len(found) <= len(link), "the list runs in a circle"
    assert len(set(found)) == len(found)
    return found
