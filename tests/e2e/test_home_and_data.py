"""Home, Data and Explore in a browser: with data and experiments, in every width and scheme, and their links."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
from playwright.sync_api import Page, expect

from recsys_core.data import dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.serving.reader_pool import READER
from tests.e2e.conftest import (
    PATIENCE_MS,
    Server,
    choose,
    clean_in_every_look,
    draw_lazy_sections,
    settled,
)
from tests.engine.support import eventually
from tests.pages.finished import EVIL, Finished

pytestmark = pytest.mark.e2e
Start = Callable[[], Server]
RATINGS = "user,item,rating,timestamp\n" + "".join(
    f"u{user},m{item},{1 + (user + item) % 5},{1_600_000_000 + user * 1000 + item}\n"
    for user in range(30)
    for item in range(10)
)


def clean(page: Page, where: str) -> None:
    settled(page)
    clean_in_every_look(page, where)


def test_pages_with_data_are_clean_in_every_look(
    finished_template: Finished, finished_server: Server, page: Page, tmp_path: Path
) -> None:
    finished, server = finished_template, finished_server
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS + "u1,m1\n")
    page.goto(server.url)
    expect(page.get_by_text("5 done")).to_be_visible()
    clean(page, "home")
    page.goto(f"{server.url}/explore?data={finished.data}")
    expect(page.get_by_role("heading", name="Which users are outliers?")).to_be_visible()
    figures = page.locator(".js-plotly-plot")
    expect(figures.first).to_be_visible(timeout=3 * PATIENCE_MS)
    draw_lazy_sections(page)
    expect(figures).to_have_count(8)
    clean(page, "explore")
    for name, heading in (("train", "2. Models"), ("compare", "Download"), ("recommend", "User")):
        page.goto(f"{server.url}/{name}?data={finished.data}&run={finished.run}")
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        settled(page)
        draw_lazy_sections(page)
        clean(page, name)
    page.goto(f"{server.url}/data?data={finished.data}")
    expect(page.get_by_text("Density", exact=True).first).to_be_visible()  # the number, and soon the term
    clean(page, "data card")
    page.get_by_role("button", name="Upload other data").click()
    for tab in ("Sample data", "Public data sets", "My files"):
        page.get_by_role("tab", name=tab).click()
        clean(page, tab)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Check these files").click()
    expect(page.locator(".st-key-check_numbers")).to_contain_text("301")
    clean(page, "check")


def test_a_title_from_outside_is_shown_letter_by_letter(own_workspace: Path, start: Start, page: Page) -> None:
    """The malicious title is in a sentence and a figure; none of it is rendered as bold text, a link or a formula."""
    frame = pd.DataFrame({"user": [*range(10), *range(10), *range(10, 20)], "item": [0] * 10 + [1] * 10 + [2] * 10})
    titles = pd.DataFrame({"title": [EVIL, "Good", "Other"]})
    stored = Workspace(own_workspace).store(dataset_from_frames(frame.astype("int32"), name=EVIL, items=titles))
    page.goto(f"{start().url}/explore?data={stored.fingerprint}")
    expect(page.get_by_text(f"'{EVIL}' and 'Good' have the highest lift")).to_be_visible()
    draw_lazy_sections(page)
    expect(page.locator(".js-plotly-plot text").filter(has_text=EVIL[:12]).first).to_be_visible()
    assert page.locator(".js-plotly-plot a, .js-plotly-plot text b").count() == 0
    assert page.get_by_role("link", name="link", exact=True).count() == 0
    assert page.locator(".katex").count() == 0


def test_a_file_is_checked_reloaded_and_stored(server: Server, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS + "u1,m1\n")
    page.goto(f"{server.url}/data")
    settled(page)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Check these files").click()
    expect(page.locator(".st-key-check_numbers")).to_contain_text("301")
    expect(page).to_have_url(re.compile("intake="))
    page.reload()
    expect(page.locator(".st-key-check_numbers")).to_contain_text("301")
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("'ratings' is stored.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"data=[0-9a-f]{32}"))
    with page.expect_download() as download:
        page.get_by_test_id("stPopover").get_by_role("button", name="Download").click()
        page.get_by_role("button", name="Data (CSV)").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\xef\xbb\xbfrating")
    page.get_by_test_id("stMain").get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("Second name")
    page.get_by_role("textbox", name="Name").press("Enter")
    settled(page)
    page.get_by_role("button", name="Rename", exact=True).last.click()
    expect(page.get_by_test_id("stSidebar").get_by_text("Second name")).to_be_visible()


def readers_of(server: Server) -> list[psutil.Process]:
    """Return the reader processes of a server."""
    return [child for child in psutil.Process(server.process.pid).children() if READER in " ".join(child.cmdline())]


def test_store_pressed_during_a_recount_takes_effect_after_it(server: Server, page: Page, tmp_path: Path) -> None:
    """The counting process is suspended, so the click always occurs during the recount after a change of role."""
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS)
    page.goto(f"{server.url}/data")
    settled(page)
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Check these files").click()
    expect(page.locator(".st-key-check_numbers")).to_contain_text("300")
    eventually(lambda: bool(readers_of(server)), PATIENCE_MS / 1000, "a process is ready for the next count")
    suspended = readers_of(server)
    for process in suspended:
        process.suspend()
    choose(page, "role_", "timestamp", "not used")
    expect(page.get_by_text("Counting rows")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("will be stored as soon as its rows are counted")).to_be_visible()
    for process in suspended:
        process.resume()
    expect(page.get_by_text("'ratings' is stored.")).to_be_visible()


@pytest.mark.usefixtures("warm")
def test_one_click_on_home_leads_to_a_leaderboard(server: Server, page: Page) -> None:
    page.goto(server.url)
    settled(page)
    page.get_by_role("button", name="Run the comparison").click()
    expect(page.get_by_text("the leaderboard opens automatically")).to_be_visible()
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=120_000)
    expect(page).to_have_url(re.compile(r"/compare\?.*run="))
    settled(page)
