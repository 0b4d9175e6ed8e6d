"""Mind cards find the known truths of policies, rules and tables within 4 standard errors."""

import math
from functools import cache
from itertools import pairwise

import pytest

from agents.llm.mock_policies import policy_of
from agents.policy_mind import PolicyMind
from agents.rules import listen, minimal_naming, visit_reinforcement
from experiments.mind_card import card
from experiments.mind_probes import RuleMind, stage
from experiments.report.mind_card import headline, render
from sim.spec import ParameterError, scenarios


@cache
def staged(name="naming", preset="pool"):
    return stage(scenarios.get(name), preset=preset)


def of_policy(model, name="naming", preset="pool", *, samples=400, heard=(5,), seed=0):
    return card(
        lambda scenario: PolicyMind(scenario, policy_of(model)),
        staged(name, preset),
        name=model, samples=samples, heard=heard, seed=seed,
    )  # fmt: skip


def within(reading, truth, sigmas=4.0):
    """True when ``truth`` lies within so many standard errors, read off the 95 % bounds."""
    se = (reading.high - reading.low) / (2 * 1.96)
    return abs(reading.value - truth) <= sigmas * max(se, 1e-9)


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_majority_force_is_recovered(beta):
    made = of_policy(f"mock/majority:{beta}", heard=(5, 8))
    for n in (5, 8):
        assert within(made.readings[f"majority_force_{n}"], beta)
        assert within(made.readings[f"coupling_{n}"], beta / n)
    step = 0.5 * (math.tanh(beta / 5) - math.tanh(-beta / 5))
    assert within(made.readings["one_more_5"], step)
    assert within(made.readings["solo_bias"], 0.0)
    assert within(made.readings["order_effect"], 0.0)
    assert within(made.readings["label_effect"], 0.0)


def test_a_prior_for_a_word_is_a_solo_bias_and_a_label_effect():
    word = staged("naming", "pool")
    label = word.scenario.options(word.views[0].view, (), word.views[0].draws)[0].words.split("'")[1]
    made = of_policy(f"mock/biased:0.7:{label}")
    assert within(made.readings["solo_share"], 0.7)
    assert within(made.readings["solo_bias"], math.atanh(0.4))
    assert within(made.readings["label_effect"], 0.4)
    assert within(made.readings["order_effect"], 0.0)
    assert within(made.readings["majority_force"], 0.0)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_taste_for_what_stands_first_is_an_order_effect(share):
    made = of_policy(f"mock/first:{share}")
    assert within(made.readings["order_effect"], share + (1 - share) / 2 - 0.5)
    assert within(made.readings["solo_share"], 0.5)
    assert within(made.readings["label_effect"], 0.0)


def test_three_or_more_options_and_neighbours_without_names():
    made = of_policy("mock/majority:1.0", "trust_network", "pairs")
    assert within(made.readings["majority_force"], 1.0)
    assert made.readings["label_effect"].value is None
    assert abs(sum(row["share"] for row in made.alone) - 1.0) < 1e-9
    assert abs(sum(row["chance"] for row in made.alone) - 1.0) < 1e-9


def test_rules_are_measured_as_they_are():
    place = staged("naming", "pool")
    made = card(lambda _: RuleMind(minimal_naming, place), place, name="rule", samples=400, reads=False)
    # Who has heard both words says either alike; who has heard one says it: P steps from 0 over 1/2 to 1.
    shares = [level.share for level in made.levels]
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    # A partner that knows the word keeps only it: what was heard last in a row decides.
    assert all(a <= b + 0.12 for a, b in pairwise(shares))
    place = staged("trust_network", "pairs")
    made = card(lambda _: RuleMind(visit_reinforcement, place), place, name="rule", samples=400, reads=False)
    for level in made.levels:
        # Weights 1 + visits, all at keep's value of the past alike.
        truth = (1 + level.first) / (2 + level.many)
        assert abs(level.share - truth) <= 4 * math.sqrt(truth * (1 - truth) / level.n)
    place = staged("placebo", "broadcast")
    made = card(lambda _: RuleMind(listen, place), place, name="rule", samples=200, reads=False)
    assert within(made.readings["majority_force"], 0.0)


def test_a_scenario_without_anything_to_weigh_is_refused():
    with pytest.raises(ParameterError, match="leaves nothing to decide"):
        stage(scenarios.get("controls"))
    with pytest.raises(ParameterError, match="no view offers two options"):
        stage(scenarios.get("factory"), preset="learning", changes={"agents": 2, "graph": "complete", "types": 1})


@pytest.mark.parametrize(
    ("model", "force", "new", "order"),
    [
        ("mock/uniform", 0.0, 1 / 3, 0.0),
        ("mock/majority:1.5", 1.5, 1 / (1 + 2 * math.exp(1.5)), 0.0),
        ("mock/first:0.6", 0.0, 1 / 3, 0.4),
    ],
)
def test_invented_words_are_weighed_by_who_has_heard_both(model, force, new, order):
    """Nine figures within 4 standard errors: the error probability is below 9 x 6e-5 for each of the three minds."""
    made = of_policy(model, preset="minimal", heard=(4, 5))
    for n in (4, 5):
        assert within(made.readings[f"majority_force_{n}"], force)
        assert within(made.readings[f"coupling_{n}"], force / n)
        below, above = (math.tanh(force * (2 * k / n - 1)) for k in (n // 2, n // 2 + 1))
        assert within(made.readings[f"one_more_{n}"], (above - below) / 2)
    assert within(made.readings["inventing"], new)
    assert within(made.readings["order_effect"], order)
    assert within(made.readings["label_effect"], 0.0)
    # Who has heard of one word only cannot take the other: that would pass for a force.
    assert [(level.first, level.many) for level in made.levels] == [
        (1, 4),
        (2, 4),
        (3, 4),
        *((k, 5) for k in range(1, 5)),
    ]
    for name in ("solo_share", "solo_bias"):
        assert made.readings[name].value is None
        assert "words are invented" in made.readings[name].note
    assert [(row["n"], row["share"], row["chance"]) for row in made.alone] == [(400, 1.0, 1.0)]
    assert "words are invented" in headline(made)
    assert "dashed" not in render(made)


def test_a_taste_for_an_invented_word_is_a_label_effect():
    place = staged("naming", "minimal")
    label = next(c.words for c in place.choices(place.even(0, acts=2)) if c.code == place.pair[0]).split("'")[1]
    made = of_policy(f"mock/biased:0.7:{label}", preset="minimal")
    # 0.7 against 0.15 for the other word; exchanged, the other way round.
    assert within(made.readings["label_effect"], (0.7 - 0.15) / 0.85)
    assert within(made.readings["majority_force"], 0.0)
    assert within(made.readings["inventing"], 0.15)


def test_a_rule_for_invented_words_never_invents_beside_one_it_knows():
    place = staged("naming", "minimal")
    made = card(lambda _: RuleMind(minimal_naming, place), place, name="rule", samples=100, reads=False)
    assert made.readings["inventing"].value == 0.0
    assert made.readings["majority_force"].low > 0.0
    with pytest.raises(ParameterError, match="expected 3 acts or more"):
        of_policy("mock/uniform", preset="minimal", heard=(5, 2))


@pytest.mark.filterwarnings("ignore:.*ReadOnly.*:UserWarning")
def test_a_card_asks_as_a_run_would(swarmscope, tmp_path):
    from agents.llm.mock_server import serving

    how = [
        "--structured",
        "words",
        "--thoughts",
        "--temperature",
        "0.5",
        "--retries",
        "1",
        "--timeout",
        "9",
        "--max-tokens",
        "99",
    ]
    with serving() as (url, _):
        # A model without structured output, which a card without these options refuses.
        base = [
            "card",
            "naming",
            "--preset",
            "pool",
            "--model",
            "openai/mock/unstructured",
            "--base-url",
            url,
            "--samples",
            "10",
        ]
        assert "--structured words" in swarmscope(*base)[2]
        code, _, err = swarmscope(
            *base, *how, "--concurrency", "4", "--budget-tokens", "1000000", "--cassette", "tape.db"
        )
    assert code == 0, err
    (page,) = (tmp_path / "cards").glob("*.html")
    said = page.read_text()
    assert all(word in said for word in ("--structured words", "--thoughts", "--temperature 0.5", "--max-tokens 99"))
    assert "at least 1, got 0" in swarmscope(*base, "--concurrency", "0")[2]


@pytest.mark.filterwarnings("ignore:.*ReadOnly.*:UserWarning")
def test_a_model_over_http_is_measured_with_its_failures():
    from agents.llm.mock_faults import Faults
    from agents.llm.mock_server import Settings, serving
    from agents.llm.settings import Asking
    from experiments.asked import model

    with serving(Settings(faults=Faults.parse("malformed=0.1"))) as (url, provider):
        found = model(Asking(model="openai/mock/majority:1.5", base_url=url, retries=5), None)
        place = staged("naming", "pool")
        made = card(found.make, place, name=found.name, samples=25, heard=(4,))
    assert within(made.readings["majority_force"], 1.5)
    assert within(made.readings["parse_failures"], 0.1)
    assert made.readings["lost"].value == 0.0
    assert made.readings["cost"].value is None
    assert made.readings["tokens"].value > 100
    assert made.asked["calls"] == provider.counts["requests"] > 175
