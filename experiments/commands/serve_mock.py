"""swarmscope serve-mock: a language-model provider on this machine that needs no network and no key."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands._show import Json, emit
from experiments.errors import RunFailed, UsageProblem

if TYPE_CHECKING:
    from agents.llm.mock_server import MockProvider

HELP = """Serve an OpenAI-compatible provider on this machine: no network, no key, choices by rules, faults on demand.

Any model name works. mock/rule decides as the scenario's rule; mock/uniform, mock/biased:0.7[:LABEL], mock/first:0.5,
mock/majority:1.5 have known habits; mock/unstructured refuses response_format; mock/knowing names the experiment.

Example: swarmscope serve-mock --port 8400 --faults 429=0.05,cut=0.05
"""


def command(
    *,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 8400,
    faults: Annotated[
        str,
        typer.Option(
            help="Shares of requests that go wrong: 429, 500, slow, cut, malformed, refusal, as NAME=SHARE,..."
        ),
    ] = "",
    latency: Annotated[float, typer.Option(help="Seconds that every answer takes at least.")] = 0.0,
    slow: Annotated[float, typer.Option(help="Seconds that a slow answer takes.")] = 5.0,
    retry_after: Annotated[float, typer.Option(help="Seconds to wait that a 429 names.")] = 1.0,
    need_key: Annotated[
        bool, typer.Option("--need-key", help="Refuse requests without a key; any key will do.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of choices and faults.")] = 0,
    as_json: Json = False,
) -> None:
    """See HELP."""
    if not 0 <= port <= 65535:
        raise UsageProblem(f"--port: expected 0 to 65535, got {port}.")
    for name, value in (("--latency", latency), ("--slow", slow), ("--retry-after", retry_after)):
        if not 0.0 <= value < float("inf"):
            raise UsageProblem(f"{name}: expected seconds from 0, got {value}.")
    from agents.llm.mock_faults import Faults
    from agents.llm.mock_server import MockProvider, Settings

    if not -(2**63) <= seed < 2**63:
        raise UsageProblem(f"--seed: expected a whole number of 64 bits, got {seed}.")
    settings = Settings(
        faults=Faults.parse(faults, seed=seed), latency=latency, slow=slow, retry_after=retry_after, key_needed=need_key,
        seed=seed % 2**64,
    )  # fmt: skip
    provider = MockProvider(settings)
    asyncio.run(serve(provider, port=port, as_json=as_json))
    told = ", ".join(f"{n:,} {what}" for what, n in sorted(provider.counts.items()) if what != "requests")
    typer.echo(f"Served {provider.counts['requests']:,} requests{': ' + told if told else ''}.", err=True)


async def serve(provider: MockProvider, *, port: int, as_json: bool = False) -> None:
    """Serve until Ctrl-C or a termination signal; RunFailed when the port cannot be had."""
    from agents.llm.mock_server import HOST, start

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        runner, taken = await start(provider, port=port)
    except OSError as error:
        raise RunFailed(
            f"serve-mock: expected a free port {port} on {HOST}, but it cannot be had ({error.strerror or error}); "
            "choose another with --port."
        ) from None
    url = f"http://{HOST}:{taken}/v1"
    if as_json:
        emit({"base_url": url, "port": taken})
    else:
        typer.echo(f"The mock provider is at {url} (Ctrl-C ends it).")
    await ended.wait()
    await runner.cleanup()
