"""Latency of the page Learn: first paint of a lesson, its reaction to a control, and chapters of the document.

The app is started as by `make run`, on a new workspace, and driven in the system's Chromium. The server is warm: every
lesson was opened once, and every measured value of a control was set once, so that compiled loops, torch and its
trained networks are there; what a learner sees after that is measured.

    first paint   from the click on a lesson of the map until its picture is drawn and the script has ended
    by link       from the request for the lesson's address until the same, in a browser that has the app in its cache
    reaction      from the key or click on a control until the script has ended and the changed page is painted
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.pages import served
from benchmarks.table import Row
from recsys_core.lessons.controls import Choice, Slider
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.registry import lessons
from recsys_core.lessons.source.parts import PARTS
from tests.e2e.conftest import FLAGS, chromium, settled

REPEATS, REACTIONS = 5, 20
PAINT_MS, REACTION_MS, TORCH_REACTION_MS = 1000.0, 150.0, 400.0
FIRST_NETWORK_MS = 120_000
PAUSE_MS = 250
"""Pause between two measurements, so that nothing of the one before is still on its way."""
SETTLED = """const app = document.querySelector("[data-testid=stApp]");
  const isSettled = app?.dataset.testScriptState === "notRunning" && !app.querySelector("[data-stale=true]");"""
PICTURE = f"""() => {{
  {SETTLED}
  const parts = [...document.querySelectorAll(".st-key-learn_picture *")]
    .some(one => (one.shadowRoot ?? one).querySelector(".parts section"));
  return parts && isSettled && performance.now();
}}"""
"""Milliseconds since the page was requested, once the picture of a lesson is drawn and the script has ended."""
CHAPTER = f"""() => {{
  {SETTLED}
  return document.querySelector(".st-key-learn_after_below button") && isSettled && performance.now();
}}"""
"""The same for a chapter of the document."""
OPENED = f"""selector => new Promise(resolve => {{
  const began = performance.now(), drawn = {PICTURE};
  const look = () => drawn() ? resolve(performance.now() - began) : requestAnimationFrame(look);
  document.querySelector(selector).click();
  requestAnimationFrame(look);
}})"""
"""Clicks a lesson on the map and returns the milliseconds until its picture is drawn."""
ARM = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  window.reaction = new Promise(resolve => {
    let began = null, ran = false;
    const start = () => { began ??= performance.now(); };
    for (const event of ["click", "keydown"]) document.addEventListener(event, start, { capture: true, once: true });
    const watch = new MutationObserver(() => {
      if (app.dataset.testScriptState !== "notRunning") { ran = true; return; }
      if (!ran || began === null) return;
      watch.disconnect();
      requestAnimationFrame(() => resolve(performance.now() - began));
    });
    watch.observe(app, { attributeFilter: ["data-test-script-state"] });
  });
}"""
"""Measures from the next click or key until the script that it starts has ended."""


@dataclass(frozen=True)
class Control:
    """A control of a lesson in the browser: the step that offers it, and its element."""

    step: str
    selector: str
    is_slider: bool


def run() -> list[Row]:
    """Measure every lesson, then the chapters of the source document."""
    with sync_playwright() as playwright, served() as (server, _began):
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            page = _page(browser)
            for of in lessons():
                _open(page, server.url, of)
            return [*(_lesson(page, server.url, of) for of in lessons()), _document(page, server.url)]
        finally:
            browser.close()


def _page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1280, "height": 800})


def _open(page: Page, url: str, of: Lesson, step: str = "") -> None:
    _load(page, f"{url}/learn?lesson={of.key}{'.' + step if step else ''}&values={_guesses(of)}", PICTURE)


def _load(page: Page, address: str, drawn: str) -> float:
    """Request an address; return the milliseconds until it is drawn."""
    page.goto(address, wait_until="commit")
    milliseconds: float = page.wait_for_function(drawn, timeout=FIRST_NETWORK_MS).json_value()
    return milliseconds


def _guesses(of: Lesson) -> str:
    """Return the code that reveals every step."""
    return ";".join(f"guess.{step.key}:{next(iter(step.predict.options))}" for step in of.steps if step.predict)


def _lesson(page: Page, url: str, of: Lesson) -> Row:
    by_link, from_map = [], []
    for _repeat in range(REPEATS):
        by_link.append(_load(page, f"{url}/learn?lesson={of.key}", PICTURE))
        page.goto(f"{url}/learn")
        expect(page.locator(f".st-key-learn_open_{of.key}")).to_be_visible()
        settled(page)
        page.wait_for_timeout(PAUSE_MS)
        from_map.append(float(page.evaluate(OPENED, f".st-key-learn_open_{of.key} button")))
    reactions = _reactions(page, url, of)
    paint, link, p95 = float(np.median(from_map)), float(np.median(by_link)), float(np.percentile(reactions, 95))
    most = TORCH_REACTION_MS if of.runtime == "torch" else REACTION_MS
    measured = (
        f"first paint {paint:.0f} ms, by link {link:.0f} ms (medians of {REPEATS}); reaction p95 {p95:.0f} ms, "
        f"median {np.median(reactions):.0f} ms ({len(reactions)} reactions)"
    )
    return Row(
        f"lesson {of.number}, {of.title}",
        f"first paint under {PAINT_MS:.0f} ms, reaction p95 under {most:.0f} ms",
        measured,
        max(paint, link) < PAINT_MS and p95 < most,
    )


def _reactions(page: Page, url: str, of: Lesson) -> list[float]:
    """Return the milliseconds of reactions, spread over the controls of the lesson."""
    controls = list(_controls(of))
    times: list[float] = []
    for control in controls:
        _open(page, url, of, control.step)
        for is_measured in (False, True):  # the first round sets every value once
            for number in range(max(2, -(-REACTIONS // len(controls)))):
                page.wait_for_timeout(PAUSE_MS)
                time = _react(page, control, number)
                times += [time] if is_measured else []
    return times


def _controls(of: Lesson) -> Iterator[Control]:
    """Yield every slider and choice of a lesson, in the first step that offers it."""
    for control in of.controls:
        step = next((step for step in of.steps if control.key in step.controls), None)
        if step is not None and isinstance(control, Slider | Choice):
            yield Control(step.key, f".st-key-learn_{of.key}_{control.key}", isinstance(control, Slider))


def _react(page: Page, control: Control, number: int) -> float:
    """Change a control; return the milliseconds until the page has changed."""
    page.evaluate(ARM)
    if control.is_slider:  # to and fro: the first value has no value before it
        slider = page.locator(f"{control.selector} [role=slider]")
        slider.focus()
        at_end = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
        page.keyboard.press("ArrowLeft" if at_end or number % 2 else "ArrowRight")
    else:
        options = page.locator(f"{control.selector} button")
        chosen = [one.get_attribute("aria-checked") == "true" for one in options.all()]
        options.nth((chosen.index(True) + 1) % len(chosen) if True in chosen else 0).click()
    return float(page.evaluate("window.reaction"))


def _document(page: Page, url: str) -> Row:
    """Time every chapter of the source document, by its link."""
    times = {}
    for part in PARTS:
        for _repeat in range(2):  # the second time, the server is warm
            times[part.key] = _load(page, f"{url}/learn?section={part.key}", CHAPTER)
    worst = max(times, key=lambda key: times[key])
    return Row(
        f"source document, {len(PARTS)} chapters by link",
        f"under {PAINT_MS:.0f} ms",
        f"median {np.median(list(times.values())):.0f} ms, the longest ({worst}) {times[worst]:.0f} ms",
        max(times.values()) < PAINT_MS,
    )
