"""Edited histories: undo and redo, codes for links, and edits that cancel out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_core.batches import QueryBatch, Ragged
from recsys_core.errors import ConfigError
from recsys_core.serving.edit_timeline import EditKind, Timeline, edit_between
from recsys_core.serving.edited_history import LONGEST_CODE, BaseHistory, EditedHistory, decoded

ITEMS = 30
MINUTE = 60_000


def base_of(items: list[int], *, new: bool = False) -> BaseHistory:
    """A rated history with a timestamp every ten minutes."""
    if new:
        return BaseHistory.empty()
    values = np.array([1 + item % 5 for item in items], dtype=np.float32)
    times = np.arange(len(items), dtype=np.int64) * 10 * MINUTE
    return BaseHistory(QueryBatch(np.array([3]), Ragged.from_rows([items]), values, times))


histories = st.lists(st.integers(0, ITEMS - 1), max_size=8)
ratings = st.one_of(st.none(), st.floats(-1e7, 1e7, allow_nan=False, width=32))


@st.composite
def edited(draw: st.DrawFn) -> list[EditedHistory]:
    """The states of a history while it is edited."""
    base = base_of(draw(histories), new=draw(st.booleans()))
    states = [EditedHistory.unedited(base)]
    for _ in range(draw(st.integers(0, 12))):
        now, place = states[-1], draw(st.integers(0, 7))
        if place >= len(now):
            states.append(now.added(draw(st.integers(0, ITEMS - 1)), draw(ratings), draw(st.integers(0, len(now)))))
            continue
        kind = draw(st.sampled_from(["drop", "rate", "move", "until"]))
        if kind == "drop":
            states.append(now.dropped(place))
        elif kind == "rate":
            states.append(now.rated(place, draw(st.floats(-100, 100, allow_nan=False))))
        elif kind == "move":
            states.append(now.moved(place, draw(st.integers(0, len(now) - 1))))
        elif base.query.timestamps is not None:
            states.append(now.until(draw(st.integers(0, 80)) * MINUTE))
    return states


@given(edited())
def test_a_code_reads_back_as_the_same_history(states: list[EditedHistory]) -> None:
    for state in states:
        again = decoded(state.base, state.code, ITEMS)
        assert again == state
        assert again.query().values.tolist() == state.query().values.tolist()
        assert len(state.code) <= LONGEST_CODE


@given(edited())
def test_undo_leads_to_the_start_and_redo_back_to_the_end(states: list[EditedHistory]) -> None:
    timeline = Timeline((states[0].code,))
    for state in states[1:]:
        timeline = timeline.done(state.code)
        assert timeline.present == state.code
    end, walked = timeline, [timeline.present]
    while timeline.can_undo:
        timeline = timeline.undone()
        walked.append(timeline.present)
    assert timeline.present == states[0].code
    assert walked[::-1] == list(end.states)
    while timeline.can_redo:
        timeline = timeline.redone()
    assert timeline == end


@given(edited(), st.integers(0, ITEMS - 1), ratings, st.data())
def test_to_add_and_then_remove_an_item_changes_nothing(
    states: list[EditedHistory], item: int, value: float | None, data: st.DataObject
) -> None:
    state = states[-1]
    place = data.draw(st.integers(0, len(state)))
    assert state.added(item, value, place).dropped(place) == state


@given(edited())
def test_timestamps_increase_and_the_unedited_query_is_the_base(states: list[EditedHistory]) -> None:
    base = states[0].base.query
    query = states[0].query()
    assert query.history.values.tolist() == base.history.values.tolist()
    assert query.values.tolist() == base.values.tolist()
    for state in states:
        times = state.query().timestamps
        assert (times is None) == (base.timestamps is None)
        assert times is None or (np.diff(times) >= 0).all()


def test_an_edit_after_undo_discards_what_was_undone() -> None:
    timeline = Timeline(("a",)).done("b").done("c").undone().done("d")
    assert timeline.states == ("a", "b", "d")
    assert not timeline.can_redo


def test_codes_are_short_and_say_what_changed() -> None:
    base = base_of([4, 7, 9, 2, 5])
    state = EditedHistory.unedited(base)
    assert state.code == ""
    assert state.added(11, 4.5).code == "5.0-4_x11~4.5"
    assert state.dropped(2).code == "5.0-1_3-4"
    assert state.rated(0, 2.0).code == "5.0~2_1-4"
    assert state.rated(0, 2.0).rated(0, 5.0).code == ""
    assert state.moved(4, 0).code == "5.4_0-3"
    assert state.until(10 * MINUTE).code == "5.0-1"
    assert EditedHistory.unedited(BaseHistory.empty()).added(3).code == "new.x3"


def test_added_items_follow_the_latest_and_moved_ones_take_the_time_of_their_place() -> None:
    state = EditedHistory.unedited(base_of([4, 7, 9]))
    assert (state.added(1).added(2).query().timestamps == np.array([0, 10, 20, 21, 22]) * MINUTE).all()
    assert (state.moved(2, 0).query().timestamps == np.array([0, 10, 20]) * MINUTE).all()
    assert state.moved(2, 0).query().history.values.tolist() == [9, 4, 7]


def test_seen_items_lose_the_dropped_and_gain_the_added_ones() -> None:
    """Item 20 was seen, but models do not learn from it; item 7 was only viewed."""
    base = base_of([4, 7, 9])
    base = BaseHistory(replace(base.query, known=Ragged.from_rows([[4, 9, 20]])))
    state = EditedHistory.unedited(base)
    assert state.query().seen[0].tolist() == [4, 9, 20]
    assert state.dropped(0).added(1).query().seen[0].tolist() == [9, 20, 1]


def test_what_an_edit_did_is_named() -> None:
    state = EditedHistory.unedited(base_of([4, 7, 9, 2, 5]))
    for after, kind, item in (
        (state.added(11, place=1), EditKind.ADDED, 11),
        (state.dropped(1), EditKind.DROPPED, 7),
        (state.rated(2, 1.5), EditKind.RATED, 9),
        (state.moved(0, 3), EditKind.MOVED, None),
        (state.until(0), EditKind.CUT, None),
        (state.added(1).added(2), EditKind.SEVERAL, None),
    ):
        found = edit_between(state, after)
        assert (found.kind, found.item) == (kind, item)
    assert edit_between(state.added(1).added(2), state).kind is EditKind.RESET


@pytest.mark.parametrize(
    "code", ["4.0-3", "new.x1", "3.0-9", "3.5", "3.x30", "3.0_0", "3.0~nan", "3.0~1e999", "3.<b>", "3." + "0_" * 900]
)
def test_a_code_that_does_not_fit_is_refused(code: str) -> None:
    with pytest.raises(ConfigError, match="ignored"):
        decoded(base_of([4, 7, 9]), code, ITEMS)


def test_more_edits_than_fit_into_a_link_are_refused() -> None:
    state = EditedHistory.unedited(base_of([]))
    while len(state.code) < LONGEST_CODE - 3:
        state = state.added(10)
    with pytest.raises(ConfigError, match="do not fit into a link"):
        state.added(10)
