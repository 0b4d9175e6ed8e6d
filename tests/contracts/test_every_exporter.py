"""What every exporter must do: report losses if and only if there are any, and never let a text break out."""

import pytest
from hypothesis import HealthCheck, given, settings

from sim.topology.exporters import ExportReport, export, exporters
from tests.topology.cases import FIXTURES, NASTY, REWORK, renamed, topologies, with_text

NAMES = exporters.names()
MEMBERS = pytest.mark.parametrize("name", NAMES)


def exact(name, topology, text):
    """Whether reading the text gives the topology back; never for a format without a reader."""
    exporter = exporters.get(name)
    return exporter.read is not None and exporter.read(text) == topology


def test_all_modules_import_and_the_required_formats_are_there():
    assert exporters.broken == {}
    assert {"json", "mermaid", "graphml"} <= set(NAMES)


@MEMBERS
def test_it_says_what_it_is(name):
    exporter = exporters.get(name)
    assert exporter.name == name
    assert exporter.extension.startswith(".")
    assert exporter.words.endswith(".")
    assert "\n" not in exporter.words


@MEMBERS
@pytest.mark.parametrize("topology", FIXTURES, ids=lambda t: t.name)
def test_the_report_is_empty_if_and_only_if_the_round_trip_is_exact(name, topology):
    text, report = export(topology, as_format=name)
    assert isinstance(report, ExportReport)
    assert report.target == name
    assert report.empty == exact(name, topology, text)


@MEMBERS
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topology=topologies())
def test_the_report_is_right_about_any_topology(name, topology):
    text, report = export(topology, as_format=name)
    assert report.empty == exact(name, topology, text)
    assert export(topology, as_format=name) == (text, report)
    text.encode("utf-8")


@MEMBERS
@pytest.mark.parametrize("text", NASTY)
def test_a_text_adds_no_line(name, text):
    harmless, _ = export(with_text("harmless"), as_format=name)
    hostile, _ = export(with_text(text), as_format=name)
    assert hostile.count("\n") == harmless.count("\n")


@MEMBERS
def test_other_ids_change_nothing_but_the_ids(name):
    old = {r.id: f"zzfirst_{i}" for i, r in enumerate(REWORK.roles)}
    new = {r.id: f"zzother_{i}" for i, r in enumerate(REWORK.roles)}
    first, _ = export(renamed(REWORK, old), as_format=name)
    other, _ = export(renamed(REWORK, new), as_format=name)
    assert first != other
    assert first.replace("zzfirst_", "zzother_") == other


@MEMBERS
def test_the_report_is_plain_data(name):
    _, report = export(REWORK, as_format=name)
    data = report.as_dict()
    assert data["empty"] == report.empty
    assert report.empty == (not report.sentences())
    assert all(isinstance(v, str | bool | list) for v in data.values())


def test_an_unknown_format_is_refused_with_a_suggestion():
    with pytest.raises(LookupError, match="Did you mean 'mermaid'"):
        export(REWORK, as_format="mermaidd")
