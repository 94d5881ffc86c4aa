"""The main workflow: from messy files to a downloadable report, in one browser session."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, choose, draw_lazy_sections, settled
from tests.engine.gate import Gate
from tests.fixtures.messy import BAD_ROWS, write_messy

pytestmark = pytest.mark.e2e
TRAINING_MS = 90_000


def bring_messy_files(page: Page, server: Server, folder: Path) -> None:
    """Upload both files, assign the title column, and store them."""
    page.goto(f"{server.url}/data")
    settled(page)
    page.locator("input[type=file]").set_input_files([str(path) for path in write_messy(folder)])
    page.get_by_role("button", name="Check these files").click()
    counts = page.locator(".st-key-check_counts")
    expect(counts).to_contain_text(str(len(BAD_ROWS)))
    choose(page, "role_", "译名", "title")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("is stored")).to_be_visible()
    expect(page).to_have_url(re.compile(r"data=\w+"))
    expect(page.get_by_text("Median per user")).to_be_visible()
    settled(page)


def train_four_and_cancel_one(page: Page) -> None:
    """Start four models, one of them held in its first epoch; refresh the page meanwhile; cancel that one."""
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    draw_lazy_sections(page)
    card = page.locator(".st-key-algorithm_user_knn_card")
    card.get_by_text("User kNN").click()
    settled(page)
    page.get_by_role("button", name="Train", exact=True).click()
    long_one = page.locator("[class*='st-key-job_biased_mf']")
    expect(long_one).to_be_visible()
    page.reload()
    expect(long_one).to_contain_text("running", timeout=TRAINING_MS)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("1 running", timeout=TRAINING_MS)  # without a click
    long_one.get_by_role("button", name="Cancel").click()
    expect(long_one).to_contain_text("cancelled", timeout=TRAINING_MS)
    expect(page.get_by_text("5 done, 1 cancelled")).to_be_visible(timeout=TRAINING_MS)


def read_the_comparison(page: Page) -> None:
    """See the leaderboard, open one user, and find a Chinese title in the user's history or lists."""
    page.get_by_role("button", name="Open the comparison").click()
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=TRAINING_MS)
    settled(page)
    expect(page.get_by_text(re.compile(r"leads on NDCG"))).to_be_visible()
    draw_lazy_sections(page)
    user = page.locator(".st-key-people_user").get_by_role("textbox")
    user.fill("m7")
    user.press("Enter")
    expect(page.get_by_role("heading", name="User m7")).to_be_visible()
    expect(page.locator("[class*=st-key-list_]").first).to_contain_text("家的")
    expect(page).to_have_url(re.compile(r"user=m7"))


def download_the_report(page: Page) -> str:
    """Return the text of the downloaded report."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    return Path(download.value.path()).read_text(encoding="utf-8")


@pytest.mark.usefixtures("warm")
def test_from_messy_files_to_a_report(gate: Gate, server: Server, page: Page, tmp_path: Path) -> None:
    gate.close("epochs")
    bring_messy_files(page, server, tmp_path)
    train_four_and_cancel_one(page)
    read_the_comparison(page)
    report = download_the_report(page)
    assert "EASE" in report
    assert "http-equiv" in report or "<html" in report
    assert 'src="http' not in report
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_role("heading", name="User m7")).to_be_visible(timeout=TRAINING_MS)
