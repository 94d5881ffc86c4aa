"""Lesson 9 by hand: Gram matrix by counting, weights from the inverse with a zero diagonal, scores as sums."""

import numpy as np
import pytest

from recsys_core.lessons.closed_form import FILMS, HISTORIES
from tests.lessons import numbers_of, scene_of

X = np.array([[cell or 0 for cell in row] for row in HISTORIES], dtype=float)


def weights(penalty: float) -> np.ndarray:
    """B_ij = -P_ij / P_jj with P the inverse of X^T X + lambda I, and a diagonal of 0."""
    precision = np.linalg.inv(X.T @ X + penalty * np.eye(len(FILMS)))
    result = -precision / np.diag(precision)
    np.fill_diagonal(result, 0.0)
    return result


def test_pairs_are_counted() -> None:
    """Ana and Ben saw Comet and Dunes, Ben and Cleo Comet and Ember, Cleo and Finn Comet and Haven; Ben alone Dunes
    and Ember."""
    numbers = numbers_of("closed_form", "gram")
    assert np.array(numbers.gram) == pytest.approx(X.T @ X)
    assert numbers.gram[0][1] == numbers.gram[0][2] == numbers.gram[0][5] == 2
    scene = scene_of("closed_form", "gram")
    assert (scene.answer, scene.finding) == ("Comet", "2 users saw Dunes and Comet.")


@pytest.mark.parametrize("penalty", [0.1, 1.0, 20.0])
def test_weights_are_those_of_the_inverse(penalty: float) -> None:
    numbers = numbers_of("closed_form", "weights", penalty=penalty)
    assert np.array(numbers.weights) == pytest.approx(weights(penalty), abs=1e-5)


def test_each_column_is_a_ridge_regression_on_the_other_films() -> None:
    others = [1, 2, 3, 4, 5]
    ridge = np.linalg.solve(X[:, others].T @ X[:, others] + np.eye(5), X[:, others].T @ X[:, 0])
    assert np.array(numbers_of("closed_form", "weights").weights)[others, 0] == pytest.approx(ridge, abs=1e-5)


def test_a_score_is_the_sum_of_weights() -> None:
    numbers = numbers_of("closed_form", "score")
    sums = weights(1.0)[[0, 1]].sum(axis=0)
    assert numbers.scores[:2] == (None, None)
    assert numbers.scores[2:] == pytest.approx(sums[2:], abs=1e-5)
    assert numbers.top == 2 + int(np.argmax(sums[2:]))
    assert sum(numbers.parts) == pytest.approx(numbers.scores[numbers.top], abs=1e-5)


def test_regularization_shrinks_weights_and_some_pairs_are_negative() -> None:
    largest = numbers_of("closed_form", "lambda").largest
    assert largest[0] == pytest.approx(weights(0.01).max(), abs=1e-4)
    assert largest[-1] < 0.05 < largest[0]
    negative = (weights(1.0) < 0) & (X.T @ X > 0)
    assert scene_of("closed_form", "negative").answer == ("yes" if negative.any() else "no")
