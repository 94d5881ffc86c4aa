"""Popularity, novelty, diversity, calibration, coverage, personalization and Gini against manual results."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, FloatArray, Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.evaluation import beyond_accuracy as beyond
from recsys_core.evaluation import diversity
from recsys_core.evaluation.calibration import calibration
from recsys_core.evaluation.diversity import DiversityBasis


def small_train() -> Dataset:
    """Users 0..3; item 0 was used by all four, item 1 by users 0 and 1, item 2 by user 2, item 3 by none."""
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
        ([10, 10, 10, 10], 0.5, [0, 1]),  # ties by position
        ([7, 0, 0], 1.0, [0]),  # unused items are tail items
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


def test_exposure_counts_the_top_of_a_list_more() -> None:
    item = np.array([[0, 1], [0, 2], [3, PAD]])
    second = 1 / math.log2(3)
    assert_allclose(beyond.weighted_exposure(item, 2, 5), [2.0, second, second, 1.0, 0.0])
    assert_allclose(beyond.weighted_exposure(item, 1, 5), [2.0, 0.0, 0.0, 1.0, 0.0])


def test_personalization_is_one_minus_the_mean_cosine_of_all_pairs_of_lists() -> None:
    everything = np.ones(6, dtype=np.bool_)
    assert beyond.personalization(np.array([[0, 1], [1, 0]]), 2, everything) == pytest.approx(0.0)
    assert beyond.personalization(np.array([[0, 1], [2, 3]]), 2, everything) == pytest.approx(1.0)
    three = np.array([[0, 1, 2], [0, 3, PAD], [5, PAD, PAD], [PAD, PAD, PAD]])  # one pair shares one item
    assert beyond.personalization(three, 3, everything) == pytest.approx(1 - (1 / math.sqrt(3 * 2)) / 3)
    assert math.isnan(beyond.personalization(three[2:], 3, everything))
    rng = np.random.default_rng(2)
    item = np.array([rng.permutation(40)[:7] for _ in range(50)])
    sets = [set(row) for row in item.tolist()]
    cosines = [len(one & other) / 7 for row, one in enumerate(sets) for other in sets[:row]]
    assert beyond.personalization(item, 7, np.ones(40, dtype=np.bool_)) == pytest.approx(1 - np.mean(cosines))


def test_covered_users_are_those_with_a_counted_item() -> None:
    item = np.array([[0, 1], [PAD, PAD], [2, PAD], [2, 0]])
    assert beyond.covered_users(item, 2, np.ones(3, dtype=np.bool_)) == 3 / 4
    assert beyond.covered_users(item, 1, np.array([True, False, False])) == 1 / 4
    assert math.isnan(beyond.covered_users(item[:0], 2, np.ones(3, dtype=np.bool_)))


def test_calibration_is_the_divergence_of_the_categories_of_the_list() -> None:
    categories = csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 0]]))  # items: a, a and b, b, none
    history = Ragged.from_rows([[0, 1], [0], [3], [0], [0, 2]])
    item = np.array([[0, 1], [2, PAD], [0, 1], [PAD, 3], [0, 0]])
    half = 0.5 * math.log(0.5 / (0.01 * 0.5)) + 0.5 * math.log(0.5 / (0.99 + 0.01 * 0.5))
    assert_allclose(calibration(item, history, categories), [0.0, math.log(100), math.nan, math.nan, half], atol=1e-12)


def test_calibration_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    categories = csr_array((rng.random((5, 30)) < 0.3) * 1)
    item = np.array([rng.permutation(30)[:6] for _ in range(23)])
    history = Ragged.from_rows([rng.permutation(30)[: rng.integers(0, 9)] for _ in range(23)])
    whole = calibration(item, history, categories)
    monkeypatch.setattr("recsys_core.evaluation.calibration.BLOCK", 20)
    assert_allclose(calibration(item, history, categories), whole)


@pytest.fixture(params=["from pairs", "from sums"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both computations give the same number."""
    if request.param == "from sums":
        monkeypatch.setattr(diversity, "PAIRED_ITEMS", 0)
    return str(request.param)


def varied(
    item: list[list[int]], train: Dataset, cutoffs: list[int], basis: DiversityBasis = "co_occurrence"
) -> FloatArray:
    """(2, U, C) for all items and for items 0 and 1."""
    parts = np.stack([np.ones(train.n_items, dtype=np.bool_), np.arange(train.n_items) < 2])
    return diversity.diversity(np.array(item), train, np.array(cutoffs), parts, basis, ctx=RunContext()).values


@pytest.mark.usefixtures("way")
def test_diversity_is_one_minus_the_mean_cosine_of_all_pairs() -> None:
    first = 2 / math.sqrt(4 * 2)  # items 0 and 1
    third = 1 / math.sqrt(4 * 1)  # items 0 and 2
    everything, head = varied([[0, 1, 2], [1, 2, PAD], [0, PAD, PAD], [3, 2, PAD]], small_train(), [2, 3])
    expected = [[1 - first, 1 - (first + third + 0) / 3], [1.0, 1.0], [math.nan, math.nan], [1.0, 1.0]]
    assert_allclose(everything, expected, atol=1e-12)
    assert_allclose(head[:, 1], [1 - first, math.nan, math.nan, math.nan], atol=1e-12)


@pytest.mark.usefixtures("way")
def test_diversity_equals_the_dense_cosines_on_random_lists() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.random((25, 40)) < 0.2
    pairs = pd.DataFrame(np.argwhere(matrix), columns=["user", "item"]).astype("int32")
    train = dataset_from_frames(pairs, item_ids=[str(item) for item in range(40)])
    item = np.array([rng.permutation(40)[:9] for _ in range(30)])
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    upper = np.triu_indices(9, 1)
    expected = [1 - (unit[:, row].T @ unit[:, row])[upper].mean() for row in item]
    assert_allclose(varied(item.tolist(), train, [1, 9])[0, :, 1], expected, atol=1e-9)


@pytest.mark.usefixtures("way")
def test_diversity_by_categories_and_the_refusal_where_there_are_none() -> None:
    half = 1 / math.sqrt(2)
    values = varied([[0, 1, 3]], small_train(), [3], "categories")
    assert_allclose(values[0], [[1 - (half + half + 0) / 3]], atol=1e-12)
    plain = dataset_from_frames(small_train().interactions)
    with pytest.raises(DataError, match="no item categories"):
        varied([[0, 1]], plain, [2], "categories")


def test_diversity_over_a_part_of_the_users_where_all_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "PAIRED_ITEMS", 0)
    parts = np.ones((1, 4), dtype=np.bool_)
    arguments = (np.array([[0, 1]]), small_train(), np.array([2]), parts)  # six additions over all four users
    assert diversity.diversity(*arguments, ctx=RunContext()).users == 4
    monkeypatch.setattr(diversity, "MOST_STEPS", 4.0)
    assert diversity.diversity(*arguments, ctx=RunContext()).users == 2


def test_lists_without_any_item_have_no_diversity() -> None:
    assert np.isnan(varied([[PAD, PAD]], small_train(), [2])).all()
