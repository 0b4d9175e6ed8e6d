"""Report page: self-contained, complete, escaped, honest about what is missing; its words, numbers and pictures."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from math import isfinite, nan

import polars as pl
import pytest

from experiments.analysis import Analysis, Channel, Settings, analyse, plain
from experiments.errors import UsageProblem
from experiments.folder import read_json
from experiments.report.charts import Lane, Mark, bars, line_chart, ticks, timeline
from experiments.report.html import render
from experiments.report.markup import Raw, esc, folded, table
from experiments.report.pictures import agents_picture
from experiments.report.words import duration, headline, listed, many, measured, number, p_value, spoken
from sim.record.importers import read
from sim.record.log import Log
from sim.record.store import empty_events

VOID = {"meta", "br"}
HOSTILE = '<script>alert("1")</script>\'"&<img src=http://evil.example/x onerror=alert(2)>'


class Page(HTMLParser):
    """Collects tags and attributes, and checks that tags are closed in the order in which they were opened."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.attributes, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(made):
    return (made.folder / "report.html").read_text(encoding="utf-8")


def hostile_log():
    """A small team whose every name is an attack on the page."""
    rows, agents = [], [f"{HOSTILE}{i}" for i in range(4)]
    for i in range(60):
        item, time = f"{HOSTILE}item{i}", float(10 * i)
        rows.append((time, "arrive", agents[0], None, item))
        rows.append((time + 1, "handoff", agents[0], agents[1 + i % 2], item))
        rows.append((time + 2, HOSTILE, agents[1 + i % 2], agents[3], item))
        rows.append((time + 3, "deliver", agents[1 + i % 2], None, item))
    schema = ["time", "kind", "source", "target", "item"]
    events = (
        pl.DataFrame(rows, schema=schema, orient="row")
        .with_row_index("seq")
        .with_columns(
            pl.col("seq").cast(pl.UInt64),
            pl.col("kind").cast(pl.Categorical),
            origin=pl.lit("external", pl.Categorical),
        )
    )
    return Log(events=events, notes=(HOSTILE,), predefined=(HOSTILE,), missing=("cost",))


def assert_is_self_contained(text):
    """Nothing in the page reaches out of it, and nothing in it runs."""
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "img", "base", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"src", "href", "xlink:href", "action", "data"}:
            assert str(value).startswith("#"), (tag, name, value)
        if name != "xmlns" and not name.startswith("aria") and tag not in {"title"}:
            assert "://" not in str(value), (tag, name, value)
    without = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    style = "".join(re.findall(r"<style>.*?</style>", text, re.S))
    assert "@import" not in style
    assert "url(" not in style
    return page, without


def test_the_page_is_one_file_without_network_or_scripts(page):
    _, without = assert_is_self_contained(page)
    assert not re.search(r"https?:", without)


def test_the_page_shows_every_part_and_every_finding_in_words(page, made):
    parsed = Page(page)
    report = read_json(made.folder / "report.json")
    for structure in report["structures"]:
        assert " ".join(structure["sentence"].split()) in parsed.text
        assert " ".join(structure["refuted_by"].split()) in parsed.text
    for identity in report["identities"]:
        assert identity["name"] in parsed.text
    for name, reading in report["instruments"].items():
        if reading["value"] is not None:
            assert name.replace("_", " ") in parsed.text
    for heading in ("Throughput", "Latency", "Quality", "Cost of an item", "Handoff loss", "Semantic drift"):
        assert heading in parsed.text
    for function in ("Intake", "Routing", "Quality control", "Integration", "Monitoring", "Escalation"):
        assert function in parsed.text
    assert made.manifest["command"] in parsed.text
    assert parsed.text.count("changed for this run") == len(made.manifest["changed"])
    assert parsed.tags.count("svg") >= 10


def test_every_picture_has_a_title_and_a_description_and_every_table_headers(page):
    drawings = re.findall(r"<svg\b.*?</svg>", page, re.S)
    assert all("<title>" in d and "<desc>" in d and 'role="img"' in d for d in drawings)
    tables = re.findall(r"<table>.*?</table>", page, re.S)
    assert tables
    assert all('<th scope="col"' in t and '<th scope="row"' in t for t in tables)
    assert 'lang="en"' in page
    assert "prefers-color-scheme: dark" in page


def test_names_in_the_log_cannot_become_markup():
    analysis = analyse(hostile_log())
    text = render(analysis, {"source": HOSTILE, "command": HOSTILE, "notes": [HOSTILE], "parameters": {HOSTILE: HOSTILE},
                             "changed": [HOSTILE], "status": HOSTILE, "error": HOSTILE, "scenario": None})  # fmt: skip
    page, _ = assert_is_self_contained(text)
    assert page.text.count("alert(") > 10
    assert "<script" not in text


def test_names_in_a_report_are_escaped_wherever_a_structure_carries_them(made):
    analysis = made.analysis
    bad = tuple(
        replace(s, id=f"x{i}{HOSTILE}", about=HOSTILE, sentence=HOSTILE, claim=HOSTILE, refuted_by=HOSTILE, run=HOSTILE,
                predefined=HOSTILE, roles={HOSTILE: s.members}, resilience={HOSTILE: 0.5})
        for i, s in enumerate(analysis.report.structures)
    )  # fmt: skip
    report = replace(analysis.report, structures=bad)
    text = render(replace(analysis, report=report, topologies={}), {})
    assert_is_self_contained(text)
    assert "<script" not in text


def test_the_agents_of_a_structure_are_drawn_when_its_flows_reach_beyond_them(made):
    whole = next(s for s in made.analysis.report.structures if s.flows.height)
    some = replace(whole, members=tuple(whole.members[:3]), roles={"some": whole.members[:3]})
    assert "<svg" in agents_picture(made.analysis, whole)
    outsider = str(whole.members[-1])
    drawn = agents_picture(made.analysis, some)
    assert f">{outsider}<" not in drawn


def test_an_empty_log_gives_a_page_that_says_so():
    analysis = analyse(Log(events=empty_events()))
    page = Page(render(analysis, {}))
    assert "Nothing that organised itself and lasted was found." in page.text
    assert "The log holds no events" in page.text
    assert analysis.best is None
    assert analysis.to_json()["structures"] == []


def test_a_log_without_items_does_not_call_functions_missing(tmp_path):
    table = pl.DataFrame({"time": [float(i) for i in range(50)], "kind": ["decide"] * 50, "source": ["a", "b"] * 25})
    table.write_parquet(tmp_path / "t.parquet")
    page = Page(render(analyse(read(tmp_path / "t.parquet")), {}))
    assert "cannot be seen" in page.text
    assert "missing" not in page.text


def test_a_failed_identity_is_a_warning_at_the_top_and_on_the_command_line(made):
    first = made.analysis.identities[0]
    analysis = replace(made.analysis, identities=(replace(first, holds=False, measured=1.0),))
    page = Page(render(analysis, made.manifest))
    assert "An identity does not hold" in page.text
    assert any("fault of the program" in line for line in spoken(analysis.to_json(), made.manifest))


def test_the_report_is_a_function_of_log_and_settings(made):
    again = analyse(made.log, channel=Channel.of(made.manifest["parameters"]))
    assert again.to_json() == read_json(made.folder / "report.json")
    assert render(again, made.manifest) == (made.folder / "report.html").read_text(encoding="utf-8")


def one(kind="teams", level="robust", predefined=None, run="", sentence="A sentence.", rival=None, p=0.01):
    made = {"kind": kind, "level": level, "predefined": predefined, "run": run, "sentence": sentence, "rival": rival}
    return {**made, "p": p}


def test_what_is_no_more_than_chance_is_not_said_to_be_beyond_it_in_part():
    _, why = headline(as_report([one("core", "observed", p=0.7), one("teams", "significant")]))
    assert why.startswith(
        "1 set of teams went beyond chance only in part, or did not last; 1 core was seen and not beyond "
    )


def agreed(run="", **changes):
    return one("convention", run=run, rival="a common prior", **changes)


def as_report(structures=(), ledger=(), events=5, runs=1):
    return {
        "log": {"events": events, "runs": runs, "agents": 9},
        "structures": list(structures),
        "ledger": list(ledger),
        "identities": [],
    }


@pytest.mark.parametrize(
    ("structures", "title"),
    [
        ([], "Nothing that organised itself and lasted was found."),
        ([one("hierarchy")], "A hierarchy organised itself among 9 agents."),
        ([one("teams")], "Teams organised themselves among 9 agents."),
        ([one("hub"), one("hub")], "2 hubs organised themselves among 9 agents."),
        ([one("hub"), one("hub"), one("teams")], "2 hubs and 1 set of teams organised themselves among 9 agents."),
        ([one(level="significant")], "Nothing that organised itself and lasted was found."),
        ([one("hub", predefined="given")],
         "1 hub was found, but it stood before the first event; nothing that organised itself and lasted was found."),
        ([one("hub", predefined="given"), one("ring")], "A ring organised itself among 9 agents."),
        ([one("convention")], "A convention organised itself among 9 agents."),
        ([agreed()], "Agreement that lasted: 1 convention among 9 agents; a common prior is not excluded."),
        ([one("hub"), agreed()], "A hub organised itself among 9 agents; agreement that lasted: 1 convention among 9 agents, "
         "for which a common prior is not excluded."),
        ([agreed(level="observed")], "Nothing that organised itself and lasted was found."),
    ],
)  # fmt: skip
def test_the_headline_counts_only_what_lasted_and_was_not_given(structures, title):
    assert headline(as_report(structures))[0] == title


def test_the_headline_of_many_runs_without_a_baseline_claims_agreement_and_no_more():
    title, sure = headline(as_report([agreed(run=str(i)) for i in range(369)], runs=434))
    assert title == "Agreement that lasted: 369 conventions in 369 runs; a common prior is not excluded."
    assert "why this option won is not" in sure
    assert "369 robust" in sure


def test_the_headline_tells_why_there_is_nothing():
    rows = [
        {"verdict": "beaten", "p": 0.01, "q": 0.3},
        {"verdict": "beaten", "p": 0.001, "q": 0.02},
        {"verdict": "not beaten", "p": 0.5, "q": 0.9},
        {"verdict": "insufficient data", "p": None, "q": None},
    ]
    why = headline(as_report(ledger=rows))[1]
    assert "3 claims were tested; 2 beat chance taken alone, 1 after correction" in why
    assert "1 question had too little data" in why


def test_the_command_line_says_how_many_findings_it_leaves_out():
    lines = spoken(as_report([one(sentence=f"Finding {i}.") for i in range(20)]), {"notes": ["Careful."]})
    assert sum("Finding" in line for line in lines) == 12
    assert any("8 further structures" in line for line in lines)
    assert lines[-1] == "Note: Careful."


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.0, "0"), (1234, "1,234"), (0.12345, "0.123"), (12.0, "12"), (12345.6, "12,346"),
     (1e-7, "1.00e-07"), (nan, "–"), (-0.5, "-0.5"), (99.96, "100"), (1.0, "1")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_words_carry_units():
    assert measured(0.5, "share") == "50 %"
    assert measured(2.5, "time units") == "2.5 time units"
    assert measured(None, "share") == "–"
    assert p_value(0.0001) == "< 0.001"
    assert p_value(None) == "–"
    assert many(1, "hierarchy") == "1 hierarchy"
    assert many(2, "hierarchy") == "2 hierarchies"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert duration(30.0) == "30 s"
    assert duration(600.0) == "10 min"
    assert duration(7200.0) == "2.0 h"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 0.037), (-3.0, 17.0), (5.0, 5.0), (1e6, 3e6), (0.0, 0.0)])
def test_ticks_cover_the_range_in_few_round_steps(low, high):
    made = ticks(low, high)
    assert made[0] <= low + 1e-9 * max(1.0, abs(low))
    assert made[-1] >= high - 1e-9 * max(1.0, abs(high))
    assert 2 <= len(made) <= 7
    steps = [b - a for a, b in pairwise(made)]
    assert max(steps) - min(steps) < 1e-6 * max(steps)


def test_a_line_chart_puts_values_where_they_belong():
    drawing = line_chart([(0.0, 0.0), (5.0, None), (10.0, 4.0)], title="T", unit="u", marks=[Mark(2.0, "half")])
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawing)
    assert len(dots) == 2
    (x0, y0), (x1, y1) = [(float(x), float(y)) for x, y in dots]
    assert x1 > x0
    assert y1 < y0
    dashed = re.search(r'<path d="M[\d.]+ ([\d.]+)H[^>]*stroke-dasharray', drawing)
    assert float(dashed[1]) == pytest.approx((y0 + y1) / 2, abs=0.02)
    # The gap is no line.
    assert 'class="curve"' not in drawing
    assert "half 2" in drawing
    flat = line_chart([(0.0, 0.0), (1.0, 0.0)], title="T", unit="u")
    assert ">-" not in flat
    assert line_chart([(0.0, None)], title="T", unit="u") == ""


def test_pictures_escape_their_words_and_hold_finite_numbers():
    lanes = [Lane(HOSTILE, HOSTILE, [(0.0, 1.0, 0.5, True)], [(0.5, "+", HOSTILE)]), Lane("b", "c", [])]
    for drawing in (
        timeline(lanes, start=0.0, end=1.0),
        timeline(lanes[1:], start=0.0, end=0.0),
        bars([(HOSTILE, 0.5), ("b", 0.0)], title=HOSTILE),
        line_chart([(1.0, 1.0)], title=HOSTILE, unit=HOSTILE, marks=[Mark(1.0, HOSTILE)]),
    ):
        page = Page(drawing)
        assert "script" not in page.tags
        assert "img" not in page.tags
        numbers = [float(x) for x in re.findall(r' (?:x|y|width|height|cx|cy)="([^"]+)"', drawing)]
        assert all(isfinite(x) for x in numbers)


def test_markup_escapes_everything_but_raw():
    made = table([HOSTILE], [[HOSTILE, HOSTILE], [Raw("<b>x</b>"), "y"]], caption=HOSTILE) + folded(HOSTILE, "")
    page = Page(made)
    assert page.tags.count("b") == 1
    assert "script" not in page.tags
    assert esc("\x00<") == "\ufffd&lt;"


def test_settings_are_checked():
    assert Settings().checked() == Settings()
    with pytest.raises(UsageProblem, match="alpha"):
        Settings(alpha=0).checked()
    with pytest.raises(UsageProblem, match="seed"):
        Settings(seed=-1).checked()


def test_plain_values_fit_into_json():
    assert plain({1: (nan, 2.0, {"a"}), "b": None}) == {"1": [None, 2.0, ["a"]], "b": None}


def test_best_is_the_highest_claim_then_the_largest_then_the_one_that_was_not_given(made):
    base = made.analysis.report.structures[0]

    def other(level, size, predefined=None):
        return replace(base, level=level, members=tuple(range(size)), predefined=predefined)

    ranked = Analysis(
        made.log, replace(made.analysis.report, structures=(
            other("stable", 9), other("robust", 2), other("robust", 3, "given"), other("robust", 3), other("observed", 99)
        )), {}, pl.DataFrame(), (), {}, {},
    ).ranked  # fmt: skip
    assert [(s.level, len(s.members), s.predefined) for s in ranked] == [
        ("robust", 3, None), ("robust", 3, "given"), ("robust", 2, None), ("stable", 9, None), ("observed", 99, None)
    ]  # fmt: skip
