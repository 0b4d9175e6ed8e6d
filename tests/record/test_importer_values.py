"""Canonical importer: times, numbers, names, kinds and origins, and the order of rows within their runs."""

import json

import polars as pl
import pytest

from sim.record.importers import read
from sim.record.importers.canonical import read as canonical
from tests.record.traces import put, refusal


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
        (("1.0", "2"), [1, 2]),
        (("1.0", "1.1"), ["1.0", "1.1"]),
        (("007.0", "2"), ["007.0", "2"]),
        (("123456789012345678901", "2"), ["123456789012345678901", "2"]),
    ],
)
def test_whole_numbers_in_csv_are_numbers_and_other_names_stay(tmp_path, cells, expected):
    path = put(tmp_path, "time,kind,source,target\n" + f"1,m,{cells[0]},{cells[1]}\n2,m,{cells[1]},{cells[0]}\n")
    events = read(path).events
    assert events["source"].to_list() == expected
    assert events["target"].to_list() == expected[::-1]


def test_targets_that_are_floats_because_some_are_missing_name_the_same_agents_as_the_sources(tmp_path):
    log = read(put(tmp_path, "time,kind,source,target\n1,m,7,9.0\n2,m,9,\n3,m,8,7.0\n4,m,7,NaN\n"))
    assert log.events["target"].to_list() == [9, None, 7, None]
    assert "2 values of column 'target' are written like '9.0' and were read as whole numbers, 9" in log.notes
    assert "1 values of column 'target' are NaN and were taken as missing" in log.notes
    columns = {"time": [1.0, 2.0], "kind": ["m", "m"], "source": [7, 9], "target": [9.0, float("nan")], "seq": [0, 1]}
    pl.DataFrame({**columns, "parent": [float("nan"), 0.0]}).write_parquet(tmp_path / "nan.parquet")
    log = read(tmp_path / "nan.parquet")
    assert log.events.select("target", "parent").rows() == [(9, None), (None, 0)]
    assert "1 values of column 'target' are NaN and were taken as missing" in log.notes
    put(tmp_path, "time,kind,source\n1,m,7\n2,m,9\n", "events.csv")
    put(tmp_path, "source,target\n7,9.0\n9,\n", "contacts.csv")
    contacts = read(tmp_path / "events.csv").contacts
    assert contacts is not None
    assert contacts["target"].to_list() == [9, None]


def test_sources_and_targets_without_a_common_name_are_pointed_at(tmp_path):
    def notes(prefix):
        rows = "".join(f"{i},m,a{i % 5},{prefix}{(i + 1) % 5}\n" for i in range(10))
        return [n for n in read(put(tmp_path, "time,kind,source,target\n" + rows)).notes if "no name in common" in n]

    assert notes("a") == []
    assert "the 5 sources (such as 'a0') and the 5 targets (such as 'A0')" in notes("A")[0]


def test_nan_and_infinity_in_json_lines_are_missing_as_in_other_formats(tmp_path):
    """Python's own writer leaves them although JSON does not know them."""
    rows = [{"time": i, "kind": "m", "source": i, "target": x, "value": x} for i, x in enumerate((2, float("nan")))]
    for name, text in (("t.jsonl", "\n".join(map(json.dumps, rows))), ("t.json", json.dumps(rows))):
        log = read(put(tmp_path, text, name))
        assert log.events.select("source", "target", "value").rows() == [(0, 2, 2.0), (1, None, None)]
        assert "1 values of column 'value' are not finite and were taken as missing" in log.notes
    assert read(put(tmp_path, '{"time":1,"kind":"m","source":"a","value":-Infinity}', "i.jsonl")).events.height == 1


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
