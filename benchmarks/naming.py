"""The naming game at 10^5 agents against Mesa's AgentSet: the same rule, in the disordered phase, CPU time, one run."""

from __future__ import annotations

import argparse
import statistics
import time

import mesa

from agents.rules import minimal_naming
from sim.spec import scenarios
from sim.world.engine import Engine, LogPlan


class Player(mesa.Agent):
    """The minimal naming game as a Mesa user writes it: an inventory, a step in which it speaks to somebody."""

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
            model.invented += 1
            self.words.append(model.invented)
        word = self.words[int(model.random.random() * len(self.words))]
        if word in hearer.words:
            self.words = [word]
            hearer.words = [word]
        else:
            hearer.words.append(word)


class MesaNaming(mesa.Model):
    """A population of players in shuffled order."""

    def __init__(self, agents):
        super().__init__(rng=1)
        self.invented = 0
        self.players = [Player(self) for _ in range(agents)]

    def step(self):
        """One sweep."""
        self.agents.shuffle_do("play")


def sweeps_of_engine(engine, first, count):
    """CPU seconds of ``count`` sweeps from sweep ``first``."""
    start = time.process_time()
    engine.advance(first + count)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    scenario = scenarios.get("naming")
    values = scenario.values(None, {"agents": chosen.agents})
    engine = Engine(
        scenario, values=values, seed=1, rule=minimal_naming, rule_name="minimal_naming", plan=LogPlan("counters")
    )
    engine.advance(1.0)
    theirs = MesaNaming(chosen.agents)
    theirs.step()
    ratios, ours_rate, theirs_rate = [], [], []
    for turn in range(chosen.rounds):
        ours = sweeps_of_engine(engine, 1 + turn, 1)
        start = time.process_time()
        theirs.step()
        mesas = time.process_time() - start
        ratios.append(mesas / ours)
        ours_rate.append(chosen.agents / ours / 1e6)
        theirs_rate.append(chosen.agents / mesas / 1e6)
    known = engine.minds["words"][:, 0].mean()
    assert known > 1.5, "not the disordered phase"
    print(f"agents {chosen.agents}, mean words known {known:.2f}")
    print(f"Mesa {mesa.__version__}: {statistics.median(theirs_rate):.3f} M games per CPU second")
    print(f"ours: {statistics.median(ours_rate):.1f} M games per CPU second")
    print(f"ratio: median {statistics.median(ratios):.0f}, from {min(ratios):.0f} to {max(ratios):.0f} (target 100)")


if __name__ == "__main__":
    main()
