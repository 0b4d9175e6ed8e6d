"""The page in a real browser: it opens alive, plays, pauses, steps, resets, and keeps what was changed."""

from steps import PLAY, number, paused, until_reset, until_time


def test_it_opens_with_a_running_world_that_pauses_steps_and_plays_by_button_and_key(open_page):
    page = open_page()
    until_time(page, 3)
    assert "neighbour" in page.locator(".rule").inner_text()
    assert number(page, "events") > 0
    here = paused(page)
    # Nothing is drawn while time stands still; a round of the server tells that nothing was under way either.
    page.keyboard.press("?")
    page.wait_for_selector("text=What to notice")
    page.keyboard.press("?")
    page.wait_for_selector("text=What to notice", state="hidden")
    assert number(page, "time") == here
    page.get_by_role("button", name="Step", exact=True).click()
    until_time(page, here + 0.5)
    page.keyboard.press("ArrowRight")
    until_time(page, here + 1.5)
    assert number(page, "time") - here <= 2.01
    page.keyboard.press(" ")
    until_time(page, here + 3)
    page.locator(PLAY).click()
    page.keyboard.press("r")
    until_reset(page)


def test_changed_values_survive_two_resets(open_page):
    page = open_page()
    field = page.locator("[data-parameter=patience] input")
    field.fill("4")
    field.press("Enter")
    page.wait_for_selector("[data-parameter=patience].changed")
    for _ in range(2):
        until_time(page, 4)
        # A moving world may be past any small number before the first look at it: reset while time stands still.
        paused(page)
        page.get_by_role("button", name="Reset", exact=True).click()
        until_reset(page)
        page.locator(PLAY).click()
    assert field.input_value() == "4"
    assert page.locator("[data-parameter=patience].changed").count() == 1
    assert page.get_by_label("Seed").input_value() == "0"


def test_fields_take_keys_for_themselves_and_a_refused_value_is_answered(open_page):
    page = open_page()
    field = page.locator("[data-parameter=patience] input")
    field.click()
    page.keyboard.type("r n?")
    assert page.locator("text=What to notice").count() == 0
    assert page.get_by_label("Seed").input_value() == "0"
    page.keyboard.press("Escape")
    field.fill("-3")
    field.press("Enter")
    page.wait_for_selector(".trouble")
    assert "'patience' expects a whole number of at least 0" in page.locator(".trouble").inner_text()
    assert page.locator("[data-parameter=patience].changed").count() == 0


def test_tabs_have_worlds_of_their_own(open_page, server):
    page = open_page()
    until_time(page, 2)
    here = paused(page)
    other = page.context.new_page()
    other.goto(server.url + "?scenario=naming&seed=5")
    other.wait_for_selector(".swarm-graph canvas[data-drawn]")
    assert other.get_by_label("Seed").input_value() == "5"
    until_time(other, 2)
    assert number(page, "time") == here
    assert page.get_by_label("Seed").input_value() == "0"
    other.close()


def test_a_link_that_cannot_be_followed_says_so_and_what_it_carries_is_never_run(open_page):
    page = open_page("?scenario=factory&p.agents=minus&seed=1")
    page.wait_for_selector(".trouble")
    assert "parameter 'agents' expects" in page.locator(".trouble").inner_text()
    until_time(page, 1)
    page = open_page("?scenario=%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D'run'%22%3E")
    page.wait_for_selector(".trouble")
    assert "<img" in page.locator(".trouble").inner_text()
    assert page.locator(".trouble img").count() == 0
    assert page.title() != "run"
