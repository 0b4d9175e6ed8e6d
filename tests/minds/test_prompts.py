"""Prompts show the view and nothing of who the agent is; order and numbers carry no information; replies are read strictly."""

import json
import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from agents.llm.budget import Account, Budget, BudgetReached
from agents.llm.ledger import Entry, summary, table
from agents.llm.mind import LlmMind
from agents.llm.prompt import Unreadable, frame_for, read_reply, render, schema_of
from agents.llm.provider import Model, retry_after, without_keys
from agents.llm.settings import Asking
from agents.llm.views import Question, letters
from agents.minds import parse
from experiments.errors import UsageProblem
from experiments.plan import plan
from sim.spec import Choice, Heard, ParameterError, scenarios
from sim.world.due import Due
from sim.world.view import Draws

WORDS_THAT_LEAK = ("manager", "leader", "hub", "hierarchy", "emerge", "organis", "convention", "consensus", "experiment",
                   "coordinat", "role", "team", "agent", "network", "placebo", "simulation")  # fmt: skip


def mind_of(name):
    return LlmMind(scenarios.get(name), model=Model("openai/x"), account=Account(Budget()))


def due_of(name, seed=0):
    """A due decision of a scenario with a few memories, on a view of plausible numbers."""
    rng = np.random.default_rng(seed)
    scenario = scenarios.get(name)
    view = SimpleNamespace(**{f.name: int(rng.integers(0, 2)) for f in scenario.view})
    view.width, view.pool, view.asked = 4, 0, np.array([2.0, -1.0, 0.0, 3.0])
    memory = tuple(Heard(int(rng.integers(0, 2)), int(rng.integers(0, 4)) * 8 % 32, 1.0, 1) for _ in range(3))
    if name in {"trust_network", "placebo"}:
        memory = tuple(m._replace(code=m.code // 8) for m in memory)
    return Due(5, 1.0, view, None, Draws(np.uint64(77 + seed), np.int64(3)), memory)


@pytest.mark.parametrize("name", ["factory", "naming", "placebo", "trust_network"])
def test_a_prompt_shows_the_view_and_nothing_that_gives_the_game_away(name):
    mind, due = mind_of(name), due_of(name)
    scenario = scenarios.get(name)
    question = mind.question(due, scenario.options(due.view, due.memory, due.draws))
    text = render(question).messages[0]["content"]
    for field in scenario.view:
        assert field.per_option or field.words in text
    shown = json.loads(re.search(r"<view>(.*)</view>", text).group(1))
    assert set(shown) == {"scenario", "fields", "options", "memory"}
    assert [o["id"] for o in shown["options"]] == letters(len(question.options))
    assert len(shown["memory"]) == 3
    low = text.lower()
    for leak in (*WORDS_THAT_LEAK, name, "slot", "{", "code") if name != "factory" else WORDS_THAT_LEAK:
        assert leak not in low.replace(json.dumps(shown, ensure_ascii=False).lower(), "").replace('{"choice"', ""), leak
    assert not re.search(r"\{\d+\}", text)


def test_order_and_numbers_are_drawn_for_each_view_and_sample():
    options = tuple(Choice(n, f"visit neighbour {{{n}}}", features={"slot": n}) for n in range(4))
    made = [
        Question("trust_network", {}, {}, options, ("You visited neighbour {2}.",), 4, sample=s) for s in range(4000)
    ]
    first = Counter(q.shown.order[0] for q in made)
    called = Counter(q.shown.number[2] for q in made)
    # Multinomial with p = 1/4: standard deviation 27; five of them, eight counts: error below 1e-5.
    assert all(abs(n - 1000) < 137 for n in (*first.values(), *called.values()))
    assert len({q.view_hash for q in made}) == 1
    prompt = render(made[7])
    assert prompt.ids == {letters(4)[place]: index for place, index in enumerate(made[7].shown.order)}
    number = made[7].shown.number[2]
    assert f"You visited neighbour {number}." in prompt.messages[0]["content"]
    told = json.loads(re.search(r"<view>(.*)</view>", prompt.messages[0]["content"]).group(1))
    assert all(o["words"] == f"visit neighbour {o['neighbour']}" for o in told["options"])


def test_memory_is_bounded_whatever_happens():
    mind = mind_of("trust_network")
    long = due_of("trust_network")
    assert len(mind.question(long, scenarios.get("trust_network").options(long.view, (), None)).memory) == 3


@pytest.mark.parametrize(
    "text",
    ["", None, "b", "{}", '{"choice": "z"}', '{"choice": 1}', '["a"]', 'I take {"choice": "a"}', '{"choice": "A"}',
     '{"choice": "a"', '{"choice": null}', '{"choice": ["a"]}'],
)  # fmt: skip
def test_what_is_no_answer_is_not_bent_into_one(text):
    with pytest.raises(Unreadable):
        read_reply(text, {"a": 1, "b": 0})


def test_replies_are_read_with_their_thoughts():
    assert read_reply('{"choice": "a"}', {"a": 1}).option == 1
    assert read_reply('```json\n{"choice": "a"}\n```', {"a": 1}).option == 1
    made = read_reply('{"thoughts": "hm, choice: b", "choice": "a"}', {"a": 1, "b": 0})
    assert (made.option, made.thoughts) == (1, "hm, choice: b")
    body = schema_of(("a", "b"), thoughts=True)["json_schema"]["schema"]
    assert list(body["properties"]) == ["thoughts", "choice"]
    assert body["properties"]["choice"]["enum"] == ["a", "b"]


def test_letters_never_repeat():
    assert letters(3) == ["a", "b", "c"]
    assert len(set(letters(1000))) == 1000
    assert letters(28)[26:] == ["aa", "ab"]


def test_a_frame_has_a_version_and_its_seal_changes_with_the_text(tmp_path):
    from agents.llm.prompt import read_frame

    frame = frame_for("naming")
    assert re.fullmatch(r"frame v\d+ [0-9a-f]{12}", frame.seal)
    other = tmp_path / "frame.txt"
    other.write_text("version: 1\n---\nother {fields}{memory}{options}{view}{answer}\n")
    assert read_frame(other).seal != frame.seal
    other.write_text("no version")
    with pytest.raises(ValueError, match="expected a line 'version"):
        read_frame(other)


def test_the_account_holds_room_for_calls_under_way():
    account = Account(Budget(tokens=100, money=1.0))
    account.reserve(60, 0.4)
    with pytest.raises(BudgetReached, match="100 tokens"):
        account.reserve(60, 0.4)
    account.settle(60, 0.4, used=10, paid=0.1)
    account.reserve(60, 0.8)
    with pytest.raises(BudgetReached, match=r"\$1 leaves no room"):
        account.reserve(10, 0.2)
    assert (account.calls, account.tokens) == (2, 10)


def test_an_unknown_price_is_unknown_and_not_nothing():
    row = Entry(0.0, 0, "m", "m", "k", "f", 0, 1, "ok", tokens_in=5, tokens_out=1, tokens_cached=2, origin="llm")
    assert summary(table([row]))["cost"] == "unknown"
    priced = row._replace(cost=0.25)
    assert summary(table([priced, priced]))["cost"] == 0.5
    assert summary(table([row]))["tokens_cached"] == 2


def test_keys_are_taken_out_of_messages(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "abcdefgh12345")
    told = without_keys("Incorrect API key provided: sk-abc123def. Header Bearer xyz987 and abcdefgh12345")
    assert not any(s in told for s in ("sk-abc123def", "xyz987", "abcdefgh12345"))


def test_retry_after_is_read_from_the_headers():
    class Response:
        headers = {"retry-after": "2.5"}

    error = RuntimeError()
    error.response = Response()
    assert retry_after(error) == 2.5
    assert retry_after(RuntimeError()) is None


def test_names_of_models_may_end_like_shares():
    factory = scenarios.get("factory")
    for text, model, share in (
        ("llm=openai/mock/first:1", "openai/mock/first", 1.0), ("llm=openai/mock/first:1:0.5", "openai/mock/first:1", 0.5),
        ("llm=openai/mock/first:1:rest", "openai/mock/first:1", None), ("llm:rest", None, None),
        ("llm=openai/mock/majority:2", "openai/mock/majority:2", None), ("llm=ollama/llama3:8b", "ollama/llama3:8b", None),
    ):  # fmt: skip
        (part,) = parse(text, factory, rule="trust")
        assert (part.model, part.share) == (model, share)


def test_what_is_said_of_models_where_none_is_asked_is_refused():
    with pytest.raises(UsageProblem, match="--budget-calls 5: no language model decides in this run; add --mind llm"):
        plan("factory", asking=Asking().changed(budget_calls=5))
    with pytest.raises(UsageProblem, match=r"--cassette x.db: no language model decides"):
        plan("factory", mind="policy=uniform", asking=Asking(cassette="x.db", memory=3))
    with pytest.raises(UsageProblem, match=r"--thoughts: no language model decides"):
        plan("factory", asking=Asking(thoughts=True))
    assert plan("factory", mind="policy=uniform", asking=Asking(memory=3, window=0.5, audit=20)).asks is False


def test_minds_by_name():
    factory = scenarios.get("factory")
    parts = parse("llm=ollama/llama3:8b:0.25,llm@0-2+7,frozen", factory, rule="trust")
    assert [(p.name, p.model, p.share, p.agents) for p in parts] == [
        ("llm", "ollama/llama3:8b", 0.25, ()), ("llm", None, None, (0, 1, 2, 7)), ("frozen", None, None, ()),
    ]  # fmt: skip
    for text, told in (
        ("llm:0.7,rule:0.7", "add up to at most 1"), ("rule,llm", "one mind for the rest"),
        ("llm:0.5,frezen", "Did you mean 'frozen'"), ("", "cannot be decided by ''"),
        ("llm:1.5,rule", "--mind llm:1.5: expected a share above 0 and at most 1 behind the colon, got '1.5'"),
        ("llm:0,rule", "above 0 and at most 1"), ("llm:half", "got 'half'"), ("rule:-0.5,llm", "got '-0.5'"),
        ("llm=openai/mock/first:0", "where that is the end of a name write 'llm=openai/mock/first:0:rest' or"),
        ("llm@3-1", "from the lower number to the higher, got '3-1'"),
        ("llm@0-3,llm=openai/y@2-5", "expected one mind for each agent, but found two for agents 2, 3"),
        ("llm@1+1,rule", "found two for agent 1"),
        ("table=absent.json", "absent.json: expected a table mind that 'swarmscope distil' wrote, but found nothing there"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=told):
            parse(text, factory, rule="trust")
