"""The functions every organisation needs, as observed: who performs each of them, and how few do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from sim.instruments.inequality import effective_number, gini
from sim.record.events import kinds_of
from sim.record.handoffs import transfers
from sim.record.log import Log

SHOWN = 10
FEEDBACK = ("approve", "fail")


def functions(log: Log) -> dict[str, dict[str, object]]:
    """Who performs intake, routing, quality control, integration, monitoring and escalation.

    Read off the events alone, never off names or assigned roles:

    * intake: agents where items enter and who pass them on (events: first transfers by the agent of arrival);
    * routing: transfers by an agent that did no work on the item while it held it, and ``delegate`` events
      (``route`` events where there are none);
    * quality_control: who is asked for review (or reviews, where the event names no target), sends back, or approves or
      fails something other than by passing on somebody else's verdict;
    * integration: ``assemble`` and ``deliver`` events;
    * monitoring: ``ask`` events, and reads of an artefact that another agent wrote;
    * escalation: who is escalated to.

    Args:
        log: One run or several; with several, agents of equal name are counted together and concentration is averaged
            over the runs.

    Returns:
        Function name to ``missing`` (True when nobody performs it), ``events``, ``agents`` (how many perform it),
        ``who`` (agent name to share, the ten largest), ``effective_agents`` (exp of the entropy of the shares; 1 = one
        agent does it all), ``concentration`` (Gini over all agents of the log, 0 = everybody alike), ``rests_on`` (what
        was counted) and ``sentence``.
    """
    return {name: _describe(name, log, performed(log)) for name, performed in OBSERVERS.items()}


def _rows(log: Log, *kinds: str) -> pl.DataFrame:
    """Events of these kinds as ``seq, run, source, target, parent``."""
    events = log.events.filter(pl.col("kind").cast(pl.String).is_in(kinds))
    types = {"run": pl.String(), "target": log.events.schema["source"], "parent": pl.UInt64(), "seq": pl.UInt64()}
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in types.items() if name not in events.columns]
    wanted = events.with_columns(*absent, pl.col("kind").cast(pl.String).alias("kind"))
    return wanted.select("seq", pl.col("run").cast(pl.String).fill_null(""), "source", "target", "parent", "kind")


def _acts(table: pl.DataFrame, agent: str = "source") -> pl.DataFrame:
    return table.select("run", pl.col(agent).alias("agent")).drop_nulls("agent")


def _intake(log: Log) -> pl.DataFrame:
    return _acts(transfers(log).filter("first_holder"))


def _routing(log: Log) -> pl.DataFrame:
    passed = transfers(log).filter(pl.col("kind").is_in(["handoff", "escalate"]) & ~pl.col("worked"))
    # Traces that have both write one decision twice.
    named = _rows(log, "delegate")
    return pl.concat([_acts(passed), _acts(named if named.height else _rows(log, "route"))])


def _quality_control(log: Log) -> pl.DataFrame:
    reviews = _rows(log, "review")
    reviewer = pl.coalesce("target", "source").alias("source")
    verdicts = _rows(log, *FEEDBACK)
    # A verdict that answers a delivery or another verdict only carries the outcome back along the path.
    carried = _rows(log, *FEEDBACK, "deliver").select("run", parent=pl.col("seq"))
    own = verdicts.join(carried, on=["run", "parent"], how="anti")
    back = _rows(log, "rework", "reject")
    return pl.concat([_acts(reviews.with_columns(reviewer)), _acts(back), _acts(own)])


def _integration(log: Log) -> pl.DataFrame:
    return _acts(_rows(log, "assemble", "deliver"))


def _monitoring(log: Log) -> pl.DataFrame:
    asked = _acts(_rows(log, "ask"))
    if "artefact" not in log.events.columns:
        return asked
    touched = log.events.filter(pl.col("artefact").is_not_null())
    run = pl.col("run").cast(pl.String).fill_null("") if "run" in touched.columns else pl.lit("")
    kind = pl.col("kind").cast(pl.String)
    touched = touched.select(run.alias("run"), "artefact", "source", kind.alias("kind"))
    keys = ["run", "artefact"]
    written = pl.col("kind").is_in(kinds_of("writes"))
    last = touched.with_columns(writer=pl.when(written).then("source").forward_fill().over(keys))
    foreign = pl.col("kind").is_in(kinds_of("reads")) & (pl.col("writer") != pl.col("source"))
    return pl.concat([asked, _acts(last.filter(foreign))])


def _escalation(log: Log) -> pl.DataFrame:
    return _acts(_rows(log, "escalate").with_columns(pl.coalesce("target", "source").alias("source")))


OBSERVERS: dict[str, Callable[[Log], pl.DataFrame]] = {
    "intake": _intake,
    "routing": _routing,
    "quality_control": _quality_control,
    "integration": _integration,
    "monitoring": _monitoring,
    "escalation": _escalation,
}
RESTS_ON = {
    "intake": "items passed on by the agent where they entered",
    "routing": "transfers without work on the item",
    "quality_control": "reviews, returns and verdicts",
    "integration": "items assembled or delivered",
    "monitoring": "questions about others and reads of what others wrote",
    "escalation": "items escalated to somebody",
}


def _describe(name: str, log: Log, acts: pl.DataFrame) -> dict[str, object]:
    words = name.replace("_", " ")
    if acts.height == 0:
        sentence = f"The log shows nobody performing {words} ({RESTS_ON[name]})."
        return {"missing": True, "events": 0, "agents": 0, "who": {}, "effective_agents": None, "concentration": None,
                "rests_on": RESTS_ON[name], "sentence": sentence}  # fmt: skip
    everybody = _agents_per_run(log)
    per_run = acts.group_by("run", "agent").len().sort("run", "len", "agent", descending=[False, True, False])
    amounts = [
        np.array(x, dtype=float) for x in per_run.group_by("run", maintain_order=True).agg("len")["len"].to_list()
    ]
    runs = per_run["run"].unique(maintain_order=True).to_list()
    padded = [np.pad(x, (0, max(0, everybody.get(r, 0) - len(x)))) for r, x in zip(runs, amounts, strict=True)]
    pooled = acts.group_by("agent").len().sort("len", "agent", descending=[True, False])
    who = {str(agent): count / acts.height for agent, count in pooled.head(SHOWN).iter_rows()}
    first = next(iter(who))
    many = pooled.height
    effective = float(np.mean([effective_number(x) for x in amounts]))
    sentence = f"{words.capitalize()} is performed by {many} agent{'s' if many > 1 else ''}"
    sentence += f", most by agent {first} ({who[first]:.0%})." if many > 1 else f", agent {first}."
    return {
        "missing": False,
        "events": acts.height,
        "agents": many,
        "who": who,
        "effective_agents": effective,
        "concentration": float(np.mean([gini(x) for x in padded])),
        "rests_on": RESTS_ON[name],
        "sentence": sentence,
    }


def _agents_per_run(log: Log) -> dict[str, int]:
    """How many agents each run has: those of the agents table, otherwise all that act or are acted on."""
    run = pl.col("run").cast(pl.String).fill_null("") if "run" in log.events.columns else pl.lit("")
    machines = log.meta.get("not_agents")
    columns = [c for c in ("source", "target") if c in log.events.columns]
    seen = pl.concat([log.events.select(run.alias("run"), pl.col(c).alias("agent")) for c in columns]).drop_nulls(
        "agent"
    )
    if isinstance(machines, list):
        seen = seen.filter(~pl.col("agent").cast(pl.String).is_in(machines))
    counts = dict(seen.group_by("run").agg(pl.col("agent").n_unique()).iter_rows())
    if log.agents is not None and "run" not in log.agents.columns:
        return {name: max(count, log.agents.height) for name, count in counts.items()}
    return counts
