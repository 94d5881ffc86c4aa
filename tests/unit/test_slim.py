"""SLIM: the conditions of the optimum, worked examples, and both forms of the Gram matrix."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models import slim_descent
from recsys_core.models.slim_descent import gram_of
from tests.contract.cases import fitted, tastes

MODES = [
    {"l1_regularization": 1.0, "l2_regularization": 20.0},
    {"l1_regularization": 0.0, "l2_regularization": 5.0},
    {"l1_regularization": 0.5, "l2_regularization": 3.0, "nonnegative": False},
]


def weighted(train: Dataset) -> Dataset:
    """Return the data with weights of very different sizes, a tenth of them negative."""
    rng = np.random.default_rng(3)
    sizes = rng.lognormal(0.0, 1.0, train.n_interactions) * np.where(rng.random(train.n_interactions) < 0.1, -1, 1)
    frame = train.interactions.assign(weight=sizes.astype(np.float32))
    return replace(train, load_interactions=lambda: frame, columns=frozenset(frame.columns))


def violations(matrix: FloatArray, weights: FloatArray, config: dict[str, Any]) -> FloatArray:
    """(I, I) how far each weight is from its condition for an optimum, in units of the weight; 0 on the diagonal."""
    l1, l2 = config["l1_regularization"], config["l2_regularization"]
    slope = matrix.T @ (matrix - matrix @ weights) - l2 * weights
    at_zero = np.maximum((slope if config.get("nonnegative", True) else np.abs(slope)) - l1, 0.0)
    found = np.where(weights == 0, at_zero, np.abs(slope - np.sign(weights) * l1))
    np.fill_diagonal(found, 0.0)
    return found / (np.square(matrix).sum(axis=0) + l2)[:, None]


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
@pytest.mark.parametrize("config", MODES, ids=["sparse", "ridge", "signed"])
def test_the_weights_satisfy_the_conditions_of_the_optimum(
    config: dict[str, Any], dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slim_descent, "DENSE_FROM", 0.0 if dense else np.inf)
    train = weighted(tastes(rated=False))
    model = fitted("slim", train, config)
    weights = model.item_weights.toarray().astype(np.float64)
    matrix = model._training_confidence(train).toarray().astype(np.float64)
    assert violations(matrix, weights, config).max() < 1e-5
    assert np.diag(weights).max() == 0.0
    assert (weights.min() < 0) != config.get("nonnegative", True)
    assert violations(matrix, 1.01 * weights, config).max() > 1e-4  # the conditions would notice an error of 1 %


def test_two_items_by_hand() -> None:
    """Item 0 has 4 users, item 1 has 3, 2 of them in common: w_01 = (2 - 0.5) / (4 + 1), w_10 = (2 - 0.5) / (3 + 1)."""
    pairs = [(0, 0), (1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (4, 1)]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype(np.int32)
    model = fitted("slim", dataset_from_frames(frame), {"l1_regularization": 0.5, "l2_regularization": 1.0})
    np.testing.assert_allclose(model.item_weights.toarray(), [[0.0, 0.3], [0.375, 0.0]], rtol=1e-6)


def test_items_with_few_common_users_get_no_weight() -> None:
    train = tastes()
    binary = train.matrix("binary").toarray()
    shared = binary.T @ binary
    limit = float(np.median(shared))
    found = fitted("slim", train, {"l1_regularization": limit}).item_weights.toarray()
    assert (found[shared <= limit] == 0).all()
    assert (found[shared > limit] > 0).any()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dense", [True, False], ids=["dense", "sparse"])
def test_both_gram_matrices_are_the_product(dense: bool, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slim_descent, "DENSE_FROM", 0.0 if dense else np.inf)
    matrix = weighted(tastes(rated=False)).matrix("count")
    gram = gram_of(matrix, RunContext(threads=threads))
    rows = csr_array((gram.rows.value, gram.rows.column, gram.rows.start), shape=(150, 150)) if not dense else None
    found = gram.dense if rows is None else rows.toarray()
    expected = (matrix.T @ matrix).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gram.diagonal, np.diag(expected), rtol=1e-6)
    assert found.dtype == gram.diagonal.dtype == np.float32
