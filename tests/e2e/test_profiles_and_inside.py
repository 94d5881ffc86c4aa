"""Users, Items and Inside in a browser: with all tables, with demographics, without a user table, and with friends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pages.train_parts.algorithm_list import CHOSEN_AT_FIRST
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from tests.e2e.conftest import Server, axe_findings, draw_lazy_sections, horizontal_overflow, serve, settled

pytestmark = pytest.mark.e2e
LONG_MS = 60_000
SMALL_MF = {"key": "biased_mf", "config": {"factors": 8, "epochs": 3}}
SMALL_LFM = {"key": "lfm", "config": {"epochs": 2}}
FILES = {
    "ml-100k": ("u.data", "u.user", "u.item"),
    "ml-latest-small": ("ratings.csv", "movies.csv"),
    "lastfm-2k": ("user_artists.dat", "user_friends.dat", "artists.dat"),
}
MODELS: dict[str, list[dict[str, object]]] = {
    "world": [{"key": "user_knn"}, SMALL_LFM, {"key": "social_knn"}, {"key": "content_mean"}],
    "ml-100k": [{"key": "ease"}, SMALL_MF],
    "ml-latest-small": [{"key": "item_knn"}],
    "lastfm-2k": [{"key": "social_knn"}],
}


def stored(name: str, workspace: Workspace, public_data: Callable[[str], Path]) -> str:
    """Store one of the data sets and return its fingerprint."""
    if name == "world":
        return workspace.store(load_sample("small")).fingerprint
    guesses = inspect_files([public_data(f"{name}/{file}") for file in FILES[name]])
    return ingest(guesses, suggest_rules(guesses), workspace, name)[0].fingerprint


def trained(data: str, name: str, workspace: Workspace) -> Run:
    """Train the models of a data set in this process."""
    store = ResultStore(workspace.root)
    spec = ExperimentSpec.model_validate({"data": data, "models": MODELS[name], "relevant_from": None})
    run = store.create(spec, name)
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return run


def clean(page: Page, where: str) -> None:
    """Check the whole page, from top to bottom."""
    settled(page)
    draw_lazy_sections(page)
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=LONG_MS)
    settled(page)
    assert horizontal_overflow(page) <= 0, where
    assert axe_findings(page) == [], where


@pytest.fixture(scope="module")
def growing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server, in whose workspace each test stores a data set and an experiment of its own."""
    yield from serve(tmp_path_factory.mktemp("profiles"))


@pytest.mark.public_data
@pytest.mark.parametrize("name", MODELS)
def test_profiles_and_what_models_hold(
    name: str, growing_server: Server, page: Page, public_data: Callable[[str], Path]
) -> None:
    """With the sample, lazy sections are drawn when scrolled into view; with the others, all immediately."""
    whole = "" if name == "world" else "&view=whole"
    server, workspace = growing_server, Workspace(growing_server.workspace)
    data = stored(name, workspace, public_data)
    run = trained(data, name, workspace)
    page.goto(f"{server.url}/users?data={data}{whole}")
    expect(page.get_by_role("heading", name="Most similar users")).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_role("heading", name="Map of all users")).to_be_visible(timeout=LONG_MS)
    clean(page, f"users of {name}")
    page.get_by_role("tab", name="Segments").click()
    expect(page.get_by_role("heading", name="Segment 1")).to_be_visible(timeout=LONG_MS)
    clean(page, f"segments of {name}")
    page.goto(f"{server.url}/items?data={data}{whole}")
    expect(page.get_by_role("heading", name="Most similar items")).to_be_visible(timeout=LONG_MS)
    clean(page, f"items of {name}")
    for model in run.model_ids:
        page.goto(f"{server.url}/inside?data={data}&run={run.id}&model={model}{whole}")
        expect(page.locator("[data-testid=stMain]")).to_contain_text("in the history", timeout=LONG_MS)
        clean(page, f"{model} on {name}")


@pytest.mark.public_data
def test_friends_from_the_upload_to_the_graph_of_one_user(
    server: Server, page: Page, public_data: Callable[[str], Path]
) -> None:
    """Upload ratings and links, view friend recommendations, train a social model, and view its graph."""
    page.goto(f"{server.url}/data")
    settled(page)
    page.locator("input[type=file]").set_input_files(
        [str(public_data(f"filmtrust/{file}.txt")) for file in ("ratings", "trust")]
    )
    page.get_by_role("button", name="Check these files").click()
    page.get_by_role("button", name="Store", exact=True).click()
    expect(page.get_by_text("is stored")).to_be_visible(timeout=LONG_MS)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Users").click()
    page.get_by_role("tab", name="Friend recommendations").click()
    expect(page.get_by_role("heading", name="Evaluation on held-out links")).to_be_visible(timeout=LONG_MS)
    settled(page)
    train_only(page, "social_knn")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Inside").click()
    expect(page.locator(".st-key-inside_view_graph .js-plotly-plot")).to_be_visible(timeout=LONG_MS)


def train_only(page: Page, key: str) -> None:
    """Select one model besides the baselines, train, and wait for the end."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", name="2. Models")).to_be_visible(timeout=LONG_MS)
    draw_lazy_sections(page)
    for other in (*CHOSEN_AT_FIRST, key):
        card = page.locator(f".st-key-algorithm_{other}_use")
        if card.get_by_role("checkbox").is_checked() != (other == key):
            card.locator("label").click()
            settled(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("3 models: 3 done")).to_be_visible(timeout=3 * LONG_MS)
