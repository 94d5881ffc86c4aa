"""Common friends and items of two users, counted by hand."""

import pandas as pd
import pytest

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.profiles.in_common import in_common


def world(social: list[tuple[int, int]] | None) -> Dataset:
    """User 0 has items 0 and 1 (item 1 twice), user 1 has 1 and 2, user 2 has 0 and 1 twice, user 3 none."""
    pairs = [(0, 0), (0, 1), (0, 1), (1, 1), (1, 2), (2, 0), (2, 1), (2, 1)]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype("int32")
    links = None
    if social is not None:
        links = pd.DataFrame(social, columns=["source", "target"]).assign(weight=1.0)
    return dataset_from_frames(frame, user_ids=["a", "b", "c", "d"], social=links)


def test_friends_count_in_either_direction_and_items_once() -> None:
    """0 -> 3 and 1 -> 3 share friend 3; 2 is linked to 0 only, so 0 and 2 share no friend."""
    found = in_common(world([(0, 3), (1, 3), (2, 0)]), 0, [2, 1])
    assert list(found["user_id"]) == ["c", "b"]
    assert list(found["friends"]) == [0, 1]
    assert list(found["items"]) == [2, 1]
    assert found.attrs["links"] == 2


def test_nobody_asked_for_is_an_empty_table() -> None:
    found = in_common(world([(0, 3)]), 1, [])
    assert found.empty
    assert found.attrs["links"] == 0


def test_without_links_there_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="no links"):
        in_common(world(None), 0, [1])
