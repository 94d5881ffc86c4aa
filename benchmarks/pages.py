"""Response times of the app: first page, page switch while both cores train, and one click to a comparison.

The app is started as by `make run`, on a new workspace, and driven in the system's Chromium.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.table import Row
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.experiments.spec import ExperimentSpec
from tests.e2e.conftest import FLAGS, ROOT, Server, chromium, settled, start_server
from tests.family import end_family

SWITCHES = 50
FIRST_PAGE_SECONDS, SWITCH_SECONDS, CLICK_SECONDS = 2.0, 0.5, 15.0
REPEATS = 5
PAGES = ("Home", "Data", "Explore", "Train", "Compare", "Recommend")
TITLES = {"Home": "Recscope"}
USABLE = """() => {
  const button = document.querySelector(".st-key-door_now button");
  const app = document.querySelector("[data-testid=stApp]");
  return button && !button.disabled && app.dataset.testScriptState === "notRunning";
}"""
"""Condition checked in each frame: the button on Home is enabled and the script has ended."""
MINIMAL_APP = 'import streamlit as st\nst.container(key="door_now").button("Run")\n'
"""A minimal Streamlit page, whose load time is a lower bound for any other."""
SWITCH = """(link, title) => new Promise(resolve => {
  const began = performance.now();
  const look = () => {
    const heading = document.querySelector("[data-testid=stMain] h1");
    const app = document.querySelector("[data-testid=stApp]");
    const stands = heading?.innerText.trim() === title && heading.checkVisibility()
      && app.dataset.testScriptState === "notRunning" && !app.querySelector("[data-stale=true]");
    if (stands) resolve(performance.now() - began); else requestAnimationFrame(look);
  };
  link.click();
  requestAnimationFrame(look);
})"""
"""Clicks a link and returns the milliseconds until the page with this title is visible and its script has ended."""
PAUSE_SECONDS = 1.0
"""Pause between two page switches."""
LONG = {"epochs": 1000, "factors": 2000}
TRAININGS = 16
"""Number of long training jobs; enough to keep every core busy until the last switch."""
SATURATED_PERCENT = 90.0
"""Minimum CPU load of each core; below it, the measurement is invalid."""


def run() -> list[Row]:
    """Run the three measurements."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            return [first_page(browser), one_click(browser), page_switch(browser)]
        finally:
            browser.close()


@contextmanager
def served(app: Path = ROOT) -> Iterator[tuple[Server, float]]:
    """Serve the app in a folder on a new workspace; yield the server and the start time of its process."""
    folder = Path(tempfile.mkdtemp(prefix="recscope-bench-"))
    workspace = folder / "workspace"
    os.environ["RECSCOPE_WORKSPACE"] = str(workspace)
    began = time.perf_counter()
    server = start_server(workspace, folder / "server.log", folder=app)
    try:
        yield server, began
    finally:
        server.kill()
        end_family(workspace)
        shutil.rmtree(folder)


def first_page(browser: Browser) -> Row:
    """Time from the start of the server process to a usable Home page; the median of several cold starts.

    Alternates with a minimal Streamlit page of one button.
    """
    with tempfile.TemporaryDirectory() as folder:
        minimal = Path(folder)
        (minimal / "app.py").write_text(MINIMAL_APP)
        shutil.copytree(ROOT / ".streamlit", minimal / ".streamlit")
        both = [(_cold_start(browser, ROOT), _cold_start(browser, minimal)) for _ in range(REPEATS)]
    seconds, lower_bound = (float(np.median([times[which][0] for times in both])) for which in (0, 1))
    torch_is_loaded = any(loaded for (_, loaded), _ in both)
    measured = (
        f"{seconds:.2f} s (median of {REPEATS}; minimal Streamlit page {lower_bound:.2f} s); torch "
        f"{'loaded' if torch_is_loaded else 'not loaded'}"
    )
    reached = seconds < FIRST_PAGE_SECONDS and not torch_is_loaded
    return Row("first page usable after `streamlit run`, cold", f"under {FIRST_PAGE_SECONDS:g} s", measured, reached)


def _cold_start(browser: Browser, app: Path) -> tuple[float, bool]:
    """Return the seconds from the start of the server to a usable page, and whether torch was loaded."""
    page = browser.new_page()  # users have a running browser, without the app in its cache
    with served(app) as (server, began):
        page.goto(server.url, wait_until="commit")
        page.wait_for_function(USABLE)
        seconds = time.perf_counter() - began
        loaded = any("libtorch" in part.path for part in psutil.Process(server.process.pid).memory_maps())
    page.close()
    return seconds, loaded


def one_click(browser: Browser) -> Row:
    """Time from the click on Home to a leaderboard of four models, including the start of the engine."""
    with served() as (server, _):
        page = browser.new_page()
        page.goto(server.url)
        settled(page)
        began = time.perf_counter()
        page.get_by_role("button", name="Run the comparison").click()
        expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=120_000)
        seconds = time.perf_counter() - began
        page.close()
    what = "one click on a sample on Home to a leaderboard of four models"
    return Row(
        what, f"under {CLICK_SECONDS:g} s", f"{seconds:.1f} s, engine started by the click", seconds < CLICK_SECONDS
    )


def page_switch(browser: Browser) -> Row:
    """Time 50 switches between pages while training jobs keep every core busy."""
    os.environ["RECSCOPE_JOBS"] = str(psutil.cpu_count())
    with served() as (server, _):
        address = start_trainings(server)
        page = browser.new_page()
        page.goto(f"{server.url}/?{address}")
        for name in PAGES:  # the first visit of a page compiles and fills caches
            switch(page, name)
        psutil.cpu_percent(percpu=True)
        times = [switch(page, PAGES[number % len(PAGES)]) for number in range(SWITCHES)]
        busy = psutil.cpu_percent(percpu=True)
        page.close()
    p95, saturated = float(np.percentile(times, 95)), min(busy) >= SATURATED_PERCENT
    measured = f"p95 {p95:.2f} s, median {np.median(times):.2f} s; every core {min(busy):.0f} % busy or more"
    return Row(
        f"page switch while training saturates both cores, {SWITCHES} switches",
        f"p95 under {SWITCH_SECONDS:g} s",
        measured,
        p95 < SWITCH_SECONDS and saturated,
    )


def start_trainings(server: Server) -> str:
    """Finish one experiment, then keep every core busy; return the URL query of the finished one."""
    dataset = Workspace(server.workspace).store(load_sample("small"))
    engine = Engine(server.workspace)
    finished = engine.submit(ExperimentSpec.model_validate({"data": dataset.fingerprint, "models": [{"key": "ease"}]}))
    wait_until(lambda: all(not job.is_live for job in engine.status(finished)))
    rates = [0.001 * number for number in range(1, TRAININGS + 1)]
    long = [{"key": "biased_mf", "config": LONG | {"learning_rate": rate}} for rate in rates]
    busy = engine.submit(ExperimentSpec.model_validate({"data": dataset.fingerprint, "models": long}))
    cores = psutil.cpu_count()
    wait_until(lambda: sum(str(job.state) == "RUNNING" and job.step > 0 for job in engine.status(busy)) == cores)
    return f"data={dataset.fingerprint}&run={finished}"


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("The engine did not finish in time; see its log in the workspace.")
        time.sleep(0.2)


def switch(page: Page, name: str) -> float:
    """Open a page from the sidebar; return the seconds until its title was visible and its script had ended."""
    link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True)
    milliseconds: float = link.evaluate(SWITCH, TITLES.get(name, name))
    page.wait_for_timeout(PAUSE_SECONDS * 1000)
    return milliseconds / 1000
