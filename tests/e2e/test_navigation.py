"""Navigation works whatever the previous page still sends before the browser has received the new one."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Server, settled, watched
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
LAG = """const listen = WebSocket.prototype.addEventListener;
WebSocket.prototype.addEventListener = function (kind, heard, ...rest) {
  const late = message => window.lag ? setTimeout(() => heard(message), window.lag) : heard(message);
  return listen.call(this, kind, kind === "message" ? late : heard, ...rest);
};"""
"""Delays the server's messages to the browser by `lag` milliseconds; a smaller lag would change the order."""
LAG_MS = 700


@pytest.fixture
def train(finished_template: Finished, finished_server: Server, browser: Browser) -> Iterator[Page]:
    """Train, with a finished job and lazy sections further down that are not drawn yet."""
    with watched(browser) as page:
        page.add_init_script(LAG)
        page.goto(f"{finished_server.url}/train?{urlencode(finished_template.address())}")
        expect(page.get_by_role("heading", name="2. Models")).to_be_visible()
        expect(page.locator("[class*=st-key-later_]").first).to_be_attached()
        expect(page.locator(".st-key-question_suggestion")).to_be_visible()  # computed beside the page
        settled(page)
        page.evaluate(f"window.lag = {LAG_MS}")
        yield page


def test_a_link_leads_away_while_a_part_of_the_page_is_about_to_be_drawn(train: Page) -> None:
    train.evaluate(
        """() => {
          document.querySelector("[class*=st-key-later_]").scrollIntoView();
          const link = [...document.querySelectorAll("[data-testid=stSidebarNavLink]")].find(a => /Users/.test(a.text));
          setTimeout(() => link.click(), 150);
        }"""
    )
    train.wait_for_timeout(3 * LAG_MS)  # all pending messages have arrived
    settled(train)
    expect(train.get_by_role("heading", name="Users", exact=True)).to_be_visible()


@pytest.mark.parametrize(("width", "most", "place"), [(1280, 24, "stSidebarHeader"), (400, 60, "stHeader")])
def test_the_frame_names_the_product_and_starts_at_the_top(
    empty_server: Server, page: Page, width: int, most: int, place: str
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{empty_server.url}/users")
    title = page.get_by_role("heading", name="Users", exact=True)
    expect(title).to_be_visible()
    settled(page)
    box = title.bounding_box()
    assert box is not None
    assert box["y"] <= most
    shown = """place => [...document.querySelectorAll(`[data-testid=${place}], [data-testid=${place}] *`)].flatMap(
        one => ["::before", "::after"].map(side => getComputedStyle(one, side).content))"""
    assert '"Recscope"' in page.evaluate(shown, place)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
