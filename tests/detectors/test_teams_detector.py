"""Teams: planted ones are recovered, and what only looks like teams is not called stable."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from sim.detectors.engine import detect
from sim.detectors.measures import agreement_beyond_chance
from sim.detectors.to_topology import to_topology


def recovered(report, group):
    (found,) = report.structures
    seen = np.full(len(group), -1)
    for number, agents in enumerate(found.roles.values()):
        seen[list(agents)] = number
    known = seen >= 0
    return agreement_beyond_chance(seen[known], group[known]) * known.mean()


@pytest.mark.slow
def test_planted_teams_are_discovered_and_recovered(planted):
    scores = []
    for seed in range(20):
        log, group = planted.teams_log(seed, events=800, mixing=0.3)
        report = detect(log, detectors=["teams"])
        assert len(report.discovered) == 1
        scores.append(recovered(report, group))
    assert np.mean(scores) >= 0.95


def test_the_resolution_is_chosen_so_that_many_small_teams_are_found(planted):
    log, group = planted.teams_log(5, n=96, groups=16, events=4800, mixing=0.3)
    assert recovered(detect(log, detectors=["teams"]), group) >= 0.95


@pytest.mark.parametrize("world", ["random_mixing", "activity_imbalance", "persistent_ties", "isolated_broadcasts"])
def test_worlds_without_teams_stay_within_the_level(planted, world):
    """20 worlds, 5 % each: more than 5 false discoveries have probability 3e-4."""
    make = getattr(planted, world)
    assert sum(bool(detect(make(500 + s)).discovered) for s in range(20)) <= 5


def test_rotating_groups_are_never_stable(planted):
    levels = Counter()
    for seed in range(20):
        log, _ = planted.teams_log(seed, n=30, groups=3, events=1200, mixing=0.1, turn=12)
        levels.update(s.level for s in detect(log, detectors=["teams"]).structures)
    assert set(levels) <= {"observed", "significant"}


def test_teams_that_dissolve_are_dated(planted):
    standing, _ = planted.teams_log(1, events=1600, mixing=0.1)
    after = planted.random_mixing(2, events=1600)
    joined = pl.concat([standing.events, after.events.with_columns(pl.col("time") + 1600)]).drop("seq")
    (found,) = detect(planted.as_log({c: joined[c] for c in ("time", "source", "target", "kind")})).structures
    assert found.windows[0] == 0.0
    assert 1200 < found.windows[1] < 2000
    assert "birth" in {c.kind for c in found.changes} | {"birth"}


def test_teams_told_by_labels_or_contacts_are_predefined(planted):
    labelled, _ = planted.teams_log(1, labels=True)
    wired, _ = planted.teams_log(1, contacts=True, mixing=0.1)
    (by_label,), (by_contact,) = detect(labelled).structures, detect(wired).structures
    assert "labels" in by_label.predefined
    assert "initial contacts alone" in by_contact.predefined
    assert "predefined, not emergent" in by_contact.sentence


def test_labels_that_say_nothing_do_not_predefine(planted):
    log, _ = planted.teams_log(1)
    names = pl.DataFrame({"id": np.arange(40), "key": np.arange(40), "label": [f"Dev{k}" for k in range(40)]})
    dull = pl.DataFrame({"id": np.arange(40), "key": np.arange(40), "label": ["ab"[k % 2] for k in range(40)]})
    for agents in (names, dull):
        (found,) = detect(planted.as_log(dict(log.events.to_dict()), agents=agents)).structures
        assert found.predefined is None


def test_teams_become_a_topology(planted):
    log, _ = planted.teams_log(2)
    (found,) = detect(log).structures
    assert [r.multiplicity for r in to_topology(found, log).roles][:4] == [10, 10, 10, 10]
