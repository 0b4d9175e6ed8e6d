"""What a table of runs, and the names of agents, say about a log: what was given, and what does not show quality."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

ASSIGNED = {"pre_assigned", "preassigned", "assigned", "imposed", "designed"}
QUALITY = ("last_test_passed", "tests_passed", "quality")
SUCCESS = ("success", "succeeded", "completed")
# A label that contains one of these words names an office, so the structure around its owner was designed.
OFFICES = {
    "boss", "chief", "controller", "coordinator", "dispatcher", "hub", "lead", "leader", "manager", "master",
    "moderator", "orchestrator", "planner", "router", "supervisor",
}  # fmt: skip
NOT_AGENTS = {"harness", "system", "environment", "env", "scheduler", "runner", "framework"}


@dataclass
class Said:
    """What a rule found: sentences for the report and for the predefinition audit, and facts for ``Log.meta``."""

    notes: list[str] = field(default_factory=list)
    predefined: list[str] = field(default_factory=list)
    meta: dict[str, object] = field(default_factory=dict)

    def add(self, other: Said) -> None:
        """Take over everything ``other`` says; facts about runs are joined, the earlier one wins."""
        self.notes += other.notes
        self.predefined += other.predefined
        for key, value in other.meta.items():
            mine = self.meta.get(key)
            if isinstance(mine, dict) and isinstance(value, dict):
                self.meta[key] = {**value, **mine}
            else:
                self.meta.setdefault(key, value)


def read_runs(runs: pl.DataFrame, known: list[str]) -> Said:
    """Apply every rule whose column exists to the rows of ``runs`` that belong to the log.

    ``meta`` gets ``runs`` (the table), ``predefined_runs`` (run -> sentence), ``committed`` (run -> agents), and
    ``run_quality`` (run -> 0 to 1), each only where something was found.
    """
    said = Said()
    table = runs.with_columns(pl.col("run").cast(pl.String))
    mine = table.filter(pl.col("run").is_in(known)).unique("run", keep="first", maintain_order=True)
    if mine.height < len(known):
        said.notes.append(f"the runs table describes {mine.height} of {len(known)} runs of the log")
    if mine.height < table.height:
        said.notes.append(
            f"{table.height - mine.height} rows of the runs table belong to no run of the log or repeat one"
        )
    said.meta["runs"] = mine
    for rule in RULES:
        said.add(rule(mine))
    return said


def _mode(runs: pl.DataFrame) -> Said:
    """Runs in which work was given out; stated for those runs only, so that the others can still show what emerged."""
    if "mode" not in runs.columns:
        return Said()
    values = runs["mode"].cast(pl.String).str.to_lowercase().str.replace_all("[- ]", "_")
    given = runs.filter(values.is_in(sorted(ASSIGNED)))
    if given.height == 0:
        return Said()
    words = ", ".join(sorted(set(given["mode"].cast(pl.String).to_list())))
    sentence = f"the work was given out before the run started (mode '{words}')"
    summary = f"in {given.height} of {runs.height} runs {sentence}, so structures found there are not emergent"
    return Said([summary], meta={"predefined_runs": dict.fromkeys(given["run"].to_list(), sentence)})


def _committed(runs: pl.DataFrame) -> Said:
    if "committed_ids" not in runs.columns or not isinstance(runs.schema["committed_ids"], pl.List):
        return Said()
    given = runs.filter(pl.col("committed_ids").list.len() > 0)
    if given.height == 0:
        return Said()
    agents = {run: list(ids) for run, ids in given.select("run", "committed_ids").iter_rows()}
    sentence = "some agents were committed to one choice before the start"
    summary = (
        f"in {given.height} of {runs.height} runs {sentence}; leave them out of every share (column 'committed_ids')"
    )
    return Said([summary], meta={"committed": agents, "predefined_runs": dict.fromkeys(agents, sentence)})


def _seeded(runs: pl.DataFrame) -> Said:
    if "memory_seeded_with" not in runs.columns:
        return Said()
    given = runs.filter(pl.col("memory_seeded_with").is_not_null())
    if given.height == 0:
        return Said()
    words = dict(given.select("run", pl.col("memory_seeded_with").cast(pl.String)).iter_rows())
    named = {run: f"all memories held '{word}' before the start" for run, word in words.items()}
    summary = f"in {given.height} of {runs.height} runs all memories held a given choice before the start"
    return Said([summary], meta={"predefined_runs": named})


def _success(runs: pl.DataFrame) -> Said:
    flags = [name for name in SUCCESS if name in runs.columns]
    if not flags:
        return Said()
    text = f"column '{flags[0]}' says that a run was declared finished, which is not quality; it is used by no measure"
    return Said([text])


def _quality(runs: pl.DataFrame) -> Said:
    names = [n for n in QUALITY if n in runs.columns and (runs.schema[n].is_numeric() or runs.schema[n] == pl.Boolean)]
    if not names:
        return Said()
    tested = runs.select("run", pl.col(names[0]).cast(pl.Float64).alias("q")).drop_nulls()
    tested = tested.filter(pl.col("q").is_between(0, 1))
    text = f"quality of a run is its column '{names[0]}', known for {tested.height} of {runs.height} runs"
    return Said([text], [], {"run_quality": dict(tested.iter_rows())}) if tested.height else Said()


def _stop_rules(runs: pl.DataFrame) -> Said:
    if "stop_streak" not in runs.columns or runs["stop_streak"].n_unique() < 2:
        return Said()
    counts = runs["stop_streak"].value_counts(sort=True).rows()
    parts = ", ".join(f"{'no streak' if rule is None else rule}: {n} runs" for rule, n in counts)
    return Said([f"runs ended under different stop rules ({parts}); their lengths cannot be compared across rules"])


RULES: tuple[Callable[[pl.DataFrame], Said], ...] = (_mode, _committed, _seeded, _success, _quality, _stop_rules)


def read_labels(events: pl.DataFrame) -> Said:
    """What the names of the agents say: offices among them are predefined, and a harness is no agent.

    ``meta`` gets ``predefined_agents`` (label -> sentence) and ``not_agents`` (labels), each only where found.
    """
    if events.schema["source"] != pl.String:
        return Said()
    said = Said()
    labels = sorted(set(events["source"].to_list()) | set(events["target"].cast(pl.String).drop_nulls().to_list()))
    offices = {label: sorted(OFFICES & _words(label)) for label in labels if OFFICES & _words(label)}
    if offices:
        named = {label: f"'{label}' is named for an office ({', '.join(words)})" for label, words in offices.items()}
        said.predefined += [f"agent {text}; a hub or hierarchy around it was designed" for text in named.values()]
        said.notes += [f"agent {text}; a hub or hierarchy around it was designed" for text in named.values()]
        said.meta["predefined_agents"] = named
    ruled = events.group_by("source").agg(pl.col("origin").cast(pl.String).is_in(["rule", "external"]).all())
    machines = {source for source, only_rules in ruled.iter_rows() if only_rules}
    others = sorted(label for label in labels if label.lower() in NOT_AGENTS and label in machines)
    if others:
        said.notes.append(f"{', '.join(others)} is taken for the harness, not for an agent")
        said.meta["not_agents"] = others
    return said


def _words(label: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label)
    return {word.rstrip("0123456789") for word in re.split(r"[^a-z0-9]+", spaced.lower())}
