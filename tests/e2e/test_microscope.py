"""A click on a number of the leaderboard, and what it opens."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, axe_findings, draw_lazy_sections, horizontal_overflow, settled
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
RECALL, SECOND_ROW = 620, 98
"""Place of a cell on the canvas of the leaderboard, in pixels from its upper left corner."""


def test_a_clicked_number_is_taken_apart(
    finished_server: Server, finished_template: Finished, looked_at: Page, look: tuple[int, str]
) -> None:
    page, (width, _) = looked_at, look
    page.goto(f"{finished_server.url}/compare?data={finished_template.data}&run={finished_template.run}")
    expect(page.get_by_role("heading", name="Metric microscope")).to_be_visible()
    settled(page)
    if width > 1000:
        board = page.locator("[data-testid=stDataFrame]").first
        board.scroll_into_view_if_needed()
        board.click(position={"x": RECALL, "y": SECOND_ROW})
        expect(page.get_by_text("Recall@5 of", exact=False)).to_be_visible()
    draw_lazy_sections(page)
    expect(page.get_by_role("heading", name="The same lists in other libraries")).to_be_visible()
    expect(page.get_by_role("heading", name="Best users")).to_be_visible()
    assert horizontal_overflow(page) == 0
    assert axe_findings(page) == []
