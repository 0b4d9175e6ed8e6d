"""References: a run's setting run again, afresh, isolated and with the mechanism off, by which its structures are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from experiments.errors import UsageProblem
from experiments.folder import read_manifest

if TYPE_CHECKING:
    from experiments.plan import Plan
    from sim.detectors.replication import Reference
    from sim.record.log import Log
    from sim.world.interventions import Intervention

MOST = 64


def reference(
    folder: Path,
    *,
    seeds: int,
    progress: Callable[[float, float, str], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Reference:
    """Run the setting of a run folder again: ``seeds`` times afresh, as isolated twins, and with the mechanism off.

    Which parameters switch it off is for the scenario to say (``Scenario.off``); isolated twins are runs in which all
    channels are closed from the start. Where there are no such runs, ``note`` is told why. Seeds follow that of the run.
    Interventions are not repeated: they belong to one history.

    Raises:
        UsageProblem: For a folder that is not that of a run, or fewer than 1 or more than 64 seeds.
    """
    from sim.detectors.replication import Reference

    if not 1 <= seeds <= MOST:
        raise UsageProblem(f"--replicate: expected 1 to {MOST} further seeds, got {seeds}.")
    manifest = read_manifest(folder)
    if manifest.get("what") != "run":
        raise UsageProblem(
            f"{folder}: only a run can be run again, and this is a {manifest.get('what')}; leave --replicate out."
        )
    asked = again(manifest)
    say = progress or (lambda _done, _total, _what: None)
    off, alone = dict(asked.scenario.off), isolated(asked)
    if note and not off:
        note(f"No run has the mechanism off: scenario '{asked.scenario.name}' names no parameters that switch it off.")
    if note and isinstance(alone, str):
        note(f"There are no isolated twins: {alone}")
    fresh, without, twins = [], [], []
    for k in range(1, seeds + 1):
        say(k - 1, seeds, "running fresh seeds")
        one = replace(asked, seed=asked.seed + k)
        fresh.append(simulated(one))
        if off:
            without.append(simulated(replace(one, values={**asked.values, **off})))
        if not isinstance(alone, str):
            twins.append(simulated(replace(one, interventions=alone)))
    return Reference(fresh=fresh, off=without, twins=twins)


def isolated(asked: Plan) -> tuple[Intervention, ...] | str:
    """The interventions that close all channels before anything happens; or why that cannot be done."""
    from experiments.plan import engine_of
    from sim.spec import ParameterError
    from sim.world.interventions import Intervention, allow

    engine = engine_of(asked)
    cuts = tuple(Intervention(time=0.0, action="cut", agent=row) for row in range(len(engine.world.agents)))
    try:
        for cut in cuts[:1]:
            allow(cut, engine)
    except ParameterError as error:
        return str(error)
    return cuts


def again(manifest: Mapping[str, Any]) -> Plan:
    """The plan of a run as its manifest tells it, without interventions."""
    from experiments.plan import plan
    from sim.spec import scenarios

    scenario = scenarios.get(str(manifest["scenario"]))
    known = {p.name for p in scenario.parameters}
    values = {name: value for name, value in dict(manifest["parameters"]).items() if name in known}
    return plan(
        scenario.name,
        preset=manifest.get("preset"),
        changes=values,
        until=float(manifest["until"]),
        seed=int(manifest["seed"]),
        mind=str(manifest.get("mind", "rule")),
        log=str(manifest.get("log", "full")),
    )


def simulated(asked: Plan) -> Log:
    """The log of a plan, run to its end; nothing is left on disk."""
    from experiments.plan import engine_of
    from experiments.readable import read_readable
    from sim.record.store import EventWriter

    engine = engine_of(asked)
    with TemporaryDirectory() as place:
        writer = EventWriter(Path(place))
        try:
            for _reached in engine.slices(asked.until, writer):
                pass
            beside = engine.beside()
            writer.finish(replace(beside, meta={**beside.meta, "scenario": asked.scenario.name, "seed": asked.seed}))
        except BaseException:
            writer.abort()
            raise
        return read_readable(Path(place))
