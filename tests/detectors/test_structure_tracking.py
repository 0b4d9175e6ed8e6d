"""Tracking structures through windows."""

import numpy as np
import pytest

from sim.detectors.nulls import Frames
from sim.detectors.tracking import changes, jaccard, life, persistence


def sets(*groups):
    return [frozenset(g) for g in groups]


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (sets("abcd", "efgh"), sets("abcx", "efgh"), ["continue", "continue"]),
        (sets("abcd"), sets("abcd", "wxyz"), ["birth", "continue"]),
        (sets("abcd", "wxyz"), sets("abcd"), ["continue", "death"]),
        (sets("abcdefgh"), sets("abcde", "fgh"), ["split"]),
        (sets("abcde", "fgh"), sets("abcdefgh"), ["merge"]),
        (sets("abcd", "efgh"), sets("efgh", "abcd"), ["continue", "continue"]),
        (sets("abcd"), sets("stuv"), ["birth", "death"]),
        ([], sets("abcd"), ["birth"]),
        ([], [], []),
    ],
)
def test_what_happened_to_groups_between_two_windows(before, after, kinds):
    assert sorted(c.kind for c in changes([before, after])) == sorted(kinds)


def test_splits_and_merges_name_the_parts():
    (split,) = changes([sets("abcdefgh"), sets("fgh", "abcde")])
    assert (split.window, split.before, set(split.after)) == (1, (0,), {0, 1})


def test_jaccard_of_nothing_is_zero():
    assert jaccard(frozenset(), frozenset()) == 0.0


def frames(values, *, nominal=False):
    values = np.asarray(values)
    return Frames(values, np.zeros(values.shape[1], dtype=np.int64), nominal)


def test_persistence_is_one_for_a_standing_vector_and_near_zero_for_fresh_ones():
    rng = np.random.default_rng(0)
    still = rng.normal(size=200)
    assert persistence(frames([still, still, still])) == pytest.approx(1.0)
    assert abs(persistence(frames(rng.normal(size=(8, 200))))) < 4 / np.sqrt(7 * 200)
    assert persistence(frames(rng.normal(size=(1, 5)))) == 0.0
    assert persistence(frames(np.zeros((3, 5)))) == 0.0


def test_a_structure_that_appears_and_fades_is_dated():
    rng = np.random.default_rng(1)
    still = rng.normal(size=100)
    values = rng.normal(size=(12, 100))
    values[4:9] = still + 0.3 * rng.normal(size=(5, 100))
    lived = life(frames(values), rng=rng)
    assert (lived.first, lived.last) == (4, 8)
    assert lived.present.tolist() == [4 <= w <= 8 for w in range(12)]
    assert lived.half_life is None


def test_half_life_of_a_slowly_turning_structure():
    # Agreement at lag k is 0.8^k; half of 0.8 is reached at lag 5 (0.8^5 = 0.33 <= 0.4 < 0.8^4 = 0.41).
    rng = np.random.default_rng(2)
    values = [rng.normal(size=4000)]
    for _ in range(15):
        values.append(0.8 * values[-1] + 0.6 * rng.normal(size=4000))
    from sim.detectors.tracking import _half_life

    assert _half_life(frames(values), 0, 15) in (4.0, 5.0)


def test_absent_agents_do_not_count_as_disagreement():
    groups = [[0, 0, 0, 1, 1, 1, -1, -1], [0, 0, -1, 1, 1, -1, 2, 2]]
    assert persistence(frames(groups, nominal=True)) == pytest.approx(1.0)
