"""Influence: planted links are found, and common drivers, messages and long memories are not called influence."""

import numpy as np
import polars as pl
import pytest

from scenarios.worlds.world import worlds
from sim.detectors.artefacts import channels
from sim.detectors.engine import detect
from sim.detectors.foretelling import first_ready, foretold
from sim.detectors.granger import pairs
from sim.detectors.influence import FORETOLD, RETURNS, Uses, exchange_readers
from sim.detectors.window import read
from sim.record.log import Log


def found_links(report):
    """Links of the hidden structures of a report."""
    hidden = [s for s in report.structures if s.about.startswith("hidden") and s.level != "observed"]
    return {(link["source"], link["target"]) for s in hidden for link in s.facts["links"]}


def truth_of(log):
    return {(a, b) for a, b in log.meta["truth"]["links"]}


def scored(name, seeds, **size):
    """Recall, share of false links, and the shares of worlds discovered, over seeds."""
    hits, false, missed, discovered = 0, 0, 0, []
    for seed in seeds:
        log = worlds.get(name).log(seed, **size)
        report = detect(log, detectors=["influence"], seed=seed)
        got, true = found_links(report), truth_of(log)
        hits, false, missed = hits + len(got & true), false + len(got - true), missed + len(true - got)
        discovered.append(bool(report.discovered))
    return hits / max(hits + missed, 1), false / max(hits + false, 1), float(np.mean(discovered))


@pytest.mark.parametrize("name", ["hidden influence", "influence and demand"])
def test_planted_links_are_found(name):
    """20 agents, 15 links of 0.3, 300 times, 2 worlds of 30 links: recall 0.95 expected, 4 standard errors below is 0.79."""
    recall, false, discovered = scored(name, range(300, 302))
    assert recall >= 0.79
    assert false <= 0.2
    assert discovered == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hidden influence", "influence and demand", "stigmergy"])
def test_recall_and_false_links_reach_their_targets(name):
    recall, false, _ = scored(name, range(300, 320))
    assert recall >= 0.9
    assert false <= 0.10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lone deciders", "recorded demand", "latent demand", "told by message"])
def test_false_discoveries_stay_at_the_level(name):
    """60 worlds; 5 % may read up to 16 % (4 standard errors)."""
    assert scored(name, range(600, 660))[2] <= 0.16


def p_of_pairs(name, seeds, **size):
    found = []
    for seed in seeds:
        window = read(worlds.get(name).log(seed, **size)).windows[0]
        made = foretold(window, first_ready(window))
        found.append(pairs(made.fit.p))
    return np.concatenate(found)


@pytest.mark.parametrize(("name", "size"), [("recorded demand", {}), ("wandering", {"events": 7200})])
def test_single_pairs_are_rejected_at_most_at_seven_per_cent(name, size):
    """3 worlds of 380 or 552 pairs: the standard error of 5 % is 0.7 %."""
    assert (p_of_pairs(name, range(40, 43), **size) <= 0.05).mean() <= 0.07 + 0.007


def test_a_driver_off_the_record_is_a_possible_confounder_and_no_influence():
    """Three worlds in which all follow a signal that nobody recorded, of 300 times."""
    reports = [detect(worlds.get("latent demand").log(s), detectors=["influence"]) for s in range(80, 83)]
    assert not any(found_links(r) for r in reports)
    links = worlds.get("hidden influence").log(81)
    assert "confounder" not in "".join(row.reason for row in detect(links, detectors=["influence"]).ledger)


def test_links_under_a_driver_off_the_record_are_said_to_be_doubtful():
    log = worlds.get("influence and demand").log(82)
    report = detect(Log(log.events, meta=log.meta), detectors=["influence"])
    assert not found_links(report)
    assert any("possible confounder" in row.reason for row in report.ledger)


def test_what_messages_told_is_no_influence():
    window = read(worlds.get("told by message").log(5)).windows[0]
    made = foretold(window, first_ready(window))
    assert made.told.sum() >= 2
    assert not (made.told & made.link).any()


def test_influence_through_artefacts_is_said_to_be_and_channels_are_exact():
    log = worlds.get("stigmergy").log(4)
    report = detect(log, detectors=["influence"])
    by = {s.about: s for s in report.structures}
    hidden, open_ = by["hidden, in values of decisions"], by["through artefacts"]
    assert {link["how"] for link in hidden.facts["links"]} == {"through artefacts"}
    assert {(link["source"], link["target"]) for link in open_.facts["links"]} == truth_of(log)
    assert open_.level in ("stable", "robust")
    assert "NU" in open_.nulls


def test_channels_go_back_to_the_last_writer():
    log = Log(
        pl.DataFrame(
            {
                "time": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
                "kind": ["write", "write", "read", "read", "write", "read"],
                "source": ["a", "b", "c", "b", "c", "c"],
                "artefact": [7, 7, 7, 7, 8, 8],
            }
        )
    )
    window = read(log).windows[0]
    found = channels(window)
    assert [(window.agents[w], window.agents[r]) for w, r in zip(found.writer, found.reader, strict=True)] == [
        ("b", "c")
    ]
    assert found.delay.tolist() == [1.0]


def test_an_open_board_is_observed_and_not_discovered():
    report = detect(worlds.get("open board").log(6), detectors=["influence"])
    assert [s.level for s in report.structures if s.about == "through artefacts"] == ["observed"]
    assert next(r for r in report.ledger if r.claim_tested == RETURNS).p > 0.05


def test_exchanged_readers_never_read_themselves_and_read_as_often():
    rng = np.random.default_rng(0)
    writer, reader = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    other = writer != reader
    sample = Uses(5, writer[other], reader[other])
    drawn = exchange_readers(sample, rng)
    assert not (drawn.writer == drawn.reader).any()
    assert np.bincount(drawn.reader).tolist() == np.bincount(sample.reader).tolist()
    assert (drawn.reader != sample.reader).any()


def test_short_series_are_refused():
    report = detect(worlds.get("hidden influence").log(1, events=1200), detectors=["influence"])
    assert not report.structures
    assert not any(r.p is not None and r.claim_tested == FORETOLD for r in report.ledger)
    assert any("common times" in r.reason for r in report.ledger)
