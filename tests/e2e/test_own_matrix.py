"""A teacher's matrix and the terms of a page in a browser: by keyboard, in both schemes, at 1280 and at 400 pixels."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from recsys_core.lessons.own.table import encode_table, read_table
from recsys_core.lessons.registry import lesson
from tests.e2e.conftest import Server, axe_findings, clean_in_both_schemes, horizontal_overflow, settled, watched
from tests.e2e.test_learn import SCREEN, arrived, fits_the_screen, locked

pytestmark = pytest.mark.e2e
TABLE = """user,*Tea*,[Jam](http://a.b),<b>Mug</b>,$x$,Pen & Ink,Twenty-four letters long
Ana,5,4,1,2,,
Ben,3,2,1,1,4,
Cleo,4,4,4,5,3,5
Dev,5,1,2,,,4
Emi,,5,,4,2,1
Finn,1,2,5,4,,5
"""
NAMES = ("The Long Goodbye", "Amélie", "Night of the Hunter 2", "Up", "Twenty-four letters long", "Star Wars IV")


def long_names(users: int, items: int) -> str:
    """Return a table of ratings by numbered users, of items with long names."""
    lines = [",".join(["user", *NAMES[:items]])]
    lines += [
        f"User {user}," + ",".join(str(1 + (user * item + user) % 5) for item in range(items)) for user in range(users)
    ]
    return "\n".join(lines)


CODE = quote(encode_table(read_table(TABLE.encode())))


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    with watched(browser, 400, "dark") as opened:
        yield opened


def test_a_pasted_table_runs_a_lesson(empty_server: Server, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{empty_server.url}/learn")
    page.get_by_text("Lessons on your own ratings").click()
    page.get_by_label("Or paste a table").fill(TABLE)
    page.get_by_role("button", name="Run the lessons on this table").click()
    expect(page.get_by_text("6 users × 6 items, 28 ratings")).to_be_visible()
    settled(page)
    assert axe_findings(page) == []
    page.goto(f"{empty_server.url}/learn?lesson=neighbors.rows&matrix={CODE}")
    expect(page.locator(".st-key-learn_picture th", has_text="<b>Mug</b>")).to_be_visible()
    expect(page.locator(".st-key-learn_picture th", has_text="[Jam](http://a.b)")).to_be_visible()
    settled(page)
    clean_in_both_schemes(page)


@pytest.mark.parametrize(
    ("key", "step", "users", "items"),
    [("gradient", "size", 8, 4), ("closed_form", "negative", 6, 6), ("document_formula", "alpha", 6, 6)],
)
def test_a_long_table_fits_the_screen_with_all_controls(
    empty_server: Server, page: Page, key: str, step: str, users: int, items: int
) -> None:
    page.set_viewport_size(SCREEN)
    of, code = lesson(key), quote(encode_table(read_table(long_names(users, items).encode())))
    page.goto(f"{empty_server.url}/learn?lesson={key}.{step}&values={quote(locked(of))}&matrix={code}")
    arrived(page, of, step)
    expect(page.locator(".st-key-learn_picture table").first.locator("tbody th")).to_have_count(users)
    fits_the_screen(page, f"{users} users, {items} long names")


def test_a_term_opens_by_keyboard(empty_server: Server, narrow: Page) -> None:
    narrow.goto(f"{empty_server.url}/learn?matrix={CODE}")
    term = narrow.locator(".st-key-terms_learn").get_by_role("button", name="Recall")
    expect(term).to_be_visible()
    settled(narrow)
    term.focus()
    narrow.keyboard.press("Enter")
    box = narrow.get_by_test_id("stPopoverBody")
    expect(box).to_contain_text("The share of a user's relevant items that are in the list.")
    settled(narrow)
    assert axe_findings(narrow) == []
    assert horizontal_overflow(narrow) <= 0
    box.get_by_role("link", name="Lesson: Is it better? Metrics").click()
    expect(narrow.get_by_role("heading", name="Is it better? Metrics")).to_be_visible()
    expect(narrow.get_by_text("It judges one ranked list against relevant items, not a matrix.")).to_be_visible()
