"""Conventions: found when they tip, with those who never changed; a prior, drift and a broadcast are none."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from scenarios.worlds.world import worlds
from sim.detectors.audit import COMMON_PRIOR, rivals
from sim.detectors.engine import detect
from sim.record.log import Log

WINDOWS = 8  # the middle of the three window counts
LOOKALIKES = ("separate drift", "shared prior", "lone learners", "like meets like", "shared broadcast")


def detected(world, seed, **size):
    log = worlds.get(world).log(seed, **size)
    report = detect(log, detectors=["conventions"], seed=seed)
    return log.meta["truth"], report, log.events["time"].max()


@pytest.mark.parametrize("world", ["naming pairs", "committed minority"])
def test_a_convention_is_seen_within_two_windows_of_its_tipping(world):
    for seed in (900, 901, 902):
        truth, report, end = detected(world, seed)
        (found,) = report.discovered
        assert found.facts["option"] == f"option {truth['option']}"
        assert abs(found.windows[0] - truth["tipping"]) <= 2 * end / WINDOWS
        assert abs(found.facts["tipping"] - truth["tipping"]) <= 2 * end / WINDOWS


def test_committed_agents_are_named_and_no_other():
    hits, false, of = 0, 0, 0
    for seed in (900, 902, 903):
        truth, report, _ = detected("committed minority", seed)
        named = set(report.discovered[0].roles["committed"])
        hits, false = hits + len(named & set(truth["committed"])), false + len(named - set(truth["committed"]))
        of += len(truth["committed"])
    assert hits >= 0.8 * of
    assert false == 0


def test_without_a_trace_of_meetings_there_is_no_convention():
    """At strength 0 words are invented anew each time."""
    assert not detected("naming pairs", 1, strength=0.0)[1].discovered


@pytest.mark.parametrize("world", LOOKALIKES)
def test_look_alikes_are_not_discovered(world):
    assert not any(detected(world, s)[1].discovered for s in (11, 12))


@pytest.mark.slow
@pytest.mark.parametrize("world", LOOKALIKES)
def test_false_discoveries_stay_at_the_level(world):
    """40 worlds; 5 % may read up to 18.8 % (4 standard errors)."""
    assert np.mean([bool(detected(world, 2000 + s)[1].discovered) for s in range(40)]) <= 0.188


def test_a_shared_prior_is_said_to_be_predefined():
    """All name the same from the first answer on, then copy whom they met."""
    rng = np.random.default_rng(5)
    agents, events = 20, 1200
    speaker = rng.integers(0, agents, events)
    hearer = (speaker + rng.integers(1, agents, events)) % agents
    last, said = np.full(agents, -1), np.empty(events, dtype=np.int64)
    for k in range(events):
        own = 0 if last[speaker[k]] < 0 or rng.random() < 0.5 else last[speaker[k]]
        said[k] = own if rng.random() < 0.8 else rng.integers(0, 4)
        said[k] = 0 if last[speaker[k]] < 0 else said[k]
        last[hearer[k]] = said[k]
    log = Log(pl.DataFrame({
        "time": np.arange(events, dtype=np.float64), "kind": ["play"] * events, "source": speaker, "target": hearer,
        "artefact": said,
    }))  # fmt: skip
    report = detect(log, detectors=["conventions"])
    assert not report.discovered
    assert all(s.predefined and "first decisions" in s.predefined for s in report.structures if s.level != "observed")


@pytest.mark.parametrize(("origin", "meta", "rival"), [
    ("llm", {}, COMMON_PRIOR), (None, {}, COMMON_PRIOR), ("llm", {"twins": 20}, None), ("rule", {}, None),
])  # fmt: skip
def test_a_common_prior_is_excluded_by_twins_or_by_what_rules_decided_before_they_heard_anything(origin, meta, rival):
    log = worlds.get("naming pairs").log(900)
    events = log.events.drop("origin", strict=False)
    log = replace(log, events=events if origin is None else events.with_columns(origin=pl.lit(origin)), meta=meta)
    (found,) = detect(log, detectors=["conventions"], seed=900).discovered
    assert found.facts["heard nothing"] >= 2
    assert found.rival == found.to_json()["rival"] == rival


def test_a_common_prior_is_open_where_nobody_was_seen_before_hearing_anything_and_no_twin_ran():
    log = worlds.get("naming pairs").log(900)
    log = replace(log, events=log.events.with_columns(origin=pl.lit("rule")))
    (found,) = detect(log, detectors=["conventions"], seed=900).discovered
    late = replace(found, facts={**found.facts, "heard nothing": 0})
    twins = replace(late, facts={**late.facts, "of_runs_twins": 5})
    teams, given = replace(late, kind="teams"), replace(late, predefined="given")
    assert [s.rival for s in rivals([late, twins, teams, given], log)] == [COMMON_PRIOR, None, None, None]


def test_options_are_called_what_the_log_calls_them():
    log = worlds.get("naming pairs").log(900)
    named = Log(log.events.with_columns(artefact="word " + pl.col("artefact").cast(pl.String)), meta=log.meta)
    (found,) = detect(named, detectors=["conventions"], seed=900).discovered
    assert found.facts["option"] == f"option word {log.meta['truth']['option']}"
    assert "first decisions" in found.sentence
