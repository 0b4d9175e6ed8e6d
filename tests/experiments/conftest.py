"""What several tests of experiments share: runs of the factory made once, a sample trace, and the command line."""

from pathlib import Path

import pytest

from experiments.cli import call
from experiments.run import run

# Small enough for seconds, long enough for routes to form.
SMALL = {"agents": 16, "types": 2, "experts": 2, "load": 0.6}
UNTIL = 400.0


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A small factory run: the result of ``run``."""
    return run("factory", changes=SMALL, until=UNTIL, seed=1, out=tmp_path_factory.mktemp("made") / "runs")


@pytest.fixture(scope="session")
def short(tmp_path_factory):
    """A very short factory run of another seed."""
    return run("factory", changes=SMALL, until=40, seed=2, out=tmp_path_factory.mktemp("short") / "runs")


@pytest.fixture
def trace() -> Path:
    return Path(__file__).resolve().parents[2] / "docs" / "sample_trace.jsonl"


@pytest.fixture
def swarmscope(capsys, tmp_path, monkeypatch):
    """Run the command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def runs(*words):
        capsys.readouterr()
        code = call([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return runs
