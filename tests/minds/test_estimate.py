"""A dry run asks nothing, writes nothing, and comes close to what the run then asks."""

import pytest

from agents.llm.mock_server import serving
from agents.llm.settings import Asking
from experiments.errors import UsageProblem
from experiments.estimate import estimate
from experiments.plan import engine_of, plan
from experiments.run import run


def test_an_estimate_is_near_what_a_run_asks_and_needs_no_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    small = {"changes": {"agents": 16, "words": 2}, "until": 6.0, "mind": "llm"}
    dear = estimate("naming", **small, asking=Asking(model="openai/gpt-4o-mini"))
    assert dear.decisions == 96
    assert 0.001 < dear.cost < 0.05
    assert list(tmp_path.iterdir()) == []
    with serving() as (url, provider):
        how = Asking(model="openai/mock/uniform", base_url=url)
        told = estimate("naming", **small, asking=how)
        assert provider.counts["requests"] == 0
        engine = engine_of(plan("naming", **small, asking=how))
        engine.advance(6.0)
        engine.close()
        used = engine.beside().ledger["tokens_in"].sum()
    assert told.cost == "unknown"
    assert told.decisions == provider.counts["requests"] == 96
    assert 0.5 < told.tokens_in / used < 2.0
    assert "at an unknown cost" in told.sentence()


def test_a_long_run_is_rehearsed_in_part():
    told = estimate("placebo", until=1000.0, mind="llm", asking=Asking(model="openai/gpt-4o-mini"))
    assert told.decisions == pytest.approx(20_000, rel=0.02)
    assert told.rehearsed < 200
    assert "extrapolated" in told.sentence()


def test_a_run_without_models_has_nothing_to_estimate():
    with pytest.raises(UsageProblem, match="asks nothing; add --mind llm"):
        estimate("placebo", mind="rule")


def test_an_estimate_counts_the_audit_as_a_run_makes_it_and_knows_the_names_of_models(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    small = {"preset": "pool", "changes": {"agents": 4}, "until": 2.0, "mind": "llm"}
    with serving() as (url, provider):
        how = Asking(model="openai/mock/uniform", base_url=url, audit=5)
        told = estimate("naming", **small, asking=how)
        assert provider.counts["requests"] == 0
        done = run("naming", **small, asking=how, out=tmp_path, detectors=[]).manifest["asked"]
        assert told.calls == done["calls"] == provider.counts["requests"]
    assert told.audit["calls"] == done["audit"]["calls"] == 4 * 5 + 5
    assert 0.5 < told.audit["tokens_in"] / done["audit"]["tokens_in"] < 2.0
    assert "The prompt audit alone: 25 calls" in told.sentence()
    whole, part = (estimate("naming", **small, asking=Asking(model="openai/gpt-4o-mini", audit=n)) for n in (5, 0))
    assert whole.cost == pytest.approx(part.cost + whole.audit["cost"])
    assert whole.audit["cost"] > 0
    assert part.audit["calls"] == 0
    with pytest.raises(UsageProblem, match=r"provider that LiteLLM knows.* got 'nosuch/thing'"):
        estimate("naming", **small, asking=Asking(model="nosuch/thing"))
