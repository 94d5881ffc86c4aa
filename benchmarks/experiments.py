"""The page Experiments with 1,000 runs: time from opening its URL until the table is drawn, and reading the list."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from benchmarks.pages import served, switch
from benchmarks.table import Row
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import SPEC, SUMMARY
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from tests.e2e.conftest import FLAGS, Server, chromium, settled

RUNS = 1_000
PAGE_SECONDS, LIST_SECONDS = 1.0, 0.5
REPEATS = 9
DRAWN = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  return document.querySelector("[data-testid=stMain] [data-testid=stDataFrame] canvas")
    && document.body.innerText.includes("1,000 experiments") && app.dataset.testScriptState === "notRunning";
}"""
"""Condition checked in each frame: the table of all runs is drawn and the script has ended."""


def run() -> list[Row]:
    """Measure reading the list and opening the page, on the same workspace."""
    with served() as (server, _), sync_playwright() as playwright:
        make_runs(server.workspace)
        store = ResultStore(server.workspace)
        store.runs()  # the index is written when a run is listed for the first time
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            return [reading(store), opening(browser, server)]
        finally:
            browser.close()


def make_runs(root: Path) -> None:
    """Train one experiment and copy it under other seeds, as if it had been trained with each."""
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(load_sample("tiny"))
    models = [{"key": key} for key in ("ease", "item_knn", "bias")]
    spec = ExperimentSpec.model_validate({"data": data.fingerprint, "models": models})
    first = store.create(spec, data.name)
    for model_id in first.model_ids:
        execute(store, first.id, model_id, workspace, 1)
    for number in range(1, RUNS):
        again = spec.model_copy(update={"seed": spec.seed + number})
        folder = store.folder / again.id
        shutil.copytree(first.path, folder, copy_function=os.link)
        summary = {"name": f"Run {number}", "data_name": data.name, "created": time.time() - 600 * number}
        for name, record in ((SPEC, again.model_dump(mode="json")), (SUMMARY, summary)):
            (folder / name).unlink()  # a link to the file of the first run
            (folder / name).write_text(json.dumps(record), encoding="utf-8")


def reading(store: ResultStore) -> Row:
    """Time to read the list, after nothing has changed."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        assert len(store.runs()) == RUNS
        times.append(time.perf_counter() - began)
    seconds = float(np.median(times))
    measured = f"{seconds:.2f} s (median of {REPEATS})"
    return Row(f"list of {RUNS:,} runs read", f"under {LIST_SECONDS:g} s", measured, seconds < LIST_SECONDS)


def opening(browser: Browser, server: Server) -> Row:
    """Time from a click in the sidebar to the drawn page; and, for comparison, from opening its URL in a new tab."""
    tabs = [_open(browser, server) for _ in range(REPEATS + 1)]
    page = browser.contexts[0].new_page()
    page.goto(server.url)
    settled(page)
    switch(page, "Experiments")  # the first visit fills caches
    times = []
    for _ in range(REPEATS):
        switch(page, "Data")
        times.append(switch(page, "Experiments"))
    seconds = float(np.median(times))
    measured = (
        f"{seconds:.2f} s from the sidebar (median of {REPEATS}); URL in a new tab, with Streamlit's scripts, until "
        f"the table is drawn: {np.median(tabs[1:]):.2f} s, the first one after the start of the server {tabs[0]:.2f} s"
    )
    what = f"Experiments page with {RUNS:,} runs, first content"
    return Row(what, f"under {PAGE_SECONDS:g} s", measured, seconds < PAGE_SECONDS)


def _open(browser: Browser, server: Server) -> float:
    """Return the seconds until the table is drawn; the browser has the app's scripts in its cache."""
    page = browser.contexts[0].new_page() if browser.contexts else browser.new_context().new_page()
    began = time.perf_counter()
    page.goto(f"{server.url}/experiments", wait_until="commit")
    page.wait_for_function(DRAWN, timeout=120_000)
    seconds = time.perf_counter() - began
    page.close()
    return seconds
