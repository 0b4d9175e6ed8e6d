"""The page docs/events.md, made from the event schema so that it cannot go stale."""

from __future__ import annotations

from sim.record.events import CLASSES, COLUMNS, KINDS, OPTIONAL, ORIGINS, REQUIRED, SCHEMA_VERSION
from sim.record.importers._columns import SYNONYMS

MEANING = {
    "seq": "order of the rows, unique in a log",
    "time": "model time; seconds or a step number in imported traces",
    "kind": "what happened; see below",
    "source": "the agent that acted",
    "target": "the agent it was done to; null for everybody or for the surroundings",
    "item": "the piece of work it is about",
    "parent": "`seq` of the event it reacts to",
    "artefact": "the shared thing read or written, or the word said",
    "value": "outcome (quality of a delivery, reward, 1 or 0 for a test), option taken, or amount",
    "cost": "cost of the event, in the unit of the run",
    "origin": "where the decision came from; never null",
    "run": "name of the run, when one table holds several; agents are then (run, source)",
    "duration": "service time spent by the source before the event",
    "requirements": "requirements of the item still met after the event, as a set of bits",
    "similarity": "cosine between the content of the item after the event and at its arrival",
    "task": "type of the task",
    "evidence": "how an imported edge was inferred",
    "text": "what was said; left out by the importer unless asked for",
}
CLASS_MEANING = {
    "transfers": "the item moves from source to target",
    "initiates": "source starts something with target",
    "replies": "answers an earlier event of the target",
    "reads": "reads the artefact",
    "writes": "changes the artefact",
    "enters": "the item comes into the system at source",
    "leaves": "the item goes out of the system at source",
    "works": "service was spent on the item by source",
    "decides": "source took an option",
    "offers": "source would take the item for the price in value",
    "awards": "source gives the item to target, one of those who offered",
}
ORIGIN_MEANING = {
    "rule": "a compiled or written rule",
    "llm": "a call of a language model",
    "cassette": "a recorded answer of a language model",
    "table": "a look-up table",
    "human": "a person",
    "external": "an imported trace that does not say",
    "censored": "a decision that could not be had; nothing was done in its place",
}
_INTRO = f"""# Events

Schema version {SCHEMA_VERSION}. Made from `sim/record/events.py` by `python -m sim.record.schema_docs`.

A log is a table with one row for each thing that one agent did. Only {", ".join(f"`{name}`" for name in REQUIRED)} are
required; a report says which of the others were missing and what could not be computed without them. In imported logs
agents, items, tasks and artefacts may be whole numbers or text; NaN is missing, and in a column of whole numbers 9.0, as tools
write that keep columns with gaps as floats, is 9. Rows are ordered by run, time and seq.
"""
_IMPORT = """## Reading your own trace

Any Parquet, CSV or JSON Lines table will do. When its columns have other names, say which is which:

    swarmscope detect my_trace.csv --columns time=ts,source=from,target=to,kind=type

Times may be numbers or ISO dates (read as seconds since the first event). A small example is `sample_trace.jsonl` in
this folder. These names are suggested when a column is missing:
"""


def events_page() -> str:
    """The text of docs/events.md."""
    required = [[f"`{n}`", str(t), MEANING[n]] for n, t in COLUMNS.items()]
    optional = [[f"`{n}`", str(t), MEANING[n]] for n, t in OPTIONAL.items()]
    kinds = [[f"`{kind}`", ", ".join(classes) or "none"] for kind, classes in KINDS.items()]
    classes = [[f"`{c}`", CLASS_MEANING[c]] for c in CLASSES]
    origins = [[f"`{o}`", ORIGIN_MEANING[o]] for o in ORIGINS]
    names = [[f"`{n}`", ", ".join(words)] for n, words in SYNONYMS.items()]
    parts = [
        _INTRO,
        "## Columns\n\n" + _table(["column", "type", "meaning"], required),
        "Where they are known, also:\n\n" + _table(["column", "type", "meaning"], optional),
        "## Kinds\n\nThe list is open: a kind that is not here is kept and has no class.\n\n"
        + _table(["kind", "classes"], kinds),
        _table(["class", "meaning"], classes),
        "## Origins\n\n" + _table(["origin", "meaning"], origins),
        _IMPORT + "\n" + _table(["column", "other names"], names),
    ]
    return "\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    from sim.record.sample_trace import sample_trace

    docs = Path(__file__).resolve().parents[2] / "docs"
    (docs / "events.md").write_text(events_page(), encoding="utf-8")
    (docs / "sample_trace.jsonl").write_text(sample_trace(), encoding="utf-8")
