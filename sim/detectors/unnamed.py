"""Patterns without a name: unclassified structures that recur over seeds and settings get a neutral, stable id.

A structure unlike every template is compared with others like it by its features, in units of their spread over all
templates. Average linkage joins sightings; a pattern counts when it was seen in LEAST_SEEDS independent seeds and
LEAST_SETTINGS settings. Its id is that of the nearest medoid in the registry, if that is near; else the next free one, so
that ids stay what they are when patterns are sought again. A person may give it a name later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from sim.detectors.features import FEATURES
from sim.detectors.templates import large
from sim.detectors.window import Floats, Ints

APART = 4.0  # mean distance from which sightings are of different patterns; graphs of one family lie 2 to 4 apart
NEAR = 3.5  # distance to a medoid up to which a structure is of its pattern
LEAST_SEEDS, LEAST_SETTINGS = 3, 2
REDRAWS = 50  # of the sightings, for the stability of patterns
NEW = "U-0000"  # not in the registry
FILE = Path(__file__).with_name("unnamed.json")


class RegistryError(ValueError):
    """A registry file that cannot be read."""


@dataclass(frozen=True)
class Sighting:
    """An unclassified structure: its features (``features.describe``), and the seed and setting of its run."""

    features: Floats
    seed: int
    setting: str


@dataclass(frozen=True)
class Pattern:
    """A pattern without a name.

    Attributes:
        id: ``U-`` and four digits.
        medoid: Features of the sighting nearest to all others, scaled, shape (features,).
        sightings: Numbers of the sightings that belong to it.
        seeds: Independent seeds in which it was seen.
        settings: Settings in which it was seen.
        stability: Mean Jaccard index with the most similar pattern when sightings are redrawn, 0 to 1; above 0.75 the
            pattern does not depend on single sightings (Hennig 2007, Comput. Stat. Data Anal. 52:258).
        says: What sets it apart, in words.
    """

    id: str
    medoid: Floats
    sightings: tuple[int, ...]
    seeds: int
    settings: int
    stability: float
    says: str


@dataclass(frozen=True)
class Registry:
    """Known patterns: id to medoid, shape (features,), scaled."""

    medoids: Mapping[str, Floats]

    def name(self, features: Floats) -> str:
        """Id of the pattern that features are of, NEW where none is near."""
        return self.nearest(large().scaled(features))

    def nearest(self, scaled: Floats) -> str:
        """The same for scaled features."""
        far = {name: float(np.linalg.norm(scaled - medoid)) for name, medoid in self.medoids.items()}
        best = min(far, key=lambda name: (far[name], name), default=NEW)
        return best if best != NEW and far[best] <= NEAR else NEW

    def free(self) -> str:
        """The next id that was never given."""
        return f"U-{max((int(name[2:]) for name in self.medoids), default=0) + 1:04d}"

    def with_(self, name: str, medoid: Floats) -> Registry:
        """The registry with one more pattern."""
        return replace(self, medoids={**self.medoids, name: medoid})

    def write(self, path: Path) -> None:
        """Write the registry as JSON under a temporary name and rename it."""
        made = path.with_name(f".{path.name}.new")
        made.write_text(
            json.dumps({name: m.round(4).tolist() for name, m in sorted(self.medoids.items())}, indent=1) + "\n"
        )
        made.replace(path)


def read(path: Path) -> Registry:
    """The registry in a file, an empty one where there is none; RegistryError for one that is no registry."""
    if not path.exists():
        return Registry({})
    try:
        found = {str(name): np.array(m, dtype=np.float64) for name, m in json.loads(path.read_text()).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise RegistryError(f"{path}: expected a JSON object of ids and lists of numbers ({error}).") from None
    wrong = [name for name, m in found.items() if m.shape != (len(FEATURES),) or not name[2:].isdigit()]
    if wrong:
        raise RegistryError(f"{path}: expected ids like U-0001 with {len(FEATURES)} numbers each, got {wrong[0]!r}.")
    return Registry(found)


@cache
def shipped() -> Registry:
    """The registry that comes with the package."""
    return read(FILE)


def recurring(sightings: Sequence[Sighting], registry: Registry) -> tuple[list[Pattern], Registry]:
    """Patterns seen in enough seeds and settings, the most frequent first, and the registry with the new ones.

    Definition: average-linkage clusters of scaled features, cut at APART. Chance level: noise does not come here, since
    only structures beyond their nulls are ever unclassified. Fooled by: one family over a wide range of sizes, which may
    come out as two patterns; settings that differ in name only.
    """
    if not sightings:
        return [], registry
    points = large().scaled(np.array([s.features for s in sightings]))
    labels = clusters(points)
    found: list[Pattern] = []
    for label in np.argsort(-np.bincount(labels), kind="stable"):
        here = [int(k) for k in np.flatnonzero(labels == label)]
        seeds, settings = {sightings[k].seed for k in here}, {sightings[k].setting for k in here}
        if len(seeds) < LEAST_SEEDS or len(settings) < LEAST_SETTINGS:
            continue
        medoid = points[here[np.argmin(np.linalg.norm(points[here][:, None] - points[here][None], axis=2).sum(axis=0))]]
        name = registry.nearest(medoid)
        taken = {pattern.id for pattern in found}
        if name == NEW or name in taken:
            name = registry.free()
            registry = registry.with_(name, medoid)
        stable = stability(points, np.array(here, dtype=np.int64))
        found.append(Pattern(name, medoid, tuple(here), len(seeds), len(settings), stable, described(medoid)))
    return found, registry


def clusters(points: Floats) -> Ints:
    """Average-linkage clusters of points, cut at APART: labels from 0, shape (points,)."""
    if len(points) < 2:
        return np.zeros(len(points), dtype=np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage

    return np.asarray(fcluster(linkage(points, "average"), APART, "distance"), dtype=np.int64) - 1


def stability(points: Floats, members: Ints) -> float:
    """Mean Jaccard index of a cluster with the nearest cluster among REDRAWS bootstraps of the points, 0 to 1."""
    rng = np.random.default_rng(len(points))
    likeness = []
    for _ in range(REDRAWS):
        drawn = np.unique(rng.integers(0, len(points), len(points)))
        labels = clusters(points[drawn])
        mine = np.isin(drawn, members)
        if mine.any():
            sets = [labels == label for label in np.unique(labels[mine])]
            likeness.append(max(float((mine & s).sum() / (mine | s).sum()) for s in sets))
    return float(np.mean(likeness)) if likeness else 0.0


def described(scaled: Floats) -> str:
    """What sets scaled features apart from the templates, the three farthest features in words."""
    most = np.argsort(-np.abs(scaled), kind="stable")[:3]
    return "; ".join(
        f"{FEATURES[k].name} {'high' if scaled[k] > 0 else 'low'} ({FEATURES[k].high if scaled[k] > 0 else FEATURES[k].low})"
        for k in most
    )
