"""Gradient descent against plain Python, folding in, and the training curve."""

import numpy as np
import pytest

from recsys_core.contracts import RunContext
from recsys_core.models.biased_mf import Parameters, Ratings, descend
from tests.contract.cases import as_unknown, asking, fitted, recording, tastes


def test_one_epoch_equals_the_update_rules() -> None:
    rng = np.random.default_rng(0)
    ratings = Ratings(
        rng.integers(0, 5, 40).astype(np.int32),
        rng.integers(0, 4, 40).astype(np.int32),
        rng.normal(size=40).astype("f4"),
    )
    start = Parameters(*(rng.normal(size=size).astype("f4") for size in (5, 4, (5, 3), (4, 3))))
    found = Parameters(*(part.copy() for part in start))
    squared = descend(ratings, found, np.float32(0.1), np.float32(0.05))
    b_u, b_i, p, q = (part.astype(np.float64) for part in start)
    total = 0.0
    for u, i, r in zip(*ratings, strict=True):
        error = r - (b_u[u] + b_i[i] + p[u] @ q[i])
        total += error**2
        b_u[u] += 0.1 * (error - 0.05 * b_u[u])
        b_i[i] += 0.1 * (error - 0.05 * b_i[i])
        p[u], q[i] = p[u] + 0.1 * (error * q[i] - 0.05 * p[u]), q[i] + 0.1 * (error * p[u] - 0.05 * q[i])
    for part, expected in zip(found, (b_u, b_i, p, q), strict=True):
        np.testing.assert_allclose(part, expected, rtol=2e-4, atol=1e-5)
    assert squared == pytest.approx(total, rel=1e-4)


def test_the_reported_error_falls() -> None:
    ctx, reports = recording()
    fitted("biased_mf", tastes(), {"factors": 8, "learning_rate": 0.02}, ctx=ctx)
    curve = [report.values["rmse"] for report in reports[1:]]
    assert len(curve) == 20
    assert curve[-1] < 0.9 * curve[0]


def test_validation_sees_a_model_that_answers_after_each_epoch() -> None:
    train = tastes()
    spreads = []

    def validate(model: object) -> dict[str, float]:
        spreads.append(float(model.score(train.queries()).std()))  # type: ignore[attr-defined]
        return {"spread": spreads[-1]}

    ctx, reports = recording()
    fitted("biased_mf", train, {"epochs": 3}, ctx=RunContext(report=ctx.report, validate=validate))
    assert [report.values["spread"] for report in reports[1:]] == spreads
    assert len(set(spreads)) == 3


def test_folding_in_minimises_the_penalised_error_of_the_history() -> None:
    train = tastes()
    model = fitted("biased_mf", train, {"factors": 4, "regularization": 0.1})
    query = as_unknown(train.queries(np.array([7])))
    bias, factors = (part[0] for part in model.factors_of(query))
    items, ratings = query.history[0], query.values.astype(np.float64)
    target = ratings - model.mean - model.item_bias[items]

    def loss(b: float, p: np.ndarray) -> float:
        errors = target - b - model.item_factors[items] @ p
        return float((errors**2).sum() + 0.1 * len(items) * (b**2 + (p**2).sum()))

    rng = np.random.default_rng(0)
    best = loss(bias, factors)
    assert all(loss(bias + rng.normal() * 0.01, factors + rng.normal(size=4) * 0.01) > best for _ in range(50))


def test_a_folded_in_user_is_close_to_the_trained_one() -> None:
    train = tastes()
    model = fitted("biased_mf", train, {"factors": 8, "epochs": 100})
    known, unknown = (model.score(query) for query in (train.queries(), as_unknown(train.queries())))
    assert np.corrcoef(known.ravel(), unknown.ravel())[0, 1] > 0.95


def test_without_a_history_only_the_biases_of_items_speak() -> None:
    model = fitted("biased_mf", tastes())
    np.testing.assert_allclose(model.score(asking([[]]))[0], model.mean + model.item_bias, rtol=1e-6)


def test_an_explanation_names_both_biases_and_each_factor() -> None:
    train = tastes()
    model = fitted("biased_mf", train, {"factors": 3})
    for query in (train.queries(np.array([4])), as_unknown(train.queries(np.array([4])))):
        parts = model.explain(query, 9)
        bias, factors = (part[0] for part in model.factors_of(query))
        assert parts.labels == ("user bias", "item bias", "factor 1", "factor 2", "factor 3")
        expected = [bias, model.item_bias[9], *(factors * model.item_factors[9])]
        np.testing.assert_allclose(parts.weights, expected, rtol=1e-6)
        assert parts.remainder == pytest.approx(float(model.mean), abs=1e-9)


def test_an_error_of_a_thousand_units_moves_parameters_like_one_of_ten() -> None:
    rng = np.random.default_rng(0)
    shapes = [(1,), (1,), (1, 20), (1, 20)]
    start = [rng.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]
    moved = []
    for value in (1000.0, 10_000.0):
        found = Parameters(*(part.copy() for part in start))
        one = Ratings(np.array([0], np.int32), np.array([0], np.int32), np.array([value], np.float32))
        for _ in range(20):
            squared = descend(one, found, np.float32(0.005), np.float32(0.02))
        assert np.isfinite(squared)
        moved.append(found)
    for ours, theirs in zip(*moved, strict=True):
        np.testing.assert_array_equal(ours, theirs)
