"""Lessons in a browser: each by mouse and by keyboard, on one screen, on a phone, on a projector, and on paper.

All tests share one wide and one narrow window. They go from lesson to lesson without loading the page again, as with
the buttons of the browser's history.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Literal
from unicodedata import normalize
from urllib.parse import parse_qs, urlencode, urlparse

import pytest
from playwright.sync_api import Browser, Page, PdfMargins, ViewportSize, expect
from playwright.sync_api import TimeoutError as StillWaiting
from pypdf import PdfReader

from recsys_core.lessons.controls import Control, Matrix, Order, Slider
from recsys_core.lessons.lesson import CHECK, Lesson, Step
from recsys_core.lessons.registry import lesson, lessons
from tests.e2e.conftest import ATTEMPTS, PATIENCE_MS, Server, Watch, axe_findings, clean_in_both_schemes, fits, settled
from tests.engine.support import eventually

pytestmark = pytest.mark.e2e
SCREEN, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=400, height=800)
PAPER = ViewportSize(width=718, height=1047)
"""A4 within margins of 1 cm, at 96 dots per inch."""
TOLERANCE = 2
MOST_TABS = 80
"""Presses of Tab after which a control counts as not reachable."""
LAYOUT_SECONDS = 3
FIRST_NETWORK_MS = 90_000
"""The first lesson with networks starts the process of torch models and trains its own."""
PROJECTED = ("neighbors", "gradient", "metrics", "luck", "attention", "decoding")
"""Lessons 5, 8, 12, 13, 16 and 17."""

IN_PICTURE = """const picture = [...document.querySelectorAll(".st-key-learn_picture *")].find(one => one.shadowRoot);
  const drawn = selector => [...(picture?.shadowRoot.querySelectorAll(selector) ?? [])];"""
ARRIVED = f"""([lesson, step]) => {{
  {IN_PICTURE}
  const words = tag => document.querySelector(`.st-key-learn_lesson ${{tag}}`)?.textContent.trim();
  const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
  const isWhole = state === "notRunning" && !document.querySelector("[data-testid=stSkeleton]");
  return isWhole && words("h1") === lesson && words("h2") === step && drawn(".parts section").length > 0;
}}"""
SHOWN = f"""() => {{
  {IN_PICTURE}
  const words = tag => document.querySelector(`.st-key-learn_lesson ${{tag}}`)?.textContent.trim();
  const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
  const focus = document.activeElement?.outerHTML.slice(0, 80);
  return [words("h1"), words("h2"), state, drawn(".parts section").length, focus];
}}"""
HAS_FOCUS = """selector => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return Boolean(at?.matches(selector));
}"""
VALUE = "() => document.activeElement.shadowRoot.activeElement.value"
CELL = "() => document.activeElement.shadowRoot.activeElement.dataset.cell"
FAULTS = f"""() => {{
  {IN_PICTURE}
  const main = document.querySelector("[data-testid=stMain]"), found = {{}};
  const down = main.scrollHeight - main.clientHeight, aside = main.scrollWidth - main.clientWidth;
  if (down > {TOLERANCE}) found.down = down;
  if (aside > 0) found.aside = aside;
  const left = picture.getBoundingClientRect().left, top = picture.getBoundingClientRect().top;
  for (const part of document.querySelectorAll(".st-key-learn_formula .katex-html .base")) {{
    const box = part.getBoundingClientRect();
    if (box.right > left && box.bottom > top && box.left < left) found.formula = Math.round(box.right - left);
  }}
  const title = document.querySelector(".st-key-learn_heading");
  if (innerWidth > 800 && title.offsetHeight > 2 * title.querySelector("h1").offsetHeight) found.heading = true;
  const cut = [...drawn(".part"), ...document.querySelectorAll(".st-key-learn_controls [data-testid=stButtonGroup] *")]
    .filter(one => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1);
  if (cut.length) found.cut = cut.map(one => one.textContent.slice(0, 40));
  const wrong = document.querySelectorAll(".katex-error").length;
  if (wrong) found.latex = wrong;
  return found;
}}"""
OUT_OF_REACH = f"""() => {{
  {IN_PICTURE}
  const lesson = [...document.querySelectorAll(".st-key-learn_lesson :is(button, a, label)")];
  return [...lesson, ...drawn("button:enabled, input")].filter(one => {{
    if (!one.checkVisibility() || one.disabled) return false;
    one.scrollIntoView({{ block: "center" }});
    const box = one.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
    let at = document.elementFromPoint(x, y);
    while (at?.shadowRoot) at = at.shadowRoot.elementFromPoint(x, y);
    return box.left < 0 || box.right > innerWidth || !at || !(one.contains(at) || at.contains(one));
  }}).map(one => (one.ariaLabel ?? one.textContent).trim());
}}"""
CUT = """() => ({
  wide: document.documentElement.scrollWidth - innerWidth,
  split: [...document.querySelectorAll("section.step")].filter(one => one.offsetHeight > innerHeight).length,
  pale: [...document.querySelectorAll(".fill, td")].some(one => getComputedStyle(one).printColorAdjust !== "exact"),
})"""
SENTENCES = """() => [...document.querySelectorAll("h1, h2, p:not(:has(math)), .options li, th")]
  .map(one => one.textContent)"""
IS_LIST = "document.activeElement.getAttribute('role') === 'combobox'"
UNFADED = """() => {
  const all = name => [...document.querySelectorAll(`[data-testid=${name}]`)].map(one => getComputedStyle(one).opacity);
  return all("stElementContainer").every(one => one === "1") && all("stSliderTickBar").every(one => one % 1 === 0);
}"""
"""Nothing waits for its new state, and no scale of a slider is fading, whose contrast would be too low for a moment."""


def window(browser: Browser) -> Iterator[tuple[Page, Watch]]:
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    page, watch = context.new_page(), Watch()
    watch.attach(page)
    yield page, watch
    context.close()


wide_window, narrow_window = (pytest.fixture(window, scope="module", name=name) for name in ("wide", "narrow"))


def shown_in(window: tuple[Page, Watch], size: ViewportSize, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    """Show a shared window in a size and color scheme; the test fails if it has reported an error at the end."""
    page, watch = window
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    yield page
    assert page.get_by_test_id("stException").count() == 0, page.get_by_test_id("stException").all_inner_texts()
    errors, watch.errors = watch.errors, []
    assert not errors, errors


@pytest.fixture
def page(wide: tuple[Page, Watch]) -> Iterator[Page]:
    yield from shown_in(wide, SCREEN, "light")


@pytest.fixture
def phone(narrow: tuple[Page, Watch]) -> Iterator[Page]:
    """A window of its own, since the sidebar of a wide one would stay open over the page."""
    yield from shown_in(narrow, PHONE, "dark")


def opened(page: Page, server: Server, address: str, **more: str) -> None:
    """Open a link to Learn; without loading the page again if it is open, as for a link of the browser's history."""
    url = f"{server.url}/learn?{urlencode({'lesson': address, 'values': '', 'view': '', 'learned': ''} | more)}"
    if page.url.startswith(f"{server.url}/learn"):
        page.evaluate("url => { history.pushState({}, '', url); dispatchEvent(new PopStateEvent('popstate')); }", url)
    else:
        page.goto(url)


def arrived(page: Page, of: Lesson, step: str) -> None:
    """Wait until a step of a lesson is shown with its picture."""
    titles = [f"{of.number} · {of.title}", "Check yourself" if step == CHECK else of.step(step).title]
    try:
        page.wait_for_function(ARRIVED, arg=titles, timeout=PATIENCE_MS if of.runtime == "numpy" else FIRST_NETWORK_MS)
    except StillWaiting as error:
        raise AssertionError(f"waited for {titles}; instead: {page.evaluate(SHOWN)}") from error


def turned(page: Page, key: str, of: Lesson, step: str) -> None:
    """Press Page Down or Page Up, and wait for the step that it leads to; once more if the press was lost.

    Streamlit loses a key that comes while the page is redrawn.
    """
    before = page.url
    for _ in range(ATTEMPTS):
        page.keyboard.press(key)
        with suppress(StillWaiting):
            page.wait_for_function("url => location.href !== url", arg=before, timeout=PATIENCE_MS / ATTEMPTS)
            break
    arrived(page, of, step)


def locked(of: Lesson) -> str:
    """Return the values of a link in which every prediction is locked."""
    return ";".join(f"guess.{step.key}:{next(iter(step.predict.options))}" for step in of.steps if step.predict)


def values_in(url: str) -> str:
    return parse_qs(urlparse(url).query).get("values", [""])[0]


def fits_the_screen(page: Page, where: object) -> None:
    """Wait until nothing needs scrolling and no formula runs into the picture; fonts may still change the layout."""
    eventually(lambda: not page.evaluate(FAULTS), LAYOUT_SECONDS, f"{where}: {page.evaluate(FAULTS)}")


def is_clean(page: Page, where: object) -> None:
    page.wait_for_function(UNFADED)
    assert axe_findings(page, ".st-key-learn_lesson") == [], where


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, also within the picture."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate(HAS_FOCUS, selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


def predicted(page: Page, *, by_mouse: bool) -> None:
    """Lock a prediction."""
    lock = page.get_by_role("button", name="Lock my prediction")
    expect(lock).to_be_disabled()
    if by_mouse:
        page.locator(".st-key-learn_predict label:has(input)").last.click()
        lock.click()
    else:
        tab_to(page, ".st-key-learn_predict input")
        page.keyboard.press("ArrowDown")
        expect(lock).to_be_enabled()
        tab_to(page, ".st-key-learn_lock button")
        page.keyboard.press("Enter")
    expect(page.get_by_text("You predicted")).to_be_visible()


def changed(page: Page, of: Lesson, control: Control) -> None:
    """Change a control by keyboard."""
    before = values_in(page.url)
    if isinstance(control, Matrix):
        tab_to(page, f"input[data-cell^='{control.key}/']")
        at = page.evaluate(CELL)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft" if page.evaluate(CELL) == at else "ArrowDown")
        assert page.evaluate(CELL) != at
        page.keyboard.press("Backspace" if page.evaluate(VALUE) else str(control.high))
    elif isinstance(control, Order):
        tab_to(page, f"button[data-cell^='{control.key}/↓']")
        page.keyboard.press("Enter")
    else:
        tab_to(page, f".st-key-learn_{of.key}_{control.key} :is(input, button)")
        options = list(control.options)
        if page.evaluate(IS_LIST):
            page.keyboard.type(str(control.options[next(key for key in options if key != control.start)]))
            page.keyboard.press("Enter")
        elif isinstance(control, Slider):
            page.keyboard.press("ArrowLeft" if control.start == options[-1] else "ArrowRight")
        else:  # Tab leads to the first option, an arrow to the second one
            if control.start == options[0]:
                page.keyboard.press("ArrowRight")
            page.keyboard.press("Space")
    page.wait_for_url(lambda url: values_in(url) != before and control.key in values_in(url))
    settled(page)  # a key that comes while the page is redrawn can be lost


@pytest.mark.parametrize("key", [one.key for one in lessons()])
def test_a_lesson_to_its_end_and_back(empty_server: Server, page: Page, key: str) -> None:
    """With every prediction locked by Page Down; then, after the self-check, by Page Up with none of them locked.

    On the way back, each control is changed by keyboard once, and the step that breaks something is answered by mouse
    and by keyboard.
    """
    of = lesson(key)
    opened(page, empty_server, f"{key}.{of.step_keys[0]}", values=locked(of))
    arrived(page, of, of.step_keys[0])
    for step, following in zip(of.steps, of.step_keys[1:], strict=True):
        fits_the_screen(page, (key, step.key, "revealed"))
        assert page.locator(".st-key-learn_revealed").count() == (step.predict is not None)
        turned(page, "PageDown", of, following)
    checks_itself(page, of)
    page.get_by_role("button", name="Reset").click()
    page.wait_for_url(lambda url: "guess" not in url)
    arrived(page, of, CHECK)
    untried = {control.key: control for control in of.controls}
    for step in reversed(of.steps):
        turned(page, "PageUp", of, step.key)
        fits_the_screen(page, (key, step.key, "before the prediction"))
        if step.predict:
            assert page.locator(".st-key-learn_finding, .st-key-learn_formula").count() == 0, (key, step.key)
        for control in offered(page, step, untried):
            changed(page, of, untried.pop(control))
            arrived(page, of, step.key)
        if step.breaks:
            breaks_it(page, of, step)
            arrived(page, of, step.key)
    assert not untried, f"never offered: {', '.join(untried)}"


def checks_itself(page: Page, of: Lesson) -> None:
    """Answer the first question of the self-check by keyboard, the second one by mouse."""
    first, second = (f".st-key-learn_check_{of.key}_{number}" for number in (0, 1))
    tab_to(page, f"{first} input")
    page.keyboard.press("Space")
    for _ in range(of.checks[0].right):
        page.keyboard.press("ArrowDown")
    expect(page.get_by_text("Right.", exact=True)).to_have_count(1)
    page.locator(f"{second} label:has(input)").nth(of.checks[1].right).click()
    expect(page.get_by_text("Both are right: this lesson is done.")).to_be_visible()
    fits_the_screen(page, (of.key, CHECK))


def offered(page: Page, step: Step, untried: Mapping[str, Control]) -> list[str]:
    """Return the keys of the controls that a step offers below its picture, or for editing in it."""
    in_picture = [key for key in untried if page.locator(f"[data-cell^='{key}/']").count()]
    return [key for key in untried if key in (*step.controls, *in_picture)]


def breaks_it(page: Page, of: Lesson, step: Step) -> None:
    """Answer the question by mouse, then again by keyboard."""
    predicted(page, by_mouse=True)
    is_clean(page, (of.key, step.key, "light"))
    page.get_by_role("button", name="Predict again").click()
    expect(page.locator(".st-key-learn_revealed")).to_have_count(0)
    predicted(page, by_mouse=False)


@pytest.mark.parametrize("key", [one.key for one in lessons()])
def test_a_lesson_fits_a_phone_in_the_dark(empty_server: Server, phone: Page, key: str) -> None:
    """The step that breaks something, answered: nothing is wider than the screen, and every control is in reach."""
    of = lesson(key)
    step = next(step for step in of.steps if step.breaks)
    opened(phone, empty_server, f"{key}.{step.key}", values=locked(of))
    arrived(phone, of, step.key)
    fits(phone, key)
    assert phone.evaluate(OUT_OF_REACH) == []
    is_clean(phone, key)


def test_symbols_light_up_and_a_cell_is_edited(empty_server: Server, page: Page) -> None:
    of = lesson("neighbors")
    opened(page, empty_server, "neighbors.rows")
    arrived(page, of, "rows")
    expect(page.locator(".st-key-learn_formula .katex").first).to_be_visible()
    page.locator(".symbol", has_text="rating of Ben").focus()
    expect(page.locator("td.lit")).to_have_count(4)
    page.get_by_role("textbox", name="Ana, Comet").focus()
    page.keyboard.press("1")
    page.wait_for_url("**values=ratings*")
    assert values_in(page.url).startswith("ratings:1412--")
    expect(page.get_by_role("textbox", name="Ana, Comet")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("textbox", name="Ana, Dunes")).to_be_focused()


def test_a_list_is_dragged(empty_server: Server, page: Page) -> None:
    opened(page, empty_server, "metrics.hits")
    arrived(page, lesson("metrics"), "hits")
    films = page.locator(".order li")
    films.nth(9).drag_to(films.nth(0))
    expect(films.nth(0)).to_contain_text("Lagoon")
    page.wait_for_url("**values=order*")
    assert values_in(page.url) == "order:9.0.1.2.3.4.5.6.7.8"


def test_the_map_fits_a_phone_and_notes_what_is_done(empty_server: Server, phone: Page) -> None:
    opened(phone, empty_server, "", learned="decoding.done;gradient.size")
    expect(phone.get_by_text(f"1 of {len(lessons())} lessons done")).to_be_visible()
    clean_in_both_schemes(phone)
    phone.get_by_role("button", name="Continue: 8").click()
    arrived(phone, lesson("gradient"), "size")


@pytest.mark.parametrize("key", PROJECTED)
def test_a_teacher_projects_a_lesson_and_prints_its_solutions(
    empty_server: Server, page: Page, key: str, tmp_path: Path
) -> None:
    """From the first step to the last by Page Down, in large type without the sidebar; then a PDF, with nothing cut."""
    of = lesson(key)
    opened(page, empty_server, f"{key}.{of.step_keys[0]}", values=locked(of))
    arrived(page, of, of.step_keys[0])
    page.get_by_role("button", name="Projector mode").click()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    for step, following in pairwise(of.step_keys):
        fits_the_screen(page, (key, step, "projected"))
        turned(page, "PageDown", of, following)
    is_clean(page, (key, "projected"))
    page.get_by_role("button", name="Worksheet").click()
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Solutions (HTML)").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Leave projector mode").click()
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    downloaded.value.save_as(sheet := tmp_path / "solutions.html")
    is_printed_whole(page.context.new_page(), of, sheet)


def squeezed(text: str) -> str:
    """Return a text without spaces, line breaks and ligatures, which paper has elsewhere."""
    return "".join(normalize("NFKC", text).split())


def is_printed_whole(sheet: Page, of: Lesson, file: Path) -> None:
    """Print solutions with the default settings of a browser: every sentence is there, each picture on one page."""
    sheet.goto(file.as_uri())
    sheet.emulate_media(media="print")
    sheet.set_viewport_size(PAPER)
    expect(sheet.locator(".parts section")).not_to_have_count(0)
    assert sheet.evaluate(CUT) == {"wide": 0, "split": 0, "pale": False}, of.key
    margin = PdfMargins(top="1cm", right="1cm", bottom="1cm", left="1cm")
    pages = PdfReader(BytesIO(sheet.pdf(format="A4", margin=margin))).pages
    texts = [squeezed(page.extract_text()) for page in pages]
    assert len(of.steps) / 3 <= len(texts) <= len(of.steps) + 1, (of.key, len(texts))
    assert all(texts), f"{of.key}: an empty page"
    printed = "".join(texts)
    told = [*sheet.evaluate(SENTENCES), *(check.why for check in of.checks)]
    assert [one for one in told if squeezed(one) not in printed] == [], of.key
    sheet.close()
