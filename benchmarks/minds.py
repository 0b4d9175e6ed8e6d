"""Language minds: calls a second against bare ``litellm.acompletion`` at equal concurrency, and decisions a second replayed.

    uv run python -m benchmarks.minds [--concurrency 32] [--calls 300] [--rounds 5]

The mock provider runs in a process of its own. In every round bare calls and the mind's decisions take turns on the same
prompts, in an order that alternates; the ratio is taken within a round. Targets: at least 0.9 of the bare rate, at least
20,000 replayed decisions a second, and never more than one request for a view and sample.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from agents.llm.budget import Account, Budget
from agents.llm.cassette import Cassette, Recording, Stored
from agents.llm.loop import Loop
from agents.llm.mind import LlmMind
from agents.llm.prompt import render
from agents.llm.provider import Model
from sim.spec import Heard, scenarios
from sim.world.batches import Due
from sim.world.view import Draws

MODEL = "openai/mock/uniform"


def dues_of(count: int, *, start: int) -> list[Due]:
    """``count`` due decisions of the naming game with full memories, no two alike."""
    view = SimpleNamespace(committed=0, pool=2)
    rng = np.random.default_rng(start)
    heard = rng.integers(0, 2, (count, 5, 3))
    return [
        Due(
            n,
            1.0,
            view,
            None,
            Draws(np.uint64(start + n), np.int64(7)),
            tuple(Heard(int(p), int(c), float(v), -1) for p, c, v in heard[n]),
        )
        for n in range(count)
    ]


def mind(url: str | None, *, cassette: Cassette | None = None, concurrency: int = 32) -> LlmMind:
    return LlmMind(
        scenarios.get("naming"), model=Model(MODEL, base_url=url), account=Account(Budget()), cassette=cassette,
        concurrency=concurrency,
    )  # fmt: skip


def questions(made: LlmMind, dues: list[Due]) -> list:
    return [made.question(d, made.scenario.options(d.view, d.memory, d.draws)) for d in dues]


def bare(loop: Loop, made: LlmMind, prompts: list, *, concurrency: int) -> tuple[float, float]:
    """Calls a second, of the clock and of CPU time, of the library alone: the same parameters and as many at once."""
    provider = made.provider
    options = provider.options

    async def all_() -> None:
        gate = asyncio.Semaphore(concurrency)

        async def one(prompt, seed: int) -> None:
            async with gate:
                await provider.litellm.acompletion(
                    messages=prompt.messages, seed=seed, response_format=prompt.schema, **options
                )

        await asyncio.gather(*[one(p, n) for n, p in enumerate(prompts)])

    began, busy = time.perf_counter(), time.process_time()
    loop.submit(all_()).result()
    return len(prompts) / (time.perf_counter() - began), len(prompts) / (time.process_time() - busy)


def live(made: LlmMind, dues: list[Due]) -> tuple[float, float]:
    """Decisions a second of the mind, from due decisions to answers, of the clock and of CPU time."""
    began, busy = time.perf_counter(), time.process_time()
    answers = made.ask(dues).result()
    rates = len(dues) / (time.perf_counter() - began), len(dues) / (time.process_time() - busy)
    assert all(a.origin == "llm" for a in answers)
    return rates


def replayed(folder: Path, count: int, *, rounds: int) -> list[float]:
    """Decisions a second from a cassette, from due decisions to answers."""
    path = folder / "replay.db"
    tape = Cassette(path)
    dues = dues_of(count, start=10**6)
    made = mind(None, cassette=tape)
    for q in questions(made, dues):
        tape.store(
            Recording(
                made.key(q), MODEL, made.frame.seal, q.view_hash, q.sample, Stored(0, "ok"), reply='{"choice": "a"}'
            )
        )
    tape.close()
    rates = []
    for _ in range(rounds):
        made = mind(None, cassette=Cassette(path, mode="replay"))
        began = time.process_time()
        for start in range(0, count, 1000):
            answers = made.ask(dues[start : start + 1000]).result()
            assert all(a.origin == "cassette" for a in answers)
        rates.append(count / (time.process_time() - began))
        made.close()
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--replays", type=int, default=20_000)
    asked = parser.parse_args()
    code = "import sys; from experiments.cli import main; main(['serve-mock', '--port', '0'])"
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = re.search(r"http://\S+/v1", server.stdout.readline()).group(0)
        report(url, asked)
    finally:
        server.terminate()
        server.wait()


def report(url: str, asked: argparse.Namespace) -> None:
    loop = Loop.borrow()
    ours, other = mind(url, concurrency=asked.concurrency), mind(url)
    ours.provider.check()
    with tempfile.TemporaryDirectory() as folder:
        tape = Cassette(Path(folder) / "live.db")
        ours.cassette = tape
        ratios, busy, rates = [], [], []
        # The first round warms up both sides.
        for turn in range(asked.rounds + 1):
            dues = dues_of(asked.calls, start=turn * 10**5)
            prompts = [render(q) for q in questions(other, dues)]
            order = [
                lambda d=dues: live(ours, d),
                lambda p=prompts: bare(loop, other, p, concurrency=asked.concurrency),
            ]
            first = turn % 2
            made = {}
            for which in (first, 1 - first):
                made[which] = order[which]()
            if turn:
                ratios.append(made[0][0] / made[1][0])
                busy.append(made[0][1] / made[1][1])
                rates.append((made[0][0], made[1][0]))
        requests = {e.request for e in ours.entries}
        assert len(requests) == len(ours.entries) == asked.calls * (asked.rounds + 1)
        replays = replayed(Path(folder), asked.replays, rounds=asked.rounds)
        ours.close()
    loop.give_back(other.provider.close)
    found = {
        "concurrency": asked.concurrency,
        "ratio to bare acompletion": {"median": statistics.median(ratios), "rounds": [round(r, 3) for r in ratios]},
        "the same in CPU time": {"median": statistics.median(busy), "rounds": [round(r, 3) for r in busy]},
        "calls per second (mind, bare)": [[round(a), round(b)] for a, b in rates],
        "replayed decisions per CPU second": {
            "median": round(statistics.median(replays)),
            "rounds": [round(r) for r in replays],
        },
        "requests per (view, sample)": 1.0,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
