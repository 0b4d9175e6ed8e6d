"""swarmscope distil: the decisions of a run's minds become a table that can decide for a million agents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.commands._show import Json, below_home, emit, names, progress
from experiments.errors import RunFailed, UsageProblem

if TYPE_CHECKING:
    from agents.table_mind import Table
    from experiments.fidelity import Fidelity

HELP = """Count the recorded decisions of runs by class of view, and write a table mind with counts and intervals.

Run it with: swarmscope run SCENARIO --mind table=TABLE.json. With --check, the model and the table run side by side on
fresh seeds and their populations are compared; a model is called for that.

Example: swarmscope distil runs/naming-1-1a2b3c4d --out table.json --check 20
"""


def command(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders of one scenario and mind, asked alike, with recorded decisions.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="File for the table.")] = Path("table.json"),
    of: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Count this model's decisions; needed where several decided.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(help="How many of the latest things remembered make a class; all if left out.")
    ] = None,
    ignore: Annotated[
        str | None,
        typer.Option(help="What does not make a class: fields of the view, or part, value, about of memories."),
    ] = None,
    check: Annotated[int, typer.Option(help="Fresh seeds on which model and table are compared; 0 for none.")] = 0,
    archetypes: Annotated[
        int,
        typer.Option(
            help="With --check: also compare archetypes, this many answers for each class of views; 0 for none."
        ),
    ] = 0,
    model: Annotated[str | None, typer.Option(help="Model for --check; the run's own if left out.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of the model's server for --check.")] = None,
    budget_calls: Annotated[int | None, typer.Option(help="Most calls for --check.")] = None,
    as_json: Json = False,
) -> None:
    """See HELP."""
    if check < 0 or check == 1:
        raise UsageProblem(f"--check: expected 0 or at least 2 seeds, got {check}.")
    if archetypes < 0 or (archetypes and not check):
        raise UsageProblem(f"--archetypes {archetypes}: expected a number of answers, and fresh seeds with --check N.")
    if last is not None and last < 0:
        raise UsageProblem(f"--last: expected a whole number of at least 0, got {last}.")
    with progress() as say:
        say(0, 0, "counting decisions")
        from experiments.folder import read_manifest, write_json
        from experiments.gathering import table_of

        manifests = [read_manifest(run) for run in runs]
        table, decided = table_of(runs, manifests, of=of, last=last, ignore=names(ignore) or ())
        made = []
        if check:
            compared_with = manifests[0] if of is None else _alone(manifests[0], decided)
            how = {"model": model, "base_url": base_url, "budget_calls": budget_calls}
            made = _checked(table, compared_with, check, say, archetypes=archetypes, **how)
        names_ = {"table": "fidelity", "archetypes": "archetype_fidelity"}
        compared = {names_[one.who]: one.to_json() for one in made}
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, table.to_json() | compared)
    if as_json:
        emit({"table": str(out), **_facts(table), "fidelity": None, **compared})
        return
    facts = _facts(table)
    typer.echo(
        f"{facts['decisions']:,} decisions in {facts['classes']:,} classes; {facts['thin_share']:.1%} of them in classes with "
        f"fewer than {facts['thin']} samples; {facts['censored']:,} censored ones left out."
    )
    for one in made:
        typer.echo(f"{one.who.capitalize()} against the model, {one.seeds} fresh seeds:")
        for line in one.lines():
            typer.echo(f"  {line}")
    typer.echo(f"Table: {below_home(out)}")


def _facts(table: Table) -> dict[str, Any]:
    from agents.table_mind import THIN

    return {
        "decisions": table.decisions, "censored": table.censored, "classes": len(table.classes), "thin": THIN,
        "thin_share": table.thin_share, "coding": table.lens.coding, "last": table.lens.last,
    }  # fmt: skip


def _alone(manifest: dict[str, Any], model: str) -> dict[str, Any]:
    """The manifest of a run in which ``model`` decides for everybody."""
    if model.startswith("policy="):
        return {**manifest, "mind": model, "models": []}
    return {**manifest, "mind": "llm", "models": [model]}


def _checked(table: Table, manifest: Any, seeds: int, say: Any, *, archetypes: int, **how: Any) -> list[Fidelity]:
    from agents.llm.budget import BudgetReached
    from agents.llm.provider import ProviderProblem
    from agents.llm.settings import Asking
    from experiments.fidelity import archetype_fidelity, fidelity, plans_of

    asking = None
    if manifest.get("models"):
        kept = manifest.get("asking", {})
        plain = {
            name: kept.get(name) for name in ("temperature", "max_tokens", "structured", "thoughts", "memory", "window")
        }
        own = {"model": manifest["models"][0], "base_url": kept.get("base_url")}
        asking = Asking().changed(**{**plain, **own, **{k: v for k, v in how.items() if v is not None}})
    try:
        plans = plans_of(manifest, seeds=seeds, asking=asking)
        made = [fidelity(table, plans, progress=say)]
        return [*made, archetype_fidelity(plans, samples=archetypes, progress=say)] if archetypes else made
    except ProviderProblem as error:
        raise UsageProblem(str(error)) from None
    except BudgetReached as error:
        raise RunFailed(f"distil: {error}; no table was written. Raise --budget-calls or lower --check.") from None
