"""Factory: work arrives at random agents, who do it, pass it on, have it reviewed or give it back, by local rules alone.

Purpose and patterns: shows under which conditions a population without managers turns into an organisation: routes to
the able, review loops where flaws are frequent, concentration of load; and, with memoryless rules, reproduces the closed
forms of open queueing networks (Jackson 1957; Kelly 1979), so that every instrument can be checked.

Entities, state variables and scales: agents with one queue, one server, a proficiency for each type of task and the
columns of their rule; items with a requirement bit set, an embedding, the skill they need next and the trail of those
who passed them; a fixed graph of channels. Time is continuous; the unit is one mean service.

Process overview and scheduling: event time. Items arrive as a Poisson stream at entry agents. An agent serves its queue
first come, first served; after each exponential service it takes one choice. Outcomes travel back along the trail, one
hop an event, at the moment of delivery.

Design concepts: emergence (routes, specialists, review loops, integrators); sensing (own queue and proficiency, the item
in hand, a neighbour's queue where it asked); interaction (hand-offs and feedback between neighbours); adaptation (trust
for each task and neighbour); stochasticity (all draws keyed by agent, item or arrival); collectives (none given);
observation (the event log).

Initialisation: empty queues, equal trust; one skill an agent, or the same faint skill in everything for all.

Input data: none.

Submodels: arrivals, service, loss of requirements and drift at a transfer, work and flaws, inspection, feedback, benches
where the parts of a split item meet; see ``scenarios.factory_kernel`` and what it imports.
"""

from __future__ import annotations

from typing import Any

from scenarios.factory_start import FLOW_GRAPH
from sim.spec import Choice, Field, Heard, Param, Scenario, Value, scenarios
from sim.world.channels import GRAPHS
from sim.world.view import DO, DRAFT, ESCALATE, HAND, HOLD, PART, REJECT, REVIEW, VERBS, option_of

PARAMETERS = (
    Param("agents", 48, "How many agents there are.", low=1, high=10_000_000),
    Param("graph", "regular", "Who can reach whom.", choices=(*GRAPHS, FLOW_GRAPH)),
    Param("degree", 4, "Neighbours of an agent, for graphs that have a degree.", low=1, high=1000),
    Param("graph_seed", 3, "Instance of a random graph.", low=0, high=2**31),
    Param("types", 3, "Types of task.", low=1, high=1000),
    Param("mix", "", "Shares of the task types, as 0.5,0.3,0.2; empty for equal shares."),
    Param("skills", "one", "one: each agent has one skill; all: every agent has the same faint skill in everything; or "
          "a list of one type for each agent, as 0,2,1."),
    Param("experts", 0, "With skills=one: how many agents have each skill, the others having none; 0 gives everybody one.",
          low=0),
    Param("start_skill", 0.3, "With skills=all: proficiency at the start.", low=0.0, high=1.0),
    Param("practice", 0.0, "How fast proficiency grows with doing and fades without.", low=0.0, high=1.0, live=True),
    Param("stages", 1, "Stages of work an item needs, each of the next type.", low=1, high=64),
    Param("parts", 1, "Parts an item is split into; somebody must assemble them.", low=1, high=16),
    Param("load", 0.6, "Arrivals, as the utilisation of the busiest agent if all work were passed at random.",
          low=0.0, high=20.0),
    Param("rate", 0.0, "Arrivals of the whole factory in a unit of time; 0 takes load instead.", low=0.0, unit="1/time"),
    Param("service_rate", 1.0, "Services an agent completes in a unit of time.", low=1e-6, unit="1/time"),
    Param("attempt", 0.9, "Probability that a fully able agent does the work instead of passing it on.", low=0.0, high=1.0),
    Param("keep", 0.98, "What is left of old trust when new experience comes in; 1 forgets nothing.", low=0.0, high=1.0,
          live=True),
    Param("reward_share", 1.0, "0 rewards only the last hand-off before success, 1 the whole path by distance to go.",
          low=0.0, high=1.0, live=True),
    Param("feedback", True, "Outcomes travel back along the path."),
    Param("handoff_loss", 0.0, "Probability that a hand-off loses a requirement that is still there.", low=0.0, high=1.0,
          live=True),
    Param("drift", 0.0, "Noise that a hand-off adds to an item's meaning.", low=0.0, high=10.0, live=False),
    Param("requirements", 32, "Requirement bits of an item.", low=1, high=64),
    Param("dimension", 16, "Components of an item's embedding.", low=2, high=1024),
    Param("defect", 0.0, "Probability that able work has a flaw.", low=0.0, high=1.0, live=True),
    Param("catch", 0.8, "Probability that a review finds a flaw.", low=0.0, high=1.0, live=True),
    Param("false_alarm", 0.05, "Probability that a review finds a flaw where there is none.", low=0.0, high=1.0, live=True),
    Param("review", 0.0, "Readiness to have work reviewed, times the share of it that went bad before.", low=0.0, high=1.0,
          live=True),
    Param("refuse", 0, "Give open work back when more than this wait; 0 never refuses.", low=0, live=True),
    Param("patience", 0, "Escalate to the most trusted neighbour after this many hops; 0 never escalates.", low=0,
          live=True),
    Param("look", 0, "Neighbours whose queue an agent asks for before it chooses.", low=0, high=32),
    Param("heed", False, "Reviewers of the table rule go by what they find instead of by fixed shares."),
    Param("bench", 50.0, "How long a finished part waits for its siblings in one place.", low=0.0, unit="time"),
    Param("max_hops", 0, "Items are lost after this many hops; 0 for no limit.", low=0),
    Param("service_cost", 1.0, "Cost of a service.", low=0.0, live=True),
    Param("message_cost", 0.1, "Cost of a transfer.", low=0.0, live=True),
)  # fmt: skip

PRESETS: dict[str, dict[str, Value]] = {
    "learning": {
        "agents": 48, "types": 3, "experts": 2, "load": 0.85, "keep": 0.98, "handoff_loss": 0.02, "drift": 0.15,
        "defect": 0.1, "review": 0.5,
    },
    "solvable": {
        "agents": 30, "types": 3, "mix": "0.5,0.3,0.2", "load": 0.7, "attempt": 0.9, "handoff_loss": 0.05, "drift": 0.3,
        "feedback": False,
        "skills": "1,1,2,2,0,0,2,2,0,0,2,1,0,2,0,1,1,1,0,0,2,2,2,1,2,0,1,2,0,0",
    },
    "review_loop": {
        "agents": 4, "graph": FLOW_GRAPH, "types": 1, "rate": 0.4, "feedback": False, "skills": "all",
        "start_skill": 1.0, "defect": 0.2, "catch": 0.8, "false_alarm": 0.05,
    },
    "overload": {
        "agents": 48, "types": 3, "experts": 2, "load": 12.0, "keep": 0.9, "handoff_loss": 0.02, "drift": 0.15,
        "defect": 0.1, "review": 0.5, "look": 16, "refuse": 1,
    },
    "from_equals": {
        "agents": 36, "types": 3, "skills": "all", "start_skill": 0.3, "practice": 0.05, "load": 0.5, "keep": 0.98,
        "handoff_loss": 0.02, "drift": 0.15, "defect": 0.05,
    },
}  # fmt: skip
PRESET_WORDS = {
    "learning": "two able agents for each type among many; trust is learned, and order appears",
    "solvable": "memoryless hand-offs on a 4-regular graph; latency, loss and drift have closed forms",
    "review_loop": "intake, work, review, integration with fixed shares; a queueing network with a loop",
    "overload": "far too much work, and agents that avoid the busy and give work back; order fails",
    "from_equals": "everybody starts with the same faint skills and gets better by doing",
}
# The rule that decides each preset unless another is asked for.
PRESET_RULES = {"solvable": "frozen", "review_loop": "table"}

VIEW = (
    Field("task", "the type of work the item needs next"),
    Field("stage", "0 when it is still to be worked on, 1 when it is a draft, 2 when it is a finished part"),
    Field("proficiency", "how good you are at this type of work, from 0 to 1"),
    Field("last", "1 when this is the last stage of work the item needs"),
    Field("hops", "how often the item has been passed on"),
    Field("came", "1 when a neighbour gave it to you, 0 when it came from outside"),
    Field("found", "1 when your review found a flaw, 0 when it found none, -1 when no review was asked for"),
    Field("waiting", "how many items wait in your own queue"),
    Field("width", "how many neighbours you have"),
    Field("asked", "the length of each neighbour's queue where you asked, -1 where you did not", per_option=True),
)


DEEDS = {
    DO: "did work of type {task} yourself", HAND: "gave work of type {task} to {them}",
    REVIEW: "did work of type {task} and had {them} look at it", REJECT: "gave work of type {task} back",
    ESCALATE: "gave work of type {task} to {them}", HOLD: "kept a finished part until the others came",
}  # fmt: skip


def options(view: Any, memory: Any, draws: Any) -> list[Choice]:
    """What the holder of an item can do with it, in words. (ESCALATE is a HAND to whom a rule trusts most.)"""
    if view.stage == DRAFT:
        made = [Choice(DO, "say that it is finished", features={"verb": DO})]
    elif view.stage == PART:
        made = [Choice(HOLD, "keep it and wait for the other parts", features={"verb": HOLD})]
    else:
        made = [Choice(DO, "do this work yourself", features={"verb": DO})]
    if view.came == 1 and view.stage != PART:
        made.append(Choice(REJECT, "give it back to the neighbour it came from", features={"verb": REJECT}))
    if view.stage == DRAFT:
        return made
    made += [_towards(view, HAND, slot, "give it to neighbour {%d}") for slot in range(view.width)]
    if view.stage != PART and view.last == 1:
        made += [
            _towards(view, REVIEW, slot, "do this work and let neighbour {%d} look at it") for slot in range(view.width)
        ]
    return made


def _towards(view: Any, verb: int, slot: int, words: str) -> Choice:
    asked = float(view.asked[slot])
    known = f" ({asked:g} wait there)" if asked >= 0 else ""
    return Choice(
        option_of(verb, slot), words % slot + known,
        features={"verb": verb, "slot": slot} | ({"asked": asked} if asked >= 0 else {}),
    )  # fmt: skip


def told(heard: Heard, view: Any) -> str:
    """The outcome of a piece of work, as who handled it hears of it."""
    verb, slot = heard.code % VERBS, heard.code // VERBS
    deed = DEEDS.get(verb, "had work of type {task}").format(task=heard.about, them=f"neighbour {{{slot}}}")
    return f"You {deed}; it went {'well' if heard.value > 0 else 'badly'}."


def build(setup: Any) -> Any:
    """The world of the factory; see ``scenarios.factory_build``."""
    from scenarios.factory_build import build_factory

    return build_factory(setup)


FACTORY = scenarios.add("factory")(
    Scenario(
        name="factory",
        summary="Work arrives at random agents, who do it, pass it on, review it or give it back; routes may emerge.",
        semantics="event time",
        parameters=PARAMETERS,
        presets=PRESETS,
        default="learning",
        until=1200.0,
        rules=("trust", "frozen", "table"),
        view=VIEW,
        build=build,
        preset_words=PRESET_WORDS,
        preset_rules=PRESET_RULES,
        notice=(
            "In the first fifty time units work wanders; hand-offs per item fall as trust points to those who can.",
            "For each type of task the hand-offs form a tree towards the able; for all types together they do not.",
            "Nobody was told to route: the busiest passers of work are those who happen to sit between others.",
        ),
        tries=(
            "Set feedback to false: the same agents never organise.",
            "Lower keep to 0.9: routes form faster and are given up faster.",
            "Set parts to 2 and watch who assembles.",
        ),
        off={"feedback": False},
        options=options,
        told=told,
        odd=__doc__ or "",
    )
)
