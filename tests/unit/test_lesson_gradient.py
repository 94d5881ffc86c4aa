"""Lesson 8 by hand: Ana's 5 for Comet. Mean of the 12 ratings 34 / 12; p = (0.6, -0.2), q = (0.5, 0.8), no biases."""

import math

import pytest

from tests.lessons import numbers_of, scene_of

MEAN = 34 / 12
ERROR = 5 - MEAN - (0.6 * 0.5 - 0.2 * 0.8)


def test_the_prediction_is_the_mean_plus_the_product() -> None:
    numbers = numbers_of("gradient", "prediction")
    assert numbers.mean == pytest.approx(MEAN)
    assert numbers.error == pytest.approx(ERROR, abs=1e-6)


def test_one_step_moves_factors_and_biases() -> None:
    """p' = p + 0.1 (e q - 0.02 p), q' = q + 0.1 (e p - 0.02 q) with the p from before, b' = 0.1 e."""
    numbers = numbers_of("gradient", "size")
    p = [0.6 + 0.1 * (ERROR * 0.5 - 0.02 * 0.6), -0.2 + 0.1 * (ERROR * 0.8 - 0.02 * -0.2)]
    q = [0.5 + 0.1 * (ERROR * 0.6 - 0.02 * 0.5), 0.8 + 0.1 * (ERROR * -0.2 - 0.02 * 0.8)]
    assert numbers.after.p == pytest.approx(p, abs=1e-6)
    assert numbers.after.q == pytest.approx(q, abs=1e-6)
    assert numbers.after.user_bias == pytest.approx(0.1 * ERROR, abs=1e-6)
    after = 5 - MEAN - 0.2 * ERROR - sum(a * b for a, b in zip(p, q, strict=True))
    assert numbers.error_after == pytest.approx(after, abs=1e-5)


def test_the_step_is_the_gradient_of_the_squared_error() -> None:
    """Without regularization, (p' - p) / gamma is minus the derivative of e^2 / 2, by finite differences."""
    numbers = numbers_of("gradient", "direction", rate=0.01)
    for axis in (0, 1):
        moved = list(numbers.before.p)
        moved[axis] += 1e-4
        error = 5 - MEAN - sum(a * b for a, b in zip(moved, numbers.before.q, strict=True))
        slope = (error**2 - ERROR**2) / 2e-4
        assert (numbers.after.p[axis] - numbers.before.p[axis]) / 0.01 == pytest.approx(-slope, abs=1e-3)


@pytest.mark.parametrize(("user", "item", "answer"), [("Ana", "Comet", "towards"), ("Ana", "Fjord", "away")])
def test_the_direction_is_that_of_the_error(user: str, item: str, answer: str) -> None:
    """Ana's 1 for Fjord is below the mean."""
    assert scene_of("gradient", "direction", user=user, item=item).answer == answer


def test_a_high_learning_rate_diverges() -> None:
    """The first pass is finite, later ones are not; at 0.1 the error falls."""
    assert scene_of("gradient", "diverges").answer == "grows"
    assert numbers_of("gradient", "diverges").rmse[-1] is None
    assert scene_of("gradient", "diverges", fast=0.1).answer == "falls"
    first, *_others, last = numbers_of("gradient", "passes").rmse
    assert first is not None
    assert last is not None
    assert last < 0.1 < first


def test_the_first_pass_measures_before_each_step() -> None:
    """With a tiny learning rate nothing moves, so the RMSE is that of the first parameters."""
    from recsys_core.lessons.gradient import ITEM_FACTORS, RATINGS, USER_FACTORS

    errors = [
        cell - MEAN - sum(a * b for a, b in zip(USER_FACTORS[u], ITEM_FACTORS[i], strict=True))
        for u, row in enumerate(RATINGS)
        for i, cell in enumerate(row)
        if cell is not None
    ]
    rmse = math.sqrt(sum(error**2 for error in errors) / len(errors))
    assert numbers_of("gradient", "diverges", fast=0.005, passes=1).rmse[0] == pytest.approx(rmse, rel=0.02)
