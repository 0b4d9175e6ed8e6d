"""Language-model minds over real HTTP: every decision genuine, replayed or censored, recorded once, and replayed exactly."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from agents.llm.budget import Budget, BudgetReached
from agents.llm.cassette import CassetteProblem
from agents.llm.mock_faults import Faults
from agents.llm.mock_server import Settings, serving
from agents.llm.provider import ProviderProblem
from agents.llm.settings import Asking
from experiments.errors import FolderInTheWay, Interrupted, UsageProblem
from experiments.plan import engine_of, plan
from experiments.run import run
from sim.record.store import EventWriter
from sim.spec import ParameterError

ROOT = Path(__file__).resolve().parents[2]
CASES = [
    ("naming", {"agents": 8, "words": 2}, 3.0), ("naming", {"agents": 8}, 3.0), ("trust_network", {"agents": 5}, 3.0),
    ("placebo", {"agents": 4}, 3.0), ("placebo", {"agents": 6, "kind": "ties"}, 2.0), ("factory", {"agents": 8}, 8.0),
]  # fmt: skip
FAULTS = "429=0.033,500=0.033,slow=0.033,cut=0.034,malformed=0.034,refusal=0.033"


@pytest.fixture(scope="module")
def server():
    with serving() as (url, provider):
        yield url, provider


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


def asking(url=None, *, model="openai/mock/uniform", **changes):
    return Asking(model=model, base_url=url).changed(**changes)


def play(name, changes, until, how, *, mind="llm", seed=3, checked=False):
    """Events, log beside them, and whatever stopped the run."""
    asked = plan(name, changes=changes, until=until, seed=seed, mind=mind, asking=how, check_minds=checked)
    engine, writer, trouble = engine_of(asked), EventWriter(None), None
    try:
        engine.advance(until, writer)
    except BudgetReached as error:
        trouble = error
        engine.drain(writer)
    finally:
        engine.close()
    return writer.frame(), engine.beside(), trouble


def but_origin(events):
    return events.drop("origin")


def decided(events):
    """Rows that say of a decision that it was taken, or could not be had, by origin."""
    kinds = ["play", "visit", "decide", "message", "undecided"]
    taken = events.filter(pl.col("kind").cast(pl.String).is_in(kinds))["origin"].cast(pl.String)
    return {str(o): int(n) for o, n in taken.value_counts().iter_rows()}


def made_by(ledger):
    return {str(o): int(n) for o, n in ledger["origin"].drop_nulls().value_counts().iter_rows()}


@pytest.mark.parametrize(("name", "changes", "until"), CASES)
def test_any_scenario_runs_with_a_model_and_replays_bit_for_bit(name, changes, until, server, tmp_path):
    url, provider = server
    tape = str(tmp_path / "tape.db")
    asked_before = provider.counts["requests"]
    live, beside, _ = play(name, changes, until, asking(url, cassette=tape))
    calls = provider.counts["requests"] - asked_before
    assert calls == made_by(beside.ledger)["llm"] == beside.ledger.height > 5
    assert beside.ledger.select("request").n_unique() == calls
    replayed, again, _ = play(
        name, changes, until, asking("http://127.0.0.1:9/v1", cassette=tape, cassette_mode="replay")
    )
    assert provider.counts["requests"] - asked_before == calls
    assert but_origin(live).equals(but_origin(replayed))
    assert made_by(again.ledger) == {"cassette": calls}
    assert set(live["origin"].cast(str)) <= {"llm", "rule"}
    assert set(replayed["origin"].cast(str)) <= {"cassette", "rule"}
    if name != "factory":
        assert decided(live)["llm"] == calls


def test_concurrency_and_slices_do_not_change_the_log(server):
    url, _ = server
    name, changes, until = CASES[5]
    one, _, _ = play(name, changes, until, asking(url, concurrency=1))
    many, _, _ = play(name, changes, until, asking(url, concurrency=256))
    assert one.equals(many)
    engine = engine_of(plan(name, changes=changes, until=until, seed=3, mind="llm", asking=asking(url)))
    writer = EventWriter(None)
    for stop in (1.1, 1.2, 3.0, until):
        engine.advance(stop, writer, steps=3)
    engine.close()
    assert writer.frame().equals(one)


def test_a_mixture_asks_only_those_who_are_to_be_asked(server):
    url, _ = server
    events, beside, _ = play(
        "trust_network", {"agents": 8}, 3.0, asking(url), mind="llm@0-1,llm=openai/mock/first:0.25,rule"
    )
    asked = beside.ledger.group_by("agent", "model").len().sort("agent")
    assert asked["len"].to_list() == [3] * 4
    named = asked.filter(pl.col("agent").is_in([0, 1]))
    assert named["model"].unique().to_list() == ["openai/mock/uniform"]
    assert set(asked["model"]) == {"openai/mock/uniform", "openai/mock/first"}
    by_agent = events.group_by("source").agg(pl.col("origin").cast(str).first())
    assert set(by_agent.filter(pl.col("source").is_in(asked["agent"]))["origin"]) == {"llm"}
    assert decided(events) == {"llm": 12, "rule": 12}
    assert len(beside.notes) == 2


def test_equal_views_share_samples_only_when_told_to_and_never_ask_twice(server):
    url, provider = server
    before = provider.counts["requests"]
    _, beside, _ = play("placebo", {"agents": 20}, 1.0, asking(url, samples=2))
    assert provider.counts["requests"] - before == beside.ledger.filter(pl.col("attempt") > 0).height == 2
    assert made_by(beside.ledger) == {"cassette": 18, "llm": 2}
    assert any("shared 2 samples" in note for note in beside.notes)
    _, alone, _ = play("placebo", {"agents": 20}, 1.0, asking(url))
    assert made_by(alone.ledger) == {"llm": 20}


def faulty(name, changes, until, *, retries, timeout=5.0):
    settings = Settings(faults=Faults.parse(FAULTS), slow=2.0 * timeout, retry_after=0.05)
    with serving(settings) as (url, provider):
        how = asking(url, retries=retries, timeout=timeout)
        return *play(name, changes, until, how)[:2], provider.counts


@pytest.mark.parametrize("retries", [0, 4])
def test_a_faulty_server_loses_and_doubles_nothing(retries):
    events, beside, counts = faulty("naming", {"agents": 150, "words": 2}, 1.0, retries=retries)
    assert counts["requests"] == beside.ledger.height
    assert decided(events) == made_by(beside.ledger)
    assert sum(decided(events).values()) == 150
    assert ("censored" in decided(events)) == (retries == 0)
    void = events.filter(pl.col("origin").cast(str) == "censored")
    assert set(void["kind"].cast(str)) <= {"undecided"}
    failed = beside.ledger.filter(pl.col("status") != "ok")
    assert set(failed["status"]) >= {"rate limited", "server error", "unreadable", "refused"}
    assert failed.filter(pl.col("status").is_in(["timeout", "connection"])).height > 0


@pytest.mark.slow
def test_a_thousand_agents_through_a_server_that_fails_a_fifth_of_all_calls():
    events, beside, counts = faulty("naming", {"agents": 1000, "words": 2}, 1.0, retries=3, timeout=6.0)
    assert counts["requests"] == beside.ledger.height
    assert decided(events) == made_by(beside.ledger)
    assert sum(decided(events).values()) == 1000
    assert decided(events)["llm"] > 980


def test_a_killed_run_goes_on_from_its_cassette_to_the_same_log(tmp_path):
    name, changes, until = "naming", {"agents": 20, "words": 2}, 5.0
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from experiments.plan import engine_of, plan
from agents.llm.settings import Asking
how = Asking(model="openai/mock/uniform", base_url=sys.argv[1], cassette=sys.argv[2], concurrency=4)
engine = engine_of(plan({name!r}, changes={changes!r}, until={until}, seed=3, mind="llm", asking=how, check_minds=False))
engine.advance({until})
"""
    tape = tmp_path / "tape.db"
    with serving(Settings(latency=0.1)) as (url, _):
        child = subprocess.Popen([sys.executable, "-c", code, url, str(tape)])
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and rows_of(tape) < 12:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
    kept = rows_of(tape)
    assert 12 <= kept < 95
    with serving() as (url, provider):
        resumed, beside, _ = play(name, changes, until, asking(url, cassette=str(tape), cassette_mode="replay-or-live"))
        assert provider.counts["requests"] == 100 - kept
        whole, _, _ = play(name, changes, until, asking(url))
    assert made_by(beside.ledger) == {"cassette": kept, "llm": 100 - kept}
    assert but_origin(resumed).equals(but_origin(whole))


def rows_of(tape):
    if not tape.exists():
        return 0
    try:
        db = sqlite3.connect(f"file:{tape}?mode=ro", uri=True)
        try:
            return db.execute("SELECT count(*) FROM replies").fetchone()[0]
        finally:
            db.close()
    except sqlite3.Error:
        return 0


def test_parallel_workers_share_one_cassette(server, tmp_path):
    """Two runs with one seed at once ask the same things; whoever stores first is believed by both."""
    from concurrent.futures import ThreadPoolExecutor

    url, _ = server
    how = asking(url, cassette=str(tmp_path / "tape.db"))
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: play("naming", {"agents": 20, "words": 2}, 4.0, how)[0], range(2)))
    replayed, _, _ = play("naming", {"agents": 20, "words": 2}, 4.0, how.changed(cassette_mode="replay"))
    assert but_origin(both[0]).equals(but_origin(both[1]))
    assert but_origin(both[0]).equals(but_origin(replayed))


def test_a_replay_needs_no_key_no_network_and_no_litellm(server, tmp_path):
    url, _ = server
    tape = tmp_path / "tape.db"
    play("placebo", {"agents": 4}, 2.0, asking(url, cassette=str(tape)))
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from experiments.plan import engine_of, plan
from agents.llm.settings import Asking
how = Asking(model="openai/mock/uniform", cassette={str(tape)!r}, cassette_mode="replay")
engine = engine_of(plan("placebo", changes={{"agents": 4}}, until=2.0, seed=3, mind="llm", asking=how))
engine.advance(2.0)
assert "litellm" not in sys.modules
print(engine.batches.beside(engine.beside()).ledger["origin"].unique().to_list())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['cassette']"
    assert len(list(tmp_path.glob("tape.db*"))) >= 1


def test_a_budget_of_nothing_makes_no_call_and_a_small_one_stops_the_run_as_interrupted(server, tmp_path):
    url, provider = server
    before = provider.counts["requests"]
    _, beside, trouble = play("naming", {"agents": 12, "words": 2}, 3.0, asking(url, budget_calls=0))
    assert isinstance(trouble, BudgetReached)
    assert provider.counts["requests"] == before
    assert beside.ledger.height == 0
    how = asking(url, budget_calls=20, cassette=str(tmp_path / "tape.db"))
    changes, until = {"agents": 12, "words": 2}, 4.0
    calls = {"changes": changes, "until": until, "seed": 3, "mind": "llm", "out": tmp_path, "detectors": []}
    with pytest.raises(
        Interrupted, match=r"budget of 20 calls is used up.*\nGo on from its cassette with: swarmscope run"
    ):
        run("naming", asking=how, **calls)
    folder = next(tmp_path.glob("naming-3-*"))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "interrupted"
    assert manifest["asked"]["calls"] == 20 == pl.read_parquet(folder / "ledger.parquet").height
    assert provider.counts["requests"] - before == 20
    assert (folder / "events.parquet").exists()
    # An attempt that comes less far leaves what is there.
    with pytest.raises(Interrupted, match="longer part of this run"):
        run("naming", asking=how.changed(cassette=str(tmp_path / "other.db"), budget_calls=1), **calls)
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    with pytest.raises(FolderInTheWay, match="20 calls are in no cassette"):
        run("naming", asking=replace(how, cassette=None), **calls)
    made = run("naming", asking=how.changed(budget_calls=28), **calls)
    assert made.folder == folder
    assert made.manifest["status"] == "complete"
    assert provider.counts["requests"] - before == 49
    whole, _, _ = play("naming", changes, until, asking(url))
    assert but_origin(made.log.events.select(whole.columns)).equals(but_origin(whole))


def test_tokens_and_money_are_limited_before_a_call(server):
    url, _ = server
    _, beside, trouble = play("placebo", {"agents": 8}, 6.0, asking(url, budget_tokens=5000, max_tokens=50))
    assert "5,000 tokens" in str(trouble)
    assert 0 < (beside.ledger["tokens_in"] + beside.ledger["tokens_out"]).sum() <= 5000
    with pytest.raises(ProviderProblem, match="price of model 'openai/mock/uniform' is unknown"):
        play("placebo", {"agents": 8}, 1.0, asking(url, budget_money=1.0))
    assert Budget(money=0.0).money == 0.0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "openai/gpt-4o-mini"}, "needs a key: set OPENAI_API_KEY"),
        ({"model": "gpt-4o"}, None),
        ({"model": "nonsense/x"}, "expected provider/model"),
        ({"model": None}, "name it with --model provider/model"),
        ({"base_url": "127.0.0.1:8400"}, "expected http://"),
        ({"concurrency": 0}, "at least 1, got 0"),
        ({"timeout": float("inf")}, "--timeout"),
        ({"cassette_mode": "replay"}, "name the cassette with --cassette"),
        ({"cassette_mode": "rply", "cassette": "x"}, "expected one of record, replay"),
        ({"cassette": "nowhere/x.db"}, "in a folder that exists"),
        ({"cassette": "absent.db", "cassette_mode": "replay"}, "found none; record it first"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_one_sentence_before_anything_starts(changes, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = Asking(**{"model": "openai/gpt-4o-mini", **changes})
    with pytest.raises(ValueError, match=told or "key|provider") as error:
        plan("naming", mind="llm", asking=how)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_servers_that_cannot_do_it_are_told_of_in_one_sentence(server):
    url, _ = server
    small = ("placebo", {"agents": 3}, 1.0)
    with pytest.raises(ProviderProblem, match=r"no call to http://127.0.0.1:9/v1 was ever answered"):
        play(*small, asking("http://127.0.0.1:9/v1"))
    with pytest.raises(ProviderProblem, match="does not know this model; check --model and --base-url"):
        play(*small, asking(url.removesuffix("/v1") + "/elsewhere"))
    with pytest.raises(ProviderProblem, match=r"takes no structured output; .* --structured words"):
        play(*small, asking(url, model="openai/mock/unstructured"))
    _, beside, _ = play(*small, asking(url, model="openai/mock/unstructured", structured="words"))
    assert made_by(beside.ledger) == {"llm": 3}
    with serving(Settings(key_needed=True)) as (locked, _):
        play(*small, asking(locked))  # a key that nobody checks is sent
    with pytest.raises(UsageProblem, match="add --mind llm"):
        plan("placebo", asking=asking(url))
    with pytest.raises(ValueError, match="leaves nothing to decide"):
        plan("controls", mind="llm", asking=asking(url))


def test_a_cassette_of_another_prompt_or_run_is_told_of_in_one_sentence(server, tmp_path):
    url, _ = server
    tape = tmp_path / "tape.db"
    small = ("placebo", {"agents": 3}, 1.0)
    play(*small, asking(url, cassette=str(tape)))
    replay = asking(cassette=str(tape), cassette_mode="replay")
    with pytest.raises(CassetteProblem, match=r"holds no reply to request [0-9a-f]{32} \(view .*Go on with"):
        play("placebo", {"agents": 4}, 1.0, replay, seed=8)
    with pytest.raises(UsageProblem, match=r"replies of model 'openai/other', found only those of openai/mock/uniform"):
        play(*small, asking(model="openai/other", cassette=str(tape), cassette_mode="replay"), checked=True)
    db = sqlite3.connect(tape)
    db.execute("UPDATE replies SET frame = 'frame v0 abcdef'")
    db.commit()
    db.close()
    for mode in ("replay", "replay-or-live"):
        with pytest.raises(
            UsageProblem, match=r"made with prompt 'frame v0 abcdef', but this version asks with 'frame v1"
        ):
            play(*small, asking(url, cassette=str(tape), cassette_mode=mode), checked=True)
    (tmp_path / "text.db").write_text("no database, but long enough to be one of those files\n" * 40)
    with pytest.raises(UsageProblem, match="cannot be read"):
        play(*small, asking(cassette=str(tmp_path / "text.db"), cassette_mode="replay"), checked=True)


def test_keys_are_nowhere(tmp_path, monkeypatch, capsys):
    secret = "sk-verysecretkey0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    faults = Faults.parse("500=0.3,malformed=0.2")
    with serving(Settings(faults=faults, key_needed=True)) as (url, _):
        how = asking(url, cassette=str(tmp_path / "tape.db"), retries=1)
        run("placebo", changes={"agents": 8}, until=40, mind="llm", asking=how, out=tmp_path / "runs", detectors=[])
    with pytest.raises(ParameterError, match="a key belongs into the environment") as error:
        play("placebo", {"agents": 3}, 1.0, asking("http://someone:pass-word-1@127.0.0.1:9/v1", retries=0))
    told = str(error.value) + "".join(capsys.readouterr())
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(written) > 5
    for text in (told.encode(), *(p.read_bytes() for p in written)):
        assert secret.encode() not in text
        assert b"pass-word-1" not in text
