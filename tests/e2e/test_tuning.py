"""A tuning in a browser: started, watched, cancelled and resumed; then its models are trained and compared."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, axe_findings, horizontal_overflow, settled
from tests.engine.gate import Gate
from tests.engine.support import eventually
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
TUNING_MS = 120_000
TRIALS = 2


@pytest.fixture
def data(finished_template: Finished, own_workspace: Path) -> str:
    """The workspace with one data set, before engine and server start."""
    shutil.copytree(finished_template.root / "datasets", own_workspace / "datasets")
    return finished_template.data


def test_a_tuning_is_watched_cancelled_resumed_and_evaluated_once(
    data: str, gate: Gate, server: Server, page: Page
) -> None:
    gate.close("epochs", 2)
    page.goto(f"{server.url}/train?data={data}")
    number = page.locator(".st-key-tuning_trials").get_by_role("spinbutton")
    number.fill(str(TRIALS), timeout=TUNING_MS)  # before the page has settled, and not yet confirmed
    page.get_by_role("heading", name="Neural", exact=True).scroll_into_view_if_needed()
    expect(page.locator(".st-key-algorithm_mult_vae_card")).to_be_visible()  # the list above has grown
    settled(page)
    expect(number).to_have_value(str(TRIALS))
    number.press("Enter")
    settled(page)
    expect(number).to_have_value(str(TRIALS))
    page.get_by_role("button", name="Start tuning").click()
    expect(page.get_by_role("heading", name="Current tuning")).to_be_visible()
    eventually(gate.arrived, what="MF stands before the gate")
    expect(page.get_by_text("3 models:")).to_contain_text("1 running")
    expect(page.get_by_text("so far:").first).to_be_visible(timeout=TUNING_MS)
    expect(page.locator(".st-key-tuning_curve .js-plotly-plot")).to_be_visible()
    page.get_by_role("button", name="Cancel tuning").click()
    expect(page.get_by_role("heading", name="Latest tuning")).to_be_visible(timeout=TUNING_MS)
    expect(page.get_by_text("3 models:")).to_contain_text("cancelled")
    gate.open()
    page.get_by_role("button", name="Resume tuning").click()
    expect(page.get_by_text("3 models: 3 done")).to_be_visible(timeout=TUNING_MS)
    settled(page)
    assert horizontal_overflow(page) <= 0
    assert axe_findings(page) == []
    page.get_by_role("button", name="Train the tuned models").click()
    expect(page.get_by_role("button", name="Open the comparison")).to_be_visible(timeout=TUNING_MS)
    expect(page.get_by_text("5 models: 5 done")).to_be_visible(timeout=TUNING_MS)
    page.get_by_role("button", name="Open the comparison").click()
    board = page.get_by_role("table", name="Leaderboard")
    expect(board.get_by_role("columnheader", name="Tuning")).to_be_visible(timeout=TUNING_MS)
    expect(board).to_contain_text(f"{TRIALS} trials")
    expect(board).to_contain_text("nothing to tune")
