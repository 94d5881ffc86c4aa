"""The text of the source document in a browser: beside what Recscope does, and at 400 pixels."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Server, axe_findings, clean_in_both_schemes, settled, watched

pytestmark = pytest.mark.e2e


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    with watched(browser, 400, "dark") as opened:
        yield opened


def columns(page: Page, passage: str) -> list[dict[str, float]]:
    """Return the boxes of the document's text and of what stands beside it."""
    boxes: list[dict[str, float]] = page.locator(f".st-key-{passage} [data-testid=stColumn]").evaluate_all(
        "columns => columns.map(one => one.getBoundingClientRect().toJSON())"  # at once: content above may still grow
    )
    return boxes


def test_the_text_of_the_document_opens_at_a_section(empty_server: Server, page: Page) -> None:
    """Side by side, scrolled to the passage, with typeset formulas; a link opens Train with the literal form."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{empty_server.url}/learn?section=2.6")
    expect(page.locator(".st-key-learn_meant_recall")).to_be_in_viewport()
    settled(page)
    text, beside = columns(page, "learn_meant_recall")
    assert beside["x"] >= text["x"] + text["width"]
    assert axe_findings(page) == []
    page.keyboard.press("PageUp")
    expect(page.get_by_role("heading", name="Background")).to_be_visible()
    settled(page)
    page.goto(f"{empty_server.url}/learn?section=1.2&view=whole")
    expect(page.locator(".st-key-learn_after_below")).to_be_visible()
    expect(page.locator(".katex-display")).to_have_count(2)
    assert page.locator(".katex-error").count() == 0
    page.get_by_role("link", name="Train: form=literal").first.click()
    expect(page).to_have_url(re.compile("/train.*pick=content_mean"))


def test_the_text_of_the_document_fits_a_phone(empty_server: Server, narrow: Page) -> None:
    narrow.goto(f"{empty_server.url}/learn?section=1.2&view=whole")
    expect(narrow.locator(".st-key-learn_after_below")).to_be_visible()
    text, beside = columns(narrow, "learn_passage_formula")
    assert beside["y"] >= text["y"] + text["height"]
    clean_in_both_schemes(narrow)
