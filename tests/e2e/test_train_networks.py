"""Networks trained in a browser: selected with custom settings, monitored, killed, resumed and compared."""

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.store import ResultStore
from tests.e2e.conftest import Server, axe_findings, draw_lazy_sections, horizontal_overflow, settled
from tests.engine.gate import Gate
from tests.engine.support import eventually

pytestmark = pytest.mark.e2e
TRAINING_MS = 120_000
EPOCHS = 12
KEPT = 2
"""The job is held after this epoch, and its process is killed there."""
RECURRENT, LAYERS = "GRU / LSTM / RNN", "NeuMF (MLP)"
CHOSEN_AT_FIRST = {
    "item_knn": "Item kNN",
    "biased_mf": "MF with biases (Funk SVD)",
    "ease": "EASE",
}
BOTH = [f"{LAYERS[:-1]}; scoring function {score})" for score in ("MLP", "dot")]


def clean(page: Page, where: str) -> None:
    assert horizontal_overflow(page) <= 0, where
    assert axe_findings(page) == [], where


def card(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-algorithm_{key}_card")


def tick(page: Page, key: str, title: str) -> None:
    card(page, key).get_by_text(title, exact=True).click()
    settled(page)


def fill(page: Page, prefix: str, name: str, value: int) -> None:
    field = page.locator(f".st-key-algorithm_{prefix}_{name}").get_by_role("spinbutton")
    field.fill(str(value))
    field.press("Enter")
    settled(page)


def open_form(page: Page, key: str) -> None:
    page.locator(f".st-key-algorithm_{key}_open").get_by_role("button").click()
    expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
    settled(page)


def close_form(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    settled(page)


def choose_networks(page: Page) -> None:
    """Select a small recurrent network, and NeuMF with a dot-product model of the same size."""
    order = page.get_by_text("Does order matter in your data?")
    expect(order).to_be_visible()
    first = page.get_by_role("heading", name="Sequential", exact=True)
    assert order.bounding_box()["y"] < first.bounding_box()["y"]  # type: ignore[index]
    for key, title in CHOSEN_AT_FIRST.items():  # which would only take time
        tick(page, key, title)
    tick(page, "rnn", RECURRENT)
    open_form(page, "rnn")
    for name, value in {"max_length": 20, "epochs": EPOCHS, "patience": 0, "batch_size": 64}.items():
        fill(page, "rnn", name, value)
    close_form(page)
    tick(page, "mlp", LAYERS)
    expect(card(page, "mlp").get_by_text("a dot-product model of the same size")).to_be_visible()
    open_form(page, "mlp")
    fill(page, "mlp", "epochs", 1)


def add_a_setting_and_remove_it(page: Page) -> None:
    """In the open form of NeuMF: a second configuration is added and removed."""
    bar = page.locator(".st-key-train_bar")
    expect(bar).to_contain_text("5 models")
    page.get_by_role("button", name="Add another configuration of this model").click()
    expect(page.get_by_test_id("stPopoverBody")).to_contain_text("Configuration 2 is identical to configuration 1")
    fill(page, "mlp_2", "embedding_dim", 16)
    expect(bar).to_contain_text("7 models")
    clean(page, "two settings")
    page.get_by_role("button", name="Delete this configuration").click()
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    expect(bar).to_contain_text("5 models")
    settled(page)
    for title in BOTH:
        expect(card(page, "mlp")).to_contain_text(title)
        expect(bar).to_contain_text(title)
    clean(page, "networks chosen")


def started(page: Page, workspace: Path) -> Run:
    """Start training; return the experiment in the URL."""
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page).to_have_url(re.compile(r"run=[0-9a-f]{16}"), timeout=TRAINING_MS)
    named = re.search(r"run=([0-9a-f]{16})", page.url)
    assert named
    return ResultStore(workspace).open(named[1])


def held(gate: Gate, run: Run, model_id: str) -> JobStatus:
    """Wait until the job is held at the closed gate, and return its status."""
    eventually(gate.arrived, TRAINING_MS / 1000, "the training stands before the gate")
    status = run.status(model_id)
    assert (status.state, status.step) == (JobState.RUNNING, KEPT)
    return status


def test_networks_are_trained_killed_gone_on_with_and_compared(
    gate: Gate, server: Server, page: Page, own_workspace: Path
) -> None:
    gate.close("epochs", KEPT)  # the other networks train for one epoch
    data = Workspace(own_workspace).store(load_sample("small")).fingerprint
    page.goto(f"{server.url}/train?data={data}")
    expect(page.get_by_role("heading", name="2. Models")).to_be_visible()
    draw_lazy_sections(page)
    choose_networks(page)
    add_a_setting_and_remove_it(page)

    run = started(page, own_workspace)
    recurrent = next(one for one in run.model_ids if one.startswith("rnn"))
    row = page.locator(f".st-key-job_{recurrent}")
    expect(row).to_contain_text("running", timeout=TRAINING_MS)
    expect(page.get_by_text(re.compile(r"^loss (is|changed from) \d"))).to_be_visible(timeout=TRAINING_MS)
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    os.kill(held(gate, run, recurrent).pid, signal.SIGKILL)
    expect(row).to_contain_text("was killed from outside", timeout=TRAINING_MS)
    expect(row).to_contain_text(re.compile(r"A checkpoint after \d+ epochs is stored; training resumes from it"))
    assert run.status(recurrent).kept == KEPT
    gate.open()
    row.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("5 models: 5 done")).to_be_visible(timeout=TRAINING_MS)
    assert run.status(recurrent).resumed == KEPT
    history = run.history(recurrent)
    assert list(history["step"]) == list(range(1, EPOCHS + 1))
    for title in (RECURRENT, *BOTH):
        expect(page.get_by_text(title, exact=True).first).to_be_visible()
    settled(page)
    clean(page, "trained")

    page.get_by_role("button", name="Open the comparison").click()
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=TRAINING_MS)
    settled(page)
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    expect(page.get_by_role("heading", name="Configurations of the same model")).to_be_visible()
    expect(page.get_by_text(re.compile(r"a difference of .* users\)"))).to_be_visible()
    clean(page, "compared")
    with page.expect_download() as taken:  # the cells are painted on a canvas and cannot be read
        page.get_by_role("button", name="Leaderboard (CSV)").click()
    board = Path(taken.value.path()).read_text(encoding="utf-8")
    assert all(title in board for title in BOTH)
