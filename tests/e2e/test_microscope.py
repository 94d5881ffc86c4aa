"""A click on a number of the leaderboard puts it under the microscope."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE_MS, Server, settled
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
RECALL, SECOND_ROW = 620, 98
"""Place of a cell on the canvas of the leaderboard, in pixels from its upper left corner."""


def test_a_clicked_number_is_taken_apart(finished_server: Server, finished_template: Finished, page: Page) -> None:
    page.goto(f"{finished_server.url}/compare?{urlencode(finished_template.address())}")
    heading = page.get_by_role("heading", name="Metric microscope")
    expect(heading).to_be_visible(timeout=3 * PATIENCE_MS)  # the first request loads pandas and plotly
    settled(page)
    board = page.locator("[data-testid=stDataFrame]").first
    board.scroll_into_view_if_needed()
    board.click(position={"x": RECALL, "y": SECOND_ROW})
    expect(page.get_by_text("Recall@5 of")).to_be_visible()
    expect(page.get_by_role("heading", name="The same lists in other libraries")).to_be_visible()
