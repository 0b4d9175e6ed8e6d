"""What the factory starts with: the shares of its task types, and who can do what."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.spec import ParameterError

# The graph of four agents with fixed edges (formulas F12 and F13): intake, work, review, integrate.
FLOW_GRAPH = "intake_work_review"


def mix_of(values: Any) -> np.ndarray:
    """Shares of the task types, (types,), summing to 1."""
    types = int(values["types"])
    text = str(values["mix"]).strip()
    if not text:
        return np.full(types, 1.0 / types)
    try:
        shares = np.array([float(part) for part in text.split(",")])
    except ValueError:
        shares = np.array([])
    if len(shares) != types or (shares < 0).any() or not np.isclose(shares.sum(), 1.0):
        raise ParameterError(
            f"scenario 'factory': parameter 'mix' expects {types} shares that sum to 1 (one for each of types), got '{text}'."
        )
    return shares / shares.sum()


def proficiency_of(values: Any, *, seed: int) -> np.ndarray:
    """Proficiency (agents, types) in [0, 1] at the start, by agent number."""
    agents, types = int(values["agents"]), int(values["types"])
    skills, experts = str(values["skills"]), int(values["experts"])
    made = np.zeros((agents, types))
    if skills == "all":
        made[:] = float(values["start_skill"])
        return made
    if skills == "one":
        if agents < max(1, experts) * types:
            raise ParameterError(
                f"scenario 'factory': {agents} agents cannot hold {max(1, experts)} experts in each of {types} types; "
                "raise 'agents' or lower 'types' or 'experts'."
            )
        order = np.random.default_rng([seed, 0x5C111]).permutation(agents)
        able = order if experts == 0 else order[: experts * types]
        made[able, np.arange(len(able)) % types] = 1.0
        return made
    try:
        listed = [int(part) for part in skills.split(",")]
    except ValueError:
        listed = []
    if len(listed) != agents or not all(0 <= s < types for s in listed):
        raise ParameterError(
            f"scenario 'factory': parameter 'skills' expects one, all, or {agents} types from 0 to {types - 1} separated "
            f"by commas, got {len(listed)} of them in '{skills[:60]}'."
        )
    made[np.arange(agents), listed] = 1.0
    return made
