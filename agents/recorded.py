"""Recorded decisions: what a mind that is asked saw, could choose and chose, one row each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from sim.record.log import Log
from sim.spec import Scenario
from sim.world.batches import Asker
from sim.world.due import Answer, Due
from sim.world.view import NO_CHOICE

SCHEMA = {
    "agent": pl.Int64, "time": pl.Float64, "origin": pl.String, "option": pl.Int64, "amount": pl.Float64,
    "fields": pl.String, "memory": pl.String, "options": pl.String, "model": pl.String,
}  # fmt: skip
TOLD = "told"
_text = json.JSONEncoder(separators=(",", ":")).encode
# One option as it is recorded: code, amount, features, words.
Offered = tuple[int, float, Mapping[str, float], str]


def fields_of(due: Due) -> dict[str, float]:
    """The view's scalar fields."""
    return {name: float(value) for name, value in vars(due.view).items() if not isinstance(value, np.ndarray)}


def sensed_of(due: Due) -> dict[str, float | list[float]]:
    """All fields of the view: numbers, and for fields that tell something of each neighbour a list, slot by slot."""
    arrays = {name: value for name, value in vars(due.view).items() if isinstance(value, np.ndarray)}
    return {**fields_of(due), **{name: value[: int(due.view.width)].tolist() for name, value in arrays.items()}}


def offered(scenario: Scenario, due: Due) -> list[Offered]:
    """The options of a view: code, amount, features, words."""
    return [(c.code, c.amount, dict(c.features), c.words) for c in due.offered(scenario)]


class Recorder:
    """Asks another mind and keeps a row of every decision; ``beside`` adds the table ``decisions``.

    ``name`` is what its column ``model`` says: the model asked, or the policy.
    """

    def __init__(self, mind: Asker, scenario: Scenario, *, name: str | None = None) -> None:
        self.mind, self.scenario, self.name = mind, scenario, name
        self._columns: dict[str, list[Any]] = {column: [] for column in SCHEMA if column != "model"}

    def __getattr__(self, name: str) -> Any:
        """Everything else is the other mind's."""
        return getattr(self.mind, name)

    def ask(self, dues: Sequence[Due]) -> Future[list[Answer]]:
        """The other mind's answers; the rows are kept when they are there."""
        seen = [(d.agent, d.time, *self._told(d)) for d in dues]
        answers = self.mind.ask(dues)
        answers.add_done_callback(lambda done: self._keep(seen, done))
        return answers

    def close(self) -> None:
        """Close the other mind."""
        self.mind.close()

    def beside(self, log: Log) -> Log:
        """The tables with the decisions added, in the order in which they were asked."""
        made = self.mind.beside(log)
        mine = self.frame()
        if made.decisions is not None:
            mine = pl.concat([made.decisions, mine]).sort("time", "agent", maintain_order=True)
        return replace(made, decisions=mine)

    def frame(self) -> pl.DataFrame:
        """The decisions so far as a table."""
        schema = {column: kind for column, kind in SCHEMA.items() if column in self._columns}
        rows = pl.DataFrame(self._columns, schema=schema).with_columns(model=pl.lit(self.name, pl.String))
        return rows.sort("time", "agent", maintain_order=True)

    def _told(self, due: Due) -> tuple[str, str, str]:
        """Fields, memory and options of a due as JSON."""
        shelf, name = due.shelf(self.scenario), (TOLD, self.scenario.options)
        made: tuple[str, str, str] | None = shelf.get(name)
        if made is None:
            options = [(c.code, float(c.amount), _floats(c.features), c.words) for c in due.offered(self.scenario)]
            made = shelf[name] = _text(sensed_of(due)), _text(due.memory), _text(options)
        return made

    def _keep(self, seen: list[Any], done: Future[list[Answer]]) -> None:
        if not seen or done.cancelled() or done.exception() is not None:
            return
        answers = done.result()
        chosen = [answer.option != NO_CHOICE for answer in answers]
        agents, times, fields, memories, options = zip(*seen, strict=True)
        rows: tuple[Sequence[Any], ...] = (
            agents, times, [a.origin for a in answers], [a.option if c else None for a, c in zip(answers, chosen, strict=True)],
            [a.amount if c else None for a, c in zip(answers, chosen, strict=True)], fields, memories, options,
        )  # fmt: skip
        for column, values in zip(self._columns, rows, strict=True):
            self._columns[column] += values


def _floats(features: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in features.items()}
