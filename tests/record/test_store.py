"""Store: buffers become tables, logs come back as they went, and no failure leaves anything half-written."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sim.record.events import COLUMNS, KIND_CODES, KIND_NAMES, OPTIONAL, ORIGIN_CODES, ORIGINS
from sim.record.log import Log
from sim.record.store import EventWriter, empty_events, read_log, to_frame, write_log

ROOT = Path(__file__).resolve().parents[2]


def buffers(rows, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "time": np.sort(rng.random(rows)),
        "kind": rng.integers(0, len(KIND_NAMES), rows).astype(np.uint8),
        "source": rng.integers(0, 9, rows),
        "target": rng.integers(-1, 9, rows),
        "item": rng.integers(-1, 5, rows).astype(np.int32),
        "parent": rng.integers(-1, 5, rows),
        "artefact": np.full(rows, -1),
        "value": np.where(rng.random(rows) < 0.3, np.nan, rng.random(rows)),
        "cost": rng.random(rows),
        "origin": rng.integers(0, len(ORIGINS), rows).astype(np.uint8),
        "requirements": rng.integers(0, 2**64, rows, dtype=np.uint64),
        "task": rng.integers(-1, 3, rows),
    }


def test_buffers_become_a_table_of_the_schema():
    given_ = buffers(500)
    frame = to_frame(given_)
    for name, dtype in frame.schema.items():
        assert dtype == {**COLUMNS, **OPTIONAL}[name]
    for name in ("target", "item", "parent", "artefact", "task"):
        assert frame[name].to_list() == [None if v < 0 else int(v) for v in given_[name]]
    assert frame["value"].to_list() == [None if np.isnan(v) else v for v in given_["value"]]
    assert frame["kind"].cast(pl.String).to_list() == [KIND_NAMES[c] for c in given_["kind"]]
    assert frame["origin"].cast(pl.String).to_list() == [ORIGINS[c] for c in given_["origin"]]
    assert frame["requirements"].to_numpy().tolist() == given_["requirements"].tolist()


def test_the_caller_may_fill_its_buffers_again():
    given_ = buffers(50)
    frame = to_frame(given_)
    before = frame.clone().to_dicts()
    for values in given_.values():
        values[:] = 1
    assert frame.to_dicts() == before


def test_rows_of_a_structured_buffer_are_columns_too():
    plain = buffers(40)
    kinds = [(n, "f4" if n == "value" else "i2" if n in ("task", "target") else v.dtype) for n, v in plain.items()]
    rows = np.zeros(40, np.dtype(kinds, align=True))
    for name, values in plain.items():
        rows[name] = values
    wide, narrow = to_frame(plain), to_frame({name: rows[name] for name in plain})
    rows[:] = np.zeros(1, rows.dtype)
    assert wide.schema == narrow.schema
    assert_frame_equal(wide, narrow, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sauce": np.zeros(5)}, "unknown column sauce"),
        ({"kind": np.full(5, len(KIND_NAMES))}, f"codes 0 to {len(KIND_NAMES) - 1}, got {len(KIND_NAMES)}"),
        ({"cost": np.zeros(4)}, "unequal length"),
    ],
)
def test_wrong_buffers_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        to_frame({**buffers(5), **change})
    with pytest.raises(ValueError, match="source is required"):
        to_frame({k: v for k, v in buffers(5).items() if k != "source"})


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 60))
def test_chunk_and_part_sizes_do_not_change_the_file(tmp_path_factory, sizes, part_rows):
    folder = tmp_path_factory.mktemp("writer")
    whole = buffers(sum(sizes))
    at = np.cumsum([0, *sizes])
    chunks = [{k: v[a:b] for k, v in whole.items()} for a, b in pairwise(at)]
    with EventWriter(folder, part_rows=part_rows) as writer:
        for chunk in chunks:
            writer.append(chunk)
        kept_in_memory = writer.frame()
    read = read_log(folder).events
    assert_frame_equal(read, kept_in_memory)
    assert read["seq"].to_list() == list(range(sum(sizes)))
    if sum(sizes):
        assert_frame_equal(read.drop("seq"), to_frame(whole))
    assert sorted(os.listdir(folder)) == ["events.parquet", "log.json"]


def test_a_writer_without_a_folder_keeps_the_log_in_memory():
    writer = EventWriter(None)
    writer.append(buffers(10))
    writer.append(buffers(5, seed=1))
    assert writer.frame().height == writer.rows == 15
    with pytest.raises(ValueError, match="needs a folder"):
        writer.finish()


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), EventWriter(tmp_path, part_rows=5) as writer:  # noqa: PT012
        writer.append(buffers(20))
        assert os.listdir(tmp_path)
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def a_log():
    return Log(
        events=to_frame({"seq": np.arange(30, dtype=np.uint64), **buffers(30)}),
        agents=pl.DataFrame({"id": [0, 1], "key": [5, 2**63 - 1], "label": ["a", "b"]}),
        contacts=pl.DataFrame({"source": [0], "target": [1]}),
        ledger=pl.DataFrame({"call": [1], "tokens": [None]}, schema={"call": pl.Int64, "tokens": pl.Int64}),
        kept="window",
        missing=("text",),
        notes=("a note", "zwölf"),
        predefined=("agent 1 was named boss",),
        meta={"in_flight": 3, "p": np.float64(0.5), "runs": pl.DataFrame({"run": ["x"], "n": [1]})},
    )


def assert_same_log(a, b):
    for table in ("events", "agents", "contacts", "states", "payloads", "ledger"):
        one, other = getattr(a, table), getattr(b, table)
        assert (one is None) == (other is None), table
        if one is not None:
            assert_frame_equal(one, other)
    assert (a.kept, a.missing, a.notes, a.predefined) == (b.kept, b.missing, b.notes, b.predefined)
    assert {k: v for k, v in a.meta.items() if k != "runs"} == {k: v for k, v in b.meta.items() if k != "runs"}


def test_a_log_comes_back_as_it_went_and_the_event_table_names_its_folder(tmp_path):
    log = a_log()
    path = write_log(log, tmp_path / "new" / "folder")
    assert_same_log(log, read_log(path))
    assert_same_log(log, read_log(path.parent))
    assert_frame_equal(read_log(path).meta["runs"], log.meta["runs"])
    assert not [n for n in os.listdir(path.parent) if n.startswith(".")]


def test_a_second_log_replaces_every_table_of_the_first(tmp_path):
    write_log(a_log(), tmp_path)
    write_log(Log(empty_events()), tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["events.parquet", "log.json"]
    assert_same_log(read_log(tmp_path), Log(empty_events()))


def test_meta_that_is_no_json_is_refused_before_the_old_tables_are_touched(tmp_path):
    write_log(a_log(), tmp_path)
    with pytest.raises(TypeError, match="got set"):
        write_log(Log(empty_events(), meta={"x": {1}}), tmp_path)
    assert_same_log(read_log(tmp_path), a_log())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "events.parquet").unlink(), "found none"),
        (lambda f: (f / "events.parquet").write_bytes(b"PAR1 and junk PAR1"), "damaged"),
        (lambda f: (f / "events.parquet").write_bytes(b""), "cut short or of another format"),
        (lambda f: (f / "events.parquet").write_bytes((f / "events.parquet").read_bytes()[:-9]), "cut short"),
        (lambda f: (f / "log.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "log.json").write_text("[]"), "expected a JSON object, got list"),
        (lambda f: (f / "log.json").write_text(json.dumps({"schema_version": 99})), "schema version 99"),
    ],
)
def test_a_damaged_folder_is_named_in_one_sentence(tmp_path, damage, words):
    write_log(a_log(), tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=words) as caught:
        read_log(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unwritable_folder_is_an_os_error_with_its_path(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(OSError, match=f"cannot write {blocker}/run: .*choose another folder") as caught:
        write_log(a_log(), blocker / "run")
    assert "\n" not in str(caught.value)


FULL_DISK = """
import os, resource, sys
import numpy as np
sys.path.insert(0, sys.argv[2])
from sim.record.log import Log
from sim.record.store import EventWriter, to_frame, write_log
rows = 40_000
columns = dict(time=np.random.default_rng(0).random(rows), kind=np.zeros(rows, np.uint8), source=np.zeros(rows))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
def with_parts():
    with EventWriter(sys.argv[1], part_rows=10_000) as writer:
        writer.append(columns)
for attempt in (lambda: write_log(Log(to_frame(columns)), sys.argv[1]), with_parts):
    try:
        attempt()
    except OSError as error:
        print(str(error).count(chr(10)), "cannot write" in str(error) and sys.argv[1] in str(error), str(error))
    print([name for name in os.listdir(sys.argv[1]) if name != "log.json"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to imitate a full disk")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(ROOT)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4, done.stdout
    assert all(line.startswith("0 True cannot write") for line in lines[::2]), lines
    assert lines[1] == lines[3] == "[]"


def test_codes_of_kinds_and_origins_are_their_positions():
    assert [KIND_CODES[name] for name in KIND_NAMES] == list(range(len(KIND_NAMES)))
    assert [ORIGIN_CODES[name] for name in ORIGINS] == list(range(len(ORIGINS)))
