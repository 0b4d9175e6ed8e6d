"""The page in a real browser: charts that are tables too, two runs side by side, what is taken away, and a stored run."""

import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from conftest import PATIENCE, Server
from steps import choose, number, paused, until_time

from experiments.folder import is_run
from sim.topology.schema import Topology

pytestmark = pytest.mark.slow


def taken(page, name):
    """What the browser gets from a button that downloads."""
    with page.expect_download(timeout=240_000) as waits:
        page.locator(f"[data-download='{name}']").click()
    return waits.value.suggested_filename, Path(waits.value.path()).read_bytes()


def test_charts_share_the_axis_of_time_and_are_tables_too(open_page):
    page = open_page()
    choose(page, "Speed (time/s)", "100")
    chart = page.locator("[data-chart=latency]")
    chart.wait_for(timeout=240_000)
    now = paused(page)
    chart.locator("summary").click()
    rows = chart.locator("tr")
    assert rows.count() > 2
    assert rows.first.inner_text().split() == ["time", "value"]
    assert re.fullmatch(r"[\d.,]+\s+([\d.,]+|–)", rows.nth(1).inner_text().strip())
    box = chart.locator("svg").bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 40)
    page.wait_for_function(f"parseFloat(document.querySelector('[data-number=time] b').innerText) < {now}")
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG")):
        with page.expect_download() as waits:
            chart.locator(f"[data-take={kind}]").click()
        assert waits.value.suggested_filename == f"factory-latency.{kind}"
        assert Path(waits.value.path()).read_bytes().startswith(begins)
    assert page.locator(".panel-charts [data-made=command]").inner_text().startswith("swarmscope run factory --preset")
    # The cursor stands at the same place in every chart.
    places = page.eval_on_selector_all(
        ".swarm-charts .cursor", "paths => paths.map(p => p.getAttribute('d').slice(0, 6))"
    )
    assert len(places) > 2


def test_topologies_in_every_format_and_pictures_are_taken_away(open_page):
    page = open_page()
    choose(page, "Speed (time/s)", "300")
    page.locator("[data-download=json]").wait_for(timeout=240_000)
    paused(page)
    name, data = taken(page, "json")
    assert name.endswith(".json")
    assert Topology.model_validate(json.loads(data)).roles
    _, data = taken(page, "graphml")
    assert ET.fromstring(data).tag.endswith("graphml")
    _, data = taken(page, "SVG")
    assert ET.fromstring(data).tag.endswith("svg")
    with page.expect_download() as waits:
        page.locator("[data-save=png]").click()
    assert Path(waits.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_run_folder_is_taken_away_with_the_acts_in_it(open_page, tmp_path):
    page = open_page("?scenario=factory&p.agents=16&seed=3")
    until_time(page, 30)
    page.locator(".swarm-graph canvas").focus()
    page.keyboard.press("]")
    page.get_by_role("button", name="Take out").click()
    page.wait_for_selector("[data-act=mute]")
    until_time(page, number(page, "time") + 10)
    paused(page)
    events = number(page, "events")
    _, data = taken(page, "ZIP")
    zipfile.ZipFile(io.BytesIO(data)).extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert is_run(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["parameters"]["agents"] == 16
    assert [i["action"] for i in manifest["interventions"]] == ["mute"]
    assert manifest["events"] == events
    assert (folder / "report.html").exists()


def test_the_link_carries_scenario_parameters_and_seed(open_page, server):
    page = open_page()
    field = page.locator("[data-parameter=refuse] input")
    field.fill("3")
    field.press("Enter")
    page.get_by_role("button", name="New seed").click()
    page.wait_for_selector("[data-text=link]:has-text('p.refuse=3'):not(:has-text('seed=0'))")
    link = page.locator("[data-text=link]").inner_text()
    seed = re.search(r"seed=(\d+)", link).group(1)
    # The link is of what was chosen, the command of what runs; for a moment they differ.
    page.wait_for_selector(f"[data-text=command]:has-text('--seed {seed}')")
    assert "--set refuse=3" in page.locator("[data-text=command]").inner_text()
    page.goto(server.url + link)
    page.wait_for_selector("[data-parameter=refuse].changed")
    assert page.locator("[data-parameter=refuse] input").input_value() == "3"
    assert page.get_by_label("Seed", exact=True).input_value() == seed


def test_two_runs_side_by_side_show_what_differs(open_page):
    page = open_page()
    until_time(page, 30)
    page.locator("[data-role=aside]").click()
    page.wait_for_selector("[data-table=compare]")
    assert "parameters and seed" in page.locator("[data-table=compare]").inner_text()
    field = page.locator("[data-parameter=refuse] input")
    field.fill("2")
    field.press("Enter")
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_selector("tr.differs")
    assert page.locator("tr.differs").inner_text().split() == ["refuse", "0", "2"]
    assert page.locator(".panel-compare canvas").count() == 2
    assert "the same seed" in page.locator(".panel-compare").inner_text()


def test_a_stored_run_is_seen_in_the_same_page(browser, runs):
    (name,) = [p.name for p in (runs / "runs").iterdir()]
    served = Server(runs, f"runs/{name}")
    try:
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(served.url)
        page.wait_for_selector(".swarm-graph canvas[data-drawn]")
        assert name in page.locator(".rule").inner_text()
        assert page.locator("[data-made=command]").first.inner_text() == f"swarmscope ui runs/{name}"
        assert page.locator(".swarm-graph canvas").get_attribute("data-agents") == "16"
        end = number(page, "time")
        page.keyboard.press("ArrowLeft")
        page.wait_for_function(f"parseFloat(document.querySelector('[data-number=time] b').innerText) < {end}")
        page.get_by_role("button", name="Back to a live world").click()
        page.wait_for_selector("[data-role=play]")
        page.locator(f"[data-open='{name}']").click()
        page.wait_for_selector("[data-role=play]", state="detached")
    finally:
        served.close()
