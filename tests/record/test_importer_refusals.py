"""Canonical importer: junk, damaged files and absent paths are refused in one sentence, odd but whole ones are read."""

import json
import random

import numpy as np
import polars as pl
import pytest

from sim.record.importers import ImportFailure, importers, read
from tests.record.traces import SMALL, put, refusal


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "t.csv", "found an empty file"),
        (b"  \n", "t.jsonl", "found an empty file"),
        (b"", "t.parquet", "cut short or of another format"),
        (b"", "t", "expected a table of events in Parquet, CSV or JSON Lines, found an empty file"),
        (b"\x00\x01\x02\xff", "t", "found another format"),
        (b"PK\x03\x04 and so on", "t.zip", "found a ZIP archive; unpack it"),
        (b"# Title\n\nSome prose, with commas.\n", "t", "found another format"),
        (b"\x00\x01,\x02\xff", "t.csv", "found binary data"),
        (b"time,kind,source\n", "t.csv", "without rows"),
        (b"time,kind,source\n1,m,a,extra\n", "t.csv", "as many fields in each line"),
        (b"time,kind,source\n1,m,\xff\xfe\n", "t.csv", "UTF-8"),
        (b'{"time": 1}\n{"time": \n', "t.jsonl", "line 2 is not JSON"),
        (b'{"time": 1}\n[1]\n', "t.jsonl", "line 2 is no object"),
        (b'{"time": NaN}\n\n{"time": x}\n', "t.jsonl", "line 3 is not JSON (Expecting value at column 10)"),
        (b'{"a": {"b": 1}}\n{"a": {"b": 2}}\n{"a": 1}\n', "t.jsonl", "line 3 does not fit those before it"),
        (b'[{"time": 1},\n {"time": x}]', "t.json", "the array is not JSON (Expecting value at line 2, column 11)"),
        (b'[{"time": NaN}, 3]', "t.json", "item 2 is no object"),
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
