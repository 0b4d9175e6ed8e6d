"""Canonical importer on real logs: their size, what was given in them, and what they cannot show."""

import os
from pathlib import Path

import polars as pl
import pytest

from sim.record.importers import read
from tests.record.traces import refusal

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
