"""Mind card: how a mind decides when alone, how it answers to others, and what else moves it, with intervals.

Alone: probes without a memory. Others: probes with a memory of so many acts, k of which took one of two options. Order and
label: the probes alone with the options listed otherwise, and with the words of the two options exchanged. Where words are
invented nobody can take one that it has not heard: nothing is weighed alone, every memory tells of both words, and order and
label are read where it tells of both alike.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from agents.table_mind import Z, wilson
from experiments.mind_probes import NEW, Maker, Stage, order_shown, swapped
from sim.record.log import Log
from sim.record.store import empty_events
from sim.spec import ParameterError
from sim.world.batches import Asker
from sim.world.due import Answer, Due
from sim.world.view import NO_CHOICE

SCHEMA_VERSION = 1
# Stands for every word that was made up, among the things chosen alone.
NEW_CODE = -1
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Reading:
    """One figure: value, 95 % bounds, what chance alone gives, how many answers it rests on, in what unit."""

    value: float | None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    n: int = 0
    unit: str = ""
    note: str = ""


@dataclass(frozen=True)
class Level:
    """Answers at one level of support: ``first`` of ``many`` remembered acts took the first option."""

    first: int
    many: int
    taken: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Card:
    """The card of a mind; ``readings`` by name, ``alone`` by option, ``levels`` of the answer to others."""

    mind: str
    scenario: str
    samples: int
    seed: int
    options: tuple[str, str]
    readings: dict[str, Reading]
    alone: tuple[dict[str, Any], ...]
    levels: tuple[Level, ...]
    asked: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The card as JSON data."""
        return {"schema_version": SCHEMA_VERSION, "what": "mind card", **asdict(self)}


@dataclass(frozen=True)
class Answers:
    """What came back for a list of probes."""

    dues: Sequence[Due]
    answers: Sequence[Answer]
    seconds: float

    def codes(self) -> list[int | None]:
        """Option codes; None for a decision that could not be had."""
        return [None if a.option == NO_CHOICE else a.option for a in self.answers]


def card(
    make: Maker, place: Stage, *, name: str, samples: int = 200, heard: Sequence[int] = (5,), seed: int = 0,
    reads: bool = True, progress: Progress | None = None,
) -> Card:  # fmt: skip
    """Measure a mind.

    Args:
        make: Makes the mind for a scenario; the same mind for one whose words were exchanged.
        place: Where probes come from.
        name: What the mind is called.
        samples: Probes for each figure and each level.
        heard: How many acts a memory tells, one or several sizes.
        seed: Seed of probes and draws.
        reads: Whether the mind reads words; others have no order and no label effect.
        progress: Called with (done, total, what).
    """
    say = progress or (lambda _d, _t, _w: None)
    total = samples * (2 + place.invented + sum(len(_supports(place, m)) for m in heard))
    mind = make(place.scenario)
    said: list[Answers] = []

    def asked(dues: Sequence[Due], what: str, *, of: Asker = mind) -> Answers:
        say(sum(len(s.dues) for s in said), total, what)
        began = time.perf_counter()
        said.append(Answers(dues, of.ask(dues).result(), time.perf_counter() - began))
        return said[-1]

    try:
        alone = asked([place.probe(i, seed=seed) for i in range(samples)], "asking it alone")
        levels = []
        for many in heard:
            for k in _supports(place, many):
                base = seed + 1000 * many + k + 1
                dues = [place.probe(i, heard=place.shuffled(k, many, i, seed=base), seed=base) for i in range(samples)]
                levels.append(
                    _level(place, k, many, asked(dues, f"{k} of {many} others took the first option").codes())
                )
        even = alone
        if place.invented:
            dues = [place.even(i, acts=heard[0], seed=seed) for i in range(samples)]
            even = asked(dues, "asking it where both words were heard alike")
        readings = _alone(place, alone) | _response(levels) | _inventing(place, even)
        readings |= _order(place, mind, even) if reads else _unread("order_effect", "it sees no order")
        ledger = mind.beside(Log(events=empty_events())).ledger
    finally:
        mind.close()
    if reads and place.named:
        other = make(swapped(place.scenario, place.pair))
        try:
            dues = [place.even(i, acts=heard[0], seed=seed + 7) for i in range(samples)]
            turned = asked(dues, "exchanging the words", of=other)
            more = other.beside(Log(events=empty_events())).ledger
        finally:
            other.close()
        readings |= _label(place, even, turned)
        ledger = ledger if more is None or ledger is None else pl.concat([ledger, more])
    else:
        readings |= _unread(
            "label_effect", "it reads no words" if not reads else "neighbours are numbered anew each time"
        )
    readings |= _costs(said, ledger)
    words = _words(place)
    shares = _shares(place, alone)
    return Card(
        name, place.scenario.name, samples, seed, (words[place.pair[0]], words[place.pair[1]]), readings, shares,
        tuple(levels), _calls(ledger),
    )  # fmt: skip


def _supports(place: Stage, many: int) -> range:
    """How many of the acts that are remembered may have taken the first option.

    Who heard one of two invented words only cannot take the other one: that it does not says nothing about others' force.
    """
    if not place.invented:
        return range(many + 1)
    if many < 3:
        raise ParameterError(
            f"card: words are invented here, and a memory has to tell of both; expected 3 acts or more (--heard), got {many}."
        )
    return range(1, many)


def _words(place: Stage) -> dict[int, str]:
    return {c.code: c.words for c in place.choices(place.even(0, acts=2))}


def _shares(place: Stage, alone: Answers) -> tuple[dict[str, Any], ...]:
    """What an isolated mind chooses, option by option, with the share that chance would give; all new words are one."""
    chance: Counter[int] = Counter()
    words: dict[int, str] = {}
    counts: Counter[int] = Counter()
    for due, chosen in zip(alone.dues, alone.codes(), strict=True):
        choices = place.choices(due)
        new = {c.code for c in choices if NEW in c.features}
        for c in choices:
            code = NEW_CODE if c.code in new else c.code
            chance[code] += 1 / len(choices)  # type: ignore[assignment]
            words[code] = c.words
        if chosen is not None:
            counts[NEW_CODE if chosen in new else chosen] += 1
    n = counts.total()
    made = []
    for code in sorted(chance, key=lambda c: (-counts[c], c)):
        low, high = wilson(counts[code], n)
        share = counts[code] / n if n else None
        made.append(
            {"code": code, "words": words[code], "n": counts[code], "share": share, "low": low, "high": high,
             "chance": chance[code] / len(alone.dues)}
        )  # fmt: skip
    return tuple(made)


def _alone(place: Stage, alone: Answers) -> dict[str, Reading]:
    """The share of the first of the two options when alone, and the field that stands for it."""
    if place.invented:
        none = Reading(
            None, unit="share", note="not defined: words are invented, and who has heard none knows none of the two"
        )
        return {"solo_share": none, "solo_bias": replace(none, unit="field h")}
    codes = [c for c in alone.codes() if c in place.pair]
    n, first = len(codes), sum(c == place.pair[0] for c in codes)
    if n == 0:
        none = Reading(None, note="neither of the two options was ever chosen")
        return {"solo_share": none, "solo_bias": none}
    low, high = wilson(first, n)
    bound = [0.5 * math.log(s / (1 - s)) if 0 < s < 1 else None for s in (first / n, low, high)]
    return {
        "solo_share": Reading(first / n, low, high, 0.5, n, "share", "first option of the two, when alone"),
        "solo_bias": Reading(bound[0], bound[1], bound[2], 0.0, n, "field h", "share = (1 + tanh h) / 2"),
    }


def _inventing(place: Stage, even: Answers) -> dict[str, Reading]:
    """How often a new word is made up by who has heard both of the two; nothing where words cannot be invented."""
    if not place.invented:
        return {}
    known = [c for c in even.codes() if c is not None]
    if not known:
        return {"inventing": Reading(None, unit="share", note="no decision could be had")}
    new = sum(c not in place.pair for c in known)
    low, high = wilson(new, len(known))
    note = "a new word although both were heard; the answers to others leave new words out"
    return {"inventing": Reading(new / len(known), low, high, 1 / 3, len(known), "share", note)}


def _level(place: Stage, first: int, many: int, codes: Sequence[int | None]) -> Level:
    weighed = [c for c in codes if c in place.pair]
    taken, n = sum(c == place.pair[0] for c in weighed), len(weighed)
    low, high = wilson(taken, n)
    return Level(first, many, taken, n, taken / n if n else math.nan, low, high)


def _response(levels: Sequence[Level]) -> dict[str, Reading]:
    """Majority force, coupling for each neighbour, and the effect of one neighbour's act, for each size of memory."""
    made: dict[str, Reading] = {}
    sizes = sorted({level.many for level in levels})
    for many in sizes:
        mine = [level for level in levels if level.many == many and level.n]
        suffix = "" if len(sizes) == 1 else f"_{many}"
        n = sum(level.n for level in mine)
        fit = majority_force(mine)
        note = "P(first) = (1 + tanh(beta m + h)) / 2, m from -1 to 1"
        if fit is None:
            held = Reading(
                None, None, None, 0.0, n, "beta", "it follows without exception, or never decides between them"
            )
            made |= {f"majority_force{suffix}": held, f"coupling{suffix}": held}
        else:
            beta, se = fit
            reach = Z * se
            made[f"majority_force{suffix}"] = Reading(beta, beta - reach, beta + reach, 0.0, n, "beta", note)
            per = Reading(
                beta / many, (beta - reach) / many, (beta + reach) / many, 0.0, n, "J", "force of one act: beta / n"
            )
            made[f"coupling{suffix}"] = per
        made[f"one_more{suffix}"] = _one_more(mine, many)
    return made


def majority_force(levels: Sequence[Level]) -> tuple[float, float] | None:
    """Beta and its standard error by maximum likelihood of logit P = 2 (beta m + h); None when there is no maximum."""
    m = np.array([2 * level.first / level.many - 1 for level in levels])
    y = np.array([level.taken for level in levels], float)
    n = np.array([level.n for level in levels], float)
    if len(levels) < 2 or y.sum() in (0.0, n.sum()):
        return None
    x = 2 * np.column_stack([m, np.ones_like(m)])
    w = np.zeros(2)
    information = np.eye(2)
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        information = x.T @ (x * (n * p * (1 - p))[:, None])
        if np.linalg.cond(information) > 1e10:
            return None
        step = np.linalg.solve(information, x.T @ (y - n * p))
        w += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    if abs(w[0]) > 12:
        return None
    return float(w[0]), float(np.sqrt(np.linalg.inv(information)[0, 0]))


def _one_more(levels: Sequence[Level], many: int) -> Reading:
    """How much likelier an option gets when one of the others takes it instead of the other one, near an even split."""
    low = next((v for v in levels if v.first == many // 2), None)
    high = next((v for v in levels if v.first == many // 2 + 1), None)
    if low is None or high is None:
        return Reading(None, note="too few answers")
    effect = high.share - low.share
    se = math.sqrt(sum(max(v.share * (1 - v.share), 0.25 / v.n) / v.n for v in (low, high)))
    note = f"from {low.first} to {high.first} of {many}"
    return Reading(effect, effect - Z * se, effect + Z * se, 0.0, low.n + high.n, "probability (gamma)", note)


def _order(place: Stage, mind: Asker, even: Answers) -> dict[str, Reading]:
    """How much oftener than by chance the option listed first is taken."""
    hits, chance, n = 0, 0.0, 0
    for due, code in zip(even.dues, even.codes(), strict=True):
        choices = place.choices(due)
        order = order_shown(mind, due, choices)
        if code is None or order is None:
            continue
        n += 1
        chance += 1 / len(choices)
        hits += choices[order[0]].code == code
    if n == 0:
        return _unread("order_effect", "it sees no order")
    low, high = wilson(hits, n)
    rest = chance / n
    note = "share of the option listed first, less chance"
    return {"order_effect": Reading(hits / n - rest, low - rest, high - rest, 0.0, n, "share", note)}


def _label(place: Stage, even: Answers, turned: Answers) -> dict[str, Reading]:
    """How far the share of an option moves when the words of the two are exchanged."""
    shares = []
    for said in (even, turned):
        codes = [c for c in said.codes() if c in place.pair]
        if not codes:
            return {"label_effect": Reading(None, note="neither of the two options was ever chosen")}
        shares.append((sum(c == place.pair[0] for c in codes) / len(codes), len(codes)))
    (a, n), (b, m) = shares
    se = math.sqrt(max(a * (1 - a), 0.25 / n) / n + max(b * (1 - b), 0.25 / m) / m)
    note = "share of the first option, less its share under the other's words"
    return {"label_effect": Reading(a - b, a - b - Z * se, a - b + Z * se, 0.0, n + m, "share", note)}


def _unread(name: str, note: str) -> dict[str, Reading]:
    return {name: Reading(None, chance=0.0, unit="share", note=note)}


def _costs(said: Sequence[Answers], ledger: pl.DataFrame | None) -> dict[str, Reading]:
    """Decisions that could not be had, and what one costs in time, tokens and money."""
    n = sum(len(s.answers) for s in said)
    lost = sum(a.option == NO_CHOICE for s in said for a in s.answers)
    low, high = wilson(lost, n)
    made = {"lost": Reading(lost / n, low, high, 0.0, n, "share of decisions", "censored after all retries")}
    if ledger is None or ledger.filter(pl.col("attempt") > 0).height == 0:
        seconds = sum(s.seconds for s in said) / n
        made["latency"] = Reading(seconds, n=n, unit="s per decision", note="computed here, without calls")
        made["cost"] = Reading(0.0, n=n, unit="USD per decision", note="no calls")
        return made
    calls = ledger.filter(pl.col("attempt") > 0)
    bad = int(calls["status"].is_in(["unreadable", "cut short", "refused"]).sum())
    low, high = wilson(bad, calls.height)
    made["parse_failures"] = Reading(
        bad / calls.height, low, high, 0.0, calls.height, "share of calls", "unreadable, cut short or refused"
    )
    waits = calls["latency"].drop_nulls()
    if len(waits):
        made["latency"] = Reading(
            float(waits.median()), float(waits.quantile(0.025)), float(waits.quantile(0.975)), None, len(waits),  # type: ignore[arg-type]
            "s per call", "median; bounds hold 95 % of calls",
        )  # fmt: skip
    answered = calls.filter(pl.col("latency").is_not_null())
    made["tokens"] = (
        Reading(None, n=n, unit="tokens per decision", note="unknown: the provider reports none")
        if answered["tokens_in"].null_count()
        else Reading(
            (float(calls["tokens_in"].sum()) + float(calls["tokens_out"].sum())) / n, n=n, unit="tokens per decision"
        )
    )
    unknown = answered["cost"].null_count() > 0
    made["cost"] = (
        Reading(None, n=n, unit="USD per decision", note="unknown: no price for this model")
        if unknown
        else Reading(float(calls["cost"].sum()) / n, n=n, unit="USD per decision")
    )
    return made


def _calls(ledger: pl.DataFrame | None) -> dict[str, Any]:
    if ledger is None:
        return {"calls": 0}
    calls = ledger.filter(pl.col("attempt") > 0)
    status = dict(sorted(calls["status"].value_counts().iter_rows()))
    return {"calls": calls.height, "status": status}
