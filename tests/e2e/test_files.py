"""Files of shops and publishers in a browser: read without corrections, or with one question."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, settled

pytestmark = pytest.mark.e2e
FILES = Path(__file__).parents[1] / "corpus" / "files"


def check(server: Server, page: Page, path: Path) -> None:
    page.goto(f"{server.url}/data")
    settled(page)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Check these files").click()
    expect(page.locator(".st-key-check_numbers")).to_be_visible()
    settled(page)


def test_an_export_of_a_shop_is_stored_without_a_correction(server: Server, page: Page) -> None:
    """1,510 rows with German headers, two date formats, empty prices and a line of totals: 22 are invalid."""
    check(server, page, FILES / "shop" / "shop_export.csv")
    numbers = page.locator(".st-key-check_numbers")
    for number in ("1,510", "1,488", "22", "551", "258"):
        expect(numbers).to_contain_text(number)
    expect(page.get_by_role("spinbutton", name=re.compile("purchase"))).to_have_value("5.00")
    assert page.get_by_text("It could also be").count() == 0
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("'shop_export' is stored.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"data=[0-9a-f]{32}"))
    address = page.url.replace("/data?", "/items?")
    page.goto(address)
    expect(page.get_by_text("号").first).to_be_visible()


def test_user_and_item_are_swapped_with_one_click(server: Server, page: Page) -> None:
    check(server, page, FILES / "d05_amazon2018" / "AMAZON_FASHION.csv")
    numbers = page.locator(".st-key-check_numbers")
    expect(numbers).to_contain_text(re.compile(r"Users\s*24"))
    question = page.get_by_text("It could also be")
    expect(question).to_contain_text("Does column_2 hold the user? It could also be column_1.")
    page.get_by_role("button", name="Swap").click()
    expect(numbers).to_contain_text(re.compile(r"Users\s*39"))
    expect(question).to_have_count(0)
