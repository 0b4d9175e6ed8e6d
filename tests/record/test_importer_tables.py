"""Canonical importer: what the tables beside the events say was given, and what labels give away."""

import polars as pl

from sim.record.importers import read
from tests.record.traces import SMALL, put


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
