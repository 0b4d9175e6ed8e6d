"""Command line: every command end to end, bad usage and bad input in one sentence with the right status, and Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from polars import DataFrame

from experiments.cli import COMMANDS, app, call
from experiments.commands_page import PAGE, page
from experiments.folder import read_json, read_manifest
from sim.record.store import read_log
from sim.topology.exporters import names
from sim.topology.schema import load

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("mesa", "numba", "polars", "litellm", "solara", "matplotlib", "scipy")
SMALL = ["--set", "agents=16", "--set", "types=2", "--set", "load=0.6", "--detectors", "teams"]


def spoken(err):
    """The error among the lines of progress; exactly one sentence, no traceback."""
    lines = [line for line in err.splitlines() if line.startswith("swarmscope: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["detect", "--help"], ["ui", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom experiments.cli import call\n"
        f"code = call({words!r})\n"
        f"sys.stderr.write(','.join(m for m in {HEAVY!r} if m in sys.modules))\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: swarmscope" in done.stdout


def test_the_page_on_the_command_line_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m experiments.commands_page"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_json_option(swarmscope, name):
    code, out, _ = swarmscope(name, "--help")
    assert code == 0
    assert f"Example: swarmscope {name}" in " ".join(out.split())
    assert "--json" in out


def test_every_module_of_a_command_is_registered():
    modules = {p.stem for p in (ROOT / "experiments" / "commands").glob("*.py") if not p.stem.startswith("_")}
    assert {m.__name__.rsplit(".", 1)[-1] for m in COMMANDS.values()} == modules
    assert {c.name for c in app.registered_commands} == set(COMMANDS)


def test_scenarios_are_listed_and_shown_and_given_to_machines(swarmscope):
    code, out, _ = swarmscope("scenarios")
    assert code == 0
    assert any(line.startswith("factory ") for line in out.splitlines())
    code, out, _ = swarmscope("scenarios", "factory")
    assert "* learning" in out
    assert "handoff_loss" in out
    code, out, _ = swarmscope("scenarios", "--json")
    factory = next(s for s in json.loads(out) if s["name"] == "factory")
    assert "learning" in factory["presets"]


def test_run_detect_diff_and_export_end_to_end(swarmscope, tmp_path):
    code, out, err = swarmscope("run", "factory", *SMALL, "--until", 20, "--json")
    assert code == 0, err
    first = json.loads(out)
    assert first["report"] == read_json(Path(first["folder"]) / "report.json")
    assert first["reused"] is False
    code, out, _ = swarmscope("run", "factory", *SMALL, "--until", 20)
    assert code == 0
    assert "reused" in out
    code, out, _ = swarmscope("run", "factory", *SMALL, "--until", 20, "--seed", 1, "--json")
    second = json.loads(out)
    code, out, _ = swarmscope("diff", first["folder"], second["folder"], "--json")
    assert code == 0
    rows = json.loads(out)
    assert [(r["name"], r["first"], r["second"]) for r in rows["parameters"]] == [("seed", 0, 1)]
    assert "latency" in [r["name"] for r in rows["instruments"]]
    assert rows["same"] is False
    code, out, _ = swarmscope("diff", first["folder"], first["folder"])
    assert (code, out) == (0, "Nothing differs.\n")
    code, out, _ = swarmscope("detect", first["folder"], "--detectors", "teams", "--alpha", 0.01)
    assert code == 0
    assert read_manifest(Path(first["folder"]))["analysis"]["alpha"] == 0.01


def test_detection_elsewhere_leaves_the_run_as_it_is(swarmscope, short, tmp_path):
    before = {p.name: p.read_bytes() for p in short.folder.iterdir()}
    code, out, _ = swarmscope("detect", short.folder, "--out", "elsewhere", "--json")
    assert code == 0
    assert json.loads(out)["manifest"]["what"] == "detection"
    assert {p.name: p.read_bytes() for p in short.folder.iterdir()} == before
    assert (tmp_path / "elsewhere" / "report.html").exists()
    # The report of a detection may be renewed, a run may not be covered by one.
    assert swarmscope("detect", short.folder, "--out", "elsewhere")[0] == 0
    code, _, err = swarmscope("detect", short.folder, "--out", short.folder.parent)
    assert code == 2
    assert "never replaced" in spoken(err)


def test_a_trace_is_detected_and_imported(swarmscope, trace, tmp_path):
    code, out, _ = swarmscope("detect", trace, "--out", "report")
    assert code == 0
    assert "Report: report/report.html" in out
    code, out, _ = swarmscope("import", trace, "--as", "canonical", "--out", "mine", "--json")
    assert code == 0
    assert json.loads(out)["manifest"]["missing_columns"]
    assert read_log(tmp_path / "mine").events.height == 199
    code, out, _ = swarmscope("detect", "mine", "--json")
    assert code == 0
    made = json.loads(out)
    plain = read_json(tmp_path / "report" / "report.json")
    assert made["report"]["instruments"] == plain["instruments"]
    code, _, err = swarmscope("import", trace, "--out", "mine")
    assert code == 2
    assert "--force" in spoken(err)
    assert swarmscope("import", trace, "--out", "mine", "--force")[0] == 0


def test_columns_are_mapped(swarmscope, tmp_path):
    DataFrame({"ts": [1.0, 2.0], "who": ["a", "b"], "what": ["arrive", "deliver"]}).write_csv(tmp_path / "t.csv")
    code, out, _ = swarmscope("detect", "t.csv", "--columns", "time=ts,source=who,kind=what", "--out", "r", "--json")
    assert code == 0
    assert json.loads(out)["report"]["log"]["events"] == 2
    code, _, err = swarmscope("detect", "t.csv", "--columns", "time", "--out", "q")
    assert code == 2
    assert "expected name=value, got 'time'" in spoken(err)
    code, _, err = swarmscope("detect", "t.csv", "--columns", "time=tss,source=who,kind=what", "--out", "q")
    assert code == 1
    assert "tss" in spoken(err)
    assert not (tmp_path / "q").exists()


@pytest.mark.parametrize("form", names())
def test_a_topology_is_exported_in_every_format_and_the_losses_are_told(swarmscope, made, form):
    code, out, err = swarmscope("export", made.folder, "--as", form)
    assert code == 0
    assert out.strip()
    code, text, _ = swarmscope("export", made.folder, "--as", form, "--json")
    report = json.loads(text)["lost"]
    lost = [s for key, value in report.items() if isinstance(value, list) for s in value]
    assert err.splitlines() == lost
    assert report["empty"] == (not lost)


def test_an_exported_topology_comes_back(swarmscope, made, tmp_path):
    assert swarmscope("export", made.folder, "--as", "json", "--out", "deep/t.json")[0] == 0
    assert load(tmp_path / "deep" / "t.json") == load(made.folder / "topology.json")
    assert swarmscope("export", "deep/t.json", "--as", "graphml", "--out", "t.graphml")[0] == 0
    assert swarmscope("export", "t.graphml", "--as", "json", "--out", "back.json")[0] == 0
    assert load(tmp_path / "back.json") == load(made.folder / "topology.json")
    for structure in read_json(made.folder / "topologies.json"):
        code, out, _ = swarmscope("export", made.folder, "--as", "json", "--structure", structure)
        assert code == 0
        assert json.loads(out)["name"] == structure


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "factroy"], "Did you mean 'factory'?"),
        (["run", "factory", "--preset", "lerning"], "Did you mean 'learning'?"),
        (["run", "factory", "--set", "agens=3"], "Did you mean 'agents'?"),
        (["run", "factory", "--set", "agents"], "expected name=value, got 'agents'"),
        (["run", "factory", "--set", "agents=0"], "'agents' expects a whole number from 1 to"),
        (["run", "factory", "--set", "agents=many"], "got 'many'"),
        (["run", "factory", "--mind", "trsut"], "Did you mean 'trust'?"),
        (["run", "factory", "--model", "x/y"], "add --mind llm"),
        (["run", "factory", "--log", "sample:2"], "sample:SHARE"),
        (["run", "factory", "--detectors", "teems"], "Did you mean 'teams'?"),
        (["run", "factory", "--alpha", "2"], "at most 0.5, got 2"),
        (["run", "factory", "--sed", "2"], "No such option"),
        (["rn"], "No such command"),
        (["detect", "nowhere"], "found nothing there"),
        (["detect", "nowhere", "--seed", "-1"], "found nothing there"),
        (["diff", "nowhere", "nowhere"], "expected a run folder"),
        (["export", "nowhere", "--as", "json"], "found nothing there"),
        (["export", "nowhere", "--as", "mermiad"], "Did you mean 'mermaid'?"),
        (["import", "nowhere", "--as", "canonical"], "found nothing there"),
        (["import", "nowhere", "--as", "canonicl"], "Did you mean 'canonical'?"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2_and_writes_nothing(swarmscope, tmp_path, words, told):
    code, out, err = swarmscope(*words)
    assert (code, out) == (2, "")
    assert told in spoken(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"PAR1 and then nothing"),
        ("t.parquet", b""),
        ("t.csv", b"\xff\xfe\x00\x00"),
        ("t.jsonl", b"{not json"),
    ],
)
def test_input_that_cannot_be_read_is_one_sentence_and_status_1(swarmscope, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    code, _, err = swarmscope("detect", name, "--out", "out")
    assert code == 1
    assert name in spoken(err)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_log_without_the_needed_columns_names_them(swarmscope, tmp_path):
    DataFrame({"time": [1.0], "kind": ["work"]}).write_parquet(tmp_path / "t.parquet")
    code, _, err = swarmscope("detect", "t.parquet", "--out", "out")
    assert code == 1
    assert "source" in spoken(err)


def test_a_damaged_run_folder_is_one_sentence(swarmscope, short, tmp_path):
    for path in short.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "events.parquet").write_bytes(b"PAR1junkPAR1")
    code, _, err = swarmscope("detect", ".")
    assert code == 1
    assert "events.parquet" in spoken(err)
    (tmp_path / "manifest.json").write_text("{")
    code, _, err = swarmscope("detect", ".")
    assert code == 2
    assert "manifest.json" in spoken(err)


def test_an_output_folder_that_cannot_be_written_is_one_sentence(swarmscope, trace, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = swarmscope("run", "factory", *SMALL, "--until", 5, "--out", "file")
    assert code == 1
    assert "cannot write" in spoken(err)
    code, _, err = swarmscope("detect", trace, "--out", "file")
    assert code == 2
    assert "found a file" in spoken(err)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_run_without_a_structure_has_nothing_to_export(swarmscope, short, made):
    code, _, err = swarmscope("export", made.folder, "--as", "json", "--structure", "hierarchy-99")
    assert code == 2
    assert "There are: " in spoken(err)
    if short.manifest["topology"] is None:
        code, _, err = swarmscope("export", short.folder, "--as", "json")
        assert code == 2
        assert "no structure was found" in spoken(err)


def test_debug_shows_where_an_error_comes_from(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", "detect", str(tmp_path / "nowhere"), "--debug"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_ctrl_c_leaves_a_readable_interrupted_folder(tmp_path):
    words = ["run", "factory", *SMALL, "--until", "1e9", "--out", str(tmp_path / "runs")]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *words], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        # The staged folder exists from just before the world starts; its first slices follow within a second.
        deadline = time.monotonic() + 90
        while not list(tmp_path.glob("runs/.*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    (folder,) = (tmp_path / "runs").iterdir()
    assert spoken(err).endswith(f"without a report. Make it with: swarmscope detect {folder}")
    manifest, log = read_manifest(folder), read_log(folder)
    assert manifest["status"] == "interrupted"
    assert log.events.height == manifest["events"] == manifest["events_kept"]
    # No row is lost or doubled at the place where it was cut.
    assert log.events["seq"].to_list() == list(range(log.events.height))
    assert 0 < manifest["model_time"] < 1e9
    assert call(["detect", str(folder), "--detectors", "teams"]) == 0
    assert (folder / "report.html").exists()
    assert read_manifest(folder)["status"] == "interrupted"


@pytest.mark.parametrize("content", [None, "no log, but words", "a,b\n1,2\n", "ts,from,to\n1,a,b\n2,b,a\n"])
def test_the_page_does_not_open_with_what_is_no_log_and_says_what_detect_says(swarmscope, tmp_path, content):
    path = tmp_path / ("empty" if content is None else "trace.csv")
    path.mkdir() if content is None else path.write_text(content)
    said = []
    for command in ("detect", "ui"):
        code, _, err = swarmscope(command, str(path))
        assert code == 1
        said.append(spoken(err))
    assert said[0] == said[1]
    assert "expected" in said[0] or "missing: time" in said[0]


@pytest.mark.skipif(os.name != "posix", reason="the server takes the place of the command on POSIX only")
def test_the_page_tells_a_machine_where_it_is_in_one_document(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "experiments.cli", "ui", "--json", "--no-open", "--port", str(port)]
    around = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, cwd=tmp_path, env=around, **pipes) as made:
        try:
            told = json.loads(made.stdout.read())  # the pipe ends with the document, while the server goes on
            assert made.poll() is None
        finally:
            made.terminate()
    assert told == {"url": f"http://127.0.0.1:{port}", "host": "127.0.0.1", "port": port, "run": None}
