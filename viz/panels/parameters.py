"""Panel: the parameters of the scenario as widgets made from its schema, with unit, range, help, and when they act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import solara

from sim.spec import Param, Value
from viz.entries import Field, Slider
from viz.panels.panel import Panel, panels
from viz.parts import button, words
from viz.session import Session
from viz.steering import acts_now, change, restore


@solara.component
def Parameters(session: Session) -> None:
    """Those that act now, those the preset or the user changed, and the rest behind a fold."""
    session.world.value  # noqa: B018  the running world tells which act now
    if session.run is not None and session.run.engine is None and not session.moment.error:
        # Only the world knows which parameters act on it; to sort them anew under a typing hand would undo the typing.
        words("The world is being built.", classes=["quiet"])
        return
    spec, choice = session.spec, session.choice.value
    base = spec.values(choice.preset)
    now = [p for p in spec.parameters if acts_now(session, p.name)]
    first = spec.presets[choice.preset]
    folded = bool(now or first)  # with nothing else to show, nothing is hidden
    shown = [p for p in spec.parameters if p not in now and (not folded or p.name in choice.changes or p.name in first)]
    rest = [p for p in spec.parameters if p not in now and p not in shown]
    with solara.Div(classes=["groups"]):
        Group(session, "Act now, on the running world", now, base)
        Group(session, "Act at reset", shown, base)
    if rest:
        with solara.Details(f"{len(rest)} more that act at reset", expand=False):
            Group(session, "", rest, base)


@solara.component
def Group(session: Session, title: str, members: list[Param], base: dict[str, Value]) -> None:
    """Parameters under a heading."""
    if not members:
        return
    with solara.Div(classes=["group"]):
        if title:
            words(title, tag="h3")
        with solara.Div(classes=["parameters"]):
            for param in members:
                One(session, param, base[param.name]).key(f"{param.name} {session.edition.value}")


@solara.component
def One(session: Session, param: Param, base: Value) -> None:
    """One parameter: its widget, what it means, and the way back to the preset's value."""
    value = session.choice.value.changes.get(param.name, base)
    changed = value != base
    with solara.Div(
        classes=["parameter", *(["changed"] if changed else [])],
        attributes={"data-parameter": param.name, "title": param.help},
    ):
        Entry(param, value, lambda made: change(session, param.name, made))
        words(f"{param.help} {expects(param)}", classes=["quiet"])
        if changed:
            button(f"back to {said(base)}", lambda: restore(session, param.name), about="The value of the preset")


@solara.component
def Entry(param: Param, value: Value, change: Callable[[Any], bool]) -> None:
    """The widget that fits the type of the parameter."""
    label = param.name + (f" ({param.unit})" if param.unit else "")
    if isinstance(param.default, bool):
        solara.Switch(label=label, value=bool(value), on_value=change)
    elif param.choices:
        solara.Select(label, values=list(param.choices), value=str(value), on_value=change, dense=True)
    elif isinstance(param.default, float) and param.low is not None and param.high is not None and param.high <= 1:
        Slider(f"{label}: {said(value)}", float(value), change, low=param.low, high=param.high)
    else:
        Field(label, said(value), change)


def expects(param: Param) -> str:
    """The range in words, where the widget does not show it."""
    return "" if isinstance(param.default, bool) or param.choices else f"Expects {param.expects()}."


def said(value: Value) -> str:
    """A value as a person writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


panels.add("parameters")(
    Panel(
        "parameters",
        "steering",
        "Parameters",
        "What the scenario lets you set; changed values are marked and kept at reset.",
        Parameters,
        order=30,
        shown=lambda session: session.stored is None,
        wide=True,
    )
)
