"""A click on a number of the leaderboard puts it under the microscope."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE_MS, Server, settled
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e


def test_a_clicked_number_is_taken_apart(finished_server: Server, finished_template: Finished, page: Page) -> None:
    page.goto(f"{finished_server.url}/compare?{urlencode(finished_template.address())}")
    heading = page.get_by_role("heading", name="Metric microscope")
    expect(heading).to_be_visible(timeout=3 * PATIENCE_MS)  # the first request loads pandas and plotly
    settled(page)
    board = page.get_by_role("table", name="Leaderboard")
    board.get_by_role("button", name="Recall@5:").nth(1).click()
    expect(page.get_by_text("Recall@5 of")).to_be_visible()
    expect(page.get_by_role("heading", name="The same lists in other libraries")).to_be_visible()


def test_the_leaderboard_is_sorted_and_selected_by_keyboard_and_can_be_left(
    finished_server: Server, finished_template: Finished, page: Page
) -> None:
    page.goto(f"{finished_server.url}/compare?{urlencode(finished_template.address())}")
    board = page.get_by_role("table", name="Leaderboard")
    names = board.locator("tbody th")
    expect(names).to_have_count(5, timeout=3 * PATIENCE_MS)
    settled(page)
    best_first = names.all_inner_texts()
    head = board.get_by_role("button", name="NDCG@5", exact=True)
    head.focus()
    page.keyboard.press("Enter")
    board.get_by_role("button", name="NDCG@5 ↓").focus()
    page.keyboard.press("Enter")
    expect(board.locator("thead th").nth(3)).to_have_attribute("aria-sort", "ascending")
    assert names.all_inner_texts() == best_first[::-1]
    board.get_by_role("checkbox").first.focus()
    page.keyboard.press("Space")
    settled(page)
    expect(board.locator("tr.selected th")).to_have_text([best_first[-1]])
    board.get_by_role("button").last.focus()
    page.keyboard.press("Tab")
    expect(board.locator(":focus")).to_have_count(0)
