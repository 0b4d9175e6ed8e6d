"""Influence: what one agent does foretells what another does next, and neither messages nor signals on record explain it.

Two questions. Hidden influence is inferred from series: conditional Granger causality (``granger.fit``) less message
paths (``paths.reached``). Stigmergy is read off exactly: A writes an artefact, B reads it before anybody else writes it
(``artefacts.channels``); what is tested there is only whether readers come back to what the same writers left. A driver
that is not on record is called a possible confounder in the ledger, and never influence.

Statistics: ``surprise`` of the most surprising pair (against NI) and ``returning`` of readers to writers (against NU).
Definition of the dependence: F of one agent's lags in a regression on its own past, all others' news, shared signals and
slow waves. Low: nobody's past helps; high: somebody's does. Fooled by: a driver off the record (called a possible
confounder), lags beyond those tried. Sources: Granger 1969, Econometrica 37:424; Geweke 1984, J. Am. Stat. Assoc. 79:907
(conditional); Barnett, Barrett, Seth 2009 (equal to transfer entropy for Gaussians); Simes 1986.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.detectors.artefacts import Channels, channels, uses_of
from sim.detectors.core import Candidate, Claim, Detector, Minimum, Portrait, Words, detectors
from sim.detectors.foretelling import (
    Foreseen,
    Foretold,
    Ready,
    confirmed,
    first_ready,
    foretold,
    of_name,
    pair_values,
    redrawn_times,
    strongest,
    together,
)
from sim.detectors.granger import partial_products
from sim.detectors.nulls import Null, add
from sim.detectors.window import Bools, Floats, Ints, Window

FORETOLD = "some agents' past foretells others, given everything else on record and no message between them"
RETURNS = "readers come back to what the same writers left"
SERIES, ARTEFACTS = 0, 1  # keys of the two candidates
LEAST_USES = 12  # readings of what another wrote
CONTROLS = 6  # pairs without a link that each link is followed among
MOST_CHANNELS = 400
NAMED = 3  # links named in a sentence


@dataclass(frozen=True)
class Uses:
    """Readings of what another agent had written, each once: agent numbers, shape (readings,)."""

    n: int
    writer: Ints
    reader: Ints


def exchange_readers(sample: Uses, rng: np.random.Generator) -> Uses:
    """NU: give the readings to the writers in random order, never an agent its own."""
    reader = rng.permutation(sample.reader)
    for _ in range(50):
        own = np.flatnonzero(reader == sample.writer)
        if len(own) == 0:
            break
        for k in own.tolist():
            other = int(rng.integers(0, len(reader)))
            if reader[other] != sample.writer[k] and reader[k] != sample.writer[other]:
                reader[k], reader[other] = reader[other], reader[k]
    return replace(sample, reader=reader)


add(
    Null(
        "NU",
        "who writes and who reads how often",
        "whose writing a reader reads",
        "readers come back to the same writers",
        Uses,
        exchange_readers,
    )
)


def _refuses(window: Window) -> str:
    if len(uses_of(window)[0]) >= LEAST_USES:
        return ""
    found = first_ready(window)
    return found if isinstance(found, str) else ""


def _propose(window: Window, note: Callable[[str], None]) -> list[Candidate]:
    made = [c for c in (_of_series(window, note), _of_artefacts(window)) if c is not None]
    return made


def _of_series(window: Window, note: Callable[[str], None]) -> Candidate | None:
    """Who foretells whom in the first series that are long enough."""
    ready = first_ready(window)
    if isinstance(ready, str):
        note(f"hidden influence was not looked for: {ready}")
        return None
    for sentence in ready.left_out:
        note(f"{ready.name}: {sentence}")
    found = foretold(window, ready)
    if isinstance(found, str):
        note(f"hidden influence was not looked for: {found}")
        return None
    members = np.flatnonzero(found.link.any(axis=0) | found.link.any(axis=1))
    ends = [(int(found.agents[a]), int(found.agents[b])) for a, b in np.argwhere(found.link)]
    detail = {"found": found, "ready": ready, "window": window, "p": together(found)}
    return Candidate(
        f"hidden, in {ready.name}",
        SERIES,
        tuple(int(a) for a in found.agents[members]),
        (frozenset(ends),),
        detail,
        _doubts(window, found),
    )


def _doubts(window: Window, found: Foretold) -> str:
    """Why what was seen is no influence, in words, or an empty string."""
    doubtful = np.argwhere(found.confounded)
    if len(doubtful) and not found.link.any():
        names = ", ".join(
            f"{window.agents[found.agents[a]]} and {window.agents[found.agents[b]]}" for a, b in doubtful[:NAMED]
        )
        return (
            f"possible confounder: the past of {len(doubtful)} pairs helps to foretell, but what is new in them at the same "
            f"time is alike too ({names}), so a driver off the record, or influence faster than the readings, may be "
            "behind it; only an intervention can tell"
        )
    if found.unknown:
        return f"possible confounder: everybody reads {found.unknown[0]}, and the log does not say what it held"
    return ""


def _of_artefacts(window: Window) -> Candidate | None:
    """Who reads what others wrote."""
    if len(uses_of(window)[0]) < LEAST_USES:
        return None
    found = channels(window)
    members = np.unique(np.concatenate([found.writer, found.reader]))
    ends = frozenset(zip(found.writer.tolist(), found.reader.tolist(), strict=True))
    return Candidate("through artefacts", ARTEFACTS, tuple(members.tolist()), (ends,), {"channels": found})


def _foreseen(_window: Window, candidates: Sequence[Candidate]) -> Foreseen | None:
    """The pairs' p-values; None for a redrawn record, whose times no p-value is made for."""
    found = [c for c in candidates if c.key == SERIES]
    if not found or _window is not found[0].detail["window"]:
        return None
    return Foreseen(pair_values(found[0].detail["found"]))


def surprise(sample: Foreseen, candidates: Sequence[Candidate]) -> Floats:
    """How surprising the most surprising pair is, -log10 of its p-value.

    Range: [0, inf). Chance level: log10(m) + 0.25 for m pairs. Null: NI; p of the claim is Simes' over all pairs.
    """
    return np.full(len(candidates), -np.log10(max(float(sample.p.min(initial=1.0)), 1e-300)))


def _simes(_sample: Foreseen, candidates: Sequence[Candidate]) -> Floats:
    return np.array([float(c.detail["p"]) for c in candidates])


def _used(window: Window, _candidates: Sequence[Candidate]) -> Uses | None:
    writer, reader = uses_of(window)
    return Uses(window.n, writer, reader) if len(writer) else None


def returning(sample: Uses, candidates: Sequence[Candidate]) -> Floats:
    """Probability that two readings, drawn at random, are by the same reader of the same writer.

    Formula: sum of c (c - 1) over pairs, over R (R - 1), c the readings of a pair and R all. Range: [0, 1]. Low when
    everybody reads everybody, high when each reader has its writer. Chance level: that of the null NU. Fooled by: agents
    that work at different hours, so the claim that it lasts is needed too.
    """
    count = np.bincount(sample.writer * sample.n + sample.reader).astype(np.float64)
    total = float(count.sum())
    value = float((count * (count - 1.0)).sum()) / max(total * (total - 1.0), 1.0)
    return np.full(len(candidates), value)


def _concludes(candidate: Candidate, beaten: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    claim = FORETOLD if candidate.key == SERIES else RETURNS
    return ("influence", (claim,)) if claim in beaten else None


def _obvious(candidate: Candidate) -> tuple[str, tuple[str, ...]] | None:
    """That an agent read what another wrote is on record; whether it matters is not."""
    return ("influence", (RETURNS,)) if candidate.key == ARTEFACTS else None


def _frames(parts: Sequence[Window], candidate: Candidate, _whole: Window) -> tuple[NDArray[Any], Ints, bool]:
    if candidate.key == ARTEFACTS:
        return _channel_frames(parts, candidate)
    return _link_frames(parts, candidate)


def _channel_frames(parts: Sequence[Window], candidate: Candidate) -> tuple[NDArray[Any], Ints, bool]:
    """Readings of each channel in each window beyond what writers and readers have in them; N4 exchanges channels."""
    found: Channels = candidate.detail["channels"]
    writer, reader = found.writer[:MOST_CHANNELS], found.reader[:MOST_CHANNELS]
    frames = np.zeros((len(parts), len(writer)))
    for k, part in enumerate(parts):
        wrote, read = uses_of(part)
        count = np.zeros((part.n, part.n))
        np.add.at(count, (wrote, read), 1.0)
        given, taken = count.sum(axis=1), count.sum(axis=0)
        frames[k] = count[writer, reader] - given[writer] * taken[reader] / max(count.sum(), 1.0)
    return frames, np.zeros(len(writer), dtype=np.int64), False


def _link_frames(parts: Sequence[Window], candidate: Candidate) -> tuple[NDArray[Any], Ints, bool]:
    """Partial products of the links and of CONTROLS other pairs for each, mean in each window; N4 exchanges pairs."""
    found: Foretold = candidate.detail["found"]
    start = np.array([part.span[0] for part in parts[1:]])
    window = np.searchsorted(start, found.times[found.model.rows], side="right")
    columns = []
    for taker in np.flatnonzero(found.link.any(axis=0)).tolist():
        products, others = partial_products(found.model, found.fit, taker)
        lag = strongest(found)[0][others, taker] - 1
        mine = products[np.arange(len(others)) * found.model.order.others + lag]
        linked = found.link[others, taker]
        rest = np.flatnonzero(~linked)[: CONTROLS * int(linked.sum())]
        columns.append(mine[np.concatenate([np.flatnonzero(linked), rest])])
    values = np.concatenate(columns) if columns else np.zeros((0, len(window)))
    frames = np.zeros((len(parts), len(values)))
    for k in np.unique(window).tolist():
        # Evidence adds up: a window with twice the readings counts twice as much.
        frames[k] = values[:, window == k].sum(axis=1)
    return frames, np.zeros(len(values), dtype=np.int64), False


def _retained(candidate: Candidate, damaged: Window) -> float:
    """Share of the links found again; of channels, the share of their readings that is left among those still there."""
    if candidate.key == ARTEFACTS:
        found: Channels = candidate.detail["channels"]
        again = channels(damaged)
        kept = set(zip(again.writer.tolist(), again.reader.tolist(), strict=True))
        left = [
            c
            for w, r, c in zip(found.writer.tolist(), found.reader.tolist(), found.count.tolist(), strict=True)
            if (w, r) in kept
        ]
        return float(sum(left)) / float(found.count.sum())
    seen: Foretold = candidate.detail["found"]
    whole: Window = candidate.detail["window"]
    ready: Ready | None = of_name(damaged, seen.name)
    if damaged.rows == whole.rows:
        ready = redrawn_times(candidate.detail["ready"], whole, damaged)
    return 0.0 if ready is None else confirmed(seen, ready)


def _portrait(window: Window, candidate: Candidate, kind: str) -> Portrait:
    if candidate.key == ARTEFACTS:
        return _of_channels(window, candidate, kind)
    found: Foretold = candidate.detail["found"]
    gives, takes = found.link.any(axis=1), found.link.any(axis=0)
    roles = {
        "influences": found.agents[gives & ~takes],
        "is influenced": found.agents[takes & ~gives],
        "both": found.agents[gives & takes],
    }
    facts = {
        "kind": kind,
        "about": found.name,
        "links": _links(window, found),
        "possible confounders": _named(window, found, found.confounded),
        "told by messages": _named(window, found, found.told),
        "common news": found.common,
    }
    members = found.agents[gives | takes]
    return Portrait(members, {r: a for r, a in roles.items() if len(a)}, _read(window, found), facts)


def _links(window: Window, found: Foretold) -> list[dict[str, Any]]:
    """The links, the surest first: source, target, lag in readings, effect in standard deviations, p and how."""
    lag, effect = strongest(found)
    ends = np.argwhere(found.link)
    order = np.argsort(found.p[found.link], kind="stable")
    return [
        {
            "source": window.agents[found.agents[a]],
            "target": window.agents[found.agents[b]],
            "lag": int(lag[a, b]),
            "effect": float(effect[a, b]),
            "p": float(found.p[a, b]),
            "how": "through artefacts" if found.through[a, b] else "hidden",
        }
        for a, b in ends[order].tolist()
    ]


def _named(window: Window, found: Foretold, asked: Bools) -> list[tuple[Any, Any]]:
    return [(window.agents[found.agents[a]], window.agents[found.agents[b]]) for a, b in np.argwhere(asked).tolist()]


def _read(window: Window, found: Foretold) -> Bools:
    """Readings of artefacts by those who are influenced through them."""
    takers = found.agents[found.through.any(axis=0)]
    return np.asarray(window.of_class("reads") & np.isin(window.source, takers))


def _of_channels(window: Window, candidate: Candidate, kind: str) -> Portrait:
    found: Channels = candidate.detail["channels"]
    members = np.array(candidate.members, dtype=np.int64)
    writes, reads = np.isin(members, found.writer), np.isin(members, found.reader)
    roles = {"writes": members[writes & ~reads], "reads": members[reads & ~writes], "both": members[writes & reads]}
    facts = {
        "kind": kind,
        "about": "artefacts",
        "links": [
            {
                "source": window.agents[w],
                "target": window.agents[r],
                "readings": int(c),
                "artefacts": int(a),
                "delay": float(d),
                "how": "through artefacts",
            }
            for w, r, c, a, d in zip(found.writer, found.reader, found.count, found.artefacts, found.delay, strict=True)
        ][:MOST_CHANNELS],
    }
    rows = np.asarray(window.of_class("reads") | window.of_class("writes"))
    return Portrait(members, {r: a for r, a in roles.items() if len(a)}, rows, facts)


def _words(candidate: Candidate, _kind: str, portrait: Portrait) -> Words:
    named = portrait.facts["links"]
    few = "; ".join(f"{link['source']} on {link['target']}{_amount(link)}" for link in named[:NAMED])
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    if candidate.key == ARTEFACTS:
        return Words(
            "readers depend on what certain writers leave",
            f"agents read what the same others wrote: {few}{more}",
            "readers who read anybody's writing alike, or who go on as before when the writer is muted",
        )
    text = f"agents influence others beyond messages, in {portrait.facts['about']}: {few}{more}"
    if portrait.facts["possible confounders"]:
        text += f"; {len(portrait.facts['possible confounders'])} further pairs may have a common driver off the record"
    return Words(
        "agents influence others beyond messages",
        text,
        "others going on as before when the influencing agent is muted, or a driver off the record that reaches it first",
    )


def _amount(link: dict[str, Any]) -> str:
    if "readings" in link:
        return f" ({link['readings']} readings)"
    how = ", through artefacts" if link["how"] == "through artefacts" else ""
    return f" ({link['effect']:+.2f} s.d. after {link['lag']}{how})"


def _standing(_window: Window, _candidate: Candidate) -> str:
    """Influence needs two times, so it never stood before the first event."""
    return ""


influence = detectors.add("influence")(
    Detector(
        name="influence",
        kinds=("influence",),
        needs=(),
        minimum=Minimum(agents=2, events=60, per_window=12),
        uses=lambda window: np.ones(window.rows, dtype=bool),
        refuses=_refuses,
        propose=_propose,
        claims=(
            Claim(
                FORETOLD,
                "NI",
                _foreseen,
                surprise,
                "-log10 p of the surest pair",
                applies=lambda c: c.key == SERIES,
                exact=_simes,
            ),
            Claim(RETURNS, "NU", _used, returning, "probability", applies=lambda c: c.key == ARTEFACTS),
        ),
        concludes=_concludes,
        obvious=_obvious,
        frames=_frames,
        retained=_retained,
        portrait=_portrait,
        words=_words,
        standing=_standing,
    )
)
