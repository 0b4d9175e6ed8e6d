"""The clock against Python's own heap, on random mixtures of scheduling and taking, ties included."""

import heapq
from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.world.books import NOW, PENDING
from sim.world.clock import MOMENT, schedule, take_first

# Few distinct times make many ties.
MOMENTS = st.one_of(st.none(), st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1.5]) | st.floats(0, 100), st.integers(0, 50)))


def world(room=400):
    return SimpleNamespace(
        clock=np.zeros(room, MOMENT).view(np.recarray), count=np.zeros(8, np.int64), sums=np.zeros(8)
    )


@given(st.lists(MOMENTS, max_size=300))
def test_moments_come_out_as_from_a_sorted_list(steps):
    made, heap = world(), []
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            schedule(made, *step)
            heapq.heappush(heap, step)
        elif heap:
            time, subject = heapq.heappop(heap)
            assert (take_first(made), made.sums[NOW]) == (subject, time)
        assert made.count[PENDING] == len(heap)


def test_a_long_run_of_holding_a_full_heap():
    rng = np.random.default_rng(3)
    made, heap = world(5000), []
    for subject, time in enumerate(rng.exponential(size=4000)):
        schedule(made, time, subject)
        heapq.heappush(heap, (time, subject))
    for gap in rng.exponential(size=4000):
        time, subject = heapq.heappop(heap)
        assert (take_first(made), made.sums[NOW]) == (subject, time)
        schedule(made, time + gap, subject)
        heapq.heappush(heap, (time + gap, subject))
