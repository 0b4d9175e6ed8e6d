import json
import os
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sim.record.events import COLUMNS, KINDS, OPTIONAL
from sim.record.importers import ImportFailure, importers, read
from sim.record.importers.canonical import read as canonical
from sim.record.log import Log
from sim.record.store import read_log, to_frame, write_log

SMALL = "time,kind,source,target\n1,message,a,b\n2.5,message,b,a\n"


def put(folder, text, name="trace.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path, **arguments):
    with pytest.raises(ImportFailure) as caught:
        read(path, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message or str(path.parent) in message
    return message


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


# --- types ---------------------------------------------------------------------------------------------------------


def test_iso_times_become_seconds_since_the_first_event(tmp_path):
    text = "time,kind,source\n2026-03-01T10:00:05Z,m,a\n2026-03-01T12:00:00+02:00,m,a\n2026-03-01 10:00:02.5,m,a\n"
    log = read(put(tmp_path, text))
    assert log.events["time"].to_list() == [0.0, 2.5, 5.0]
    assert log.meta == {"time_unit": "s", "time_origin": "2026-03-01T10:00:00+00:00"}
    assert any("sorted" in note for note in log.notes)
    frame = pl.DataFrame({"time": ["2026-03-01T10:00:00", "2026-03-01T10:01:00"], "kind": "m", "source": "a"})
    frame.with_columns(pl.col("time").str.to_datetime()).write_parquet(tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet").events["time"].to_list() == [0.0, 60.0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("1,m,a\nsoon,m,a\n2,m,a", "time that is neither a number nor an ISO date, the first being '1'"),
        (
            "2026-01-01,m,a\nsoon,m,a",
            "1 of 2 rows have a time that is neither a number nor an ISO date, the first being 'soon' (rows 2)",
        ),
        ("1,m,a\n,m,a\nNaN,m,a", "1 of 3 rows have no time (rows 2)"),
        ("1,m,a\nnan,m,a\ninf,m,a", "2 of 3 rows have a time that is not finite (rows 2, 3)"),
        ("1,m,\n2,m,a", "1 of 2 rows name no source, and who acted is never guessed (rows 1)"),
        ("1,,a\n2,m,a", "1 of 2 rows have no kind (rows 1)"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_by_number(tmp_path, lines, words):
    assert words in refusal(put(tmp_path, "time,kind,source\n" + lines + "\n"))


def test_numbers_that_are_none_are_refused_or_counted(tmp_path):
    head = "time,kind,source,value\n"
    assert "have no number in column 'value' but 'high' (rows 2)" in refusal(
        put(tmp_path, head + "1,m,a,3\n2,m,a,high\n")
    )
    log = read(put(tmp_path, head + "1,m,a,true\n2,m,a,nan\n3,m,a,False\n4,m,a,-inf\n"))
    assert log.events["value"].to_list() == [1.0, None, 0.0, None]
    assert "2 values of column 'value' are not finite and were taken as missing" in log.notes
    wrong = put(tmp_path, "time,kind,source,requirements\n1,m,a,-3\n")
    assert "no whole number of at least 0 in column 'requirements' but '-3'" in refusal(wrong)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("1", "20"), [1, 20]),
        (("007", "8"), ["007", "8"]),
        (("1", "human"), ["1", "human"]),
        (("1.0", "2"), ["1.0", "2"]),
        (("123456789012345678901", "2"), ["123456789012345678901", "2"]),
    ],
)
def test_whole_numbers_in_csv_are_numbers_and_other_names_stay(tmp_path, cells, expected):
    path = put(tmp_path, "time,kind,source,target\n" + f"1,m,{cells[0]},{cells[1]}\n2,m,{cells[1]},{cells[0]}\n")
    events = read(path).events
    assert events["source"].to_list() == expected
    assert events["target"].to_list() == expected[::-1]


def test_text_ids_stay_text_in_json_and_parquet_and_source_and_target_share_a_type(tmp_path):
    lines = [{"time": 1, "kind": "m", "source": "1", "target": "2"}, {"time": 2, "kind": "m", "source": "2"}]
    path = put(tmp_path, "\n".join(map(json.dumps, lines)), "t.jsonl")
    assert read(path).events["source"].to_list() == ["1", "2"]
    pl.DataFrame({"time": [1.0], "kind": ["m"], "source": [1], "target": ["x"]}).write_parquet(tmp_path / "m.parquet")
    assert read(tmp_path / "m.parquet").events.select("source", "target").rows() == [("1", "x")]
    pl.DataFrame({"time": [1.0], "kind": ["m"], "source": [[1]]}).write_parquet(tmp_path / "n.parquet")
    assert "column 'source' expects names or whole numbers, got List(Int64)" in refusal(tmp_path / "n.parquet")


def test_kinds_are_matched_without_capitals_and_unknown_ones_are_said(tmp_path):
    log = read(put(tmp_path, "time,kind,source\n1,Handoff,a\n2,Teatime,a\n"))
    assert log.events["kind"].cast(str).to_list() == ["handoff", "Teatime"]
    assert "kinds were written in small letters: Handoff" in log.notes
    assert "kinds without a class, read as events of no known effect: Teatime" in log.notes


def test_an_origin_is_never_null(tmp_path):
    log = read(put(tmp_path, "time,kind,source,origin\n1,m,a,llm\n2,m,a,\n3,m,a,oracle\n4,m,a,Human\n"))
    assert log.events["origin"].cast(str).to_list() == ["llm", "external", "external", "human"]
    assert "2 rows have an unknown origin or none; it was taken as 'external'" in log.notes


# --- order, runs ---------------------------------------------------------------------------------------------------


def test_runs_keep_their_order_and_are_sorted_inside(tmp_path):
    text = "run,time,kind,source,seq,parent\nz,1,m,a,0,\na,5,m,a,0,\nz,0,m,b,1,0\na,5,m,b,1,0\n,2,m,c,0,\n"
    log = read(put(tmp_path, text))
    assert log.runs == ["z", "a", "unnamed"]
    assert log.events.select("run", "time", "source").rows() == [
        ("z", 0.0, "b"), ("z", 1.0, "a"), ("a", 5.0, "a"), ("a", 5.0, "b"), ("unnamed", 2.0, "c")]  # fmt: skip
    assert log.events["seq"].n_unique() == 5
    seq = {(r, s): q for r, s, q in log.events.select("run", "source", "seq").iter_rows()}
    parents = {(r, s): p for r, s, p in log.events.select("run", "source", "parent").iter_rows()}
    assert parents[("z", "b")] == seq[("z", "a")]
    assert parents[("a", "b")] == seq[("a", "a")]
    assert "'seq' has gaps or repeats and was counted anew" in log.notes
    assert "1 rows name no run; they are kept together as run 'unnamed'" in log.notes


def test_equal_times_keep_the_order_of_the_file(tmp_path):
    body = "".join(f"{t},m,a,{i}\n" for i, t in enumerate([3, 1, 1, 3, 1, 3]))
    log = read(put(tmp_path, "time,kind,source,value\n" + body))
    assert log.events["value"].to_list() == [1, 2, 4, 0, 3, 5]


def test_parents_that_refer_to_nothing_certain_are_left_out(tmp_path):
    log = read(put(tmp_path, "time,kind,source,parent\n1,m,a,\n2,m,a,1\n"))
    assert "column 'parent' was left out: without 'seq' it refers to nothing" in log.notes
    log = read(put(tmp_path, "time,kind,source,seq,parent\n1,m,a,1,\n2,m,a,1,1\n"))
    assert "column 'parent' was left out: 'seq' does not tell rows of a run apart" in log.notes
    assert log.events["parent"].null_count() == 2


def test_texts_are_left_out_unless_asked_for(tmp_path):
    path = put(tmp_path, "time,kind,source,text\n1,m,a,secret\n")
    assert "text" not in read(path).events.columns
    assert "texts were left out" in read(path).notes
    assert canonical(path, keep_text=True).events["text"].to_list() == ["secret"]


# --- what stands beside --------------------------------------------------------------------------------------------


def folder_with_runs(folder, runs, events="run,time,kind,source\nx,1,write,Dev1\ny,1,write,Dev2\n"):
    put(folder, events, "events.csv")
    pl.DataFrame(runs).write_parquet(folder / "runs.parquet")
    return read(folder)


def test_given_work_committed_agents_and_seeded_memories_are_predefined(tmp_path):
    log = folder_with_runs(
        tmp_path,
        {"run": ["x", "y"], "mode": ["pre_assigned", "self_assigned"], "committed_ids": [[], ["Dev2"]],
         "memory_seeded_with": [None, "Q"]},
    )  # fmt: skip
    assert log.meta["committed"] == {"y": ["Dev2"]}
    assert "given out before the run started" in log.meta["predefined_runs"]["x"]
    assert "committed" in log.meta["predefined_runs"]["y"]
    # Stated for the runs it concerns, and for no other.
    assert log.predefined == ()
    assert log.meta["runs"].height == 2


def test_a_success_flag_is_not_quality_and_tests_are(tmp_path):
    log = folder_with_runs(tmp_path, {"run": ["x", "y"], "success": [True, True], "last_test_passed": [False, None]})
    assert log.meta["run_quality"] == {"x": 0.0}
    assert any("'success'" in note and "not quality" in note for note in log.notes)
    alone = folder_with_runs(tmp_path, {"run": ["x", "y"], "success": [True, False]})
    assert "run_quality" not in alone.meta


def test_runs_that_do_not_match_the_log_are_counted(tmp_path):
    log = folder_with_runs(tmp_path, {"run": ["x", "w"], "n": [1, 2]})
    assert "the runs table describes 1 of 2 runs of the log" in log.notes
    assert log.meta["runs"]["run"].to_list() == ["x"]
    log = folder_with_runs(tmp_path, {"name": ["x"]})
    assert "runs.parquet was left out: it has no column run" in log.notes


def test_offices_in_labels_are_predefined_and_the_harness_is_no_agent(tmp_path):
    text = "time,kind,source,target,origin\n1,m,TeamLead2,Ann,llm\n2,m,harness,,rule\n3,m,System,,llm\n"
    text += "4,m,Misleader,,llm\n"
    log = read(put(tmp_path, text))
    assert set(log.meta["predefined_agents"]) == {"TeamLead2"}
    assert len(log.predefined) == 1
    assert log.meta["not_agents"] == ["harness"]


def test_contacts_and_agents_beside_are_read_with_the_ids_of_the_events(tmp_path):
    put(tmp_path, SMALL, "events.csv")
    put(tmp_path, "source,target\na,b\n", "contacts.csv")
    put(tmp_path, "name\na\n", "agents.csv")
    put(tmp_path, "x\n1\n", "tasks.csv")
    log = read(tmp_path)
    assert log.contacts.rows() == [("a", "b")]
    assert log.agents is None
    assert "agents.csv was left out: it has no column id" in log.notes
    assert "tables in the folder that were not read: tasks.csv" in log.notes


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "t.csv", "found an empty file"),
        (b"  \n", "t.jsonl", "found an empty file"),
        (b"", "t.parquet", "cut short or of another format"),
        (b"", "t", "expected Parquet, CSV or JSON Lines, found nothing"),
        (b"\x00\x01\x02\xff", "t", "found another format"),
        (b"\x00\x01,\x02\xff", "t.csv", "found binary data"),
        (b"time,kind,source\n", "t.csv", "without rows"),
        (b"time,kind,source\n1,m,a,extra\n", "t.csv", "as many fields in each line"),
        (b"time,kind,source\n1,m,\xff\xfe\n", "t.csv", "UTF-8"),
        (b'{"time": 1}\n{"time": \n', "t.jsonl", "line 2 is not JSON"),
        (b'{"time": 1}\n[1]\n', "t.jsonl", "line 2 is no object"),
        (b"PAR1 but not really PAR1", "t.parquet", "damaged"),
        (SMALL.encode(), "t.parquet", "cut short or of another format"),
    ],
)
def test_junk_is_refused_in_one_sentence(tmp_path, content, name, words):
    assert words in refusal(put(tmp_path, content, name))


def test_absent_paths_and_folders_without_events_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "nothing")
    assert "found nothing" in refusal(tmp_path)
    put(tmp_path, SMALL, "one.csv")
    assert read(tmp_path).events.height == 2
    put(tmp_path, SMALL, "two.csv")
    assert "found one.csv, two.csv" in refusal(tmp_path)
    with pytest.raises(LookupError, match="Did you mean 'canonical'"):
        read(tmp_path, form="cannonical")


@pytest.mark.parametrize(("name", "separator"), [("t", ","), ("t.txt", ";"), ("t.tsv", "\t"), ("t.csv", ";")])
def test_separators_and_files_without_a_known_suffix_are_recognised(tmp_path, name, separator):
    assert read(put(tmp_path, b"\xef\xbb\xbf" + SMALL.replace(",", separator).encode(), name)).events.height == 2


def test_damaged_parquet_never_escapes_as_anything_but_a_refusal(tmp_path):
    pl.DataFrame({"time": np.arange(400.0), "kind": "m", "source": "a"}).write_parquet(tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    rng = random.Random(0)
    outcomes = []
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(4):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        path = put(tmp_path, bytes(bad[: len(bad) if rng.random() < 0.7 else rng.randrange(len(bad))]), "bad.parquet")
        try:
            outcomes.append(read(path).events.height)
        except ImportFailure as failure:
            outcomes.append(str(failure))
    refused = [o for o in outcomes if isinstance(o, str)]
    assert len(refused) > 20
    assert not any("\n" in o for o in refused)


def test_a_json_array_of_objects_is_read_too(tmp_path):
    path = put(tmp_path, json.dumps([{"time": 1, "kind": "m", "source": "a"}] * 3), "t.json")
    assert read(path).events.height == 3


def test_the_registry_knows_the_importer():
    assert importers.names() == ["canonical"]
    assert importers.broken == {}


# --- real logs -----------------------------------------------------------------------------------------------------

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def real(name):
    if not (DATA / name).is_dir():
        pytest.skip(f"no folder of real logs at {os.path.relpath(DATA / name)}")
    return DATA / name


@pytest.mark.realdata
def test_build_teams():
    log = read(real("llm_build_teams"))
    assert (log.events.height, len(log.runs)) == (330_615, 957)
    assert not any("sorted" in note for note in log.notes)
    assert {"target", "cost"} <= set(log.missing)
    assert log.events["target"].null_count() == log.events.height
    assert len(log.meta["predefined_runs"]) == 431
    assert log.meta["not_agents"] == ["harness"]
    assert any("'success'" in note and "not quality" in note for note in log.notes)
    quality = log.meta["run_quality"]
    runs = log.meta["runs"]
    ended_well = runs.filter(pl.col("success"))["run"].to_list()
    assert len(ended_well) == 768
    assert sum(quality.get(run, -1) == 1 for run in ended_well) == 272
    assert sum(quality.get(run, -1) == 0 for run in ended_well) == 490


@pytest.mark.realdata
def test_conventions():
    log = read(real("llm_conventions"))
    assert (log.events.height, len(log.runs)) == (377_374, 434)
    assert log.events.schema["source"] == pl.String
    assert len(log.meta["committed"]) == len(log.meta["predefined_runs"]) == 52
    assert any("different stop rules" in note for note in log.notes)
    assert "item" in log.missing


@pytest.mark.realdata
def test_who_and_when_has_a_designed_hub_and_no_texts():
    log = read(real("who_and_when"))
    assert (log.events.height, len(log.runs)) == (2_993, 58)
    assert set(log.meta["predefined_agents"]) == {"Orchestrator"}
    assert "text" not in log.events.columns


@pytest.mark.realdata
def test_team_graphs_are_no_event_log():
    assert "an event log needs the columns time, kind, source" in refusal(real("team_graphs"))
