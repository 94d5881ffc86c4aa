"""iALS against dense algebra: both solvers, the objective, folding in, and the tables of pairs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray
from recsys_core.data import dataset_from_frames
from recsys_core.models import ials_solvers
from recsys_core.models.ials_solvers import CHUNK, Fixed, Side, cholesky, conjugate_gradient
from recsys_core.models.observed import Rows, observed, row_keys, rows_of, total_confidence, turned
from tests.contract.cases import as_unknown, asking, fitted, recording, tastes
from tests.contract.test_weights import purchases_and_views

NO_WEIGHTS = np.empty(0, np.float32)


def systems(confidence: FloatArray, factors: int, seed: int = 0) -> tuple[Side, Fixed]:
    """Return ridge regressions with a random, diagonal other side."""
    rng = np.random.default_rng(seed)
    others = rng.normal(size=(confidence.shape[1], factors))
    others = (others @ np.linalg.eigh(others.T @ others)[1]).astype(np.float32)
    base = (0.3 * np.square(others).sum(axis=0)).astype(np.float32)
    penalty = rng.uniform(0.5, 2.0, len(confidence)).astype(np.float32)
    return Side(rows_of(csr_array(confidence.astype(np.float32))), penalty), Fixed(others, base)


def dense_solution(confidence: FloatArray, side: Side, fixed: Fixed) -> FloatArray:
    """Return (R, D) the solutions of the normal equations, 0 for empty rows."""
    z = fixed.factors.astype(np.float64)
    found = np.zeros((len(confidence), z.shape[1]))
    for row, c in enumerate(confidence):
        if c.any():
            matrix = 0.3 * z.T @ z + side.penalty[row] * np.eye(z.shape[1]) + (z.T * np.abs(c)) @ z
            found[row] = np.linalg.solve(matrix, z.T @ np.maximum(c, 0))
    return found


def random_confidence(rows: int, columns: int, *, weighted: bool) -> FloatArray:
    rng = np.random.default_rng(1)
    seen = rng.random((rows, columns)) < 0.2
    seen[2] = False
    return seen * (rng.uniform(-1, 4, (rows, columns)) if weighted else 1.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("columns", "factors"), [(50, 7), (CHUNK * 6, 5)], ids=["short rows", "rows over one chunk"])
def test_half_a_step_is_the_dense_solution(weighted: bool, columns: int, factors: int) -> None:
    confidence = random_confidence(9, columns, weighted=weighted)
    side, fixed = systems(confidence, factors)
    expected = dense_solution(confidence, side, fixed)
    start = np.random.default_rng(2).normal(size=expected.shape).astype(np.float32)
    exact, close = start.copy(), start.copy()
    cholesky(side, fixed, exact, 0, len(exact))
    conjugate_gradient(side, fixed, close, 0, len(close), 1e-6, 40)
    assert_allclose(exact, expected, rtol=1e-4, atol=1e-5)
    assert_allclose(close, expected, rtol=1e-4, atol=2e-5)


def test_predictions_are_within_the_tolerance() -> None:
    confidence = random_confidence(60, 200, weighted=False)
    side, fixed = systems(confidence, 16)
    error = {}
    for tolerance in (0.1, 0.01, 0.001):
        found = np.zeros((60, 16), np.float32)
        conjugate_gradient(side, fixed, found, 0, 60, tolerance, 100)
        errors = (found - dense_solution(confidence, side, fixed)) @ fixed.factors.T.astype(np.float64)
        error[tolerance] = np.sqrt(np.square(errors[confidence > 0]).mean())
        assert error[tolerance] < tolerance
    assert error[0.1] > 10 * error[0.001]


def test_only_the_rows_of_the_block_are_solved() -> None:
    confidence = random_confidence(9, 50, weighted=False)
    side, fixed = systems(confidence, 4)
    for solve in (lambda x: cholesky(side, fixed, x, 3, 5), lambda x: conjugate_gradient(side, fixed, x, 3, 5, 0.0, 9)):
        found = np.full((9, 4), 7.0, np.float32)
        solve(found)
        assert (np.delete(found, [3, 4], axis=0) == 7.0).all()
        assert (found[3:5] != 7.0).all()


def test_the_loss_is_that_of_the_values_before_the_step() -> None:
    confidence = random_confidence(9, 50, weighted=True)
    side, fixed = systems(confidence, 4)
    x = np.random.default_rng(3).normal(size=(9, 4)).astype(np.float32)
    scores = x.astype(np.float64) @ fixed.factors.T.astype(np.float64)
    filled = confidence.any(axis=1)
    expected = (np.abs(confidence) * np.square((confidence > 0) - scores)).sum()
    expected += 0.3 * np.square(scores[filled]).sum() + side.penalty[filled] @ np.square(x[filled]).sum(axis=1)
    assert cholesky(side, fixed, x.copy(), 0, 9) == pytest.approx(expected, rel=1e-4)
    assert conjugate_gradient(side, fixed, x.copy(), 0, 9, 1e-3, 9) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("solver", ["conjugate_gradient", "cholesky"])
def test_the_objective_falls_in_every_epoch(solver: str) -> None:
    ctx, reports = recording()
    fitted("ials", tastes(), {"factors": 4, "epochs": 6, "solver": solver}, ctx=ctx)
    losses = [report.values["loss"] for report in reports[1:]]
    assert len(losses) == 6
    assert all(after < before for before, after in pairwise(losses))


def test_validation_changes_nothing_and_sees_the_users_of_each_epoch() -> None:
    train = tastes()
    scores = []
    ctx = recording()[0]
    watched = replace(ctx, validate=lambda model: scores.append(model.score(train.queries())) or {})
    model = fitted("ials", train, {"epochs": 3}, ctx=watched)
    assert len(scores) == 3
    assert not np.allclose(scores[0], scores[1])
    assert_array_equal(scores[2], model.score(train.queries()))
    assert_array_equal(scores[2], fitted("ials", train, {"epochs": 3}).score(train.queries()))


def test_a_user_is_the_solution_for_the_history() -> None:
    train = purchases_and_views(tastes(rated=False))
    model = fitted("ials", train, {"factors": 5, "regularization": 0.01, "unobserved_weight": 0.2})
    q = model.item_factors.astype(np.float64)
    confidence = model._training_confidence(train).toarray().astype(np.float64)
    for user in (0, 11):
        c = confidence[user]
        penalty = 0.01 * (c.sum() + 0.2 * train.n_items)
        matrix = 0.2 * q.T @ q + penalty * np.eye(5) + (q.T * c) @ q
        expected = q @ np.linalg.solve(matrix, q.T @ c)
        query = train.queries(np.array([user]))
        assert_allclose(model.score(query)[0], expected, atol=2e-5)
        parts = model.explain(query, 3)
        shares = c[parts.sources] * (q[parts.sources] @ np.linalg.solve(matrix, q[3]))
        assert_allclose(parts.weights, shares, atol=2e-5)


def test_stored_factors_serve_the_training_history_alone() -> None:
    train = tastes()
    model = fitted("ials", train, {"factors": 8})
    query = train.queries(np.array([5]))
    shorter = query.only(np.arange(len(query.history.values)) > 2)
    assert_array_equal(model.score(shorter), model.score(as_unknown(shorter)))
    assert not np.allclose(model.score(shorter), model.score(query))
    model.user_factors[:] = 0.0  # so that what is stored shows
    assert (model.score(query) == 0.0).all()
    assert (model.score(shorter) != 0.0).any()
    assert np.isnan(model.score(asking([[]], users=[5]))).all()


def test_the_factors_lie_on_the_principal_axes_of_the_items() -> None:
    model = fitted("ials", tastes(), {"factors": 6, "unobserved_weight": 0.5})
    gram = model.item_factors.astype(np.float64).T @ model.item_factors
    assert_allclose(gram, np.diag(model.base / 0.5), atol=1e-4 * gram.max())
    assert (np.diff(np.diag(gram)) < 0).all()


def test_pairs_are_distinct_and_sorted_whatever_the_order_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": rng.integers(0, 6, 80), "item": rng.integers(0, 9, 80)}).astype("int32")
    train = dataset_from_frames(frame, user_ids=[*"abcdefg"], item_ids=[*"abcdefghij"])
    rows, matrix = observed(train, float("nan")), train.matrix("binary")
    assert len(rows.column) < 80
    assert_array_equal(rows.start, matrix.indptr)
    assert_array_equal(rows.column, matrix.indices)
    columns, other = turned(rows, 10), matrix.T.tocsr().sorted_indices()
    assert_array_equal(columns.start, other.indptr)
    assert_array_equal(columns.column, other.indices)
    assert_array_equal(total_confidence(rows), matrix.sum(axis=1))


def test_weights_stay_with_their_pairs() -> None:
    confidence = random_confidence(7, 12, weighted=True)
    rows = rows_of(csr_array(confidence))
    turning, other = turned(rows, 12), csr_array(confidence.T)
    assert_allclose(turning.weight, other.data, rtol=1e-6)
    assert_allclose(total_confidence(turning), np.abs(confidence).sum(axis=0), rtol=1e-6)
    assert len(rows_of(csr_array((confidence > 1) * 1.0)).weight) == 0


def test_keys_tell_histories_apart() -> None:
    start, column = np.array([0, 2, 4, 5, 5]), np.array([1, 2, 1, 2, 3], np.uint32)
    keys = row_keys(Rows(start, column, NO_WEIGHTS))
    assert keys[0] == keys[1]
    assert len(set(keys.tolist())) == 3
    weighted = row_keys(Rows(start, column, np.array([1, 1, 1, 2, 1], np.float32)))
    assert weighted[0] == keys[0]
    assert weighted[1] != keys[1]


def test_chunks_are_a_multiple_of_the_four_pairs_of_a_step() -> None:
    assert ials_solvers.CHUNK % 4 == 0
