"""What all page tests share: opening Home starts no engine ahead of time."""

import pytest


@pytest.fixture(autouse=True)
def no_idle_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_WARM_UP", "0")
