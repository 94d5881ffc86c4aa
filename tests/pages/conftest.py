"""What all page tests share: Home starts no engine ahead of time, and Streamlit scans the packages once."""

from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner


@pytest.fixture(autouse=True)
def no_idle_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_WARM_UP", "0")


@pytest.fixture(scope="session", autouse=True)
def one_scan_of_packages() -> None:
    """Every AppTest would read the metadata of all installed packages in search of components: 0.14 s of CPU each."""
    manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
