"""The page in a real browser: structures light their members, agents answer a click, the past is looked at and resumed."""

import re
import time

import pytest
from steps import PLAY, choose, number, paused, until_time

pytestmark = pytest.mark.slow
CANVAS = ".swarm-graph canvas"


def lit(page):
    return int(page.locator(CANVAS).get_attribute("data-lit"))


def drag_to(page, share):
    box = page.locator("svg.timeline").bounding_box()
    x0, x1 = box["x"] + box["width"] * 0.6, box["x"] + box["width"] * share
    y = box["y"] + box["height"] - 30
    page.mouse.move(x0, y)
    page.mouse.down()
    page.mouse.move(x1, y, steps=4)
    page.mouse.up()


def test_a_structure_appears_and_lights_its_members_everywhere(open_page):
    page = open_page()
    assert re.search("Looking|Nothing", page.locator(".panel-structures").inner_text())
    choose(page, "Speed (time/s)", "300")
    card = page.locator(".structure").first
    card.wait_for(timeout=240_000)
    paused(page)
    page.mouse.move(5, 5)
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.lit === '0'")
    card.hover()
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.lit !== '0'")
    text = card.inner_text()
    assert re.search(r"score [\d.–]+ against [\d.–]+ by chance", text)
    assert re.search("observed|significant|stable|robust", text)
    members = int(re.search(r"(\d+) agents; lasted", text).group(1))
    assert lit(page) == members
    page.mouse.move(5, 5)
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.lit === '0'")
    assert int(page.locator("svg.timeline").get_attribute("data-lanes")) >= 1
    # By keyboard as well, and it stays.
    card.get_by_role("button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".structure.chosen .evidence")
    assert "refuted by" in page.locator(".structure.chosen").inner_text()
    assert lit(page) == members


def test_nothing_stable_says_why(open_page):
    page = open_page("?scenario=placebo")
    choose(page, "Speed (time/s)", "as fast as it goes")
    page.locator(".nothing").wait_for(timeout=240_000)
    assert re.search(r"Nothing (stable|can be said|to test)", page.locator(".nothing").inner_text())
    assert re.search(r"\d claims tested in [\d,]+ events", page.locator(".panel-structures").inner_text())


def test_an_agent_is_seen_taken_out_cut_off_joined_by_another_and_found_by_its_id(open_page):
    page = open_page()
    until_time(page, 20)
    page.locator(CANVAS).focus()
    page.keyboard.press("]")
    page.wait_for_selector("[data-agent='0']")
    text = page.locator(".panel-agent").inner_text()
    assert "Rule: Each agent" in text
    assert re.search(r"took part in\s+[\d,]+ events", text)
    assert "turns to" in text
    assert "holds" in text
    assert lit(page) > 1
    page.get_by_role("button", name="Take out").click()
    page.wait_for_selector("[data-act=mute]")
    page.wait_for_selector("text=Agent 0, taken out")
    assert int(page.locator("svg.timeline").get_attribute("data-acts")) == 1
    page.get_by_role("button", name="Bring back").click()
    page.wait_for_selector("[data-act=unmute]")
    page.wait_for_function("document.querySelector('svg.timeline').dataset.acts === '2'")
    page.get_by_label("Find agent by id").fill("7")
    page.get_by_label("Find agent by id").press("Enter")
    page.wait_for_selector("[data-agent='7']")
    page.get_by_role("button", name="Cut off").click()
    page.wait_for_selector("[data-act=cut]")
    page.wait_for_selector("text=Agent 7, cut off")
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.severed === '1'")
    page.get_by_role("button", name="Link again").click()
    page.wait_for_selector("[data-act=join]")
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.severed === '0'")
    page.locator("[data-channel]").first.click()
    page.wait_for_selector("[data-channel][aria-pressed=true]")
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.closed === '1'")
    page.locator("[data-role=add]").click()
    page.wait_for_function("document.querySelector('.swarm-graph canvas').dataset.agents === '49'")
    page.wait_for_selector("[data-act=add]:has-text('joined beside agent 7')")
    page.get_by_label("Find agent by id").fill("48")
    page.get_by_label("Find agent by id").press("Enter")
    page.wait_for_selector("[data-agent='48']")
    assert page.locator("[data-channel]").count() == 5
    page.get_by_label("Find agent by id").fill("700")
    page.get_by_label("Find agent by id").press("Enter")
    page.wait_for_selector(".trouble:has-text('expected the id of one of the 49 agents')")


def test_a_click_on_the_picture_finds_the_agent_below_it(open_page):
    page = open_page()
    until_time(page, 2)
    paused(page)
    page.locator(CANVAS).focus()
    page.keyboard.press("]")
    page.wait_for_selector("[data-agent='0']")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-agent]", state="detached")
    box = page.locator(CANVAS).bounding_box()
    for x in range(40, int(box["width"]) - 40, 9):
        page.mouse.move(box["x"] + x, box["y"] + box["height"] / 2)
        tip = page.locator(".swarm-graph .swarm-tip")
        if tip.is_visible():
            break
    name = re.search(r"agent (\d+): \d+ events", tip.inner_text()).group(1)
    page.mouse.click(box["x"] + x, box["y"] + box["height"] / 2)
    page.wait_for_selector(f"[data-agent='{name}']")


def test_a_live_parameter_acts_and_its_effect_is_shown_before_and_after(open_page):
    page = open_page()
    choose(page, "Speed (time/s)", "100")
    until_time(page, 150)
    field = page.locator("[data-parameter=message_cost] input")
    field.fill("2")
    field.press("Enter")
    page.wait_for_selector("[data-act=set]")
    assert "message_cost set to 2" in page.locator("[data-act=set]").inner_text()
    page.locator("[data-act=set] table").wait_for()
    until_time(page, number(page, "time") + 60)
    text = page.locator("[data-act=set] table").inner_text()
    before, after = (float(x) for x in re.search(r"cost per item\s+([\d.]+)\s+([\d.]+)", text).groups())
    assert after > 1.3 * before


def test_the_past_is_looked_at_and_resumed_as_a_run_with_a_parent(open_page):
    page = open_page()
    until_time(page, 60)
    now = paused(page)
    all_events = number(page, "events")
    drag_to(page, 0.25)
    page.wait_for_function("document.querySelector('svg.timeline .moment').textContent.startsWith('looking at')")
    page.wait_for_function(f"parseFloat(document.querySelector('[data-number=time] b').innerText) < {now}")
    assert 0 < number(page, "time") < now
    assert 0 < number(page, "events") < all_events
    page.get_by_role("button", name="Now", exact=True).click()
    page.wait_for_function("document.querySelector('svg.timeline .moment').textContent.startsWith('now')")
    page.wait_for_function(f"parseFloat(document.querySelector('[data-number=time] b').innerText) === {now}")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("[data-role=resume]:not([disabled])")
    here = number(page, "time")
    events_then = number(page, "events")
    page.locator("[data-role=resume]").click()
    page.wait_for_selector(".parent")
    assert "swarmscope run factory" in page.locator(".parent").inner_text()
    until_time(page, here * 0.98)
    page.wait_for_function(f"document.querySelector('[data-number=events] b').innerText === '{events_then:,.0f}'")
    page.locator(PLAY).click()
    until_time(page, here + 3)


def test_the_gallery_starts_another_scenario(open_page):
    page = open_page()
    page.keyboard.press("g")
    page.wait_for_selector(".card")
    page.keyboard.press("Escape")
    page.wait_for_selector(".card", state="detached")
    page.keyboard.press("g")
    page.wait_for_selector(".card")
    assert page.locator(".card .thumb svg").count() == page.locator(".card").count() >= 4
    page.locator("[data-scenario=naming]").first.click()
    page.wait_for_selector(".card", state="detached")
    page.wait_for_function("document.querySelector('.swarm-graph canvas')?.dataset.agents === '200'")
    until_time(page, 1)


def test_a_scenario_that_breaks_says_so_and_the_rest_keeps_working(open_page):
    page = open_page("?scenario=factory&p.agents=2&p.types=5", drawn=False)
    page.wait_for_selector("text=The run stopped")
    assert "agents cannot hold" in page.locator(".panel-time").inner_text()
    page.keyboard.press("t")
    page.wait_for_selector(".theme--dark .swarm, .swarm.theme--dark, .v-application.theme--dark")
    field = page.locator("[data-parameter=agents] input")
    field.fill("48")
    field.press("Enter")
    page.wait_for_selector("[data-parameter=agents]:not(.changed)")
    page.get_by_role("button", name="Reset", exact=True).click()
    page.wait_for_selector("text=The run stopped", state="hidden")
    page.wait_for_selector(CANVAS)


def test_a_parameter_is_set_by_keyboard_alone(open_page):
    page = open_page()
    until_time(page, 1)
    slider = page.locator("[data-parameter=defect] [role=slider]")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")  # faster than the page answers
    page.wait_for_selector("[data-parameter=defect].changed")
    page.wait_for_function("document.querySelector('[data-parameter=defect] label').innerText.includes('0.15')")
    assert page.locator(PLAY).inner_text().strip() == "Pause"


def test_the_theme_is_switched_and_remembered(open_page, server):
    page = open_page()
    dark = "() => getComputedStyle(document.querySelector('.swarm')).getPropertyValue('--ground').trim() === '#14181d'"
    assert not page.evaluate(dark)
    page.keyboard.press("t")
    page.wait_for_function(dark)
    page.reload()
    page.wait_for_selector(CANVAS)
    page.wait_for_function(dark)
    page.keyboard.press("t")
    page.wait_for_function(f"() => !({dark})()")
    time.sleep(0.5)


def test_a_large_population_is_a_field_of_cells(open_page):
    page = open_page("?scenario=factory&p.agents=5000&p.experts=0")
    page.wait_for_selector(".swarm-field canvas[data-drawn]")
    until_time(page, 1)
    assert page.locator(".swarm-field canvas").get_attribute("data-agents") == "5000"
    assert "5,000 agents are too many to draw one by one" in page.locator(".panel-picture").inner_text()
    paused(page)
    page.locator(".swarm-field canvas").click(position={"x": 200, "y": 200})
    page.wait_for_selector("[data-agent]")


def test_every_control_has_a_name_and_shows_that_it_has_the_focus(open_page):
    page = open_page()
    until_time(page, 1)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.swarm button, .swarm input, .swarm [role=slider], .swarm [role=img]')]
        .filter(e => e.offsetParent !== null && e.type !== 'hidden')
        .filter(e => !(e.innerText || '').trim() && !e.getAttribute('aria-label') && !e.getAttribute('title')
          && !(e.labels && e.labels.length) && !e.closest('.v-input')?.querySelector('label'))
        .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    page.keyboard.press("Tab")
    unseen = page.evaluate(
        """() => [...document.querySelectorAll('.swarm button, .swarm summary, .swarm canvas, .swarm svg[tabindex]')]
        .filter(e => e.offsetParent !== null || e.tagName === 'svg').filter(e => !e.disabled && e.tabIndex >= 0)
        .filter(e => { e.focus(); return getComputedStyle(e).outlineStyle === 'none'; })
        .map(e => e.outerHTML.slice(0, 120))"""
    )
    assert unseen == []
