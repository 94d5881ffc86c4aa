"""From a shop's export to a verdict on purchases: no correction by hand, six models, three trainings each."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, choose, draw_lazy_sections, settled
from tests.e2e.test_files import FILES, check

pytestmark = pytest.mark.e2e
TRAINING_MS = 120_000


def test_a_shop_gets_a_verdict_on_purchases_and_a_report(server: Server, page: Page) -> None:
    check(server, page, FILES / "shop" / "shop_export.csv")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("'shop_export' is stored.")).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Train").click()
    expect(page.get_by_text("'purchase' is predicted")).to_be_visible()
    choose(page, "protocol_split", "Train/test split", "Global time")
    expect(page.locator(".st-key-leaks")).to_contain_text("42 test users. 38 of them have no training history")
    trainings = page.locator(".st-key-question_seeds").get_by_role("spinbutton")
    trainings.fill("3")
    trainings.press("Enter")
    settled(page)
    draw_lazy_sections(page)
    page.get_by_role("button", name="Strong baselines").click()
    settled(page)
    page.locator(".st-key-algorithm_lfm_use").get_by_text("Topic LFM").click()
    expect(page.locator(".st-key-train_bar")).to_contain_text("9 models")
    settled(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("9 models: 9 done")).to_be_visible(timeout=TRAINING_MS)
    page.get_by_role("button", name="Open the comparison").click()
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=TRAINING_MS)
    settled(page)
    text = page.get_by_test_id("stMain").inner_text()
    assert "NDCG" in text
    assert "4 test users with training history" in text or "4 users" in text
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    report = Path(download.value.path()).read_text(encoding="utf-8")
    assert "purchase" in report
    assert len(report) < 6_000_000
