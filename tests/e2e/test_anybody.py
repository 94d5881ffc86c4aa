"""Anybody's model in a browser: a list uploaded, a program competing, a model downloaded and asked in Python."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server, axe_findings, draw_lazy_sections, fits, serve, settled
from tests.engine.support import ROOT
from tests.pages.finished import EVIL, Finished
from tests.programs import put

pytestmark = pytest.mark.e2e
K = 5
TRAINING_MS = 90_000
BUILD_MS = 600_000
USER = "person-4"
FRESH = """
import json, sys
from recsys_core.models.portable import load_model
print(json.dumps(load_model(sys.argv[1]).recommend([sys.argv[2]], k=5)["item_id"].tolist()))
"""


@pytest.fixture(scope="module")
def server(finished_template: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the finished experiment, a program of the operator, and the ready-made ones."""
    folder = tmp_path_factory.mktemp("anybody")
    shutil.copytree(finished_template.root, folder / "workspace")
    put(folder / "programs", "counter", title="Counting program")
    roots = os.pathsep.join([str(folder / "programs"), str(ROOT / "plugins")])
    yield from serve(folder, RECSCOPE_PLUGINS=roots)


def ease(finished: Finished) -> str:
    return next(one for one in finished.opened().model_ids if one.startswith("ease"))


def item_of(title: str) -> str:
    return "film-0" if title == EVIL else title.strip().replace("Film ", "film-")


def list_on_the_page(page: Page, server: Server, finished: Finished) -> list[str]:
    """The items that EASE recommends to the user, as the page Recommend shows them."""
    page.goto(f"{server.url}/recommend?{urlencode(finished.address(models=ease(finished), user=USER))}")
    entries = page.locator(f".st-key-shown_{ease(finished)}").get_by_role("button")
    expect(entries).to_have_count(K)
    settled(page)
    texts = [" ".join(text.split()) for text in entries.all_inner_texts()]  # rank, title, score
    return [item_of(re.sub(r"^\d+\.\s|\s[-\d.]+$", "", text)) for text in texts]


def test_a_downloaded_model_gives_the_same_list_in_a_fresh_process(
    server: Server, finished_template: Finished, page: Page, tmp_path: Path
) -> None:
    shown = list_on_the_page(page, server, finished_template)
    page.goto(f"{server.url}/inside?{urlencode(finished_template.address(model=ease(finished_template)))}")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download model").click()
    assert download.value.suggested_filename == "ease.recscope-model.zip"
    path = tmp_path / "model.zip"
    download.value.save_as(path)
    command = [sys.executable, "-c", FRESH, str(path), USER]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == shown


def test_a_list_is_uploaded_judged_and_removed(
    server: Server, finished_template: Finished, page: Page, tmp_path: Path
) -> None:
    rows = finished_template.opened().lists(ease(finished_template))
    table = pd.DataFrame({"user": "person-" + rows["user"].astype(str), "item": "film-" + rows["item"].astype(str)})
    table.assign(rank=rows["rank"]).to_csv(tmp_path / "other tool.csv", index=False)
    page.goto(f"{server.url}/compare?{urlencode(finished_template.address())}")
    settled(page)
    page.locator("input[type=file]").set_input_files(tmp_path / "other tool.csv")
    page.get_by_role("button", name="Judge this list").click()
    expect(page.get_by_text("'other tool' is judged and in the leaderboard.")).to_be_visible(timeout=TRAINING_MS)
    settled(page)
    expect(page.get_by_text("other tool (uploaded list)").first).to_be_visible()
    expect(page.get_by_text("nor whether the test data were among them")).to_be_visible()
    assert axe_findings(page) == []
    page.set_viewport_size({"width": 400, "height": 900})
    fits(page, "Compare with an uploaded list at 400 pixels")
    page.get_by_role("button", name="Remove").click()
    settled(page)
    expect(page.get_by_text("other tool (uploaded list)")).to_have_count(0)


def compete(page: Page, server: Server, finished: Finished, title: str, key: str, patience: int) -> None:
    """Train a program beside the baselines, and find it in the leaderboard."""
    page.goto(f"{server.url}/train?{urlencode({'data': finished.data})}")
    settled(page)
    draw_lazy_sections(page)
    page.locator(f".st-key-algorithm_{key}_card").get_by_text(title, exact=True).first.click()
    settled(page)
    page.get_by_role("button", name="Train", exact=True).click()
    job = page.locator(f"[class*='st-key-job_{key}']")
    expect(job).to_contain_text("done", timeout=patience)
    page.get_by_role("button", name="Open the comparison").click(timeout=TRAINING_MS)
    expect(page.get_by_role("heading", name="Leaderboard")).to_be_visible(timeout=TRAINING_MS)
    settled(page)
    expect(page.get_by_text(title).first).to_be_visible()


def test_a_program_competes(server: Server, finished_template: Finished, page: Page) -> None:
    compete(page, server, finished_template, "Counting program", "program_counter", TRAINING_MS)
    page.get_by_role("link", name="Inside").click()
    expect(page.get_by_text("since only their lists are known: Counting program")).to_be_visible()


@pytest.mark.skipif("RECSCOPE_TEST_PLUGINS" not in os.environ, reason="set RECSCOPE_TEST_PLUGINS=1 to install implicit")
@pytest.mark.timeout(900)
def test_the_implicit_plug_in_competes(server: Server, finished_template: Finished, page: Page) -> None:
    """It builds its own environment first, which needs the package index."""
    compete(page, server, finished_template, "implicit", "program_implicit", BUILD_MS)
