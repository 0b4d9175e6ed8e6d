"""Prompt audit: a prior is not taken for a convention, labels and order are seen, and calls count in the budget."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from agents.llm.budget import Budget
from agents.llm.mock_server import serving
from agents.llm.prompt import FRAMES, read_frame
from agents.llm.settings import Asking
from experiments.prompt_forms import FORMS, format_check
from experiments.prompt_lint import lint
from experiments.run import run
from scenarios.naming import spoken
from sim.detectors.audit import stated_for
from sim.spec import scenarios
from sim.world.due import Answer, Due
from sim.world.view import Draws

pytestmark = pytest.mark.filterwarnings("ignore:.*ReadOnly.*:UserWarning")
HOW = {"preset": "pool", "changes": {"agents": 16}, "until": 6.0, "mind": "llm", "detectors": ["conventions"]}


def audited(tmp_path, model, *, samples=30, **limits):
    with serving() as (url, provider):
        asking = Asking(model=f"openai/mock/{model}", base_url=url, audit=samples, budget=Budget(**limits))
        done = run("naming", asking=asking, seed=2, out=tmp_path, **HOW)
    return done, done.manifest["audits"][0], provider


def check(made, name):
    return next(c for c in made["checks"] if c["name"] == name)


def test_a_prior_that_wins_is_not_called_emergent(tmp_path):
    done, made, provider = audited(tmp_path, f"biased:0.95:{spoken(1)}")
    assert "the model's prior explains it" in made["explained"]
    assert not check(made, "isolated twins")["fine"]
    assert not check(made, "labels")["fine"]
    assert check(made, "recognised")["fine"]
    assert done.log.meta["predefined_runs"][""]["convention"] == made["explained"]
    assert stated_for(done.log, "", "convention") == made["explained"]
    assert stated_for(done.log, "", "teams") == ""
    page = (done.folder / "report.html").read_text()
    assert "Not called emergent" in page
    decisions = sum(done.manifest["decisions"].values())
    assert provider.counts["requests"] == made["calls"] + decisions
    assert not made["hits"]


def test_a_convention_without_a_prior_stays(tmp_path):
    done, made, _ = audited(tmp_path, "majority:3")
    assert made["explained"] == ""
    assert done.log.meta["twins"] == check(made, "isolated twins")["n"] > 0
    assert not any("no solo baseline" in note for note in done.manifest["notes"])
    assert check(made, "isolated twins")["fine"]
    assert check(made, "labels")["fine"]


def test_order_and_recognition_are_seen(tmp_path):
    _, made, _ = audited(tmp_path, "first:0.9")
    assert not check(made, "option order")["fine"]
    assert made["explained"] == ""
    _, made, _ = audited(tmp_path / "2", "knowing", samples=5)
    assert not check(made, "recognised")["fine"]


def test_an_audit_stops_at_the_budget_and_says_so(tmp_path):
    done, made, provider = audited(tmp_path, "uniform", calls=120)
    assert done.manifest["status"] == "complete"
    assert provider.counts["requests"] <= 120
    assert "budget of 120 calls" in made["cut"]


def test_every_call_is_in_the_ledger_and_a_recorded_audit_replays_without_a_key(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    how = HOW | {"changes": {"agents": 6}, "until": 2.0, "seed": 2, "out": tmp_path}
    tape = Asking(model="openai/mock/knowing", audit=6, cassette=str(tmp_path / "tape.db"))
    with serving() as (url, provider):
        done = run("naming", asking=tape.changed(base_url=url), **how)
        sent = provider.counts["requests"]
    ledger, asked, (made,) = done.log.ledger, done.manifest["asked"], done.manifest["audits"]
    assert sent == ledger.height == asked["calls"]
    audit = ledger.filter(pl.col("purpose") == "audit")
    assert audit["agent"].null_count() == audit.height == asked["audit"]["calls"] == made["calls"] == 4 * 6 + 5
    assert asked["decisions"] == done.manifest["decisions"] == {"llm": sent - audit.height}
    spent = {name: made["asked"][name] for name in ("tokens_in", "tokens_out")}
    assert spent == {name: audit[name].sum() for name in spent}
    assert f"{spent['tokens_in']:,} tokens in" in (done.folder / "report.html").read_text()
    assert check(made, "recognised")["n"] == 5
    for mode in ("replay", "replay-or-live"):
        # No server, no key: whatever were called would fail.
        again = run("naming", asking=tape.changed(cassette_mode=mode), force=True, **how).manifest
        assert again["audits"][0]["checks"] == made["checks"]
        assert (again["audits"][0]["cut"], again["asked"]["calls"]) == ("", 0)
        assert again["asked"]["decisions"] == {"cassette": sent - audit.height}


def test_questions_that_are_not_answered_are_told_of(tmp_path):
    from agents.llm.mock_faults import Faults
    from agents.llm.mock_server import Settings

    with serving(Settings(faults=Faults.parse("refusal=1"))) as (url, _):
        asking = Asking(model="openai/mock/uniform", base_url=url, audit=2, retries=0)
        done = run("naming", asking=asking, out=tmp_path, **HOW | {"changes": {"agents": 3}, "until": 1.0})
    found = check(done.manifest["audits"][0], "recognised")
    # Some refuse in words, which is an answer.
    assert found["n"] < 5
    assert f"{5 - found['n']} of 5 questions were not answered (refused)" in found["verdict"]


def test_words_that_say_too_much_are_found():
    hits = {
        (h.family, h.words) for h in lint("You are the manager, agent 0.\nTry to agree on a convention.\nChoose one.")
    }
    assert hits == {("role", "manager"), ("name", "agent 0"), ("outcome", "try to agree"), ("hypothesis", "convention")}
    assert lint("You may choose one of these.") == ()


def test_no_form_of_the_prompt_says_too_much():
    for name in ("frame.txt", *FORMS):
        assert lint(read_frame(FRAMES / name).text) == ()


def answered(share, seed, n=40):
    """``n`` views of two words, and answers that take the first with probability ``share``."""
    scenario, rng = scenarios.get("naming"), np.random.default_rng(seed)
    view = SimpleNamespace(committed=0, pool=2)
    dues = [Due(k, 0.0, view, None, Draws(np.uint64(k + 1), np.int64(0))) for k in range(n)]
    return scenario, dues, [Answer(int(rng.random() > share), 1.0, "llm") for _ in dues]


def test_a_form_that_moves_choices_is_seen_and_one_that_does_not_is_not():
    moved = still = 0
    for seed in range(40):
        scenario, dues, plain = answered(0.5, 3 * seed)
        moved += not format_check(scenario, dues, plain, answered(0.95, 3 * seed + 1)[2]).fine
        still += not format_check(scenario, dues, plain, answered(0.5, 3 * seed + 2)[2]).fine
    # Alike: at most 5 % of 40 false alarms, P(more than 8) < 1e-3. Apart by 0.45 in 40 pairs: each test has power above 0.95.
    assert moved >= 34
    assert still <= 8


def test_a_mind_that_goes_by_names_is_told_from_one_that_goes_by_what_it_remembers(tmp_path):
    found = {}
    with serving() as (url, _):
        for model in ("biased:0.9:1", "majority:4"):
            asking = Asking(model=f"openai/mock/{model}", base_url=url, audit=30)
            made = run("trust_network", asking=asking, seed=2, out=tmp_path, changes={"agents": 8}, until=5.0, mind="llm",
                       detectors=["hubs"])  # fmt: skip
            found[model] = made.manifest["audits"][0]
            assert found[model]["cut"] == ""
            assert check(found[model], "format")["n"] == 60
    assert not check(found["biased:0.9:1"], "neighbours' names")["fine"]
    # Each audit's check errs in 5 %; here four standard errors of a share of 1/7 in 30 answers, error below 1e-4.
    even = check(found["majority:4"], "neighbours' names")
    assert abs(even["value"] - even["chance"]) < 4 * (even["chance"] * (1 - even["chance"]) / even["n"]) ** 0.5
    met = check(found["majority:4"], "most met neighbour")
    assert met["low"] > met["chance"]
