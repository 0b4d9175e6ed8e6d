"""The page docs/detector-catalogue.md, made from the detectors and null models so that it cannot go stale."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from sim.detectors.core import Detector, detectors
from sim.detectors.kinds import KINDS
from sim.detectors.nulls import NULLS

PAGE = Path(__file__).parent.parent / "docs" / "detector-catalogue.md"
_INTRO = """# Detectors and null models

Made from `sim/detectors` by `python -m experiments.detectors_page`. How claims are tested, and what the levels mean:
[how structures are detected](detectors.md). How often they are wrong: [calibration](calibration.md).

| detector | can return | claims |
|---|---|---|
"""
_KINDS = """
## Kinds of structure

| kind | what it is |
|---|---|
"""
_NULLS = """
## Null models

| name | keeps | destroys | beaten, it shows |
|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    members = [d for _, d in detectors.items()]
    rows = "".join(f"| [`{d.name}`](#{d.name}) | {', '.join(d.kinds)} | {len(d.claims)} |\n" for d in members)
    nulls = "".join(f"| {n.name} | {n.keeps} | {n.destroys} | {n.shows} |\n" for _, n in sorted(NULLS.items()))
    kinds = "".join(f"| {kind} | {says} |\n" for kind, says in KINDS.items())
    return _INTRO + rows + _KINDS + kinds + "".join(_part(d) for d in members) + _NULLS + nulls


def _part(detector: Detector) -> str:
    first, _, rest = inspect.cleandoc(
        importlib.import_module(f"sim.detectors.{detector.name}").__doc__ or ""
    ).partition("\n")
    least = detector.minimum
    made = f"\n## {detector.name}\n\n{first}\n\n"
    made += f"{rest.strip()}\n\n" if rest.strip() else ""
    made += f"Asked of at least {least.agents} agents and {least.events:,} events of its own, "
    made += f"{least.per_window} in each window."
    made += f" Needs the columns {', '.join(f'`{c}`' for c in detector.needs)}.\n" if detector.needs else "\n"
    made += "\n| claim | null | unit of the score |\n|---|---|---|\n"
    return made + "".join(f"| {c.name} | {c.null} | {c.unit} |\n" for c in detector.claims)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
