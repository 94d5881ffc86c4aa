"""What all page tests share: no engine ahead of time, no bars of progress, and one scan of the packages."""

from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner

from pages.data_parts import check_files
from pages.home_parts import recent_experiments
from pages.ui import pending

PATIENCE_SECONDS = 60.0
"""A page waits this long for its background work, so that tests do not depend on the speed of the machine."""


@pytest.fixture(autouse=True)
def no_idle_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_WARM_UP", "0")


@pytest.fixture(autouse=True)
def patient_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (pending, check_files, recent_experiments):
        monkeypatch.setattr(part, "PATIENCE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def hasty_pages(patient_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows a bar of progress at once, for tests whose work ends only when it is told to."""
    for part in (pending, check_files):
        monkeypatch.setattr(part, "PATIENCE_SECONDS", 0.1)


@pytest.fixture(scope="session", autouse=True)
def one_scan_of_packages() -> None:
    """Every AppTest would read the metadata of all installed packages in search of components: 0.14 s of CPU each."""
    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
