"""PureSVD and NMF: factors of the matrix with zeros for missing entries, and exact fold-in."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import nnls
from scipy.sparse import csr_array, random_array
from scipy.sparse.linalg import svds

from recsys_core.contracts import RatingScale, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import Cancelled, DataError
from recsys_core.models import pure_svd
from recsys_core.models.pure_svd import right_singular_vectors
from tests.contract.cases import asking, fitted, tastes, with_ratings


def matrix_of(train: Dataset, values: str = "interactions") -> np.ndarray:
    return np.asarray(train.matrix("rating" if values == "ratings" else "binary").toarray(), dtype=np.float64)


@pytest.mark.parametrize("values", ["interactions", "ratings"])
@pytest.mark.parametrize("small", [0, 256], ids=["arpack", "dense"])
def test_pure_svd_is_the_projection_on_the_singular_vectors_of_scipy(
    values: str, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pure_svd, "SMALL", small)
    train = tastes()
    matrix = matrix_of(train, values)
    left, singular, rows = svds(csr_array(matrix), k=7, rng=np.random.default_rng(5))
    model = fitted("pure_svd", train, {"factors": 7, "values": values})
    assert_allclose(model.score(train.queries()), left * singular @ rows, atol=1e-5)
    assert_allclose(model.score(train.queries()), matrix @ rows.T @ rows, atol=1e-5)  # fold-in: x_u V V^T
    assert_allclose(np.square(model.user_factors).sum(axis=0), singular[::-1] ** 2, rtol=1e-5)


@pytest.mark.parametrize("small", [0, 1000], ids=["arpack", "dense"])
def test_singular_vectors_are_ordered_and_their_largest_entry_is_positive(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pure_svd, "SMALL", small)
    matrix = csr_array(random_array((40, 70), density=0.2, rng=np.random.default_rng(1)))
    vectors, values = right_singular_vectors(matrix, 9, RunContext())
    assert (np.diff(values) < 0).all()
    assert_allclose(vectors.T @ vectors, np.eye(9), atol=1e-12)
    largest = np.argmax(np.abs(vectors), axis=0)
    assert (vectors[largest, np.arange(9)] > 0).all()


@pytest.mark.parametrize("small", [0, 1000], ids=["arpack", "dense"])
def test_directions_beyond_the_rank_are_left_out(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pure_svd, "SMALL", small)
    rng = np.random.default_rng(2)
    matrix = csr_array(rng.random((30, 3)) @ rng.random((3, 20)))
    vectors, values = right_singular_vectors(matrix, 10, RunContext())
    assert vectors.shape == (20, 3)
    assert_allclose(matrix @ vectors @ vectors.T, matrix.toarray(), atol=1e-10)
    assert len(values) == 3


def test_the_decomposition_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pure_svd, "SMALL", 0)
    asked: list[int] = []
    ctx = RunContext(stop_requested=lambda: bool(asked.append(1)) or len(asked) > 5)
    with pytest.raises(Cancelled):
        right_singular_vectors(csr_array(matrix_of(tastes())), 7, ctx)
    assert len(asked) == 6


def test_two_users_by_hand() -> None:
    """Users {0, 1} twice and {2} once: the strongest direction is (1, 1, 0) / sqrt(2), with S = 2."""
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype(np.int32)
    model = fitted("pure_svd", dataset_from_frames(frame), {"factors": 1})
    assert_allclose(np.square(model.item_factors[:, 0]), [0.5, 0.5, 0], atol=1e-7)
    assert_allclose(model.score(asking([[0]]))[0], [0.5, 0.5, 0.0], atol=1e-7)
    assert np.isnan(model.score(asking([[]]))).all()


@pytest.mark.parametrize("values", ["interactions", "ratings"])
def test_users_of_nmf_solve_nonnegative_least_squares(values: str) -> None:
    train = tastes()
    model = fitted("nmf", train, {"factors": 6, "regularization": 2.0, "epochs": 3, "values": values})
    items = model.item_factors
    assert items.min() == 0.0
    assert items.max() > 0.0
    found = model.factors_of(train.queries().of_unknown())[1]
    padded = np.vstack([items, np.sqrt(2.0) * np.eye(items.shape[1])])
    for row, own in zip(matrix_of(train, values), found, strict=True):
        expected, _ = nnls(padded, np.concatenate([row, np.zeros(items.shape[1])]))
        assert_allclose(own, expected, atol=1e-6)
    assert (found == 0).any()
    assert_allclose(model.user_factors, found, rtol=1e-6)


def test_one_epoch_of_nmf_is_one_pass_over_users_and_one_over_items() -> None:
    train, factors, penalty = tastes(), 4, 2.0
    matrix = matrix_of(train)
    model = fitted("nmf", train, {"factors": factors, "regularization": penalty, "epochs": 1})
    users, items = model._start(csr_array(matrix), RunContext())
    for rows, own, others in ((matrix, users, items), (matrix.T, items, users)):
        gram = others.T @ others + penalty * np.eye(factors)
        for row, factor in zip(rows, own, strict=True):
            target = others.T @ row
            for d in range(factors):
                factor[d] = max((target[d] - gram[d] @ factor + gram[d, d] * factor[d]) / gram[d, d], 0.0)
    assert_allclose(model.item_factors, items, rtol=1e-9, atol=1e-12)


def test_nmf_reaches_the_error_of_scikit_learn_and_reports_it() -> None:
    from sklearn import decomposition

    train = tastes()
    matrix = matrix_of(train)
    reports: list[float] = []
    ctx = RunContext(report=lambda progress: reports.extend(progress.values.values()))
    model = fitted("nmf", train, {"factors": 5, "regularization": 0.0, "epochs": 100}, ctx=ctx)
    theirs = decomposition.NMF(5, init="nndsvd", max_iter=2000, tol=1e-8)
    expected = np.sqrt(np.mean((matrix - theirs.fit_transform(matrix) @ theirs.components_) ** 2))
    found = np.sqrt(np.mean((matrix - model.score(train.queries())) ** 2))
    assert found == pytest.approx(expected, rel=0.003)
    assert reports[-1] == pytest.approx(found, rel=1e-4)
    assert (np.diff(reports) <= 1e-12).all()


def test_negative_ratings_are_refused_and_negative_weights_count_as_zero() -> None:
    train = tastes()
    rating = np.where(np.arange(train.n_interactions) % 3 == 0, -2.0, 3.0)
    with pytest.raises(DataError, match="values = interactions"):
        fitted("nmf", with_ratings(train, rating, RatingScale(-5, 5)), {"values": "ratings"})
    plain = tastes(rated=False)
    frame = plain.interactions.assign(weight=np.float32(1.0))
    disliked = (frame["user"] == 3) & (frame.index % 2 == 0)
    signed = frame.assign(weight=frame["weight"].where(~disliked, -1.0))
    columns = frozenset(signed.columns)
    without = fitted("nmf", plain.subset(~disliked.to_numpy()), {"factors": 4})
    found = fitted("nmf", replace(plain, load_interactions=lambda: signed, columns=columns), {"factors": 4})
    assert_array_equal(found.item_factors, without.item_factors)
