"""What providers say when they do not answer reaches the user in one sentence, over real HTTP and without keys."""

import pytest

from agents.llm.ledger import summary
from agents.llm.mock_server import serving
from agents.llm.provider import Model, Provider, ProviderProblem
from agents.llm.settings import Asking
from experiments.plan import engine_of, plan
from sim.record.store import EventWriter
from tests.minds.canned import canned, completion


def play(url, *, model="openai/mock/uniform", agents=4, until=1.0, **options):
    """What lies beside the log of a small run; where it stops, the error has it as ``beside``."""
    how = Asking(model=model, base_url=url).changed(**options)
    engine = engine_of(
        plan("placebo", changes={"agents": agents}, until=until, mind="llm", asking=how, check_minds=False)
    )
    try:
        engine.advance(until, EventWriter(None))
    except ProviderProblem as error:
        error.beside = engine.beside()
        raise
    finally:
        engine.close()
    return engine.beside()


def refused(words, **more):
    return {"error": {"message": words, **more}}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (402, refused("Insufficient credits", code=402), r"without credit or quota \(it says: Insufficient credits\)"),
        (429, refused("You exceeded it", code="insufficient_quota"), r"without credit or quota \(it says: You exceeded it\)"),
        (401, refused("no sk-abcdef1234 here"), r"refused the key; check the key .* \(it says: no \*\*\* here\)"),
        (400, refused("the structured hall is shut"), r"refused the request \(it says: the structured hall is shut\)"),
        (400, refused("no such thing", param="response_format"), r"takes no structured output; .*\(it says: no such thing\)"),
        (400, refused("x" * 500), r"\(it says: x{200}\)"),
    ],
)  # fmt: skip
def test_who_will_not_answer_is_asked_no_more_and_said_in_its_own_words(status, body, told):
    with canned(body, status=status) as (url, seen), pytest.raises(ProviderProblem, match=told) as error:
        play(url, retries=3)
    assert 1 <= len(seen) <= 4  # at most what was under way at once
    ledger = error.value.beside.ledger
    assert (ledger.height, set(ledger["status"])) == (len(seen), {"request refused"})


def test_who_never_answers_is_quoted():
    with (
        canned(refused("the hall sk-abcdef1234 burns"), status=500) as (url, _),
        pytest.raises(ProviderProblem, match=r"ever answered \(last: server error, it says: the hall \*\*\* burns\)"),
    ):
        play(url, agents=8, retries=0)


def test_a_mock_policy_that_does_not_exist_is_told_by_the_server():
    with (
        serving() as (url, _),
        pytest.raises(ProviderProblem, match=r"expected a policy of rule, uniform, .* got 'nosuch'"),
    ):
        play(url, model="openai/mock/nosuch")


def test_a_run_without_one_readable_reply_ends_and_shows_how_it_begins():
    with (
        canned(completion("I like sk-abcdef1234 best")) as (url, seen),
        pytest.raises(
            ProviderProblem, match=r"not one could be read \(last: unreadable, it begins with: I like \*\*\* best\)"
        ),
    ):
        play(url, agents=8, until=40.0, retries=0, concurrency=4)
    assert 24 <= len(seen) <= 24 + 3


def test_a_small_population_that_is_never_understood_is_censored_and_replies_cut_short_are_told():
    with canned(completion('{"choice": "', finish="length")) as (url, seen):
        beside = play(url, retries=0, max_tokens=7)
    assert len(seen) == 4
    assert seen[0]["max_tokens"] == 7
    assert summary(beside.ledger)["decisions"] == {"censored": 4}
    assert beside.ledger["status"].to_list() == ["cut short"] * 4
    assert any(
        "4 replies" in note and "cut short at 7 tokens" in note and "--max-tokens" in note for note in beside.notes
    )


def test_the_manifest_says_how_long_answers_may_be():
    made = plan("placebo", mind="llm", asking=Asking(model="openai/x", max_tokens=900), check_minds=False)
    assert "--max-tokens 900" in made.command()


def test_a_server_at_home_needs_neither_key_nor_address(monkeypatch):
    for name in ("OLLAMA_API_BASE", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    home = Provider(Model("ollama/llama3.2"))
    home.check()
    assert home.cost(tokens_in=1, tokens_out=1) is None
    Provider(Model("ollama_chat/llama3.2")).check()
    with pytest.raises(
        ProviderProblem, match="needs to know more: set VERTEXAI_PROJECT and VERTEXAI_LOCATION in the env"
    ):
        Provider(Model("vertex_ai/x")).check()


def test_models_of_two_providers_answer_in_one_run(monkeypatch):
    """One server stands for both: a hosted one, and Ollama at the address in the environment."""
    reply = '{"choice": "a"}'
    ollama = {"model": "llama3.2", "created_at": "2024-01-01T00:00:00Z", "response": reply, "done": True,
              "prompt_eval_count": 7, "eval_count": 5}  # fmt: skip
    both = {**completion(reply, usage={"prompt_tokens": 7, "completion_tokens": 5}), **ollama}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdef1234")
    with canned(both) as (url, _):
        monkeypatch.setenv("OPENAI_API_BASE", url)
        monkeypatch.setenv("OLLAMA_API_BASE", url.removesuffix("/v1"))
        mind = "llm=openai/gpt-4o-mini:0.5,llm=ollama/llama3.2"
        engine = engine_of(plan("placebo", changes={"agents": 8}, until=1.0, mind=mind, asking=Asking(timeout=20.0)))
        try:
            engine.advance(1.0, EventWriter(None))
        finally:
            engine.close()
        ledger = engine.beside().ledger
    assert set(ledger["model"]) == {"openai/gpt-4o-mini", "ollama/llama3.2"}
    assert set(ledger["status"]) == {"ok"}
    priced = ledger.group_by("model").agg(cost="cost").rows()
    assert {model: None not in cost for model, cost in priced} == {"openai/gpt-4o-mini": True, "ollama/llama3.2": False}
