"""Searching a short row by whole stretches finds what a plain search finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.world.search import STRETCH
from sim.world.view import among


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4 * STRETCH), st.integers(0, 5), st.integers(0, 2**31), st.sampled_from(["i4", "i8"]))
def test_a_number_is_found_exactly_where_a_plain_search_finds_it(count, number, seed, kind):
    row = np.random.default_rng(seed).integers(0, 40, 1 + 4 * STRETCH).astype(kind)
    row[count + 1 :] = number  # what stands behind the count was forgotten
    assert among(row, 1, count, number) == int(number in row[1 : 1 + count].tolist())
