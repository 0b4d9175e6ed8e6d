"""The naming game at 10^5 agents against Mesa's AgentSet: the same rule, in the disordered phase, CPU time, one run.

Two forms of the game. ``two words``: everybody knows one of two words or both, and the population stays mixed for a dozen
sweeps; the anchor workload, because no memory grows. ``invented``: the minimal game, in which memories grow by a word a
sweep. Both engines play the same sweeps of their own run; a round is a new run of each, one after the other.
"""

from __future__ import annotations

import argparse
import statistics
import time

import mesa

from agents.rules import minimal_naming
from sim.spec import scenarios
from sim.world.engine import Engine, LogPlan

# The sweeps that are timed, and what must hold in them: mean words known, share of games that succeed.
FIRST, LAST = 2, 7
DISORDER = {"two words": (1.15, 0.7), "invented": (2.0, 0.05)}


class Player(mesa.Agent):
    """A player as a Mesa user writes it: an inventory, a step in which it speaks to somebody."""

    def __init__(self, model):
        super().__init__(model)
        self.words = []

    def play(self):
        """Say a word to a random other."""
        model = self.model
        hearer = model.players[int(model.random.random() * len(model.players))]
        if hearer is self:
            return
        if not self.words:
            self.words.append(model.new_word())
        word = self.words[int(model.random.random() * len(self.words))]
        if word in hearer.words:
            self.words = [word]
            hearer.words = [word]
            model.successes += 1
        else:
            hearer.words.append(word)


class MesaNaming(mesa.Model):
    """A population of players in shuffled order; ``pool`` words to choose from, 0 to invent them."""

    def __init__(self, agents, pool):
        super().__init__(rng=1)
        self.pool = pool
        self.invented = self.successes = 0
        self.players = [Player(self) for _ in range(agents)]

    def new_word(self):
        """A word of the pool, or one that nobody said before."""
        if self.pool:
            return int(self.random.random() * self.pool)
        self.invented += 1
        return self.invented

    def step(self):
        """One sweep."""
        self.agents.shuffle_do("play")

    def known(self):
        """Mean number of words in a memory."""
        return sum(len(p.words) for p in self.players) / len(self.players)


def seconds(work):
    """CPU seconds of ``work``."""
    start = time.process_time()
    work()
    return time.process_time() - start


def play(form, agents, seed):
    """Games, and CPU seconds of ours and of theirs, over the timed sweeps; asserts that both are equally disordered."""
    pool = 2 if form == "two words" else 0
    scenario = scenarios.get("naming")
    engine = Engine(
        scenario, values=scenario.values(None, {"agents": agents, "words": pool}), seed=seed, rule=minimal_naming,
        rule_name="minimal_naming", plan=LogPlan("counters"),
    )  # fmt: skip
    theirs = MesaNaming(agents, pool)
    engine.advance(float(FIRST - 1))
    for _ in range(1, FIRST):
        theirs.step()
    before, found = engine.meter("successes"), theirs.successes
    sweeps = LAST - FIRST + 1
    ours = seconds(lambda: engine.advance(float(LAST)))
    mesas = seconds(lambda: [theirs.step() for _ in range(sweeps)])
    games = agents * sweeps
    known, success = engine.minds["words"][:, 0].mean(), (engine.meter("successes") - before) / games
    least, most = DISORDER[form]
    assert known > least, f"{form}: order has begun, {known:.2f} words known"
    assert success < most, f"{form}: order has begun, {success:.0%} of games succeed"
    assert abs(theirs.known() / known - 1) < 0.02, "the engines are in different states"
    assert abs((theirs.successes - found) / games - success) < 0.01, "the engines are in different states"
    return games, ours, mesas, known, success


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    print(f"Mesa {mesa.__version__}, {chosen.agents:,} agents, sweeps {FIRST} to {LAST}, {chosen.rounds} rounds")
    for form in DISORDER:
        rounds = [play(form, chosen.agents, seed) for seed in range(chosen.rounds)]
        ratios = [mesas / ours for _, ours, mesas, _, _ in rounds]
        fast = statistics.median(games / ours for games, ours, *_ in rounds) / 1e6
        slow = statistics.median(games / mesas for games, _, mesas, *_ in rounds) / 1e6
        print(
            f"{form}: {rounds[-1][3]:.2f} words known at the end, {rounds[-1][4]:.0%} of games succeed; million games per "
            f"CPU second: ours {fast:.1f}, Mesa {slow:.3f}; ratio: median {statistics.median(ratios):.0f}, "
            f"from {min(ratios):.0f} to {max(ratios):.0f} (target 100)",
            flush=True,
        )


if __name__ == "__main__":
    main()
