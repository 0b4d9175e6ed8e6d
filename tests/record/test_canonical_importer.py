"""Canonical importer: three formats give one log, and a map, a guess or a sentence says which column is which."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sim.record.events import COLUMNS, KINDS, OPTIONAL
from sim.record.importers import read
from sim.record.log import Log
from sim.record.store import read_log, to_frame, write_log
from tests.record.traces import SMALL, put, refusal

# --- one table in three formats ------------------------------------------------------------------------------------

names = st.text("abcXYZ -_é", min_size=1, max_size=6).filter(lambda s: s.strip() == s)
maybe = st.none()
rows = st.lists(
    st.fixed_dictionaries(
        {
            "time": st.floats(-1e9, 1e9),
            "kind": st.sampled_from([*KINDS, "something else"]),
            "source": names,
            "target": maybe | names,
            "item": maybe | st.integers(-(2**40), 2**40),
            "artefact": maybe | names,
            "value": maybe | st.floats(-1e6, 1e6),
            "cost": maybe | st.integers(0, 100).map(float),
            "origin": st.sampled_from(["rule", "llm", "human", "censored"]),
            "run": st.sampled_from(["a", "b"]),
            "duration": maybe | st.floats(0, 10),
            "requirements": maybe | st.integers(0, 2**63 - 1),
        }
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_csv_json_lines_and_parquet_of_one_table_give_one_log(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("formats")
    schema = {"item": pl.Int64, "requirements": pl.UInt64, "value": pl.Float64, "cost": pl.Float64}
    schema |= {"duration": pl.Float64, "target": pl.String, "artefact": pl.String}
    frame = pl.DataFrame(table, schema_overrides=schema, infer_schema_length=None)
    frame.write_csv(folder / "t.csv")
    frame.write_ndjson(folder / "t.jsonl")
    frame.write_parquet(folder / "t.parquet")
    logs = [read(folder / f"t.{form}") for form in ("csv", "jsonl", "parquet")]
    for log in logs[1:]:
        # A column without any value has no type in CSV and JSON.
        full = [n for n in log.events.columns if n not in log.missing]
        assert log.missing == logs[0].missing
        assert_frame_equal(log.events.select(full), logs[0].events.select(full))
        assert log.notes == logs[0].notes
    events = logs[0].events
    assert events.height == len(table)
    for name in ("time", "value", "cost", "duration", "requirements"):
        if name in events.columns:
            assert sorted(map(str, events[name].to_list())) == sorted(str(row[name]) for row in table)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000))
def test_what_we_wrote_comes_back_equal_as_our_folder_and_as_a_plain_table(tmp_path_factory, size, seed):
    rng = np.random.default_rng(seed)
    columns = {"seq": np.arange(size, dtype=np.uint64), "time": np.sort(rng.random(size))}
    columns |= {"kind": rng.integers(0, 20, size), "source": rng.integers(0, 9, size), "origin": np.zeros(size, int)}
    columns |= {"item": rng.integers(-1, 3, size), "target": rng.integers(-1, 9, size), "value": rng.random(size)}
    log = Log(to_frame(columns), kept="sample", notes=("n",), meta={"in_flight": 2})
    folder = tmp_path_factory.mktemp("ours")
    write_log(log, folder)
    for back in (read_log(folder), read(folder), read(folder / "events.parquet")):
        assert_frame_equal(back.events, log.events)
        assert (back.kept, back.notes, back.meta) == (log.kept, log.notes, log.meta)
    (folder / "log.json").unlink()
    plain = read(folder).events
    assert_frame_equal(plain.select(log.events.columns), log.events, check_dtypes=True)
    assert set(COLUMNS) <= set(plain.columns)


# --- which column is which -----------------------------------------------------------------------------------------


def test_a_column_map_renames(tmp_path):
    path = put(tmp_path, "ts,from,to,what\n1,a,b,message\n2,b,a,message\n")
    log = read(path, columns={"time": "ts", "source": "from", "target": "to", "kind": "what"})
    assert log.events.select("time", "source", "target").rows() == [(1.0, "a", "b"), (2.0, "b", "a")]
    assert "target" not in log.missing
    assert log.events["origin"].cast(str).to_list() == ["external", "external"]
    assert any("every origin is 'external'" in note for note in log.notes)


@pytest.mark.parametrize(
    ("header", "guess"),
    [
        ("ts,from,action", "--columns time=ts,kind=action,source=from"),
        ("Timestamp,Sender,Event Type", "--columns time=Timestamp,kind=Event Type,source=Sender"),
        ("timestmp,actor,activty", "--columns time=timestmp,kind=activty,source=actor"),
        ("time,kind,zzz", "--columns source=NAME"),
    ],
)
def test_missing_columns_are_named_with_a_guess(tmp_path, header, guess):
    message = refusal(put(tmp_path, header + "\n1,2,3\n"))
    assert message.endswith(guess)
    assert "missing: " in message
    assert all(name in message for name in header.split(","))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"time": "tim"}, "there is no column 'tim'. Did you mean 'time'? Found: time, kind"),
        ({"sorce": "source"}, "'sorce' is no column of the event schema. Did you mean 'source'?"),
        ({"target": "source", "source": "b"}, "there is no column 'b'"),
    ],
)
def test_a_wrong_column_map_is_corrected(tmp_path, columns, words):
    assert words in refusal(put(tmp_path, SMALL), columns=columns)


def test_a_column_map_the_wrong_way_round_is_turned(tmp_path):
    path = put(tmp_path, "ts,kind,source\n1,m,a\n")
    assert refusal(path, columns={"ts": "time"}).endswith("Did you mean time=ts?")


def test_columns_left_out_are_said_and_a_likely_target_is_pointed_at(tmp_path):
    log = read(put(tmp_path, "time,kind,source,receiver,mood\n1,message,a,b,good\n"))
    assert "columns that are not part of the event schema were left out: receiver, mood" in log.notes
    assert "column 'receiver' was not read; if it is the target, add --columns target=receiver" in log.notes
    assert "target" in log.missing


def test_every_schema_column_without_a_value_is_missing_and_the_fixed_ones_exist(tmp_path):
    log = read(put(tmp_path, "time,kind,source,target,duration,cost\n1,work,a,,,\n2,work,b,,,3\n"))
    assert list(log.events.columns) == list(COLUMNS)
    assert log.missing == tuple(n for n in (*COLUMNS, *OPTIONAL) if n not in {"time", "kind", "source", "cost"})
    assert log.events.schema["target"] == log.events.schema["source"] == pl.String
    assert not log.has("target")
    assert log.has("cost")
