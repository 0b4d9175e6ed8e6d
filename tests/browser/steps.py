"""What a person does on the page and reads off it."""

import re

PLAY = "[data-role=play]"


def number(page, name):
    """A figure of the run as the page shows it: the first number in the text."""
    text = page.locator(f"[data-number={name}] b").inner_text()
    return float(re.search(r"-?[\d,.]+", text).group().replace(",", ""))


def paused(page):
    """Make sure that time stands still; returns the time shown."""
    if page.locator(PLAY).inner_text().strip() == "Pause":
        page.locator(PLAY).click()
    page.wait_for_function("document.querySelector('[data-number=speed] b').innerText === 'paused'")
    return number(page, "time")


def until_time(page, least):
    """Wait until the run has reached a time."""
    page.wait_for_function(
        "least => parseFloat(document.querySelector('[data-number=time] b').innerText.replace(',', '')) >= least",
        arg=least,
    )


def until_reset(page):
    """Wait until a world that stands still is at time 0 again."""
    page.wait_for_function("parseFloat(document.querySelector('[data-number=time] b').innerText) === 0")


def choose(page, label, option):
    """Choose from a list by its label."""
    page.get_by_label(label, exact=False).first.click(force=True)
    page.locator(".menuable__content__active .v-list-item").get_by_text(option, exact=True).click()
