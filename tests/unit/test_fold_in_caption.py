"""What the badge of a fold-in says about the list of the trained user."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pages.recommend_parts import fold_in


def said(monkeypatch: pytest.MonkeyPatch, own: list[int], folded: list[int], *, approximate: bool) -> str:
    frames = {"own": own, "folded": folded}
    lists = {
        name: pd.DataFrame({"rank": range(1, len(items) + 1), "item": items, "score": 1.0})
        for name, items in frames.items()
    }
    monkeypatch.setattr(fold_in.list_queries, "done", lambda _model, user, _wanted: lists[user])
    editing: Any = SimpleNamespace(user="own", unedited="folded")
    wanted: Any = SimpleNamespace(k=3)
    named: Any = None
    return fold_in._own_list(named, editing, wanted, approximate=approximate)


def test_an_exact_fold_in_says_so_where_it_gives_another_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """User kNN: the training row of the user is a neighbor of the new user with a longer history."""
    assert said(monkeypatch, [1, 2, 3], [1, 2, 4], approximate=False).endswith("list of the trained user is 0.50.")
    assert said(monkeypatch, [1, 2, 3], [3, 2, 1], approximate=False) == ""
    assert said(monkeypatch, [1, 2, 3], [1, 2, 3], approximate=True).endswith("is 1.00.")
