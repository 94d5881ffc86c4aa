"""Which of the values that an event has just set the browser's next event overwrote."""

from collections.abc import Mapping

import pytest
import streamlit as st

from pages.ui import on_the_way

Values = Mapping[str, tuple[int, int]]
BOTH: Values = {"a": (1, 2), "b": (1, 2), "c": (5, 5)}
ONE: Values = {"a": (1, 2), "c": (5, 5)}


@pytest.mark.parametrize(
    ("values", "present", "late"),
    [
        (BOTH, {"a": 2, "b": 2, "c": 5}, {}),
        (BOTH, {"a": 1, "b": 1, "c": 5}, {"a": 2, "b": 2}),
        (BOTH, {"a": 7, "b": 1, "c": 5}, {"b": 2}),
        (BOTH, {"a": 1, "b": 1, "c": 7}, {"a": 2, "b": 2}),
        (BOTH, {"a": 1, "b": 2, "c": 5}, {}),
        (ONE, {"a": 1, "c": 5}, {}),
        (ONE, {"a": 1, "c": 7}, {"a": 2}),
        (ONE, {"a": 2, "c": 7}, {}),
        (ONE, {}, {}),
    ],
    ids=["drawn", "beside it", "one of them", "another", "one set back", "the only one set back", "another than the "
         "only one", "drawn, then another", "not drawn"],
)  # fmt: skip
def test_an_early_event_is_told_from_a_later_one(
    monkeypatch: pytest.MonkeyPatch, values: Values, present: dict[str, int], late: dict[str, int]
) -> None:
    monkeypatch.setattr(st, "session_state", {})
    on_the_way.remember("key", values)
    assert on_the_way.overwritten("key", present.get) == late
    monkeypatch.setattr(on_the_way, "SECONDS", 0.0)
    assert not on_the_way.overwritten("key", present.get)


def test_nothing_is_overwritten_where_nothing_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})
    assert not on_the_way.overwritten("key", {}.get)
