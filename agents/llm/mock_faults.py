"""Faults on demand: what goes wrong with a request to the mock provider, drawn by key so that it can be had again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

from sim.registry import suggest
from sim.spec import ParameterError
from sim.world.oracle import bits, unit

WORDS = {
    "429": "too many requests, with retry-after",
    "500": "internal server error",
    "slow": "an answer that takes as long as --slow says",
    "cut": "the connection is cut, before the answer or in the middle of it",
    "malformed": "an answer that cannot be parsed",
    "refusal": "the model refuses",
}
NONE = ""
FAULT, KIND, SAMPLE = 1, 2, 3


@dataclass(frozen=True)
class Faults:
    """The share of requests that each fault hits; shares are of all requests and sum to at most 1."""

    shares: tuple[tuple[str, float], ...] = ()
    seed: int = 0

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> Faults:
        """Read ``429=0.05,slow=0.1``; ParameterError otherwise."""
        shares: dict[str, float] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, number = (p.strip() for p in part.partition("="))
            if name not in WORDS:
                raise ParameterError(
                    f"faults: expected one of {', '.join(WORDS)}, got '{name}'.{suggest(name, list(WORDS))}"
                )
            try:
                share = float(number)
            except ValueError:
                share = -1.0
            if not 0.0 <= share <= 1.0:
                raise ParameterError(f"faults: expected {name}=SHARE with a share from 0 to 1, got '{part}'.")
            if name in shares:
                raise ParameterError(f"faults: expected each fault once, got '{name}' twice.")
            shares[name] = share
        if sum(shares.values()) > 1.0 + 1e-9:
            raise ParameterError(f"faults: expected shares that sum to at most 1, got {sum(shares.values()):g}.")
        return cls(tuple(shares.items()), seed)

    def draw(self, request: Request) -> str:
        """The fault that hits ``request``; empty when none does."""
        rest = unit(request.stream, request.attempt, FAULT)
        for name, share in self.shares:
            rest -= share
            if rest < 0.0:
                return name
        return NONE

    def variant(self, request: Request, n: int) -> int:
        """Which of the ``n`` ways in which the fault shows."""
        return int(bits(request.stream, request.attempt, KIND)) % n


@dataclass(frozen=True)
class Request:
    """What keys the draws for a request: the stream of its body, and how often that body has come before."""

    stream: int
    attempt: int


@dataclass
class Arrivals:
    """Counts how often each body has come: a repeated request is another attempt and has another fate."""

    seed: int = 0
    seen: Counter[int] = field(default_factory=Counter)

    def take(self, body: bytes) -> Request:
        """Register one arrival of ``body``."""
        name = blake2b(body, digest_size=8, key=self.seed.to_bytes(8, "little", signed=True)).digest()
        stream = int.from_bytes(name, "little")
        attempt = self.seen[stream]
        self.seen[stream] = attempt + 1
        return Request(stream, attempt)
