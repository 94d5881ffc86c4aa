"""Navigation works whatever the previous page still sends before the browser has received the new one."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PATIENCE_MS, Server, settled, watched
from tests.engine.support import eventually
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
LAG = """const listen = WebSocket.prototype.addEventListener;
WebSocket.prototype.addEventListener = function (kind, heard, ...rest) {
  const late = message => window.lag ? setTimeout(() => heard(message), window.lag) : heard(message);
  return listen.call(this, kind, kind === "message" ? late : heard, ...rest);
};"""
"""Delays the server's messages to the browser by `lag` milliseconds; a smaller lag would change the order."""


@pytest.mark.parametrize(("early", "lag", "pause"), [(False, 3500, 150), (True, 700, 400)])
def test_a_link_leads_away_while_a_part_of_the_page_is_about_to_be_drawn(
    finished_template: Finished, finished_server: Server, browser: Browser, early: bool, lag: int, pause: int
) -> None:
    """`early`: the click comes before the script that notices clicks has started.

    Otherwise the new page takes longer than any other click is waited for.
    """
    with watched(browser) as train:
        train.add_init_script(LAG)
        train.goto(f"{finished_server.url}/train?{urlencode(finished_template.address())}")
        expect(train.locator("[class*=st-key-later_]").first).to_be_attached()
        if not early:
            train.wait_for_function("document.recscopeClicks")
            settled(train)
        link = train.get_by_test_id("stSidebarNavLink").filter(has_text="Users").bounding_box()
        assert link is not None
        train.evaluate(f"window.lag = {lag}")
        train.evaluate("document.querySelector('[class*=st-key-later_]').scrollIntoView()")
        train.wait_for_timeout(pause)
        train.mouse.click(link["x"] + 9, link["y"] + 9)
        train.wait_for_timeout(2 * lag + 700)  # all pending messages have arrived
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
    eventually(  # the style of the frame is applied a moment after the title is drawn
        lambda: (box := title.bounding_box()) is not None and box["y"] <= most, PATIENCE_MS / 1000, f"within {most} px"
    )
    shown = """place => [...document.querySelectorAll(`[data-testid=${place}], [data-testid=${place}] *`)].flatMap(
        one => ["::before", "::after"].map(side => getComputedStyle(one, side).content))"""
    assert '"Recscope"' in page.evaluate(shown, place)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width


def test_back_takes_one_press_per_page(finished_template: Finished, finished_server: Server, browser: Browser) -> None:
    """Users and Items put their default user and item into the URL, which is no step of the user."""
    with watched(browser) as page:
        page.goto(f"{finished_server.url}/?{urlencode(finished_template.address())}")
        page.wait_for_function("document.recscopeClicks")
        for name in ("Users", "Items"):
            settled(page)
            page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
            expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
            page.wait_for_url(f"**/{name.lower()}?*{name[:-1].lower()}=*")
        settled(page)
        page.go_back()
        expect(page.get_by_role("heading", name="Users", exact=True)).to_be_visible()
