"""Latency of the page Learn: first paint of a lesson, its reaction to a control, and chapters of the document.

The app is started as by `make run`, on a new workspace, and driven in the system's Chromium. The server is warm: every
lesson was opened once, and every measured value of a control was set once, so that compiled loops, torch and its
trained networks are there; what a learner sees after that is measured.

    first paint   from the click on a lesson of the map until its picture is drawn and the script has ended
    by link       from the request for the lesson's address until the same, in a browser that has the app in its cache
    reaction      from the key or click on a control until the script has ended and the changed page is painted

The first row is a Streamlit page with a slider and one number, measured the same way: no page of the app can be faster,
and on a busy machine it says by how much all figures are too large.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.pages import served
from benchmarks.table import Row
from recsys_core.lessons.controls import Choice, Slider
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.registry import lessons
from recsys_core.lessons.source.parts import PARTS
from tests.e2e.conftest import FLAGS, ROOT, chromium

REPEATS, REACTIONS = 3, 40
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
MAP = CHAPTER.replace("learn_after_below", "learn_open_whole_list")
"""The same for the map."""
OPENED = f"""selector => new Promise(resolve => {{
  const began = performance.now(), drawn = {PICTURE};
  const look = () => drawn() ? resolve(performance.now() - began) : requestAnimationFrame(look);
  document.querySelector(selector).click();
  requestAnimationFrame(look);
}})"""
"""Clicks a lesson on the map and returns the milliseconds until its picture is drawn."""
ARM = """watched => {
  const app = document.querySelector("[data-testid=stApp]");
  window.reaction = new Promise(resolve => {
    let began = null, ran = false;
    const start = () => { began ??= performance.now(); };
    for (const event of ["click", "keydown"]) document.addEventListener(event, start, { capture: true, once: true });
    const look = () => {
      ran ||= app.dataset.testScriptState !== "notRunning";
      if (!ran || began === null || app.dataset.testScriptState !== "notRunning") return;
      state.disconnect();
      changes.disconnect();
      requestAnimationFrame(() => resolve(performance.now() - began));
    };
    const state = new MutationObserver(look);
    state.observe(app, { attributeFilter: ["data-test-script-state"] });
    const byList = ["aria-hidden", "inert"];
    const changes = new MutationObserver(seen => {
      if (seen.every(one => byList.includes(one.attributeName))) return;
      ran = true;
      look();
    });
    for (const place of document.querySelectorAll(watched))
      for (const one of [place, ...place.querySelectorAll("*")])
        changes.observe(one.shadowRoot ?? one, {
          childList: true, characterData: true, subtree: true, attributes: true });
    setTimeout(() => resolve(null), 10000);
  });
}"""
"""Measures from the next click or key until the script that it starts has ended; null if it starts none.

A script may end before the browser notices that it runs: then the change of a watched element shows that it ran; a list
that opens or closes changes some attributes of all elements.
"""
WATCHED = ".st-key-learn_formula, .st-key-learn_finding, .st-key-learn_picture"
MINIMAL_APP = """import streamlit as st

@st.fragment
def body():
    st.select_slider("Value", list(range(40)), key="slider")
    st.container(key="learn_after_below").button("Button")
    st.container(key="learn_formula").latex(st.session_state["slider"])

body()
"""


@dataclass(frozen=True)
class Control:
    """A control of a lesson in the browser: the step that offers it, and its element."""

    step: str
    selector: str
    is_slider: bool


def run() -> list[Row]:
    """Measure a minimal page, every lesson, then the chapters of the source document."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            lower_bound = _minimal(_page(browser))
            with served() as (server, _began):
                page = _page(browser)
                for of in lessons():
                    _open(page, server.url, of)
                return [lower_bound, *(_lesson(page, server.url, of) for of in lessons()), _document(page, server.url)]
        finally:
            browser.close()


def _minimal(page: Page) -> Row:
    """Measure a minimal page."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(MINIMAL_APP)
        shutil.copytree(ROOT / ".streamlit", Path(folder) / ".streamlit")
        with served(Path(folder)) as (server, _began):
            loads = [_load(page, server.url, CHAPTER) for _repeat in range(REPEATS + 1)][1:]
            control = Control("", ".st-key-slider", is_slider=True)
            reactions = [_react(page, control, number) for number in range(REACTIONS + 1)][1:]
    measured = (
        f"by link {np.median(loads):.0f} ms (median of {REPEATS}); reaction p95 {np.percentile(reactions, 95):.0f} ms, "
        f"median {np.median(reactions):.0f} ms ({REACTIONS} reactions)"
    )
    return _told(Row("minimal Streamlit page", "lower bound", measured, True))


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
        _load(page, f"{url}/learn", MAP)
        page.wait_for_timeout(PAUSE_MS)
        from_map.append(float(page.evaluate(OPENED, f".st-key-learn_open_{of.key} button")))
    reactions = _reactions(page, url, of)
    paint, link, p95 = float(np.median(from_map)), float(np.median(by_link)), float(np.nanpercentile(reactions, 95))
    lost = int(np.isnan(reactions).sum())
    most = TORCH_REACTION_MS if of.runtime == "torch" else REACTION_MS
    measured = (
        f"first paint {paint:.0f} ms, by link {link:.0f} ms (medians of {REPEATS}); reaction p95 {p95:.0f} ms, "
        f"median {np.nanmedian(reactions):.0f} ms ({len(reactions)} reactions, {lost} lost)"
    )
    target = f"first paint under {PAINT_MS:.0f} ms, reaction p95 under {most:.0f} ms"
    return _told(
        Row(
            f"lesson {of.number}, {of.title}", target, measured, max(paint, link) < PAINT_MS and p95 < most and not lost
        )
    )


def _told(row: Row) -> Row:
    """Report a row at once, since all of them take minutes."""
    print(f"  {row.what}: {row.measured}", file=sys.stderr, flush=True)
    return row


def _reactions(page: Page, url: str, of: Lesson) -> list[float]:
    """Return the milliseconds of reactions, spread over the controls of the lesson."""
    controls = list(_controls(of))
    times: list[float] = []
    for control in controls:
        _open(page, url, of, control.step)
        for is_measured in (False, True):  # the first round sets every value once
            for number in range(max(2, -(-REACTIONS // len(controls)))):
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
    """Change a control; return the milliseconds until the page has changed, NaN if it does not react."""
    page.wait_for_timeout(PAUSE_MS)
    page.evaluate(ARM, WATCHED)
    if control.is_slider:  # to and fro
        slider = page.locator(f"{control.selector} input[type=range]")
        slider.focus()
        at, low, high = slider.input_value(), slider.get_attribute("min"), slider.get_attribute("max")
        goes_down = at == high or (number % 2 == 1 and at != low)
        page.keyboard.press("ArrowLeft" if goes_down else "ArrowRight")
    elif page.locator(f"{control.selector} [role=combobox]").count():
        page.locator(f"{control.selector} [role=combobox]").click()
        page.keyboard.press("ArrowUp" if number % 2 else "ArrowDown")
        page.evaluate(ARM, WATCHED)
        page.keyboard.press("Enter")
    else:
        options = page.locator(f"{control.selector} button")
        chosen = [one.get_attribute("aria-checked") == "true" for one in options.all()]
        options.nth((chosen.index(True) + 1) % len(chosen) if True in chosen else 0).click()
    milliseconds = page.evaluate("window.reaction")
    return float("nan") if milliseconds is None else float(milliseconds)


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
