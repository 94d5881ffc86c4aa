"""Common parts of all tests: the public data, an isolated workspace, and deterministic hypothesis."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.family import end_family

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_DATA = Path(os.environ.get("RECSCOPE_DATA", ROOT.parent / "shared" / "data"))

settings.register_profile("recscope", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("recscope")


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use an empty workspace below `tmp_path`; stop the engine that a test may have left there."""
    workspace = tmp_path / "workspace"
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(workspace))
    monkeypatch.delenv("RECSCOPE_SCHEDULER", raising=False)
    monkeypatch.delenv("RECSCOPE_DATA_ROOT", raising=False)
    yield workspace
    if (workspace / "engine").exists():
        end_family(workspace)


@pytest.fixture(scope="session")
def public_data() -> Callable[[str], Path]:
    """Return the path of a file or folder of the public data sets, or skip the test if they are missing."""

    def find(name: str) -> Path:
        path = PUBLIC_DATA / name
        if not path.exists():
            pytest.skip(f"public data '{name}' is not in {PUBLIC_DATA}")
        return path

    return find
