"""Real data: the script fetches, reads, scores and prints, and says plainly when it cannot."""

import numpy as np
import pytest

from experiments import realdata


@pytest.fixture
def place(tmp_path):
    """A folder laid out like the unpacked packages, with drawn contacts in place of the logs."""
    rng = np.random.default_rng(0)
    for source in realdata.SOURCES:
        path = tmp_path / source.file
        path.parent.mkdir(parents=True, exist_ok=True)
        group = np.arange(40) % 4
        a = rng.integers(0, 40, 1500)
        b = np.where(rng.random(1500) < 0.85, (a + 4 * rng.integers(1, 10, 1500)) % 40, (a + 1) % 40)
        rows = [(20 * t, x, y) for t, (x, y) in enumerate(zip(a.tolist(), b.tolist(), strict=True))]
        if source.name == "workplace":
            path.write_text("".join(f"{t} {x} {y}\n" for t, x, y in rows))
            lines = [f"{k},{k},D{group[k]},{group[k]}\n" for k in range(40)]
            path.with_name("workplace_meta.csv").write_text("nodeID,nodeName,class,classID\n" + "".join(lines))
        else:
            path.write_text("".join(f"{t}\t{x}\t{y}\tG{group[x]}\tG{group[y]}\n" for t, x, y in rows))
    return tmp_path


@pytest.mark.parametrize("source", realdata.SOURCES, ids=lambda s: s.name)
def test_a_log_is_read_and_scored_against_its_labels(source, place):
    made = realdata.score(source, place, whole=source.name == "workplace")
    assert (made.agents, made.events) == (40, 1500)
    assert made.groups > 0.95
    if source.roles:
        assert made.roles is not None
        assert made.roles[0] > 0.9
    if source.name == "workplace":
        assert "teams" in {s.kind for s in made.structures}
    text = realdata.table([made])
    assert f"| {source.name} | 40 | 1,500 | {source.target:.2f} | {made.groups:.2f} |" in text


def test_agents_in_no_group_count_as_a_group_of_their_own():
    truth = np.array([0, 0, 1, 1, 2, 2])
    assert realdata.agreement(np.array([0, 0, 1, 1, -1, -1]), truth) == pytest.approx(1.0)
    assert realdata.agreement(np.full(6, -1), truth) == pytest.approx(0.0, abs=1e-9)


def test_a_package_without_the_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        realdata.score(realdata.SOURCES[0], tmp_path)


def test_the_script_says_when_nothing_could_be_fetched(monkeypatch, capsys):
    class Failed:
        returncode, stderr = 1, "no network"

    monkeypatch.setattr(realdata.subprocess, "run", lambda *_args, **_kept: Failed())
    assert realdata.main() == 1
    assert "with pip or uv, neither did" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.realdata
def test_the_real_logs_reach_their_targets():
    """Needs the packages; skipped where they cannot be fetched."""
    try:
        with realdata.fetched() as place:
            scores = {s.name: realdata.score(s, place, whole=False) for s in realdata.SOURCES}
    except realdata.NotFetched as reason:
        pytest.skip(str(reason))
    assert scores["workplace"].groups >= 0.85
    assert scores["primary school"].groups >= 0.90
    assert max(scores["hospital"].roles) >= 0.50
