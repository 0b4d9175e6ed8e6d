"""Budgets hold where providers say nothing of tokens, and stop a run on what calls took, not on what was reserved."""

import asyncio

import pytest

from agents.llm.budget import Account, Budget, BudgetReached
from agents.llm.calls import Calls
from agents.llm.cassette import Cassette
from agents.llm.ledger import summary
from agents.llm.mock_faults import Faults
from agents.llm.mock_server import Settings, serving
from agents.llm.settings import Asking
from experiments.plan import engine_of, plan
from sim.record.store import EventWriter
from tests.minds.canned import canned, completion

SMALL = {"agents": 8}


def play(url, *, until=1.0, changes=SMALL, **options):
    """The run of a small scenario: what lies beside its log, the mind's account, and what stopped it."""
    how = Asking(model="openai/mock/uniform", base_url=url).changed(**options)
    engine, trouble = engine_of(plan("placebo", changes=changes, until=until, mind="llm", asking=how)), None
    try:
        engine.advance(until, EventWriter(None))
    except BudgetReached as error:
        trouble = str(error)
        engine.drain(EventWriter(None))
    finally:
        engine.close()
    return engine.beside(), engine.batches.mixture.askers[0].mind.account, trouble


def test_who_waits_for_room_gets_what_others_give_back_and_is_refused_when_nobody_can():
    account = Account(Budget(tokens=100, money=1.0))

    async def call(*, used):
        await account.room(60, 0.6)
        assert account.tokens + account._tokens_open <= 100
        await asyncio.sleep(0)
        account.settle(60, 0.6, used=used, paid=0.1)

    asyncio.run(asyncio.wait_for(_all([call(used=20), call(used=20), call(used=None)]), 5))
    assert (account.calls, account.tokens, account.unsaid) == (3, 100, 60)
    with pytest.raises(BudgetReached, match=r"\(100 used, 60 of them reserved for calls whose use nobody reported\)"):
        asyncio.run(account.room(1, None))


async def _all(calls):
    await asyncio.gather(*calls)


def test_a_limit_on_tokens_holds_where_the_server_reports_none(tmp_path):
    tape = tmp_path / "tape.db"
    with canned(completion('{"choice": "a"}')) as (url, seen):
        beside, account, trouble = play(url, until=20.0, budget_tokens=5000, cassette=str(tape))
    assert "5,000 tokens" in trouble
    assert "whose use nobody reported" in trouble
    assert 2 <= len(seen) == account.calls < 12
    assert account.tokens <= 5000
    assert beside.ledger.select("tokens_in", "tokens_out", "tokens_cached").null_count().row(0) == (len(seen),) * 3
    made = summary(beside.ledger)
    assert (made["calls_without_tokens"], made["cost"]) == (len(seen), "unknown")
    assert any("answered without a word on tokens" in note for note in beside.notes)
    stored = Cassette(tape)._db.execute("SELECT count(*), count(tokens_in), count(tokens_out) FROM replies").fetchone()
    assert stored == (len(seen), 0, 0)


@pytest.mark.parametrize(("fault", "booked"), [("cut", True), ("slow", True), ("500", False)])
def test_a_call_that_may_have_been_worked_on_is_booked_and_one_that_was_refused_is_not(fault, booked):
    with serving(Settings(faults=Faults.parse(f"{fault}=1"), slow=3.0)) as (url, _):
        _, account, _ = play(url, changes={"agents": 2}, retries=0, timeout=0.5)
    assert account.calls >= 2
    assert (account.tokens > 0) == booked


def test_calls_under_way_do_not_stop_a_run_that_the_budget_pays_for():
    with serving(Settings(latency=0.02)) as (url, provider):
        beside, account, trouble = play(url, until=2.0, concurrency=32, budget_tokens=8000)
        assert trouble is None
        assert account.tokens <= 8000
        assert provider.counts["requests"] == beside.ledger.height == 16
        _, account, trouble = play(url, until=8.0, concurrency=32, budget_tokens=8000)
    # No more room is left over than one call reserves.
    assert 8000 - 700 < account.tokens <= 8000
    assert "tokens leaves no room" in trouble


def test_a_prompt_denser_than_expected_is_reserved_as_it_was_counted(monkeypatch):
    monkeypatch.setattr("agents.llm.calls.DENSE", 0.01)
    with serving() as (url, _):
        _, account, _ = play(url, until=8.0, concurrency=1, budget_tokens=3000, max_tokens=12)
    assert Calls.__init__.__globals__["DENSE"] == 0.01
    assert 2500 < account.tokens <= 3000
