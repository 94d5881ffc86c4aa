"""Lessons in a browser: by keyboard, on one screen, in both color schemes, and at 400 pixels."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from recsys_core.lessons.registry import lessons
from tests.e2e.conftest import Server, axe_findings, horizontal_overflow, schemes, settled, watched

pytestmark = pytest.mark.e2e
TOLERANCE = 2
FIRST_NETWORK_MS = 90_000
"""The first lesson with networks starts the process of torch models and trains its own."""


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    with watched(browser, 400, "dark") as opened:
        yield opened


def opened(page: Page, server: Server, lesson: str, **address: str) -> None:
    more = "".join(f"&{name}={value}" for name, value in address.items())
    page.goto(f"{server.url}/learn?lesson={lesson}{more}")
    expect(picture(page)).to_be_visible(timeout=FIRST_NETWORK_MS)
    settled(page)


def picture(page: Page) -> Locator:
    return page.locator(".st-key-learn_picture .parts section").first


def values(page: Page) -> str:
    return parse_qs(urlparse(page.url).query).get("values", [""])[0]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is higher than the screen."""
    height: int = page.evaluate(
        "(() => { const main = document.querySelector('[data-testid=stMain]');"
        " return main.scrollHeight - main.clientHeight })()"
    )
    return height


def test_a_lesson_works_by_keyboard(empty_server: Server, page: Page) -> None:
    """Predict, lock, reveal; symbols light up; a cell is edited; Page Down leads on."""
    page.set_viewport_size({"width": 1280, "height": 800})
    opened(page, empty_server, "neighbors.nearest")
    page.get_by_role("radio", name="Ben").focus()
    page.keyboard.press("Space")
    lock = page.get_by_role("button", name="Lock my prediction")
    expect(lock).to_be_enabled()
    lock.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You predicted Ben. The answer is Cleo.")).to_be_visible()
    settled(page)
    page.keyboard.press("PageDown")
    expect(page.get_by_role("heading", name="Another measure, another neighbor")).to_be_visible()
    settled(page)
    page.keyboard.press("PageUp")
    expect(page.get_by_role("heading", name="The nearest neighbor")).to_be_visible()
    settled(page)
    page.keyboard.press("PageUp")
    expect(page.get_by_role("heading", name="Two users are two rows")).to_be_visible()
    expect(page.locator(".st-key-learn_formula .katex").first).to_be_visible()
    settled(page)
    page.locator(".symbol", has_text="rating of Ben").focus()
    expect(page.locator("td.lit")).to_have_count(4)
    page.get_by_role("textbox", name="Ana, Comet").focus()
    page.keyboard.press("1")
    page.wait_for_url("**values=*")
    expect(page).to_have_url(re.compile("ratings.*guess.nearest"))
    assert values(page).startswith("ratings:1412--")
    expect(page.get_by_role("textbox", name="Ana, Comet")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("textbox", name="Ana, Dunes")).to_be_focused()


def test_a_list_is_ordered_by_keyboard_and_by_dragging(empty_server: Server, page: Page) -> None:
    opened(page, empty_server, "metrics.hits")
    items = page.locator(".order li .label")
    expect(items.nth(1)).to_have_text("Dunes")
    page.get_by_role("button", name="Move up: Dunes").focus()
    page.keyboard.press("ArrowUp")
    expect(items.nth(0)).to_have_text("Dunes")
    settled(page)
    page.locator(".order li").nth(9).drag_to(page.locator(".order li").nth(0))
    expect(items.nth(0)).to_have_text("Lagoon")
    page.wait_for_url("**values=order*")
    assert values(page) == "order:9.1.0.2.3.4.5.6.7.8"


def test_lessons_are_clean_on_one_screen(empty_server: Server, page: Page) -> None:
    """The first and the breaking step of each lesson, revealed, in both schemes; the formulas are typeset."""
    page.set_viewport_size({"width": 1280, "height": 800})
    for scheme, lesson in zip(("light", "dark") * len(lessons()), lessons(), strict=False):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        broken = next(step for step in lesson.steps if step.breaks)
        guess = next(iter(broken.predict.options)) if broken.predict else ""
        opened(page, empty_server, f"{lesson.key}.{broken.key}", values=f"guess.{broken.key}:{guess}")
        assert overflow(page) <= TOLERANCE, lesson.key
        assert page.locator(".katex-error").count() == 0
        assert axe_findings(page) == [], (lesson.key, scheme)


def test_the_map_and_a_lesson_fit_a_phone(empty_server: Server, narrow: Page) -> None:
    narrow.goto(f"{empty_server.url}/learn")
    expect(narrow.get_by_role("heading", name="Learn")).to_be_visible()
    for scheme in schemes(narrow):
        assert axe_findings(narrow) == [], scheme
    assert horizontal_overflow(narrow) <= 0
    opened(narrow, empty_server, "gradient.size", values="guess.size:falls")
    for scheme in schemes(narrow):
        assert axe_findings(narrow) == [], scheme
    assert horizontal_overflow(narrow) <= 0


def columns(page: Page, passage: str) -> list[dict[str, float]]:
    """Return the boxes of the document's text and of what stands beside it."""
    boxes = [one.bounding_box() for one in page.locator(f".st-key-{passage} [data-testid=stColumn]").all()]
    return [dict(box) for box in boxes if box is not None]


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
    assert page.locator(".katex-error").count() == 0
    assert page.locator(".katex-display").count() == 2
    page.get_by_role("link", name="Train: form=literal").first.click()
    expect(page).to_have_url(re.compile("/train.*pick=content_mean"))


def test_the_text_of_the_document_fits_a_phone(empty_server: Server, narrow: Page) -> None:
    narrow.goto(f"{empty_server.url}/learn?section=1.2&view=whole")
    expect(narrow.locator(".st-key-learn_after_below")).to_be_visible()
    text, beside = columns(narrow, "learn_passage_formula")
    assert beside["y"] >= text["y"] + text["height"]
    for scheme in schemes(narrow):
        assert axe_findings(narrow) == [], scheme
    assert horizontal_overflow(narrow) <= 0


def test_projector_mode_goes_through_a_lesson(empty_server: Server, page: Page) -> None:
    """Large type, no sidebar, to the self-check and back to the map, where progress is noted."""
    opened(page, empty_server, "decoding.alpha")
    page.get_by_role("button", name="Projector mode").click()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    for step in range(2, 7):
        settled(page)
        page.keyboard.press("PageDown")
        expect(page.get_by_text(f"Step {step} of 6")).to_be_visible()
        settled(page)
        assert overflow(page) <= TOLERANCE, step
    expect(page.get_by_role("heading", name="Check yourself")).to_be_visible()
    settled(page)
    assert axe_findings(page) == []
    page.get_by_role("radio", name="greedy decoding").check(force=True)
    page.get_by_role("radio", name="The second").check(force=True)
    expect(page.get_by_text("this lesson is done")).to_be_visible()
    page.get_by_role("button", name="All lessons").click()
    expect(page.get_by_text(f"1 of {len(lessons())} lessons done")).to_be_visible()
