"""Sweeps: overhead of a run on a warm pool, two workers against one, 10^5 runs read and summarised, and workers killed.

    uv run python -m benchmarks.sweep [--only overhead,scan,workers,kill]

Ratios and differences are taken within one run of the program; wall times belong to the machine of the day.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl

from experiments.executor import Pool
from experiments.jobs import attempt
from experiments.sweeps.claim import _new
from experiments.sweeps.results import gather, load
from experiments.sweeps.runs import codes_of, jobs_of, warm_up
from experiments.sweeps.spec import specify
from experiments.sweeps.statistics import summary

RUNS = 300
BIG = 100_000
WRITER = "experiments.sweeps.results:append"


def study(runs, **more):
    """A specification of ``runs`` short runs of the naming game."""
    return specify(
        scenario="naming",
        seeds=runs // 2,
        until=20,
        axes={"agents": [100, 200]},
        measures=["meters"],
        log="full",
        **more,
    )


def timed(pool, jobs):
    """(wall seconds, CPU seconds of this process) for ``jobs`` on a pool."""
    wall, cpu = time.perf_counter(), time.process_time()
    for outcome in pool.outcomes(jobs):
        assert not outcome.error, outcome.error
    return time.perf_counter() - wall, time.process_time() - cpu


def overhead(rounds):
    """What a run costs on a warm pool of one beyond the same run in this process, in turns."""
    with tempfile.TemporaryDirectory() as name:
        spec = study(RUNS)
        jobs = jobs_of(spec, codes_of(spec), folder=Path(name))
        with Pool(Path(name) / "journal", workers=1, writer=WRITER) as pool:
            timed(pool, jobs[:20])
            for job in jobs[:20]:
                attempt(job)
            gaps, alone, parents = [], [], []
            for k in range(rounds):
                part = jobs[20 + k * 40 : 60 + k * 40]
                start = time.perf_counter()
                for job in part:
                    attempt(job)
                inside = time.perf_counter() - start
                outside, parent = timed(pool, part)
                gaps.append(1e3 * (outside - inside) / len(part))
                alone.append(1e3 * inside / len(part))
                parents.append(1e3 * parent / len(part))
    simulated = statistics.median(alone)
    print(f"overhead on a warm pool: {statistics.median(gaps):.2f} ms a run ({min(gaps):.2f} to {max(gaps):.2f}), beyond "
          f"{simulated:.2f} ms for simulating and measuring; CPU of the parent {statistics.median(parents):.2f} ms a run; "
          "target 10 ms")  # fmt: skip


def workers(rounds):
    """Two workers against one, in turns, on runs of about 100 ms."""
    with tempfile.TemporaryDirectory() as name:
        spec = specify(
            scenario="naming", seeds=40 * rounds, until=60, axes={"agents": [6000]}, measures=["meters"], log="counters"
        )
        jobs = jobs_of(spec, codes_of(spec), folder=Path(name))
        ratios = []
        with (
            Pool(Path(name) / "a", workers=1, writer=WRITER) as one,
            Pool(Path(name) / "b", workers=2, writer=WRITER) as two,
        ):
            timed(one, jobs[:4])
            timed(two, jobs[:8])
            for k in range(rounds):
                part = jobs[40 * k : 40 * (k + 1)]
                slow, _ = timed(one, part)
                fast, _ = timed(two, part)
                ratios.append(slow / fast)
                each, load_now = 1e3 * slow / len(part), os.getloadavg()[0]
                print(f"  round {k + 1}: {each:.0f} ms a run on one, ratio {ratios[-1]:.2f}, load {load_now:.1f}")
    print(f"two workers against one: {statistics.median(ratios):.2f} (best {max(ratios):.2f}); target 1.8; load average "
          f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip


def scan():
    """10^5 runs with 20 measures at 1,000 points: written as journals, gathered, read lazily, summarised."""
    import json
    from zlib import crc32

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        axes = {"agents": {"low": 2, "high": 1001, "steps": 1000}}
        spec = specify(scenario="naming", seeds=BIG // 1000, axes=axes, measures=["meters"])
        _new(folder / "sweep.json", spec, codes_of(spec))
        names = [f"measure_{i:02d}" for i in range(20)]
        (folder / "journal" / "all").mkdir(parents=True)
        with (folder / "journal" / "all" / "made.jsonl").open("w") as file:
            for seed in range(BIG // 1000):
                values = rng.normal(size=(1000, len(names))).round(6).tolist()
                for point, row in enumerate(values):
                    about = {"key": f"{seed:06x}{point:010x}", "point": point, "seed": seed, "agents": point + 2}
                    text = json.dumps({"run": {**about, "status": "complete", **dict(zip(names, row, strict=True))}})
                    file.write(f"{crc32(text.encode()):08x} {text}\n")
        start = time.perf_counter()
        added = gather(folder, sorted((folder / "journal").rglob("*.jsonl")), label="all")
        gathered = time.perf_counter() - start
        assert added == BIG
        start, cpu = time.perf_counter(), time.process_time()
        runs = load(folder)
        rows = runs.select(pl.len()).collect().item()
        made = summary(runs, axes=["agents"])
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
        assert rows == BIG
        assert made.height == 1000 * len(names)
        size = sum(p.stat().st_size for p in folder.rglob("*.parquet"))
        files = len(list((folder / "runs").glob("*.parquet")))
    print(
        f"{BIG:,} runs, 20 measures: scanned and summarised with intervals in {took:.1f} s, CPU {cpu:.1f} s; target 10 s"
    )
    print(f"  (their journals were gathered in {gathered:.1f} s; {files} files, {size / 1e6:.0f} MB)")


def kill():
    """Signal 9 to a random worker every few seconds through 200 runs, against an undisturbed sweep."""
    draw = random.Random(3)
    with tempfile.TemporaryDirectory() as name:
        spec = specify(
            scenario="naming", seeds=100, until=60, axes={"agents": [4000, 5000]}, measures=["meters"], log="counters"
        )
        jobs = jobs_of(spec, codes_of(spec), folder=Path(name))
        stop, kills, outcomes = threading.Event(), [], []
        with Pool(Path(name) / "a" / "journal" / "all", workers=2, writer=WRITER, warm=warm_up(spec)) as pool:

            def killer():
                before = 0
                while not stop.wait(draw.uniform(1.0, 3.0)):
                    alive = pool.processes
                    # On a busy machine a process takes longer to start than this pauses.
                    if alive and len(outcomes) > before:
                        before = len(outcomes)
                        victim = draw.choice(alive)
                        os.kill(victim, signal.SIGKILL)
                        kills.append(victim)

            thread = threading.Thread(target=killer)
            thread.start()
            outcomes.extend(pool.outcomes(jobs))
            stop.set()
            thread.join()
        with Pool(Path(name) / "b" / "journal" / "all", workers=2, writer=WRITER, warm=warm_up(spec)) as pool:
            calm = list(pool.outcomes(jobs))
        tables = []
        for place in ("a", "b"):
            _new(Path(name) / place / "sweep.json", spec, codes_of(spec))
            gather(Path(name) / place, sorted((Path(name) / place / "journal").rglob("*.jsonl")), label="all")
            tables.append(load(Path(name) / place).drop("simulation_s", "measuring_s").collect().sort("key"))
        same = tables[0].equals(tables[1])
        failed = sum(bool(o.error) for o in [*outcomes, *calm])
    print(f"{len(kills)} workers killed through {len(jobs)} runs: {tables[0].height} results, {tables[0]['key'].n_unique()} of "
          f"them different, {failed} failed, equal to an undisturbed sweep: {same}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="overhead,scan,workers,kill")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    parts = {
        "overhead": lambda: overhead(chosen.rounds),
        "scan": scan,
        "workers": lambda: workers(chosen.rounds),
        "kill": kill,
    }
    print(
        f"{sys.version.split()[0]}, polars {pl.__version__}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
    )
    for name in chosen.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
