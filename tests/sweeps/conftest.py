"""A small sweep of the naming game that several tests read, and a way to run the command line as a user does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.sweeps.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]

SMALL = {"until": 6, "measures": ["meters", "instruments"], "instruments": ["concentration"]}


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A finished sweep of 3 points and 4 seeds."""
    out = tmp_path_factory.mktemp("sweeps") / "done"
    return sweep("naming", seeds=4, axes={"agents": [10, 20, 40]}, out=out, workers=0, **SMALL)


@pytest.fixture
def swarmscope(tmp_path):
    """The command line in a folder of its own; returns the finished process."""

    def call(*words, wait=True, **options):
        command = [sys.executable, "-m", "experiments.cli", *map(str, words)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        if wait:
            return subprocess.run(
                command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, **options
            )
        return subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    return call
