"""RP3beta against a dense reference and worked examples; the k largest weights of each scored item."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray
from recsys_core.data import dataset_from_frames
from recsys_core.models.compiled import sparse
from recsys_core.models.rp3beta import largest_of_product
from tests.contract.cases import asking, fitted, tastes
from tests.unit.test_slim import weighted


def reference(matrix: FloatArray, alpha: float, beta: float) -> tuple[FloatArray, FloatArray]:
    """Return the first step (U, I) and the item weights (I, I) of all walks, by dense products."""
    matrix = np.maximum(matrix, 0.0)
    by_user = np.where(matrix > 0, matrix / matrix.sum(axis=1, keepdims=True), 0.0)
    by_item = np.where(matrix > 0, matrix / matrix.sum(axis=0, keepdims=True), 0.0)
    first, second = (np.where(step > 0, step**alpha, 0.0) for step in (by_user, by_item))
    weights = second.T @ first / matrix.sum(axis=0) ** beta
    np.fill_diagonal(weights, 0.0)
    return first, weights


@pytest.mark.parametrize("settings", [(1.0, 0.0), (0.7, 0.5), (1.6, 1.0)], ids=["p3alpha", "rp3beta", "strong"])
@pytest.mark.parametrize("neighbors", [12, 1000])
def test_weights_and_scores_equal_the_dense_reference(settings: tuple[float, float], neighbors: int) -> None:
    alpha, beta = settings
    train = weighted(tastes(rated=False))
    model = fitted("rp3beta", train, {"alpha": alpha, "beta": beta, "neighbors": neighbors})
    first, weights = reference(model._training_confidence(train).toarray().astype(np.float64), alpha, beta)
    least = -np.sort(-weights, axis=0)[min(neighbors, 150) - 1]
    kept = np.where(weights >= least, weights, 0.0)
    assert_allclose(model.item_weights.toarray(), kept, rtol=1e-6)
    assert_allclose(np.nan_to_num(model.score(train.queries())), first @ kept, rtol=1e-5)


def chain() -> Any:
    """User a has items 0 and 1, user b items 1 and 2, user c item 2."""
    frame = pd.DataFrame({"user": [0, 0, 1, 1, 2], "item": [0, 1, 1, 2, 2]}).astype(np.int32)
    return dataset_from_frames(frame)


def test_walks_by_hand() -> None:
    """From item 0 to user a (1), to item 1 (1/2). From item 1 to a or b (1/2 each), to item 0 or 2 (1/2): 1/4 each."""
    model = fitted("rp3beta", chain(), {"alpha": 1.0, "beta": 0.0})
    assert_allclose(model.item_weights.toarray(), [[0, 0.5, 0], [0.25, 0, 0.25], [0, 0.25, 0]])
    assert_allclose(model.score(asking([[0, 1]]))[0], [0.125, 0.25, 0.125])  # each history item with probability 1/2
    demoted = fitted("rp3beta", chain(), {"alpha": 1.0, "beta": 1.0}).score(asking([[0, 1]]))[0]
    assert_allclose(demoted, [0.125, 0.125, 0.0625])  # items 1 and 2 have two users


def test_without_a_limit_the_walk_ends_somewhere() -> None:
    """With alpha = 1 and beta = 0, weights from an item sum to 1 minus the probability of returning to it."""
    train = tastes()
    binary = train.matrix("binary").toarray()
    returning = (binary / binary.sum(axis=1, keepdims=True)).sum(axis=0) / binary.sum(axis=0)
    found = fitted("rp3beta", train, {"alpha": 1.0, "beta": 0.0, "neighbors": 1000}).item_weights.toarray()
    assert_allclose(found.sum(axis=1), 1.0 - returning, rtol=1e-5)


def test_of_equal_weights_those_with_the_smallest_keys_are_kept_and_no_row_leaks_into_the_next() -> None:
    ones = np.ones((6, 6))
    rows = sparse(csr_array(ones))
    keys = np.array([5, 3, 0, 4, 1, 2], dtype=np.uint64)
    column, value = np.zeros((6, 2), np.int64), np.zeros((6, 2))
    largest_of_product(rows, rows, keys, 0, column, value)
    assert_array_equal(np.sort(column, axis=1), [[2, 4], [2, 4], [4, 5], [2, 4], [2, 5], [2, 4]])
    assert_array_equal(value, np.full((6, 2), 6.0))


def test_rows_equal_the_product_where_ties_are_common() -> None:
    matrix = (np.random.default_rng(0).random((30, 30)) < 0.3).astype(np.float64)
    rows = sparse(csr_array(matrix))
    product = matrix @ matrix
    np.fill_diagonal(product, 0.0)
    column, value = np.zeros((30, 5), np.int64), np.zeros((30, 5))
    largest_of_product(rows, rows, np.arange(30, dtype=np.uint64), 0, column, value)
    assert_array_equal(-np.sort(-value, axis=1), -np.sort(-product, axis=1)[:, :5])
    assert_array_equal(np.take_along_axis(product, column, axis=1), value)
