"""The Attention page in a browser: the bundled example, heads, steps, keyboard, files, and trained models."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from recsys_core.contracts import AttentionTrace
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.explain.attention import Attended
from recsys_core.viz.attention import links_data
from recsys_core.viz.components import LINKS
from tests.e2e.conftest import (
    Server,
    axe_findings,
    clean_in_every_look,
    draw_lazy_sections,
    fits,
    serve,
    settled,
)
from tests.traces import causal_trace

pytestmark = pytest.mark.e2e
LONG_MS = 90_000
WORDS = ("title", "steps", "items", "head", "only", "all", "looks", "looked", "how", "fold", "svg", "png")
BEGINNINGS = {
    "Chart (PNG)": b"\x89PNG",
    "Chart (SVG)": b"<svg",
    "Chart (HTML)": b"<!doctype html>",
    "Data (CSV)": b"\xef\xbb\xbf",
}
SMALL = {"embedding_dim": 16, "epochs": 2, "max_length": 20, "batch_size": 16, "patience": 0}


def opened(page: Page, server: Server, address: str = "") -> None:
    """Open the page and wait until its first figure is drawn."""
    page.goto(f"{server.url}/attention{address}")
    expect(page.locator(".attention svg g.node").first).to_be_visible(timeout=LONG_MS)
    settled(page)


def test_the_first_visit_shows_the_example_in_every_look(empty_server: Server, page: Page) -> None:
    opened(page, empty_server)
    expect(page.get_by_text("This is a finished example")).to_be_visible()
    draw_lazy_sections(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.locator(".stages .place")).to_have_text("1 of 10")
    settled(page)
    clean_in_every_look(page)


def test_heads_are_switched_and_everything_follows(empty_server: Server, page: Page) -> None:
    opened(page, empty_server)
    heads = page.locator(".attention .thumb")
    expect(heads).to_have_count(4)
    sentence = page.get_by_text("Largest weight:")
    before = sentence.inner_text()
    page.get_by_role("button", name="only this: Layer 2, head 1").click()
    expect(page.locator(".attention .thumb[aria-pressed=true]")).to_have_count(1)
    expect(sentence).not_to_have_text(before)
    heads.nth(0).click()
    expect(page.locator(".attention .thumb[aria-pressed=true]")).to_have_count(2)
    page.get_by_role("button", name="All on").click()
    expect(page.locator(".attention .thumb[aria-pressed=true]")).to_have_count(4)
    expect(sentence).to_have_text(before)


def test_a_switch_of_heads_leaves_the_step_where_it_is_and_is_in_the_file(
    empty_server: Server, page: Page, tmp_path: Path
) -> None:
    opened(page, empty_server, "?view=whole")
    for _ in range(3):
        page.locator(".stages").get_by_role("button", name="Forward").click()
    words = page.locator(".stages .words")
    before = words.inner_text()
    page.get_by_role("button", name="only this: Layer 2, head 1").click()
    expect(words).not_to_have_text(before)
    expect(page.locator(".stages .place")).to_have_text("4 of 10")
    settled(page)
    open_files(page, 0)
    with page.expect_download() as taken:
        page.get_by_role("button", name="Chart (HTML)").click()
    alone = stand_alone(page, Path(taken.value.path()), tmp_path / "lines.html")
    expect(alone.locator(".thumb")).to_have_count(4)
    expect(alone.locator(".thumb[aria-pressed=true]")).to_have_attribute("aria-label", "Layer 2, head 1")


def test_titles_of_wide_letters_stay_within_their_column(page: Page, tmp_path: Path) -> None:
    titles = (
        "千と千尋の神隠しと長い名前の続きの物語",
        "霸王别姬以及一个非常长的标题用来测试",
        "기생충 그리고 아주 긴 제목의 이야기",
    )
    found = Attended(causal_trace([0, 1, 2], 24), titles, ("0", "1", "2"), dict.fromkeys(range(24), titles[0]))
    path = tmp_path / "wide.html"
    path.write_text(LINKS.page(links_data(found, dict.fromkeys(WORDS, "words"), "file"), "Wide"), encoding="utf-8")
    for width in (1000, 400):
        page.set_viewport_size({"width": width, "height": 600})
        page.goto(path.as_uri())
        expect(page.locator(".attention g.node")).to_have_count(6)
        beyond = page.locator(".attention g.node").evaluate_all(  # by count: fonts for these scripts may be missing
            "all => all.filter(one => [...one.querySelector('text').textContent].length * 13"
            " > one.querySelector('.ground').getBBox().width).length"
        )
        assert beyond == 0


def test_groups_of_a_long_history_are_opened_by_click_and_key(page: Page, tmp_path: Path) -> None:
    titles = tuple(f"Film {item + 1}" for item in range(60))
    found = Attended(
        causal_trace([item % 24 for item in range(60)], 24), titles, titles, dict.fromkeys(range(24), "Film")
    )
    path = tmp_path / "long.html"
    path.write_text(LINKS.page(links_data(found, dict.fromkeys(WORDS, "words"), "file"), "Long"), encoding="utf-8")
    page.goto(path.as_uri())
    items, groups = page.locator(".attention g.item"), page.locator(".attention g.item[aria-expanded]")
    expect(items).to_have_count(26)
    expect(groups).to_have_count(2)
    groups.first.click()
    expect(items).to_have_count(44)
    expect(items.nth(1).locator("text").first).to_have_text("Film 1")
    expect(items.nth(1).locator("title")).to_have_text("Film 1")
    expect(page.locator(".attention g.item:focus")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    expect(items).to_have_count(26)
    expect(page.locator(".attention g.item:focus")).to_have_attribute("aria-expanded", "false")


def test_a_part_of_the_attention_reads_neither_as_nothing_nor_as_all(page: Page, tmp_path: Path) -> None:
    weights = np.array([[1.0, 0.0], [0.99996, 0.00004]])[None, None]
    trace = AttentionTrace(np.arange(2), weights, True, np.zeros((2, 1), int), np.zeros((2, 1)))
    data = links_data(Attended(trace, ("A", "B"), ("A", "B"), {0: "A", 1: "B"}), dict.fromkeys(WORDS, "words"), "file")
    path = tmp_path / "part.html"
    path.write_text(LINKS.page(data, "Part"), encoding="utf-8")
    page.goto(path.as_uri())
    for step, texts in ((0, ["100%", ""]), (1, ["> 99.9%", "< 0.1%"])):
        page.locator(f".attention g.node[data-name=step{step}]").hover()
        expect(page.locator(".attention g.item .number")).to_have_text(texts)


def test_the_lines_are_read_by_keys_alone(empty_server: Server, page: Page) -> None:
    """Tab focuses the figure, arrow keys move between and across items, Enter pins, Escape releases."""
    opened(page, empty_server)
    page.get_by_role("button", name="All on").focus()
    page.keyboard.press("Tab")
    focused = page.locator(".attention g.node:focus")
    expect(focused).to_have_attribute("data-name", "step9")
    page.keyboard.press("ArrowUp")
    expect(focused).to_have_attribute("data-name", "step8")
    expect(page.locator(".attention .said")).to_contain_text("attends most to")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("data-name", re.compile(r"item\d"))
    expect(page.locator(".attention .said")).to_contain_text("is attended to most from")
    page.keyboard.press("Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("End")
    expect(focused).to_have_attribute("data-name", "item9")
    page.keyboard.press("Home")
    expect(focused).to_have_attribute("data-name", "item0")


def test_pointing_isolates_and_a_press_keeps(empty_server: Server, page: Page) -> None:
    opened(page, empty_server)
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


def test_the_steps_go_to_the_end_and_back_and_play(empty_server: Server, page: Page) -> None:
    opened(page, empty_server, "?example=seq2seq")
    draw_lazy_sections(page)
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


def test_heads_and_steps_are_reached_by_keys_alone(empty_server: Server, page: Page) -> None:
    opened(page, empty_server, "?view=whole")
    page.get_by_role("radio", name="A finished example").focus()
    thumb = page.locator(".attention .thumb").first
    for _ in range(12):
        page.keyboard.press("Tab")
        if thumb.evaluate("one => one.matches(':focus')"):
            break
    expect(thumb).to_be_focused()
    page.keyboard.press("Space")
    expect(thumb).to_have_attribute("aria-pressed", "false")
    page.locator(".attention .tools button").last.focus()
    play = page.locator(".stages .play")
    for _ in range(10):
        page.keyboard.press("Tab")
        if play.evaluate("one => one.matches(':focus')"):
            break
    expect(play).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".stages .place")).to_have_text("2 of 10")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".stages .place")).to_have_text("3 of 10")


def test_every_picture_and_its_numbers_can_be_taken_away(empty_server: Server, page: Page, tmp_path: Path) -> None:
    opened(page, empty_server, "?view=whole")
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=LONG_MS)
    settled(page)
    drawn, plotted = ("Chart (HTML)", "Data (CSV)"), ("Chart (PNG)", "Chart (SVG)", "Chart (HTML)", "Data (CSV)")
    for number, names in enumerate((drawn, drawn, plotted, plotted)):
        for name in names:
            open_files(page, number)
            with page.expect_download() as taken:
                page.get_by_test_id("stPopoverBody").get_by_role("button", name=name).click()
            content = Path(taken.value.path()).read_bytes()
            assert content.startswith(BEGINNINGS[name]), name
            assert len(content) > 300
            if name == "Chart (HTML)" and names is drawn:
                stand_alone(page, Path(taken.value.path()), tmp_path / f"{number}.html").close()


def open_files(page: Page, number: int) -> None:
    """Open the menu with the files of a figure."""
    page.keyboard.press("Escape")  # closes another one
    expect(page.get_by_role("button", name="Data (CSV)")).to_have_count(0)
    page.get_by_test_id("stPopover").get_by_role("button", name="Download").nth(number).click()


def stand_alone(page: Page, downloaded: Path, path: Path) -> Page:
    """Open a saved figure alone: it renders without a server."""
    path.write_bytes(downloaded.read_bytes())
    other = page.context.new_page()
    other.goto(path.as_uri())
    expect(other.locator(".attention g.node, .stages li").first).to_be_visible()
    return other


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with one experiment of all attention models, and the URLs of the models by key."""
    root = tmp_path_factory.mktemp("attention") / "workspace"
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(load_sample("tiny")).fingerprint
    models = [{"key": key, "config": SMALL} for key in ("sasrec", "seq2seq", "interest_attention")]
    run = store.create(ExperimentSpec.model_validate({"data": data, "models": models}), "Attention")
    ids = {}
    for model in run.spec.models:
        status = execute(store, run.id, model.id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
        ids[model.key] = f"?data={data}&run={run.id}&model={model.id}"
    return root, ids


@pytest.fixture(scope="session")
def trained_server(
    trained_template: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server with these models, for tests that only read them."""
    folder = tmp_path_factory.mktemp("attention-server")
    shutil.copytree(trained_template[0], folder / "workspace")
    yield from serve(folder)


@pytest.fixture
def trained(trained_template: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """The URLs of the models by key."""
    return trained_template[1]


def to_the_end_and_back(stages: Locator) -> None:
    """Go through all steps, forward and back; each shows something."""
    place, back, forward = (
        stages.locator(".place"),
        *(stages.get_by_role("button", name=n) for n in ("Back", "Forward")),
    )
    last = int(place.inner_text().split()[-1])
    assert last > 2
    for number in range(2, last + 1):
        forward.click()
        expect(place).to_have_text(f"{number} of {last}")
        expect(stages.locator(".right li").first).to_be_visible()
    expect(forward).to_be_disabled()
    for number in range(last - 1, 0, -1):
        back.click()
        expect(place).to_have_text(f"{number} of {last}")
    expect(back).to_be_disabled()


@pytest.mark.parametrize("key", ["sasrec", "seq2seq"])
def test_a_trained_model_is_asked_and_nothing_is_wrong(
    key: str, trained: dict[str, str], trained_server: Server, page: Page
) -> None:
    """Lines, steps, the map, and influence beside attention; wide and narrow; steps to the end and back."""
    opened(page, trained_server, trained[key])
    expect(page.get_by_text("This is a finished example")).to_have_count(0)
    draw_lazy_sections(page)
    expect(page.get_by_text("The top recommendation is")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    settled(page)
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        fits(page, width)
        assert axe_findings(page) == [], width
    to_the_end_and_back(page.locator(".stages"))
    open_files(page, 1)
    with page.expect_download() as taken:
        page.get_by_role("button", name="Data (CSV)").click()
    header = Path(taken.value.path()).read_text(encoding="utf-8-sig").splitlines()[0]
    assert header.startswith("step,output,quantity," if key == "seq2seq" else "step,after,rank,")


def test_a_history_by_hand_is_read_by_a_trained_model_with_points(
    trained: dict[str, str], trained_server: Server, page: Page
) -> None:
    """A user's history is copied, shortened and reversed; then the points of interest step by step."""
    opened(page, trained_server, trained["interest_attention"])
    page.get_by_role("button", name="Edit as a custom history").click()
    removers = page.get_by_role("button", name=re.compile("^Remove "))
    expect(removers.first).to_be_visible()
    settled(page)
    count = removers.count()
    removers.last.click()
    expect(removers).to_have_count(count - 1)
    items = page.locator(".attention g.node.item")
    expect(items).to_have_count(count - 1, timeout=LONG_MS)
    first = items.first.locator("title").text_content()
    page.get_by_role("button", name="Reverse the order").click()
    expect(items.last.locator("title")).to_have_text(str(first), timeout=LONG_MS)
    settled(page)
    draw_lazy_sections(page)
    points = page.locator(".stages").first
    to_the_end_and_back(points)
    assert axe_findings(page) == []
