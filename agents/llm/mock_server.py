"""The mock provider: an OpenAI-compatible HTTP server on loopback that answers from policies, with faults on demand.

It speaks ``/v1/chat/completions`` (whole or streamed) and ``/v1/models``, decides by the model name (``mock_policies``), and
counts tokens by a rule of its own: up to four letters or digits, or one other mark, are one token. Nothing it draws depends
on timing: choice and faults are keyed by the bytes of the request and by how often these very bytes have come before; a
request that names a ``seed`` is answered alike every time.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aiohttp import web

from agents.llm.mock_faults import NONE, SAMPLE, Arrivals, Faults, Request
from agents.llm.mock_policies import policy_of
from agents.llm.mock_view import Draw, PolicyError, read_view
from sim.world.oracle import bits

HOST = "127.0.0.1"
MODELS = ("mock/rule", "mock/uniform", "mock/biased:0.7", "mock/first:0.5", "mock/majority:1.5", "mock/knowing")
TOKEN = re.compile(r"\w{1,4}|[^\w\s]")
REFUSALS = (
    {"content": None, "refusal": "I'm sorry, but I can't take part in this."},
    {"content": "I'm sorry, but I can't take part in this.", "refusal": None},
)


@dataclass(frozen=True)
class Settings:
    """How the server behaves.

    Attributes:
        faults: What goes wrong, and how often.
        latency: Seconds every answer takes at least.
        slow: Seconds a slow answer takes.
        retry_after: Seconds a client is told to wait after a 429.
        key_needed: Refuse requests without a bearer token with 401; any token will do.
        seed: Seed of choices that the request itself does not seed.
    """

    faults: Faults = field(default_factory=Faults)
    latency: float = 0.0
    slow: float = 5.0
    retry_after: float = 1.0
    key_needed: bool = False
    seed: int = 0


class MockProvider:
    """The server's one object: settings, what has arrived, and counts of what was answered."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.arrivals = Arrivals(settings.faults.seed)
        self.counts: Counter[str] = Counter()
        self.prefixes: set[int] = set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        path = request.path.rstrip("/")
        if request.method == "GET" and path == "/v1/models":
            return _json({"object": "list", "data": [{"id": m, "object": "model", "owned_by": "mock"} for m in MODELS]})
        if request.method == "GET" and path == "/stats":
            return _json({**self.counts, "distinct": len(self.arrivals.seen)})
        if request.method != "POST" or path != "/v1/chat/completions":
            return _error(
                404, f"expected POST /v1/chat/completions or GET /v1/models, got {request.method} {path or '/'}."
            )
        if self.settings.key_needed and not request.headers.get("Authorization", "").removeprefix("Bearer").strip():
            return _error(401, "expected a bearer token, got none; any token will do here.", code="invalid_api_key")
        body = await request.read()
        self.counts["requests"] += 1
        arrived = self.arrivals.take(body)
        fault = self.settings.faults.draw(arrived)
        self.counts[fault or "answered"] += 1
        if self.settings.latency or fault == "slow":
            await asyncio.sleep(self.settings.latency + (self.settings.slow if fault == "slow" else 0.0))
        if fault == "429":
            headers = {"retry-after": f"{self.settings.retry_after:g}"}
            return _error(429, "rate limit reached; try again later.", code="rate_limit_exceeded", headers=headers)
        if fault == "500":
            return _error(500, "the server had an error while processing the request.", code="server_error")
        try:
            asked = json.loads(body)
            reply = self.answer(asked, arrived, fault)
        except PolicyError as problem:
            return _error(400, str(problem))
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            return _error(400, f"expected a chat completion request as JSON, but it cannot be read ({problem}).")
        if fault == "cut":
            return await self._cut(request, reply, arrived)
        if fault == "malformed" and self.settings.faults.variant(arrived, 4) == 3:
            return web.Response(body=b'{"id": "cut short', content_type="application/json")
        if asked.get("stream"):
            return await _stream(request, reply, asked)
        return _json(reply)

    def answer(self, asked: dict[str, Any], arrived: Request, fault: str = NONE) -> dict[str, Any]:
        """The completion for a request; PolicyError where it cannot be answered."""
        messages = asked["messages"]
        if not isinstance(messages, list) or not messages:
            raise PolicyError("expected a list of messages, got none.")
        model = str(asked.get("model", ""))
        policy = policy_of(model)
        if not policy.structured and asked.get("response_format", {}).get("type", "text") != "text":
            raise PolicyError(f"model '{model}' does not support response_format; leave it out.")
        texts = [_text(m) for m in messages]
        attempt = 0 if asked.get("seed") is not None else arrived.attempt
        draw = Draw(int(bits(arrived.stream ^ self.settings.seed, attempt, SAMPLE)))
        view = read_view(texts)
        content = policy.talk(texts[-1]) if view is None else json.dumps(policy.reply(view, draw), ensure_ascii=False)
        message = {"role": "assistant", "content": content, "refusal": None}
        if fault == "malformed":
            message["content"] = _spoiled(content, self.settings.faults.variant(arrived, 4))
        if fault == "refusal":
            message |= REFUSALS[self.settings.faults.variant(arrived, 2)]
        return self._completion(model, message, texts, arrived)

    def _completion(self, model: str, message: dict[str, Any], texts: list[str], arrived: Request) -> dict[str, Any]:
        counted = [tokens(t) for t in texts]
        prompt = sum(counted) + 4 * len(texts)
        written = tokens(message["content"] or message["refusal"] or "")
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": {"cached_tokens": self._cached(texts, counted)},
        }
        return {
            "id": f"chatcmpl-{arrived.stream:016x}-{arrived.attempt}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": usage,
            "system_fingerprint": "mock",
        }

    def _cached(self, texts: list[str], counted: list[int]) -> int:
        """Tokens of the messages before the last one, where another request has brought the same before."""
        if len(texts) < 2:
            return 0
        prefix = hash("\0".join(texts[:-1]))
        if prefix in self.prefixes:
            return sum(counted[:-1])
        self.prefixes.add(prefix)
        return 0

    async def _cut(self, request: web.BaseRequest, reply: dict[str, Any], arrived: Request) -> web.StreamResponse:
        """Close the connection: before anything was sent, or after half of the body."""
        transport = request.transport
        response = web.StreamResponse(headers={"content-type": "application/json"})
        if self.settings.faults.variant(arrived, 2):
            whole = json.dumps(reply).encode()
            response.content_length = len(whole)
            await response.prepare(request)
            await response.write(whole[: len(whole) // 2])
        if transport is not None:
            transport.close()
        return response


def tokens(text: str) -> int:
    """Tokens of ``text``: up to four letters or digits, or one other mark, are one."""
    return sum(map(_tokens_of_line, text.split("\n")))


# Most lines of a prompt are those of the prompt before.
@lru_cache(maxsize=8192)
def _tokens_of_line(line: str) -> int:
    return len(TOKEN.findall(line))


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _spoiled(content: str, variant: int) -> str:
    """Content that is no valid choice: broken JSON, an option that nobody offered, or prose."""
    if variant == 0:
        return content[: max(1, len(content) // 2)]
    return json.dumps({"choice": "no such option"}) if variant == 1 else "I think I would rather take the other one."


def _json(data: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(data, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def _error(
    status: int, message: str, *, code: str = "invalid_request_error", headers: dict[str, str] | None = None
) -> web.Response:
    return _json(
        {"error": {"message": message, "type": code, "code": code, "param": None}}, status=status, headers=headers
    )


async def _stream(request: web.BaseRequest, reply: dict[str, Any], asked: dict[str, Any]) -> web.StreamResponse:
    """The same completion as server-sent events, a few words at a time."""
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
    await response.prepare(request)
    message = reply["choices"][0]["message"]
    content = message["content"] or message["refusal"] or ""
    pieces = [content[i : i + 24] for i in range(0, len(content), 24)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": p} for p in pieces), {}]
    for n, delta in enumerate(deltas):
        last = n == len(deltas) - 1
        choice = {"index": 0, "delta": delta, "finish_reason": "stop" if last else None}
        await _send(response, {**_head(reply), "choices": [choice]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        await _send(response, {**_head(reply), "choices": [], "usage": reply["usage"]})
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _head(reply: dict[str, Any]) -> dict[str, Any]:
    return {"id": reply["id"], "object": "chat.completion.chunk", "created": reply["created"], "model": reply["model"]}


async def _send(response: web.StreamResponse, data: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n")


async def start(provider: MockProvider, *, port: int) -> tuple[web.ServerRunner, int]:
    """Listen on loopback; return the runner and the port (a free one is taken for 0). OSError when it is in use."""
    server = web.Server(provider.handle, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port, backlog=4096).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


async def _end(runner: web.ServerRunner) -> None:
    """Stop listening, and wait until answers that nobody waits for any more are given up."""
    await runner.cleanup()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@contextmanager
def serving(settings: Settings | None = None, *, port: int = 0) -> Iterator[tuple[str, MockProvider]]:
    """Serve in a thread of this process; yields the base URL (ending in /v1) and the provider with its counts."""
    provider = MockProvider(settings or Settings())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mock provider", daemon=True)
    thread.start()
    runner = None
    try:
        runner, taken = asyncio.run_coroutine_threadsafe(start(provider, port=port), loop).result(30)
        yield f"http://{HOST}:{taken}/v1", provider
    finally:
        if runner is not None:
            asyncio.run_coroutine_threadsafe(_end(runner), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
