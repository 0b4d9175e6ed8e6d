"""Dues that are alike share what follows from that alone; a cassette that reads on finds what looking up finds."""

from dataclasses import replace

import numpy as np
import pytest

from agents.llm.cassette import FAR, REPLAY, Cassette, Recording, Stored
from sim.spec import Heard, scenarios
from sim.world.due import Due, Memories
from sim.world.view import Draws


class View:
    def __init__(self, pool):
        self.committed, self.pool, self.width = 0, pool, 0


def alike(pool, many=2):
    """Dues of one view and memory, with draws of their own."""
    view, memory, shelf = View(pool), (Heard(1, 0, 0.0, -1), Heard(0, 1, 1.0, -1)), {}
    made = [Due(n, 0.0, view, None, Draws(np.uint64(n + 1), np.int64(0)), memory) for n in range(many)]
    for due in made:
        due.alike = shelf
    return made


def test_options_are_shared_unless_they_were_drawn():
    naming = scenarios.get("naming")
    one, other = alike(pool=2)
    assert one.offered(naming) is other.offered(naming)
    assert one.shelf(naming) is other.shelf(naming)
    # Without a pool each agent invents a word of its own.
    one, other = alike(pool=0)
    assert [c.code for c in one.offered(naming)][:2] == [c.code for c in other.offered(naming)][:2]
    assert one.offered(naming)[2].code != other.offered(naming)[2].code
    assert one.offered(naming) is one.offered(naming)
    assert one.shelf(naming) is not other.shelf(naming)


def test_a_copy_with_another_memory_is_another_due():
    naming = scenarios.get("naming")
    due = alike(pool=2)[0]
    assert [c.features["times"] for c in due.offered(naming)] == [1, 1]
    assert [c.features["times"] for c in replace(due, memory=()).offered(naming)] == [0, 0]


@pytest.mark.parametrize("seed", range(4))
def test_memories_are_told_oldest_first_and_named_by_what_they_hold(seed):
    rng, room, n = np.random.default_rng(seed), 3, 40
    minds = {
        "heard": np.zeros(n, np.int64), "ruled": np.where(np.arange(n) % 7, -1, 0).astype(np.int8),
        "heard_part": np.zeros((n, room), np.int8), "heard_code": np.zeros((n, room), np.int64),
        "heard_value": np.zeros((n, room)), "heard_about": np.zeros((n, room), np.int64),
    }  # fmt: skip
    told = [[Heard(*map(int, rng.integers(0, 2, 4))) for _ in range(rng.integers(0, 6))] for _ in range(n)]
    for row, heard in enumerate(told):
        for h in heard:
            place = minds["heard"][row] % room
            for name, value in zip(Heard._fields, h, strict=True):
                minds[f"heard_{name}"][row, place] = value
            minds["heard"][row] += 1
    rows = list(rng.permutation(n))
    made = Memories(minds, rows)
    expected = [tuple(told[row][-room:]) if row % 7 else () for row in rows]
    assert [made.of(place) for place in range(n)] == expected
    assert all((made.names[i] == made.names[j]) == (expected[i] == expected[j]) for i in range(n) for j in range(i))


def test_what_was_read_on_is_what_is_stored(tmp_path):
    many = 3 * FAR
    keys = [f"k{n:06d}" for n in range(many)]
    tape = Cassette(tmp_path / "a.db")
    tape.store(
        [Recording(k, "m", "f", "v", 0, Stored(n % 5 - 1, "ok", "" if n % 3 else "hm")) for n, k in enumerate(keys)]
    )
    tape.close()
    tape = Cassette(tmp_path / "a.db", mode=REPLAY)
    rng = np.random.default_rng(0)
    batches = [list(range(start, start + 25)) for start in range(0, many - 25, 25)]
    batches += [rng.integers(0, many, 25).tolist() for _ in range(40)]
    for batch in batches:
        found = tape.find([keys[n] for n in batch] + ["absent"])
        assert found == {keys[n]: Stored(n % 5 - 1, "ok", "" if n % 3 else "hm") for n in batch}
    assert len(tape._near) <= 5 * FAR + 1
