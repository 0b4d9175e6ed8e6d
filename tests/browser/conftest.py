"""A real server of the page and a real browser; both are skipped, with the reason, where there is no Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from experiments.run import run

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 180_000  # milliseconds for any one thing to happen on a machine that is busy with others
ROOT = Path(__file__).resolve().parents[2]


def chromium():
    return next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)


def chromium_or_skip():
    path = chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: the page is not tested in a browser here")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """``swarmscope ui`` in a folder of its own."""

    def __init__(self, folder, *arguments, environment=None):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.out = (folder / "server.log").open("wb")
        words = [sys.executable, "-m", "experiments.cli", "ui", *arguments, "--port", str(self.port), "--no-open"]
        around = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.process = subprocess.Popen(words, cwd=folder, env=around, stdout=self.out, stderr=subprocess.STDOUT)
        self._await()

    def _await(self, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.said()
            try:
                urllib.request.urlopen(self.url, timeout=10).read()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"the server did not answer within {seconds} s: {self.said()}")

    def said(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.out.close()


# Playwright keeps an event loop running in this thread until its driver ends: no test after these may find one.
@pytest.fixture(scope="module")
def browser():
    path = chromium_or_skip()
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for all tests; each test has a tab, and so a session, of its own."""
    chromium_or_skip()
    made = Server(tmp_path_factory.mktemp("page"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with one run in its folder of runs, in which a server can be started."""
    folder = tmp_path_factory.mktemp("with-a-run")
    run("factory", changes={"agents": 16}, until=120, out=folder / "runs", detectors=["teams"])
    return folder


@pytest.fixture
def page(browser, server):
    """A fresh tab that remembers nothing; at its end no other machine was asked and the console holds nothing bad."""
    window = browser.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    tab = window.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.strange, tab.complaints = [], []
    tab.on("request", lambda r: None if is_ours(r.url, server.url) else tab.strange.append(r.url))
    tab.on("console", lambda m: tab.complaints.append(m.text) if m.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda e: tab.complaints.append(str(e)))
    yield tab
    # What a tab says because it is closed in the middle of something is nobody's trouble.
    strange, complaints = list(tab.strange), list(tab.complaints)
    window.close()
    assert strange == []
    assert complaints == []


def is_ours(url, base):
    return url.startswith((base, "data:", "blob:", base.replace("http", "ws", 1)))


@pytest.fixture
def open_page(page, server):
    """Open the page with a query; returns the tab once something is drawn."""

    def opened(query="", *, drawn=True):
        page.goto(server.url + query)
        page.wait_for_selector("[data-page=swarmscope]")
        if drawn:
            page.wait_for_selector(".swarm-graph canvas[data-drawn], .swarm-field canvas[data-drawn]")
        return page

    return opened
