"""Dataset and Vocabulary: matrices, histories in order of time, and the mapping between identifiers and positions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from recsys_core.contracts import Need
from recsys_core.data import NO_TIMESTAMP, Dataset, Vocabulary, dataset_from_frames
from recsys_core.errors import DataError


def rated() -> Dataset:
    """User 0 rates item 0 twice; user 2 has one interaction, with unknown timestamp."""
    frame = pd.DataFrame(
        {
            "user": [0, 0, 0, 1, 2],
            "item": [0, 1, 0, 1, 2],
            "rating": [1.0, 2.0, 5.0, 3.0, 4.0],
            "timestamp": [30, 20, 10, 5, NO_TIMESTAMP],
        }
    )
    return dataset_from_frames(frame)


def test_the_rating_matrix_holds_the_latest_rating_of_each_pair() -> None:
    assert rated().matrix("rating").toarray()[0].tolist() == [1.0, 2.0, 0.0]


def test_count_and_binary_matrices_tell_how_often_and_whether() -> None:
    assert rated().matrix("count").toarray()[0].tolist() == [2.0, 1.0, 0.0]
    assert rated().matrix("binary").toarray()[0].tolist() == [1.0, 1.0, 0.0]


def test_counts_are_sums_of_event_weights_where_there_are_events() -> None:
    frame = pd.DataFrame({"user": [0, 0], "item": [0, 0], "event": ["view", "purchase"], "weight": [1.0, 5.0]})
    assert dataset_from_frames(frame).matrix("count").toarray().tolist() == [[6.0]]


def test_histories_run_from_old_to_recent_and_queries_carry_the_ratings_along() -> None:
    query = rated().queries(np.array([0]))
    assert query.history[0].tolist() == [0, 1, 0]
    assert query.values.tolist() == [5.0, 2.0, 1.0]
    assert query.timestamps is not None
    assert query.timestamps.tolist() == [10, 20, 30]


def test_a_subset_keeps_positions_and_vocabularies() -> None:
    part = rated().subset(np.array([False, False, False, True, False]))
    assert (part.n_users, part.n_items, part.n_interactions) == (3, 3, 1)
    assert part.histories()[1].tolist() == [1]


def test_what_is_missing_is_named() -> None:
    data = dataset_from_frames(pd.DataFrame({"user": [0], "item": [0]}))
    assert data.lacks(frozenset({Need.RATINGS, Need.SOCIAL})) == [Need.RATINGS, Need.SOCIAL]
    with pytest.raises(DataError, match="has no ratings"):
        data.matrix("rating")


def test_a_position_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(DataError, match="outside"):
        dataset_from_frames(pd.DataFrame({"user": [0, 9], "item": [0, 0]}), user_ids=["a", "b"])


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    frame = pd.DataFrame({"user": [0, 1], "item": [0, 0], "weight": [1.0, weight]})
    with pytest.raises(DataError, match="'weight' has 1 value that is missing or infinite"):
        dataset_from_frames(frame)


def test_titles_fall_back_to_identifiers() -> None:
    frame = pd.DataFrame({"user": [0, 0], "item": [0, 1]})
    items = pd.DataFrame({"title": ["Alien", None]})
    assert dataset_from_frames(frame, item_ids=["a", "b"], items=items).titles() == ["Alien", "b"]


@given(ids=st.lists(st.text(min_size=1), unique=True))
def test_a_vocabulary_inverts(ids: list[str]) -> None:
    vocabulary = Vocabulary(ids)
    assert_array_equal(vocabulary.positions(ids), np.arange(len(ids)))
    assert list(vocabulary.ids) == ids


def test_unknown_identifiers_are_told() -> None:
    vocabulary = Vocabulary(["a"])
    assert vocabulary.positions(["b", "a"]).tolist() == [-1, 0]
    with pytest.raises(DataError, match="'b'"):
        vocabulary.position("b")
    with pytest.raises(DataError, match="twice"):
        Vocabulary(["a", "a"])
