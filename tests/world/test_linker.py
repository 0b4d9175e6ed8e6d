"""The linker: an edit of any source involved changes the next run; what did not change is not compiled again."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sim.world import linker
from sim.world.linker import LinkError, link
from tests.world import toy

RULE = '''
from edited_helper import twice

PARAMETERS = ()
STATE = {"seen": ("f8", ("width",), 0.0)}
FACTOR = 3.0

def choose(view, state, draws, rule):
    """Docs are no part of the kernel."""
    state.seen[0] += 1.0
    return 0, twice(view.weight) * FACTOR

def learn(view, state, outcome, part, rule):
    return 0.0
'''
HELPER = "def twice(x):\n    return x + x\n"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "edited_rule.py").write_text(RULE)
    (tmp_path / "edited_helper.py").write_text(HELPER)
    return tmp_path


def run(place):
    """The toy's sum in a fresh process with the cache folder ``place / cache``."""
    where = {**os.environ, "SWARMSCOPE_CACHE": str(place / "cache"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "."}
    command = [sys.executable, "-m", "tests.world.toy", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, env=where, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def machine_code(place):
    """Name and time of every file that Numba wrote."""
    return {p.name: p.stat().st_mtime_ns for p in (place / "cache").rglob("*.nb?")}


@pytest.mark.slow
def test_an_edit_changes_the_next_run_and_no_edit_compiles_nothing(place):
    assert run(place) == 30 * 6.0
    compiled = machine_code(place)
    assert compiled
    assert run(place) == 30 * 6.0
    assert machine_code(place) == compiled, "the second process compiled what the first had compiled"
    (place / "edited_rule.py").write_text(RULE.replace("FACTOR = 3.0", "FACTOR = 5.0"))
    assert run(place) == 30 * 10.0, "a constant of the rule was edited"
    (place / "edited_helper.py").write_text(HELPER.replace("x + x", "x + x + 1.0"))
    assert run(place) == 30 * 15.0, "a function that the rule imports was edited"
    (place / "edited_rule.py").write_text(RULE)
    (place / "edited_helper.py").write_text(HELPER)
    before = machine_code(place)
    assert run(place) == 30 * 6.0, "the first source again"
    assert machine_code(place) == before, "and its machine code is still there"
    (place / "edited_rule.py").write_text(RULE.replace("Docs are", "Words are"))
    assert run(place) == 30 * 6.0
    assert machine_code(place) == before, "a comment or docstring is no reason to compile"


def test_the_lengths_of_columns_are_no_part_of_the_kernel(tmp_path, monkeypatch):
    """Other numbers of agents and other widths of a mind's columns run on the machine code that is there."""
    monkeypatch.setenv("SWARMSCOPE_CACHE", str(tmp_path))
    rule = SimpleNamespace(choose=choose, learn=learn, PARAMETERS=(), STATE={"seen": ("f8", ("width",), 0.0)})
    assert toy.result(rule) == 30.0
    compiled = {p.name for p in tmp_path.rglob("*.nb?")}
    assert compiled
    assert toy.result(rule, agents=7, width=31) == 70.0
    assert {p.name for p in tmp_path.rglob("*.nb?")} == compiled


def choose(view, state, draws, rule):
    state.seen[0] += 1.0
    return 0, view.weight


def learn(view, state, outcome, part, rule):
    return 0.0


# What a kernel may hold -----------------------------------------------------------------------------------------------


def double(x):
    return 2 * x


def wrong(world, values):
    return undefined_name(values)  # noqa: F821


def takes_the_world(world, i):
    return world.items[i]


def gives_half_a_world(values, i):
    return takes_the_world(values.half, i)


def invents_a_world(values, i):
    return takes_the_world(values, i)


def change(state, by):
    state.level += by
    state.shares[1] = by


def teach(minds, agent, by):
    change(minds[agent], by)
    return minds.level[agent]


def minds():
    return SimpleNamespace(level=np.zeros(3), shares=np.zeros((3, 2)))


@pytest.mark.parametrize("compiled", [True, False])
def test_a_state_is_one_row_of_all_columns(compiled):
    kernel = link({"teach": teach}, bindings={}, compiled=compiled)
    made = minds()
    assert kernel.teach(made, 1, 2.5) == 2.5
    assert kernel.teach(made, 1, 2.5) == 5.0
    assert made.level.tolist() == [0.0, 5.0, 0.0]
    assert made.shares.tolist() == [[0, 0], [0, 2.5], [0, 0]]


def test_an_unknown_name_is_an_error_that_names_the_function():
    with pytest.raises(LinkError, match=r"test_linker.wrong uses 'undefined_name'"):
        link({"wrong": wrong}, bindings={}, compiled=False)


@pytest.mark.parametrize("broken", [gives_half_a_world, invents_a_world])
def test_a_world_that_is_none_is_an_error(broken):
    with pytest.raises(LinkError, match="takes_the_world"):
        link({broken.__name__: broken}, bindings={}, compiled=False)


def test_two_things_under_one_name_are_an_error():
    def other():
        return double(1)

    with pytest.raises(LinkError, match="'double' means two things"):
        link({"double": lambda_free, "other": other}, bindings={}, compiled=False)


def lambda_free(x):
    return x


def test_a_bound_name_takes_the_place_of_the_contract():
    kernel = link({"uses": uses}, bindings={"double": lambda_free}, compiled=False)
    assert kernel.uses(4) == 4
    assert link({"uses": uses}, bindings={}, compiled=False).uses(4) == 8


def uses(x):
    return double(x)


def test_a_source_that_changed_since_it_was_loaded_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "moving_rule.py"
    path.write_text("def first():\n    return 1\n\n\ndef second():\n    return 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import moving_rule

    path.write_text("# A line more.\n\n\n\n" + path.read_text())
    os.utime(path, (1, 1))
    with pytest.raises(LinkError, match="start it again"):
        link({"second": moving_rule.second}, bindings={}, compiled=False)


def test_an_unwritable_cache_falls_back_to_a_temporary_folder(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("SWARMSCOPE_CACHE", str(blocked))
    assert "swarmscope-kernels" in str(linker.cache_folder())
