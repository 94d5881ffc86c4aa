"""A strategy of six cards in the browser: built, priced, reordered, its trail read, compared, promoted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.strategy.store import StrategyStore
from tests.e2e.conftest import PATIENCE_MS, Server, axe_findings, choose, fits, serve, settled
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e
LONG_MS = 3 * PATIENCE_MS
MODELS = ("popular", "ease")
SHOP = {"split": {"kind": "global_time"}, "target": ("purchase",), "learn_from": {"click": 1.0, "purchase": 4.0}}
CARDS = ("Filter", "Boost or bury", "Decay", "Diversity (MMR)", "Quota", "Pin")


def add(page: Page, title: str) -> None:
    page.get_by_role("button", name="Add a card").click()
    page.get_by_role("menuitem", name=f"{title}:").or_(page.get_by_role("option", name=f"{title}:")).first.click()
    expect(page.locator(".cards .title").filter(has_text=title).last).to_be_visible()
    settled(page)


def view(page: Page, name: str) -> None:
    page.get_by_test_id("stMain").get_by_role("radio", name=name, exact=True).click()
    settled(page)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory.mktemp("strategy"))


@pytest.fixture(params=["shop", pytest.param("ml-100k", marks=pytest.mark.public_data)])
def world(request: pytest.FixtureRequest, own_server: Server, public_data: Callable[[str], Path]) -> Finished:
    """Store a data set, and train two models in this process."""
    root, workspace = own_server.workspace, Workspace(own_server.workspace)
    if request.param == "shop":
        data = workspace.store(load_sample("shop")).fingerprint
    else:
        guesses = inspect_files([public_data(f"ml-100k/{name}") for name in ("u.data", "u.item")])
        data = ingest(guesses, suggest_rules(guesses), workspace, "ML-100K")[0].fingerprint
    own = SHOP if request.param == "shop" else {"split": {"kind": "ratio"}, "relevant_from": 4.0}
    spec = {"data": data, "models": [{"key": key} for key in MODELS], "k": 5, "cutoffs": (5,), **own}
    store = ResultStore(root)
    run = store.create(ExperimentSpec.model_validate(spec), request.param)
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return Finished(root, data, run.id)


def test_a_strategy_is_built_priced_compared_and_promoted(world: Finished, own_server: Server, page: Page) -> None:
    store = StrategyStore(world.root)
    before = {one.id for one in store.all()}
    page.goto(f"{own_server.url}/strategy?{urlencode(world.address())}")
    expect(page.get_by_text("No card yet")).to_be_visible(timeout=LONG_MS)
    for title in CARDS:
        add(page, title)
    titles = page.locator(".cards .title")
    expect(titles).to_have_text(list(CARDS))
    expect(page.get_by_text("95% interval").first).to_be_visible(timeout=LONG_MS)
    settled(page)
    page.get_by_role("button", name="Move up: Pin").focus()
    page.keyboard.press("Enter")
    expect(titles).to_have_text([*CARDS[:4], "Pin", "Quota"])
    settled(page)
    page.set_viewport_size({"width": 1280, "height": 1600})  # scrolling would end the drag
    settled(page)
    titles.nth(3).hover()
    page.mouse.down()
    titles.nth(0).hover()
    titles.nth(0).hover()  # a browser asks where to drop at the second move
    expect(page.locator(".card.before")).to_be_visible()
    page.mouse.up()
    expect(titles).to_have_text(["Diversity (MMR)", *CARDS[:3], "Pin", "Quota"])
    page.get_by_role("switch", name="Apply: Filter").click()
    expect(page.get_by_role("switch", name="Apply: Filter")).to_have_attribute("aria-checked", "false")
    settled(page)
    assert axe_findings(page) == []
    view(page, "Lists")
    trail = page.get_by_role("table", name="List of the strategy")
    expect(trail).to_be_visible(timeout=LONG_MS)
    expect(trail).to_contain_text("Pin 1")
    spring, summer = f"Spring {world.run}", f"Summer {world.run}"
    save(page, spring)
    [stored] = [one for one in store.all() if one.id not in before]
    page.get_by_role("switch", name="Apply: Diversity (MMR)").click()
    settled(page)
    save(page, summer)
    view(page, "Decision")
    expect(page.get_by_text("Compared with")).to_be_visible(timeout=LONG_MS)
    settled(page)
    choose(page, "strategy_compared", "Compared with", spring)
    expect(page.get_by_text("Card 1 (Diversity (MMR))")).to_be_visible(timeout=LONG_MS)
    page.get_by_role("button", name="Promote: mark as trusted").click()
    expect(page.get_by_text(f"Current version: {summer} (trusted).")).to_be_visible(timeout=LONG_MS)
    states = {one.name: one.state for one in store.all() if one.id not in before}
    assert states == {spring: "draft", summer: "trusted"}
    assert len(store.strategy(stored.id).cards) == 6
    page.set_viewport_size({"width": 400, "height": 900})
    settled(page)
    fits(page, 400)


def save(page: Page, name: str) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Save as a new strategy").click()
    expect(page.get_by_text(f"{name}, version 1 of 1.")).to_be_visible(timeout=LONG_MS)
    settled(page)
