"""Language minds: calls a second against bare ``litellm.acompletion`` at equal concurrency, and decisions a second replayed.

    uv run python -m benchmarks.minds [--concurrency 32] [--calls 96] [--rounds 24] [--agents 1000]

The mock provider runs in a process of its own. In every round the mind, bare calls, and bare calls once more take turns on
the same prompts, in an order that goes round; ratios are taken within a round. The two bare ones tell how far chance alone
goes. The mind's limiter has reached its ceiling before the first round that counts, and what the library does after an
answer is counted with the call that caused it. Replays come first, as long as the library is not loaded: a user's replay does
without it. The last of them is a whole run of the naming game, tables and kernel included.
Targets: at least 0.9 of the bare rate, at least 20,000 replayed decisions a second, and never more than one request for a
view and sample.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
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
from sim.world.due import Due
from sim.world.view import Draws

MODEL = "openai/mock/uniform"
WARM_UP = 2


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


def bare(loop: Loop, made: LlmMind, prompts: list, *, concurrency: int) -> None:
    """The library alone: the same parameters and as many calls at once."""
    options, library = made.provider.options, made.provider.litellm

    async def all_() -> None:
        gate = asyncio.Semaphore(concurrency)

        async def one(prompt, seed: int) -> None:
            async with gate:
                await library.acompletion(messages=prompt.messages, seed=seed, response_format=prompt.schema, **options)

        await asyncio.gather(*[one(p, n) for n, p in enumerate(prompts)])

    loop.submit(all_()).result()


def live(made: LlmMind, dues: list[Due]) -> None:
    """The mind, from due decisions to answers."""
    assert all(a.origin == "llm" for a in made.ask(dues).result())


def timed(loop: Loop, work) -> tuple[float, float]:
    """Seconds of CPU time and of the clock; CPU time includes what is done after the last answer."""
    gc.collect()
    busy, began = time.process_time(), time.perf_counter()
    work()
    took = time.perf_counter() - began
    loop.submit(asyncio.sleep(0.15)).result()
    return time.process_time() - busy, took


def replayed(folder: Path, *, rounds: int) -> list[float]:
    """Decisions a CPU second from a cassette, from due decisions to answers."""
    path, count = folder / "replay.db", 20_000
    dues, tape = dues_of(count, start=10**6), Cassette(path)
    made = mind(None, cassette=tape)
    tape.store([recorded(made, q) for q in questions(made, dues)])
    tape.close()
    rates = []
    for _ in range(rounds):
        made = mind(None, cassette=Cassette(path, mode="replay"))
        fresh = [replace(d) for d in dues]
        gc.collect()
        began = time.process_time()
        for start in range(0, count, 1000):
            answers = made.ask(fresh[start : start + 1000]).result()
            assert all(a.origin == "cassette" for a in answers)
        rates.append(count / (time.process_time() - began))
        made.close()
    return rates


def recorded(made: LlmMind, q) -> Recording:
    return Recording(
        made.key(q), MODEL, made.frame.seal, q.view_hash, q.sample, Stored(q.sample % len(q.options), "ok"),
        reply='{"choice": "a"}',
    )  # fmt: skip


class Filling(LlmMind):
    """Finds what it is asked in its cassette, for it puts it there first."""

    def ask(self, dues):
        """As a model does."""
        choices = [(d, d.offered(self.scenario)) for d in dues]
        self.cassette.store([recorded(self, self.question(d, c)) for d, c in choices if len(c) > 1])
        return super().ask(dues)


def whole_runs(folder: Path, *, agents: int, rounds: int) -> list[float]:
    """Decisions a CPU second of whole replayed runs: kernel, views, cassette, ledger and the record of decisions."""
    import agents.llm.mind as module
    from agents.llm.settings import Asking
    from experiments.plan import engine_of, plan
    from sim.record.store import EventWriter

    def play(mode: str) -> float:
        how = Asking(MODEL, base_url="http://127.0.0.1:9/v1", cassette=str(folder / "whole.db"), cassette_mode=mode)
        asked = plan("naming", preset="pool", changes={"agents": agents}, until=20.0, mind="llm", asking=how,
                     check_minds=False)  # fmt: skip
        engine, writer = engine_of(asked), EventWriter(None)
        gc.collect()
        began = time.process_time()
        engine.advance(asked.until, writer)
        engine.close()
        made = engine.beside()
        return made.decisions.height / (time.process_time() - began)

    module.LlmMind = Filling
    try:
        play("record")
    finally:
        module.LlmMind = LlmMind
    return [play("replay") for _ in range(rounds + 1)][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--calls", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--replays", type=int, default=7)
    parser.add_argument("--agents", type=int, default=1000)
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
    with tempfile.TemporaryDirectory() as folder:
        replays = replayed(Path(folder), rounds=asked.replays)
        whole = whole_runs(Path(folder), agents=asked.agents, rounds=asked.replays)
    assert "litellm" not in sys.modules
    loop = Loop.borrow()
    ours, other = mind(url, concurrency=asked.concurrency), mind(url)
    ours.provider.check()
    rounds: list[dict[str, tuple[float, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        ours.cassette = Cassette(Path(folder) / "live.db")
        for turn in range(-WARM_UP, asked.rounds):
            dues = dues_of(asked.calls, start=(turn + WARM_UP) * 10**5)
            prompts = [render(q) for q in questions(other, dues)]

            def plain(p=prompts) -> None:
                bare(loop, other, p, concurrency=asked.concurrency)

            sides = {"mind": lambda d=dues: live(ours, [replace(one) for one in d]), "bare": plain, "again": plain}
            names = [*sides][turn % 3 :] + [*sides][: turn % 3]
            made = {name: timed(loop, sides[name]) for name in names}
            if turn >= 0:
                assert ours.calls.limiter.limit == asked.concurrency
                rounds.append(made)
        requests = {e.request for e in ours.ledger.calls}
        assert len(requests) == len(ours.ledger.calls) == asked.calls * (asked.rounds + WARM_UP)
        ours.close()
    loop.give_back(other.provider.close)
    each = {
        f"{name}, ms a call, {what}": spread([1e3 * r[name][k] / asked.calls for r in rounds])
        for name in rounds[0]
        for k, what in enumerate(("CPU", "clock"))
    }
    ratios = {
        f"{told}, {what}": spread([r["bare"][k] / r[name][k] for r in rounds])
        for name, told in (("mind", "rate of the mind against bare"), ("again", "bare against bare"))
        for k, what in enumerate(("CPU", "clock"))
    }
    found = {
        "concurrency": asked.concurrency,
        **each,
        **ratios,
        "replayed decisions a CPU second, at the mind": spread(replays),
        "replayed decisions a CPU second, whole runs": spread(whole),
        "requests per (view, sample)": 1.0,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found, indent=1))


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most."""
    made = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.3g}") for name, value in made.items()}


if __name__ == "__main__":
    main()
