"""Templates of human organisation: which of them a graph is like, or none, at a calibrated error rate.

A graph is compared with every template by split-conformal p-values (Bates, Candès, Lei, Romano, Sesia 2023, Ann. Statist.
51:149): the share of the template's own calibration graphs that lie at least as far from its training graphs. Where no
p-value exceeds alpha the graph is *unclassified*: a graph of a family in the catalogue is called so in a share of about
alpha of the cases. That holds for graphs disturbed no more than the calibration graphs are (SCATTERED, REWIRED), and says
nothing about chance: noise is unlike every template too, so only structures that beat their nulls are ever classified.

``python -m sim.detectors.templates`` draws the large catalogue anew and writes its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from sim.detectors.features import NAMES, describe
from sim.detectors.template_families import SMALL_TEMPLATES, TEMPLATES, Template
from sim.detectors.window import Floats

SIZES = (20, 100)  # agents of the graphs in the large catalogue
SMALL = (3, 12)  # groups of the graphs in the small catalogues, one for each number of groups
TRAINING, CALIBRATION = 120, 199
SMALL_TRAINING, SMALL_CALIBRATION = 60, 139
NEAREST = 5
SCATTERED, REWIRED = 0.2, 0.2  # largest shares of noise: contacts with anybody, links moved to anybody
SMALL_SCATTERED = 0.4  # flow between groups is small, and mixing falls on it alone
CONTACTS, SMALL_CONTACTS = (15.0, 100.0), (8.0, 300.0)  # contacts an agent, or of a group with others
SHRINKAGE = 0.05  # of the covariance of a template's features towards its diagonal
FLOOR = 0.03  # least deviation of a feature in a template, as a share of its deviation over all templates
DIMENSION = 8.0  # in which the graphs of a template spread
UNCLASSIFIED = "unclassified"
FILE = Path(__file__).with_name("templates.npz")


@dataclass(frozen=True)
class Measure:
    """How far a graph lies from one template.

    Attributes:
        name: The template.
        whiten: Features times this have unit covariance within the template, shape (features, features).
        known: Whitened training graphs, shape (training, features).
        scores: Sorted scores of the calibration graphs, shape (calibration,).
    """

    name: str
    whiten: Floats
    known: Floats
    scores: Floats

    def score(self, features: Floats) -> Floats:
        """Mean distance to the NEAREST training graphs; features of shape (graphs, features)."""
        gaps = np.linalg.norm((features @ self.whiten)[:, None, :] - self.known[None], axis=2)
        return np.asarray(np.sort(gaps, axis=1)[:, :NEAREST].mean(axis=1))

    def log_density(self, features: Floats) -> float:
        """Logarithm of the density of the template's graphs at ``features`` (shape (features,)), up to a constant.

        The nearest-neighbour estimate (Loftsgaarden & Quesenberry 1965), damped for its dimension being far below that of
        the features. A broad family lies near many graphs; its density there is low all the same.
        """
        spread = -float(np.linalg.slogdet(self.whiten)[1])
        return -DIMENSION * float(np.log(self.score(features[None, :])[0])) - spread * DIMENSION / len(features)

    def p(self, features: Floats) -> Floats:
        """Conformal p-values, shape (graphs,): small when the template has hardly a graph so far from the others."""
        below = np.searchsorted(self.scores, self.score(features), side="left")
        return np.asarray((1.0 + len(self.scores) - below) / (1.0 + len(self.scores)))


@dataclass(frozen=True)
class Catalogue:
    """Templates to compare with: ``measures``, and the ``centre`` and ``spread`` of features over all training graphs."""

    measures: tuple[Measure, ...]
    centre: Floats
    spread: Floats

    def scaled(self, features: Floats) -> Floats:
        """Features in units of their spread over all templates, the space in which unclassified graphs are compared."""
        return np.asarray((features - self.centre) / self.spread)


@dataclass(frozen=True)
class Likeness:
    """What a graph is like.

    Attributes:
        name: The template it is most like, or UNCLASSIFIED.
        p: The largest conformal p-value; ``name`` is UNCLASSIFIED where it is at most alpha.
        fits: Template to p-value.
        features: What was compared, in the order of ``features.NAMES``.
    """

    name: str
    p: float
    fits: Mapping[str, float]
    features: Floats


def classify(flow: Floats, *, alpha: float = 0.05) -> Likeness | None:
    """The template of whole organisations that a graph of agents is like; None outside SIZES, where none is calibrated.

    Definition: see the module. Chance level: a graph of a family in the catalogue is unclassified with probability at
    most alpha; of disturbed graphs of other families most are (figures in docs/detectors.md). Fooled by: structure of
    structures, such as a ring of teams, which on one level is teams (``composition`` looks one level up).

    Args:
        flow: Contacts, row = giver, shape (n, n).
        alpha: Level at which a template is given up.
    """
    if not _within(flow, SIZES):
        return None
    return likeness(describe(flow), large(), alpha=alpha)


def classify_image(flow: Floats, *, alpha: float = 0.05) -> Likeness | None:
    """The same for the image graph of groups, in the catalogue made for as many groups; None outside SMALL."""
    if not _within(flow, SMALL):
        return None
    met = int(((flow.sum(axis=0) + flow.sum(axis=1)) > 0).sum())
    return likeness(describe(flow), small(met), alpha=alpha)


def _within(flow: Floats, sizes: tuple[int, int]) -> bool:
    other = flow * (1.0 - np.eye(len(flow)))
    return sizes[0] <= int(((other.sum(axis=0) + other.sum(axis=1)) > 0).sum()) <= sizes[1]


def likeness(features: Floats, catalogue: Catalogue, *, alpha: float) -> Likeness:
    """Compare features with every template of a catalogue; of several that it fits, the likeliest names it."""
    row = features[None, :]
    fits = {m.name: float(m.p(row)[0]) for m in catalogue.measures}
    fitting = [m for m in catalogue.measures if fits[m.name] > alpha]
    name = max(fitting, key=lambda m: m.log_density(features)).name if fitting else UNCLASSIFIED
    return Likeness(name, max(fits.values()), fits, features)


def fitted(graphs: Mapping[str, Floats], training: int) -> Catalogue:
    """A catalogue from features by template, shape (graphs, features): the first ``training`` train, others calibrate."""
    known = {name: rows[:training] for name, rows in graphs.items()}
    every = np.concatenate(list(known.values()))
    spread = np.maximum(every.std(axis=0), 1e-6)
    measures = tuple(_measure(name, known[name], rows[training:], spread) for name, rows in graphs.items())
    return Catalogue(measures, every.mean(axis=0), spread)


def _measure(name: str, known: Floats, others: Floats, spread: Floats) -> Measure:
    covariance = np.cov(known.T)
    covariance = (1.0 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
    whiten = np.linalg.cholesky(np.linalg.inv(covariance + np.diag((FLOOR * spread) ** 2)))
    raw = Measure(name, whiten, known @ whiten, np.zeros(1))
    return Measure(name, whiten, raw.known, np.sort(raw.score(others)))


@cache
def large() -> Catalogue:
    """The catalogue of whole organisations, from the file that ``draw_large`` fills."""
    with np.load(FILE) as stored:
        graphs = {name: stored[name].astype(np.float64) for name in stored.files}
    return fitted(graphs, TRAINING)


@cache
def small(groups: int) -> Catalogue:
    """The catalogue of graphs of so many groups, drawn at first use (about a second)."""
    chosen = [template for least, template in SMALL_TEMPLATES if groups >= least]
    count = SMALL_TRAINING + SMALL_CALIBRATION
    graphs = {t.name: np.array([specimen(t, k, size=(groups, groups)) for k in range(count)]) for t in chosen}
    return fitted(graphs, SMALL_TRAINING)


def draw_large(numbers: Sequence[int] = range(TRAINING + CALIBRATION)) -> dict[str, Floats]:
    """Features of the numbered graphs of every large template, shape (graphs, features) each."""
    return {t.name: np.array([specimen(t, k) for k in numbers]) for t in TEMPLATES}


def disturbed(rng: np.random.Generator, flow: Floats, *, scattered: float, rewired: float, contacts: float) -> Floats:
    """Contacts drawn from a flow with noise, shape (n, n) of counts.

    Args:
        rng: Source of the draws.
        flow: Expected flow, shape (n, n), zero on the diagonal.
        scattered: Share of contacts that are with anybody.
        rewired: Share of links that lead to a random agent instead.
        contacts: Mean number of contacts an agent.
    """
    n = len(flow)
    source, target = np.nonzero(flow)
    moved = rng.random(len(source)) < rewired
    target = np.where(moved, (source + rng.integers(1, n, len(source))) % n, target)
    rate = flow[np.nonzero(flow)] * rng.lognormal(0.0, rng.uniform(0.0, 0.5), len(source))
    noisy = np.zeros((n, n))
    np.add.at(noisy, (source, target), rate / rate.sum())
    anybody = 1.0 - np.eye(n)
    expected = contacts * n * ((1.0 - scattered) * noisy + scattered * anybody / anybody.sum())
    return np.asarray(rng.poisson(expected), dtype=np.float64)


def specimen(template: Template, number: int, *, size: tuple[int, int] = SIZES) -> Floats:
    """Features of graph ``number`` of a template's family; the same for the same arguments."""
    return describe(drawn(template, number, size=size))


def drawn(template: Template, number: int, *, size: tuple[int, int] = SIZES) -> Floats:
    """Graph ``number`` of a template's family: counts of contacts, shape (n, n), with noise in the calibrated range."""
    rng = np.random.default_rng([number, *size, crc32(template.name.encode())])
    n = int(np.round(np.exp(rng.uniform(*np.log(size)))))
    images = size[1] <= SMALL[1]
    flow = template.draw(rng, n)
    noise = {
        "scattered": rng.uniform(0.0, SMALL_SCATTERED if images else SCATTERED),
        "rewired": 0.0 if images else rng.uniform(0.0, REWIRED),
        "contacts": np.exp(rng.uniform(*np.log(SMALL_CONTACTS if images else CONTACTS))),
    }
    for _ in range(100):
        made = disturbed(rng, flow, **noise)
        if _within(made, size):
            return made
    raise RuntimeError(f"template '{template.name}', graph {number}: 100 draws gave no graph of {size[0]} agents.")


if __name__ == "__main__":
    halved: dict[str, Any] = {name: rows.astype(np.float16) for name, rows in draw_large().items()}
    np.savez_compressed(FILE, **halved)
    print(f"{FILE.name}: {len(TEMPLATES)} templates, {TRAINING + CALIBRATION} graphs each, {len(NAMES)} features.")
