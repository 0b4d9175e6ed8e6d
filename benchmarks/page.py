"""The page in a headless browser: first paint, pause, pictures a second, a million agents, memory over resets.

Run it with the machine otherwise idle: ``uv run python -m benchmarks.page [--resets 50] [--large 1000000]``. It starts a
server of its own and prints one line a target; the load of the machine is printed too, for figures mean little without.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PAUSE = """() => new Promise(done => {
  const button = document.querySelector('[data-role=play]'), began = performance.now();
  const speed = () => document.querySelector('[data-number=speed] b')?.innerText;
  const watch = setInterval(() => { if (speed() === 'paused') { clearInterval(watch); done(performance.now() - began); } }, 2);
  button.click();
})"""
CANVAS = ".swarm-graph canvas[data-drawn], .swarm-field canvas[data-drawn]"


def server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "experiments.cli", "ui", "--port", str(port), "--no-open"]
    around = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    made = subprocess.Popen(words, cwd=folder, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).read()
            return made, url
        except OSError:
            time.sleep(0.2)


def memory(pid: int) -> float:
    """Resident megabytes of the server."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def pictures(page, seconds=6.0):
    read = "() => +document.querySelector('.swarm-graph canvas, .swarm-field canvas').dataset.drawn"
    before, began = page.evaluate(read), time.perf_counter()
    time.sleep(seconds)
    return (page.evaluate(read) - before) / (time.perf_counter() - began)


def pauses(page, count=8):
    made = []
    for _ in range(count):
        made.append(page.evaluate(PAUSE))
        page.locator("[data-role=play]").click()
        time.sleep(0.6)
    return made


def told(name, value, target, met):
    print(
        json.dumps({"target": name, "reached": value, "wanted": target, "met": met, "load": os.getloadavg()[0]}),
        flush=True,
    )


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--resets", type=int, default=50)
    ask.add_argument("--large", type=int, default=1_000_000)
    ask.add_argument(
        "--minutes", type=float, default=0.0, help="play that long at 300 time/s, and measure nothing but memory"
    )
    given = ask.parse_args()
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        sys.exit("benchmarks.page: no Chromium on this machine.")
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        process, url = server(Path(place))
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            (playing if given.minutes else measured)(browser, url, process.pid, given)
        finally:
            browser.close()
            process.terminate()
            process.wait()


def opening(browser, url, query=""):
    """A page that shows a running world, and the seconds that took."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(300_000)
    began = time.perf_counter()
    page.goto(url + query, wait_until="commit")
    page.wait_for_selector(CANVAS)
    return page, time.perf_counter() - began


def playing(browser, url, pid, given):
    """Memory of the server, of the process that looks for structures, and of the tab, every minute of playing on and on."""
    page, _ = opening(browser, url)
    page.locator(".speed .v-select__slot").click()
    page.locator(".v-list-item", has_text="300").first.click()
    inside = page.context.new_cdp_session(page)
    began, minute, early = time.monotonic(), 0, 0.0
    while minute < given.minutes:
        time.sleep(1.0)
        if page.evaluate("() => document.querySelector('[data-number=speed] b')?.innerText") == "paused":
            page.locator("[data-role=play]").click()  # the end is reached: play on
        if time.monotonic() - began < 60 * (minute + 1):
            continue
        minute += 1
        heap = inside.send("Runtime.getHeapUsage")["usedSize"] / 2**20
        nodes = page.evaluate("() => document.querySelectorAll('*').length")
        late = memory(pid)
        events = page.locator("[data-number=events] b").inner_text()
        others = [round(memory(child)) for child in children(pid)]
        row = {
            "minute": minute,
            "server": round(late),
            "others": others,
            "tab": round(heap),
            "nodes": nodes,
            "events": events,
        }
        print(json.dumps(row), flush=True)
        if minute == max(1, round(given.minutes / 3)):
            early = late
    told(f"memory over {minute} minutes, from a third of them on", f"{early:.0f} to {late:.0f} MB", "within 10 %",
         late <= 1.1 * early)  # fmt: skip


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def measured(browser, url, pid, given):
    def opened(query=""):
        return opening(browser, url, query)

    opened()[0].context.close()  # warm
    times = []
    for _ in range(5):
        page, took = opened()
        times.append(took)
        page.context.close()
    told("a running world is drawn", round(statistics.median(times), 2), "2 s", statistics.median(times) <= 2)

    page, _ = opened()
    waits = pauses(page)
    told("pause acts", [round(w) for w in waits], "100 ms", max(waits) <= 100)
    thousand, _ = opened("?scenario=factory&p.agents=1000&p.experts=0")
    page.context.close()
    rate = pictures(thousand)
    told("pictures a second, 1,000 agents", round(rate, 1), "10", rate >= 9.5)
    waits = pauses(thousand, 4)
    told("pause acts, 1,000 agents", [round(w) for w in waits], "100 ms", max(waits) <= 100)
    thousand.context.close()

    flat(opened, pid, given.resets)
    if given.large:
        large, took = opened(f"?scenario=factory&p.agents={given.large}&p.experts=0&p.rate={given.large / 2}")
        told(f"{given.large:,} agents are drawn", round(took, 1), "usable", True)
        rate = pictures(large, 10.0)
        told(f"pictures a second, {given.large:,} agents", round(rate, 1), "usable", rate > 1)
        waits = pauses(large, 3)
        told(f"pause acts, {given.large:,} agents", [round(w) for w in waits], "100 ms", max(waits) <= 100)


def flat(opened, pid, resets):
    """Memory after a tenth of the resets and at their end, playing between them as fast as it goes."""
    page, _ = opened()
    early = 0.0
    for k in range(resets):
        page.locator("[data-key=r]").click()
        time.sleep(2.0)
        if k == max(resets // 5, 3):
            early = memory(pid)
    late = memory(pid)
    told(f"memory over {resets} resets", f"{early:.0f} to {late:.0f} MB", "within 10 %", late <= 1.1 * early)
    page.context.close()


if __name__ == "__main__":
    main()
