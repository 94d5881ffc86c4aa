"""The page Attention in a browser: the example on the first visit, heads, steps, keys, files, and trained models."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recsys_core.data.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from tests.e2e.conftest import Server, axe_findings, come_near, settled, sideways

pytestmark = pytest.mark.e2e
LONG_MS = 90_000
SMALL = {"width": 16, "epochs": 2, "window": 20, "batch_size": 16, "patience": 0}


def opened(page: Page, server: Server, address: str = "") -> None:
    """Open the page and wait until its first picture is drawn."""
    page.goto(f"{server.url}/attention{address}")
    expect(page.locator(".attention svg g.node").first).to_be_visible(timeout=LONG_MS)
    settled(page)


def test_the_first_visit_shows_the_example_in_every_look(server: Server, looked_at: Page) -> None:
    page = looked_at
    opened(page, server)
    expect(page.get_by_text("This is a finished example")).to_be_visible()
    come_near(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.locator(".stages .place")).to_have_text("1 of 10")
    settled(page)
    assert sideways(page) <= 0
    assert axe_findings(page) == []


def test_heads_are_switched_and_everything_follows(server: Server, page: Page) -> None:
    opened(page, server)
    heads = page.locator(".attention .thumb")
    expect(heads).to_have_count(4)
    sentence = page.get_by_text("The strongest look:")
    before = sentence.inner_text()
    page.get_by_role("button", name="only this: Layer 2, head 1").click()
    expect(page.locator(".attention .thumb[aria-pressed=true]")).to_have_count(1)
    expect(sentence).not_to_have_text(before)
    heads.nth(0).click()
    expect(page.locator(".attention .thumb[aria-pressed=true]")).to_have_count(2)
    page.get_by_role("button", name="All on").click()
    expect(page.locator(".attention .thumb[aria-pressed=true]")).to_have_count(4)
    expect(sentence).to_have_text(before)


def test_the_lines_are_read_by_keys_alone(server: Server, page: Page) -> None:
    """Tab reaches the picture, arrows go from item to item and across, Enter pins, Escape lets go."""
    opened(page, server)
    page.get_by_role("button", name="All on").focus()
    page.keyboard.press("Tab")
    focused = page.locator(".attention g.node:focus")
    expect(focused).to_have_attribute("data-name", "step9")
    page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("data-name", "step8")
    expect(page.locator(".attention .said")).to_contain_text("looks most at")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("data-name", re.compile(r"item\d"))
    expect(page.locator(".attention .said")).to_contain_text("is looked at most from")
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("End")
    expect(focused).to_have_attribute("data-name", "item9")
    page.keyboard.press("Home")
    expect(focused).to_have_attribute("data-name", "item0")


def test_pointing_isolates_and_a_press_keeps(server: Server, page: Page) -> None:
    opened(page, server)
    lines = page.locator(".attention path.link:visible")
    everything = page.locator(".attention .picture path.link").evaluate_all(
        "all => all.filter(one => one.style.display !== 'none').length"
    )
    page.locator(".attention g.node[data-name=step4]").hover()
    expect(page.locator(".attention g.node.active")).to_have_attribute("data-name", "step4")
    drawn = page.locator(".attention .picture path.link").evaluate_all(
        "all => all.filter(one => one.style.display !== 'none').length"
    )
    assert drawn == 5 < everything
    page.locator(".attention g.node[data-name=step4]").click()
    page.mouse.move(5, 5)
    expect(page.locator(".attention g.node[data-name=step4]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".attention g.node.active")).to_have_attribute("data-name", "step4")
    assert lines.count()


def test_the_steps_go_to_the_end_and_back_and_play(server: Server, page: Page) -> None:
    opened(page, server, "?example=seq2seq")
    come_near(page)
    stages = page.locator(".stages")
    stages.scroll_into_view_if_needed()
    back, forward = (stages.get_by_role("button", name=name) for name in ("Back", "Forward"))
    expect(back).to_be_disabled()
    for number in range(2, 11):
        forward.click()
        expect(stages.locator(".place")).to_have_text(f"{number} of 10")
        expect(stages.locator(".formula")).to_contain_text(f"α({number})")
        expect(stages.locator(".right li.mark")).to_have_count(1)
    expect(forward).to_be_disabled()
    for number in range(9, 0, -1):
        back.click()
        expect(stages.locator(".place")).to_have_text(f"{number} of 10")
    stages.get_by_role("button", name="Play").click()
    expect(stages.locator(".place")).to_have_text("2 of 10")
    stages.get_by_role("button", name="Pause").click()
    stages.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(stages.locator(".place")).to_have_text("10 of 10")


def test_every_picture_and_its_numbers_can_be_taken_away(server: Server, page: Page, tmp_path: Path) -> None:
    opened(page, server, "?view=whole")
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=LONG_MS)
    settled(page)
    beginnings = {"Picture (SVG)": b"<svg", "Picture (PNG)": b"\x89PNG"}
    for name, beginning in beginnings.items():
        with page.expect_download() as taken:
            page.get_by_role("button", name=name).click()
        assert Path(taken.value.path()).read_bytes().startswith(beginning), name
    for name, count in (("Picture (HTML)", 4), ("Data (CSV)", 4)):
        buttons = page.get_by_role("button", name=name)
        expect(buttons).to_have_count(count)
        for number in range(count):
            with page.expect_download() as taken:
                buttons.nth(number).click()
            assert Path(taken.value.path()).stat().st_size > 300
            if name.startswith("Picture") and number < 2:
                stand_alone(page, Path(taken.value.path()), tmp_path / f"{number}.html")


def stand_alone(page: Page, downloaded: Path, path: Path) -> None:
    """Open a saved picture by itself: it draws without a server."""
    path.write_bytes(downloaded.read_bytes())
    other = page.context.new_page()
    other.goto(path.as_uri())
    expect(other.locator(".attention g.node, .stages li").first).to_be_visible()
    other.close()


@pytest.mark.parametrize("key", ["sasrec", "seq2seq"])
def test_a_trained_model_is_asked_and_nothing_is_wrong(
    key: str, server: Server, page: Page, own_workspace: Path
) -> None:
    """Trained on a sample: lines, steps, the map, and influence beside attention."""
    workspace, store = Workspace(own_workspace), ResultStore(own_workspace)
    data = workspace.store(load_sample("tiny")).fingerprint
    spec = ExperimentSpec.model_validate({"data": data, "models": [{"key": key, "config": SMALL}]})
    run = store.create(spec, "Attention")
    model_id = next(one for one in run.model_ids if one.startswith(key))
    status = execute(store, run.id, model_id, workspace, 1)
    assert status.state is JobState.DONE, status.reason
    opened(page, server, f"?data={data}&run={run.id}&model={model_id}")
    expect(page.get_by_text("This is a finished example")).to_have_count(0)
    come_near(page)
    expect(page.get_by_text("The model puts")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    settled(page)
    assert sideways(page) <= 0
    assert axe_findings(page) == []
