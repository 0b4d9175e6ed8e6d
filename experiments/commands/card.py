"""swarmscope card: what a mind brings along, measured by putting views to it outside any run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands import _asking as how
from experiments.commands._show import Json, below_home, emit, pairs, progress
from experiments.errors import RunFailed, UsageProblem

if TYPE_CHECKING:
    from agents.llm.settings import Asking
    from experiments.asked import Named
    from experiments.mind_card import Card, Progress
    from experiments.mind_probes import Stage

HELP = """Measure a mind: its bias when alone, its answer to others, order and label effects, failures, cost.

Minds: rule, a rule's name, table=FILE, policy=NAME/ARGUMENT (a policy of serve-mock, asked in this process), or llm with
--model.

Example: swarmscope card naming --preset pool --mind policy=majority/1.5
"""


def command(
    scenario: Annotated[str, typer.Argument(help="Scenario whose views are put to the mind.")],
    *,
    preset: Annotated[str | None, typer.Option(help="Preset of the scenario; its default one if left out.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter; may be repeated.")
    ] = None,
    mind: Annotated[str, typer.Option(help="rule, a rule's name, table=FILE, policy=NAME/ARGUMENT or llm.")] = "rule",
    model: Annotated[str | None, typer.Option(help="Language model, as provider/model; means --mind llm.")] = None,
    base_url: how.BaseUrl = None,
    cassette: how.Cassette = None,
    cassette_mode: how.CassetteMode = None,
    budget_calls: how.BudgetCalls = None,
    budget_tokens: how.BudgetTokens = None,
    budget_money: how.BudgetMoney = None,
    concurrency: how.Concurrency = None,
    timeout: how.Timeout = None,
    retries: how.Retries = None,
    temperature: how.Temperature = None,
    max_tokens: how.MaxTokens = None,
    structured: how.Structured = None,
    thoughts: how.Thoughts = False,
    samples: Annotated[int, typer.Option(help="Probes for each figure and each level of support.")] = 200,
    heard: Annotated[
        str, typer.Option(help="How many acts of others a memory tells: one size or several, as 5,9.")
    ] = "5",
    seed: Annotated[int, typer.Option(help="Seed of probes and draws.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the card.")] = Path("cards"),
    as_json: Json = False,
) -> None:
    """See HELP."""
    sizes = _sizes(heard)
    if samples < 10:
        raise UsageProblem(f"--samples: expected at least 10, got {samples}.")
    if model is not None and mind not in {"rule", "llm"}:
        raise UsageProblem(f"--model {model}: it belongs to --mind llm, not to --mind {mind}.")
    if out.exists() and not out.is_dir():
        raise UsageProblem(f"--out: expected a folder, found a file at {out}.")
    with progress() as say:
        say(0, 0, "looking at the scenario")
        from agents.llm.settings import Asking
        from experiments.asked import named
        from experiments.folder import write_json, write_text
        from experiments.mind_probes import stage
        from experiments.report.mind_card import lines, render
        from sim.spec import scenarios

        place = stage(scenarios.get(scenario), preset=preset, changes=pairs(changes, option="--set"), seed=seed)
        asking = Asking().changed(
            model=model, base_url=base_url, cassette=cassette, cassette_mode=cassette_mode, budget_calls=budget_calls,
            budget_tokens=budget_tokens, budget_money=budget_money, concurrency=concurrency, timeout=timeout,
            retries=retries, temperature=temperature, structured=structured, thoughts=thoughts or None,
            max_tokens=max_tokens,
        ).checked()  # fmt: skip
        found = named("llm" if model is not None else mind, place, asking=asking)
        out.mkdir(parents=True, exist_ok=True)
        made = _measured(found, place, samples=samples, heard=sizes, seed=seed, say=say)
    stem = re.sub(r"[^A-Za-z0-9.]+", "-", f"{scenario}-{found.name}").strip("-")
    write_json(out / f"{stem}.json", made.to_json())
    again = _command(
        scenario, preset=preset, changes=changes, mind="llm" if model is not None else mind, asking=asking, samples=samples,
        heard=heard, seed=seed,
    )  # fmt: skip
    write_text(out / f"{stem}.html", render(made, command=again))
    if as_json:
        emit({"folder": str(out), "card": made.to_json()})
        return
    for line in lines(made):
        typer.echo(line)
    typer.echo(f"Card: {below_home(out / f'{stem}.html')}")


def _measured(found: Named, place: Stage, *, samples: int, heard: Sequence[int], seed: int, say: Progress) -> Card:
    """The card; what stops it is one sentence."""
    from agents.llm.budget import BudgetReached
    from agents.llm.cassette import CassetteProblem
    from agents.llm.provider import ProviderProblem
    from experiments.mind_card import card

    try:
        return card(
            found.make, place, name=found.name, samples=samples, heard=heard, seed=seed, reads=found.reads, progress=say
        )
    except (CassetteProblem, ProviderProblem) as error:
        raise UsageProblem(str(error)) from None
    except BudgetReached as error:
        raise RunFailed(f"card: {error}; no card was written. Raise the budget or lower --samples.") from None


def _command(
    scenario: str, *, preset: str | None, changes: Sequence[str] | None, mind: str, asking: Asking, samples: int,
    heard: str, seed: int,
) -> str:  # fmt: skip
    """What to type to have the card again."""
    words = ["swarmscope", "card", scenario, *(["--preset", preset] if preset else [])]
    words += [word for change in changes or [] for word in ("--set", change)]
    words += ["--mind", mind, *(asking.words() if mind == "llm" else [])]
    return shlex.join([*words, "--samples", str(samples), "--heard", heard, "--seed", str(seed)])


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or not all(1 <= size <= 64 for size in sizes):
        raise UsageProblem(f"--heard: expected whole numbers from 1 to 64, separated by commas, got '{text}'.")
    return sizes
