"""Prompt audit: a prior is not taken for a convention, labels and order are seen, and calls count in the budget."""

import pytest

from agents.llm.budget import Budget
from agents.llm.mock_server import serving
from agents.llm.settings import Asking
from experiments.prompt_lint import lint
from experiments.run import run
from scenarios.naming import spoken
from sim.detectors.audit import stated_for

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
    _, made, _ = audited(tmp_path, "majority:3")
    assert made["explained"] == ""
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


def test_words_that_say_too_much_are_found():
    hits = {
        (h.family, h.words) for h in lint("You are the manager, agent 0.\nTry to agree on a convention.\nChoose one.")
    }
    assert hits == {("role", "manager"), ("name", "agent 0"), ("outcome", "try to agree"), ("hypothesis", "convention")}
    assert lint("You may choose one of these.") == ()
