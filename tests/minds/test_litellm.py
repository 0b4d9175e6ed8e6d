"""What is relied on of LiteLLM in the versions allowed: it stays out of the way, and its traps are where they were."""

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agents.llm.provider import AGAIN, FATAL, THROTTLED, Model, Provider

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def provider():
    return Provider(Model("openai/gpt-4o-mini"))


def test_the_allowed_versions_shut_out_the_malicious_and_the_broken_ones():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert "litellm>=1.95,<1.102" in needed


def test_nothing_but_a_call_imports_it():
    code = (
        "import sys\nfrom experiments.cli import call\ncall(['--help'])\ncall(['run', '--help'])\n"
        "from experiments.plan import plan, engine_of\n"
        "engine_of(plan('placebo', until=1.0)).advance(1.0)\n"
        "assert 'litellm' not in sys.modules, 'imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_its_price_map_is_the_local_one_and_unknown_models_have_no_price(provider):
    provider.litellm  # noqa: B018
    import os

    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert 0 < provider.cost(tokens_in=1000, tokens_out=0) < 0.01
    assert provider.cost(tokens_in=1000, tokens_out=0, tokens_cached=1000) < provider.cost(tokens_in=1000, tokens_out=0)
    assert Provider(Model("openai/never-heard-of")).cost(tokens_in=1, tokens_out=1) is None
    assert (
        Provider(Model("openai/gpt-4o-mini", base_url="http://127.0.0.1:1/v1")).cost(tokens_in=1, tokens_out=1) is None
    )


def test_tools_and_its_own_cache_work_in_the_pinned_version(provider):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    library = provider.litellm
    message = [{"role": "user", "content": "hello"}]

    async def go():
        made = await library.acompletion(model="openai/gpt-4o-mini", messages=message, mock_response="hi", tools=[tool])
        library.cache = library.Cache(type="local")
        try:
            first = await library.acompletion(
                model="openai/gpt-4o-mini", messages=message, mock_response="one", caching=True
            )
            await asyncio.sleep(0.1)
            second = await library.acompletion(
                model="openai/gpt-4o-mini", messages=message, mock_response="two", caching=True
            )
        finally:
            library.cache = None
        return [r.choices[0].message.content for r in (made, first, second)]

    assert asyncio.run(go()) == ["hi", "one", "one"]


def test_each_kind_of_failure_has_a_meaning(provider):
    e = provider.litellm.exceptions
    plain = {"message": "no", "model": "m", "llm_provider": "openai"}
    cases = [
        (e.RateLimitError(**plain), THROTTLED), (e.ServiceUnavailableError(**plain), THROTTLED),
        (e.Timeout(**plain), AGAIN), (TimeoutError(), AGAIN), (e.InternalServerError(**plain), AGAIN),
        (e.APIConnectionError(**plain), AGAIN), (e.AuthenticationError(**plain), FATAL), (e.NotFoundError(**plain), FATAL),
        (e.BadRequestError(**plain), FATAL), (RuntimeError("strange"), AGAIN),
    ]  # fmt: skip
    for error, kind in cases:
        assert provider.meaning(error)[0] == kind, error
    wrong = e.BadRequestError(**{**plain, "message": "response_format is not supported"})
    assert "--structured words" in provider.meaning(wrong)[1]
    leaky = e.AuthenticationError(**{**plain, "message": "Incorrect API key provided: sk-123456789"})
    assert "sk-" not in provider.meaning(leaky)[1]
