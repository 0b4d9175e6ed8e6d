"""The one place where a model is called, through LiteLLM, which is imported only when a call is made."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from agents.llm.prompt import Prompt

# What a failed call means: come back later, try again, or give up the run.
THROTTLED, AGAIN, FATAL = "throttled", "again", "fatal"
_KEY = re.compile(r"(sk|pk|key|tok)[-_][A-Za-z0-9_\-*]{4,}", re.IGNORECASE)
_BEARER = re.compile(r"(bearer|api[-_ ]?key\W{1,3})\s*\S+", re.IGNORECASE)
# Status codes of gateways that waited no longer for a model that may have worked on.
_GIVEN_UP = {408, 499, 504, 524}
# Providers that are a server of one's own, at an address that the library knows where the environment names no other.
_AT_HOME = {"ollama", "ollama_chat"}
_SECRET = ("KEY", "KEY_ID", "TOKEN", "SECRET", "PASSWORD")
# What the library puts before a provider's words.
_WRAPPED = re.compile(r"^(litellm\.|\w+(Error|Exception)( - |: ))+")
# Local servers want a key that they do not check.
NO_KEY = "none"


class ProviderProblem(ValueError):
    """A model that cannot be asked as things stand; the message is one sentence without any key."""


@dataclass(frozen=True)
class Model:
    """How a model is asked.

    Attributes:
        name: ``provider/model``, as LiteLLM names it.
        base_url: Address of the server; the provider's own when None.
        temperature: None leaves it to the provider.
        max_tokens: Longest answer in tokens; also what a budget reserves for one.
        timeout: Seconds after which a call counts as failed.
        retries: How often a failed call or an unreadable reply is tried again.
        structured: ``schema`` asks for structured output, ``words`` only says in the prompt what form is wanted.
        thoughts: Ask for free thoughts before the choice; they are kept as payload.
    """

    name: str
    base_url: str | None = None
    temperature: float | None = None
    max_tokens: int = 200
    timeout: float = 60.0
    retries: int = 3
    structured: str = "schema"
    thoughts: bool = False


@dataclass(frozen=True)
class Said:
    """A model's reply as it came, and what the provider reports about it; None for tokens of which it reports nothing.

    ``cut`` is a reply that ended at the longest answer allowed.
    """

    text: str | None
    refused: bool
    model: str
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    latency: float
    cut: bool = False

    @property
    def tokens(self) -> int | None:
        """Tokens in and out; None where either is unknown."""
        return None if self.tokens_in is None or self.tokens_out is None else self.tokens_in + self.tokens_out


class Provider:
    """Asks one model. Use it in one event loop only: the clients below it belong to the loop they were made in."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @cached_property
    def litellm(self) -> Any:
        """The library, set up so that it is quiet, sends nothing home and retries nothing by itself."""
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        with warnings.catch_warnings():
            # Its models warn about themselves when they are first made.
            warnings.simplefilter("ignore")
            import litellm

            litellm.ModelResponse()
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        litellm.num_retries = 0
        for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        return litellm

    def check(self, *, money: float | None = None, key: bool = True) -> None:
        """Say what is plainly missing before anything is asked; ``money`` is the limit on US dollars, if there is one.

        Without ``key`` no key is looked for, as for an estimate.

        ProviderProblem when the name says no provider, a key is missing, the model takes no structured output, or money is
        to be limited and its price is unknown.
        """
        name, library = self.model.name, self.litellm
        try:
            _, provider, _, _ = library.get_llm_provider(name, api_base=self.model.base_url)
        except Exception:
            raise ProviderProblem(
                f"--model: expected provider/model with a provider that LiteLLM knows, as in openai/gpt-4o-mini or "
                f"ollama/llama3.2, got '{name}'."
            ) from None
        if key and self.model.base_url is None and not self._at_home:
            missing = library.validate_environment(name).get("missing_keys") or []
            if missing:
                what = "a key" if any(word.endswith(_SECRET) for word in missing) else "to know more"
                raise ProviderProblem(
                    f"model '{name}' needs {what}: set {' and '.join(missing)} in the environment, name a server of your "
                    "own with --base-url, or replay a cassette with --cassette-mode replay."
                )
        if self.model.structured == "schema":
            supported = library.get_supported_openai_params(model=name.split("/", 1)[-1], custom_llm_provider=provider)
            if supported is not None and "response_format" not in supported:
                raise ProviderProblem(self._no_schema())
        if money is not None and self.cost(tokens_in=1, tokens_out=1) is None:
            raise ProviderProblem(
                f"--budget-money: the price of model '{name}' is unknown, so money cannot be limited; limit --budget-calls or "
                "--budget-tokens instead."
            )

    def _no_schema(self, words: str = "") -> str:
        return (
            f"model '{self.model.name}' takes no structured output; choose another one, or ask in words with "
            f"--structured words{_said(words)}."
        )

    @cached_property
    def options(self) -> dict[str, Any]:
        """What is the same in every call."""
        m, made = self.model, {"model": self.model.name, "timeout": self.model.timeout, "max_retries": 0}
        provider = self.litellm.get_llm_provider(m.name, api_base=m.base_url)
        allowed = self.litellm.get_supported_openai_params(model=provider[0], custom_llm_provider=provider[1]) or []
        made |= {"max_tokens": m.max_tokens} if "max_tokens" in allowed else {}
        made |= {"temperature": m.temperature} if m.temperature is not None else {}
        if m.base_url is not None:
            made["api_base"] = m.base_url
            if provider[1] == "openai" and not os.environ.get("OPENAI_API_KEY"):
                made["api_key"] = NO_KEY
        self._seeded = "seed" in allowed
        return made

    async def ask(self, prompt: Prompt, *, seed: int) -> Said:
        """One call; raises whatever the library raises, see ``meaning``."""
        options = self.options
        extra: dict[str, Any] = {"seed": seed} if self._seeded else {}
        if self.model.structured == "schema":
            extra["response_format"] = prompt.schema
        began = time.perf_counter()
        # Some transports know no timeout of their own.
        async with asyncio.timeout(self.model.timeout + 1.0):
            reply = await self.litellm.acompletion(messages=prompt.messages, **options, **extra)
        latency = time.perf_counter() - began
        choice = reply.choices[0] if reply.choices else None
        message = choice.message if choice is not None else None
        text = getattr(message, "content", None)
        tokens_in, tokens_out, tokens_cached = _usage(getattr(reply, "usage", None), text)
        # The library keeps what it does not know itself, refusals among it, in a field of its own.
        own = getattr(message, "provider_specific_fields", None) or {}
        refusal = getattr(message, "refusal", None) or own.get("refusal")
        refused = bool(refusal) or getattr(choice, "finish_reason", "") == "content_filter"
        return Said(
            text=text,
            refused=refused,
            model=str(reply.model or self.model.name),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_cached=tokens_cached,
            latency=latency,
            cut=getattr(choice, "finish_reason", "") == "length",
        )

    def meaning(self, error: Exception) -> tuple[str, str, float | None]:
        """What a failed call means: THROTTLED, AGAIN or FATAL; a short word or, for FATAL, a sentence; seconds to wait."""
        e, m = self.litellm.exceptions, self.model
        where = shown_url(m.base_url) if m.base_url else "the provider's address"
        words, status = own_words(error), getattr(error, "status_code", None)
        if isinstance(error, e.AuthenticationError | e.PermissionDeniedError):
            return (
                FATAL,
                f"model '{m.name}': {where} refused the key; check the key in the environment{_said(words)}.",
                None,
            )
        if status == 402 or _facts(error) & {"insufficient_quota"}:
            return FATAL, f"model '{m.name}': {where} answers no more without credit or quota{_said(words)}.", None
        # Some 404 come as a bad request.
        if isinstance(error, e.NotFoundError) or status == 404:
            sentence = (
                f"model '{m.name}': {where} does not know this model; check --model and --base-url{_said(words)}."
            )
            return FATAL, sentence, None
        if isinstance(error, e.RateLimitError):
            return THROTTLED, "rate limited", retry_after(error)
        if isinstance(error, e.Timeout | TimeoutError):
            return AGAIN, "timeout", None
        if isinstance(error, e.BadRequestError | e.UnsupportedParamsError):
            if isinstance(error, e.ContentPolicyViolationError):
                return AGAIN, "refused", None
            told = {"response_format", "json_schema"}
            if m.structured == "schema" and (_facts(error) & told or any(word in words for word in told)):
                return FATAL, self._no_schema(words), None
            return FATAL, f"model '{m.name}': {where} refused the request{_said(words)}.", None
        if isinstance(error, e.ServiceUnavailableError):
            return THROTTLED, "unavailable", retry_after(error)
        # A refused connection comes as a server error whose message is all that tells.
        if isinstance(error, e.APIConnectionError) or "Connection error" in str(error):
            return AGAIN, "connection", None
        if isinstance(error, e.InternalServerError | e.APIError):
            return AGAIN, "server error", retry_after(error)
        return AGAIN, type(error).__name__, None

    @cached_property
    def _at_home(self) -> bool:
        return self.model.name.split("/", 1)[0] in _AT_HOME

    @cached_property
    def prices(self) -> tuple[float, float, float] | None:
        """US dollars for a token in, out and read from the provider's cache; None where the price map has no such model."""
        try:
            info = self.litellm.get_model_info(self.model.name)
        except Exception:  # the library raises a plain Exception for a model it does not know
            return None
        tokens_in, tokens_out = info.get("input_cost_per_token"), info.get("output_cost_per_token")
        if tokens_in is None or tokens_out is None:
            return None
        cached = info.get("cache_read_input_token_cost")
        return float(tokens_in), float(tokens_out), float(tokens_in if cached is None else cached)

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt as the library's own tokenizer counts them: an estimate, providers count in their own way."""
        return int(self.litellm.token_counter(model=self.model.name, messages=prompt.messages))

    def cost(self, *, tokens_in: int | None, tokens_out: int | None, tokens_cached: int | None = 0) -> float | None:
        """US dollars for so many tokens; None where they or the price are unknown, as that of a server of one's own is."""
        if (
            self.model.base_url is not None
            or self._at_home
            or self.prices is None
            or tokens_in is None
            or tokens_out is None
        ):
            return None
        dear, out, cheap = self.prices
        cached = tokens_cached or 0
        return (tokens_in - cached) * dear + cached * cheap + tokens_out * out

    async def close(self) -> None:
        """Close the clients of this loop."""
        closing = getattr(self.litellm, "close_litellm_async_clients", None)
        if closing is not None:
            await closing()


def _usage(usage: Any, text: str | None) -> tuple[int | None, int | None, int | None]:
    """Tokens in, out and cached as reported; the library fills in 0 where nothing is, and no prompt or text has none."""
    tokens_in = getattr(usage, "prompt_tokens", None) or None
    tokens_out = getattr(usage, "completion_tokens", None)
    if not tokens_out and (text or tokens_in is None):
        tokens_out = None
    return tokens_in, tokens_out, getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)


def took_nothing(error: BaseException | None) -> bool:
    """True when a failed call surely used no tokens: it was answered with an error, or the server was never reached."""
    while error is not None:
        names = {kind.__name__ for kind in type(error).__mro__}
        if "HTTPStatusError" in names:
            return getattr(getattr(error, "response", None), "status_code", None) not in _GIVEN_UP
        if names & {"ConnectError", "ConnectTimeout", "ClientConnectorError"}:
            return True
        error = error.__cause__ or error.__context__
    return False


def own_words(error: Exception) -> str:
    """What the provider says of a failed call, without keys and at most 200 letters; empty where it says nothing."""
    said = _body(error).get("message")
    text = said if isinstance(said, str) else _WRAPPED.sub("", str(error))
    return without_keys(text)[:200].strip().rstrip(".")


def _said(words: str) -> str:
    return f" (it says: {words})" if words else ""


def _facts(error: BaseException) -> set[str]:
    """The short words in which a provider names a failure and the parameter it is about."""
    body = _body(error)
    return {value for name in ("code", "type", "param") if isinstance(value := body.get(name), str)}


def _body(error: BaseException | None) -> dict[str, Any]:
    """The error as the provider sent it; empty where it is not known."""
    while error is not None:
        body = getattr(error, "body", None)
        if isinstance(body, dict):
            inner = body.get("error", body)
            return inner if isinstance(inner, dict) else body
        error = error.__cause__ or error.__context__
    return {}


def retry_after(error: Exception) -> float | None:
    """Seconds that the provider asks to wait, from its headers; None where it does not say."""
    response = getattr(error, "response", None)
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, TypeError, ValueError):
            continue
    return None


def without_keys(text: str) -> str:
    """``text`` without anything that is or looks like a key."""
    for name, value in os.environ.items():
        if len(value) >= 8 and name.upper().endswith(_SECRET):
            text = text.replace(value, "***")
    return _BEARER.sub("***", _KEY.sub("***", " ".join(text.split())))


def shown_url(url: str) -> str:
    """``url`` without user, password and query, which may hold a key."""
    parts = urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
