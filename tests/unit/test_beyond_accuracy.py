"""Popularity, novelty, diversity, coverage and Gini against numbers worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from recsys_core.contracts import PAD
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.evaluation import beyond_accuracy as beyond


def small_train() -> Dataset:
    """Users 0..3; item 0 was had by all four, item 1 by users 0 and 1, item 2 by user 2, item 3 by nobody."""
    pairs = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (2, 2)]
    items = pd.DataFrame({"categories": ["a|b", "a", "", "b|b"]})
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype("int32")
    return dataset_from_frames(frame, item_ids=list("wxyz"), items=items)


@pytest.mark.parametrize(
    ("counts", "share", "head"),
    [
        ([50, 30, 15, 5], 0.8, [0, 1]),
        ([50, 30, 15, 5], 0.81, [0, 1, 2]),
        ([5, 15, 30, 50], 0.5, [3]),
        ([10, 10, 10, 10], 0.5, [0, 1]),  # equal ones enter by position
        ([7, 0, 0], 1.0, [0]),  # what nobody had is tail
        ([0, 0], 0.8, []),
    ],
)
def test_head_is_the_smallest_set_that_holds_the_share(counts: list[int], share: float, head: list[int]) -> None:
    assert np.flatnonzero(beyond.head_items(np.array(counts), share)).tolist() == head


def test_means_over_lists_leave_out_padding_and_what_is_not_counted() -> None:
    item = np.array([[0, 1, 2], [3, PAD, PAD], [PAD, PAD, PAD]])
    values = np.array([1.0, 2.0, 6.0, 10.0])
    assert_allclose(beyond.list_mean(item, values, 3), [3.0, 10.0, math.nan])
    assert_allclose(beyond.list_mean(item, values, 2), [1.5, 10.0, math.nan])
    head = np.array([True, False, True, False])
    assert_allclose(beyond.list_mean(item, values, 3, head), [3.5, math.nan, math.nan])


def test_novelty_is_one_bit_more_for_half_the_popularity() -> None:
    assert_allclose(beyond.information(np.array([4, 2, 1, 0]), 4), [0.0, 1.0, 2.0, 2.0])


def test_coverage_and_gini_of_exposure() -> None:
    item = np.array([[0, 1], [0, 2], [0, PAD]])
    shown = beyond.exposure(item, 2, 5)
    assert shown.tolist() == [3, 1, 1, 0, 0]
    assert beyond.coverage(shown) == 3 / 5
    pairs = np.abs(shown[:, None] - shown[None, :]).mean() / (2 * shown.mean())
    assert beyond.gini(shown) == pytest.approx(pairs)
    assert beyond.gini(np.array([2, 2, 2])) == pytest.approx(0.0)
    assert beyond.gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    assert math.isnan(beyond.gini(np.array([0, 0])))


def test_diversity_is_one_minus_the_mean_cosine_of_all_pairs() -> None:
    train = small_train()
    item = np.array([[0, 1, 2], [1, 2, PAD], [0, PAD, PAD], [3, 2, PAD]])
    vectors, users = beyond.item_vectors(train, item, "co_occurrence", np.random.default_rng(0))
    assert users == 4
    first = 2 / math.sqrt(4 * 2)  # items 0 and 1
    third = 1 / math.sqrt(4 * 1)  # items 0 and 2
    expected = [[1 - first, 1 - (first + third + 0) / 3], [1.0, 1.0], [math.nan, math.nan], [1.0, 1.0]]
    assert_allclose(beyond.diversity(item, vectors, np.array([2, 3])), expected, atol=1e-12)
    head = np.array([True, True, False, False])
    assert_allclose(
        beyond.diversity(item, vectors, np.array([3]), head)[:, 0],
        [1 - first, math.nan, math.nan, math.nan],
        atol=1e-12,
    )


def test_diversity_equals_the_dense_cosines_on_random_lists() -> None:
    rng = np.random.default_rng(3)
    matrix = (rng.random((40, 25)) < 0.2).astype(np.float64)
    item = np.array([rng.permutation(40)[:9] for _ in range(30)])
    vectors = beyond._unit_rows(csr_array(matrix))
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-300)
    upper = np.triu_indices(9, 1)
    expected = [1 - (unit[row] @ unit[row].T)[upper].mean() for row in item]
    assert_allclose(beyond.diversity(item, vectors, np.array([9]))[:, 0], expected, atol=1e-9)


def test_diversity_by_categories_and_the_refusal_where_there_are_none() -> None:
    train = small_train()
    item = np.array([[0, 1, 3]])
    vectors, users = beyond.item_vectors(train, item, "categories", np.random.default_rng(0))
    assert users == 0
    half = 1 / math.sqrt(2)
    assert_allclose(beyond.diversity(item, vectors, np.array([3])), [[1 - (half + half + 0) / 3]], atol=1e-12)
    plain = dataset_from_frames(train.interactions)
    with pytest.raises(DataError, match="no categories"):
        beyond.item_vectors(plain, item, "categories", np.random.default_rng(0))


def test_diversity_over_a_part_of_the_users_where_all_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beyond, "DIVERSITY_STEPS", 4.0)
    item = np.array([[0, 1]])  # six additions over all four users
    vectors, users = beyond.item_vectors(small_train(), item, "co_occurrence", np.random.default_rng(0))
    assert users == 2
    assert vectors.shape == (4, 2)
