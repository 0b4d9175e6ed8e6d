"""The page on events and the sample trace are those that the code makes."""

from pathlib import Path

from sim.record.events import CLASSES, COLUMNS, KINDS, OPTIONAL, ORIGINS
from sim.record.importers import read
from sim.record.importers._columns import SYNONYMS
from sim.record.sample_trace import AGENTS, sample_trace
from sim.record.schema_docs import CLASS_MEANING, MEANING, ORIGIN_MEANING, events_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_on_events_is_the_one_the_schema_makes():
    assert (DOCS / "events.md").read_text(encoding="utf-8") == events_page(), "run python -m sim.record.schema_docs"


def test_every_column_class_and_origin_is_explained_and_every_class_used():
    assert list(MEANING) == [*COLUMNS, *OPTIONAL]
    assert list(CLASS_MEANING) == list(CLASSES)
    assert list(ORIGIN_MEANING) == list(ORIGINS)
    assert set(CLASSES) == {c for classes in KINDS.values() for c in classes}
    assert set(SYNONYMS) <= set(MEANING)


def test_the_sample_trace_is_the_one_the_story_tells():
    assert (DOCS / "sample_trace.jsonl").read_text(encoding="utf-8") == sample_trace()
    assert sample_trace(8) != sample_trace(7)


def test_the_sample_trace_reads_without_any_option():
    log = read(DOCS / "sample_trace.jsonl")
    assert 180 <= log.events.height <= 220
    assert set(log.events["source"]) == set(AGENTS)
    assert log.meta["time_unit"] == "s"
    assert log.events["time"].min() == 0
    assert set(log.events["kind"].cast(str)) == {"arrive", "handoff", "work", "review", "rework", "deliver", "approve"}
    assert log.missing == ("artefact", "run", "requirements", "similarity", "task", "evidence", "text")
    by_seq = dict(log.events.select("seq", "item").iter_rows())
    for seq, item, parent in log.events.select("seq", "item", "parent").iter_rows():
        assert parent is None or (parent < seq and by_seq[parent] == item)
