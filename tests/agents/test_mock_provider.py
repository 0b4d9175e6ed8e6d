"""The mock provider: answered by LiteLLM's real client over real HTTP, with every fault, and by key."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

import pytest

from agents.llm.mock_faults import Arrivals, Faults
from agents.llm.mock_policies import policy_of
from agents.llm.mock_server import MockProvider, Settings, serving, tokens
from agents.llm.mock_view import Draw, PolicyError, read_view
from sim.spec import ParameterError

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
pytestmark = pytest.mark.filterwarnings("ignore:.*ReadOnly.*:UserWarning")
SCHEMA = {"type": "object", "properties": {"choice": {"type": "string"}}, "required": ["choice"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "choice", "schema": SCHEMA}}


def prompt(options=("Q", "M"), memory=(), scenario="probe", **more):
    """A view as it travels in a prompt."""
    listed = [{"id": "abcdefgh"[i], "words": f"say '{w}'", **more.get(w, {})} for i, w in enumerate(options)]
    view = {"scenario": scenario, "fields": more.get("fields", {}), "options": listed, "memory": list(memory)}
    return f"Choose.\n<view>{json.dumps(view)}</view>"


def chosen(model, text, *, seeds=400):
    """How often each option is taken over many draws."""
    view = read_view([text])
    return Counter(policy_of(model).reply(view, Draw(seed * 7919 + 1))["choice"] for seed in range(seeds))


async def completion(url, text=None, **more):
    import litellm

    asked = {"model": "openai/mock/uniform", "api_base": url, "api_key": "unused", "num_retries": 0, "max_retries": 0}
    messages = [{"role": "system", "content": "Answer."}, {"role": "user", "content": text or prompt()}]
    return await litellm.acompletion(messages=messages, **{"timeout": 120, **asked, **more})


def finished(work):
    """Run ``work`` and close LiteLLM's clients in the same loop."""

    async def whole():
        import litellm

        try:
            return await work
        finally:
            await litellm.close_litellm_async_clients()

    return asyncio.run(whole())


def asked_raw(url, body):
    """A reply without LiteLLM."""
    request = urllib.request.Request(f"{url}/chat/completions", data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_litellm_gets_a_choice_with_usage_it_can_count():
    with serving() as (url, provider):
        reply = finished(completion(url, response_format=FORMAT, model="openai/any-model-at-all"))
        again = finished(completion(url, prompt(memory=["other"])))
    assert json.loads(reply.choices[0].message.content)["choice"] in {"a", "b"}
    words = tokens("Answer.") + tokens(prompt()) + 8
    assert reply.usage.prompt_tokens == words
    assert reply.usage.completion_tokens == tokens(reply.choices[0].message.content) > 3
    assert reply.usage.prompt_tokens_details.cached_tokens == 0
    assert again.usage.prompt_tokens_details.cached_tokens == tokens("Answer.")
    assert provider.counts == {"requests": 2, "answered": 2}


def test_litellm_streams_the_same_answer():
    async def both(url):
        whole = await completion(url, seed=3)
        parts = await completion(url, seed=3, stream=True)
        return whole.choices[0].message.content, "".join([p.choices[0].delta.content or "" async for p in parts])

    with serving() as (url, _):
        whole, parts = finished(both(url))
    # The body of a streamed request differs, and so does its draw: only the form is the same.
    assert json.loads(parts).keys() == json.loads(whole).keys()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("429", "RateLimitError"), ("500", "InternalServerError"), ("slow", "Timeout"), ("cut", "InternalServerError")],
)
def test_faults_reach_litellm_as_its_own_errors(fault, error):
    import litellm

    settings = Settings(faults=Faults.parse(f"{fault}=1"), slow=3.0, retry_after=7)
    with serving(settings) as (url, provider), pytest.raises(getattr(litellm, error)) as caught:
        finished(completion(url, timeout=1.0 if fault == "slow" else 120.0))
    assert provider.counts[fault] >= 1
    if fault == "429":
        headers = getattr(caught.value, "litellm_response_headers", None) or caught.value.response.headers
        assert headers["retry-after"] == "7"


@pytest.mark.parametrize("fault", ["malformed", "refusal"])
def test_a_spoiled_answer_is_never_a_valid_choice(fault):
    provider = MockProvider(Settings(faults=Faults.parse(f"{fault}=1")))
    seen = set()
    for n in range(60):
        body = {"model": "x", "messages": [{"role": "user", "content": prompt(memory=[str(n)])}]}
        message = provider.answer(body, provider.arrivals.take(json.dumps(body).encode()), fault)["choices"][0][
            "message"
        ]
        seen.add(str(message["content"])[:18])
        try:
            assert json.loads(message["content"] or "null") in ({"choice": "no such option"}, None)
        except ValueError:
            continue
    assert len(seen) >= 2


def test_faults_come_in_their_shares_and_again_for_the_same_bytes():
    """3000 draws: each count within 4 standard errors of its share (error probability below 4 x 6e-5)."""
    faults = Faults.parse("429=0.1,cut=0.05,refusal=0.2", seed=5)

    def fates(order):
        arrivals = Arrivals(5)
        return {(n, k): faults.draw(arrivals.take(str(n).encode())) for k in range(3) for n in order}

    first = fates(range(1000))
    assert first == fates(range(999, -1, -1))
    counts = Counter(first.values())
    for name, share in (("429", 0.1), ("cut", 0.05), ("refusal", 0.2), ("", 0.65)):
        assert abs(counts[name] - 3000 * share) < 4 * (3000 * share * (1 - share)) ** 0.5


def test_a_seeded_request_is_answered_alike_every_time_and_others_vary():
    with serving() as (url, _):
        base = {"model": "mock/uniform", "messages": [{"role": "user", "content": prompt()}]}
        seeded = [asked_raw(url, {**base, "seed": 4})["choices"][0]["message"]["content"] for _ in range(8)]
        free = [asked_raw(url, base)["choices"][0]["message"]["content"] for _ in range(24)]
    assert len(set(seeded)) == 1
    assert len(set(free)) == 2


def test_policies_do_what_their_names_say():
    """400 draws each: within 4 standard errors of the stated probability."""
    se = (0.25 / 400) ** 0.5
    assert abs(chosen("mock/uniform", prompt())["a"] / 400 - 0.5) < 4 * se
    assert abs(chosen("mock/biased:0.7:M", prompt())["b"] / 400 - 0.7) < 4 * se
    assert abs(chosen("mock/biased:0.7", prompt())["a"] / 400 - 0.7) < 4 * se
    assert chosen("mock/first", prompt()) == {"a": 400}
    assert abs(chosen("mock/first:0.5", prompt())["a"] / 400 - 0.75) < 4 * se
    m, beta = 0.6, 1.2
    heard = prompt(memory=["You heard 'Q'."] * 8 + ["You heard 'M'."] * 2)
    from math import tanh

    assert abs(chosen(f"mock/majority:{beta}", heard)["a"] / 400 - 0.5 * (1 + tanh(beta * m))) < 4 * se
    counted = prompt(Q={"support": 2}, M={"support": 8})
    assert abs(chosen(f"mock/majority:{beta}", counted)["a"] / 400 - 0.5 * (1 - tanh(beta * m))) < 4 * se


def test_the_rule_policy_is_the_compiled_rule_on_the_view():
    """placebo: the rule ``listen`` follows the broadcast with probability 0.9, else tosses a coin: 0.95 in all."""
    codes = {"0": {"code": 0}, "1": {"code": 1}}
    heard = prompt(("0", "1"), scenario="placebo", fields={"signal": 1, "width": 0}, **codes)
    assert abs(chosen("anything", heard)["b"] / 400 - 0.95) < 4 * (0.95 * 0.05 / 400) ** 0.5
    assert chosen("mock/rule:listen:follow=1", heard) == {"b": 400}


@pytest.mark.parametrize(
    ("model", "text", "says"),
    [
        ("mock/unifrom", prompt(), "Did you mean 'uniform'"),
        ("mock/first:2", prompt(), "a number from 0 to 1, got '2'"),
        ("mock/rule:trust", prompt(scenario="placebo"), "not decided by rule 'trust'"),
        ("mock/rule", "<view>{]</view>", "cannot be read"),
        ("mock/rule", prompt(()), "at least one option"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(model, text, says):
    with pytest.raises(PolicyError, match=says):
        chosen(model, text, seeds=1)


@pytest.mark.parametrize("text", ["429", "429=2", "teapot=0.1", "429=0.6,cut=0.6", "cut=0.1,cut=0.1"])
def test_bad_faults_are_refused(text):
    with pytest.raises(ParameterError, match="faults: expected"):
        Faults.parse(text)


def test_a_model_without_structured_output_and_a_missing_key_are_plain_errors():
    import litellm

    with serving() as (url, _), pytest.raises(litellm.BadRequestError, match="does not support response_format"):
        finished(completion(url, model="openai/mock/unstructured", response_format=FORMAT))
    with serving(Settings(key_needed=True)) as (url, _):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            asked_raw(url, {"model": "x", "messages": [{"role": "user", "content": "hi"}]})
        assert finished(completion(url)).choices


def test_many_connections_at_once_are_all_answered():
    async def many(url):
        import aiohttp

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as session:

            async def one(n):
                body = {"model": "mock/rule", "messages": [{"role": "user", "content": prompt(memory=[str(n)])}]}
                async with session.post(f"{url}/chat/completions", json=body) as reply:
                    return (await reply.json())["choices"][0]["message"]["content"]

            return await asyncio.gather(*(one(n) for n in range(1000)))

    with serving() as (url, provider):
        answers = asyncio.run(many(url))
    assert len(answers) == 1000
    assert all(json.loads(a)["choice"] in {"a", "b"} for a in answers)
    assert provider.counts["answered"] == 1000


def test_serve_mock_says_where_it_is_ends_at_ctrl_c_and_names_a_port_in_use():
    words = [sys.executable, "-m", "experiments.cli", "serve-mock", "--port"]
    first = subprocess.Popen([*words, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = first.stdout.readline()
        url = line.split("at ")[1].split(" ")[0]
        port = url.split(":")[2].split("/")[0]
        asked_raw(url, {"model": "x", "messages": [{"role": "user", "content": prompt()}]})
        second = subprocess.run([*words, port], capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert f"expected a free port {port}" in second.stderr
        first.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, told = first.communicate(timeout=30)
        assert first.returncode == 0
        assert told == "Served 1 requests: 1 answered.\n"
        assert time.monotonic() - began < 20
    finally:
        first.kill()
        first.communicate()
