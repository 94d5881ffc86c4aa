"""Recommend in a browser: a history edited with all models, and ten clicks in the shop window."""

from contextlib import suppress
from itertools import pairwise
from urllib.parse import parse_qs, urlencode, urlparse

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as StillClosed

from recsys_core.data.summaries import item_search
from recsys_core.data.workspace import Workspace
from tests.e2e.conftest import ATTEMPTS, LOOK_AGAIN_MS, PATIENCE_MS, Server, axe_findings, fits, settled
from tests.engine.support import eventually
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
CLICKS = 10
K = 5


def history(page: Page) -> str:
    """The edited history in the URL."""
    return parse_qs(urlparse(page.url).query).get("history", [""])[0]


def opened(page: Page, server: Server, finished: Finished, **address: str) -> None:
    models = ".".join(finished.opened().finished())
    page.goto(f"{server.url}/recommend?{urlencode(finished.address(models=models, **address))}")
    expect(page.get_by_text("in the history", exact=False).first).to_be_visible()
    answered(page)


def answered(page: Page) -> None:
    """Wait until no list is being computed, and the browser has loaded what it needs to draw them."""
    settled(page)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    settled(page)


def clean(page: Page) -> None:
    """Check the page once elements that a rerun replaced are no longer faded."""
    settled(page)
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stElementContainer]')]"
        ".every(one => getComputedStyle(one).opacity === '1')"
    )
    assert axe_findings(page) == []


def texts(page: Page, lists: Locator) -> list[str]:
    """Return the texts of all lists, once they are the same in two looks."""

    def unchanged() -> list[str]:
        first = lists.all_inner_texts()
        page.wait_for_timeout(LOOK_AGAIN_MS)
        return first if first == lists.all_inner_texts() else []

    answered(page)
    seen: list[str] = eventually(unchanged, PATIENCE_MS / 1000, "lists that stay as they are")
    return seen


def press(page: Page, name: str) -> None:
    """Press a button that changes the edited history, and wait for the lists of the new one."""
    before = history(page)
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_function("it => (new URLSearchParams(location.search).get('history') ?? '') !== it", arg=before)
    answered(page)


def choose_first(page: Page) -> None:
    """Select the first item to add; an open list closes when the page is redrawn."""
    box, add = page.get_by_role("combobox", name="Item to add"), page.get_by_role("button", name="Add", exact=True)
    for _ in range(ATTEMPTS):
        box.click()
        with suppress(StillClosed):
            page.get_by_role("option").first.click(timeout=PATIENCE_MS / ATTEMPTS)
            break
    expect(add).to_be_enabled()


def test_a_history_is_edited_with_all_models(finished_server: Server, finished_template: Finished, page: Page) -> None:
    """Every model answers; undo gives the lists before; the link opens the same lists."""
    opened(page, finished_server, finished_template, user="person-4")
    lists = page.locator("[class*=st-key-shown_]")
    expect(lists.get_by_role("button")).to_have_count(K * len(finished_template.opened().finished()))
    before = texts(page, lists)
    choose_first(page)
    press(page, "Add")
    expect(page.get_by_text("13 items in the history")).to_be_visible()
    expect(lists.filter(has_text="Jaccard")).to_have_count(len(before))
    expect(lists.filter(has_text="fold-in")).to_have_count(len(before))
    page.get_by_role("tab", name="Change").click()
    press(page, "Earlier")
    press(page, "Drop")
    code = history(page)
    after = texts(page, lists)
    clean(page)
    for _ in range(3):
        press(page, "Undo")
    expect(page.get_by_text("12 items in the history")).to_be_visible()
    eventually(lambda: lists.all_inner_texts() == before, PATIENCE_MS / 1000, "undo leads to the lists before")
    assert history(page) == ""
    opened(page, finished_server, finished_template, user="person-4", history=code)
    expect(lists.filter(has_text="Jaccard")).to_have_count(len(before))
    eventually(lambda: lists.all_inner_texts() == after, PATIENCE_MS / 1000, "the link opens the edited lists")


def test_ten_clicks_in_the_shop_window(finished_server: Server, finished_template: Finished, page: Page) -> None:
    """Each click is an event and changes the rows; at 400 pixels everything fits, in both color schemes."""
    opened(page, finished_server, finished_template, history="new.")
    data = Workspace(finished_template.root).open(finished_template.data)
    items = item_search(data)["item"].tolist()
    shelf = [page.locator(f".st-key-shelf_{item}_click button") for item in items[:CLICKS]]
    row = page.locator("[class*=st-key-shop_row_ease]")
    expect(row).to_contain_text("No list: this model has no score without a history.")
    seen: list[str] = []
    for click in range(CLICKS):
        shelf[click].click()
        expect(page.locator(".st-key-shop_feed")).to_contain_text(f"{click + 1} · Interaction:")
        expect(row).to_contain_text("since the last edit: Jaccard")
        answered(page)
        seen.append(row.inner_text())
    assert all(one != other for one, other in pairwise(seen))
    assert history(page).count("x") == CLICKS
    clean(page)
    shelf[0].click()
    expect(page.locator(".st-key-shop_feed")).to_contain_text("11 · Removed:")
    press(page, "Undo")
    eventually(lambda: row.inner_text() == seen[-1], PATIENCE_MS / 1000, "the row after undo is that of before")
    page.set_viewport_size({"width": 400, "height": 900})
    page.emulate_media(color_scheme="dark")
    settled(page)
    fits(page, "shop window")
    clean(page)
