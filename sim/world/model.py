"""The Mesa model: an honest ``mesa.Model`` over the population's columns, whose step advances model time by one.

Rows of the population are not Mesa agents. ``model.agents`` holds row views: small Mesa agents that read the columns of
one row when asked, for every row up to ``VIEWS`` and otherwise for those promoted with ``model.view(row)``. The hot loop
never touches them. All draws are keyed by the seed; Mesa's own random sources are not used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import mesa

from sim.spec import Scenario, Value
from sim.world.batches import Mixture
from sim.world.compat import whole_seed
from sim.world.engine import Engine, LogPlan, Sink, rule_module

# Makes the population for a scenario and the name of its own rule.
Mind = Callable[[Scenario, str], Mixture]
# Rows that get a view of their own without being asked for.
VIEWS = 200


class RowView(mesa.Agent):  # type: ignore[misc]
    """One row of the population: every scalar column is an attribute, read when asked; it owns no logic."""

    def __init__(self, model: CoordinationModel, row: int) -> None:
        super().__init__(model)
        self.row = row

    def __getattr__(self, name: str) -> Any:
        """The value of column ``name`` in this row."""
        if name.startswith("_") or name in {"row", "model", "unique_id", "pos"}:
            raise AttributeError(name)
        agents = self.model.engine.world.agents
        if name not in (agents.dtype.names or ()):
            raise AttributeError(f"column '{name}': the population has {', '.join(agents.dtype.names or ())}.")
        value = agents[name][self.row]
        return value.item() if value.ndim == 0 else value.copy()

    def step(self) -> None:
        """Nothing: the model's kernel moves all rows."""


class CoordinationModel(mesa.Model):  # type: ignore[misc]
    """A scenario as a Mesa model.

    Subclasses made by ``model_class`` carry a scenario as ``spec``; their ``__init__`` takes the scenario's parameters by
    name, and ``preset``, ``rule`` (None for the default), ``mind`` (who decides instead, as ``agents.minds.Mind`` makes it),
    ``log`` (see ``LogPlan.parse``), and Mesa's ``rng`` or ``seed``.
    """

    # Mesa 3.5 keeps a scenario of its own under the name ``scenario``.
    spec: Scenario

    def __init__(
        self, *, preset: str | None = None, rule: str | None = None, mind: Mind | None = None, log: str = "counters",
        seed: Any = None, rng: Any = None, sink: Sink | None = None, **parameters: Value | None,
    ) -> None:  # fmt: skip
        number = whole_seed(rng, seed)
        super().__init__(rng=number)
        changes = {name: value for name, value in parameters.items() if value is not None}
        values = self.spec.values(preset, changes)
        name = rule or self.spec.rule_for(preset)
        self.engine = Engine(
            self.spec, values=values, seed=number, rule=rule_module(name, self.spec), rule_name=name,
            plan=LogPlan.parse(log), mixture=None if mind is None else mind(self.spec, name),
        )  # fmt: skip
        self.sink = sink
        self.views: dict[int, RowView] = {}
        for row in range(min(VIEWS, len(self.engine.world.agents))):
            self.view(row)
        self.datacollector = mesa.DataCollector(model_reporters={m: _reporter(m) for m in self.engine.built.meters})
        self.datacollector.collect(self)

    def view(self, row: int) -> RowView:
        """The row view of ``row``, made on first demand and a member of ``model.agents`` from then on."""
        if not 0 <= row < len(self.engine.world.agents):
            raise IndexError(f"row: expected 0 to {len(self.engine.world.agents) - 1}, got {row}.")
        if row not in self.views:
            self.views[row] = RowView(self, row)
        return self.views[row]

    def step(self) -> None:
        """Advance model time by 1.0 and collect."""
        self.engine.advance(round(self.engine.now) + 1.0, self.sink)
        self.datacollector.collect(self)

    def close(self) -> None:
        """Let go of minds that are asked; a model without them needs no closing."""
        self.engine.close()


def _reporter(meter: str) -> Any:
    def report(model: CoordinationModel) -> float:
        return model.engine.meter(meter)

    return report


def model_class(scenario: Scenario) -> type[CoordinationModel]:
    """The Mesa model class of ``scenario``, with its parameters spelt out for ``mesa.batch_run`` and ``SolaraViz``."""
    shared = inspect.signature(CoordinationModel.__init__).parameters
    named = [p for p in shared.values() if p.kind is not inspect.Parameter.VAR_KEYWORD and p.name != "self"]
    own = [inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=None) for p in scenario.parameters]

    def __init__(self: CoordinationModel, **keywords: Any) -> None:
        CoordinationModel.__init__(self, **keywords)

    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = inspect.Signature([first, *named, *own])  # type: ignore[attr-defined]
    name = "".join(part.capitalize() for part in scenario.name.split("_")) + "Model"
    made = type(name, (CoordinationModel,), {"spec": scenario, "__init__": __init__, "__module__": __name__})
    globals()[name] = made
    return made


def __getattr__(name: str) -> Any:
    """Model classes by name (``FactoryModel``), so that worker processes can unpickle them."""
    from sim.spec import scenarios

    for scenario_name, scenario in scenarios.items() if name.endswith("Model") else []:
        if "".join(part.capitalize() for part in scenario_name.split("_")) + "Model" == name:
            return model_class(scenario)
    raise AttributeError(f"module {__name__} has no attribute {name}")
