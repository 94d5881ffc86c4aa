"""An update replay of six steps: estimated, started, and read step by step."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE_MS, Server, axe_findings, fits, settled
from tests.pages.finished import Finished

pytestmark = pytest.mark.e2e


def test_a_replay_of_six_steps_is_played(
    finished_template: Finished, own_workspace: Path, start: Callable[[], Server], page: Page
) -> None:
    shutil.copytree(finished_template.root, own_workspace)
    page.goto(f"{start().url}/experiments?runs={finished_template.run}")
    page.locator("summary").filter(has_text="Update replay").click(timeout=3 * PATIENCE_MS)
    expect(page.get_by_text("3 models, 7 trainings each: about")).to_be_visible()
    page.get_by_role("button", name="Start the replay").click()
    expect(page.get_by_role("radiogroup").filter(has_text="MF with biases")).to_be_visible(timeout=3 * PATIENCE_MS)
    expect(page.get_by_role("heading", name="Step 6, from")).to_be_visible()
    settled(page)
    assert not axe_findings(page)
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name="Step 5, from")).to_be_visible()
    page.set_viewport_size({"width": 400, "height": 900})
    fits(page, "the replay at 400 pixels")
