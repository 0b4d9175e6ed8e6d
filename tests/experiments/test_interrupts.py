"""Ctrl-C: what is begun to be written is written, and a process that was started to ignore it does."""

import os
import signal

import pytest

from experiments.errors import Interrupted
from experiments.folder import renewed
from experiments.interrupts import Brake, to_the_end, undisturbed


@pytest.fixture(autouse=True)
def _as_in_a_terminal():
    """A job in the background, as these tests may be, is started to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_press_waits_until_the_block_has_ended():
    done = []

    def work():
        with undisturbed():
            press()
            done.append("block")
        done.append("after it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_press_that_came_too_late_is_told_with_what_is_there():
    def work():
        with to_the_end("the run is complete in R."):
            press()

    with pytest.raises(Interrupted, match=r"^interrupted, too late to stop: the run is complete in R\.$"):
        work()


def test_an_error_in_the_block_is_told_and_not_the_press():
    def work():
        with to_the_end("all is well."):
            press()
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        work()


def test_a_second_press_acts_at_once():
    brake = Brake()

    def work():
        with brake:
            press()
            press()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert brake.hard


def test_who_was_started_to_ignore_it_ignores_it():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with undisturbed():
        press()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_files_of_a_folder_are_renewed_together_or_not_at_all(tmp_path):
    for name in "abc":
        (tmp_path / name).write_text("old")

    def breaks():
        with renewed(tmp_path, ("a", "b")) as place:
            (place / "a").write_text("new")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        breaks()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys("abc", "old")
    with renewed(tmp_path, ("a", "b")) as place:
        (place / "a").write_text("new")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new", "c": "old"}
