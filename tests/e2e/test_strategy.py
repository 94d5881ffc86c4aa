"""A strategy of six cards in the browser: built, priced, reordered, its trail read, compared, promoted."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from recsys_core.strategy.store import StrategyStore
from tests.e2e.conftest import PATIENCE_MS, Server, axe_findings, choose, fits, settled
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
LONG_MS = 3 * PATIENCE_MS
CARDS = ("Filter", "Boost or bury", "Decay", "Diversity (MMR)", "Quota", "Pin")


def add(page: Page, title: str) -> None:
    page.get_by_role("button", name="Add a card").click()
    page.get_by_role("menuitem", name=f"{title}:").or_(page.get_by_role("option", name=f"{title}:")).first.click()
    expect(page.locator(".cards .title").filter(has_text=title).last).to_be_visible()
    settled(page)


def view(page: Page, name: str) -> None:
    page.get_by_test_id("stMain").get_by_role("radio", name=name, exact=True).click()
    settled(page)


def test_a_strategy_is_built_priced_compared_and_promoted(
    finished_server: Server, finished_template: Finished, page: Page
) -> None:
    store = StrategyStore(finished_server.workspace)
    page.goto(f"{finished_server.url}/strategy?{urlencode(finished_template.address())}")
    expect(page.get_by_text("No card yet")).to_be_visible(timeout=LONG_MS)
    for title in CARDS:
        add(page, title)
    titles = page.locator(".cards .title")
    expect(titles).to_have_text(list(CARDS))
    expect(page.get_by_text("95% interval").first).to_be_visible(timeout=LONG_MS)
    settled(page)
    page.get_by_role("button", name="Move up: Pin").focus()
    page.keyboard.press("Enter")
    expect(titles).to_have_text([*CARDS[:4], "Pin", "Quota"])
    settled(page)
    page.set_viewport_size({"width": 1280, "height": 1600})  # scrolling would end the drag
    settled(page)
    titles.nth(3).hover()
    page.mouse.down()
    titles.nth(0).hover()
    titles.nth(0).hover()  # a browser asks where to drop at the second move
    expect(page.locator(".card.before")).to_be_visible()
    page.mouse.up()
    expect(titles).to_have_text(["Diversity (MMR)", *CARDS[:3], "Pin", "Quota"])
    page.get_by_role("switch", name="Apply: Filter").click()
    expect(page.get_by_role("switch", name="Apply: Filter")).to_have_attribute("aria-checked", "false")
    settled(page)
    assert axe_findings(page) == []
    view(page, "Lists")
    trail = page.get_by_role("table", name="List of the strategy")
    expect(trail).to_be_visible(timeout=LONG_MS)
    expect(trail).to_contain_text("Pin 1")
    save(page, "Spring")
    [stored] = store.all()
    page.get_by_role("switch", name="Apply: Diversity (MMR)").click()
    settled(page)
    save(page, "Summer")
    view(page, "Decision")
    expect(page.get_by_text("Compared with")).to_be_visible(timeout=LONG_MS)
    settled(page)
    choose(page, "strategy_compared", "Compared with", "Spring")
    expect(page.get_by_text("Card 1 (Diversity (MMR))")).to_be_visible(timeout=LONG_MS)
    page.get_by_role("button", name="Promote: mark as trusted").click()
    expect(page.get_by_text("Current version: Summer (trusted).")).to_be_visible(timeout=LONG_MS)
    states = {one.name: one.state for one in store.all()}
    assert states == {"Spring": "draft", "Summer": "trusted"}
    assert len(store.strategy(stored.id).cards) == 6
    page.set_viewport_size({"width": 400, "height": 900})
    settled(page)
    fits(page, 400)


def save(page: Page, name: str) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Save as a new strategy").click()
    expect(page.get_by_text(f"{name}, version 1 of 1.")).to_be_visible(timeout=LONG_MS)
    settled(page)
