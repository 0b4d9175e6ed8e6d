"""The engine: no claim without a null, everything in the ledger, levels earned one by one."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from sim.detectors.core import DetectorError, detectors
from sim.detectors.engine import detect
from sim.detectors.surrogates import LEAST, Surrogates, compare, q_values
from sim.registry import UnknownNameError

KEYS = {
    "id", "kind", "claim", "level", "run", "members", "roles", "score", "interval", "chance", "p", "q", "nulls",
    "windows", "lifetime", "half_life", "predefined", "relabelling", "resilience", "sentence", "refuted_by",
    "part_of", "rival",
}  # fmt: skip


@pytest.fixture(scope="module")
def teams(planted):
    log, group = planted.teams_log(11)
    return log, group, detect(log)


def alone(log, **settings):
    """What the engine makes of the teams of a log; its rules are the same for every detector."""
    return detect(log, detectors=["teams"], **settings)


@pytest.mark.parametrize("null", ["", "N9"])
def test_a_claim_without_a_known_null_is_refused(null):
    detector = detectors.get("teams")
    claim = replace(detector.claims[0], null=null)
    with pytest.raises(DetectorError, match="cannot be tested"):
        replace(detector, claims=(claim,))


def test_a_detector_without_claims_is_refused():
    with pytest.raises(DetectorError, match="at least one claim"):
        replace(detectors.get("teams"), claims=())


def test_a_sample_of_the_wrong_type_is_refused():
    from sim.detectors.nulls import NULLS

    with pytest.raises(TypeError, match="N1 takes Links"):
        compare("no links", lambda s: np.zeros(1), NULLS["N1"], most=19, stop=10, rng=np.random.default_rng(0))


def test_report_json_has_the_agreed_parts_and_is_json(teams):
    made = json.loads(json.dumps(teams[2].to_json()))
    assert set(made) == {"schema_version", "log", "decisions", "structures", "ledger"}
    assert {"events", "agents", "runs", "start", "end", "missing_columns", "kept"} <= set(made["log"])
    assert made["decisions"] == {"rule": 1600}
    assert all(set(s) == KEYS for s in made["structures"])
    assert {"detector", "claim_tested", "null", "p", "q", "verdict", "reason"} <= set(made["ledger"][0])


def test_each_structure_says_in_one_sentence_what_a_reader_needs(teams):
    (found,) = teams[2].structures
    for part in (
        "40 agents",
        f"{found.score:.3g}",
        "by chance",
        "lifetime",
        "half-life",
        "level robust",
        "beyond N1F, N4",
        "renumbered",
    ):
        assert part in found.sentence
    assert found.sentence.endswith(".")
    assert found.refuted_by
    assert found.nulls == ("N1F", "N4")
    assert found.interval[0] < found.score < found.interval[1]


def test_the_same_log_and_seed_give_the_same_report(teams):
    again = detect(teams[0])
    assert again.to_json() == teams[2].to_json()


def test_row_order_and_agent_names_change_nothing_but_the_names(teams, planted):
    renamed, names = planted.relabelled(teams[0], 3)
    (before,), (after,) = alone(teams[0]).structures, alone(renamed).structures
    assert after.score == before.score
    assert after.p == before.p
    assert {frozenset(r) for r in after.roles.values()} == {
        frozenset(names[a] for a in r) for r in before.roles.values()
    }


def test_nineteen_surrogates_support_no_more_than_observed(teams):
    report = alone(teams[0], nulls=Surrogates(most=LEAST))
    assert [s.level for s in report.structures] == ["observed"]
    assert not report.discovered


def test_every_planned_test_is_in_the_ledger_and_corrected(teams):
    ledger = teams[2].ledger
    tested = [r for r in ledger if r.p is not None]
    assert {r.detector for r in ledger} == {*detectors.names(), "change points"}
    assert [(r.null, r.verdict) for r in tested if r.detector == "teams"] == [("N1F", "beaten"), ("N4", "beaten")]
    assert all(r.q >= r.p for r in tested)
    family = [r for r in tested if r.detector != "change points"]  # one question a run, a family of its own
    planned = len(family) + sum(r.p is None and r.verdict == "not tested" and r.null == "N4" for r in ledger)
    assert [r.q for r in family] == pytest.approx(q_values([r.p for r in family], tests=planned))
    missing = {r.detector for r in ledger if r.verdict == "insufficient data"}
    assert missing >= {"handoffs", "workload"}
    assert all(r.reason for r in ledger if r.verdict in {"insufficient data", "not tested"})


def test_censored_decisions_are_left_out_and_counted(teams):
    log = teams[0]
    mark = pl.when(pl.col("seq") % 2 == 0).then(pl.lit("censored")).otherwise(pl.lit("llm"))
    report = alone(replace(log, events=log.events.with_columns(mark.alias("origin"))))
    assert report.decisions == {"censored": 800, "llm": 800}
    assert "800 of 1,600 events were genuine (800 llm); 800 censored decisions are left out." in report.notes
    assert report.log["events"] == 1600
    nothing = alone(replace(log, events=log.events.with_columns(origin=pl.lit("censored"))))
    assert not nothing.structures
    assert "0 of 1,600 events were genuine; 1,600 censored decisions are left out." in nothing.notes


def test_runs_are_analysed_apart(planted):
    first, _ = planted.teams_log(1)
    second = planted.random_mixing(2, n=40, events=1600)
    both = pl.concat(
        [log.events.select("time", "source", "target", "kind").with_columns(run=pl.lit(name))
         for name, log in (("a", first), ("b", second))]
    )  # fmt: skip
    report = alone(replace(first, events=both))
    assert [s.run for s in report.structures] == ["a"]
    assert report.log["runs"] == 2


def test_a_structure_that_recurs_in_other_runs_is_replicated(planted):
    log = planted.teams_log(1, events=600, mixing=0.1)[0]
    alike = [planted.teams_log(s, events=600, mixing=0.1)[0] for s in (2, 3)]
    other = [planted.random_mixing(s, events=600) for s in (2, 3, 4)]
    assert [s.level for s in alone(log).structures] == ["robust"]
    assert [s.level for s in alone(log, reference=alike).structures] == ["replicated"]
    (lone,) = alone(log, reference=other).structures
    assert lone.level == "robust"
    assert "recurs in 1 of 4 runs" in lone.sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"alpha": 0.0}, "alpha must lie in"),
        ({"alpha": float("nan")}, "alpha must lie in"),
        ({"seed": -1}, "seed must be"),
        ({"windows": 2}, "at least 3"),
        ({"windows": [4, 5]}, "three counts"),
    ],
)
def test_settings_out_of_range_are_refused(teams, arguments, words):
    with pytest.raises(ValueError, match=words):
        detect(teams[0], **arguments)


def test_an_unknown_detector_is_refused_with_a_suggestion(teams):
    with pytest.raises(UnknownNameError, match="Did you mean 'teams'"):
        detect(teams[0], detectors=["team"])


def test_windows_and_detectors_can_be_chosen(teams):
    report = alone(teams[0], windows=(3, 4, 6))
    lasting = next(r for r in report.ledger if r.null == "N4")
    assert lasting.reason.startswith("3 windows")
    assert {r.detector for r in report.ledger} == {"teams"}


def test_progress_is_told(teams):
    told = []
    alone(teams[0], progress=lambda done, total, what: told.append((done, total, what)))
    assert told[-1][2] == "done"
    assert all(done <= total for done, total, _ in told)


def test_predefined_runs_and_statements_are_not_emergent(teams):
    said = alone(replace(teams[0], predefined=("Teams were given out by the organiser.",)))
    assert [s.predefined for s in said.structures] == ["Teams were given out by the organiser."]
    assert "predefined, not emergent: Teams were given out" in said.structures[0].sentence
    assert not said.discovered
    elsewhere = alone(replace(teams[0], meta={"predefined_runs": {"": {"hub": "by the list"}}}))
    assert [s.predefined for s in elsewhere.structures] == [None]


def test_q_values_match_a_hand_computed_case():
    # Benjamini-Hochberg by hand: sorted p m / rank = .04, .04, .04, .5; the unsorted order is kept.
    assert q_values([0.02, 0.01, 0.5, 0.03]) == pytest.approx([0.04, 0.04, 0.5, 0.04])
    assert q_values([0.01], tests=4) == pytest.approx([0.04])
    assert q_values([]) == []


@pytest.mark.parametrize("most", [10, 2000])
def test_numbers_of_surrogates_out_of_range_are_refused(most):
    with pytest.raises(ValueError, match="19 to 1999"):
        Surrogates(most=most)


def test_the_number_of_surrogates_grows_with_the_number_of_tests():
    chosen = [Surrogates().chosen(m, alpha=0.05) for m in (1, 10, 20, 50, 5000)]
    assert chosen == [199, 499, 999, 1999, 1999]
