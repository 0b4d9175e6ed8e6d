"""Gathering: recorded decisions of several runs for one table, if one model took them all and was asked alike in all runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from agents.lens import NAMED, LensError, coding_of
from agents.table_mind import distil
from experiments.errors import UsageProblem
from sim.record.store import read_parquet

if TYPE_CHECKING:
    from agents.table_mind import Table

Manifest = Mapping[str, Any]
# What of how a model was asked moves its choices; where the server is, how long a memory and how fast do not.
ALIKE = ("temperature", "thoughts", "structured", "max_tokens")


def table_of(
    runs: Sequence[Path], manifests: Sequence[Manifest], *, of: str | None = None, last: int | None = None,
    ignore: Sequence[str] = (),
) -> tuple[Table, str]:  # fmt: skip
    """The table distilled from runs, and the name of the model (or policy) that took the decisions.

    Args:
        runs: Run folders.
        manifests: Their manifests.
        of: The model whose decisions are counted; needed where several decided.
        last: As in ``agents.table_mind.distil``.
        ignore: As there.

    Raises:
        UsageProblem: For runs without decisions, with more than one model, or that were not asked alike.
        ParameterError: See ``distil``.
    """
    frames = [decisions_of(run, manifest) for run, manifest in zip(runs, manifests, strict=True)]
    model = _one_model(frames, of)
    kept = [(f.filter(pl.col("model") == model), m) for f, m in zip(frames, manifests, strict=True)]
    kept = [(frame, manifest) for frame, manifest in kept if frame.height]
    _check_alike([manifest for _, manifest in kept], minds=of is None)
    _check_options([frame for frame, _ in kept], [manifest for _, manifest in kept])
    first = kept[0][1]
    source = {name: first.get(name) for name in ("mind", "models", "preset", "parameters", "prompt") if first.get(name)}
    source |= {"model": model, "seeds": [manifest.get("seed") for _, manifest in kept]}
    try:
        made = distil(
            pl.concat([frame for frame, _ in kept]),
            scenario=str(first["scenario"]),
            source=source,
            last=last,
            ignore=ignore,
        )
    except LensError as error:
        raise _unlike_options([manifest for _, manifest in kept]) or error from None
    return made, model


def decisions_of(run: Path, manifest: Manifest) -> pl.DataFrame:
    """The recorded decisions of a run folder; those of before 2026-11-26 take their model from the manifest."""
    place = run / "decisions.parquet"
    if not place.exists():
        raise UsageProblem(
            f"{run}: expected recorded decisions, found none; they are recorded in runs with --mind llm, archetypes or "
            "policy=NAME."
        )
    frame = read_parquet(place)
    if "model" in frame.columns:
        return frame
    deciders = [*manifest.get("models", ()), *sorted(set(re.findall(r"policy=[^,:@]+", str(manifest.get("mind")))))]
    if len(deciders) != 1:
        raise UsageProblem(
            f"{run}: its decisions do not say who took them, and {_listed(deciders) or 'nobody known'} decided in it; record "
            "the run again (from its cassette, if it has one)."
        )
    return frame.with_columns(model=pl.lit(deciders[0]))


def _one_model(frames: Sequence[pl.DataFrame], of: str | None) -> str:
    found = sorted(set().union(*(frame["model"].unique().to_list() for frame in frames)))
    if not found:
        raise UsageProblem("distil: expected recorded decisions, got runs in which nothing was decided.")
    if of is not None and of not in found:
        raise UsageProblem(f"--of {of}: expected a model that decided in these runs: {_listed(found)}.")
    if of is None and len(found) > 1:
        raise UsageProblem(
            f"distil: a table stands for one model, and {_listed(found)} decided; choose with --of MODEL."
        )
    return of or str(found[0])


def _check_alike(manifests: Sequence[Manifest], *, minds: bool) -> None:
    """UsageProblem naming what differs between runs that cannot stand for one mind."""
    facts: dict[str, list[Any]] = {name: [m.get(name) for m in manifests] for name in ("scenario", "prompt")}
    facts |= {"mind": [m.get("mind") for m in manifests]} if minds else {}
    facts |= {name: [m.get("asking", {}).get(name) for m in manifests] for name in ALIKE}
    unlike = _unlike(facts)
    if unlike:
        raise UsageProblem(
            f"distil: expected runs of one scenario and mind, asked alike, but they differ in {unlike}; distil them one by one."
        )


def _check_options(frames: Sequence[pl.DataFrame], manifests: Sequence[Manifest]) -> None:
    """UsageProblem where what could be chosen or seen is not the same kind of thing in all runs."""
    words: dict[int, str] = {}
    kinds = set()
    for frame in frames:
        listed = [option for text in frame["options"].unique() for option in json.loads(text)]
        coding = coding_of([(code, features) for code, _, features, _ in listed])
        kinds.add((coding, tuple(sorted(json.loads(frame["fields"][0])))))
        for code, _, _, said in listed if coding == NAMED else ():
            if words.setdefault(code, said) != said:
                kinds.add(("words", (said,)))
    if len(kinds) > 1 and (problem := _unlike_options(manifests)) is not None:
        raise problem


def _unlike_options(manifests: Sequence[Manifest]) -> UsageProblem | None:
    names = sorted(set().union(*(m.get("parameters", {}) for m in manifests)))
    unlike = _unlike({name: [m.get("parameters", {}).get(name) for m in manifests] for name in names})
    if not unlike:
        return None
    return UsageProblem(
        f"distil: the runs' parameters differ in {unlike}, and with them what could be chosen; distil them one by one."
    )


def _unlike(facts: Mapping[str, Sequence[Any]]) -> str:
    """The facts that are not the same in all runs, with what they are; empty when all are."""
    texts = {name: list(dict.fromkeys(_said(v) for v in values)) for name, values in facts.items()}
    return ", ".join(f"{name} ({' and '.join(values)})" for name, values in texts.items() if len(values) > 1)


def _said(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
