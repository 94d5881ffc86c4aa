"""The first request to a new server, at each page's own URL, shows the whole frame."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.ui.navigation import PAGES
from tests.e2e.conftest import Server, clean_in_every_look, settled, watched

pytestmark = pytest.mark.e2e
PRESENT = [info for info in PAGES if info.path.is_file()]


@pytest.mark.parametrize("address", ["", "train", "learn"])  # tests/unit/test_page_scripts.py looks at all pages
def test_the_first_request_to_a_fresh_server_shows_the_whole_frame(
    start: Callable[[], Server], browser: Browser, address: str
) -> None:
    """Streamlit would run `pages/x.py` alone: without our navigation titles and sidebar."""
    server = start()
    with watched(browser) as page:
        page.goto(f"{server.url}/{address}")
        settled(page)
        sidebar = page.get_by_test_id("stSidebar")
        for info in PRESENT:
            expect(sidebar.get_by_role("link", name=info.title, exact=True)).to_have_count(1)
        expect(sidebar.get_by_text("No data set selected")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_every_page_is_clean_without_data_in_every_look(empty_server: Server, page: Page) -> None:
    """No serious finding of axe and no horizontal overflow, in both widths and schemes, with an empty workspace."""
    for info in PRESENT:
        page.goto(f"{empty_server.url}/{'' if info.key == 'home' else info.key}")
        settled(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        clean_in_every_look(page, info.key)
