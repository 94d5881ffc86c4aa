"""EASE and its linear algebra against numpy, and what all linear item models do with their weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from recsys_core.contracts import RunContext
from recsys_core.errors import DataError
from recsys_core.models import solvers
from recsys_core.models.histories import history_matrix
from recsys_core.models.linear import weighted_sums
from recsys_core.models.registry import make_model
from recsys_core.models.solvers import gram_matrix, inverse_of_positive_definite
from tests.contract.cases import asking, fitted, tastes


def test_ease_equals_equation_8() -> None:
    train = tastes()
    binary = train.matrix("binary").toarray().astype(np.float64)
    precision = np.linalg.inv(binary.T @ binary + 30.0 * np.eye(train.n_items))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    model = fitted("ease", train, {"regularization": 30.0})
    np.testing.assert_allclose(model.item_weights, weights, atol=1e-7)
    np.testing.assert_allclose(model.score(train.queries()), binary @ weights, atol=1e-5)


def test_ease_of_the_most_popular_items_is_ease_of_their_columns() -> None:
    """The other items have no score, and no effect in a history."""
    train = tastes()
    users = np.bincount(train.interactions["item"], minlength=train.n_items)
    most = int(np.flatnonzero(np.diff(np.sort(users)[::-1]))[8]) + 1  # the next item has fewer users
    kept = np.sort(np.argsort(-users, kind="stable")[:most])
    model = fitted("ease", train, {"regularization": 30.0, "max_items": most})
    binary = train.matrix("binary").toarray().astype(np.float64)[:, kept]
    precision = np.linalg.inv(binary.T @ binary + 30.0 * np.eye(most))
    weights = -precision / np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    expected = np.full((train.n_users, train.n_items), np.nan)
    expected[:, kept] = binary @ weights
    np.testing.assert_allclose(model.score(train.queries()), expected, atol=1e-5)


def test_ease_that_is_too_large_fits_with_the_offered_number_of_items() -> None:
    model, size, most = make_model("ease"), (10_000, 100_000, 1_000_000), 6 * 2**30
    assert model.memory_estimate(model.config, *size) > 100 * 2**30
    settings = model.smaller(model.config, *size, most)
    smaller = make_model("ease", dict(settings)).config
    assert 0.99 * most < model.memory_estimate(smaller, *size) <= most
    assert model.smaller(model.config, *size, 2**20) == {}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_gram_matrix_is_the_product_below_the_diagonal(threads: int, binary: bool) -> None:
    matrix = csr_array(random_array((50, 200), density=0.1, rng=np.random.default_rng(0)))
    matrix.data = np.ones(matrix.nnz) if binary else matrix.data
    gram = gram_matrix(matrix, RunContext(threads=threads))
    np.testing.assert_allclose(gram, np.tril((matrix.T @ matrix).toarray()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("factored", "multiplied"), [(30, 1024), (20, 4), (7, 4)], ids=["whole", "halves", "eighths"])
def test_the_inverse_is_numpys(factored: int, multiplied: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solvers, "LARGEST_FACTORED", factored)
    monkeypatch.setattr(solvers, "MULTIPLIED_ROWS", multiplied)
    root = np.random.default_rng(1).normal(size=(40, 30))
    matrix = root.T @ root
    expected = np.linalg.inv(matrix)
    found = inverse_of_positive_definite(np.tril(matrix).copy())
    np.testing.assert_allclose(np.tril(found), np.tril(expected), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("factored", [8, 1])
def test_a_matrix_that_is_not_positive_definite_is_refused(factored: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solvers, "LARGEST_FACTORED", factored)
    with pytest.raises(DataError, match="larger regularization"):
        inverse_of_positive_definite(np.diag([1.0, 2.0, -1.0]))


def test_sums_equal_the_product_and_are_missing_where_nothing_was_added() -> None:
    rng = np.random.default_rng(2)
    inputs = csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]]))
    dense = rng.normal(size=(3, 3)).astype(np.float32)
    np.testing.assert_allclose(weighted_sums(inputs, dense)[[0, 2]], (inputs @ dense)[[0, 2]], rtol=1e-6)
    assert np.isnan(weighted_sums(inputs, dense)[1]).all()
    weights = csr_array(np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.25], [1.0, 0.0, 0.0]]))
    expected = [[2.0, 0.5, np.nan], [np.nan] * 3, [np.nan, np.nan, 0.75]]
    np.testing.assert_array_equal(weighted_sums(inputs, weights), expected)


@given(histories=st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=4), binary=st.booleans())
def test_the_latest_entry_of_a_history_counts(histories: list[list[int]], binary: bool) -> None:
    query = asking(histories)
    query.values[:] = np.arange(len(query.values))
    found = history_matrix(query, 5, "binary" if binary else "rating")
    expected = np.full((len(histories), 5), np.nan)
    for row in range(len(histories)):
        for place in range(query.history.offsets[row], query.history.offsets[row + 1]):
            expected[row, query.history.values[place]] = 1.0 if binary else query.values[place]
    assert found.nnz == (~np.isnan(expected)).sum()
    assert found.has_sorted_indices
    row, item = np.nonzero(~np.isnan(expected))
    np.testing.assert_array_equal(found.toarray()[row, item], expected[row, item])
